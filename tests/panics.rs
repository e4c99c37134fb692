//! A build whose functions panic when told to: each panic becomes a status, prints nothing, and leaves
//! a handle that can be freed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::process::Command;
use std::time::Duration;

use oe_test_support::CONTEXT_AND_VERDICT;
use oe_test_support::library::{Link, compile_with, link_soname, root, run, scratch, target_dir};
use oe_test_support::peer::{Peer, Step};

#[test]
fn li_09_every_function_panics_once_and_the_host_goes_on() {
    let target = target_dir().join("panic-injection");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "oe-process"]);
    cargo
        .args(["--features", "panic-injection", "--target-dir"])
        .arg(&target);
    assert!(cargo.current_dir(root()).status().unwrap().success());
    let built = target.join("debug");
    link_soname(&built);
    let source = root().join("tests/hostile/panics.c");
    let out = compile_with(&built, &source, Link::Shared, &["-D_GNU_SOURCE"]);
    let peer = Peer::plain(vec![vec![Step::ServeJson(CONTEXT_AND_VERDICT.into())]]);
    let report = scratch("hostile").join("panics.txt");
    let output = run(
        Command::new(out)
            .arg(&report)
            .arg(peer.base_url())
            .arg(root().join("demo/frames/frame-01.jpg")),
        Duration::from_secs(60),
    );
    let text = std::fs::read_to_string(&report).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "nothing is printed"
    );
    // None is left out.
    let program = std::fs::read_to_string(source).unwrap();
    let header = std::fs::read_to_string(root().join("include/oe_process.h")).unwrap();
    for line in header.lines().filter(|line| line.starts_with("OE_API ")) {
        let name = line
            .split('(')
            .next()
            .unwrap()
            .rsplit([' ', '*'])
            .next()
            .unwrap();
        assert!(program.contains(&format!("{name}(")), "{name}");
    }
}
