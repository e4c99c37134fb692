//! docs/PLATFORMS.md's table: everything made and tried, and what came of it.

use std::fs;
use std::process::Command;

use super::contents::{self, VERSION};
use super::target::{Runner, System, TARGETS, Target, Variant, named};
use super::{debian, folder};
use crate::command::output;
use crate::generated::{read, root};

const PATH: &str = "docs/PLATFORMS.md";
const MARKS: [&str; 2] = ["<!-- cargo xtask platforms -->\n", "<!-- end -->\n"];

/// Makes and tries everything for these targets, and writes down what came of it; for all, when none is
/// named, and then what needs all of them too. What fails, ends it.
pub fn run(names: &[&str]) -> Result<(), String> {
    super::run(names)?;
    super::install(names)?;
    let targets = named(names)?;
    for target in &targets {
        if debian::architecture(*target).is_some() {
            super::debian(&[target.name])?;
        }
        super::wheels(&[target.name])?;
    }
    if names.is_empty() {
        super::npm()?;
        super::chroot::run()?;
    }
    let date = output(
        "date",
        "coreutils",
        Command::new("date").args(["-u", "+%F"]),
    )?;
    let page = read(PATH)?;
    let (before, rest) = page.split_once(MARKS[0]).ok_or("no mark in the page")?;
    let (old, after) = rest.split_once(MARKS[1]).ok_or("no end mark in the page")?;
    let mut table = "| target | tested | look | shared | static | lite shared | lite static | needs | date | mind |\n\
                     | --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |\n"
        .to_owned();
    for target in TARGETS {
        let start = format!("| {} |", target.name);
        let now = targets.iter().any(|each| each.name == target.name);
        match old.lines().find(|line| line.starts_with(&start)) {
            Some(line) if !now => table += &format!("{line}\n"),
            _ if now => table += &row(*target, date.trim()),
            _ => return Err(format!("{PATH} has no row of {}", target.name)),
        }
    }
    let text = format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]);
    fs::write(root().join(PATH), text).map_err(|why| format!("{PATH}: {why}"))?;
    print!("{table}");
    Ok(())
}

/// Of a shared library and a static one, as they were packed.
fn sizes(target: Target, variant: Variant) -> String {
    let staged = folder().join(contents::name(target, variant));
    let size = |path: &str| match fs::metadata(staged.join(path)) {
        Ok(file) if target.variants().contains(&variant) => {
            format!("{:.2} MB", file.len() as f64 / 1e6)
        }
        _ => "none".to_owned(),
    };
    let shared = match target.is_windows() {
        true => "bin/oe_process.dll".to_owned(),
        false => format!("lib/liboe_process.so.{VERSION}"),
    };
    format!("{} | {}", size(&shared), size("lib/liboe_process.a"))
}

/// Thousands of millions of instructions.
fn look(target: Target) -> String {
    let text = |look| format!("{:.2} G", f64::from(look) / 1e3);
    target.look.map_or_else(|| "not counted".to_owned(), text)
}

fn row(target: Target, date: &str) -> String {
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
    format!(
        "| {} | {tested} | {} | {} | {} | {needs} | {date} | {} |\n",
        target.name,
        look(target),
        sizes(target, Variant::Full),
        sizes(target, Variant::Lite),
        target.caveat
    )
}
