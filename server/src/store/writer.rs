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
const AT_A_TIME: usize = 20_000;
/// The share of the file, in percent, from which on the oldest history goes.
const FULL: i64 = 90;
/// The file is made smaller when one in so many pages is free.
const MUCH: i64 = 4;
/// Verdicts that are written at a time where room is short.
const PART: usize = 1_000;
/// The key of a minute's row.
const MINUTE: &str = "minute, print";

const WARNING: u8 = 1;
const PAUSE: u8 = 2;

/// What the writer goes by from one transaction to the next.
struct Writer {
    connection: Connection,
    limits: Limits,
    incidents: Incidents,
    /// Until the next look for what is too old.
    sweep_in: Duration,
}

pub(super) fn run(shared: &Shared, connection: Connection, limits: Limits) {
    let mut writer = Writer {
        incidents: Incidents::load(&connection).unwrap_or_default(),
        connection,
        limits,
        sweep_in: SWEEP,
    };
    let (mut wait, mut fails) = (PERIOD, false);
    loop {
        let mut notes = shared.notes.lock();
        if !notes.ends {
            shared.wake.wait_for(&mut notes, wait);
        }
        let ends = notes.ends;
        let mut taken = notes.take();
        drop(notes);
        let now = unix_millis();
        let written = writer.write(&mut taken, fails, now);
        if !taken.is_empty() {
            shared.notes.lock().put_back(taken);
        }
        if ends {
            return;
        }
        let swept = writer.sweep_if_due(&written, wait, now);
        let freed = matches!(swept, Ok(removed) if removed > 0);
        let health = match written.and(swept.map(drop)) {
            Ok(()) => Health::Good,
            Err(why) => Health::Failing {
                why: in_words(&why),
                lost: shared.notes.lock().lost,
            },
        };
        fails = health != Health::Good;
        wait = if fails && !freed { RETRY } else { PERIOD };
        *shared.health.lock() = health;
    }
}

impl Writer {
    /// Writes the notes, and leaves those that could not be written. Where the last try failed, prints come
    /// first and the history in parts: a little room is of use too.
    fn write(&mut self, notes: &mut Notes, failed: bool, now: i64) -> Result<()> {
        let parts = if failed {
            notes.parts(PART)
        } else {
            Vec::new()
        };
        let written = if failed {
            self.write_parts(parts, notes, now)
        } else {
            write(&mut self.connection, &mut self.incidents, notes, now)
                .map(|()| *notes = Notes::default())
        };
        if written.is_err() {
            // Rows of incidents that were begun in vain are not there.
            self.incidents = Incidents::load(&self.connection).unwrap_or_default();
        }
        written
    }

    fn write_parts(&mut self, parts: Vec<Notes>, left: &mut Notes, now: i64) -> Result<()> {
        let mut written = Ok(());
        for part in parts {
            if written.is_ok() {
                written = write(&mut self.connection, &mut self.incidents, &part, now);
            }
            if written.is_err() {
                left.put_back_after(part);
            }
        }
        written
    }

    /// Looks for what is too old once a minute, at once where there is more of it, and whenever there is no
    /// room. Says how many rows went.
    fn sweep_if_due(&mut self, written: &Result<()>, waited: Duration, now: i64) -> Result<usize> {
        self.sweep_in = self.sweep_in.saturating_sub(waited);
        let due = match written {
            Ok(()) => self.sweep_in.is_zero(),
            Err(why) => why.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
        };
        if !due {
            return Ok(0);
        }
        let removed = sweep(&mut self.connection, self.limits, now, written.is_err())?;
        let more = removed >= AT_A_TIME;
        self.sweep_in = if more { Duration::ZERO } else { SWEEP };
        Ok(removed)
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
    into.execute(
        "UPDATE numbers SET last = max(last, ?)",
        params![notes.last.cast_signed()],
    )?;
    prints(&into, notes)?;
    history(&into, notes, incidents)?;
    over(&into, notes, incidents, now)?;
    into.commit()
}

fn prints(into: &Transaction<'_>, notes: &Notes) -> Result<()> {
    let mut row = into.prepare(
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

fn history(into: &Transaction<'_>, notes: &Notes, incidents: &mut Incidents) -> Result<()> {
    let mut row = into.prepare(
        "INSERT INTO verdicts (print, at, quality, score, flags) VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut minute = into.prepare(
        "INSERT INTO minutes (print, minute, verdicts, worst_quality, scores, worst_score, flags) VALUES (?, ?, 1, ?, ?, ?, ?)
         ON CONFLICT (minute, print) DO UPDATE SET verdicts = verdicts + 1, worst_quality = min(worst_quality, excluded.worst_quality),
            scores = scores + excluded.scores, worst_score = max(worst_score, excluded.worst_score), flags = flags | excluded.flags",
    )?;
    for verdict in &notes.verdicts {
        let flags = u8::from(verdict.warning) * WARNING + u8::from(verdict.pause) * PAUSE;
        row.execute(params![
            verdict.print.cast_signed(),
            verdict.at,
            verdict.quality,
            verdict.score,
            flags
        ])?;
        minute.execute(params![
            verdict.print.cast_signed(),
            verdict.at.div_euclid(60_000),
            verdict.quality,
            verdict.score,
            verdict.score,
            flags
        ])?;
        incidents.verdict(into, *verdict)?;
    }
    Ok(())
}

/// Of a print that was never looked at there is no history.
fn over(into: &Transaction<'_>, notes: &Notes, incidents: &mut Incidents, now: i64) -> Result<()> {
    let mut unseen = into.prepare("DELETE FROM prints WHERE number = ? AND calls = 0")?;
    let mut seen = into.prepare("UPDATE prints SET over = 1, belief = '' WHERE number = ?")?;
    for number in &notes.over {
        unseen.execute(params![number.cast_signed()])?;
        seen.execute(params![number.cast_signed()])?;
        incidents.end(into, *number, now)?;
    }
    Ok(())
}

/// Removes what is too old and, where the file is nearly as large as it may be or there is no room, the
/// oldest of all. Says how many rows went.
pub(super) fn sweep(
    connection: &mut Connection,
    limits: Limits,
    now: i64,
    no_room: bool,
) -> Result<usize> {
    let (verdicts, history) = (now - millis(limits.verdicts), now - millis(limits.history));
    let into = connection.transaction()?;
    let mut removed = remove(&into, "verdicts", "rowid", "at", verdicts)?;
    removed += remove(&into, "minutes", MINUTE, "minute", history / 60_000)?;
    removed += remove(&into, "incidents", "rowid", "began", history)?;
    removed += remove(&into, "prints", "number", "created", history)?;
    into.commit()?;
    let pages = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (all, free) = (pages("page_count")?, pages("freelist_count")?);
    let is_full = (all - free) * 100 > pages("max_page_count")? * FULL;
    if is_full || (no_room && removed == 0) {
        let into = connection.transaction()?;
        removed += remove_oldest(&into)?;
        into.commit()?;
    }
    // Pages that are free are written again; only a file that is much too large is made smaller, since that
    // moves others.
    if free * MUCH > all {
        connection.pragma_query(None, "incremental_vacuum", |_| Ok(()))?;
    }
    Ok(removed)
}

/// The oldest history: single verdicts before minutes, those before incidents and prints that are over.
fn remove_oldest(from: &Transaction<'_>) -> Result<usize> {
    for (table, row, time) in [
        ("verdicts", "rowid", "at"),
        ("minutes", MINUTE, "minute"),
        ("incidents", "rowid", "began"),
    ] {
        let removed = remove(from, table, row, time, i64::MAX)?;
        if removed > 0 {
            return Ok(removed);
        }
    }
    from.execute("DELETE FROM prints WHERE over = 1", [])
}

/// Removes the oldest rows before a time, not too many at once; says how many.
fn remove(
    from: &Transaction<'_>,
    table: &str,
    row: &str,
    time: &str,
    before: i64,
) -> Result<usize> {
    from.execute(&format!(
        "DELETE FROM {table} WHERE ({row}) IN (SELECT {row} FROM {table} WHERE {time} < ? ORDER BY {time} LIMIT {AT_A_TIME})"
    ), params![before])
}
