//! What a host is given: verdicts, their flags, and the state of a context.

use crate::error::{Due, Status};
use crate::rules::alerts::NewAlerts;
use crate::rules::region::Region;

/// Flags of an [`Outcome`]; the numbers of the C ABI.
pub mod flags {
    /// Tell the user, once per episode.
    pub const WARNING_EDGE: u32 = 1;
    /// Pause the print, once per episode.
    pub const PAUSE_EDGE: u32 = 2;
    /// The verdict came from the fallback URL.
    pub const FALLBACK: u32 = 4;
    /// The same bytes as the last frame with a verdict: a frozen camera.
    pub const REPEATED_FRAME: u32 = 8;
    /// The frame was over the maximum age when the verdict came.
    pub const LATE: u32 = 16;
    /// The answer held no usable interval.
    pub const TIMING_DEFAULTED: u32 = 32;
    /// The embedded engine's verdict.
    pub const EMBEDDED: u32 = 64;
}

/// A verdict as the host gets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// 1 (failed) to 10 (perfect).
    pub print_quality: i32,
    /// 0 (perfect) to 100 (failed); -1 when none that is valid was sent.
    pub score: i32,
    /// As sent.
    pub warning_suggested: bool,
    /// As sent.
    pub pause_suggested: bool,
    /// As sent; false when missing.
    pub faster_inspection_suggested: bool,
    /// Seconds.
    pub minimum_interval_sec: u32,
    /// Seconds.
    pub recommended_interval_sec: u32,
    /// Milliseconds until this context may be called again.
    pub next_due_ms: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// The edges that rose. The flags tell of them too, but not of one that rises again because
    /// its event was not read although its flag was.
    pub new: NewAlerts,
    /// Milliseconds from call to verdict.
    pub latency_ms: u32,
    /// Milliseconds from capture to verdict, time asleep included; from the call on where no capture
    /// time was given.
    pub frame_age_ms: u32,
    /// Where in this picture it looks failed, if one place is known.
    pub place: Option<Region>,
}

/// State of a context, for the host.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Whether the fallback URL is in use.
    pub using_fallback: bool,
    /// Failures in a row.
    pub failures_in_a_row: u32,
    /// The quality of the last verdict; 0 before the first.
    pub last_quality: i32,
    /// Seconds since the context was created at the service.
    pub age_sec: u64,
    /// Process calls that went out, or tried to.
    pub calls: u64,
    /// How the last of them ended.
    pub last_status: Status,
    /// When the next one may start.
    pub due: Due,
}
