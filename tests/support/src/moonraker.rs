//! Stand-ins for what a Klipper host has: Moonraker's HTTP API, as far as an agent needs it, and a
//! webcam that shows real frames in every way a webcam can be trouble.
//!
//! Paths and answers are those of Moonraker's public API documentation.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Takes connections until it is dropped; each gets a thread and brings one request.
struct Server {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl Server {
    /// `answer` gets the request line.
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, answer) = (Arc::clone(&stopping), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    let mut stream = stream;
                    if let Some(line) = read_request(&mut stream) {
                        answer(&line, &mut stream);
                    }
                });
            }
        });
        Server { address, stopping }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// The first line of a request whose head has arrived.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            got => head.extend_from_slice(&buffer[..got]),
        }
    }
    String::from_utf8_lossy(&head)
        .lines()
        .next()
        .map(str::to_owned)
}

fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    drop(stream.write_all(head.as_bytes()));
    drop(stream.write_all(body));
}

/// What the printer does, and what was asked of it.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// `print_stats.state`.
    pub state: String,
    /// `print_stats.filename`.
    pub file: String,
    /// `print_stats.print_duration`.
    pub printed_sec: f64,
    /// This many pause commands fail.
    pub refused_pauses: u32,
    /// Nothing is answered.
    pub gone: bool,
    /// Klipper is restarting: Moonraker answers 503.
    pub restarting: bool,
    /// Pause commands that came, refused ones too.
    pub pauses: u32,
    /// G-code scripts that came.
    pub scripts: Vec<String>,
}

/// A printer behind Moonraker.
pub struct Printer {
    job: Arc<Mutex<Job>>,
    server: Server,
}

impl Printer {
    /// One that stands by.
    #[must_use]
    pub fn start() -> Printer {
        let job = Arc::new(Mutex::new(Job {
            state: "standby".into(),
            ..Job::default()
        }));
        let shared = Arc::clone(&job);
        let server = Server::start(move |line, stream| answer(&shared, line, stream));
        Printer { job, server }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it does now.
    #[must_use]
    pub fn job(&self) -> Job {
        self.lock().clone()
    }

    /// Changes what it does.
    pub fn set(&self, change: impl FnOnce(&mut Job)) {
        change(&mut self.lock());
    }

    /// Prints a file, or goes on with it.
    pub fn print(&self, file: &str) {
        self.set(|job| {
            job.state = "printing".into();
            job.file = file.into();
            job.printed_sec += 1.0;
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Job> {
        self.job.lock().expect("no panic while it is held")
    }
}

fn answer(job: &Mutex<Job>, line: &str, stream: &mut TcpStream) {
    let mut job = job.lock().expect("no panic while it is held");
    if job.gone {
        return;
    }
    let ok = br#"{"result": "ok"}"#;
    let json = "application/json; charset=UTF-8";
    if job.restarting {
        let body = br#"{"error": {"code": 503, "message": "Klippy Host not connected"}}"#;
        respond(stream, "503 Service Unavailable", json, body);
    } else if line.starts_with("GET /printer/objects/query?print_stats") {
        let body = format!(
            r#"{{"result": {{"eventtime": 578243.57, "status": {{"print_stats": {{"filename": "{}", "total_duration": {d}, "print_duration": {d}, "filament_used": 1.5, "state": "{}", "message": ""}}}}}}}}"#,
            job.file,
            job.state,
            d = job.printed_sec
        );
        respond(stream, "200 OK", json, body.as_bytes());
    } else if line.starts_with("POST /printer/print/pause ") {
        job.pauses += 1;
        if job.refused_pauses > 0 {
            job.refused_pauses -= 1;
            respond(stream, "400 Bad Request", json, b"{}");
        } else {
            job.state = "paused".into();
            respond(stream, "200 OK", json, ok);
        }
    } else if let Some(script) = line.strip_prefix("POST /printer/gcode/script?script=") {
        job.scripts
            .push(script.split(' ').next().unwrap_or("").to_owned());
        respond(stream, "200 OK", json, ok);
    } else {
        respond(stream, "404 Not Found", json, b"{}");
    }
}

/// How a webcam answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One picture, `image/jpeg`.
    Snapshot,
    /// An endless stream with lengths and time stamps.
    Stream,
    /// An endless stream without lengths, its boundary quoted and without the leading dashes.
    OddStream,
    /// An error page.
    NotFound,
    /// A page that says it is one, with 200.
    Page,
    /// A picture with nothing in it.
    Empty,
    /// More bytes than any picture may have.
    TooLarge,
    /// A byte a second.
    Slow,
    /// The connection is closed at once.
    Closed,
    /// The same picture again and again.
    Frozen,
}

/// A webcam over the frames of a folder.
pub struct Camera {
    mode: Arc<Mutex<Mode>>,
    served: Arc<AtomicUsize>,
    server: Server,
}

impl Camera {
    /// One that shows the folder's pictures in turn.
    #[must_use]
    pub fn start(folder: &Path) -> Camera {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder with pictures")
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        let frames: Vec<Vec<u8>> = files.iter().flat_map(std::fs::read).collect();
        assert!(!frames.is_empty(), "pictures in {}", folder.display());
        let mode = Arc::new(Mutex::new(Mode::Snapshot));
        let served = Arc::new(AtomicUsize::new(0));
        let (now, count) = (Arc::clone(&mode), Arc::clone(&served));
        let server = Server::start(move |_, stream| {
            let mode = *now.lock().expect("no panic while it is held");
            let nth = count.fetch_add(1, Ordering::SeqCst);
            show(mode, &frames, nth, stream);
        });
        Camera {
            mode,
            served,
            server,
        }
    }

    /// Where its picture is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/webcam/?action=snapshot", self.server.url())
    }

    /// Changes how it answers.
    pub fn set(&self, mode: Mode) {
        *self.mode.lock().expect("no panic while it is held") = mode;
    }

    /// How often it was asked.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// A picture unlike any other: with a comment of its own.
fn nth_picture(frames: &[Vec<u8>], nth: usize) -> Vec<u8> {
    let mut picture = frames[nth % frames.len()].clone();
    let comment = [&[0xFF, 0xFE, 0, 10][..], &(nth as u64).to_be_bytes()].concat();
    picture.splice(2..2, comment);
    picture
}

fn show(mode: Mode, frames: &[Vec<u8>], nth: usize, stream: &mut TcpStream) {
    let picture = nth_picture(frames, nth);
    match mode {
        Mode::Snapshot => respond(stream, "200 OK", "image/jpeg", &picture),
        Mode::Frozen => respond(stream, "200 OK", "image/jpeg", &frames[0]),
        Mode::NotFound => respond(stream, "404 Not Found", "text/html", b"<html>no</html>"),
        Mode::Page => respond(stream, "200 OK", "text/html", b"<html>a camera</html>"),
        Mode::Empty => respond(stream, "200 OK", "image/jpeg", b""),
        Mode::Closed => {}
        Mode::TooLarge => {
            let mut bytes = picture;
            bytes.resize(7 * 1024 * 1024, 0);
            respond(stream, "200 OK", "image/jpeg", &bytes);
        }
        Mode::Slow => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"));
            for byte in &picture {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        Mode::Stream | Mode::OddStream => stream_pictures(mode, frames, nth, stream),
    }
}

/// Pictures until nobody takes them any more.
fn stream_pictures(mode: Mode, frames: &[Vec<u8>], nth: usize, stream: &mut TcpStream) {
    let odd = mode == Mode::OddStream;
    let boundary = if odd {
        "\"frame\""
    } else {
        "--boundarydonotcross"
    };
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={boundary}\r\n\r\n"
    );
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    for n in nth.. {
        let picture = nth_picture(frames, n);
        let part = if odd {
            "\r\nframe\r\nContent-Type: image/jpeg\r\n\r\n".to_owned()
        } else {
            format!(
                "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {n}.5\r\n\r\n",
                picture.len()
            )
        };
        let sent = stream
            .write_all(part.as_bytes())
            .and_then(|()| stream.write_all(&picture))
            .and_then(|()| stream.write_all(b"\r\n"));
        if sent.is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
