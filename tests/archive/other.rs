//! Another static library from Rust in the same program, with a standard library of its own.
#![crate_type = "staticlib"]

/// Panics inside and says whether it was caught.
#[unsafe(no_mangle)]
pub extern "C" fn other_catches() -> i32 {
    std::panic::set_hook(Box::new(|_| {}));
    i32::from(std::panic::catch_unwind(|| panic!("on purpose")).is_err())
}
