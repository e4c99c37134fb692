//! A TCP socket that never blocks longer than its call allows, and never raises SIGPIPE.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::call::Call;
use crate::error::cause::Why;
use crate::transport::Failure;

/// How long a wait goes on before deadline and cancel are looked at again. A cancel shuts the
/// socket down and ends the wait at once; this is for systems where that does not wake it.
const SLICE: Duration = Duration::from_millis(250);

/// `send` must not raise SIGPIPE in a host that did not ask for it. Where the flag does not exist,
/// socket2 sets the socket option that does the same, or there is no such signal.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// A connected socket.
#[derive(Clone)]
pub(super) struct Tcp {
    pub(super) stream: Arc<TcpStream>,
}

impl Tcp {
    /// Connects within `limit`, without blocking the thread for longer than the call allows.
    pub(super) fn connect(
        address: SocketAddr,
        call: &Call,
        limit: Duration,
    ) -> Result<Tcp, Failure> {
        let failed = |error: io::Error| call.blame_io(error, Failure::Connect);
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )
        .map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        // Latency of the last, small packet; failing to set it costs nothing else.
        drop(socket.set_tcp_nodelay(true));
        let pending = match socket.connect(&address.into()) {
            Ok(()) => false,
            Err(error) if is_pending(&error) => true,
            Err(error) => return Err(failed(error)),
        };
        let tcp = Tcp {
            stream: Arc::new(socket.into()),
        };
        call.blocks_on(&tcp.stream);
        if pending {
            tcp.wait_until(call, PollFlags::OUT, Some(limit))
                .map_err(|failure| match failure {
                    Failure::Timeout => call.remaining().err().unwrap_or_else(|| {
                        let words = format!("no answer within {} ms", limit.as_millis());
                        call.blame((Failure::Connect, Why::new(&words)))
                    }),
                    other => other,
                })?;
            // A cancel ends the attempt with or without an error of the socket.
            call.remaining()?;
            if let Some(error) = SockRef::from(&*tcp.stream).take_error().map_err(failed)? {
                return Err(failed(error));
            }
        }
        Ok(tcp)
    }

    /// Waits for one of `interest`, as long as the call allows.
    pub(super) fn wait(&self, call: &Call, interest: PollFlags) -> Result<PollFlags, Failure> {
        self.wait_until(call, interest, None)
    }

    fn wait_until(
        &self,
        call: &Call,
        interest: PollFlags,
        limit: Option<Duration>,
    ) -> Result<PollFlags, Failure> {
        let start = std::time::Instant::now();
        loop {
            let mut rest = call.remaining()?;
            if let Some(limit) = limit {
                rest = rest.min(limit.saturating_sub(start.elapsed()));
                if rest.is_zero() {
                    return Err(Failure::Timeout);
                }
            }
            let ready = self.poll(interest, rest.min(SLICE));
            let ready = ready.map_err(|error| call.blame_io(error, Failure::Resources))?;
            if !ready.is_empty() {
                return Ok(ready);
            }
        }
    }

    fn poll(&self, interest: PollFlags, time: Duration) -> io::Result<PollFlags> {
        match poll(&self.stream, interest, time) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(PollFlags::empty()),
            other => other,
        }
    }

    /// Whether nothing at all has arrived: no data, no end, no error.
    pub(super) fn is_quiet(&self) -> bool {
        self.poll(PollFlags::IN, Duration::ZERO)
            .is_ok_and(|ready| ready.is_empty())
    }
}

/// Waits once. In whole milliseconds, rounded up: a wait that ended just before its time would begin
/// again. A `timespec` would have to have the size that the C library means (`core/Cargo.toml`).
#[cfg(unix)]
fn poll(stream: &TcpStream, interest: PollFlags, time: Duration) -> io::Result<PollFlags> {
    use nix::poll::{PollFd, PollFlags as Flags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let rest = time.subsec_nanos().div_ceil(1_000_000);
    let ms = time
        .as_secs()
        .saturating_mul(1_000)
        .saturating_add(rest.into());
    let timeout = PollTimeout::try_from(ms);
    let interest = Flags::from_bits_retain(interest.bits());
    let mut fds = [PollFd::new(stream.as_fd(), interest)];
    poll(&mut fds, timeout.unwrap_or(PollTimeout::MAX))?;
    let ready = fds[0].revents().unwrap_or(interest);
    Ok(PollFlags::from_bits_retain(ready.bits()))
}

#[cfg(not(unix))]
fn poll(stream: &TcpStream, interest: PollFlags, time: Duration) -> io::Result<PollFlags> {
    use rustix::event::{PollFd, Timespec, poll};
    let timeout = Timespec::try_from(time).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(stream, interest)];
    poll(&mut fds, Some(&timeout))?;
    Ok(fds[0].revents())
}

fn is_pending(error: &io::Error) -> bool {
    // EINPROGRESS 115 on Linux; WSAEWOULDBLOCK maps to WouldBlock.
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

impl Read for Tcp {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buf)
    }
}

impl Write for Tcp {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self.stream).send_with_flags(buf, NO_SIGNAL)
    }

    /// The standard library's would be `writev`, which raises SIGPIPE.
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(&*self.stream).send_vectored_with_flags(bufs, NO_SIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
