//! The loop before a push: what needs no tool but Rust's own, within two minutes when warm.

use std::process::Command;

use crate::generated::root;
use crate::{errors, header};

/// Each a name and the arguments of `cargo`, the quickest first.
const STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    (
        "lints",
        &[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "core's tests",
        &["test", "--quiet", "--package", "oe-process-core"],
    ),
    (
        "floors",
        &[
            "test",
            "--quiet",
            "--package",
            "oe-process",
            "--test",
            "floors",
        ],
    ),
];

/// Formatting, lints, files made from the sources, the tests of core.
pub fn run() -> Result<(), String> {
    println!("== header and errors");
    header::run(true)?;
    errors::run(true)?;
    for (name, arguments) in STEPS {
        println!("== {name}");
        let mut cargo = Command::new(env!("CARGO"));
        let status = cargo.args(*arguments).current_dir(root()).status();
        let status = status.map_err(|why| format!("cargo: {why}"))?;
        if !status.success() {
            return Err(format!("{name}: cargo {} failed", arguments.join(" ")));
        }
    }
    println!("all well");
    Ok(())
}
