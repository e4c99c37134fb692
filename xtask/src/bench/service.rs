//! What `oe-process-server` bears, takes and survives: `cargo xtask bench capacity`, `contexts`, `restart`.

use std::process::Command;

use super::machine;
use crate::generated::root;

const SERVER: &str = "target/release/oe-process-server";
const LIBRARY: &str = "target/release/liboe_process.so";
const FINE: &str = "demo/frames/frame-01.jpg";
const TANGLE: [&str; 2] = ["demo/frames/frame-11.jpg", "demo/frames/frame-12.jpg"];
/// How long each number of prints is watched, in seconds, after a minute in which they begin.
const WATCHED: &str = "60";

/// Looks a second, intervals, answers and memory by prints.
pub fn capacity() -> Result<(), String> {
    measure(
        "service_capacity.py",
        &[SERVER, FINE, WATCHED, "10", "100", "1000"],
    )
}

/// Memory and writes of many contexts.
pub fn contexts() -> Result<(), String> {
    measure("service_contexts.py", &[SERVER, "50000", "113", "60", FINE])
}

/// What a kill and an orderly end cost prints of the library.
pub fn restart() -> Result<(), String> {
    measure(
        "service_restart.py",
        &[SERVER, LIBRARY, TANGLE[0], TANGLE[1]],
    )
}

fn measure(script: &str, arguments: &[&str]) -> Result<(), String> {
    // One after the other, as they are given away: together each would have the other's features.
    for package in ["oe-process", "oe-process-server"] {
        let mut cargo = Command::new("cargo");
        done(cargo.args(["build", "--release", "--locked", "--package", package]))?;
    }
    println!("{}", machine());
    let script = format!("benches/{script}");
    done(Command::new("python3").arg(script).args(arguments))
}

fn done(command: &mut Command) -> Result<(), String> {
    let status = command.current_dir(root()).status();
    let status = status.map_err(|why| format!("{command:?}: {why}"))?;
    let failed = || format!("{command:?}: {status}");
    status.success().then_some(()).ok_or_else(failed)
}
