//! A service that gives contexts to whoever asks and then breaks whatever it can, at random but the
//! same way for the same seed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Random;

/// A storm on a loopback port. Stops when dropped.
pub struct Storm {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    uploads: Arc<AtomicU64>,
}

impl Storm {
    /// One with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Storm {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let storm = Storm {
            address,
            stop: Arc::default(),
            uploads: Arc::default(),
        };
        let (stop, uploads) = (Arc::clone(&storm.stop), Arc::clone(&storm.uploads));
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().flatten().enumerate() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let uploads = Arc::clone(&uploads);
                std::thread::spawn(move || {
                    let random = Random(seed ^ (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    drop(serve(stream, address, random, &uploads));
                });
            }
        });
        storm
    }

    /// Its base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many frames began to arrive.
    #[must_use]
    pub fn uploads(&self) -> u64 {
        self.uploads.load(Ordering::SeqCst)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn reset(stream: &TcpStream) -> io::Error {
    drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
    io::ErrorKind::ConnectionReset.into()
}

/// The head of a request: its path, and how long its body is.
fn head(reader: &mut BufReader<TcpStream>) -> io::Result<(String, u64)> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or("").to_owned();
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            return Ok((path, length));
        }
    }
}

fn serve(
    stream: TcpStream,
    address: SocketAddr,
    mut random: Random,
    uploads: &AtomicU64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    loop {
        let (path, length) = head(&mut reader)?;
        if path.ends_with("createcontext") {
            io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
            let body = format!(
                r#"{{"ContextId":"c","ProcessRequestUrl":"http://{address}/p","FallbackProcessRequestUrl":"http://{address}/f"}}"#
            );
            out.write_all(&crate::peer::json("200 OK", &body))?;
            continue;
        }
        uploads.fetch_add(1, Ordering::SeqCst);
        let fault = random.below(100);
        // Some do not even take the whole frame.
        let taken = if fault < 10 {
            random.below(length + 1)
        } else {
            length
        };
        io::copy(&mut (&mut reader).take(taken), &mut io::sink())?;
        break_something(fault, &mut out, &mut random)?;
    }
}

/// Answers, more or less. An error ends the connection.
fn break_something(fault: u64, out: &mut TcpStream, random: &mut Random) -> io::Result<()> {
    let good = crate::peer::json("200 OK", crate::P200);
    let closed = || io::Error::from(io::ErrorKind::NotConnected);
    match fault {
        0..5 => Err(reset(out)),
        5..10 => {
            out.write_all(&crate::peer::json("413 Payload Too Large", "{}"))?;
            Err(closed())
        }
        10..15 => Err(closed()),
        15..20 => Err(reset(out)),
        20..25 => {
            let cut = random.below(good.len() as u64) as usize;
            out.write_all(&good[..cut])?;
            Err(closed())
        }
        25..30 => {
            let len = 1 + random.below(2_000);
            out.write_all(&random.bytes(len))?;
            Err(closed())
        }
        30..33 => {
            // A whole answer of garbage.
            let len = random.below(500);
            let body = random.bytes(len);
            out.write_all(&crate::peer::answer("200 OK", &[], &body))
        }
        33..36 => {
            let status = 300 + random.below(330);
            out.write_all(&crate::peer::json(&format!("{status} Odd"), "{}"))
        }
        36..38 => {
            // One byte of the answer is another.
            let mut bytes = good;
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
            out.write_all(&bytes)?;
            Err(closed())
        }
        38 => {
            // Longer than the body is said to be, and then longer still.
            out.write_all(&good)?;
            let rest = random.bytes(300);
            out.write_all(&rest)?;
            Err(closed())
        }
        39 if random.below(20) == 0 => {
            // Over every deadline.
            std::thread::sleep(Duration::from_secs(3));
            Err(closed())
        }
        39..45 => {
            std::thread::sleep(Duration::from_millis(random.below(20)));
            out.write_all(&good)
        }
        45..48 => {
            // Many answers before the one that counts.
            let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
            out.write_all(&interim.repeat(1 + random.below(2_000) as usize))?;
            match random.below(3) {
                0 => Err(reset(out)),
                _ => out.write_all(&good),
            }
        }
        _ => out.write_all(&good),
    }
}
