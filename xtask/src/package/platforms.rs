//! docs/PLATFORMS.md's table: everything made and tried, and what came of it.

use std::fs;
use std::process::Command;

use super::contents::VERSION;
use super::folder;
use super::target::{Runner, System, TARGETS, Target};
use crate::command::output;
use crate::generated::{read, root};

const PATH: &str = "docs/PLATFORMS.md";
const MARKS: [&str; 2] = ["<!-- cargo xtask platforms -->\n", "<!-- end -->\n"];

/// Makes and tries everything for all targets, and writes down what came of it. What fails, ends it.
pub fn run() -> Result<(), String> {
    super::run(&[])?;
    super::install(&[])?;
    super::debian(&[
        "x86_64-linux-gnu",
        "aarch64-linux-gnu",
        "armv7-linux-gnueabihf",
    ])?;
    super::wheels(&[])?;
    super::npm()?;
    super::chroot::run()?;
    let date = output(
        "date",
        "coreutils",
        Command::new("date").args(["-u", "+%F"]),
    )?;
    let mut table = "| target | tested | shared | static | needs | date | mind |\n\
                     | --- | --- | ---: | ---: | --- | --- | --- |\n"
        .to_owned();
    for target in TARGETS {
        table += &row(*target, date.trim())?;
    }
    let page = read(PATH)?;
    let (before, rest) = page.split_once(MARKS[0]).ok_or("no mark in the page")?;
    let (_, after) = rest.split_once(MARKS[1]).ok_or("no end mark in the page")?;
    let text = format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]);
    fs::write(root().join(PATH), text).map_err(|why| format!("{PATH}: {why}"))?;
    print!("{table}");
    Ok(())
}

fn row(target: Target, date: &str) -> Result<String, String> {
    let staged = folder().join(format!("oe-process-{VERSION}-{}", target.name));
    let size = |path: &str| match fs::metadata(staged.join(path)) {
        Ok(file) => format!("{:.2} MB", file.len() as f64 / 1e6),
        Err(_) => "none".to_owned(),
    };
    let shared = match target.is_windows() {
        true => "bin/oe_process.dll".to_owned(),
        false => format!("lib/liboe_process.so.{VERSION}"),
    };
    let tested = match (target.runner, target.system) {
        (Runner::Native, System::Musl) => "natively, musl's loader",
        (Runner::Native, _) => "natively; CMake; packages in a fresh Debian",
        (Runner::Qemu(_), System::Musl) => "qemu-user, static",
        (Runner::Qemu(_), _) => "qemu-user",
        (Runner::Wine, _) => "Wine; clang and lld-link",
        (Runner::None, _) => "linked",
    };
    let needs = match target.system {
        System::Gnu(version) => format!("glibc {version}"),
        System::Musl => "musl 1.2".to_owned(),
        System::Windows => "Windows 8".to_owned(),
    };
    Ok(format!(
        "| {} | {tested} | {} | {} | {needs} | {date} | {} |\n",
        target.name,
        size(&shared),
        size("lib/liboe_process.a"),
        target.caveat
    ))
}
