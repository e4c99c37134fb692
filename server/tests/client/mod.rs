//! The simplest client there is: a connection a request.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub fn post_to(server: SocketAddr, path: &str, key: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(server).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nX-API-Key: {key}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        server,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // An early refusal may close the connection before all is written.
    drop(stream.write_all(body));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let answer = Answer::parse(&String::from_utf8_lossy(&answer));
    (answer.status, answer.body)
}

/// An answer with its head.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    /// Null where there is no JSON.
    pub body: Value,
}

impl Answer {
    fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").expect(text);
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    /// Reads one with a length from a connection that stays.
    pub fn read(stream: &mut BufReader<TcpStream>) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.to_ascii_lowercase();
        let length = length.split_once("content-length: ").map_or("0", |at| at.1);
        let length = length.split('\r').next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Answer::parse(&(head + &String::from_utf8_lossy(&body))))
    }

    pub fn error(&self) -> &str {
        self.body["ErrorType"].as_str().unwrap_or("")
    }

    pub fn retry_after(&self) -> Option<u64> {
        let after = self.head.split_once("retry-after: ")?.1;
        after.lines().next().unwrap().parse().ok()
    }

    /// Whether it is the refusal of a limit, which says when to come again.
    pub fn is_throttled(&self) -> bool {
        (self.status, self.error()) == (503, "OE_BACKEND_THROTTLED")
            && self.retry_after().is_some_and(|seconds| seconds > 0)
    }
}

/// The head of a request with a body of this length.
pub fn head(path: &str, key: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
}

pub const CREATE: &str = "/api/gadget/v1/createcontext";
pub const FORM: &str = "multipart/form-data; boundary=B";

/// A connection that stays.
pub struct Connection(pub BufReader<TcpStream>);

impl Connection {
    pub fn new(server: SocketAddr) -> Connection {
        let stream = TcpStream::connect(server).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A server that refuses early may have closed already.
        drop(self.0.get_mut().write_all(bytes));
    }

    /// None when the server has closed.
    pub fn answer(&mut self) -> Option<Answer> {
        Answer::read(&mut self.0)
    }

    pub fn call(&mut self, path: &str, key: &str, kind: &str, body: &[u8]) -> Option<Answer> {
        let head = head(path, key, kind, body.len());
        self.send(&[head.as_bytes(), body].concat());
        self.answer()
    }

    /// Creates a context: the path of its process call.
    pub fn create(&mut self, key: &str) -> String {
        let answer = self.call(CREATE, key, "application/json", b"{}").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        path_of(&answer.body, "ProcessRequestUrl")
    }

    pub fn process(&mut self, path: &str, key: &str, jpeg: &[u8]) -> Option<Answer> {
        self.call(path, key, FORM, &parts(&[jpeg]))
    }

    /// Begins an upload of which nothing more comes; the server has begun to read it.
    pub fn stall(&mut self, path: &str, key: &str) {
        let head = head(path, key, FORM, 100_000);
        let end = head.len() - 2;
        self.send(format!("{}Expect: 100-continue\r\n\r\n", &head[..end]).as_bytes());
        let mut go_on = String::new();
        while !go_on.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut go_on).unwrap(), 0, "{go_on}");
        }
        assert!(go_on.starts_with("HTTP/1.1 100 "), "{go_on}");
        self.send(b"--B\r\n\r\n");
    }
}

/// The program; a test that fails leaves none behind.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The program, listening on a port of its own choice.
pub fn program(args: &[&str]) -> (Program, SocketAddr) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_oe-process-server"));
    program.args(["--listen", "127.0.0.1:0"]).args(args);
    program.stderr(Stdio::piped());
    Program::start(&mut program)
}

impl Program {
    /// Waits until it says where it listens.
    pub fn start(command: &mut Command) -> (Program, SocketAddr) {
        let mut program = Program(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut banner = String::new();
        let mut stdout = BufReader::new(program.0.stdout.take().unwrap());
        stdout.read_line(&mut banner).unwrap();
        let server = banner.split_once("://").expect(&banner).1;
        let server = server.split(' ').next().unwrap().parse().unwrap();
        (program, server)
    }

    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// What it has logged since it was asked to end.
    pub fn log(mut self) -> String {
        let mut log = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }

    /// It ends by itself in this time when it is told to, without an error.
    pub fn ends(mut self, within: Duration) {
        self.signal("TERM");
        let start = Instant::now();
        while start.elapsed() < within {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it goes on for {within:?}");
    }
}

pub fn path_of(created: &Value, name: &str) -> String {
    let url = created[name].as_str().unwrap();
    url["http://".len()..]
        .split_once('/')
        .map(|(_, path)| format!("/{path}"))
        .unwrap()
}

pub fn parts(files: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend(b"--B\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"snapshot\"\r\n\r\n");
        body.extend_from_slice(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--B--\r\n");
    body
}

/// A context of any key.
pub struct Print {
    server: SocketAddr,
    path: String,
}

impl Print {
    pub fn new(server: SocketAddr) -> Print {
        let json = "application/json";
        let (status, created) = post_to(server, "/api/gadget/v1/createcontext", "k", json, b"{}");
        assert_eq!(status, 200, "{created}");
        Print {
            server,
            path: path_of(&created, "ProcessRequestUrl"),
        }
    }

    pub fn process(&self, jpeg: &[u8]) -> (u16, Value) {
        let kind = "multipart/form-data; boundary=B";
        post_to(self.server, &self.path, "k", kind, &parts(&[jpeg]))
    }
}
