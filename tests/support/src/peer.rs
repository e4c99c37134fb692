//! A server that does what a script says, to the byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certs::Sealer;

/// What to do next on a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Read one whole request.
    Request,
    /// Read a request's head and leave its body.
    Head,
    /// Read this many bytes of whatever comes.
    Read(usize),
    /// Read at about this many bytes a second until the request is whole.
    ReadSlowly(usize),
    /// Send these bytes.
    Send(Vec<u8>),
    /// Send them again and again, as fast as they are taken, until the other side has gone; a minute
    /// at most.
    Flood(Vec<u8>),
    /// Send tickets for later sessions in the same way, TLS 1.3 only: records that are sealed as they
    /// should be and hold no data.
    FloodTickets,
    /// Send them one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Wait.
    Sleep(Duration),
    /// Send these bytes and a `close_notify` in one go; the TCP connection stays open.
    SendAndNotify(Vec<u8>),
    /// Send these bytes below TLS, where nothing seals them.
    Raw(Vec<u8>),
    /// Be a tunnel to this address until one side ends. Without TLS only.
    Relay(SocketAddr),
    /// Close without a `close_notify`.
    Close,
    /// Say that nothing more comes: `close_notify` with TLS, then FIN.
    End,
    /// Close with a reset.
    Reset,
    /// Do nothing until the other side has gone, a minute at most. With unread bytes in front of
    /// its end the minute is needed: see [`Step::Drain`].
    Hang,
    /// Read whatever comes until the other side has gone.
    Drain,
    /// Read requests and answer each with these bytes until the other side has gone.
    Serve(Vec<u8>),
    /// The same with a JSON body, in which `BASE_URL` stands for the peer's own.
    ServeJson(String),
    /// Read one request and answer it with such a body.
    Json(String),
    /// The same, and these bytes behind the answer in the same go.
    JsonAnd(String, Vec<u8>),
}

/// A request, as far as it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The number of its connection, from 0.
    pub connection: usize,
    /// Its head, line ends included.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
    /// When its first byte arrived.
    pub arrived: Instant,
    /// When its last byte arrived.
    pub complete: Instant,
    /// When the answer had been sent.
    pub answered: Option<Instant>,
}

impl Seen {
    /// The path of its request line.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("")
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    resumed: AtomicUsize,
    hung: AtomicUsize,
    stop: AtomicBool,
}

/// A scripted server on a loopback port. Stops when dropped.
pub struct Peer {
    addr: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
}

/// The whole of an answer: status line, `Content-Length`, these headers, this body.
#[must_use]
pub fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}

/// A JSON answer.
#[must_use]
pub fn json(status: &str, body: &str) -> Vec<u8> {
    answer(status, &["Content-Type: application/json"], body.as_bytes())
}

impl Peer {
    /// Each connection follows its script; the last script serves all that come after.
    #[must_use]
    pub fn plain(scripts: Vec<Vec<Step>>) -> Peer {
        Peer::start(scripts, None)
    }

    /// A service that says the print is fine and keeps what it is sent.
    #[must_use]
    pub fn recorder() -> Peer {
        Peer::plain(vec![vec![Step::ServeJson(
            crate::CONTEXT_AND_VERDICT.into(),
        )]])
    }

    /// Scripts as of [`Peer::plain`], over TLS.
    #[must_use]
    pub fn tls(config: Arc<ServerConfig>, scripts: Vec<Vec<Step>>) -> Peer {
        Peer::start(scripts, Some(config))
    }

    fn start(scripts: Vec<Vec<Step>>, tls: Option<Arc<ServerConfig>>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let addr = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let peer = Peer {
            addr,
            tls: tls.is_some(),
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let n = shared.connections.fetch_add(1, Ordering::SeqCst);
                let script = scripts
                    .get(n)
                    .or(scripts.last())
                    .cloned()
                    .unwrap_or_default();
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || {
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    // A client that goes away in mid-script is what some scripts are about.
                    drop(Connection::run(n, stream, tls, &shared, script));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    /// Its base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        let (scheme, host) = if self.tls {
            ("https", "localhost")
        } else {
            ("http", "127.0.0.1")
        };
        format!("{scheme}://{host}:{}", self.addr.port())
    }

    /// Its address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The requests so far, in the order of their completion.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no panic").clone()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// TLS handshakes so far that resumed a session.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.shared.resumed.load(Ordering::SeqCst)
    }

    /// Waits until this many connections are still open.
    pub fn wait_for_open(&self, wanted: usize) {
        let open = || self.shared.open.load(Ordering::SeqCst) == wanted;
        wait_until("connections are open or closed as they should", open);
    }

    /// Waits until this many connections have come as far as [`Step::Hang`]: what their scripts say
    /// before that has been done.
    pub fn wait_for_hung(&self, wanted: usize) {
        let hung = || self.shared.hung.load(Ordering::SeqCst) >= wanted;
        wait_until("scripts come to their end", hung);
    }
}

/// Waits for something that happens soon, however busy the machine is.
///
/// # Panics
/// When it has not happened after 10 s.
pub fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr));
    }
}

/// A port of this machine that refuses connections for as long as this lives: it is taken, so that no
/// other program gets it meanwhile, but nobody listens.
pub struct Nobody {
    addr: SocketAddr,
    _taken: socket2::Socket,
}

impl Nobody {
    /// A new one.
    #[must_use]
    pub fn new() -> Nobody {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).expect("a loopback port");
        let addr = socket.local_addr().expect("its address");
        Nobody {
            addr: addr.as_socket().expect("an address"),
            _taken: socket,
        }
    }

    /// Its address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Default for Nobody {
    fn default() -> Self {
        Nobody::new()
    }
}

/// A port of this machine that connections to stay pending: its queue is full. Linux only.
pub struct Swamp {
    addr: SocketAddr,
    _held: (socket2::Socket, Vec<socket2::Socket>),
}

impl Swamp {
    /// A new one.
    #[must_use]
    pub fn new() -> Swamp {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).expect("a loopback port");
        listener.listen(0).expect("listening");
        let addr = listener
            .local_addr()
            .expect("its address")
            .as_socket()
            .expect("an address");
        // Far more than a queue of length 0 takes.
        let queue = (0..8)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(true).expect("non-blocking");
                drop(socket.connect(&addr.into()));
                socket
            })
            .collect();
        Swamp {
            addr,
            _held: (listener, queue),
        }
    }

    /// Its address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Default for Swamp {
    fn default() -> Self {
        Swamp::new()
    }
}

trait Wire: Read + Write + Send {
    fn end(&mut self) -> io::Result<()>;

    /// Queues a `close_notify` behind what was written.
    fn notify(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes records beside the connection.
    fn sealer(self: Box<Self>) -> io::Result<Sealer>;
}

impl Wire for TcpStream {
    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn notify(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sealer(self: Box<Self>) -> io::Result<Sealer> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()?;
        self.sock.shutdown(Shutdown::Write)
    }

    fn notify(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.conn.writer().write_all(bytes)?;
        self.conn.send_close_notify();
        self.flush()
    }

    fn sealer(self: Box<Self>) -> io::Result<Sealer> {
        Sealer::new(self.conn)
    }
}

struct Connection<'a> {
    n: usize,
    tls: bool,
    raw: TcpStream,
    wire: Box<dyn Wire>,
    shared: &'a Shared,
    started: Option<Instant>,
    buffer: Vec<u8>,
}

impl Connection<'_> {
    fn run(
        n: usize,
        stream: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        shared: &Shared,
        script: Vec<Step>,
    ) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let raw = stream.try_clone()?;
        let is_tls = tls.is_some();
        let wire: Box<dyn Wire> = match tls {
            None => Box::new(stream),
            Some(config) => {
                let conn = ServerConnection::new(config).map_err(io::Error::other)?;
                let mut wire = StreamOwned::new(conn, stream);
                while wire.conn.is_handshaking() {
                    wire.conn.complete_io(&mut wire.sock)?;
                }
                if wire.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    shared.resumed.fetch_add(1, Ordering::SeqCst);
                }
                Box::new(wire)
            }
        };
        let mut connection = Connection {
            n,
            tls: is_tls,
            raw,
            wire,
            shared,
            started: None,
            buffer: Vec::new(),
        };
        script
            .into_iter()
            .try_for_each(|step| connection.step(step))
    }

    fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Request => self.request(None),
            Step::ReadSlowly(rate) => self.request(Some(rate)),
            Step::Head => {
                let head = self.head()?;
                self.record(head, Vec::new());
                Ok(())
            }
            Step::Read(n) => {
                while self.buffer.len() < n {
                    self.more()?;
                }
                Ok(())
            }
            Step::Send(bytes) => self.send(&bytes),
            Step::Flood(bytes) => self.flood(&bytes),
            Step::FloodTickets => self.flood_tickets(),
            Step::Drip(bytes, pause) => bytes.chunks(1).try_for_each(|byte| {
                self.send(byte)?;
                std::thread::sleep(pause);
                Ok(())
            }),
            Step::SendAndNotify(bytes) => self.wire.notify(&bytes),
            Step::Raw(bytes) => self.raw.write_all(&bytes),
            Step::Relay(addr) => self.relay(addr),
            Step::Sleep(time) => {
                std::thread::sleep(time);
                Ok(())
            }
            Step::End => self.wire.end(),
            Step::Close => {
                self.raw.shutdown(Shutdown::Both)?;
                Err(io::ErrorKind::NotConnected.into())
            }
            Step::Reset => {
                let socket = socket2::SockRef::from(&self.raw);
                socket.set_linger(Some(Duration::ZERO))?;
                Err(io::ErrorKind::NotConnected.into())
            }
            Step::Hang => self.hang(),
            Step::Drain => loop {
                self.more()?;
                self.buffer.clear();
            },
            Step::ServeJson(body) => {
                let answer = self.based(&body)?;
                self.step(Step::Serve(answer))
            }
            Step::JsonAnd(body, more) => {
                self.request(None)?;
                let mut answer = self.based(&body)?;
                answer.extend(more);
                self.send(&answer)
            }
            Step::Json(body) => {
                self.request(None)?;
                let answer = self.based(&body)?;
                self.send(&answer)
            }
            Step::Serve(bytes) => loop {
                self.request(None)?;
                self.send(&bytes)?;
            },
        }
    }

    fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let many = bytes.repeat((64 * 1024 / bytes.len()).max(1));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            self.wire.write_all(&many)?;
        }
        Ok(())
    }

    fn flood_tickets(&mut self) -> io::Result<()> {
        let below = Box::new(self.raw.try_clone()?);
        let mut sealer = std::mem::replace(&mut self.wire, below).sealer()?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            let many: Vec<u8> = (0..1_000)
                .map_while(|_| sealer.ticket())
                .flatten()
                .collect();
            self.raw.write_all(&many)?;
        }
        Ok(())
    }

    fn hang(&mut self) -> io::Result<()> {
        self.shared.hung.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        self.raw.set_read_timeout(Some(Duration::from_millis(50)))?;
        while start.elapsed() < Duration::from_secs(60) && !self.shared.stop.load(Ordering::SeqCst)
        {
            // Peeked at, not read: the way in stays full.
            match self.raw.peek(&mut [0; 1]) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Ok(())
    }

    /// A JSON answer that knows this peer's address.
    fn based(&self, body: &str) -> io::Result<Vec<u8>> {
        let scheme = if self.tls { "https" } else { "http" };
        // By name with TLS: that is what the certificates are for.
        let host = if self.tls { "localhost" } else { "127.0.0.1" };
        let base = format!("{scheme}://{host}:{}", self.raw.local_addr()?.port());
        Ok(json("200 OK", &body.replace("BASE_URL", &base)))
    }

    fn relay(&mut self, addr: SocketAddr) -> io::Result<()> {
        let mut there = TcpStream::connect(addr)?;
        there.write_all(&std::mem::take(&mut self.buffer))?;
        let (mut back, mut here) = (there.try_clone()?, self.raw.try_clone()?);
        let returning = std::thread::spawn(move || {
            drop(io::copy(&mut back, &mut here));
            drop(here.shutdown(Shutdown::Write));
        });
        drop(io::copy(&mut self.raw, &mut there));
        drop(there.shutdown(Shutdown::Write));
        drop(returning.join());
        Ok(())
    }

    fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let n = self.wire.read(&mut chunk)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.started.get_or_insert_with(Instant::now);
        self.buffer.extend_from_slice(&chunk[..n]);
        Ok(())
    }

    fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.buffer.split_off(at + 4);
                let head = std::mem::replace(&mut self.buffer, rest);
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            self.more()?;
        }
    }

    fn request(&mut self, rate: Option<usize>) -> io::Result<()> {
        let head = self.head()?;
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(str::to_owned)
            })
            .and_then(|value| value.trim().parse().ok())
            .unwrap_or(0);
        while self.buffer.len() < length {
            let before = self.buffer.len();
            self.more()?;
            if let Some(rate) = rate {
                let took = (self.buffer.len() - before) as f64 / rate as f64;
                std::thread::sleep(Duration::from_secs_f64(took));
            }
        }
        let rest = self.buffer.split_off(length);
        let body = std::mem::replace(&mut self.buffer, rest);
        self.record(head, body);
        Ok(())
    }

    fn record(&mut self, head: String, body: Vec<u8>) {
        let complete = Instant::now();
        let arrived = self.started.take().unwrap_or(complete);
        let seen = Seen {
            connection: self.n,
            head,
            body,
            arrived,
            complete,
            answered: None,
        };
        self.shared.seen.lock().expect("no panic").push(seen);
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()?;
        let mut seen = self.shared.seen.lock().expect("no panic");
        if let Some(last) = seen.iter_mut().rev().find(|seen| seen.connection == self.n) {
            last.answered = Some(Instant::now());
        }
        Ok(())
    }
}
