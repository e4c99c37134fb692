//! Status
//!
//! Every call that can fail returns an oe_status. 0 is success. Above 0 nothing is wrong, there is
//! just no verdict. Below 0 something is, and the group says who has to act. Numbers are never
//! reused; treat one you do not know by its sign.

use std::ffi::c_char;

use oe_core::error::{self, TABLE};

use crate::abi::{self, Out, versioned};
use crate::guard;
use crate::last_error::{self, LastError};
use crate::text::Static;

/// How a call ended: one of the constants above, or one of a later release.
#[allow(non_camel_case_types, reason = "the name in C")]
pub type oe_status = i32;

/// Details of the last error. Only statuses below 0 are kept here.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct oe_error {
    /// Set by OE_ERROR_INIT or oe_error_init().
    pub struct_size: u32,
    /// OE_OK when nothing has failed yet.
    pub status: oe_status,
    /// The HTTP status of the answer; 0: no answer was read.
    pub http_status: i32,
    /// Milliseconds from the failure until the next call is allowed; OE_NEVER: not before someone acts.
    pub retry_after_ms: u32,
    /// The service's own word for the reason if it is a known one, else "".
    pub error_type: [c_char; 64],
    /// For people and logs. Holds no key, context id, URL path or raw text of a server.
    pub text: [c_char; 256],
}

versioned!(oe_error {
    struct_size: u32,
    status: oe_status,
    http_status: i32,
    retry_after_ms: u32,
    error_type: [c_char; 64],
    text: [c_char; 256],
});

impl From<LastError> for oe_error {
    fn from(last: LastError) -> oe_error {
        oe_error {
            struct_size: 0,
            status: last.status,
            http_status: last.http_status,
            retry_after_ms: last.retry_after_ms,
            error_type: last.error_type,
            text: last.text,
        }
    }
}

const COUNT: usize = TABLE.len();
/// No status of the table has this name or text.
static UNKNOWN_NAME: Static<40> = Static::new("OE_STATUS_UNKNOWN");
static UNKNOWN_TEXT: Static<128> =
    Static::new("A status that this release of the library does not know.");

/// The names and texts of the table, for C. The last of each is for numbers that are not in it.
static NAMES: [Static<40>; COUNT + 1] = {
    let mut names = [UNKNOWN_NAME; COUNT + 1];
    let mut i = 0;
    while i < COUNT {
        names[i] = Static::new(TABLE[i].name);
        i += 1;
    }
    names
};
static TEXTS: [Static<128>; COUNT + 1] = {
    let mut texts = [UNKNOWN_TEXT; COUNT + 1];
    let mut i = 0;
    while i < COUNT {
        texts[i] = Static::new(TABLE[i].text);
        i += 1;
    }
    texts
};
static QUALITIES: [Static<40>; 11] = {
    let mut texts = [Static::new(error::quality_text(0)); 11];
    let mut i = 1;
    while i < texts.len() {
        texts[i] = Static::new(error::quality_text(i as i32));
        i += 1;
    }
    texts
};

fn index_of(status: oe_status) -> usize {
    let found = TABLE.iter().position(|row| row.status.code() == status);
    found.unwrap_or(COUNT)
}

/// The name of a status, "OE_ERR_TIMEOUT" for example. Any number gets an answer.
///
/// Owns: nothing; the text is static.
/// Returns: a text, never NULL; "OE_STATUS_UNKNOWN" for a number that is no status.
#[unsafe(no_mangle)]
pub extern "C" fn oe_status_name(status: oe_status) -> *const c_char {
    guard::value(UNKNOWN_NAME.as_ptr(), || {
        Ok(NAMES[index_of(status)].as_ptr())
    })
}

/// One sentence for people on what a status means. Any number gets an answer.
///
/// Owns: nothing; the text is static.
/// Returns: a text, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn oe_status_text(status: oe_status) -> *const c_char {
    guard::value(UNKNOWN_TEXT.as_ptr(), || {
        Ok(TEXTS[index_of(status)].as_ptr())
    })
}

/// Tells if a loop that takes a new frame each time should go on: nobody has to change anything,
/// and a later call with another frame, at its own time, may bring a verdict. It does not say
/// that the same bytes may be sent again. These are: OE_NOT_DUE, OE_ERR_BUSY, OE_ERR_STALE_FRAME,
/// OE_ERR_DNS to OE_ERR_PROXY, OE_ERR_TLS, OE_ERR_CLOCK, OE_ERR_RATE_LIMITED to OE_ERR_PROTOCOL,
/// OE_ERR_IMAGE_REJECTED, OE_ERR_AUTH_UNCONFIRMED, OE_ERR_RESOURCES.
///
/// Returns: 1 for these; else 0, also for OE_OK and for a number that is no status.
#[unsafe(no_mangle)]
pub extern "C" fn oe_status_is_retryable(status: oe_status) -> i32 {
    guard::value(0, || {
        Ok(error::row_of(status).map_or(0, |row| row.retryable.into()))
    })
}

/// The service's words for a print_quality: 1 "print failure" to 10 "perfect".
///
/// Owns: nothing; the text is static.
/// Returns: a text, never NULL; "unknown" outside 1 to 10.
#[unsafe(no_mangle)]
pub extern "C" fn oe_quality_text(print_quality: i32) -> *const c_char {
    guard::value(QUALITIES[0].as_ptr(), || {
        let index = usize::try_from(print_quality).unwrap_or(0);
        Ok(QUALITIES.get(index).unwrap_or(&QUALITIES[0]).as_ptr())
    })
}

/// The last call of the calling thread that ended with a status below 0. A success in between
/// does not clear it, and asking does not change it.
///
/// Threads: any; each has its own record.
/// Returns: OE_OK, also when nothing has failed yet; OE_ERR_ARGUMENT, OE_ERR_ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_last_error(out: *mut oe_error) -> oe_status {
    guard::unrecorded(|| {
        Out::new(out)?.write(&last_error::recorded().into());
        Ok(())
    })
}

/// Prepares *out for a call: zeroes size bytes and sets struct_size. Pass sizeof(oe_error).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_error_init(out: *mut oe_error, size: usize) {
    guard::value((), || {
        abi::init(out, size);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn read(text: *const c_char) -> &'static str {
        // SAFETY: these functions return static C strings.
        unsafe { CStr::from_ptr(text) }.to_str().unwrap()
    }

    #[test]
    fn every_row_of_the_table_is_served() {
        for row in TABLE {
            let code = row.status.code();
            assert_eq!(read(oe_status_name(code)), row.name);
            assert_eq!(read(oe_status_text(code)), row.text);
            assert_eq!(oe_status_is_retryable(code), i32::from(row.retryable));
        }
        for code in [i32::MIN, -93, -13, 5, i32::MAX] {
            assert_eq!(read(oe_status_name(code)), "OE_STATUS_UNKNOWN");
            assert!(!read(oe_status_text(code)).is_empty());
            assert_eq!(oe_status_is_retryable(code), 0);
        }
    }

    #[test]
    fn every_quality_has_its_text() {
        for quality in [i32::MIN, -1, 0, 11, i32::MAX] {
            assert_eq!(read(oe_quality_text(quality)), "unknown");
        }
        for quality in 1..=10 {
            assert_eq!(read(oe_quality_text(quality)), error::quality_text(quality));
        }
    }
}
