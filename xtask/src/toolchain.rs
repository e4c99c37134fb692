//! A compiler of which the standard library can be built anew, with a sanitizer or for another
//! target: Debian's, with its sources, unpacked into the target folder beside what is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::output;
use crate::generated::root;

/// Debian 12's packages, each with its version: another compiler may find or miss something else.
const PACKAGES: &[(&str, &str)] = &[
    ("rustc-web", RUSTC),
    ("libstd-rust-web-dev", RUSTC),
    ("libstd-rust-web-1.96", RUSTC),
    ("rust-web-src", RUSTC),
    ("libllvm22", "1:22.1.8-1~deb12u1"),
];
const RUSTC: &str = "1.96.0+dfsg1-1~deb12u2";

fn folder() -> PathBuf {
    root().join("target/toolchain").join(RUSTC)
}

/// The compiler, fetched if need be.
pub fn rustc() -> Result<PathBuf, String> {
    let rustc = folder().join("rustc");
    if !rustc.exists() {
        fetch(&folder())?;
    }
    Ok(rustc)
}

/// A file of the compiler's own sources.
pub fn source(path: &str) -> Result<PathBuf, String> {
    let sources = folder().join("unpacked/usr/src");
    let found = files(&sources)?.into_iter().find(|each| each.is_dir());
    found
        .map(|each| each.join(path))
        .ok_or_else(|| format!("{}: no sources", sources.display()))
}

/// `cargo`, set up to build the standard library too. Add `build` and what else it takes.
pub fn cargo() -> Result<Command, String> {
    let mut cargo = Command::new("cargo");
    cargo.env("RUSTC", rustc()?);
    // What builds a standard library is not stable; this opens it.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.current_dir(root());
    Ok(cargo)
}

/// What goes after `cargo build`.
pub const BUILD_STD: &str = "-Zbuild-std=std,panic_unwind";

fn fetch(folder: &Path) -> Result<(), String> {
    println!("fetching rustc {RUSTC} and its sources ...");
    let archives = folder.join("archives");
    fs::create_dir_all(&archives).map_err(|why| format!("{}: {why}", archives.display()))?;
    let pins = PACKAGES
        .iter()
        .map(|(name, version)| format!("{name}={version}"));
    let mut apt = Command::new("apt-get");
    apt.arg("download").args(pins).current_dir(&archives);
    output("apt-get download", "Debian 12, amd64", &mut apt).map_err(|why| {
        format!("{why}\na pinned version may have gone: `apt-cache policy rustc-web` has the new one, xtask/src/toolchain.rs the pins")
    })?;
    let unpacked = folder.join("unpacked");
    for archive in files(&archives)? {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("-x").arg(archive).arg(&unpacked);
        output("dpkg -x", "apt-get install dpkg", &mut dpkg)?;
    }
    fs::remove_dir_all(&archives).map_err(|why| why.to_string())?;
    wrap(folder, &unpacked)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|why| why.to_string())?;
    let paths: Result<Vec<_>, _> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    paths.map_err(|why| why.to_string())
}

/// Written last: where it is, the rest is whole.
fn wrap(folder: &Path, unpacked: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{0}/usr/lib/x86_64-linux-gnu' exec '{0}/usr/bin/rustc' \"$@\"\n",
        unpacked.display()
    );
    let (new, wrapper) = (folder.join("rustc.new"), folder.join("rustc"));
    fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&new, &wrapper))
        .map_err(|why| format!("{}: {why}", wrapper.display()))
}
