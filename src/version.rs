//! Version
//!
//! OE_VERSION is what a host was compiled against, oe_version() what it runs with. Programs built
//! for an older minor version keep working with a newer library of the same major version.

use std::ffi::c_char;

use crate::{guard, text};

/// One number of the version, from Cargo's text.
const fn number(text: &str) -> u32 {
    let digits = text.as_bytes();
    let (mut value, mut i) = (0, 0);
    while i < digits.len() {
        assert!(digits[i].is_ascii_digit());
        value = value * 10 + (digits[i] - b'0') as u32;
        i += 1;
    }
    value
}

const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | number(env!("CARGO_PKG_VERSION_PATCH"));

const BUILD_INFO: &str = concat!(
    "oe_process ",
    env!("CARGO_PKG_VERSION"),
    "; target ",
    env!("OE_TARGET"),
    "; features service; TLS rustls ",
    env!("OE_RUSTLS_VERSION"),
    " with ring; trust roots webpki-roots ",
    env!("OE_ROOTS_VERSION"),
    " bundled, system on request"
);

/// The version of the library that is loaded, as a number like OE_VERSION.
///
/// Returns: major << 16 | minor << 8 | patch.
#[unsafe(no_mangle)]
pub extern "C" fn oe_version() -> u32 {
    VERSION
}

/// How the library that is loaded was built, in one line for people and bug reports: version,
/// target, features, TLS provider and trust roots. buf takes up to cap bytes; it may be NULL.
///
/// Returns: the length of the whole text without its NUL; the text was cut if that is >= cap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_build_info(buf: *mut c_char, cap: usize) -> usize {
    guard::value(0, || Ok(text::put(BUILD_INFO, buf, cap)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_text() {
        assert_eq!(number("0"), 0);
        assert_eq!(number("107"), 107);
    }

    #[test]
    fn build_info_is_one_line_and_complete() {
        assert!(!BUILD_INFO.contains('\n') && !BUILD_INFO.contains("unknown;"));
        for part in [
            env!("CARGO_PKG_VERSION"),
            "target ",
            "rustls 0.",
            "ring",
            "webpki-roots 1.",
        ] {
            assert!(BUILD_INFO.contains(part), "{BUILD_INFO}");
        }
    }
}
