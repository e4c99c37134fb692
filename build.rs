//! Names the shared library, and tells the code what it was built for and from.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // 0.y.z: hosts link against the major number, which changes when the ABI breaks.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,liboe_process.so.0");
        // Unloading code that a thread is still running ends the process: dlclose keeps it mapped.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    if env::var("TARGET").is_ok_and(|target| target.ends_with("windows-gnu")) {
        // The time of the build would make each one different.
        println!("cargo:rustc-cdylib-link-arg=-Wl,--no-insert-timestamp");
    }
    set("OE_TARGET", env::var("TARGET").ok());
    let lock = env::var("CARGO_MANIFEST_DIR")
        .ok()
        .and_then(|root| fs::read_to_string(Path::new(&root).join("Cargo.lock")).ok())
        .unwrap_or_default();
    set("OE_RUSTLS_VERSION", locked(&lock, "rustls"));
    set("OE_ROOTS_VERSION", locked(&lock, "webpki-roots"));
}

fn set(name: &str, value: Option<String>) {
    println!(
        "cargo:rustc-env={name}={}",
        value.unwrap_or_else(|| "unknown".to_owned())
    );
}

/// The version of a package in the lock file.
fn locked(lock: &str, package: &str) -> Option<String> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version.to_owned())
}
