//! Faults that a host may meet, each in a process of its own. The programs write nothing to stdout and
//! stderr, and compare signal handlers, environment, locale, folder, mask, descriptors and threads
//! before and after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly, and some show what they counted"
)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use oe_test_support::CONTEXT_AND_VERDICT;
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::library::{Link, compile, has_tool, release_dir, root, run, scratch};
use oe_test_support::peer::{Peer, Step, answer, json};
use oe_test_support::storm::Storm;

fn source(name: &str) -> PathBuf {
    root().join("tests/hostile").join(name)
}

fn program(name: &'static str) -> PathBuf {
    compile(&source(name), Link::Shared, &["-D_GNU_SOURCE"])
}

fn cases() -> &'static PathBuf {
    static CASES: OnceLock<PathBuf> = OnceLock::new();
    CASES.get_or_init(|| program("cases.c"))
}

/// What is loaded before the C library.
fn preload() -> &'static PathBuf {
    static PRELOAD: OnceLock<PathBuf> = OnceLock::new();
    PRELOAD.get_or_init(|| {
        let out = scratch("hostile").join("preload.so");
        let mut cc = Command::new("cc");
        cc.args([
            "-std=c11",
            "-shared",
            "-fPIC",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ]);
        cc.arg(source("preload.c")).arg("-o").arg(&out);
        assert!(cc.arg("-ldl").status().unwrap().success());
        out
    })
}

/// Runs a program whose first argument is where it reports to; it must succeed and print nothing.
fn succeeds(name: &str, mut command: Command, args: &[&str], at_most: u64) -> String {
    let report = scratch("hostile").join(format!("{name}.txt"));
    drop(std::fs::remove_file(&report));
    command.arg(&report).args(args);
    let output = run(&mut command, Duration::from_secs(at_most));
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(
        output.status.success(),
        "{name}: {}\n{text}{printed}",
        output.status
    );
    assert_eq!(printed, "", "{name}: nothing is ever printed");
    text
}

fn case(name: &str, url: &str) {
    succeeds(name, Command::new(cases()), &[name, url], 60);
}

fn good() -> Peer {
    Peer::plain(vec![vec![Step::ServeJson(CONTEXT_AND_VERDICT.into())]])
}

#[test]
fn a_print_leaves_its_process_as_it_was() {
    case("plain", &good().base_url());
}

#[test]
fn forks_while_calls_are_in_flight() {
    let hanging = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    let (good, hanging_url) = (good(), hanging.base_url());
    let args = ["forked", &good.base_url(), &hanging_url];
    succeeds("forked", Command::new(cases()), &args, 60);
}

#[test]
fn loaded_and_unloaded_a_hundred_times() {
    let out = scratch("c").join("loading");
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-I"]);
    cc.arg(root().join("include"))
        .arg(source("loading.c"))
        .arg("-o")
        .arg(&out);
    assert!(cc.args(["-ldl", "-lpthread"]).status().unwrap().success());
    let library = release_dir().join("liboe_process.so");
    let peer = good();
    let args = [library.to_str().unwrap(), &peer.base_url()];
    succeeds("loading", Command::new(&out), &args, 60);
}

#[test]
fn li_08_a_reset_in_mid_upload_does_not_raise_sigpipe() {
    let peer = Peer::plain(vec![vec![
        Step::Json(CONTEXT_AND_VERDICT.into()),
        Step::Read(1_000_000),
        Step::Reset,
    ]]);
    case("sigpipe", &peer.base_url());
}

#[test]
fn the_first_three_descriptors_are_closed() {
    case("closed_012", &good().base_url());
}

#[test]
fn no_descriptor_is_to_be_had() {
    case("no_descriptors", &good().base_url());
}

#[test]
fn no_thread_is_to_be_had() {
    let mut command = Command::new(cases());
    command.env("LD_PRELOAD", preload());
    let peer = good();
    succeeds("no_threads", command, &["no_threads", &peer.base_url()], 60);
}

#[test]
fn no_thread_beside_one_that_is_busy() {
    let mut command = Command::new(cases());
    command.env("LD_PRELOAD", preload());
    let hanging = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    let args = ["no_thread_beside", &hanging.base_url()];
    succeeds("no_thread_beside", command, &args, 60);
}

#[test]
fn prints_that_begin_as_the_last_one_ends() {
    case("begins_as_ends", &good().base_url());
}

#[test]
fn a_slow_log_function() {
    let hanging = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    let (good, hanging_url) = (good(), hanging.base_url());
    let args = ["slow_log", &good.base_url(), &hanging_url];
    succeeds("slow_log", Command::new(cases()), &args, 90);
}

#[test]
fn memory_is_short_for_what_is_large() {
    let hanging = Peer::plain(vec![vec![Step::Request, Step::Hang]]);
    case("no_memory", &hanging.base_url());
}

#[test]
fn names_that_are_never_resolved() {
    let mut command = Command::new(cases());
    command
        .env("LD_PRELOAD", preload())
        .env("OE_SLOW_RESOLVER", "1");
    succeeds("black_hole", command, &["black_hole", "http://unused"], 30);
}

/// Calls against a peer that follows a script after it gave a context.
fn call(name: &str, then: Vec<Step>, wanted: &str) {
    let mut script = vec![Step::Json(CONTEXT_AND_VERDICT.into())];
    script.extend(then);
    let peer = Peer::plain(vec![script, vec![Step::Hang]]);
    let args = ["call", &peer.base_url(), wanted];
    succeeds(name, Command::new(cases()), &args, 20);
}

#[test]
fn peers_that_hang_drip_flood_and_lie() {
    let second = Duration::from_secs(1);
    let bomb = "Content-Encoding: gzip";
    // The first megabyte of a gzip stream of zeros: a thousand times that when unpacked.
    let zeros = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3].repeat(6_000);
    let never_ends = "HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n";
    for (name, then, wanted) in [
        ("never-reads", vec![Step::Hang], "OE_ERR_TIMEOUT"),
        (
            "never-answers",
            vec![Step::Request, Step::Hang],
            "OE_ERR_TIMEOUT",
        ),
        (
            "drips",
            vec![Step::Request, Step::Drip(json("200 OK", "{}"), second / 5)],
            "OE_ERR_TIMEOUT",
        ),
        (
            "interim-answers",
            vec![
                Step::Request,
                Step::Send(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000)),
                Step::Hang,
            ],
            "OE_ERR_TIMEOUT",
        ),
        (
            "interim-answers-without-end",
            vec![
                Step::Request,
                Step::Flood(format!("HTTP/1.1 103 Hints\r\nA: {:4000}\r\n\r\n", "").into()),
            ],
            // The limit or the deadline: which comes first depends on how busy the machine is.
            "OE_ERR_IO|OE_ERR_TIMEOUT",
        ),
        (
            "two-gibibytes",
            vec![
                Step::Request,
                Step::Send(never_ends.into()),
                Step::Send(vec![b' '; 300_000]),
                Step::Hang,
            ],
            "OE_ERR_PROTOCOL",
        ),
        (
            "gzip",
            vec![Step::Request, Step::Send(answer("200 OK", &[bomb], &zeros))],
            "OE_ERR_PROTOCOL",
        ),
        (
            "garbage",
            vec![Step::Request, Step::Send(vec![0xA5; 5_000]), Step::End],
            "OE_ERR_IO",
        ),
        ("closes", vec![Step::Request, Step::Close], "OE_ERR_IO"),
    ] {
        call(name, then, wanted);
    }
}

#[test]
fn a_proxy_that_floods_does_not_lift_the_deadline() {
    for (name, bytes) in [
        ("proxy-interim", &b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
        ("proxy-head", b"X: y\r\n"),
    ] {
        let proxy = Peer::plain(vec![vec![Step::Head, Step::Flood(bytes.to_vec())]]);
        let mut command = Command::new(cases());
        command.env("OE_PROXY", proxy.base_url());
        let args = ["call", "http://127.0.0.1:9", "OE_ERR_PROXY"];
        succeeds(name, command, &args, 20);
    }
}

#[test]
fn an_answer_that_comes_before_its_request() {
    let peer = Peer::plain(vec![
        vec![
            // In one go: it must be there when the next call looks at the connection.
            Step::JsonAnd(
                CONTEXT_AND_VERDICT.into(),
                json("200 OK", r#"{"PrintQuality":1}"#),
            ),
            Step::Hang,
        ],
        vec![Step::Json(CONTEXT_AND_VERDICT.into())],
    ]);
    // The connection is found out and not used: the verdict comes over another.
    let args = ["call", &peer.base_url(), "OE_OK"];
    succeeds("too-soon", Command::new(cases()), &args, 20);
}

#[test]
fn deep_json_on_the_stack_of_a_musl_thread() {
    for open in ["[", "{\"a\":"] {
        let deep = open.repeat(60_000 / open.len());
        let script = vec![
            Step::Json(CONTEXT_AND_VERDICT.into()),
            Step::Request,
            Step::Send(json("200 OK", &deep)),
        ];
        let peer = Peer::plain(vec![script]);
        let args = ["small_stack", &peer.base_url(), "OE_ERR_PROTOCOL"];
        succeeds("small-stack", Command::new(cases()), &args, 20);
    }
}

#[test]
fn certificates_in_1970_now_and_2070() {
    let faketime = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ];
    let found = faketime
        .iter()
        .find(|path| std::path::Path::new(path).exists());
    let Some(found) = found else {
        // Says so, or fails, as for any other tool that is missing.
        assert!(!has_tool("libfaketime", "apt-get install faketime"));
        return;
    };
    let authority = Authority::new("Tests");
    let config = authority.server(Fault::None).config(&[]);
    let ca = scratch("hostile").join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    for (name, when, wanted) in [
        ("in-1970", "@1970-01-01 00:01:00", "OE_ERR_CLOCK"),
        ("now", "+0", "OE_OK"),
        ("in-2070", "@2070-01-01 00:00:00", "OE_ERR_TLS"),
    ] {
        let peer = Peer::tls(
            config.clone(),
            vec![vec![Step::ServeJson(CONTEXT_AND_VERDICT.into())]],
        );
        let mut command = Command::new(cases());
        command.env("LD_PRELOAD", found).env("FAKETIME", when);
        command
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("OE_CA_FILE", &ca);
        let url = format!("https://localhost:{}", peer.addr().port());
        succeeds(name, command, &["call", &url, wanted], 20);
    }
}

#[test]
fn a_reset_in_the_tls_handshake() {
    let (_, _, ca) = over_tls("reset");
    for (name, script, wanted) in [
        // The reset may be here before connecting has returned, and then nothing was ever connected.
        ("at-once", vec![Step::Reset], "OE_ERR_IO|OE_ERR_CONNECT"),
        (
            "after-hello",
            vec![Step::Read(100), Step::Reset],
            "OE_ERR_IO",
        ),
        (
            "no-tls",
            vec![
                Step::Read(100),
                Step::Send(b"SSH-2.0-x\r\n".to_vec()),
                Step::Reset,
            ],
            "OE_ERR_TLS",
        ),
    ] {
        let peer = Peer::plain(vec![script]);
        let url = format!("https://localhost:{}", peer.addr().port());
        let mut command = Command::new(cases());
        command.env("OE_CA_FILE", &ca);
        succeeds(&format!("tls-{name}"), command, &["call", &url, wanted], 20);
    }
}

/// A service over TLS whose certificate is good, and the file with its authority.
fn over_tls(name: &str) -> (Peer, String, PathBuf) {
    let authority = Authority::new("Tests");
    let ca = scratch("hostile").join(format!("{name}.pem"));
    std::fs::write(&ca, &authority.pem).unwrap();
    let script = vec![vec![Step::ServeJson(CONTEXT_AND_VERDICT.into())]];
    let peer = Peer::tls(authority.server(Fault::None).config(&[]), script);
    let url = format!("https://localhost:{}", peer.addr().port());
    (peer, url, ca)
}

#[test]
fn a_call_over_tls_under_valgrind() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    let (_peer, url, ca) = over_tls("valgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    valgrind.arg("--errors-for-leak-kinds=definite");
    let suppressions = source("valgrind.supp");
    valgrind.arg(format!("--suppressions={}", suppressions.display()));
    valgrind
        .arg(cases())
        .env("OE_CA_FILE", &ca)
        .env("OE_SLOW", "1");
    succeeds("valgrind", valgrind, &["call", &url, "OE_OK"], 240);
}

#[test]
fn se_11_no_key_is_left_in_memory() {
    let program = program("key.c");
    succeeds("key", Command::new(&program), &[&good().base_url()], 20);
    let (_peer, url, ca) = over_tls("key");
    let mut over_tls = Command::new(&program);
    over_tls.env("OE_CA_FILE", &ca);
    succeeds("key-tls", over_tls, &[&url], 20);
}

#[test]
fn images_are_copied_once_by_a_submit_and_never_by_a_call() {
    let count = scratch("hostile").join("count.so");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&count);
    cc.arg(root().join("benches/count.c"));
    assert!(cc.arg("-ldl").status().unwrap().success());
    let program = program("copies.c");
    let (_tls, tls_url, ca) = over_tls("copies");
    let plain = good();
    for (name, url) in [("copies", plain.base_url()), ("copies-tls", tls_url)] {
        let mut command = Command::new(&program);
        command.env("LD_PRELOAD", &count).env("OE_CA_FILE", &ca);
        succeeds(name, command, &[&url], 60);
    }
}

#[test]
fn a_hundred_thousand_calls_into_a_storm() {
    let storm = Storm::new(7);
    let program = program("storm.c");
    let args = [&*storm.base_url(), "100000"];
    let text = succeeds("storm", Command::new(program), &args, 400);
    println!("{text}");
    assert!(
        text.contains("OE_OK ") && text.contains("OE_ERR_IO "),
        "{text}"
    );
    assert!(storm.uploads() <= 100_000, "no frame is ever sent twice");
}
