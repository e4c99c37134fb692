//! From the first verdict of a print that warns to the first that no longer does.

use std::collections::HashMap;

use rusqlite::{Result, Transaction, params};

use super::SavedVerdict;

/// The incidents that are not over: by print, their rows.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    open: HashMap<u64, i64>,
}

impl Incidents {
    pub(super) fn load(connection: &rusqlite::Connection) -> Result<Incidents> {
        let mut rows =
            connection.prepare("SELECT print, rowid FROM incidents WHERE ended IS NULL")?;
        let open = rows.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        })?;
        Ok(Incidents {
            open: open.collect::<Result<_>>()?,
        })
    }

    pub(super) fn verdict(&mut self, into: &Transaction<'_>, verdict: SavedVerdict) -> Result<()> {
        let alarm = verdict.warning || verdict.pause;
        match (alarm, self.open.get(&verdict.print)) {
            (true, None) => {
                into.execute("INSERT INTO incidents (print, began, paused, quality, score) VALUES (?, ?, ?, ?, ?)", params![
                    verdict.print.cast_signed(),
                    verdict.at,
                    verdict.pause,
                    verdict.quality,
                    verdict.score
                ])?;
                self.open.insert(verdict.print, into.last_insert_rowid());
            }
            (true, Some(row)) => {
                into.execute("UPDATE incidents SET paused = max(paused, ?2), quality = min(quality, ?3), score = max(score, ?4)
                     WHERE rowid = ?1", params![row, verdict.pause, verdict.quality, verdict.score])?;
            }
            (false, Some(_)) => self.end(into, verdict.print, verdict.at)?,
            (false, None) => {}
        }
        Ok(())
    }

    /// The print's incident ends with it.
    pub(super) fn end(&mut self, into: &Transaction<'_>, print: u64, at: i64) -> Result<()> {
        if let Some(row) = self.open.remove(&print) {
            into.execute(
                "UPDATE incidents SET ended = ?2 WHERE rowid = ?1",
                params![row, at],
            )?;
        }
        Ok(())
    }
}
