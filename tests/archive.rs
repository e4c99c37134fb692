//! The static library as it is given away: small, with no global name but the header's, and able
//! to live beside another one from Rust.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly, and one shows a size"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile_with, root, run, scratch};

fn succeeds(command: &mut Command) -> String {
    let output = run(command, Duration::from_secs(300));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    text
}

/// The folder that has it.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch("archive");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "xtask",
            "--",
            "archive",
        ]);
        cargo
            .arg(folder.join("liboe_process.a"))
            .current_dir(root());
        succeeds(&mut cargo);
        folder
    })
}

#[test]
fn small_and_with_the_header_s_names_only() {
    let archive = folder().join("liboe_process.a");
    let size = std::fs::metadata(&archive).unwrap().len();
    println!("static library: {size} bytes");
    // 4 MB, and the engine with its model.
    assert!(size <= 4_000_000 + 4_400_000, "{size}");
    let mut nm = Command::new("nm");
    let symbols = succeeds(nm.args(["--extern-only", "--defined-only"]).arg(&archive));
    let names: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let wanted = std::fs::read_to_string(root().join("tests/abi/symbols.txt")).unwrap();
    assert_eq!(names, wanted.lines().collect::<Vec<_>>());
}

#[test]
fn the_c_tests_pass_with_it() {
    let service = Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    });
    let service = service.unwrap();
    for name in ["abi.c", "monitor.c"] {
        let source = root().join("tests/c").join(name);
        let flags = ["-D_GNU_SOURCE", "-Wl,--gc-sections"];
        let mut program = Command::new(compile_with(folder(), &source, Link::Static, &flags));
        program.arg(service.base_url());
        succeeds(program.arg(root().join("demo/frames/frame-01.jpg")));
    }
}

#[test]
fn beside_another_static_library_from_rust_in_either_order() {
    let here = scratch("archive-both");
    let other = here.join("libother.a");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-o"]).arg(&other);
    succeeds(rustc.arg(root().join("tests/archive/other.rs")));
    let ours = folder().join("liboe_process.a");
    for (name, libraries) in [
        ("ours-first", [&ours, &other]),
        ("ours-last", [&other, &ours]),
    ] {
        let program = here.join(name);
        let mut cc = Command::new("cc");
        cc.arg("-I").arg(root().join("include"));
        cc.arg(root().join("tests/archive/both.c")).args(libraries);
        cc.args(["-lpthread", "-ldl", "-lm", "-o"]);
        succeeds(cc.arg(&program));
        assert_eq!(succeeds(&mut Command::new(&program)), "");
    }
}
