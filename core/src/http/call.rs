//! The call in flight on this thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use scoped_tls_hkt::scoped_thread_local;

use crate::cancel::CancelToken;
use crate::transport::{Exchange, Failure, Reply, Request, Sent};
use crate::trust::Origin;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
}

scoped_thread_local! {
    /// The body of the call in flight, where the caller has it.
    static BODY: for<'a> [&'a [u8]; 3]
}

/// Connections go from thread to thread, so numbers are the process's. They only have to differ
/// from that of a connection's last call, a few seconds ago: wrapping around is no harm.
static NEXT_ID: AtomicUsize = AtomicUsize::new(1);

/// Stands for a timeout that no clock can hold.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The most that is taken from the peers of one call, in bytes, with all that carries no answer:
/// interim answers, a handshake, records of TLS that hold nothing. A head and a body have limits
/// of their own, far below.
const MAX_TAKEN: usize = 16 << 20;

/// The socket that a cancel shuts down.
#[derive(Clone, Default)]
pub(super) struct SocketSlot(Arc<Mutex<Option<Arc<TcpStream>>>>);

impl SocketSlot {
    pub(super) fn shut_down(&self) {
        if let Some(socket) = &*self.0.lock() {
            // It may be closed already, which is as good.
            drop(socket.shutdown(Shutdown::Both));
        }
    }
}

/// One exchange: its limits, and what became of it so far.
pub(super) struct Call {
    /// Never 0.
    pub(super) id: usize,
    pub(super) origin: Origin,
    pub(super) connect_timeout: Duration,
    started: Instant,
    deadline: Cell<Instant>,
    cancel: CancelToken,
    socket: SocketSlot,
    body_len: u64,
    sent: Cell<Sent>,
    /// Sending ended before all was sent.
    cut_off: Cell<bool>,
    reused: Cell<bool>,
    /// The connection was closed before it was used again.
    stale: Cell<bool>,
    answered: Cell<bool>,
    bytes_sent: Cell<u64>,
    head_len: Cell<u64>,
    bytes_received: Cell<u64>,
    taken: Cell<usize>,
    failure: Cell<Option<Failure>>,
    status: Cell<Option<u16>>,
}

impl Call {
    pub(super) fn new(request: &Request<'_>) -> Call {
        let started = Instant::now();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).max(1);
        Call {
            id,
            origin: request.url.origin().clone(),
            connect_timeout: request.connect_timeout,
            started,
            deadline: Cell::new(started + request.timeout.min(FOREVER)),
            cancel: request.cancel.clone(),
            socket: SocketSlot::default(),
            body_len: request.body_len() as u64,
            sent: Cell::new(Sent::Nothing),
            cut_off: Cell::new(false),
            reused: Cell::new(false),
            stale: Cell::new(false),
            answered: Cell::new(false),
            bytes_sent: Cell::new(0),
            head_len: Cell::new(0),
            bytes_received: Cell::new(0),
            taken: Cell::new(0),
            failure: Cell::new(None),
            status: Cell::new(None),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long this call may still block; an error when it may not.
    pub(super) fn remaining(&self) -> Result<Duration, Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let rest = self
            .deadline
            .get()
            .saturating_duration_since(Instant::now());
        if rest.is_zero() {
            Err(Failure::Timeout)
        } else {
            Ok(rest)
        }
    }

    /// Brings the deadline nearer.
    pub(super) fn hurry(&self, grace: Duration) {
        let sooner = Instant::now() + grace;
        self.deadline.set(self.deadline.get().min(sooner));
    }

    pub(super) fn socket_slot(&self) -> SocketSlot {
        self.socket.clone()
    }

    /// A cancel shuts down this socket from now on.
    pub(super) fn blocks_on(&self, socket: &Arc<TcpStream>) {
        *self.socket.0.lock() = Some(Arc::clone(socket));
    }

    /// A connection takes up this call's request.
    pub(super) fn carried_by(&self, socket: &Arc<TcpStream>, reused: bool) {
        self.blocks_on(socket);
        self.reused.set(reused);
    }

    pub(super) fn is_first_of_connection(&self) -> bool {
        !self.reused.get()
    }

    /// The connection is gone, and nothing of the request with it.
    pub(super) fn found_stale(&self) {
        self.stale.set(true);
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale.get()
    }

    /// Begins again, on another connection.
    pub(super) fn begin_again(&self) -> bool {
        self.cut_off.set(false);
        self.stale.take()
    }

    /// The request's head is this long.
    pub(super) fn has_head(&self, len: usize) {
        self.head_len.set(len as u64);
    }

    /// Bytes of the request, head or body, were handed to the connection.
    pub(super) fn sent(&self, n: usize) {
        let bytes = self.bytes_sent.get() + n as u64;
        self.bytes_sent.set(bytes);
        let all = bytes >= self.head_len.get() + self.body_len;
        self.sent.set(if all { Sent::All } else { Sent::Part });
    }

    /// The rest of the request will not be sent. What TLS had taken may not have left.
    pub(super) fn cut_off(&self) {
        self.cut_off.set(true);
    }

    /// So many bytes came from the peer, whatever is in them.
    ///
    /// # Errors
    /// When it was too much: whoever floods a call with what is no answer has none.
    pub(super) fn takes(&self, n: usize) -> io::Result<()> {
        let taken = self.taken.get().saturating_add(n);
        self.taken.set(taken);
        match taken <= MAX_TAKEN {
            true => Ok(()),
            false => Err(io::Error::other("the peer sends without end")),
        }
    }

    pub(super) fn received(&self, n: usize) {
        self.answered.set(true);
        self.bytes_received
            .set(self.bytes_received.get() + n as u64);
    }

    /// The status line of the final answer arrived.
    pub(super) fn saw_status(&self, status: u16) {
        self.status.set(Some(status));
    }

    pub(super) fn status_seen(&self) -> Option<u16> {
        self.status.get()
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    /// Remembers a failure and wraps it for ureq, in the one kind of error that ureq never takes
    /// for the end of a body. A cancelled call fails of that, whatever its socket says.
    pub(super) fn fail(&self, failure: Failure) -> ureq::Error {
        let failure = if self.cancel.is_cancelled() {
            Failure::Cancelled
        } else {
            failure
        };
        self.failure.set(Some(failure));
        ureq::Error::Other(format!("{failure:?}").into())
    }

    pub(super) fn finish(&self, outcome: Result<Reply, Failure>) -> Exchange {
        *self.socket.0.lock() = None;
        let sent = self.sent.get();
        Exchange {
            outcome,
            sent: if self.cut_off.get() {
                sent.min(Sent::Part)
            } else {
                sent
            },
            reused: self.reused.get(),
            answered: self.answered.get(),
            bytes_sent: self.bytes_sent.get(),
            bytes_received: self.bytes_received.get(),
        }
    }
}

/// Runs an exchange whose body is this.
pub(super) fn send_from<T>(body: [&[u8]; 3], exchange: impl FnOnce() -> T) -> T {
    BODY.set(body, exchange)
}

/// Works on the body of the current exchange; on nothing where there is none.
pub(super) fn with_body<T>(work: impl FnOnce([&[u8]; 3]) -> T) -> T {
    if !BODY.is_set() {
        return work([&[]; 3]);
    }
    BODY.with(work)
}

/// Makes a call the current one of this thread until the guard is dropped.
#[must_use]
pub(super) fn enter(call: &Rc<Call>) -> Entered {
    Entered(CURRENT.replace(Some(Rc::clone(call))))
}

/// Holds the call that was current before.
pub(super) struct Entered(Option<Rc<Call>>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The current call. ureq runs connectors and transports on the thread that made the call.
pub(super) fn current() -> Result<Rc<Call>, ureq::Error> {
    CURRENT
        .with_borrow(Clone::clone)
        .ok_or(ureq::Error::ConnectionFailed)
}
