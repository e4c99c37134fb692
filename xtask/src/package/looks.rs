//! How many instructions a look takes on each processor, by which it is decided who gets the engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::target::{I686_LINUX, MOST_A_LOOK, System, Target, Variant, named};
use super::{build, folder};
use crate::command::output;
use crate::generated::root;

const QEMU: &str = "apt-get install qemu-user";

/// What is run, on which machine of qemu's and which processor of it.
type Emulated = (Target, &'static str, &'static str);

/// How far what is counted may be from what the table has, in percent.
const APART: u32 = 5;

/// Counts for these targets; for all, when none is named.
pub fn run(names: &[&str]) -> Result<(), String> {
    let counter = counter()?;
    for target in named(names)? {
        let (counted, machine, processor) = emulated(target)?;
        let look = look(counted, machine, processor, &counter)?;
        let has = if look < MOST_A_LOOK {
            "engine"
        } else {
            "lite only"
        };
        println!(
            "{}: {look} million instructions a look, {machine} {processor}: {has}",
            target.name
        );
        let near = |known: u32| look.abs_diff(known) <= known * APART / 100;
        if !target.look.is_some_and(near) {
            return Err(format!(
                "{}: xtask/src/package/target.rs has {:?}",
                target.name, target.look
            ));
        }
    }
    Ok(())
}

/// What is built and run for a target (qemu has no Windows), and on what: the least processor that the target is for.
fn emulated(target: Target) -> Result<Emulated, String> {
    Ok(match target.triple.split('-').next() {
        Some("aarch64") => (target, "aarch64", "cortex-a53"),
        Some("armv7") => (target, "arm", "cortex-a7"),
        Some("mipsel") => (target, "mipsel", "24Kf"),
        Some("i686") => (I686_LINUX, "i386", "n270"),
        _ if target.is_windows() => (named(&["x86_64-linux-musl"])?[0], "x86_64", "qemu64"),
        _ => (target, "x86_64", "qemu64"),
    })
}

/// The plugin that counts, compiled.
fn counter() -> Result<PathBuf, String> {
    let to = folder().join("instructions.so");
    std::fs::create_dir_all(folder()).map_err(|why| why.to_string())?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&to);
    gcc.arg(root().join("xtask/src/package/instructions.c"));
    output("instructions.c", "apt-get install gcc", &mut gcc)?;
    Ok(to)
}

/// Millions of instructions, on the average of the second and the third look.
fn look(target: Target, machine: &str, processor: &str, counter: &Path) -> Result<u32, String> {
    let program = program(target)?;
    let count = |looks: &str| {
        let mut qemu = Command::new("sh");
        qemu.args(["-c", r#"exec "$@" 2>&1"#, "sh", &format!("qemu-{machine}")]);
        qemu.args(["-cpu", processor, "-plugin"]).arg(counter);
        qemu.arg(&program).arg(root().join("demo/frames"));
        let text = output("a look", QEMU, qemu.args(["1", looks]))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("instructions "));
        line.and_then(|number| number.parse::<u64>().ok())
            .ok_or(text)
    };
    let more = count("3")?.saturating_sub(count("1")?);
    u32::try_from(more / 2_000_000).map_err(|why| why.to_string())
}

/// A static program with what cargo leaves of the library.
fn program(target: Target) -> Result<PathBuf, String> {
    let library = build::compile(target, Variant::Full)?.join("liboe_process.a");
    let to = library.with_file_name("looks");
    let mut cc = match target.system {
        System::Musl => build::zig_cc(target)?,
        _ => Command::new(format!("{}gcc", target.tools)),
    };
    cc.args(["-static", "-std=c11", "-O1", "-I"])
        .arg(root().join("include"));
    cc.arg(root().join("tests/install/embedded.c"))
        .arg(&library);
    match target.system {
        System::Musl => cc.arg("-lunwind"),
        _ => cc.args(target.libraries().split(' ')),
    };
    output("embedded.c", &target.hint(), cc.arg("-o").arg(&to))?;
    Ok(to)
}
