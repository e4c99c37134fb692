//! Log
//!
//! Silent unless a function is set. Lines hold no key, context id, URL path or text of a server.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use oe_core::error::{Error, refuse};
use oe_core::platform::log::{Level, Log};

use crate::guard;
use crate::handle::{self, oe_options};
use crate::sink::{HostLog, UserData};
use crate::status::oe_status;

/// Something failed and somebody has to act.
pub const OE_LOG_ERROR: i32 = 1;
/// Something failed and will be tried again.
pub const OE_LOG_WARN: i32 = 2;
/// A context began, a verdict arrived.
pub const OE_LOG_INFO: i32 = 3;
/// One line per request.
pub const OE_LOG_DEBUG: i32 = 4;
/// Everything.
pub const OE_LOG_TRACE: i32 = 5;

/// Takes one line, without a line end, that is valid until the function returns. It may run on
/// any thread, one call at a time per set of options, and must not throw, longjmp or fork. When
/// it is slow, a call waits for its own lines only: those of other threads are queued, 1024 at
/// most, and a thread of the library goes on with them; freeing the last handle that logs waits
/// for that, 2 s at most, and lines that take longer are counted in a last one. Inside it
/// oe_process_jpeg(), oe_process_jpeg_at(), oe_context_create(), oe_context_create_with(),
/// oe_context_renew(), oe_context_restore(), oe_context_wait_due(), oe_client_check_key(),
/// oe_client_next_event(), oe_monitor_start(), oe_monitor_start_with(), oe_monitor_start_saved()
/// and oe_monitor_stop() return OE_ERR_REENTRANT.
#[allow(non_camel_case_types, reason = "the name in C")]
pub type oe_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, text: *const c_char)>;

/// Sets the log function for lines up to max_level, OE_LOG_ERROR to OE_LOG_TRACE; 0 is silence.
/// It replaces the one before; a NULL function removes it. free_user_data (may be NULL) runs
/// exactly once on user_data, on any thread, also when this call fails: when the function was
/// replaced or the options are gone, and every client, context and monitor made with it is gone
/// too. The function has ended for good before that.
///
/// Blocks: no, unless it replaces a function that is slow: see oe_log_fn.
/// Owns: takes user_data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_options_set_log(
    options: *mut oe_options,
    max_level: i32,
    function: oe_log_fn,
    user_data: *mut c_void,
    free_user_data: Option<unsafe extern "C" fn(*mut c_void)>,
) -> oe_status {
    // Taken over before anything can fail: whatever happens, it is freed.
    let data = UserData::new(user_data, free_user_data);
    guard::status(move || set_log(options, max_level, function, data))
}

fn set_log(
    options: *mut oe_options,
    max_level: i32,
    function: oe_log_fn,
    data: UserData,
) -> Result<(), Error> {
    let options = handle::get(options)?;
    // A sink at level 0 gets nothing to do, but keeps the data as long as one that does.
    let level = match max_level {
        0 => Level::Error,
        code => Level::from_code(code)
            .ok_or_else(|| refuse("the log level is not within 1 to 5, or 0 for silence"))?,
    };
    let log = match function {
        Some(function) => {
            let world = crate::thread::world();
            let sink = HostLog::new(function, data, max_level, world);
            Log::new(level, Arc::new(sink))
        }
        None => Log::default(),
    };
    // The one before is dropped when the lock is free again: that may call the host.
    let before = {
        let mut options = options.lock();
        let before = options.log().clone();
        options.set_log(log);
        before
    };
    drop(before);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{oe_options_free, oe_options_new};
    use std::sync::atomic::{AtomicUsize, Ordering};

    unsafe extern "C" fn ignore(_: *mut c_void, _: i32, _: *const c_char) {}

    /// Counts in the number of a test of its own, which is what its data is.
    static FREED: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

    unsafe extern "C" fn count(data: *mut c_void) {
        FREED[data.addr()].fetch_add(1, Ordering::SeqCst);
    }

    fn data(test: usize) -> UserData {
        UserData::new(std::ptr::without_provenance_mut(test), Some(count))
    }

    fn freed(test: usize) -> usize {
        FREED[test].load(Ordering::SeqCst)
    }

    #[test]
    fn user_data_is_freed_when_registration_fails() {
        let options = oe_options_new();
        for level in [-1, 6, i32::MAX] {
            let before = freed(0);
            assert!(set_log(options, level, Some(ignore), data(0)).is_err());
            assert_eq!(freed(0), before + 1);
        }
        oe_options_free(options);
        assert!(set_log(options, 3, Some(ignore), data(0)).is_err());
        assert!(set_log(std::ptr::null_mut(), 3, Some(ignore), data(0)).is_err());
        assert_eq!(freed(0), 5);
    }

    #[test]
    fn a_second_function_or_none_replaces_the_first() {
        let options = oe_options_new();
        set_log(options, 0, Some(ignore), data(1)).unwrap();
        assert_eq!(freed(1), 0, "silent, and still registered");
        set_log(options, 5, Some(ignore), data(1)).unwrap();
        assert_eq!(freed(1), 1);
        set_log(options, 5, None, data(1)).unwrap();
        assert_eq!(
            freed(1),
            3,
            "the one before, and what came with no function"
        );
        oe_options_free(options);
        assert_eq!(freed(1), 3);
    }

    #[test]
    fn user_data_lives_as_long_as_anything_that_may_log() {
        let options = oe_options_new();
        set_log(options, 5, Some(ignore), data(2)).unwrap();
        let kept_by_a_client = handle::get(options).unwrap().lock().clone();
        oe_options_free(options);
        oe_options_free(options);
        assert_eq!(freed(2), 0);
        kept_by_a_client.log().error(format_args!("one line"));
        drop(kept_by_a_client);
        assert_eq!(freed(2), 1);
    }
}
