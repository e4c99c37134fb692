//! Version
//!
//! OE_VERSION is what a host was compiled against, oe_version() what it runs with. Programs built
//! for an older minor version keep working with a newer library of the same major version.

use std::ffi::c_char;

use crate::{engine, guard, text};

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

fn build_info() -> String {
    let (engine, model) = match engine::model() {
        Some(model) => (", embedded", format!("; model {model}")),
        None => ("", String::new()),
    };
    format!(
        "oe_process {}; target {}; features service{engine}{model}; TLS rustls {} with ring; trust roots \
         webpki-roots {} bundled, system on request",
        env!("CARGO_PKG_VERSION"),
        env!("OE_TARGET"),
        env!("OE_RUSTLS_VERSION"),
        env!("OE_ROOTS_VERSION"),
    )
}

/// The version of the library that is loaded, as a number like OE_VERSION.
///
/// Returns: major << 16 | minor << 8 | patch.
#[unsafe(no_mangle)]
pub extern "C" fn oe_version() -> u32 {
    VERSION
}

/// How the library that is loaded was built, in one line for people and bug reports: version,
/// target, features, the built-in model, TLS provider and trust roots. buf takes up to cap bytes; it may be NULL.
///
/// Returns: the length of the whole text without its NUL; the text was cut if that is >= cap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oe_build_info(buf: *mut c_char, cap: usize) -> usize {
    guard::value(0, || Ok(text::put(&build_info(), buf, cap)))
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
        let info = build_info();
        assert!(!info.contains('\n') && !info.contains("unknown;"), "{info}");
        for part in [
            env!("CARGO_PKG_VERSION"),
            "target ",
            "rustls 0.",
            "ring",
            "webpki-roots 1.",
        ] {
            assert!(info.contains(part), "{info}");
        }
        let embedded = cfg!(feature = "embedded");
        assert_eq!(
            info.contains(", embedded; model oe-vision"),
            embedded,
            "{info}"
        );
    }
}
