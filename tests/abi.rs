//! What programs that are out there rely on: symbols, layouts on 64 and 32 bits, and programs that
//! were compiled with an earlier header.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::library::{has_headers, release_dir, root, run};

#[test]
fn every_symbol_that_ever_was_is_there() {
    let so = release_dir().join("liboe_process.so");
    let mut nm = Command::new("nm");
    let output = nm.args(["-D", "--defined-only"]).arg(so).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let exported: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let list = std::fs::read_to_string(root().join("tests/abi/symbols.txt")).unwrap();
    let known: BTreeSet<&str> = list.lines().collect();
    let gone: Vec<_> = known.difference(&exported).collect();
    assert!(gone.is_empty(), "programs need these: {gone:?}");
    let new: Vec<_> = exported.difference(&known).collect();
    assert!(
        new.is_empty(),
        "add these to tests/abi/symbols.txt: {new:?}"
    );
}

#[test]
fn layouts_and_numbers_on_64_and_32_bits() {
    for width in ["-m64", "-m32"] {
        if width == "-m32" && !has_headers(&["gnu/stubs-32.h"], "apt-get install libc6-dev-i386") {
            continue;
        }
        let mut cc = Command::new("cc");
        cc.args([
            width,
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ]);
        cc.arg("-I")
            .arg(root().join("include"))
            .arg("-fsyntax-only");
        let output = cc.arg(root().join("tests/abi/layout.c")).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{width}\n{errors}");
    }
}

/// The C tests as they were compiled for each release, against the library as it is now.
#[test]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn programs_of_earlier_releases_still_work() {
    let releases = ["0.1.0-x86_64"];
    for release in releases {
        for name in ["abi", "monitor"] {
            let service = Running::start(Config {
                edition: Edition::B,
                minimum: 5,
                ..Config::default()
            })
            .unwrap();
            let program = root().join("tests/abi").join(release).join(name);
            let mut command = Command::new(program);
            command.env("LD_LIBRARY_PATH", release_dir());
            command.arg(service.base_url());
            command.arg(root().join("demo/frames/frame-01.jpg"));
            let output = run(&mut command, Duration::from_secs(60));
            let text = String::from_utf8_lossy(&output.stdout);
            let ok = output.status.success() && output.stderr.is_empty();
            assert!(ok, "{release} {name}: {text}");
        }
    }
}
