//! Context: one print
//!
//! A context holds the pace of one print at the service, its last verdict and what was already
//! raised. Make one when a print starts, free it when the print ends. It lives 14 days. When the
//! service has lost it (OE_ERR_CONTEXT_LOST), oe_context_renew() continues on the same handle.

use std::ffi::c_char;
use std::sync::Arc;

use oe_core::client::Client;
use oe_core::error::{Error, Status, refuse};
use oe_core::rules::confidence::Confidence;
use oe_core::rules::region::{MAX_REGIONS, Region};
use oe_core::session::Session;
use oe_core::session::outcome::Info;
use oe_core::session::print_options::PrintOptions;

use crate::abi::{self, Out, Place, Plain, versioned};
use crate::handle::{self, Close, Handle, oe_client, oe_context};
use crate::last_error::LastError;
use crate::status::{oe_error, oe_status};
use crate::{guard, text};

impl Handle for oe_context {
    type Object = Session;
    const KIND: usize = 3;
}

impl Close for Session {
    fn close(&self) {
        Session::close(self);
    }
}

/// A call on a context; its error, a panic too, becomes the context's last one.
pub(crate) fn on(
    context: *mut oe_context,
    body: impl FnOnce(&Session) -> Result<(), Error>,
) -> oe_status {
    guard::status(|| {
        let session = handle::get(context)?;
        let result = guard::contain(|| body(&session));
        if let Err(error) = &result {
            session.keep_error(error);
        }
        result
    })
}

/// State of a context.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_info {
    /// Set by OE_INFO_INIT or oe_info_init().
    pub struct_size: u32,
    /// 1 while the service's fallback address is in use, else 0.
    pub using_fallback: i32,
    /// Failures since the last verdict; they lengthen the wait.
    pub failures_in_a_row: u32,
    /// print_quality of the last verdict; 0 before the first.
    pub last_quality: i32,
    /// Seconds since the service created this context.
    pub age_sec: u64,
    /// Process calls that tried to reach the service.
    pub calls: u64,
    /// How the last of them ended.
    pub last_status: oe_status,
    /// As oe_context_due_in_ms().
    pub due_in_ms: u32,
}

versioned!(oe_info {
    struct_size: u32,
    using_fallback: i32,
    failures_in_a_row: u32,
    last_quality: i32,
    age_sec: u64,
    calls: u64,
    last_status: oe_status,
    due_in_ms: u32,
});

impl From<Info> for oe_info {
    fn from(info: Info) -> oe_info {
        oe_info {
            struct_size: 0,
            using_fallback: info.using_fallback.into(),
            failures_in_a_row: info.failures_in_a_row,
            last_quality: info.last_quality,
            age_sec: info.age_sec,
            calls: info.calls,
            last_status: info.last_status.code(),
            due_in_ms: info.due.as_ms(),
        }
    }
}

/// A part of a picture, as it is shown (upright), in thousandths of its width and height.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct oe_region {
    /// From the left edge of the picture to that of the region.
    pub x: u16,
    /// From the top edge of the picture to that of the region.
    pub y: u16,
    /// At least 1; x + width is at most 1000.
    pub width: u16,
    /// At least 1; y + height is at most 1000.
    pub height: u16,
}

const _: () = assert!(size_of::<oe_region>() == 4 * size_of::<u16>());

// Four integers of one size: no padding.
impl Plain for oe_region {}

impl From<Option<Region>> for oe_region {
    fn from(region: Option<Region>) -> oe_region {
        let of = |part: fn(Region) -> u16| region.map_or(0, part);
        oe_region {
            x: of(Region::x),
            y: of(Region::y),
            width: of(Region::width),
            height: of(Region::height),
        }
    }
}

/// A recording is played, see oe_context_create_with(). Only the embedded engine can do that.
pub const OE_PRINT_REPLAY: u32 = 1;

/// What is set for one print. All 0 is the default.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_print_options {
    /// Set by OE_PRINT_OPTIONS_INIT or oe_print_options_init().
    pub struct_size: u32,
    /// As for oe_context_create().
    pub warning_confidence: i32,
    /// As for oe_context_create().
    pub pause_confidence: i32,
    /// As for oe_options_set_interval_sec(); 0: the client's.
    pub interval_sec: u32,
    /// How many of ignore count: 0 to 8.
    pub ignore_count: u32,
    /// OE_PRINT_... bits.
    pub flags: u32,
    /// Parts of the picture that are never judged: a spool, a purge bin, another printer. Together not
    /// all of it. Only the embedded engine can do that.
    pub ignore: [oe_region; 8],
}

versioned!(oe_print_options {
    struct_size: u32,
    warning_confidence: i32,
    pause_confidence: i32,
    interval_sec: u32,
    ignore_count: u32,
    flags: u32,
    ignore: [oe_region; 8],
});

const _: () = assert!(MAX_REGIONS == 8);

/// The options of a print from the host; NULL is the default.
///
/// # Errors
/// `Abi` for an impossible size, one that cuts through the regions that count, and for what this
/// release does not know; `Argument` for a number that is none.
pub(crate) fn print_options(from: *const oe_print_options) -> Result<PrintOptions, Error> {
    if from.is_null() {
        return Ok(PrintOptions::default());
    }
    let (given, size) = abi::read(from)?;
    let count = given.ignore_count as usize;
    let Some(named) = given.ignore.get(..count) else {
        return Err(refuse("ignore_count is above 8"));
    };
    let end = std::mem::offset_of!(oe_print_options, ignore) + size_of_val(named);
    if count > 0 && end > size {
        let text = "struct_size ends before the regions that ignore_count names";
        return Err(Error::with_text(Status::Abi, text));
    }
    if given.flags & !OE_PRINT_REPLAY != 0 {
        return Err(refuse("a flag of the print options is not known"));
    }
    let region = |one: &oe_region| Region::new(one.x, one.y, one.width, one.height);
    let options = PrintOptions {
        warning: Confidence::new(given.warning_confidence)?,
        pause: Confidence::new(given.pause_confidence)?,
        interval_sec: given.interval_sec,
        ignore: named.iter().map(region).collect::<Result<_, _>>()?,
        replay: given.flags & OE_PRINT_REPLAY != 0,
    };
    options.check()?;
    Ok(options)
}

/// As oe_context_create(), with more that is set for this print; NULL options are the default. A
/// struct_size that ends before the regions that ignore_count names, or behind what this release
/// knows with something set there, is OE_ERR_ABI. With OE_PRINT_REPLAY capture times are the clock:
/// due is the last capture plus the interval, oe_context_wait_due() returns at once, no frame is
/// stale or late, and one that was captured before the last is OE_ERR_ARGUMENT.
///
/// Blocks: as oe_context_create().
/// Threads: any; not inside the log function.
/// Owns: as oe_context_create(); copies options.
/// Returns: as oe_context_create(); OE_ERR_ABI; OE_ERR_UNSUPPORTED: regions or replay, and the
/// service backend.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_create_with(
    client: *mut oe_client,
    options: *const oe_print_options,
    out: *mut *mut oe_context,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        let options = print_options(options)?;
        guard::refuse_while_logging()?;
        place.put_handle(client.create_context_with(options)?)
    })
}

/// Makes a context by one Create Context call. Each confidence is 1 (suggests soonest) to 5 (only
/// when most certain); 0 is the service's default. On failure *out is NULL.
///
/// Blocks: until answered, at most the timeout; oe_client_cancel() ends it.
/// Threads: any; not inside the log function.
/// Owns: the caller owns *out and frees it with oe_context_free(); it may outlive client.
/// Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_ARGUMENT, OE_ERR_REENTRANT, or any call
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_create(
    client: *mut oe_client,
    warning_confidence: i32,
    pause_confidence: i32,
    out: *mut *mut oe_context,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        let warning = Confidence::new(warning_confidence)?;
        let pause = Confidence::new(pause_confidence)?;
        guard::refuse_while_logging()?;
        place.put_handle(client.create_context(warning, pause)?)
    })
}

/// Frees a context. What is in flight on it is cancelled and returns OE_CANCELLED within 2 s. NULL
/// and freeing twice do nothing.
///
/// Threads: any; inside the log function it takes effect when the logging call returns.
/// Owns: takes context.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_free(context: *mut oe_context) {
    guard::value((), || {
        handle::free(context);
        Ok(())
    });
}

/// Replaces the service's side of a context by one Create Context call, for OE_ERR_CONTEXT_LOST.
/// Pace, counters and what was already raised are kept. At most 3 in an hour, else OE_NOT_DUE.
///
/// Blocks: until answered, at most the timeout; either cancel ends it.
/// Threads: any, one call on a context at a time; not inside the log function.
/// Returns: OE_OK; OE_NOT_DUE, OE_CANCELLED, OE_ERR_BUSY, OE_ERR_REENTRANT, OE_ERR_UNSUPPORTED
/// (embedded engine), or any call error.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_renew(context: *mut oe_context) -> oe_status {
    on(context, |session| {
        guard::refuse_while_logging()?;
        session.renew()
    })
}

/// Sets *out to the milliseconds until a process call is allowed; 0: now, OE_NEVER: the client is
/// latched or the context lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_due_in_ms(
    context: *mut oe_context,
    out: *mut u32,
) -> oe_status {
    on(context, |session| {
        Place::new(out)?.put(session.due().as_ms());
        Ok(())
    })
}

/// Sleeps until a process call is allowed. While the client is latched or the context lost it
/// returns that status at once: branch on it, or the loop around it spins.
///
/// Blocks: until due; oe_context_cancel() and oe_context_free() end it.
/// Threads: any, one call on a context at a time; not inside the log function.
/// Returns: OE_OK; OE_CANCELLED, OE_ERR_BUSY, OE_ERR_REENTRANT, OE_ERR_CONTEXT_LOST, or the latched
/// account error.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_wait_due(context: *mut oe_context) -> oe_status {
    on(context, |session| {
        guard::refuse_while_logging()?;
        session.wait_due()
    })
}

/// Ends the wait or call in flight on this context: it returns OE_CANCELLED, and the context stays
/// usable. No effect if nothing is in flight; later calls are not affected.
///
/// Blocks: no. The call it ends returns within 2 s.
/// Threads: any; not from a signal handler, which sets a flag instead.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_cancel(context: *mut oe_context) -> oe_status {
    on(context, |session| {
        session.cancel();
        Ok(())
    })
}

/// As oe_options_set_interval_sec(), for this context from now on, the running wait included.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_set_interval_sec(context: *mut oe_context, sec: u32) -> oe_status {
    on(context, |session| session.set_interval_sec(sec))
}

/// Sets how certain it must be before a warning and before a pause, as for oe_context_create(). The
/// embedded engine goes by it from the next verdict on; the service hears of it with the next
/// oe_context_renew(), which this does not cause.
///
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub extern "C" fn oe_context_set_confidence(
    context: *mut oe_context,
    warning_confidence: i32,
    pause_confidence: i32,
) -> oe_status {
    on(context, |session| {
        let warning = Confidence::new(warning_confidence)?;
        let pause = Confidence::new(pause_confidence)?;
        session.set_confidence(warning, pause);
        Ok(())
    })
}

/// Writes a context as text, to continue after a restart of the host: at most 8 KiB with its NUL,
/// opaque, and a secret, but without the key. *needed (may be NULL when buf is not) gets its length
/// without the NUL. buf NULL with cap 0 asks for that only.
///
/// Returns: OE_OK; OE_ERR_BUFFER when cap <= *needed (the text was cut), OE_ERR_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_save(
    context: *mut oe_context,
    buf: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> oe_status {
    on(context, |session| {
        put_saved(&session.save(), buf, cap, needed)
    })
}

/// Puts a saved text into a host's buffer.
pub(crate) fn put_saved(
    saved: &str,
    buf: *mut c_char,
    cap: usize,
    needed: *mut usize,
) -> Result<(), Error> {
    if buf.is_null() && (cap > 0 || needed.is_null()) {
        return Err(refuse("the buffer is NULL"));
    }
    let len = text::put(saved, buf, cap);
    if !needed.is_null() {
        Place::new(needed)?.put(len);
    }
    match len < cap {
        true => Ok(()),
        false => Err(Error::local(Status::Buffer)),
    }
}

/// Makes a context from the text of oe_context_save(). Sends nothing. Restore one text once: two
/// contexts with one identity break the pace. A text that is damaged or from a newer release is
/// OE_ERR_ARGUMENT, over 14 days old OE_ERR_CONTEXT_LOST, made with another endpoint
/// OE_ERR_UNTRUSTED_URL. On failure *out is NULL.
///
/// Threads: any; not inside the log function.
/// Owns: as oe_context_create(); copies saved.
/// Returns: OE_OK; OE_ERR_REENTRANT, the latched account error, or one of those above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_restore(
    client: *mut oe_client,
    saved: *const c_char,
    out: *mut *mut oe_context,
) -> oe_status {
    guard::status(|| {
        abi::clear(out);
        let (client, place) = (handle::get(client)?, Place::new(out)?);
        place.put_handle(text::with(saved, |saved| restore(&client, saved))?)
    })
}

fn restore(client: &Arc<Client>, saved: Option<&str>) -> Result<Arc<Session>, Error> {
    let saved = saved.ok_or_else(|| refuse("the saved text is NULL"))?;
    guard::refuse_while_logging()?;
    client.restore(saved)
}

/// Reads what is known of a context.
///
/// Returns: OE_OK; OE_ERR_ARGUMENT, OE_ERR_ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_info(context: *mut oe_context, out: *mut oe_info) -> oe_status {
    on(context, |session| {
        Out::new(out)?.write(&session.info().into());
        Ok(())
    })
}

/// The last call on this context, by any thread, that ended with a status below 0.
///
/// Returns: OE_OK, also when nothing has failed yet; OE_ERR_ARGUMENT, OE_ERR_ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_context_last_error(
    context: *mut oe_context,
    out: *mut oe_error,
) -> oe_status {
    guard::status(|| {
        let last = handle::get(context)?.last_error();
        let last = last.as_ref().map_or(LastError::NONE, LastError::from);
        Out::new(out)?.write(&last.into());
        Ok(())
    })
}

/// Zeroes size bytes and sets struct_size. Pass sizeof(oe_print_options).
///
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_print_options_init(out: *mut oe_print_options, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}

/// Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_info).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_info_init(out: *mut oe_info, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}
