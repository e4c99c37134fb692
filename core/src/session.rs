//! One print.

use crate::error::{Due, Error, Status};

/// What a process call returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// 1..10
    pub print_quality: i32,
    /// 0..100, -1 = none
    pub score: i32,
    /// as sent
    pub warning_suggested: bool,
    /// as sent
    pub pause_suggested: bool,
    /// as sent
    pub faster_inspection_suggested: bool,
    /// seconds
    pub minimum_interval_sec: u32,
    /// seconds
    pub recommended_interval_sec: u32,
    /// milliseconds
    pub next_due_ms: u32,
    /// OE_RESULT_ bits
    pub flags: u32,
    /// milliseconds
    pub latency_ms: u32,
    /// milliseconds, 0 = capture time not given
    pub frame_age_ms: u32,
}

/// What is known of a context.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Whether the fallback URL is in use.
    pub using_fallback: bool,
    /// Failures in a row.
    pub failures_in_a_row: u32,
    /// 0 before the first verdict.
    pub last_quality: i32,
    /// Seconds since creation.
    pub age_sec: u64,
    /// Process calls that went out.
    pub calls: u64,
    /// The status of the last call that ended.
    pub last_status: Status,
    /// When the next call is due.
    pub due: Due,
}

/// One print.
pub struct Session {}

impl Session {
    /// One upload, one verdict.
    ///
    /// # Errors
    /// Every status of the outcome table.
    pub fn process(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<Outcome, Error> { let _ = (jpeg, captured_unix_ms); todo!() }
    /// When it may be called again.
    pub fn due(&self) -> Due { todo!() }
    /// Sleeps until due.
    ///
    /// # Errors
    /// `Busy`, `Cancelled`, the latch, `ContextLost`.
    pub fn wait_due(&self) -> Result<(), Error> { todo!() }
    /// Ends the call or wait in flight.
    pub fn cancel(&self) { todo!() }
    /// Seconds, 0 = follow the service.
    ///
    /// # Errors
    /// `Argument`.
    pub fn set_interval_sec(&self, sec: u32) -> Result<(), Error> { let _ = sec; todo!() }
    /// New URLs on this handle.
    ///
    /// # Errors
    /// Every status of a create, and `NotDue` above 3 an hour.
    pub fn renew(&self) -> Result<(), Error> { todo!() }
    /// The saved text; a secret.
    pub fn save(&self) -> String { todo!() }
    /// What is known.
    pub fn info(&self) -> Info { todo!() }
    /// The last failed call of this context.
    pub fn last_error(&self) -> Option<Error> { todo!() }
    /// Cancels for good: the handle was freed. Later calls return `Cancelled`.
    pub fn close(&self) { todo!() }
}
