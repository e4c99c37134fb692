//! One connection, as ureq's transport.
//!
//! What this does that a plain transport does not: it notices an answer that arrives while the
//! request is still being sent, and lets ureq read it; it passes over interim answers of any kind;
//! it knows the status of an answer whose head never became complete; and it never mistakes a
//! connection that broke for one that ended.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Instant;

use rustix::event::PollFlags;
use rustls::ClientConnection;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::MAX_IDLE_AGE;
use super::buffers::{ConnBuffers, after};
use super::call::{Call, current, with_body};
use super::head::{self, Head};
use super::socket::Tcp;
use super::tls;
use super::why::{self, ENDED};
use crate::error::cause::{self, Why};
use crate::transport::Failure;

/// Whether the system throws away what was received when a reset arrives. Then an answer has to
/// be looked for before every send; elsewhere when a send fails or has to wait.
const RESET_EATS_INPUT: bool = !cfg!(any(target_os = "linux", target_os = "android"));

/// What is sealed and sent at once: four full TLS records.
const SEALED: usize = 64 * 1024;

/// Where the exchange on this connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request, or the head of its answer, is under way.
    Head,
    /// The final answer's head is in the input buffer, or was.
    Body,
}

/// A connection, with or without TLS.
pub(super) struct Conn {
    tcp: Tcp,
    tls: Option<Box<ClientConnection>>,
    buffers: ConnBuffers,
    /// The call it carries or carried; 0 before the first.
    call_id: usize,
    phase: Phase,
    /// The head of the request was written; what follows is body.
    has_head: bool,
    /// The request has left, or as much of it as is wanted.
    sent: bool,
    /// Nothing was waited for since the last bytes were sent.
    just_sent: bool,
    /// A refusal arrived before all was sent: the rest of the request is not wanted.
    refused: bool,
    /// Bytes came in while sending, which ureq has not been told of.
    early: bool,
    /// The peer will send nothing more.
    ended: bool,
    /// Never to be used again.
    spent: bool,
    last_active: Instant,
}

impl Conn {
    pub(super) fn new(tcp: Tcp, tls: Option<Box<ClientConnection>>) -> Conn {
        Conn {
            tcp,
            tls,
            buffers: ConnBuffers::default(),
            call_id: 0,
            phase: Phase::Head,
            has_head: false,
            sent: false,
            just_sent: false,
            refused: false,
            early: false,
            ended: false,
            spent: false,
            last_active: Instant::now(),
        }
    }

    /// The first bytes of a request reset what the one before left.
    fn begin(&mut self, call: &Call) {
        if self.call_id == call.id {
            return;
        }
        call.carried_by(&self.tcp.stream, self.call_id != 0);
        self.call_id = call.id;
        self.phase = Phase::Head;
        self.has_head = false;
        self.sent = false;
        self.refused = false;
        self.early = false;
    }

    /// Sends the head, which is held, and the body, from where it lies.
    fn send(&mut self, call: &Call, body: [&[u8]; 3]) -> Result<(), Failure> {
        let mut done = 0;
        while !self.refused {
            call.remaining()?;
            // Of a kept connection that is no early answer, but its end: `check_is_alive` asks.
            let begun = done > 0 || call.is_first_of_connection();
            if RESET_EATS_INPUT && begun && self.listens(call) && !self.tcp.is_quiet() {
                self.take_early(call)?;
                continue;
            }
            match self.send_some(call, done, body) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    done += n;
                    call.sent(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_send(call)?;
                }
                Err(error) => return self.give_up_sending(call, error),
            }
        }
        Ok(())
    }

    /// Hands some of the request on. Zero only when all of it has left.
    fn send_some(&mut self, call: &Call, done: usize, body: [&[u8]; 3]) -> io::Result<usize> {
        let parts = [self.buffers.held(), body[0], body[1], body[2]];
        let begins = done == 0;
        let Some(tls) = &mut self.tls else {
            let (rest, count) = after(done, parts, usize::MAX);
            if begins {
                check_is_alive(call, &self.tcp)?;
            }
            return match count {
                0 => Ok(0),
                _ => self.tcp.write_vectored(&rest[..count]),
            };
        };
        while tls.wants_write() {
            tls.write_tls(&mut self.tcp)?;
        }
        let (rest, count) = after(done, parts, SEALED);
        let taken = match count {
            0 => 0,
            _ => tls.writer().write_vectored(&rest[..count])?,
        };
        if begins {
            check_is_alive(call, &self.tcp)?;
        }
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                // What was taken is sealed and waits its turn.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Whether an answer may come that is not known yet. Once its status is, the rest stays where
    /// it is until the request is out.
    fn listens(&self, call: &Call) -> bool {
        !self.ended && call.status_seen().is_none()
    }

    /// The way out is full. Whoever does not read may have answered already.
    fn wait_to_send(&mut self, call: &Call) -> Result<(), Failure> {
        if !self.listens(call) {
            return self.tcp.wait(call, PollFlags::OUT).map(drop);
        }
        let ready = self.tcp.wait(call, PollFlags::OUT | PollFlags::IN)?;
        if ready.contains(PollFlags::IN) {
            self.take_early(call)?;
        }
        Ok(())
    }

    /// Reads what arrived while sending, up to the status of a final answer.
    fn take_early(&mut self, call: &Call) -> Result<(), Failure> {
        while self.listens(call) {
            call.remaining()?;
            match self.fill(call) {
                // Whoever ends the connection now will not answer what is still on its way.
                Ok(0) => {
                    self.ended = true;
                    return Err(call.blame((Failure::Io, Why::new(ENDED))));
                }
                Ok(_) => self.early = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.ended = true;
                    return Err(call.blame_io(error, Failure::Io));
                }
            }
        }
        // A refusal does not want the rest; after anything else the request goes on.
        self.refused = call.status_seen().is_some_and(|status| status >= 300);
        Ok(())
    }

    /// Sending failed. If an answer lies there already, it says why; so does a TLS alert.
    fn give_up_sending(&mut self, call: &Call, error: io::Error) -> Result<(), Failure> {
        self.spent = true;
        if call.is_stale() {
            return Err(Failure::Io);
        }
        let mut failure = call.blame_io(error, Failure::Io);
        while self.listens(call) {
            call.remaining()?;
            match self.fill(call) {
                Ok(0) => self.ended = true,
                Ok(_) => self.early = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    let (other, why) = why::of_io(error, Failure::Io);
                    if other == Failure::Tls {
                        failure = call.blame((other, why));
                    }
                }
            }
        }
        if call.status_seen().is_none() {
            return Err(failure);
        }
        self.refused = true;
        Ok(())
    }

    /// Reads once into the input buffer. Zero is the clean end of the connection; `Interrupted`
    /// says that what came holds nothing yet, so that whoever loops looks at the deadline.
    fn fill(&mut self, call: &Call) -> io::Result<usize> {
        let n = match &mut self.tls {
            None => {
                let space = self.buffers.input_append_buf();
                let n = self.tcp.read(space)?;
                call.takes(n)?;
                n
            }
            Some(tls) => {
                let space = self.buffers.input_append_buf();
                tls::read(tls, &mut self.tcp, space, call)?
            }
        };
        self.buffers.input_appended(n);
        if n > 0 {
            call.received(n);
            self.watch_head(call)?;
        }
        Ok(n)
    }

    /// Passes over interim answers and notes the status of the final one.
    fn watch_head(&mut self, call: &Call) -> io::Result<()> {
        while self.phase == Phase::Head {
            match head::look(self.buffers.input()) {
                Head::Whole(status, len) if head::is_interim(status) => self.buffers.skip(len),
                Head::Whole(101, _) | Head::Begun(101) => {
                    return Err(io::Error::other("the peer left HTTP"));
                }
                Head::Whole(status, _) => {
                    call.saw_status(status);
                    self.phase = Phase::Body;
                }
                Head::Begun(status) if !head::is_interim(status) => {
                    call.saw_status(status);
                    return Ok(());
                }
                Head::Begun(_) | Head::Unknown => return Ok(()),
            }
        }
        Ok(())
    }
}

/// A kept connection may have been closed while it idled. Asked at the last moment, when the first
/// bytes are sealed and ready to go: what is closed from then on is lost with the call.
fn check_is_alive(call: &Call, tcp: &Tcp) -> io::Result<()> {
    match call.is_first_of_connection() || tcp.is_quiet() {
        true => Ok(()),
        false => {
            call.found_stale();
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

impl Transport for Conn {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let call = current()?;
        self.begin(&call);
        if !self.has_head {
            // ureq hands over the head alone. It leaves with the beginning of the body.
            self.has_head = true;
            self.buffers.hold(amount);
            call.has_head(amount);
            return Ok(());
        }
        // All of it leaves at once; what ureq thinks that it hands over later is gone already.
        if self.sent {
            return Ok(());
        }
        self.transmit(&call)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let call = current()?;
        if !self.sent {
            self.transmit(&call)?;
        }
        if std::mem::take(&mut self.early) && !self.buffers.input().is_empty() {
            return Ok(true);
        }
        if std::mem::take(&mut self.just_sent) && !self.ended && self.tls_is_quiet() {
            // No answer is as quick as a look for it.
            self.wait_to_read(&call)?;
        }
        loop {
            call.remaining()
                .map_err(|failure| self.lose(&call, failure))?;
            if self.ended {
                return Ok(false);
            }
            self.last_active = Instant::now();
            match self.fill(&call) {
                Ok(0) => {
                    self.ended = true;
                    call.blame((Failure::Io, Why::new(ENDED)));
                }
                // Nothing but interim answers: not progress in ureq's sense.
                Ok(_) if self.buffers.input().is_empty() => {}
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_read(&call)?;
                }
                Err(error) => {
                    let failure = call.blame_io(error, Failure::Io);
                    return Err(self.lose(&call, failure));
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.buffers.trim();
        !self.spent
            && !self.ended
            && self.last_active.elapsed() < MAX_IDLE_AGE
            && self.tls_is_quiet()
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl Conn {
    fn transmit(&mut self, call: &Call) -> Result<(), ureq::Error> {
        call.enters(cause::Phase::Send);
        self.last_active = Instant::now();
        self.just_sent = true;
        self.sent = true;
        let sent = with_body(|body| self.send(call, body));
        // The head holds the key.
        self.buffers.wipe_held();
        if sent.is_err() || self.refused {
            self.spent = true;
            call.cut_off();
        }
        if sent.is_ok() {
            let answered = self.early || call.status_seen().is_some();
            call.enters(match answered {
                true => cause::Phase::Receive,
                false => cause::Phase::Wait,
            });
        }
        sent.map_err(|failure| match call.is_stale() {
            // Nothing has left: another connection will do.
            true => ureq::Error::ConnectionFailed,
            false => call.fail(failure),
        })
    }

    fn wait_to_read(&mut self, call: &Call) -> Result<(), ureq::Error> {
        match self.tcp.wait(call, PollFlags::IN) {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.lose(call, failure)),
        }
    }

    /// Whether TLS holds nothing that was read along with the last answer: no data, no
    /// `close_notify`. The socket would not tell.
    fn tls_is_quiet(&mut self) -> bool {
        let Some(tls) = &mut self.tls else {
            return true;
        };
        tls.process_new_packets()
            .is_ok_and(|state| !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0)
    }

    fn lose(&mut self, call: &Call, failure: Failure) -> ureq::Error {
        self.spent = true;
        call.fail(failure)
    }
}

impl Drop for Conn {
    /// Says goodbye, if that is possible at once: some servers forget a session whose connection
    /// just ends.
    fn drop(&mut self) {
        if let Some(tls) = self.tls.as_mut().filter(|_| !self.spent && !self.ended) {
            tls.send_close_notify();
            drop(tls.write_tls(&mut self.tcp));
        }
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
