//! Plumbing: the last error of each thread, as the plain bytes that C is given.

use std::cell::Cell;
use std::ffi::c_char;

use oe_core::error::Error;

use crate::text;

/// An error, copied out. Plain bytes: nothing to run when a thread ends.
#[derive(Clone, Copy)]
pub(crate) struct LastError {
    pub(crate) status: i32,
    pub(crate) http_status: i32,
    /// Milliseconds.
    pub(crate) retry_after_ms: u32,
    pub(crate) error_type: [c_char; 64],
    pub(crate) text: [c_char; 256],
}

impl LastError {
    /// Nothing has failed yet.
    pub(crate) const NONE: LastError = LastError {
        status: 0,
        http_status: 0,
        retry_after_ms: 0,
        error_type: [0; 64],
        text: [0; 256],
    };
}

impl From<&Error> for LastError {
    fn from(error: &Error) -> LastError {
        LastError {
            status: error.status.code(),
            http_status: error.http_status.into(),
            retry_after_ms: error.retry_after.as_ms(),
            error_type: text::array(error.error_type.map_or("", |kind| kind.word())),
            text: text::array(&error.text),
        }
    }
}

thread_local! {
    static LAST: Cell<LastError> = const { Cell::new(LastError::NONE) };
}

/// Keeps an error as this thread's last one. Statuses above 0 are none.
pub(crate) fn record(error: &Error) {
    if error.status.is_error() {
        LAST.set(error.into());
    }
}

/// This thread's last error.
pub(crate) fn recorded() -> LastError {
    LAST.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oe_core::error::{Due, ErrorType, Status};
    use std::ffi::CStr;

    fn read(text: *const c_char) -> &'static str {
        // SAFETY: the array was filled with a C string, and the test leaks nothing it reads.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap()
    }

    #[test]
    fn an_error_is_kept_whole() {
        let error = Error {
            status: Status::FreeLimit,
            http_status: 403,
            error_type: Some(ErrorType::FreeLimit),
            retry_after: Due::Never,
            text: "€".repeat(200),
            source: None,
        };
        record(&error);
        let last = recorded();
        assert_eq!(
            (last.status, last.http_status, last.retry_after_ms),
            (-74, 403, u32::MAX)
        );
        assert_eq!(
            read(last.error_type.as_ptr()),
            "OE_FREE_USAGE_LIMIT_REACHED"
        );
        assert_eq!(read(last.text.as_ptr()), "€".repeat(85));
    }
}
