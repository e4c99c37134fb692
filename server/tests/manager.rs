//! What the program and a service manager tell each other: readiness, reloads, credentials.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod client;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use client::{CREATE, Connection, Program};
use oe_test_support::certs::{Authority, Fault};
use oe_test_support::library::scratch;

/// The program, with these options, as a manager would start it.
fn server(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
    command.args(["--listen", "127.0.0.1:0"]).args(options);
    command.stderr(Stdio::piped());
    command
}

fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn new(socket: &Path) -> Manager {
        let socket = UnixDatagram::bind(socket).unwrap();
        let patience = Some(Duration::from_secs(20));
        socket.set_read_timeout(patience).unwrap();
        Manager(socket)
    }

    fn next(&self) -> String {
        let mut message = [0; 4_096];
        let len = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..len].to_vec()).unwrap()
    }
}

fn create(server: SocketAddr, key: &str) -> u16 {
    let mut connection = Connection::new(server);
    let answer = connection.call(CREATE, key, "application/json", b"{}");
    answer.unwrap().status
}

#[test]
fn it_says_when_it_is_ready_reloads_and_ends() {
    let folder = folder("manager-says");
    let (socket, keys) = (folder.join("notify"), folder.join("keys"));
    std::fs::write(&keys, "k\n").unwrap();
    let manager = Manager::new(&socket);
    let mut command = server(&["--keys", keys.to_str().unwrap()]);
    let (program, address) = Program::start(command.env("NOTIFY_SOCKET", &socket));
    let status = format!("STATUS=http://{address}, remembers nothing over a restart");
    let ready = manager.next();
    assert!(ready.starts_with("READY=1\n"), "{ready}");
    assert!(ready.contains(&status), "{ready}");

    std::fs::write(&keys, "new\n").unwrap();
    program.signal("HUP");
    let reloading = manager.next();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    let ready = manager.next();
    assert!(
        ready.starts_with("READY=1\n") && ready.contains(&status),
        "{ready}"
    );
    assert_eq!((create(address, "k"), create(address, "new")), (401, 200));

    std::fs::write(&keys, "new maybe\n").unwrap();
    program.signal("HUP");
    assert!(manager.next().starts_with("RELOADING=1\n"));
    let ready = manager.next();
    assert!(
        ready.starts_with("READY=1\n") && ready.contains("nothing is reloaded"),
        "{ready}"
    );

    program.signal("TERM");
    assert!(manager.next().starts_with("STOPPING=1\n"));
    program.ends(Duration::from_secs(10));
}

#[test]
fn a_start_that_fails_is_not_ready() {
    let folder = folder("manager-fails");
    let socket = folder.join("notify");
    let manager = Manager::new(&socket);
    let mut command = server(&["--keys", "/nowhere/keys"]);
    let output = command.env("NOTIFY_SOCKET", &socket).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    manager.0.set_nonblocking(true).unwrap();
    assert!(manager.0.recv(&mut [0; 1]).is_err());
}

#[test]
fn credentials_are_taken_where_no_option_names_a_file() {
    let folder = folder("credentials");
    let pair = Authority::new("Credentials").server(Fault::None);
    std::fs::write(folder.join("keys"), "given\n").unwrap();
    // Others may read it: as credentials nobody else gets at them.
    let (program, address) = Program::start(server(&[]).env("CREDENTIALS_DIRECTORY", &folder));
    assert_eq!((create(address, "given"), create(address, "k")), (200, 401));
    program.signal("TERM");
    let log = program.log();
    assert!(!log.contains("event=warning"), "{log}");

    let named = folder.join("named");
    std::fs::write(&named, "named\n").unwrap();
    let mut command = server(&["--keys", named.to_str().unwrap()]);
    let (program, address) = Program::start(command.env("CREDENTIALS_DIRECTORY", &folder));
    assert_eq!(
        (create(address, "named"), create(address, "given")),
        (200, 401)
    );
    program.ends(Duration::from_secs(10));

    // A certificate without its key is a mistake, and no reason to serve without TLS.
    std::fs::write(folder.join("tls-cert"), pair.cert_pem).unwrap();
    let output = server(&[]).env("CREDENTIALS_DIRECTORY", &folder).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("tls-key") && output.status.code() == Some(2),
        "{said}"
    );
    std::fs::write(folder.join("tls-key"), pair.key_pem).unwrap();
    let mut command = server(&[]);
    command.env("CREDENTIALS_DIRECTORY", &folder);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut banner = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut banner).unwrap();
    Program(child).ends(Duration::from_secs(10));
    assert!(banner.contains("https://"), "{banner}");
}

#[test]
fn a_secret_that_others_may_read_is_told_once() {
    let folder = folder("exposed");
    let keys = folder.join("keys");
    std::fs::write(&keys, "k\n").unwrap();
    let set = |mode| std::fs::set_permissions(&keys, PermissionsExt::from_mode(mode)).unwrap();
    for (mode, told) in [(0o640, 1), (0o604, 1), (0o600, 0), (0o400, 0)] {
        set(mode);
        let (program, _) = Program::start(&mut server(&["--keys", keys.to_str().unwrap()]));
        program.signal("HUP");
        std::thread::sleep(Duration::from_millis(300));
        program.signal("TERM");
        let log = program.log();
        let line = format!("event=warning file={keys:?}");
        assert_eq!(log.matches(&line).count(), told, "{mode:o}: {log}");
    }
}
