//! The C ABI as a C program sees it: linked shared and static, plain and under valgrind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile, has_tool, root, run};

fn service() -> Running {
    Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    })
    .unwrap()
}

/// Runs a program of tests/c to its end; it must succeed and leave stderr empty.
fn succeeds(mut command: Command) {
    let service = service();
    command
        .arg(service.base_url())
        .arg(root().join("demo/frames/frame-01.jpg"));
    let output = run(&mut command, Duration::from_secs(120));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{errors}",
        output.status
    );
    assert_eq!(errors, "", "nothing is ever written to stderr");
}

fn program(link: Link) -> std::path::PathBuf {
    compile(
        &root().join("tests/c/abi.c"),
        link,
        &["-D_POSIX_C_SOURCE=200809L"],
    )
}

#[test]
fn li_14_the_abi_from_c_linked_shared() {
    succeeds(Command::new(program(Link::Shared)));
}

#[test]
fn the_abi_from_c_linked_static() {
    succeeds(Command::new(program(Link::Static)));
}

#[test]
fn the_abi_from_c_under_valgrind() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
    ]);
    valgrind.args(["--child-silent-after-fork=yes", "--trace-children=no"]);
    valgrind.arg(program(Link::Shared));
    succeeds(valgrind);
}

/// The examples compile as their users compile them, every warning an error.
#[test]
fn the_examples_compile() {
    for name in ["minimal", "watch", "monitor", "farm"] {
        let source = root().join("examples-c").join(name).with_extension("c");
        assert!(Path::new(&compile(&source, Link::Shared, &[])).exists());
    }
}
