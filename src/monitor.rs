//! Monitor: the process loop, pulled
//!
//! A monitor watches one print: submit frames when you have them, read what happened from its
//! client when you like. It makes and renews the context, sends a frame when one is due, and
//! nothing ever calls into the host. All monitors of a client share its worker threads and one queue
//! of events, which holds at most one unread event of each kind per monitor: a newer one takes the
//! place of the older. RESULT comes before WARNING before PAUSE of one verdict.

use std::ffi::c_char;
use std::time::Duration;

use oe_core::error::{Due, Error, Status, refuse};
use oe_core::monitor::{Event, Kind, Monitor};
use oe_core::rules::confidence::Confidence;

use crate::abi::{self, Out, Place, versioned};
use crate::context::{oe_info, oe_print_options, print_options, put_saved};
use crate::handle::{self, Close, Handle, oe_client, oe_monitor};
use crate::last_error::LastError;
use crate::process::{captured, oe_result};
use crate::status::{oe_error, oe_status};
use crate::{guard, text};

impl Handle for oe_monitor {
    type Object = Monitor;
    const KIND: usize = 4;
}

impl Close for Monitor {
    fn close(&self) {
        self.stop();
    }
}

/// Submit a frame: one is due in 2 s. Again every 10 s until one comes.
pub const OE_EVENT_FRAME_WANTED: i32 = 1;
/// A verdict, in result.
pub const OE_EVENT_RESULT: i32 = 2;
/// Tell the user, once per episode; with result.
pub const OE_EVENT_WARNING: i32 = 3;
/// Pause the print, once per episode; with result.
pub const OE_EVENT_PAUSE: i32 = 4;
/// An attempt failed, as error says; it is made again in time.
pub const OE_EVENT_ERROR: i32 = 5;
/// The first verdict after errors.
pub const OE_EVENT_RECOVERED: i32 = 6;
/// 60 s without a frame of use, or the same bytes three times; status says why.
pub const OE_EVENT_CAMERA_STALLED: i32 = 7;
/// Frames come, change or are of use again.
pub const OE_EVENT_CAMERA_BACK: i32 = 8;
/// A new context took the place of a lost one, or of one with other confidences.
pub const OE_EVENT_CONTEXT_RENEWED: i32 = 9;
/// An account error stops the client, see section 4; with error.
pub const OE_EVENT_LATCHED: i32 = 10;
/// The library gave up on this monitor; with error. Free it.
pub const OE_EVENT_STOPPED: i32 = 11;

const _: () = {
    assert!(OE_EVENT_FRAME_WANTED == Kind::FrameWanted as i32);
    assert!(OE_EVENT_RESULT == Kind::Result as i32);
    assert!(OE_EVENT_WARNING == Kind::Warning as i32);
    assert!(OE_EVENT_PAUSE == Kind::Pause as i32);
    assert!(OE_EVENT_ERROR == Kind::Error as i32);
    assert!(OE_EVENT_RECOVERED == Kind::Recovered as i32);
    assert!(OE_EVENT_CAMERA_STALLED == Kind::CameraStalled as i32);
    assert!(OE_EVENT_CAMERA_BACK == Kind::CameraBack as i32);
    assert!(OE_EVENT_CONTEXT_RENEWED == Kind::ContextRenewed as i32);
    assert!(OE_EVENT_LATCHED == Kind::Latched as i32);
    assert!(OE_EVENT_STOPPED == Kind::Stopped as i32);
};

/// One event of a monitor.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_event {
    /// Set by OE_EVENT_INIT or oe_event_init().
    pub struct_size: u32,
    /// OE_EVENT_... Ignore one you do not know.
    pub kind: i32,
    /// The monitor's, from its start.
    pub tag: u64,
    /// Of ERROR, LATCHED, STOPPED. Of CAMERA_STALLED: OE_NO_EVENT none came, OE_OK the same bytes,
    /// OE_BLIND nothing to see, or why frames were refused. Else OE_OK.
    pub status: oe_status,
    /// Milliseconds since it was queued: do not pause on an old one.
    pub age_ms: u32,
}

versioned!(oe_event {
    struct_size: u32,
    kind: i32,
    tag: u64,
    status: oe_status,
    age_ms: u32,
});

impl From<&Event> for oe_event {
    fn from(event: &Event) -> oe_event {
        oe_event {
            struct_size: 0,
            kind: event.kind as i32,
            tag: event.tag,
            status: event.status.code(),
            age_ms: Due::In(event.age).as_ms(),
        }
    }
}

/// A call on a monitor.
fn on(monitor: *mut oe_monitor, body: impl FnOnce(&Monitor) -> Result<(), Error>) -> oe_status {
    guard::status(|| body(&*handle::get(monitor)?))
}

/// Starts monitoring a print. Its events, read with oe_client_next_event(), carry tag.
/// Confidences as for oe_context_create(). Makes no request itself; the first calls of monitors
/// started together are spread over up to 20 s. On failure *out is NULL.
///
/// Threads: any; not inside the log function.
/// Owns: the caller owns *out and frees it with oe_monitor_free().
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_REENTRANT, OE_ERR_RESOURCES, or the latched account
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_start(
    client: *mut oe_client,
    warning_confidence: i32,
    pause_confidence: i32,
    tag: u64,
    out: *mut *mut oe_monitor,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        let warning = Confidence::new(warning_confidence)?;
        let pause = Confidence::new(pause_confidence)?;
        guard::refuse_while_logging()?;
        place.put_handle(client.start_monitor(warning, pause, tag)?)
    })
}

/// Stops a monitor as oe_monitor_stop() does, and frees it. NULL and freeing twice do nothing.
///
/// Blocks: until its call in flight has ended, less than 2 s.
/// Threads: any; inside the log function it takes effect when the logging call returns.
/// Owns: takes monitor.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_free(monitor: *mut oe_monitor) {
    guard::value((), || {
        handle::free(monitor);
        Ok(())
    });
}

/// The print has ended: a verdict in flight is dropped, unread events of this monitor are removed,
/// and no more come. Everything but stop and free is OE_ERR_CLOSED from then on.
///
/// Blocks: until its call in flight has ended, less than 2 s.
/// Threads: any; not inside the log function.
/// Owns: nothing; the monitor still has to be freed.
/// Returns: OE_OK, also the second time; OE_ERR_REENTRANT.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_stop(monitor: *mut oe_monitor) -> oe_status {
    on(monitor, |monitor| {
        guard::refuse_while_logging()?;
        monitor.stop();
        Ok(())
    })
}

/// The print is paused: nothing is sent, the context is kept. Removes unread WARNING, PAUSE and
/// FRAME_WANTED; the first two come again after the resume if it still fails, though not their flag
/// in a RESULT that was read. A verdict in flight still comes, without edges.
///
/// Returns: OE_OK; OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_pause(monitor: *mut oe_monitor) -> oe_status {
    on(monitor, Monitor::pause)
}

/// The print goes on. Frames captured before this call are discarded.
///
/// Returns: OE_OK, also when it was not paused; OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_resume(monitor: *mut oe_monitor) -> oe_status {
    on(monitor, Monitor::resume)
}

/// With 1, "this is no failure": no WARNING, PAUSE or edge flags for the rest of this print, and
/// unread ones and FRAME_WANTED are removed. Verdicts still come. 0 ends that, as a resume does.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_mute(monitor: *mut oe_monitor, muted: i32) -> oe_status {
    on(monitor, |monitor| match muted {
        0 | 1 => monitor.mute(muted == 1),
        _ => Err(refuse("muted is neither 0 nor 1")),
    })
}

/// As oe_options_set_interval_sec(), for this monitor from now on, the running wait included.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_set_interval_sec(monitor: *mut oe_monitor, sec: u32) -> oe_status {
    on(monitor, |monitor| monitor.set_interval_sec(sec))
}

/// As oe_context_set_confidence(). The service hears of it when the pace of renewals allows a new
/// context, which the monitor makes for it.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_CLOSED.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub extern "C" fn oe_monitor_set_confidence(
    monitor: *mut oe_monitor,
    warning_confidence: i32,
    pause_confidence: i32,
) -> oe_status {
    on(monitor, |monitor| {
        let warning = Confidence::new(warning_confidence)?;
        let pause = Confidence::new(pause_confidence)?;
        monitor.set_confidence(warning, pause)
    })
}

/// Hands in a frame of len bytes, at most 6,291,456; the newest wins and is sent when due. The time
/// of capture is as for oe_process_jpeg_at(). Any time will do, best is after FRAME_WANTED. While
/// the print is paused a frame is dropped, which is OE_OK.
///
/// Owns: copies jpeg.
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_NOT_JPEG, OE_ERR_IMAGE_TOO_LARGE, OE_ERR_STALE_FRAME,
/// OE_ERR_CLOSED, OE_ERR_IMAGE_REJECTED (the same bytes were refused before), OE_ERR_RESOURCES,
/// or the latched account error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_submit(
    monitor: *mut oe_monitor,
    jpeg: *const u8,
    len: usize,
    captured_unix_ms: i64,
) -> oe_status {
    on(monitor, |monitor| {
        let captured = captured(captured_unix_ms)?;
        if len == 0 {
            // What a broken camera gives, and the monitor keeps count of that.
            return monitor.submit(&[], captured);
        }
        abi::with_bytes(jpeg, len, |jpeg| monitor.submit(jpeg, captured))
    })
}

/// Reads the state of the print. Before there is a context, due_in_ms is that of its create.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_info(monitor: *mut oe_monitor, out: *mut oe_info) -> oe_status {
    on(monitor, |monitor| {
        let out = Out::new(out)?;
        out.write(&monitor.info()?.into());
        Ok(())
    })
}

/// As oe_context_save(), for oe_monitor_start_saved(): call it after each RESULT and ERROR. An edge
/// whose event is unread is saved as not raised; that the print is paused is not saved.
///
/// Returns: OE_OK; OE_ERR_BUFFER when cap <= *needed, OE_ERR_ARGUMENT, OE_ERR_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_save(
    monitor: *mut oe_monitor,
    buf: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> oe_status {
    on(monitor, |monitor| {
        put_saved(&monitor.save()?, buf, cap, needed)
    })
}

/// As oe_monitor_start(), with more that is set for this print, as for oe_context_create_with().
///
/// Threads: any; not inside the log function.
/// Owns: as oe_monitor_start(); copies options.
/// Returns: as oe_monitor_start(); OE_ERR_ARGUMENT for OE_PRINT_REPLAY too, OE_ERR_ABI,
/// OE_ERR_UNSUPPORTED: regions, and the service backend.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_start_with(
    client: *mut oe_client,
    options: *const oe_print_options,
    tag: u64,
    out: *mut *mut oe_monitor,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        let options = print_options(options)?;
        guard::refuse_while_logging()?;
        place.put_handle(client.start_monitor_with(options, tag)?)
    })
}

/// Goes on watching from the text of oe_monitor_save(), or of oe_context_save(), as
/// oe_context_restore() does.
///
/// Threads: any; not inside the log function.
/// Owns: as oe_monitor_start(); copies saved.
/// Returns: as oe_context_restore(); OE_ERR_RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_monitor_start_saved(
    client: *mut oe_client,
    saved: *const c_char,
    tag: u64,
    out: *mut *mut oe_monitor,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        place.put_handle(text::with(saved, |saved| {
            let saved = saved.ok_or_else(|| refuse("the saved text is NULL"))?;
            guard::refuse_while_logging()?;
            client.start_saved_monitor(saved, tag)
        })?)
    })
}

/// Takes the oldest unread event of any monitor of this client, waiting for it up to timeout_ms:
/// 0 does not wait, OE_NEVER waits for ever. result is filled for RESULT, WARNING and PAUSE,
/// error for ERROR, LATCHED and STOPPED; either may be NULL. Several threads may wait; each event
/// goes to one.
///
/// Blocks: up to timeout_ms; oe_client_cancel() and oe_client_free() end it.
/// Threads: any; not inside the log function.
/// Owns: nothing; out, result and error are written on OE_OK only.
/// Returns: OE_OK; OE_NO_EVENT, OE_CANCELLED, OE_ERR_ARGUMENT, OE_ERR_ABI, OE_ERR_REENTRANT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_client_next_event(
    client: *mut oe_client,
    timeout_ms: u32,
    out: *mut oe_event,
    result: *mut oe_result,
    error: *mut oe_error,
) -> oe_status {
    guard::status(|| {
        let client = handle::get(client)?;
        let places = (
            Out::new(out)?,
            Out::optional(result)?,
            Out::optional(error)?,
        );
        guard::refuse_while_logging()?;
        let wait = (timeout_ms != u32::MAX).then(|| Duration::from_millis(timeout_ms.into()));
        let event = client.next_event(wait)?;
        put(&event.ok_or_else(|| Error::local(Status::NoEvent))?, places);
        Ok(())
    })
}

type Places = (Out<oe_event>, Option<Out<oe_result>>, Option<Out<oe_error>>);

fn put(event: &Event, (out, result, error): Places) {
    out.write(&event.into());
    if let (Some(place), Some(outcome)) = (result, event.outcome) {
        place.write(&outcome.into());
    }
    if let (Some(place), Some(failure)) = (error, &event.error) {
        place.write(&LastError::from(failure).into());
    }
}

/// A descriptor for poll, epoll, select and event loops: readable while there are unread events.
/// Windows: a manual-reset event's HANDLE, for WaitForMultipleObjects and its kind.
/// The library's: never read, reset or close it. It lasts until oe_client_free().
///
/// Returns: the descriptor; -1 where there is none, or out of descriptors.
#[unsafe(no_mangle)]
pub extern "C" fn oe_client_event_fd(client: *mut oe_client) -> isize {
    guard::value(-1, || Ok(handle::get(client)?.event_fd()))
}

/// Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_event).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_event_init(out: *mut oe_event, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}
