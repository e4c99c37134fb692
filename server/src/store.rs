//! What outlives the process: prints, what is believed of them, and their history, in SQLite.
//!
//! Nobody waits for the disk. What changes is noted in memory, a print over its older note, and a thread
//! writes all notes in one transaction a second: a process that is killed loses a second at most. A disk
//! that is full or read-only costs the history, not the service: notes are kept up to a bound, the
//! reason is told (`health`), and writing is tried again.

mod incidents;
mod notes;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::digest::Digest;
use notes::Notes;

/// The file's name in the folder of the state.
const FILE: &str = "oe-process-server.sqlite";
/// Whoever has locked this file writes the other: two services would give the same numbers.
const LOCK: &str = "lock";
/// How long a service before this one may take to end.
const LOCK_TIME: Duration = Duration::from_secs(5);

/// What is kept of a print, enough to go on with it. Times are Unix times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedPrint {
    /// The number under which the log and the history speak of it.
    pub(crate) number: u64,
    pub(crate) id: Digest,
    pub(crate) key: Digest,
    /// Whom limits hold for, where that is not the key: an address.
    pub(crate) account: String,
    pub(crate) created: i64,
    /// Confidence levels, 1 to 5.
    pub(crate) warning: u8,
    pub(crate) pause: u8,
    /// How many calls were answered.
    pub(crate) calls: u64,
    /// When the last call was answered,
    pub(crate) last_at: i64,
    /// and for how long after it a call is too soon, in milliseconds.
    pub(crate) pace: i64,
    /// The engine's belief as text; empty before the first look.
    pub(crate) belief: String,
}

/// What one picture came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavedVerdict {
    pub(crate) print: u64,
    /// Unix time in milliseconds.
    pub(crate) at: i64,
    pub(crate) quality: u8,
    pub(crate) score: u8,
    pub(crate) warning: bool,
    pub(crate) pause: bool,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file, in bytes. Before it is reached the oldest history goes.
    pub bytes: u64,
    /// For how long single verdicts are kept; after that there are those of minutes.
    pub verdicts: Duration,
    /// For how long minutes, incidents and prints are kept.
    pub history: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 1 << 30,
            verdicts: Duration::from_secs(48 * 3_600),
            history: Duration::from_secs(14 * 24 * 3_600),
        }
    }
}

/// How writing goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// What fails, in words, and how many verdicts were lost so far.
    Failing {
        why: String,
        lost: u64,
    },
}

#[derive(Debug)]
struct Shared {
    notes: Mutex<Notes>,
    health: Mutex<Health>,
    wake: Condvar,
}

/// The file and the thread that writes it. Dropping it writes what is left.
#[derive(Debug)]
pub(crate) struct Store {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Given back when the writer has ended, by whatever end of the process too.
    lock: Mutex<Option<File>>,
}

impl Store {
    /// Opens the file in this folder, which is made if it is not there, and says which prints were under way,
    /// and the largest number that a print ever had.
    ///
    /// # Errors
    /// What is in the way, in words: the folder, or a file that is not ours or of a later version.
    pub(crate) fn open(
        folder: &Path,
        limits: Limits,
        now: i64,
    ) -> Result<(Store, Vec<SavedPrint>, u64), String> {
        let path = file_in(folder)?;
        let lock = lock_in(folder)?;
        let connection = schema::open(&path, limits)?;
        let said = |why: rusqlite::Error| format!("{}: {why}", path.display());
        let prints = schema::prints(&connection, limits, now).map_err(said)?;
        let last = schema::last_number(&connection).map_err(said)?;
        let shared = Arc::new(Shared {
            notes: Mutex::new(Notes::new()),
            health: Mutex::new(Health::Good),
            wake: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("oe-state".to_owned())
            .spawn(move || writer::run(&writing, connection, limits))
            .map_err(|why| format!("a thread for the state: {why}"))?;
        let store = Store {
            shared,
            writer: Mutex::new(Some(writer)),
            lock: Mutex::new(Some(lock)),
        };
        Ok((store, prints, last))
    }

    /// The print is as said from now on.
    pub(crate) fn print(&self, print: SavedPrint) {
        self.shared.notes.lock().print(print);
    }

    /// The print is over; its history stays.
    pub(crate) fn over(&self, number: u64) {
        self.shared.notes.lock().over(number);
    }

    /// A verdict was given.
    pub(crate) fn verdict(&self, verdict: SavedVerdict) {
        self.shared.notes.lock().verdict(verdict);
    }

    pub(crate) fn health(&self) -> Health {
        self.shared.health.lock().clone()
    }

    /// Writes what is left; what is noted after that is lost.
    pub(crate) fn close(&self) {
        self.shared.notes.lock().ends = true;
        self.shared.wake.notify_all();
        if let Some(writer) = self.writer.lock().take() {
            drop(writer.join());
        }
        drop(self.lock.lock().take());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// The file's path; the folder is readable by its owner alone.
fn file_in(folder: &Path) -> Result<PathBuf, String> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|why| format!("{}: {why}", folder.display()))?;
    Ok(folder.join(FILE))
}

/// The lock of this folder; nobody else has it.
fn lock_in(folder: &Path) -> Result<File, String> {
    let path = folder.join(LOCK);
    let said = |why: std::io::Error| format!("{}: {why}", path.display());
    let file = File::create(&path).map_err(said)?;
    let end = Instant::now() + LOCK_TIME;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(format!("{}: another service uses it", folder.display()));
            }
            // A file system without locks has no second service as a rule either.
            Err(TryLockError::Error(why)) if why.kind() == ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(TryLockError::Error(why)) => return Err(said(why)),
        }
    }
}
