//! The simplest client there is: a connection a request.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

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
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
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
