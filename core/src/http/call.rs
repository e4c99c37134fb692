//! The call in flight on this thread.

use std::cell::{Cell, RefCell};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cancel::CancelToken;
use crate::transport::{Exchange, Failure, Reply, Request, Sent};
use crate::trust::Origin;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Call>>> = const { RefCell::new(None) };
    static NEXT_ID: Cell<u64> = const { Cell::new(1) };
}

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
    pub(super) id: u64,
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
    answered: Cell<bool>,
    bytes_sent: Cell<u64>,
    head_len: Cell<u64>,
    bytes_received: Cell<u64>,
    failure: Cell<Option<Failure>>,
    status: Cell<Option<u16>>,
}

impl Call {
    pub(super) fn new(request: &Request<'_>) -> Call {
        let started = Instant::now();
        let id = NEXT_ID.get();
        NEXT_ID.set(id.wrapping_add(1));
        Call {
            id,
            origin: request.url.origin().clone(),
            connect_timeout: request.connect_timeout,
            started,
            deadline: Cell::new(started + request.timeout),
            cancel: request.cancel.clone(),
            socket: SocketSlot::default(),
            body_len: request.body_len() as u64,
            sent: Cell::new(Sent::Nothing),
            cut_off: Cell::new(false),
            reused: Cell::new(false),
            answered: Cell::new(false),
            bytes_sent: Cell::new(0),
            head_len: Cell::new(0),
            bytes_received: Cell::new(0),
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

    /// Bytes of the request were handed to the connection. ureq sends the head first, alone.
    pub(super) fn sent(&self, n: usize) {
        let n = n as u64;
        self.bytes_sent.set(self.bytes_sent.get() + n);
        let body_sent = self.bytes_sent.get().saturating_sub(self.head_len.get());
        let all = self.head_len.get() > 0 && body_sent >= self.body_len;
        self.sent.set(if all { Sent::All } else { Sent::Part });
    }

    /// The head was sent; what follows is body.
    pub(super) fn head_sent(&self) {
        if self.head_len.get() == 0 {
            self.head_len.set(self.bytes_sent.get());
        }
        self.sent(0);
    }

    /// The rest of the request will not be sent. What TLS had taken may not have left.
    pub(super) fn cut_off(&self) {
        self.cut_off.set(true);
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

/// Makes a call the current one of this thread until the guard is dropped.
#[must_use]
pub(super) fn enter(call: &Rc<Call>) -> Entered {
    CURRENT.set(Some(Rc::clone(call)));
    Entered(())
}

pub(super) struct Entered(());

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// The current call. ureq runs connectors and transports on the thread that made the call.
pub(super) fn current() -> Result<Rc<Call>, ureq::Error> {
    CURRENT
        .with_borrow(Clone::clone)
        .ok_or(ureq::Error::ConnectionFailed)
}
