//! The service from the wire: every documented error, both editions, multipart in all its forms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use client::{parts, path_of, post_to};
use oe_server::keys::Keys;
use oe_server::reply::Edition;
use oe_server::{Config, Running, verdicts};
use serde_json::Value;

const FRAME: &[u8] = include_bytes!("../../demo/frames/frame-01.jpg");

fn post(server: &Running, path: &str, key: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    post_to(server.addr(), path, key, kind, body)
}

fn create(server: &Running, key: &str, body: &str) -> (u16, Value) {
    let kind = "application/json; charset=utf-8";
    post(
        server,
        "/api/gadget/v1/createcontext",
        key,
        kind,
        body.as_bytes(),
    )
}

fn process(server: &Running, created: &Value, key: &str, files: &[&[u8]]) -> (u16, Value) {
    let path = path_of(created, "ProcessRequestUrl");
    post(
        server,
        &path,
        key,
        "multipart/form-data; boundary=B",
        &parts(files),
    )
}

fn start(config: Config) -> Running {
    Running::start(config).unwrap()
}

fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["ErrorType"].as_str().unwrap_or(""))
}

#[test]
fn creates_take_what_clients_in_the_field_send() {
    let server = start(Config::default());
    for body in [
        "{}",
        r#"{"WarningConfidenceLevel":null,"PauseConfidenceLevel":null}"#,
        r#"{"PauseConfidenceLevel":5}"#,
    ] {
        let (status, created) = create(&server, "k", body);
        assert_eq!(status, 200);
        assert_ne!(
            created["ProcessRequestUrl"],
            created["FallbackProcessRequestUrl"]
        );
    }
    assert_eq!(
        error(&create(&server, "k", r#"{"PauseConfidenceLevel":6}"#)),
        (400, "OE_BAD_ARGS")
    );
    assert_eq!(
        error(&create(&server, "k", "nonsense")),
        (400, "OE_ARGS_PARSE_FAILED")
    );
    assert_eq!(server.stats().creates(), 3);
}

#[test]
fn both_editions_answer_as_documented_and_contexts_are_paced() {
    let a = start(Config {
        minimum: 40,
        ..Config::default()
    });
    let (_, created) = create(&a, "k", "{}");
    let (status, verdict) = process(&a, &created, "k", &[FRAME]);
    assert_eq!(
        (status, &verdict["NextProcessIntervalSec"]),
        (200, &Value::from(40))
    );
    assert!(verdict.get("FasterInspectionSuggested").is_none());
    assert_eq!(
        error(&process(&a, &created, "k", &[FRAME])),
        (429, "OE_CONTEXT_RATE_LIMITED")
    );
    let b = start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    });
    let (_, created) = create(&b, "k", "{}");
    let path = path_of(&created, "FallbackProcessRequestUrl");
    let (status, verdict) = post(
        &b,
        &path,
        "k",
        "multipart/form-data; boundary=B",
        &parts(&[FRAME]),
    );
    assert_eq!(
        (status, &verdict["FasterInspectionSuggested"]),
        (200, &Value::from(false))
    );
    assert_eq!(
        verdict["NextProcessIntervalSec"],
        serde_json::json!({"Minimum": 5, "Recommended": 20})
    );
}

#[test]
fn images_are_checked() {
    let server = start(Config::default());
    let mut largest = FRAME.to_vec();
    largest.resize(6_291_457, 0);
    for (files, expected) in [
        (
            &[&b"\xFF\xD8\xFFgarbage"[..]][..],
            (400, "OE_IMAGE_DECODE_FAILED"),
        ),
        (&[FRAME, FRAME], (400, "OE_BAD_ARGS")),
        (&[], (400, "OE_BAD_ARGS")),
    ] {
        let (_, created) = create(&server, "k", "{}");
        assert_eq!(error(&process(&server, &created, "k", files)), expected);
    }
    let (_, created) = create(&server, "k", "{}");
    assert_eq!(process(&server, &created, "k", &[&largest]).0, 413);
    assert_eq!(
        process(&server, &created, "k", &[&largest[..6_291_456]]).0,
        200
    );
}

#[test]
fn contexts_belong_to_their_key_and_end() {
    let server = start(Config {
        context_life: Duration::from_millis(300),
        ..Config::default()
    });
    let (_, created) = create(&server, "k", "{}");
    let gone = (500, "OE_INTERNAL_ERROR");
    let answer = process(&server, &created, "other", &[FRAME]);
    assert_eq!(error(&answer), gone);
    assert_eq!(answer.1["ErrorDetails"], "Failed to get context object.");
    std::thread::sleep(Duration::from_millis(350));
    assert_eq!(error(&process(&server, &created, "k", &[FRAME])), gone);
}

#[test]
fn every_state_of_a_key_and_every_scripted_error() {
    let keys = "good\nlimited limit=1\nd disabled\np payment-failed\ni ip-restricted\n# c\n";
    let script = "{\"quality\": 3, \"score\": 60, \"warning\": true}\n{\"error\": \"OE_BACKEND_THROTTLED\", \"retry_after\": 9}\n";
    let server = start(Config {
        keys: Arc::new(Keys::parse(keys).unwrap()),
        verdicts: Arc::new(verdicts::parse(script).unwrap()),
        minimum: 0,
        ..Config::default()
    });
    for (key, expected) in [
        ("nobody", (401, "OE_INVALID_API_KEY")),
        ("d", (403, "OE_API_KEY_DISABLED")),
        ("p", (402, "OE_API_KEY_BLOCKED_PAYMENT_FAILED")),
        ("i", (403, "OE_API_KEY_IP_RESTRICTED")),
    ] {
        assert_eq!(error(&create(&server, key, "{}")), expected);
    }
    let (_, created) = create(&server, "good", "{}");
    assert_eq!(
        process(&server, &created, "good", &[FRAME]).1["PrintQuality"],
        3
    );
    assert_eq!(
        error(&process(&server, &created, "good", &[FRAME])),
        (503, "OE_BACKEND_THROTTLED")
    );
    let (_, created) = create(&server, "limited", "{}");
    assert_eq!(process(&server, &created, "limited", &[FRAME]).0, 200);
    let answer = process(&server, &created, "limited", &[FRAME]);
    assert_eq!(error(&answer), (429, "OE_FREE_USAGE_LIMIT_REACHED"));
    for bad in ["", "{\"quality\": 11}", "{\"qualty\": 1}"] {
        assert!(verdicts::parse(bad).is_err());
    }
    assert!(Keys::parse("k maybe").unwrap_err().contains("line 1"));
}

#[test]
fn neither_keys_nor_context_ids_are_logged() {
    for format in ["text", "json"] {
        let (program, server) = client::program(&["--log", format]);
        let json = "application/json; charset=utf-8";
        let path = "/api/gadget/v1/createcontext";
        let (status, created) = post_to(server, path, "SECRETKEY", json, b"{}");
        assert_eq!(status, 200);
        let path = path_of(&created, "ProcessRequestUrl");
        let kind = "multipart/form-data; boundary=B";
        assert_eq!(
            post_to(server, &path, "SECRETKEY", kind, &parts(&[FRAME])).0,
            200
        );
        program.signal("TERM");
        let log = program.log();
        assert_eq!(log.lines().count(), 2, "{log}");
        let context = created["ContextId"].as_str().unwrap();
        assert!(
            !log.contains("SECRETKEY") && !log.contains(context),
            "{log}"
        );
    }
}

/// What is not part of the image has a limit too, also where no length is stated.
#[test]
fn an_upload_without_end_is_not_taken() {
    let server = start(Config::default());
    let (_, created) = create(&server, "k", "{}");
    let path = path_of(&created, "ProcessRequestUrl");
    for before in ["x", "--B\r\nX: "] {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nContent-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{before}\r\n",
            before.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut answer = [0; 12];
        // A little lies in the buffers of the system besides what the server takes.
        let mut taken = 0;
        stream.set_nonblocking(true).unwrap();
        while taken < 64 << 20 && !matches!(stream.peek(&mut answer), Ok(1..)) {
            match stream.write(&chunk.as_bytes()[taken % chunk.len()..]) {
                Ok(n) => taken += n,
                Err(why) if why.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(_) => break,
            }
        }
        assert!(taken < 32 << 20, "{taken}");
        assert!(taken > 4 << 20, "{taken}");
    }
    assert_eq!(process(&server, &created, "k", &[FRAME]).0, 200);
}

/// Files that have no end, for every option that names one.
#[cfg(target_os = "linux")]
#[test]
fn every_file_that_is_read_has_a_limit() {
    for args in [
        &["--keys", "/dev/zero"][..],
        &["--verdicts", "/dev/zero"],
        &["--tls-cert", "/dev/zero", "--tls-key", "/dev/null"],
        &["--tls-cert", "/dev/null", "--tls-key", "/dev/zero"],
        #[cfg(feature = "embedded")]
        &["--model", "/dev/zero"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
        program.args(["--listen", "127.0.0.1:0"]).args(args);
        let output = oe_test_support::library::run(&mut program, Duration::from_secs(60));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(
            text.contains("/dev/zero: longer than 67108864 bytes"),
            "{args:?}: {text}"
        );
    }
}

/// The manual page has every option of the program, and no other.
#[test]
fn the_manual_page_is_the_programs() {
    let program = env!("CARGO_BIN_EXE_oe-process-server");
    let help = Command::new(program).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let page = include_str!("../packaging/oe-process-server.8").replace('\\', "");
    let options = |text: &str| {
        let letters = |c: char| c.is_ascii_lowercase() || c == '-';
        let mut found: Vec<String> = text
            .split(|c| !letters(c))
            .filter(|word| word.starts_with("--") && word.len() > 2)
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    };
    assert!(options(&help).len() > 10, "{help}");
    assert_eq!(options(&help), options(&page));
}

#[test]
fn without_a_list_of_keys_none_is_needed() {
    let server = start(Config::default());
    let (status, created) = create(&server, "", "{}");
    assert_eq!(status, 200);
    assert_eq!(process(&server, &created, "", &[FRAME]).0, 200);
    let server = start(Config {
        keys: Arc::new(Keys::parse("good").unwrap()),
        ..Config::default()
    });
    for none in ["", " "] {
        let refused = create(&server, none, "{}");
        assert_eq!(error(&refused), (401, "OE_INVALID_API_KEY"));
    }
}
