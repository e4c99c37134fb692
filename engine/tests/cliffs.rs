//! Two mistakes make the network several times slower and leave it right: loops that are compiled for
//! size, and a tile of sums that does not fit in the registers. Counted, not timed, on the release
//! build; and what the kernels touch, by valgrind.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use oe_engine::Engine;
use oe_test_support::library::{has_tool, root, target_dir};

/// The release build of an example.
fn parts() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let target = target_dir();
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "oe-process-engine",
        ]);
        cargo
            .args(["--example", "parts", "--target-dir"])
            .arg(&target)
            .current_dir(root());
        let status = cargo.stdin(Stdio::null()).status().expect("cargo runs");
        assert!(status.success(), "the release build failed");
    });
    target.join("release/examples/parts")
}

/// What valgrind says of so many passes over a square of this side.
fn valgrind(options: &[&str], kind: &str, side: &str, passes: u32) -> String {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(options)
        .arg(parts())
        .args(["network", kind, side]);
    valgrind
        .arg(passes.to_string())
        .arg(root().join("demo/frames/frame-11.jpg"));
    let output = valgrind.output().expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{kind}: {text}");
    text
}

fn instructions(kind: &str, passes: u32) -> u64 {
    let options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let text = valgrind(&options, kind, "128", passes);
    let line = text
        .lines()
        .find(|line| line.contains("Collected"))
        .expect(&text);
    line.split(' ').next_back().unwrap().parse().unwrap()
}

/// What a pass takes: 53 and 165 million instructions. With loops for size it was 157 and 357, with a
/// tile that spills (AVX2, 5 pixels by 3 vectors) 72.
#[test]
fn a_pass_takes_no_more_instructions_than_it_did() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    for (kind, most) in [("avx2", 62_000_000), ("sse2", 190_000_000)] {
        if !Engine::kinds().contains(&kind) {
            continue;
        }
        let pass = instructions(kind, 2) - instructions(kind, 1);
        println!("{kind}: {pass} instructions");
        assert!(
            (most / 2..most).contains(&pass),
            "{kind}: {pass} instructions"
        );
    }
}

/// Valgrind knows no AVX-512. What spills is written to the stack, which no loop of a tile does.
#[test]
fn no_tile_of_a_product_spills() {
    if !has_tool("objdump", "apt-get install binutils") {
        return;
    }
    let mut objdump = Command::new("objdump");
    objdump
        .args(["--disassemble", "--demangle", "--no-show-raw-insn"])
        .arg(parts());
    let output = objdump.output().expect("objdump runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut loops = 0;
    for function in text.split("\n\n") {
        let name = function.lines().next().unwrap_or_default();
        let vector = ["avx512", "avx2", "sse2"]
            .iter()
            .any(|kind| name.contains(kind));
        if !vector || !name.contains("panel") {
            continue;
        }
        loops += 1;
        let spills = |line: &&str| line.contains("mm") && line.contains("(%rsp)");
        let spilled: Vec<&str> = function.lines().filter(spills).collect();
        assert!(spilled.is_empty(), "{name}\n{}", spilled.join("\n"));
    }
    assert!(loops >= 6, "{loops} loops were found");
}

#[test]
fn every_kind_touches_only_what_is_its_own() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    for kind in Engine::kinds() {
        if kind != "avx512" {
            valgrind(&["--error-exitcode=9", "--quiet"], kind, "64", 1);
        }
    }
}
