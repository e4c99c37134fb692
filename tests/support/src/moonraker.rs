//! Stand-ins for what a Klipper host has: Moonraker's HTTP API, as far as an agent needs it, and a
//! webcam that shows real frames in every way a webcam can be trouble.
//!
//! Paths and answers are those of Moonraker's public API documentation.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Answer = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// Takes connections until it is closed; each gets a thread and brings one request.
struct Server {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    answer: Arc<Answer>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// `answer` gets the request's head.
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Server {
            address: listener.local_addr().expect("an address"),
            stopping: Arc::default(),
            answer: Arc::new(answer),
            listening: Mutex::default(),
        };
        server.listen(listener);
        server
    }

    fn listen(&self, listener: TcpListener) {
        self.stopping.store(false, Ordering::SeqCst);
        let (stop, answer) = (Arc::clone(&self.stopping), Arc::clone(&self.answer));
        let thread = std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || {
                    if let Some(head) = read_request(&mut stream) {
                        answer(&head, &mut stream);
                    }
                });
            }
        });
        *self.listening.lock().expect("no panic while it is held") = Some(thread);
    }

    /// From here on nobody listens on its port.
    fn close(&self) {
        let listening = self.listening.lock().expect("no panic").take();
        if let Some(listening) = listening {
            self.stopping.store(true, Ordering::SeqCst);
            drop(TcpStream::connect(self.address));
            drop(listening.join());
        }
    }

    /// Listens again, on the same port.
    fn open(&self) {
        self.listen(TcpListener::bind(self.address).expect("the port is still free"));
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// The head of a request; there is no body in any that is expected here.
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
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn respond(stream: &mut TcpStream, status: &str, more: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\n{more}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
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
    /// When the print began, for `print_stats.total_duration`; in no print it is 0.
    pub begun: Option<Instant>,
    /// The key that requests must have.
    pub key: Option<String>,
    /// This many pause commands fail.
    pub refused_pauses: u32,
    /// The answer to a pause command that fails.
    pub refusal: Option<&'static str>,
    /// How long a pause command takes: after half of it the printer is paused, after all of it the
    /// command is answered. So does Moonraker when Klipper is busy and then parks.
    pub pausing: Duration,
    /// A connection is closed without an answer.
    pub gone: bool,
    /// Klipper is restarting: Moonraker answers 503.
    pub restarting: bool,
    /// Klipper's own state; "" is ready.
    pub klipper: &'static str,
    /// Sections that `printer.cfg` has not.
    pub missing: Vec<&'static str>,
    /// The variable of the agent's macro.
    pub muted: bool,
    /// The cameras of the web interface, as JSON.
    pub webcams: String,
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
        let server = Server::start(move |head, stream| answer(&shared, head, stream));
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
        lock(&self.job).clone()
    }

    /// Changes what it does.
    pub fn set(&self, change: impl FnOnce(&mut Job)) {
        change(&mut lock(&self.job));
    }

    /// Begins to print a file, that of before too.
    pub fn print(&self, file: &str) {
        self.set(|job| {
            job.state = "printing".into();
            job.file = file.into();
            job.begun = Some(Instant::now());
        });
    }

    /// The user pauses the print.
    pub fn pause(&self) {
        self.set(|job| job.state = "paused".into());
    }

    /// The user lets it go on.
    pub fn resume(&self) {
        self.set(|job| job.state = "printing".into());
    }

    /// The print ends: `complete`, `cancelled`, `error`, `standby`.
    pub fn end(&self, state: &str) {
        self.set(|job| {
            job.state = state.into();
            job.begun = None;
        });
    }

    /// Moonraker is gone: its port is closed.
    pub fn vanish(&self) {
        self.server.close();
    }

    /// It is back.
    pub fn come_back(&self) {
        self.server.open();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is held")
}

/// A text in JSON, with everything escaped that may be.
fn json_text(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| match unit {
        0x20 | 0x2D..=0x39 | 0x41..=0x5A | 0x61..=0x7A => char::from(unit as u8).to_string(),
        _ => format!("\\u{unit:04x}"),
    });
    format!("\"{}\"", units.collect::<String>())
}

/// The objects that were asked for. Of one that Klipper does not have, a member that was asked for is null.
fn status(job: &Job, line: &str) -> String {
    let total = job.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
    let mut objects = format!(
        r#""print_stats": {{"filename": {}, "total_duration": {total}, "print_duration": {}, "filament_used": 1.5, "state": "{}", "message": "", "info": {{"total_layer": null, "current_layer": null}}}}"#,
        json_text(&job.file),
        total / 2.0,
        job.state,
    );
    let klipper = if job.klipper.is_empty() {
        "ready"
    } else {
        job.klipper
    };
    let is_paused = (job.state == "paused").to_string();
    let state = format!("\"{klipper}\"");
    let muted = job.muted.to_string();
    for (name, query, member, value) in [
        ("webhooks", "&webhooks", "state", &state),
        ("pause_resume", "&pause_resume", "is_paused", &is_paused),
        (
            "gcode_macro OE_PROCESS",
            "&gcode_macro%20OE_PROCESS",
            "muted",
            &muted,
        ),
    ] {
        let missing = job.missing.contains(&name);
        let value = match (missing, line.contains(&format!("{query}="))) {
            (false, _) => format!("\"{member}\": {value}"),
            (true, true) => format!("\"{member}\": null"),
            (true, false) => String::new(),
        };
        if line.contains(query) {
            objects += &format!(r#", "{name}": {{{value}}}"#);
        }
    }
    format!(r#"{{"result": {{"eventtime": 578243.57, "status": {{{objects}}}}}}}"#)
}

/// The sections of `printer.cfg`.
fn sections(job: &Job) -> String {
    let all = [
        "virtual_sdcard",
        "pause_resume",
        "respond",
        "display_status",
        "gcode_macro OE_PROCESS",
        "gcode_macro _OE_NOTIFY",
    ];
    let have = all.iter().filter(|name| !job.missing.contains(name));
    let have: Vec<_> = have.map(|name| format!(r#""{name}": {{}}"#)).collect();
    let config = have.join(", ");
    format!(r#"{{"result": {{"status": {{"configfile": {{"config": {{{config}}}}}}}}}}}"#)
}

fn answer(shared: &Mutex<Job>, head: &str, stream: &mut TcpStream) {
    const JSON: &str = "Content-Type: application/json; charset=UTF-8";
    let line = head.lines().next().unwrap_or_default();
    let mut job = lock(shared);
    if job.gone {
        return;
    }
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("X-Api-Key: "));
    if job.key.is_some() && job.key.as_deref() != key {
        respond(
            stream,
            "401 Unauthorized",
            JSON,
            br#"{"error": {"code": 401}}"#,
        );
    } else if job.restarting {
        let body = br#"{"error": {"code": 503, "message": "Klippy Host not connected"}}"#;
        respond(stream, "503 Service Unavailable", JSON, body);
    } else if line.starts_with("GET /printer/objects/query?print_stats") {
        respond(stream, "200 OK", JSON, status(&job, line).as_bytes());
    } else if line.starts_with("GET /printer/objects/query?configfile=config ") {
        respond(stream, "200 OK", JSON, sections(&job).as_bytes());
    } else if line.starts_with("GET /server/info ") {
        let state = if job.klipper.is_empty() {
            "ready"
        } else {
            job.klipper
        };
        let body =
            format!(r#"{{"result": {{"klippy_connected": true, "klippy_state": "{state}"}}}}"#);
        respond(stream, "200 OK", JSON, body.as_bytes());
    } else if line.starts_with("GET /server/webcams/list ") {
        let body = format!(r#"{{"result": {{"webcams": [{}]}}}}"#, job.webcams);
        respond(stream, "200 OK", JSON, body.as_bytes());
    } else if line.starts_with("GET /server/notifiers/list ") {
        let body = br#"{"result": {"notifiers": [{"name": "bell", "events": ["error"]}]}}"#;
        respond(stream, "200 OK", JSON, body);
    } else if line.starts_with("POST /printer/print/pause ")
        && job.missing.contains(&"pause_resume")
    {
        job.pauses += 1;
        let body = br#"{"error": {"code": 404, "message": "Not Found"}}"#;
        respond(stream, "404 Not Found", JSON, body);
    } else if line.starts_with("POST /printer/print/pause ") {
        job.pauses += 1;
        if job.refused_pauses > 0 {
            job.refused_pauses -= 1;
            let refusal = job.refusal.unwrap_or("400 Bad Request");
            respond(stream, refusal, JSON, br#"{"error": {"code": 400}}"#);
        } else {
            let half = job.pausing / 2;
            drop(job);
            std::thread::sleep(half);
            lock(shared).state = "paused".into();
            std::thread::sleep(half);
            respond(stream, "200 OK", JSON, br#"{"result": "ok"}"#);
        }
    } else if let Some(script) = line.strip_prefix("POST /printer/gcode/script?script=") {
        let script = script.split(' ').next().unwrap_or_default();
        if script == "SET_GCODE_VARIABLE%20MACRO%3DOE_PROCESS%20VARIABLE%3Dmuted%20VALUE%3DFalse" {
            job.muted = false;
        }
        job.scripts.push(script.to_owned());
        respond(stream, "200 OK", JSON, br#"{"result": "ok"}"#);
    } else {
        respond(
            stream,
            "404 Not Found",
            JSON,
            br#"{"error": {"code": 404}}"#,
        );
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
    /// An endless stream whose first picture ends in the middle.
    CutStream,
    /// An endless stream whose pictures have no end marker.
    EndlessStream,
    /// An endless stream without a picture.
    EmptyStream,
    /// A picture with nothing in it, every other time.
    EmptyFirst,
    /// It asks for a user name and a password, by digest.
    Digest,
    /// It is somewhere else on the same host.
    Moved,
    /// It is on another host.
    MovedAway,
    /// It is always somewhere else.
    MovedForEver,
    /// An error page.
    NotFound,
    /// A page that says it is one, with 200.
    Page,
    /// A page that says it is a picture.
    FalsePicture,
    /// A picture with nothing in it.
    Empty,
    /// More bytes than any picture may have.
    TooLarge,
    /// A picture at a byte a second.
    Slow,
    /// The connection is closed at once.
    Closed,
    /// The same picture again and again.
    Frozen,
}

/// For the user `eye` with the password `secret`: MD5 of MD5("eye:cam:secret"), the nonce and MD5("GET:/webcam/?action=snapshot").
const DIGEST: &str = "response=\"84f4c749e42c20ce93ae8cc4184aa5b1\"";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"cam\", nonce=\"0123456789\", algorithm=MD5";

/// A webcam over the frames of a folder.
pub struct Camera {
    mode: Arc<Mutex<Mode>>,
    served: Arc<AtomicUsize>,
    frames: Arc<Vec<Vec<u8>>>,
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
        let frames: Arc<Vec<Vec<u8>>> = Arc::new(files.iter().flat_map(std::fs::read).collect());
        assert!(!frames.is_empty(), "pictures in {}", folder.display());
        let mode = Arc::new(Mutex::new(Mode::Snapshot));
        let served = Arc::new(AtomicUsize::new(0));
        let (now, count, shown) = (Arc::clone(&mode), Arc::clone(&served), Arc::clone(&frames));
        let server = Server::start(move |head, stream| {
            let mode = *lock(&now);
            let host = head.lines().find_map(|line| line.strip_prefix("Host: "));
            if let Some(to) = elsewhere(mode, head, host.unwrap_or_default()) {
                return respond(stream, "302 Found", &format!("Location: {to}"), b"moved");
            }
            if mode == Mode::Digest && !head.contains(DIGEST) {
                return respond(stream, "401 Unauthorized", CHALLENGE, b"who?");
            }
            let nth = count.fetch_add(1, Ordering::SeqCst);
            show(mode, &shown, nth, stream);
        });
        Camera {
            mode,
            served,
            frames,
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
        *lock(&self.mode) = mode;
    }

    /// How often it was asked and did not send elsewhere.
    #[must_use]
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }

    /// The picture that it shows as the n-th. In a stream each further one counts on.
    #[must_use]
    pub fn picture(&self, nth: usize) -> Vec<u8> {
        nth_picture(&self.frames, nth)
    }
}

/// Where a camera of this mode sends a request.
fn elsewhere(mode: Mode, head: &str, host: &str) -> Option<String> {
    let moved = head.starts_with("GET /moved");
    match mode {
        Mode::Moved if !moved => Some("/moved/picture".into()),
        Mode::MovedForEver => Some("/moved/picture".into()),
        Mode::MovedAway if !moved => {
            let host = host.replace("127.0.0.1", "localhost");
            Some(format!("http://{host}/moved/picture"))
        }
        _ => None,
    }
}

/// A picture unlike any other: with its number in a comment, which no decoder looks at.
fn nth_picture(frames: &[Vec<u8>], nth: usize) -> Vec<u8> {
    let mut picture = frames[nth % frames.len()].clone();
    let comment = [&[0xFF, 0xFE, 0, 10][..], &(nth as u64).to_be_bytes()].concat();
    picture.splice(2..2, comment);
    picture
}

fn show(mode: Mode, frames: &[Vec<u8>], nth: usize, stream: &mut TcpStream) {
    const JPEG: &str = "Content-Type: image/jpeg";
    const HTML: &str = "Content-Type: text/html";
    let picture = nth_picture(frames, nth);
    match mode {
        Mode::EmptyFirst if nth.is_multiple_of(2) => respond(stream, "200 OK", JPEG, b""),
        Mode::Snapshot
        | Mode::Moved
        | Mode::MovedAway
        | Mode::MovedForEver
        | Mode::Digest
        | Mode::EmptyFirst => {
            respond(stream, "200 OK", JPEG, &picture);
        }
        Mode::Frozen => respond(stream, "200 OK", JPEG, &frames[0]),
        Mode::NotFound => respond(stream, "404 Not Found", HTML, b"<html>no</html>"),
        Mode::Page => respond(stream, "200 OK", HTML, b"<html>a camera</html>"),
        Mode::FalsePicture => respond(stream, "200 OK", JPEG, b"<html>a camera</html>"),
        Mode::Empty => respond(stream, "200 OK", JPEG, b""),
        Mode::Closed => {}
        Mode::TooLarge => {
            let mut bytes = picture;
            bytes.resize(7 * 1024 * 1024, 0);
            respond(stream, "200 OK", JPEG, &bytes);
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
        Mode::Stream
        | Mode::OddStream
        | Mode::CutStream
        | Mode::EndlessStream
        | Mode::EmptyStream => {
            // Until nobody takes them any more.
            drop(stream_pictures(mode, frames, nth, stream));
        }
    }
}

fn stream_pictures(
    mode: Mode,
    frames: &[Vec<u8>],
    nth: usize,
    stream: &mut TcpStream,
) -> std::io::Result<()> {
    let odd = mode == Mode::OddStream;
    let boundary = if odd {
        "\"frame\""
    } else {
        "--boundarydonotcross"
    };
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={boundary}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    for n in nth.. {
        let mut picture = nth_picture(frames, n);
        if mode == Mode::CutStream && n == nth {
            picture.truncate(picture.len() / 2);
        }
        if mode == Mode::EndlessStream {
            picture.truncate(picture.len() - 2);
        }
        if mode == Mode::EmptyStream {
            picture = vec![b' '; 200_000];
        }
        let part = if odd {
            "\r\nframe\r\nContent-Type: image/jpeg\r\n\r\n".to_owned()
        } else {
            format!(
                "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {n}.5\r\n\r\n",
                picture.len()
            )
        };
        stream.write_all(part.as_bytes())?;
        stream.write_all(&picture)?;
        stream.write_all(b"\r\n")?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
