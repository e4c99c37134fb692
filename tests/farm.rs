//! Many monitors in one process: what they take, who waits, and what is left after a while.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly, and this one shows what it measured"
)]

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile, root, run, scratch};
use oe_test_support::tiny_jpeg;

const WORKERS: f64 = 4.0;

/// Runs farm.c at the 5 s pace; gives what it measured, line by line.
fn farm(printers: u32, calls: u32, at_most: Duration) -> (Running, Vec<HashMap<String, f64>>) {
    let service = Running::start(Config::scripted("{}").unwrap()).unwrap();
    // Frames as small as can be: what is measured is what a monitor takes besides its frame.
    let frames = scratch("tiny-frames");
    std::fs::write(frames.join("tiny.jpg"), tiny_jpeg()).unwrap();
    let source = root().join("examples-c/farm.c");
    let mut program = Command::new(compile(&source, Link::Shared, &[]));
    program.args(["--endpoint", &service.base_url(), "--bench"]);
    program.args(["--printers", &printers.to_string()]);
    program.args(["--calls", &calls.to_string()]);
    let output = run(program.arg(frames).env("OE_API_KEY", "k"), at_most);
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{text}"
    );
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    let lines = text.lines().map(|line| line.split(' ').map(pair).collect());
    (service, lines.collect())
}

fn of(lines: &[HashMap<String, f64>], name: &str) -> Vec<f64> {
    lines
        .iter()
        .filter_map(|line| line.get(name).copied())
        .collect()
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

#[test]
fn a_thousand_printers_take_few_threads_descriptors_and_bytes() {
    let (service, lines) = farm(1_000, 5_000, Duration::from_secs(120));
    // The program has one thread, three descriptors, and the folder that counts them.
    assert!(most(&of(&lines, "threads")) <= 1.0 + WORKERS + 2.0);
    assert!(most(&of(&lines, "descriptors")) <= 3.0 + WORKERS + 8.0);
    assert!(of(&lines, "rss_kb_per_monitor")[0] <= 8.0);
    assert!(
        most(&of(&lines, "errors")) == 0.0,
        "none was early, or the service would say so"
    );
    assert!(of(&lines, "ended_in_ms")[0] < 2_000.0);
    // 5,000 calls at 200 a second, begun within 20 s: nobody is left behind.
    let (fewest, most) = (of(&lines, "fewest_calls")[0], of(&lines, "most_calls")[0]);
    assert!(fewest >= 1.0 && most - fewest <= 5.0, "{fewest} to {most}");
    assert_eq!(service.stats().creates(), 1_000);
}

#[test]
fn li_10_twenty_thousand_calls_over_five_hundred_monitors_leave_nothing_behind() {
    let (service, lines) = farm(500, 20_000, Duration::from_secs(300));
    assert!(most(&of(&lines, "errors")) == 0.0);
    assert_eq!(service.stats().creates(), 500);
    // From the second measurement on, at 4,000 calls: by then every worker has been at work.
    let settled = &lines[1..];
    let (threads, descriptors) = (of(settled, "threads"), of(settled, "descriptors"));
    assert!(most(&threads) <= 1.0 + WORKERS + 2.0, "{threads:?}");
    assert!(most(&descriptors) <= 3.0 + WORKERS + 8.0, "{descriptors:?}");
    let rss = of(settled, "rss_kb");
    assert!(rss.len() >= 9, "{rss:?}");
    let growth = rss[rss.len() - 1] - rss[0];
    assert!(growth <= 256.0, "{growth} KB: {rss:?}");
}
