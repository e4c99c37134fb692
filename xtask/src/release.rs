//! What must be true before a version is given away.

use std::process::Command;

use crate::command::output;
use crate::generated::{read, root};
use crate::{abi, errors, header, notices};

/// Where the version stands, and what is before it there.
const PLACES: &[(&str, &str)] = &[
    ("CHANGELOG.md", "\n## ["),
    ("python/pyproject.toml", "\nversion = \""),
    ("node/package.json", "\"version\": \""),
    ("server/packaging/oe-process-server.8", "\"oe-process "),
];

/// Where the project's address stands.
const ADDRESSES: &[&str] = &[
    "Cargo.toml",
    "python/pyproject.toml",
    "node/package.json",
    "SECURITY.md",
    "CONTRIBUTING.md",
];
/// Stands for it until the owner has set it: a name that leads nowhere for certain.
const PLACEHOLDER: &str = "https://example.invalid/";

/// One version everywhere, the generated files current, the binary interface as it was, nothing
/// uncommitted. The .pc and CMake files and the packages take theirs from Cargo.toml when they are
/// made.
pub fn check() -> Result<(), String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut wrong = Vec::new();
    for (path, before) in PLACES {
        let text = read(path)?;
        let found = text.split_once(before).map_or("none", |(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            &rest[..end.unwrap_or(rest.len())]
        });
        if found != version {
            wrong.push(format!("{path} says {found}, Cargo.toml {version}"));
        }
    }
    let header = read("include/oe_process.h")?;
    for (name, number) in ["MAJOR", "MINOR", "PATCH"].iter().zip(version.split('.')) {
        if !header.contains(&format!("#define OE_VERSION_{name} {number}\n")) {
            wrong.push(format!(
                "include/oe_process.h: OE_VERSION_{name} is not {number}"
            ));
        }
    }
    if read("CHANGELOG.md")?.contains(&format!("## [{version}] - unreleased")) {
        println!("CHANGELOG.md: {version} is still called unreleased");
    }
    for path in ADDRESSES {
        if read(path)?.contains(PLACEHOLDER) {
            println!("{path} still has {PLACEHOLDER}, which is the owner's to replace");
        }
    }
    let mut git = Command::new("git");
    let status = output(
        "git status",
        "git",
        git.args(["status", "--porcelain"]).current_dir(root()),
    )?;
    if !status.is_empty() {
        wrong.push(format!("not committed:\n{status}"));
    }
    for (name, done) in [
        ("header", header::run(true)),
        ("errors", errors::run(true)),
        ("notices", notices::run(true)),
        ("abi", abi::run(true)),
    ] {
        if let Err(why) = done {
            wrong.push(format!("{name}: {why}"));
        }
    }
    match wrong.is_empty() {
        true => {
            println!("{version} may be released");
            Ok(())
        }
        false => Err(wrong.join("\n")),
    }
}
