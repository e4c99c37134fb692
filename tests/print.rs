//! Whole prints through the built library: never early, and nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::process::Command;
use std::time::Duration;

use oe_server::reply::Edition;
use oe_server::{Config, Running};
use oe_test_support::CONTEXT_AND_VERDICT;
use oe_test_support::library::{Link, compile, root, run, scratch};
use oe_test_support::peer::{Peer, Step};

/// Runs watch.c over three frames against a real service; gives the gaps it saw, from the end of
/// an answer to the next request.
fn gaps(edition: Edition) -> Vec<Duration> {
    let service = Running::start(Config {
        edition,
        minimum: 5,
        ..Config::default()
    })
    .unwrap();
    let frames = scratch(&format!("frames-{edition:?}"));
    for n in ["01", "02", "03"] {
        let name = format!("frame-{n}.jpg");
        std::fs::copy(root().join("demo/frames").join(&name), frames.join(&name)).unwrap();
    }
    let mut watch = Command::new(compile(
        &root().join("examples-c/watch.c"),
        Link::Shared,
        &[],
    ));
    watch
        .args([
            "--endpoint",
            &service.base_url(),
            "--interval",
            "5",
            "--replay",
        ])
        .arg(frames);
    let output = run(watch.env("OE_API_KEY", "k"), Duration::from_secs(60));
    assert!(output.status.success() && output.stderr.is_empty());
    let calls = service.stats().calls();
    assert_eq!((calls.len(), service.stats().creates()), (3, 1));
    calls.windows(2).map(|pair| pair[1].0 - pair[0].1).collect()
}

#[test]
fn ti_01_never_before_its_time_in_both_editions() {
    for edition in [Edition::A, Edition::B] {
        for gap in gaps(edition) {
            assert!(gap >= Duration::from_secs(5), "{edition:?}: {gap:?}");
            assert!(gap < Duration::from_secs(7), "{edition:?}: {gap:?}");
        }
    }
}

#[test]
fn li_10_ten_thousand_prints_leave_nothing_behind() {
    let peer = Peer::plain(vec![vec![Step::ServeJson(CONTEXT_AND_VERDICT.into())]]);
    let program = compile(&root().join("tests/c/soak.c"), Link::Shared, &[]);
    let mut soak = Command::new(program);
    let output = run(
        soak.arg(peer.base_url()).arg("10000"),
        Duration::from_secs(120),
    );
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{text}");
    assert_eq!(peer.connections(), 1, "20,000 requests over one connection");
}
