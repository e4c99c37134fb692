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
use zeroize::Zeroize;

use super::MAX_IDLE_AGE;
use super::call::{Call, current};
use super::head::{self, Head};
use super::socket::{Tcp, classify};
use crate::transport::Failure;

/// What is sent at once: four full TLS records, so that none is split over two sends.
const OUTPUT: usize = 64 * 1024;
/// Where the input buffer begins; it grows to [`MAX_INPUT`] for long header blocks.
const INPUT: usize = 8 * 1024;
/// A little more than the longest header block.
const MAX_INPUT: usize = super::MAX_HEAD + INPUT;

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
    buffers: Growing,
    call_id: u64,
    phase: Phase,
    head_sent: bool,
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
            buffers: Growing::default(),
            call_id: 0,
            phase: Phase::Head,
            head_sent: false,
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
        self.head_sent = false;
        self.refused = false;
        self.early = false;
    }

    fn send(&mut self, call: &Call, amount: usize) -> Result<(), Failure> {
        let mut done = 0;
        while !self.refused {
            match self.send_some(done, amount) {
                Ok(0) if done == amount => return Ok(()),
                Ok(n) => {
                    done += n;
                    call.sent(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_to_send(call)?;
                }
                Err(error) => return self.give_up_sending(call, &error),
            }
        }
        Ok(())
    }

    /// Hands some of the output on. Zero only when all of it has left.
    fn send_some(&mut self, done: usize, amount: usize) -> io::Result<usize> {
        let rest = &self.buffers.output[done..amount];
        let Some(tls) = &mut self.tls else {
            return if rest.is_empty() {
                Ok(0)
            } else {
                self.tcp.write(rest)
            };
        };
        while tls.wants_write() {
            tls.write_tls(&mut self.tcp)?;
        }
        let taken = if rest.is_empty() {
            0
        } else {
            tls.writer().write(rest)?
        };
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

    /// The way out is full. Whoever does not read may have answered already.
    fn wait_to_send(&mut self, call: &Call) -> Result<(), Failure> {
        let both = if self.ended {
            PollFlags::OUT
        } else {
            PollFlags::OUT | PollFlags::IN
        };
        let ready = self.tcp.wait(call, both)?;
        if !self.ended && ready.contains(PollFlags::IN) {
            self.take_early(call)?;
        }
        Ok(())
    }

    /// Reads what arrived while sending.
    fn take_early(&mut self, call: &Call) -> Result<(), Failure> {
        match self.fill(call) {
            Ok(0) => self.ended = true,
            Ok(_) => self.early = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                self.ended = true;
                if call.status_seen().is_none() {
                    return Err(failure_of(&error));
                }
            }
        }
        // A refusal does not want the rest; after anything else the request goes on.
        self.refused = call.status_seen().is_some_and(|status| status >= 300);
        Ok(())
    }

    /// Sending failed. If an answer lies there already, it says why.
    fn give_up_sending(&mut self, call: &Call, error: &io::Error) -> Result<(), Failure> {
        self.spent = true;
        while !self.ended && call.status_seen().is_none() {
            match self.fill(call) {
                Ok(0) | Err(_) => self.ended = true,
                Ok(_) => self.early = true,
            }
        }
        if call.status_seen().is_some() {
            self.refused = true;
            return Ok(());
        }
        Err(failure_of(error))
    }

    /// Reads once into the input buffer. Zero is the clean end of the connection.
    fn fill(&mut self, call: &Call) -> io::Result<usize> {
        let n = match &mut self.tls {
            None => {
                let space = self.buffers.input_append_buf();
                self.tcp.read(space)?
            }
            Some(tls) => read_tls(tls, &mut self.tcp, self.buffers.input_append_buf())?,
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

/// Decrypts once. Zero is a `close_notify`; an end without one is an error.
fn read_tls(tls: &mut ClientConnection, tcp: &mut Tcp, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match tls.reader().read(space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
        tls.read_tls(tcp)?;
        let processed = tls.process_new_packets();
        if tls.wants_write() {
            // Key updates and alerts; they can wait for the next send.
            drop(tls.write_tls(tcp));
        }
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
}

/// What an error of an established connection means.
pub(super) fn failure_of(error: &io::Error) -> Failure {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| classify(error, Failure::Io), super::roots::classify)
}

impl Transport for Conn {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let call = current()?;
        self.begin(&call);
        self.last_active = Instant::now();
        let sent = self.send(&call, amount);
        if !self.head_sent {
            // The head holds the key.
            self.buffers.output[..amount].zeroize();
            if sent.is_ok() && !self.refused {
                call.head_sent();
            }
            self.head_sent = true;
        }
        if sent.is_err() || self.refused {
            self.spent = true;
            call.cut_off();
        }
        sent.map_err(|failure| call.fail(failure))
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let call = current()?;
        if std::mem::take(&mut self.early) && !self.buffers.input().is_empty() {
            return Ok(true);
        }
        loop {
            if self.ended {
                return Ok(false);
            }
            self.last_active = Instant::now();
            match self.fill(&call) {
                Ok(0) => self.ended = true,
                // Nothing but interim answers: not progress in ureq's sense.
                Ok(_) if self.buffers.input().is_empty() => {}
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let waited = self.tcp.wait(&call, PollFlags::IN);
                    waited.map_err(|failure| self.lose(&call, failure))?;
                }
                Err(error) => return Err(self.lose(&call, failure_of(&error))),
            }
            if self.ended && call.remaining() == Err(Failure::Cancelled) {
                return Err(self.lose(&call, Failure::Cancelled));
            }
        }
    }

    fn is_open(&mut self) -> bool {
        !self.spent
            && !self.ended
            && self.last_active.elapsed() < MAX_IDLE_AGE
            && self.tcp.is_quiet()
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl Conn {
    fn lose(&mut self, call: &Call, failure: Failure) -> ureq::Error {
        self.spent = true;
        call.fail(failure)
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

/// Buffers that are no larger than they have to be.
#[derive(Default)]
struct Growing {
    input: Vec<u8>,
    begin: usize,
    end: usize,
    output: Vec<u8>,
    progress: bool,
}

impl Growing {
    /// Drops bytes that ureq need not see.
    fn skip(&mut self, n: usize) {
        self.begin += n;
    }
}

impl Buffers for Growing {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output.resize(OUTPUT, 0);
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.begin..self.end]
    }

    /// Never empty before [`MAX_INPUT`] bytes wait to be used: reading into nothing would look
    /// like the end of the connection.
    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
        if self.end == self.input.len() {
            self.input.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            let wanted = (self.end * 2).clamp(INPUT, MAX_INPUT);
            if wanted > self.input.len() {
                self.input.resize(wanted, 0);
            }
        }
        &mut self.input[self.end..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.begin += amount;
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        if self.output.is_empty() {
            self.output.resize(OUTPUT, 0);
        }
        // Only chunked bodies go through the first; ours never are.
        (&mut [], &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.begin < self.end && self.progress
    }
}
