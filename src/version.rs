//! Version
//!
//! OE_VERSION is what a host was compiled against, oe_version() what it runs with. Programs built
//! for an older minor version keep working with a newer library of the same major version.

use std::ffi::c_char;

use crate::text::Static;
use crate::{engine, guard, text};

/// The engine that looks at the pictures inside this library: OE_BACKEND_EMBEDDED.
pub const OE_FEATURE_EMBEDDED: i32 = 1;
/// Endpoints with https.
pub const OE_FEATURE_TLS: i32 = 2;
/// oe_client_event_fd().
pub const OE_FEATURE_EVENT_FD: i32 = 3;
/// Monitors.
pub const OE_FEATURE_MONITOR: i32 = 4;

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

/// Whether the embedded engine is part of this build.
const HAS_EMBEDDED: bool = cfg!(feature = "embedded");

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

static VERSION_STRING: Static<16> = Static::new(env!("CARGO_PKG_VERSION"));

/// The same as text, as OE_VERSION_STRING.
///
/// Owns: nothing; the text is static.
/// Returns: a text, never NULL.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub extern "C" fn oe_version_string() -> *const c_char {
    VERSION_STRING.as_ptr()
}

/// Tells if the library that is loaded has one of OE_FEATURE_..., without trying it.
///
/// Returns: 1 if it has; else 0, also for a number that is no feature.
/// Since: 0.2.0.
#[unsafe(no_mangle)]
pub extern "C" fn oe_has(feature: i32) -> i32 {
    guard::value(0, || {
        Ok(match feature {
            OE_FEATURE_EMBEDDED => HAS_EMBEDDED.into(),
            OE_FEATURE_EVENT_FD => cfg!(any(unix, windows)).into(),
            OE_FEATURE_TLS | OE_FEATURE_MONITOR => 1,
            _ => 0,
        })
    })
}

/// How the library that is loaded was built, in one line for people and bug reports: version,
/// target, features, the built-in model, TLS provider and trust roots; under 200 bytes. buf takes
/// up to cap bytes; it may be NULL.
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
    fn features_are_those_of_the_build() {
        assert_eq!(oe_has(OE_FEATURE_EMBEDDED) == 1, HAS_EMBEDDED);
        assert_eq!(oe_has(OE_FEATURE_TLS), 1);
        assert_eq!(oe_has(OE_FEATURE_MONITOR), 1);
        for unknown in [i32::MIN, -1, 0, 5, i32::MAX] {
            assert_eq!(oe_has(unknown), 0, "{unknown}");
        }
    }

    #[test]
    fn build_info_is_one_line_and_complete() {
        let info = build_info();
        assert!(!info.contains('\n') && !info.contains("unknown;"), "{info}");
        // What programs of 0.1.0 have room for, with the longest name of a target that there is.
        let longest = "armv7-unknown-linux-musleabihf".len();
        let spare = longest.saturating_sub(env!("OE_TARGET").len());
        assert!(info.len() + spare < 200, "{}: {info}", info.len());
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
