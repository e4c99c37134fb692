//! The file: its tables, their version, what is read at the start.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Result, Row, params};

use super::{Limits, SavedPrint};
use crate::clock::millis;
use crate::digest::Digest;

/// "oepr": whose file it is.
const APPLICATION: i32 = 0x6F65_7072;
/// The version of the tables.
const VERSION: i32 = 2;
const PAGE: u64 = 4_096;

const TABLES: &str = "
CREATE TABLE prints (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    key BLOB NOT NULL,
    account TEXT NOT NULL,
    created INTEGER NOT NULL,
    warning INTEGER NOT NULL,
    pause INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    pace INTEGER NOT NULL,
    belief TEXT NOT NULL,
    over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX prints_by_age ON prints (created);
CREATE TABLE numbers (last INTEGER NOT NULL) STRICT;
INSERT INTO numbers VALUES (0);
CREATE TABLE verdicts (
    print INTEGER NOT NULL,
    at INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    score INTEGER NOT NULL,
    flags INTEGER NOT NULL
) STRICT;
CREATE INDEX verdicts_by_time ON verdicts (at);
CREATE TABLE minutes (
    print INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    verdicts INTEGER NOT NULL,
    worst_quality INTEGER NOT NULL,
    scores INTEGER NOT NULL,
    worst_score INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    PRIMARY KEY (minute, print)
) STRICT, WITHOUT ROWID;
CREATE TABLE incidents (
    print INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    paused INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    score INTEGER NOT NULL
) STRICT;
CREATE INDEX incidents_by_time ON incidents (began);
CREATE INDEX incidents_open ON incidents (print) WHERE ended IS NULL;
";

/// Opens the file, makes its tables when it is new, and refuses what is not ours.
pub(super) fn open(path: &Path, limits: Limits) -> std::result::Result<Connection, String> {
    let said = |why: rusqlite::Error| format!("{}: {why}", path.display());
    let connection = Connection::open(path).map_err(said)?;
    private(path);
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(said)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(said)?;
    let (application, version) = (
        number("application_id").map_err(said)?,
        number("user_version").map_err(said)?,
    );
    match (tables, application, version) {
        (0, _, _) => create(&connection).map_err(said)?,
        (_, APPLICATION, VERSION) => {}
        (_, APPLICATION, later) => {
            return Err(format!(
                "{}: made by another version of the service (tables {later}, not {VERSION}); move it away to begin anew",
                path.display()
            ));
        }
        _ => return Err(format!("{}: not a file of this service", path.display())),
    }
    set_up(&connection, limits).map_err(said)?;
    Ok(connection)
}

fn create(connection: &Connection) -> Result<()> {
    // Before the first table, or it is of no effect.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.execute_batch(&format!(
        "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// With a log that is written ahead, readers do not stop the writer, and what was written is there after a
/// kill. A power cut may cost the last seconds, and never the file.
fn set_up(connection: &Connection, limits: Limits) -> Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    connection.pragma_update_and_check(
        None,
        "max_page_count",
        (limits.bytes / PAGE).cast_signed(),
        |_| Ok(()),
    )?;
    Ok(())
}

/// What only the owner may read. A file system without permissions has none to set.
fn private(path: &Path) {
    #[cfg(unix)]
    drop(std::fs::set_permissions(
        path,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    ));
}

/// The prints that were under way and are not too old, the one that was looked at last as the last.
pub(super) fn prints(connection: &Connection, limits: Limits, now: i64) -> Result<Vec<SavedPrint>> {
    let oldest = now - millis(limits.history);
    let mut rows = connection.prepare(
        "SELECT number, id, key, account, created, warning, pause, calls, last_at, pace, belief FROM prints
         WHERE over = 0 AND created > ? ORDER BY last_at, number",
    )?;
    let prints = rows.query_map(params![oldest], print)?;
    prints.collect()
}

/// The number of the last print that there ever was: numbers are not given twice.
pub(super) fn last_number(connection: &Connection) -> Result<u64> {
    let query = "SELECT last FROM numbers";
    let largest: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok(largest.cast_unsigned())
}

fn print(row: &Row<'_>) -> Result<SavedPrint> {
    Ok(SavedPrint {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        id: Digest(row.get(1)?),
        key: Digest(row.get(2)?),
        account: row.get(3)?,
        created: row.get(4)?,
        warning: row.get(5)?,
        pause: row.get(6)?,
        calls: row.get::<_, i64>(7)?.cast_unsigned(),
        last_at: row.get(8)?,
        pace: row.get(9)?,
        belief: row.get(10)?,
    })
}
