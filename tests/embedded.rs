//! The engine in the built library: from C, with no key and no network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly"
)]

use std::process::Command;
use std::time::Duration;

use oe_test_support::library::{Link, compile, has_tool, root, run, scratch};

/// Runs the program to its end; it must find nothing wrong.
fn succeeds(mut command: Command, more: &[&str]) {
    let no_model = scratch("embedded").join("no.model");
    std::fs::write(&no_model, "this is no model").unwrap();
    command
        .arg(root().join("demo/frames/frame-01.jpg"))
        .arg(root().join("engine/tests/pictures/black.jpg"))
        .arg(no_model)
        .arg(root().join("demo/frames"))
        .args(more);
    let output = run(&mut command, Duration::from_secs(300));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{errors}",
        output.status
    );
    assert_eq!(errors, "", "nothing is ever written to stderr");
}

fn program(link: Link) -> Command {
    let source = root().join("tests/c/embedded.c");
    Command::new(compile(&source, link, &["-D_GNU_SOURCE"]))
}

#[test]
fn the_embedded_engine_from_c_linked_shared() {
    succeeds(program(Link::Shared), &[]);
}

#[test]
fn the_embedded_engine_from_c_linked_static() {
    succeeds(program(Link::Static), &[]);
}

#[test]
fn the_embedded_engine_from_c_under_valgrind() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
    ]);
    valgrind.arg(program(Link::Shared).get_program());
    succeeds(valgrind, &["valgrind"]);
}

/// 16 MB for a print and 4 KB for each context besides.
#[test]
fn a_print_takes_little_memory() {
    let source = root().join("tests/c/embedded_memory.c");
    let mut command = Command::new(compile(&source, Link::Shared, &["-D_GNU_SOURCE"]));
    command.arg(root().join("demo/frames/frame-12.jpg"));
    let output = run(&mut command, Duration::from_secs(120));
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{:?} {text}", output.status);
}
