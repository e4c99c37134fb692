//! The tests that try many orders of what threads do: built with shuttle's locks in place of the
//! real ones, into a target folder of their own.

use std::process::Command;

use crate::generated::root;

/// Runs them with `count` schedules for each test.
pub fn run(count: &str) -> Result<(), String> {
    cargo(
        count,
        &["--package", "oe-process-core", "--test", "schedules"],
    )?;
    cargo(count, &["--package", "oe-process", "--lib", "schedules"])
}

fn cargo(count: &str, arguments: &[&str]) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet", "--locked"]).args(arguments);
    cargo.env("RUSTFLAGS", "--cfg oe_schedules");
    cargo.env("CARGO_TARGET_DIR", root().join("target/schedules"));
    cargo.env("OE_SCHEDULES", count).current_dir(root());
    // A failure prints the schedule, with which `shuttle::replay` repeats it.
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo test: {status}")),
        Err(why) => Err(format!("cargo: {why}")),
    }
}
