//! The service that every peer of the bench talks to: a thread to each connection, no work but to
//! check what came. Every byte of every image is compared with the file that was to be sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use oe_test_support::certs::{Authority, Fault};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Besides the length, what nearly every server says: each header costs a client something.
const USUAL_HEADERS: &str = "Server: bench\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\n\
                             Content-Type: application/json\r\n";

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    /// It waits for the next request.
    Keep,
    /// The answer says that it is closed, and it is.
    Close,
    /// It is closed without a word after up to so many milliseconds without a request.
    Idle(u64),
}

struct Shared {
    image: Vec<u8>,
    after: After,
    tls: Option<Arc<ServerConfig>>,
    base: String,
    contexts: AtomicUsize,
    uploads: AtomicUsize,
    ended: AtomicBool,
    /// Images have a number behind them.
    numbered: AtomicBool,
    wrong: Mutex<Option<String>>,
}

/// A running service; dropped, it is gone.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// The certificate authority to trust; nothing over plain HTTP.
    pub ca_pem: String,
}

impl Server {
    /// Starts one that expects this image.
    pub fn start(image: &[u8], tls: bool, after: After) -> Result<Server, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|why| why.to_string())?;
        let address = listener.local_addr().map_err(|why| why.to_string())?;
        let authority = tls.then(|| Authority::new("Bench"));
        let base = match tls {
            true => format!("https://localhost:{}", address.port()),
            false => format!("http://127.0.0.1:{}", address.port()),
        };
        let shared = Arc::new(Shared {
            image: image.to_vec(),
            after,
            tls: authority
                .as_ref()
                .map(|authority| authority.server(Fault::None).config(&[])),
            base,
            contexts: AtomicUsize::new(0),
            uploads: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            numbered: AtomicBool::new(false),
            wrong: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Ok(Server {
            shared,
            address,
            ca_pem: authority.map(|authority| authority.pem).unwrap_or_default(),
        })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.shared.base
    }

    /// From now on every image has a few bytes behind it, by which it differs from all others.
    pub fn expect_numbers(&self) {
        self.shared.numbered.store(true, Ordering::Relaxed);
    }

    /// The next context is the first again.
    pub fn reset(&self) {
        self.shared.contexts.store(0, Ordering::Relaxed);
        self.shared.uploads.store(0, Ordering::Relaxed);
    }

    /// How many images came since the reset; an error if any was not the one it should be.
    pub fn uploads(&self) -> Result<usize, String> {
        let wrong = self.shared.wrong.lock();
        match &*wrong.unwrap_or_else(PoisonError::into_inner) {
            Some(what) => Err(what.clone()),
            None => Ok(self.shared.uploads.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // The one that accepts looks up.
        drop(TcpStream::connect(self.address));
    }
}

/// A request's head, as far as it matters.
struct Head {
    path: String,
    body_len: usize,
    boundary: String,
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let raw = stream.try_clone()?;
        match &self.tls {
            None => self.converse(&raw, stream),
            Some(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(tls, stream);
                let end = self.converse(&raw, &mut stream);
                stream.conn.send_close_notify();
                drop(stream.flush());
                drop(raw.shutdown(Shutdown::Both));
                end
            }
        }
    }

    fn converse(&self, raw: &TcpStream, mut stream: impl Read + Write) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let head = read_head(&mut stream, &mut buffer)?;
            if buffer.len() < head.body_len {
                let have = buffer.len();
                buffer.resize(head.body_len, 0);
                stream.read_exact(&mut buffer[have..])?;
            }
            let answer = self.answer(&head, &buffer[..head.body_len]);
            buffer.clear();
            let closes = self.after == After::Close;
            let extra = if closes { "Connection: close\r\n" } else { "" };
            let text = format!(
                "HTTP/1.1 200 OK\r\n{USUAL_HEADERS}{extra}Content-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.write_all(text.as_bytes())?;
            stream.flush()?;
            match self.after {
                After::Keep => {}
                After::Close => return Ok(()),
                After::Idle(most) => {
                    // As long as drawn from how many came; then closed, unless more came.
                    let drawn = self.uploads.load(Ordering::Relaxed) as u64 * 7_919 % (most + 1);
                    raw.set_read_timeout(Some(Duration::from_millis(drawn.max(1))))?;
                    if raw.peek(&mut [0]).is_err() {
                        return Ok(());
                    }
                    raw.set_read_timeout(None)?;
                }
            }
        }
    }

    fn answer(&self, head: &Head, body: &[u8]) -> String {
        if head.path.ends_with("createcontext") {
            let n = self.contexts.fetch_add(1, Ordering::Relaxed);
            let base = &self.base;
            return format!(
                r#"{{"ContextId":"c{n}","ProcessRequestUrl":"{base}/p/{n}","FallbackProcessRequestUrl":"{base}/f/{n}"}}"#
            );
        }
        self.uploads.fetch_add(1, Ordering::Relaxed);
        if let Err(what) = self.check(head, body) {
            let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
            *wrong = Some(format!("{}: {what}", head.path));
        }
        let number = head.path.strip_prefix("/p/").unwrap_or_default();
        let k = number.parse::<usize>().unwrap_or(0) % 10;
        format!(
            r#"{{"NextProcessIntervalSec":{{"Minimum":{},"Recommended":{}}},"PrintQuality":{},"Score":{},"WarningSuggested":{},"PauseSuggested":{}}}"#,
            5 + k,
            20 + k,
            1 + k,
            10 * k,
            k > 7,
            k > 8
        )
    }

    /// One part with the whole image, and nothing after it but the last boundary.
    fn check(&self, head: &Head, body: &[u8]) -> Result<(), &'static str> {
        let begin = format!("--{}\r\n", head.boundary);
        if head.boundary.is_empty() || !body.starts_with(begin.as_bytes()) {
            return Err("no boundary");
        }
        let part = find(body, b"\r\n\r\n").ok_or("no part")? + 4;
        let end = part + self.image.len();
        if body.get(part..end) != Some(&self.image[..]) {
            return Err("another image");
        }
        let last = format!("\r\n--{}--", head.boundary);
        let behind = find(&body[end..], last.as_bytes()).ok_or("no end")?;
        match self.numbered.load(Ordering::Relaxed) {
            true if (1..=16).contains(&behind) => Ok(()),
            false if behind == 0 => Ok(()),
            _ => Err("something behind the image"),
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Leaves in the buffer what came of the body.
fn read_head(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Head> {
    let mut chunk = vec![0; 64 * 1024];
    let end = loop {
        if let Some(end) = find(&buffer[..buffer.len().min(16_384)], b"\r\n\r\n") {
            break end + 4;
        }
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(&chunk[..n]);
    };
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end);
    let field = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.to_ascii_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let boundary = field("content-type").unwrap_or_default();
    let boundary = boundary.split_once("boundary=").map(|(_, after)| after);
    Ok(Head {
        path: text.split(' ').nth(1).unwrap_or_default().to_owned(),
        body_len: field("content-length")
            .and_then(|len| len.parse().ok())
            .unwrap_or(0),
        boundary: boundary.unwrap_or_default().trim_matches('"').to_owned(),
    })
}
