//! Process: one frame, one verdict
//!
//! Act on the edge flags: they rise once per episode of a failing print, and again only after a
//! clear verdict. warning_suggested and pause_suggested are the service's raw word, which may stay
//! 1 for many verdicts in a row. One call sends at most one picture; nothing is ever sent twice.

use oe_core::error::{Error, refuse};
use oe_core::session::Session;
use oe_core::session::outcome::{Outcome, flags};

use crate::abi::{self, Out, versioned};
use crate::context::oe_region;
use crate::handle::oe_context;
use crate::status::oe_status;
use crate::{context, guard};

/// Tell the user now.
pub const OE_RESULT_WARNING_EDGE: u32 = 1;
/// Pause the print now.
pub const OE_RESULT_PAUSE_EDGE: u32 = 2;
/// The verdict came from the service's fallback address.
pub const OE_RESULT_FALLBACK: u32 = 4;
/// The same bytes as the last frame: the camera may be frozen. No edge.
pub const OE_RESULT_REPEATED_FRAME: u32 = 8;
/// The frame was over the maximum age when the verdict came. No edge.
pub const OE_RESULT_LATE: u32 = 16;
/// The answer held no usable interval; a safe one is used.
pub const OE_RESULT_TIMING_DEFAULTED: u32 = 32;
/// The verdict is the embedded engine's.
pub const OE_RESULT_EMBEDDED: u32 = 64;

const _: () = {
    assert!(OE_RESULT_WARNING_EDGE == flags::WARNING_EDGE);
    assert!(OE_RESULT_PAUSE_EDGE == flags::PAUSE_EDGE);
    assert!(OE_RESULT_FALLBACK == flags::FALLBACK);
    assert!(OE_RESULT_REPEATED_FRAME == flags::REPEATED_FRAME);
    assert!(OE_RESULT_LATE == flags::LATE);
    assert!(OE_RESULT_TIMING_DEFAULTED == flags::TIMING_DEFAULTED);
    assert!(OE_RESULT_EMBEDDED == flags::EMBEDDED);
};

/// A verdict.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_result {
    /// Set by OE_RESULT_INIT or oe_result_init().
    pub struct_size: u32,
    /// 1 (failed) to 10 (perfect), to show to people.
    pub print_quality: i32,
    /// 0 (perfect) to 100 (failed); -1: the service sent none that is valid.
    pub score: i32,
    /// 0 or 1, as sent.
    pub warning_suggested: i32,
    /// 0 or 1, as sent.
    pub pause_suggested: i32,
    /// 1: the service would like a shorter interval for a while; followed by itself.
    pub faster_inspection_suggested: i32,
    /// The service's shortest allowed interval.
    pub minimum_interval_sec: u32,
    /// The service's usual interval.
    pub recommended_interval_sec: u32,
    /// Milliseconds until this context may be called again.
    pub next_due_ms: u32,
    /// OE_RESULT_... bits. Ignore bits you do not know.
    pub flags: u32,
    /// Milliseconds from the call to the verdict.
    pub latency_ms: u32,
    /// Milliseconds from the capture, or the call without its time, to the verdict; sleep included.
    pub frame_age_ms: u32,
    /// Where in this picture it looks failed, when the score is 50 or more and it is one place; all 0:
    /// not known. Of the embedded engine, and of services that say so. Since 0.2.0.
    pub place: oe_region,
}

versioned!(oe_result {
    struct_size: u32,
    print_quality: i32,
    score: i32,
    warning_suggested: i32,
    pause_suggested: i32,
    faster_inspection_suggested: i32,
    minimum_interval_sec: u32,
    recommended_interval_sec: u32,
    next_due_ms: u32,
    flags: u32,
    latency_ms: u32,
    frame_age_ms: u32,
    place: oe_region,
});

impl From<Outcome> for oe_result {
    fn from(outcome: Outcome) -> oe_result {
        oe_result {
            struct_size: 0,
            print_quality: outcome.print_quality,
            score: outcome.score,
            warning_suggested: outcome.warning_suggested.into(),
            pause_suggested: outcome.pause_suggested.into(),
            faster_inspection_suggested: outcome.faster_inspection_suggested.into(),
            minimum_interval_sec: outcome.minimum_interval_sec,
            recommended_interval_sec: outcome.recommended_interval_sec,
            next_due_ms: outcome.next_due_ms,
            flags: outcome.flags,
            latency_ms: outcome.latency_ms,
            frame_age_ms: outcome.frame_age_ms,
            place: outcome.place.into(),
        }
    }
}

/// A capture time, if one is given.
///
/// # Errors
/// `Argument` before 1970.
pub(crate) fn captured(unix_ms: i64) -> Result<Option<i64>, Error> {
    match unix_ms {
        0 => Ok(None),
        1.. => Ok(Some(unix_ms)),
        _ => Err(refuse("the capture time is before 1970")),
    }
}

fn process(
    session: &Session,
    (jpeg, len): (*const u8, usize),
    captured_unix_ms: i64,
    out: *mut oe_result,
) -> Result<(), Error> {
    let out = Out::new(out)?;
    let captured = captured(captured_unix_ms)?;
    abi::with_bytes(jpeg, len, |jpeg| {
        guard::refuse_while_logging()?;
        out.write(&session.process(jpeg, captured)?.into());
        Ok(())
    })
}

/// Sends one picture and brings its verdict: len bytes of JPEG, at most 6,291,456, read in place.
/// Call it when due; earlier it returns OE_NOT_DUE and sends nothing.
///
/// Blocks: until answered, at most the timeout; oe_context_cancel() and oe_context_free() end it.
/// Threads: any, one call on a context at a time; not inside the log function.
/// Owns: nothing; jpeg must not change before the call returns. out is written on OE_OK only.
/// Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_BLIND, OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_BUSY,
/// OE_ERR_NOT_JPEG, OE_ERR_IMAGE_TOO_LARGE, OE_ERR_STALE_FRAME, OE_ERR_REENTRANT, or any call
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_process_jpeg(
    context: *mut oe_context,
    jpeg: *const u8,
    len: usize,
    out: *mut oe_result,
) -> oe_status {
    context::on(context, |session| process(session, (jpeg, len), 0, out))
}

/// As oe_process_jpeg(), of a frame whose capture time is known: milliseconds since 1970, UTC. One
/// in the future counts as now; 0 is now, and not late because of its own upload. Old frames are
/// refused or marked late; time asleep counts.
///
/// Blocks: as oe_process_jpeg().
/// Threads: as oe_process_jpeg().
/// Owns: as oe_process_jpeg().
/// Returns: as oe_process_jpeg(); OE_ERR_STALE_FRAME above the maximum age.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_process_jpeg_at(
    context: *mut oe_context,
    jpeg: *const u8,
    len: usize,
    captured_unix_ms: i64,
    out: *mut oe_result,
) -> oe_status {
    context::on(context, |session| {
        process(session, (jpeg, len), captured_unix_ms, out)
    })
}

/// Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_result).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_result_init(out: *mut oe_result, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}
