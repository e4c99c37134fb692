//! Other programs: what they print, or what went wrong.

use std::process::Command;

/// Runs a command to its end and gives what it printed to stdout. `hint` says how to install it.
pub fn output(what: &str, hint: &str, command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|why| format!("{what}: {why} ({hint})"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!("{what}: {}\n{text}{errors}", output.status))
        }
    }
}

/// A nightly cargo or rustc, whatever toolchain runs this.
pub fn nightly(program: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("+nightly").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// How to get one.
pub const NIGHTLY: &str = "rustup toolchain install nightly";
