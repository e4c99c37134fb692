//! What the program remembers: over a kill, a restart, and where nothing can be written.
#![cfg(all(unix, feature = "embedded"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use client::{Connection, Program};
use oe_test_support::library::scratch;
use serde_json::Value;

const TANGLE: [&[u8]; 2] = [
    include_bytes!("../../demo/frames/frame-11.jpg"),
    include_bytes!("../../demo/frames/frame-12.jpg"),
];
const FINE: &[u8] = include_bytes!("../../demo/frames/frame-01.jpg");

fn start(listen: &str, state: Option<&Path>) -> (Program, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
    command.args(["--listen", listen, "--edition", "b", "--minimum", "0"]);
    command.env_remove("STATE_DIRECTORY").stderr(Stdio::piped());
    if let Some(folder) = state {
        command.arg("--state").arg(folder);
    }
    Program::start(&mut command)
}

fn health(server: SocketAddr) -> Value {
    let mut stream = TcpStream::connect(server).unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut connection = Connection(std::io::BufReader::new(stream));
    connection.answer().unwrap().body
}

fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    drop(std::fs::remove_dir_all(&folder));
    folder
}

/// A second has the last transaction, and another for a machine that is busy.
fn written() {
    std::thread::sleep(Duration::from_millis(2_500));
}

#[test]
fn a_print_goes_on_after_a_kill_with_what_was_believed() {
    let folder = folder("state-kill");
    let (mut program, server) = start("127.0.0.1:0", Some(&folder));
    let mut connection = Connection::new(server);
    let path = connection.create("k");
    let scores: Vec<_> = (0..12)
        .map(|n| {
            let answer = connection.process(&path, "k", TANGLE[n % 2]).unwrap();
            // Pictures so near in time say little each.
            std::thread::sleep(Duration::from_millis(400));
            answer.body["Score"].as_u64().unwrap()
        })
        .collect();
    let before = *scores.last().unwrap();
    assert!(before > 20, "{scores:?}");
    let later = connection.create("k");
    written();
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    let (program, server) = start(&server.to_string(), Some(&folder));
    assert_eq!(health(server)["State"], "kept");
    let mut connection = Connection::new(server);
    let after = connection.process(&path, "k", FINE).unwrap();
    assert_eq!(after.status, 200, "{after:?}");
    let score = after.body["Score"].as_u64().unwrap();
    let fresh = connection.create("k");
    let fresh = connection.process(&fresh, "k", FINE).unwrap();
    let fresh = fresh.body["Score"].as_u64().unwrap();
    assert!(
        score > fresh + 5,
        "{score} after {before}, of a new one {fresh}"
    );
    // One that was only created is there too, and another's key opens none.
    assert_eq!(connection.process(&later, "k", FINE).unwrap().status, 200);
    assert_eq!(
        connection.process(&path, "other", FINE).unwrap().status,
        500
    );
    program.ends(Duration::from_secs(10));
}

#[test]
fn an_orderly_end_writes_all_there_is() {
    let folder = folder("state-end");
    let (program, server) = start("127.0.0.1:0", Some(&folder));
    let mut connection = Connection::new(server);
    let path = connection.create("k");
    connection.process(&path, "k", FINE).unwrap();
    program.ends(Duration::from_secs(10));
    let (_program, server) = start("127.0.0.1:0", Some(&folder));
    let mut connection = Connection::new(server);
    assert_eq!(connection.process(&path, "k", FINE).unwrap().status, 200);
}

#[test]
fn without_a_folder_all_is_forgotten_and_it_says_so() {
    let (mut program, server) = start("127.0.0.1:0", None);
    let path = Connection::new(server).create("k");
    assert_eq!(health(server)["State"], "memory");
    program.0.kill().unwrap();
    program.0.wait().unwrap();
    let (_program, server) = start("127.0.0.1:0", None);
    let answer = Connection::new(server).process(&path, "k", FINE).unwrap();
    assert_eq!(answer.body["ErrorDetails"], "Failed to get context object.");
}

/// A file where the folder should be: as root, nothing else cannot be written.
#[test]
fn where_nothing_can_be_written_it_works_and_says_so() {
    let place = folder("state-none");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "a file").unwrap();
    let (program, server) = start("127.0.0.1:0", Some(&place));
    let mut connection = Connection::new(server);
    let path = connection.create("k");
    assert_eq!(connection.process(&path, "k", FINE).unwrap().status, 200);
    let told = health(server);
    assert_eq!(
        (&told["Status"], &told["State"]),
        (&"ok".into(), &"failing".into())
    );
    let why = told["StateProblem"].as_str().unwrap();
    assert!(why.contains("state-none"), "{why}");
    std::thread::sleep(Duration::from_millis(1_500));
    program.signal("TERM");
    let log = program.log();
    assert_eq!(log.matches("event=state word=failing").count(), 1, "{log}");
    std::fs::remove_file(&place).unwrap();
}
