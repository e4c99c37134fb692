//! How the program runs for long: connections, signals, a log that nobody reads, its health.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{CREATE, Connection, Program, program};
use oe_server::keys::Keys;
use oe_server::{Clock, Config, Limits, Running};
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::library::scratch;

const FRAME: &[u8] = include_bytes!("../../demo/frames/frame-01.jpg");
const JSON: &str = "application/json";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn create(server: SocketAddr, key: &str) -> u16 {
    let mut connection = Connection::new(server);
    connection.call(CREATE, key, JSON, b"{}").unwrap().status
}

/// More lines than a pipe holds, and nobody reads them.
#[test]
fn a_full_stderr_holds_nobody_up() {
    for format in ["text", "json"] {
        let (program, server) = program(&["--log", format, "--max-creates", "100000"]);
        let mut connection = Connection::new(server);
        for _ in 0..7_000 {
            connection.create("k");
        }
        program.ends(Duration::from_secs(10));
    }
}

#[test]
fn a_closed_stderr_stops_nothing() {
    let (mut program, server) = program(&[]);
    drop(program.0.stderr.take());
    for _ in 0..10 {
        assert_eq!(create(server, "k"), 200);
    }
    program.ends(Duration::from_secs(10));
}

#[test]
fn an_idle_connection_does_not_delay_the_end() {
    let (program, server) = program(&["--log", "off"]);
    let mut idle = Connection::new(server);
    idle.create("k");
    let _silent = Connection::new(server);
    program.ends(Duration::from_secs(3));
}

#[test]
fn a_hang_up_reads_the_keys_again() {
    let keys = scratch("hang-up").join("keys");
    std::fs::write(&keys, "\u{FEFF}old name=left limit=1\n").unwrap();
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o600)).unwrap();
    let (mut program, server) = program(&["--minimum", "0", "--keys", keys.to_str().unwrap()]);
    let mut log = BufReader::new(program.0.stderr.take().unwrap()).lines();
    let mut next = || log.next().unwrap().unwrap();
    let mut connection = Connection::new(server);
    let path = connection.create("old");
    assert!(next().starts_with("call=create key=left status=200"));
    assert_eq!(connection.process(&path, "old", FRAME).unwrap().status, 200);
    assert!(next().starts_with("call=process key=left ctx=1 status=200"));
    assert_eq!(create(server, "new"), 401);
    next();
    // What cannot be read changes nothing.
    std::fs::write(&keys, "new maybe\n").unwrap();
    program.signal("HUP");
    let why = next();
    assert!(
        why.contains("nothing is reloaded") && why.contains("line 1"),
        "{why}"
    );
    assert_eq!(create(server, "new"), 401);
    next();
    std::fs::write(&keys, "new\nold limit=1\n").unwrap();
    program.signal("HUP");
    assert_eq!(next(), "event=reload");
    assert_eq!(create(server, "new"), 200);
    // The print goes on, and so does what its key has used.
    let used_up = Connection::new(server)
        .process(&path, "old", FRAME)
        .unwrap();
    assert_eq!(
        (used_up.status, used_up.error()),
        (429, "OE_FREE_USAGE_LIMIT_REACHED")
    );
    program.ends(Duration::from_secs(10));
}

#[test]
fn a_hang_up_takes_the_new_certificate() {
    let folder = scratch("certificates");
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    let write = |authority: &Authority| {
        let pair = authority.server(Fault::None);
        std::fs::write(&cert, pair.cert_pem).unwrap();
        std::fs::write(&key, pair.key_pem).unwrap();
    };
    let [old, new] = ["Old", "New"].map(Authority::new);
    write(&old);
    let (mut program, server) = program(&[
        "--tls-cert",
        cert.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ]);
    let mut log = BufReader::new(program.0.stderr.take().unwrap());
    assert!(trusts(&old, server, &folder) && !trusts(&new, server, &folder));
    write(&new);
    program.signal("HUP");
    let mut line = String::new();
    while !line.contains("event=reload") {
        line.clear();
        log.read_line(&mut line).unwrap();
    }
    assert!(trusts(&new, server, &folder) && !trusts(&old, server, &folder));
    program.ends(Duration::from_secs(10));
}

/// Whether a client that trusts this authority gets an answer.
fn trusts(authority: &Authority, server: SocketAddr, folder: &std::path::Path) -> bool {
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--cacert"]).arg(ca);
    let output = curl.arg(format!("https://localhost:{}/healthz", server.port()));
    let output = output.args([
        "--resolve",
        &format!("localhost:{}:127.0.0.1", server.port()),
    ]);
    output
        .stderr(Stdio::null())
        .output()
        .unwrap()
        .status
        .success()
}

/// Fewer descriptors than clients: those that have been idle the longest give theirs up.
#[test]
fn when_descriptors_run_out_the_oldest_idle_goes() {
    let server = env!("CARGO_BIN_EXE_oe-process-server");
    let line = format!("ulimit -n 64; exec {server} --listen 127.0.0.1:0 --log off");
    let script = scratch("descriptors").join("script.sh");
    std::fs::write(&script, line).unwrap();
    let (program, server) = Program::start(Command::new("sh").arg(script));
    let mut used = Connection::new(server);
    let mut idle: Vec<Connection> = Vec::new();
    for n in 0..120 {
        let mut connection = Connection::new(server);
        connection.create("k");
        idle.push(connection);
        // One that is used does not become the oldest.
        if n % 10 == 0 {
            used.create("k");
        }
    }
    used.create("k");
    let closed = idle.iter_mut().map(|one| {
        let stream = one.0.get_mut();
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        matches!(stream.read(&mut [0; 1]), Ok(0))
    });
    let closed: Vec<_> = closed.collect();
    let open = closed.iter().filter(|closed| !**closed).count();
    assert!((20..60).contains(&open), "{open} of 120 stay");
    let first_open = closed.iter().position(|closed| !closed).unwrap();
    assert!(
        closed[first_open..].iter().all(|closed| !closed),
        "{closed:?}"
    );
    program.ends(Duration::from_secs(10));
}

fn health(server: SocketAddr, method: &str) -> (u16, String) {
    let mut connection = Connection::new(server);
    let head = format!("{method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.send(head.as_bytes());
    let mut answer = String::new();
    connection.0.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn health_in_a_word() {
    let clock = Clock::manual();
    let server = Running::start(Config {
        limits: Limits {
            uploads: 1,
            ..Limits::default()
        },
        clock: clock.clone(),
        minimum: 0,
        ..Config::default()
    });
    let server = server.unwrap();
    let ok = (200, r#"{"State":"memory","Status":"ok"}"#.to_owned());
    assert_eq!(health(server.addr(), "GET"), ok);
    assert_eq!(health(server.addr(), "HEAD"), (200, String::new()));
    let mut stalled = Connection::new(server.addr());
    let path = stalled.create("k");
    stalled.stall(&path, "k");
    // It has been seen to be full for less than a minute, and then for a minute.
    std::thread::sleep(Duration::from_millis(1_500));
    clock.advance(Duration::from_secs(59));
    assert_eq!(health(server.addr(), "GET"), ok);
    clock.advance(Duration::from_secs(1));
    let full = (503, r#"{"State":"memory","Status":"full"}"#.to_owned());
    assert_eq!(health(server.addr(), "GET"), full);
    drop(stalled);
    until("it recovers", || health(server.addr(), "GET") == ok);
}

/// The disk fills while it runs: prints go on, and how it is with the state is told until there is room.
#[test]
fn a_state_without_room_is_told_until_there_is_some() {
    let folder = scratch("no-room");
    drop(std::fs::remove_dir_all(&folder));
    let clock = Clock::manual();
    let server = Running::start(Config {
        state: Some(folder),
        history: oe_server::store::Limits {
            // Half of what 400 prints take, however they come; twice what 101 do.
            bytes: 80 << 10,
            ..Default::default()
        },
        context_life: Duration::from_secs(100),
        clock: clock.clone(),
        minimum: 0,
        ..Config::default()
    });
    let server = server.unwrap();
    let mut connection = Connection::new(server.addr());
    for _ in 0..400 {
        connection.create("k");
    }
    let told = |word: &str| {
        let (status, body) = health(server.addr(), "GET");
        assert_eq!(status, 200, "{body}");
        body.contains(&format!(r#""State":"{word}""#))
    };
    until("it is full", || told("failing"));
    let (_, body) = health(server.addr(), "GET");
    assert!(body.contains("full"), "{body}");
    let path = connection.create("k");
    assert_eq!(connection.process(&path, "k", FRAME).unwrap().status, 200);
    clock.advance(Duration::from_secs(100));
    for _ in 0..101 {
        connection.create("k");
    }
    until("it recovers", || told("kept"));
}

#[test]
fn each_key_and_each_path_has_its_edition() {
    let keys = "a edition=a\nb edition=b\nnone\n";
    let server = Running::start(Config {
        keys: Arc::new(Keys::parse(keys).unwrap()),
        minimum: 0,
        ..Config::default()
    });
    let server = server.unwrap();
    let mut connection = Connection::new(server.addr());
    for (prefix, key, is_object) in [
        ("", "none", false),
        ("", "a", false),
        ("", "b", true),
        ("/a", "b", false),
        ("/b", "a", true),
        ("/b", "none", true),
    ] {
        let path = format!("{prefix}{CREATE}");
        let created = connection.call(&path, key, JSON, b"{}").unwrap().body;
        for name in ["ProcessRequestUrl", "FallbackProcessRequestUrl"] {
            let path = client::path_of(&created, name);
            assert!(path.starts_with(&format!("{prefix}/api/")), "{path}");
            let verdict = connection.process(&path, key, FRAME).unwrap().body;
            let interval = &verdict["NextProcessIntervalSec"];
            assert_eq!(interval.is_object(), is_object, "{prefix} {key} {verdict}");
        }
    }
}

/// What a script says of places and of blind pictures is what a client reads.
#[test]
fn blind_and_place_are_on_the_wire_where_they_are_something() {
    let script = "{}\n{\"blind\": true}\n{\"place\": [1, 2, 300, 400], \"score\": 90}\n";
    let server = Running::start(Config {
        minimum: 0,
        ..Config::scripted(script).unwrap()
    });
    let server = server.unwrap();
    let mut connection = Connection::new(server.addr());
    let path = connection.create("k");
    let verdicts = [(); 3].map(|()| connection.process(&path, "k", FRAME).unwrap().body);
    assert!(verdicts[0].get("Blind").is_none() && verdicts[0].get("Place").is_none());
    assert_eq!(verdicts[1]["Blind"], true);
    assert_eq!(verdicts[2]["Place"], serde_json::json!([1, 2, 300, 400]));
    for bad in [
        "[1, 2, 3]",
        "[1, 2, 0, 4]",
        "[900, 2, 101, 4]",
        "[-1, 2, 3, 4]",
    ] {
        let script = format!("{{\"place\": {bad}}}");
        assert!(Config::scripted(&script).is_err(), "{bad}");
    }
}

#[test]
fn intervals_are_checked() {
    for args in [
        ["--minimum", "1209601"],
        ["--minimum", "4294967295"],
        ["--minimum", "-1"],
        ["--recommended", "1209601"],
        ["--upload-memory", "6"],
        ["--max-header", "8191"],
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
        let output = program
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{args:?}");
    }
    let (program, server) = program(&["--minimum", "1209600", "--edition", "b"]);
    let mut connection = Connection::new(server);
    let path = connection.create("k");
    let verdict = connection.process(&path, "k", FRAME).unwrap().body;
    assert_eq!(verdict["NextProcessIntervalSec"]["Recommended"], 1_209_600);
    program.ends(Duration::from_secs(10));
}

#[test]
fn a_name_is_listened_on_at_each_of_its_addresses() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
    let file = scratch("listen").join("port");
    // Of a run before.
    drop(std::fs::remove_file(&file));
    program.args(["--listen", "localhost:0", "--log", "off", "--port-file"]);
    let (program, _) = Program::start(program.arg(&file));
    let mut text = String::new();
    until("it says where", || {
        text = std::fs::read_to_string(&file).unwrap_or_default();
        !text.is_empty()
    });
    let bound: SocketAddr = text.parse().unwrap();
    for address in oe_server::listen::parse("localhost:0").unwrap() {
        // A machine may have a name for an address that it does not have.
        if std::net::TcpListener::bind(address).is_err() {
            continue;
        }
        let address = SocketAddr::new(address.ip(), bound.port());
        assert_eq!(create(address, "k"), 200, "{address}");
    }
    program.ends(Duration::from_secs(10));
}
