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

use super::why;
use crate::error::cause::{Cause, Phase, Why};
use crate::platform::cancel::CancelToken;
use crate::rules::trust::Origin;
use crate::transport::{Exchange, Failure, Reply, ReplyBody, Request, Sent};

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
    timeout: Duration,
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
    phase: Cell<Phase>,
    to_proxy: Cell<bool>,
    /// What went wrong last in this phase.
    why: RefCell<Option<Why>>,
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
            timeout: request.timeout,
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
            phase: Cell::new(Phase::Resolve),
            to_proxy: Cell::new(false),
            why: RefCell::new(None),
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

    /// What it does from now on. What went wrong before has been got over.
    pub(super) fn enters(&self, phase: Phase) {
        self.phase.set(phase);
        self.why.replace(None);
    }

    /// Whether the connection that is being made is one to the proxy.
    pub(super) fn is_to_proxy(&self, to_proxy: bool) {
        self.to_proxy.set(to_proxy);
    }

    /// Remembers what went wrong, in words, and hands the failure on.
    pub(super) fn blame(&self, (failure, why): (Failure, Why)) -> Failure {
        self.why.replace(Some(why));
        failure
    }

    /// The same of an error of a socket; `otherwise` is what most errors mean there.
    pub(super) fn blame_io(&self, error: io::Error, otherwise: Failure) -> Failure {
        self.blame(why::of_io(error, otherwise))
    }

    /// The same of what was received, unless something else went wrong before.
    pub(super) fn blame_unless_known(&self, words: &str) -> Failure {
        self.why.borrow_mut().get_or_insert_with(|| Why::new(words));
        Failure::Io
    }

    /// What went wrong last; forgotten here.
    pub(super) fn take_why(&self) -> Option<Why> {
        self.why.take()
    }

    fn cause(&self, failure: Failure) -> Cause {
        let why = match failure {
            Failure::Timeout => {
                let ms = self.timeout.as_millis();
                Some(Why::new(&format!("the deadline of {ms} ms has passed")))
            }
            _ => self.take_why(),
        };
        Cause {
            phase: self.phase.get(),
            to_proxy: self.to_proxy.get(),
            why: why.unwrap_or_else(|| Why::new("it failed")),
        }
    }

    /// Bytes of an answer arrived.
    pub(super) fn received(&self, n: usize) {
        if self.phase.get() == Phase::Wait {
            self.enters(Phase::Receive);
        }
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
        let failure = match &outcome {
            Err(failure) => Some(*failure),
            Ok(reply) if !(200..300).contains(&reply.status) => None,
            Ok(reply) => match &reply.body {
                ReplyBody::Broken(_, failure) => Some(*failure),
                _ => None,
            },
        };
        let failure = failure.filter(|failure| *failure != Failure::Cancelled);
        let sent = self.sent.get();
        Exchange {
            cause: failure.map(|failure| self.cause(failure)),
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
