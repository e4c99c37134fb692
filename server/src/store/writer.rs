//! The thread that writes.

use std::time::Duration;

use rusqlite::{Connection, Result, Transaction, params};

use super::incidents::Incidents;
use super::notes::Notes;
use super::{Health, Limits, Shared};
use crate::clock::{millis, unix_millis};

/// Between two transactions.
const PERIOD: Duration = Duration::from_secs(1);
/// Between two tries when the disk takes nothing.
const RETRY: Duration = Duration::from_secs(5);
/// Between two looks for what is too old.
const SWEEP: Duration = Duration::from_secs(60);
/// Rows that are removed in one go: some milliseconds, so that the second is kept.
const AT_A_TIME: i64 = 20_000;
/// The share of the file, in percent, from which on the oldest history goes.
const FULL: u64 = 90;

const WARNING: u8 = 1;
const PAUSE: u8 = 2;

pub(super) fn run(shared: &Shared, mut connection: Connection, limits: Limits) {
    let mut incidents = Incidents::load(&connection).unwrap_or_default();
    let mut swept = Duration::ZERO;
    loop {
        let wait = match *shared.health.lock() {
            Health::Good => PERIOD,
            Health::Failing { .. } => RETRY,
        };
        let mut notes = shared.notes.lock();
        if !notes.ends {
            shared.wake.wait_for(&mut notes, wait);
        }
        let ends = notes.ends;
        let taken = notes.take();
        drop(notes);
        let now = unix_millis();
        let mut written = write(&mut connection, &mut incidents, &taken, now);
        swept += wait;
        if written.is_ok() && swept >= SWEEP && !ends {
            swept = Duration::ZERO;
            written = sweep(&mut connection, limits, now);
        }
        match written {
            Ok(()) => *shared.health.lock() = Health::Good,
            Err(why) => {
                let mut notes = shared.notes.lock();
                notes.put_back(taken);
                let lost = notes.lost;
                drop(notes);
                // Rows of incidents that were begun in vain are not there.
                incidents = Incidents::load(&connection).unwrap_or_default();
                *shared.health.lock() = Health::Failing {
                    why: in_words(&why),
                    lost,
                };
            }
        }
        if ends {
            return;
        }
    }
}

/// What the user can do something about, in words.
fn in_words(why: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    match why.sqlite_error_code() {
        Some(DiskFull) => "the disk is full, or the state has its largest size".to_owned(),
        Some(ReadOnly) => "the state cannot be written: read-only".to_owned(),
        Some(CannotOpen) => "the state cannot be opened any more".to_owned(),
        Some(SystemIoFailure) => format!("the disk fails: {why}"),
        _ => why.to_string(),
    }
}

/// All notes in one transaction.
fn write(
    connection: &mut Connection,
    incidents: &mut Incidents,
    notes: &Notes,
    now: i64,
) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let into = connection.transaction()?;
    prints(&into, notes)?;
    for verdict in &notes.verdicts {
        verdict_rows(&into, verdict)?;
        incidents.verdict(&into, *verdict)?;
    }
    for number in &notes.over {
        // Of a print that was never looked at there is no history.
        for change in [
            "DELETE FROM prints WHERE number = ? AND calls = 0",
            "UPDATE prints SET over = 1, belief = '' WHERE number = ?",
        ] {
            into.prepare_cached(change)?
                .execute(params![number.cast_signed()])?;
        }
        incidents.end(&into, *number, now)?;
    }
    into.commit()
}

fn prints(into: &Transaction<'_>, notes: &Notes) -> Result<()> {
    let mut row = into.prepare_cached(
        "INSERT INTO prints (number, id, key, account, created, warning, pause, calls, last_at, pace, belief)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (number) DO UPDATE SET calls = excluded.calls, last_at = excluded.last_at, pace = excluded.pace,
            belief = excluded.belief",
    )?;
    for print in notes.prints.values() {
        row.execute(params![
            print.number.cast_signed(),
            print.id.0,
            print.key.0,
            print.account,
            print.created,
            print.warning,
            print.pause,
            print.calls.cast_signed(),
            print.last_at,
            print.pace,
            print.belief,
        ])?;
    }
    Ok(())
}

fn verdict_rows(into: &Transaction<'_>, verdict: &super::SavedVerdict) -> Result<()> {
    let flags = u8::from(verdict.warning) * WARNING + u8::from(verdict.pause) * PAUSE;
    into.prepare_cached(
        "INSERT INTO verdicts (print, at, quality, score, flags) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        verdict.print.cast_signed(),
        verdict.at,
        verdict.quality,
        verdict.score,
        flags
    ])?;
    into.prepare_cached(
        "INSERT INTO minutes (print, minute, verdicts, worst_quality, scores, worst_score, flags) VALUES (?, ?, 1, ?, ?, ?, ?)
         ON CONFLICT (minute, print) DO UPDATE SET verdicts = verdicts + 1, worst_quality = min(worst_quality, excluded.worst_quality),
            scores = scores + excluded.scores, worst_score = max(worst_score, excluded.worst_score), flags = flags | excluded.flags",
    )?
    .execute(params![
        verdict.print.cast_signed(),
        verdict.at.div_euclid(60_000),
        verdict.quality,
        verdict.score,
        verdict.score,
        flags
    ])?;
    Ok(())
}

/// Removes what is too old and, where the file is nearly as large as it may be, the oldest of all.
pub(super) fn sweep(connection: &mut Connection, limits: Limits, now: i64) -> Result<()> {
    let (verdicts, history) = (now - millis(limits.verdicts), now - millis(limits.history));
    let into = connection.transaction()?;
    remove(&into, "verdicts", "rowid", "at", verdicts)?;
    remove(
        &into,
        "minutes",
        "minute, print",
        "minute",
        history / 60_000,
    )?;
    remove(&into, "incidents", "rowid", "began", history)?;
    remove(&into, "prints", "number", "created", history)?;
    into.commit()?;
    let pages = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let used = pages("page_count")? - pages("freelist_count")?;
    let most = pages("max_page_count")?;
    if used.cast_unsigned().saturating_mul(100) > most.cast_unsigned().saturating_mul(FULL) {
        let into = connection.transaction()?;
        if remove(&into, "verdicts", "rowid", "at", i64::MAX)? == 0 {
            remove(&into, "minutes", "minute, print", "minute", i64::MAX)?;
            into.prepare_cached("DELETE FROM prints WHERE over = 1")?
                .execute([])?;
        }
        into.commit()?;
    }
    connection.pragma_query(None, "incremental_vacuum", |_| Ok(()))
}

/// Removes the oldest rows before a time, not too many at once; says how many.
fn remove(
    from: &Transaction<'_>,
    table: &str,
    row: &str,
    time: &str,
    before: i64,
) -> Result<usize> {
    from.prepare_cached(&format!(
        "DELETE FROM {table} WHERE ({row}) IN (SELECT {row} FROM {table} WHERE {time} < ? ORDER BY {time} LIMIT {AT_A_TIME})"
    ))?
    .execute(params![before])
}
