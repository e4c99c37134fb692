//! The engine's network on another processor: built for aarch64, run under qemu, compared with what
//! this one says.

use std::path::PathBuf;
use std::process::Command;

use crate::command::output;
use crate::generated::root;
use crate::toolchain;

const TARGET: &str = "aarch64-unknown-linux-gnu";
const FRAME: &str = "demo/frames/frame-11.jpg";
/// Rounding may differ by so much.
const APART: f64 = 1e-4;

/// Builds for both and compares the answers of every kind of code.
pub fn run() -> Result<(), String> {
    let here = build(Command::new("cargo"), &["build"], "")?;
    let (cargo, build_std) = match has_std()? {
        true => (Command::new("cargo"), ""),
        false => (toolchain::cargo()?, toolchain::BUILD_STD),
    };
    let words: Vec<&str> = ["build", build_std, "--target", TARGET]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    let there = build(cargo, &words, TARGET)?;
    let expected = answer(Command::new(here), "best")?;
    for kind in ["neon", "plain"] {
        let mut qemu = Command::new("qemu-aarch64-static");
        qemu.args(["-L", "/usr/aarch64-linux-gnu"]).arg(&there);
        let said = answer(qemu, kind)?;
        println!("{kind}: {said}, and here {expected}");
        if (said - expected).abs() > APART {
            return Err(format!("{kind} says {said}, this processor {expected}"));
        }
    }
    Ok(())
}

/// Whether the compiler that is installed can build for the target.
fn has_std() -> Result<bool, String> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let folder = output("rustc", "rustup", &mut rustc)?;
    Ok(PathBuf::from(folder.trim()).exists())
}

fn build(mut cargo: Command, words: &[&str], target: &str) -> Result<PathBuf, String> {
    cargo.args(words).args(["--release", "--quiet", "--locked"]);
    cargo.args(["--package", "oe-process-engine", "--example", "parts"]);
    cargo.env(
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
        "aarch64-linux-gnu-gcc",
    );
    let hint = "apt-get install gcc-aarch64-linux-gnu";
    output("cargo build", hint, cargo.current_dir(root()))?;
    Ok(root()
        .join("target")
        .join(target)
        .join("release/examples/parts"))
}

/// What the network says of a picture, at 128 pixels.
fn answer(mut program: Command, kind: &str) -> Result<f64, String> {
    program
        .args(["network", kind, "128", "1"])
        .arg(root().join(FRAME));
    let hint = "apt-get install qemu-user-static libc6-dev-arm64-cross";
    let text = output("the network", hint, &mut program)?;
    let line = text.lines().find_map(|line| line.strip_prefix("result "));
    line.and_then(|number| number.parse().ok()).ok_or(text)
}
