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

use oe_core::error::Status;
use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::CONTEXT_AND_VERDICT;
use oe_test_support::library::{Link, compile, has_tool, root, run, run_quietly};
use oe_test_support::peer::{Peer, Step};

fn service() -> Running {
    Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    })
    .unwrap()
}

/// Runs a program of tests/c to its end; it must succeed and leave stderr empty.
fn succeeds(command: Command) {
    succeeds_with(command, &[]);
}

fn succeeds_with(mut command: Command, more: &[&str]) {
    let service = service();
    command
        .arg(service.base_url())
        .arg(root().join("demo/frames/frame-01.jpg"))
        .args(more);
    run_quietly(&mut command, Duration::from_secs(120));
}

fn program(name: &str, link: Link) -> std::path::PathBuf {
    let source = root().join("tests/c").join(name);
    compile(&source, link, &["-D_GNU_SOURCE"])
}

#[test]
fn li_14_the_abi_from_c_linked_shared() {
    succeeds(Command::new(program("abi.c", Link::Shared)));
}

#[test]
fn the_abi_from_c_linked_static() {
    succeeds(Command::new(program("abi.c", Link::Static)));
}

#[test]
fn li_14_monitors_from_c_linked_shared() {
    succeeds(Command::new(program("monitor.c", Link::Shared)));
}

#[test]
fn monitors_from_c_linked_static() {
    succeeds(Command::new(program("monitor.c", Link::Static)));
}

#[test]
fn what_came_with_0_2_from_c_linked_shared() {
    succeeds(Command::new(program("v0_2.c", Link::Shared)));
}

#[test]
fn what_came_with_0_2_from_c_linked_static() {
    succeeds(Command::new(program("v0_2.c", Link::Static)));
}

/// A service that answers creates and process calls with the same members, these among them.
fn saying(more: &str) -> Peer {
    let body = CONTEXT_AND_VERDICT.replacen('{', &format!("{{{more},"), 1);
    Peer::plain(vec![vec![Step::ServeJson(body)]])
}

#[test]
fn what_a_service_sees_from_c() {
    let blind = saying("\"Blind\":true");
    let place = saying("\"Place\":[250,500,125,400]");
    let mut command = Command::new(program("seen.c", Link::Shared));
    let output = run(
        command.arg(blind.base_url()).arg(place.base_url()),
        Duration::from_secs(60),
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn what_came_with_0_2_from_c_under_valgrind() {
    under_valgrind("v0_2.c");
}

#[test]
fn the_abi_from_c_under_valgrind() {
    under_valgrind("abi.c");
}

#[test]
fn monitors_from_c_under_valgrind() {
    under_valgrind("monitor.c");
}

fn under_valgrind(name: &str) {
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
    valgrind.arg(program(name, Link::Shared));
    succeeds_with(valgrind, &["valgrind"]);
}

/// The examples compile as their users compile them, every warning an error.
#[test]
fn the_examples_compile() {
    for name in ["minimal", "watch", "monitor", "farm"] {
        let source = root().join("examples-c").join(name).with_extension("c");
        assert!(Path::new(&compile(&source, Link::Shared, &[])).exists());
    }
}

/// A typing error in the endpoint: the README's program ends before the key or a picture goes anywhere.
#[test]
fn the_minimal_program_ends_at_an_endpoint_that_is_refused() {
    let source = root().join("examples-c/minimal.c");
    let mut command = Command::new(compile(&source, Link::Shared, &[]));
    command.arg(root().join("demo/frames/frame-01.jpg"));
    command.args(["--engine", "service", "127.0.0.1:8674"]);
    command.env("OE_API_KEY", "SECRETKEY");
    let output = run(&mut command, Duration::from_secs(60));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let why = "oe_options_set_endpoint was refused: a URL is not absolute";
    let text = Status::Argument.row().text;
    assert_eq!(said.trim_end(), format!("{text} {why}"));
    assert!(output.stdout.is_empty(), "no call was made");
}
