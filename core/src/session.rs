//! One print: pacing, then policy, then the wire.
//!
//! A session's state is behind one lock that is never held while a request is in flight. A
//! [`Flight`] marks the session as busy; landing it applies the outcome, and dropping it
//! unlanded, which only a panic does, applies that too.

mod flight;
mod restore;
mod state;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use crate::sync::{Condvar, Mutex};

use crate::cancel::CancelToken;
use crate::cause::{Cause, Phase, Why};
use crate::client::{Client, Purpose};
use crate::config::{Confidence, check_interval};
use crate::error::{Due, Error, Status};
use crate::frame::{self, Age, Digest, Frame};
use crate::log::Level;
use crate::transport::{Exchange, Failure, Request, Sent};
use crate::wire::{ContextUrls, Multipart};

use flight::Flight;
use state::State;

/// Flags of an [`Outcome`]; the numbers of the C ABI.
pub mod flags {
    /// Tell the user, once per episode.
    pub const WARNING_EDGE: u32 = 1;
    /// Pause the print, once per episode.
    pub const PAUSE_EDGE: u32 = 2;
    /// The verdict came from the fallback URL.
    pub const FALLBACK: u32 = 4;
    /// The same bytes as the last frame with a verdict: a frozen camera.
    pub const REPEATED_FRAME: u32 = 8;
    /// The frame was over the maximum age when the verdict came.
    pub const LATE: u32 = 16;
    /// The answer held no usable interval.
    pub const TIMING_DEFAULTED: u32 = 32;
    /// The embedded engine's verdict.
    pub const EMBEDDED: u32 = 64;
}

/// At most this many renewals within [`RENEWAL_WINDOW`].
const MAX_RENEWALS: usize = 3;
const RENEWAL_WINDOW: Duration = Duration::from_secs(3_600);

/// What a process call returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// 1 (failed) to 10 (perfect).
    pub print_quality: i32,
    /// 0 (perfect) to 100 (failed); -1 when none that is valid was sent.
    pub score: i32,
    /// As sent.
    pub warning_suggested: bool,
    /// As sent.
    pub pause_suggested: bool,
    /// As sent; false when missing.
    pub faster_inspection_suggested: bool,
    /// Seconds.
    pub minimum_interval_sec: u32,
    /// Seconds.
    pub recommended_interval_sec: u32,
    /// Milliseconds until this context may be called again.
    pub next_due_ms: u32,
    /// Bits of [`flags`].
    pub flags: u32,
    /// Milliseconds from call to verdict.
    pub latency_ms: u32,
    /// Milliseconds from capture to verdict; 0 when the capture time was not given.
    pub frame_age_ms: u32,
}

/// What is known of a context.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Whether the fallback URL is in use.
    pub using_fallback: bool,
    /// Failures in a row.
    pub failures_in_a_row: u32,
    /// The quality of the last verdict; 0 before the first.
    pub last_quality: i32,
    /// Seconds since the context was created at the service.
    pub age_sec: u64,
    /// Process calls that went out, or tried to.
    pub calls: u64,
    /// How the last of them ended.
    pub last_status: Status,
    /// When the next one may start.
    pub due: Due,
}

/// One print.
pub struct Session {
    client: Arc<Client>,
    id: u64,
    warning: Confidence,
    pause: Confidence,
    state: Mutex<State>,
    /// Signalled whenever a waiting thread should look again.
    changed: Condvar,
}

impl Session {
    pub(crate) fn new(
        client: &Arc<Client>,
        urls: ContextUrls,
        warning: Confidence,
        pause: Confidence,
    ) -> Arc<Session> {
        let state = State::new(urls, client.config.interval_sec, &*client.world.clock);
        Session::enlisted(client, state, warning, pause)
    }

    fn enlisted(
        client: &Arc<Client>,
        state: State,
        warning: Confidence,
        pause: Confidence,
    ) -> Arc<Session> {
        let session = Arc::new(Session {
            client: Arc::clone(client),
            id: client.new_id(),
            warning,
            pause,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        client.enlist(session.id, &session);
        session
    }

    /// One upload, one verdict. `captured_unix_ms` is when the frame was taken, if that is known.
    ///
    /// # Errors
    /// A local status, in the order of the contract, when nothing was sent; otherwise what the
    /// outcome table makes of the answer.
    pub fn process(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<Outcome, Error> {
        self.remember(self.try_process(jpeg, captured_unix_ms))
    }

    fn try_process(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<Outcome, Error> {
        frame::check(jpeg).map_err(|error| self.with_due(error))?;
        let clock = &self.client.world.clock;
        let age = captured_unix_ms.map(|ms| Age::new(ms, clock.wall_ms(), clock.now()));
        self.exchange(jpeg, age, || self.client.world.digest(jpeg))
    }

    /// As [`process`](Self::process), of a frame that was checked and read before.
    pub(crate) fn process_frame(&self, frame: &Frame) -> Result<Outcome, Error> {
        self.remember(self.exchange(&frame.jpeg, Some(frame.age), || frame.digest))
    }

    fn exchange(
        &self,
        jpeg: &[u8],
        age: Option<Age>,
        digest: impl FnOnce() -> Digest,
    ) -> Result<Outcome, Error> {
        let flight = self.take_off(jpeg, age)?;
        let digest = digest();
        let exchange = self.send(jpeg, &flight);
        let (result, level) = flight.land(digest, &exchange);
        match &result {
            Ok(outcome) => self.client.log().write(
                level,
                format_args!(
                    "verdict: quality {} score {} flags {} in {} ms",
                    outcome.print_quality, outcome.score, outcome.flags, outcome.latency_ms
                ),
            ),
            Err(error) => self.client.log().write(
                level,
                format_args!(
                    "process: {error}; next call in {} ms",
                    error.retry_after.as_ms()
                ),
            ),
        }
        result
    }

    /// The local checks that need the state, in the order of the contract, then off.
    fn take_off(&self, jpeg: &[u8], age: Option<Age>) -> Result<Flight<'_>, Error> {
        let world = &self.client.world;
        let mut state = self.state.lock();
        let now = world.clock.now();
        let refuse =
            |status, state: &State| Err(Error::local(status).retry_after(self.due_of(state, now)));
        if state.was_rejected(jpeg, world) {
            return refuse(Status::ImageRejected, &state);
        }
        if age.is_some_and(|age| frame::is_too_old(age.at(now), self.client.config.max_frame_age)) {
            return refuse(Status::StaleFrame, &state);
        }
        self.admit(&state, now)?;
        if state.held {
            // Paused just after the monitor had decided to send.
            return refuse(Status::Cancelled, &state);
        }
        let wait = state.pacing.remaining(now);
        if !wait.is_zero() {
            return Err(Error::local(Status::NotDue).retry_after(Due::In(wait)));
        }
        let token = CancelToken::new();
        state.in_flight = Some(token.clone());
        state.processing = true;
        state.calls += 1;
        Ok(Flight::new(
            self,
            token,
            state.url().clone(),
            state.track.using_fallback,
            now,
            age,
        ))
    }

    /// Latch, loss, busy: what stands before every call and wait.
    fn admit(&self, state: &State, now: Duration) -> Result<(), Error> {
        if state.closed {
            return Err(Error::local(Status::Cancelled));
        }
        self.client.refuse_if_latched()?;
        if state.is_lost(&*self.client.world.clock) {
            return Err(Error::local(Status::ContextLost).retry_after(Due::Never));
        }
        if state.in_flight.is_some() {
            return Err(Error::local(Status::Busy).retry_after(self.due_of(state, now)));
        }
        Ok(())
    }

    fn send(&self, jpeg: &[u8], flight: &Flight<'_>) -> Exchange {
        let Some(multipart) = Multipart::new() else {
            return Exchange {
                outcome: Err(Failure::Resources),
                sent: Sent::Nothing,
                reused: false,
                answered: false,
                bytes_sent: 0,
                bytes_received: 0,
                cause: Some(Cause {
                    phase: Phase::Send,
                    to_proxy: false,
                    why: Why::new("the system has no random numbers to give"),
                }),
            };
        };
        self.client.transport.exchange(&Request {
            url: flight.url(),
            key: self.client.key.as_ref(),
            content_type: &multipart.content_type,
            body: multipart.body(jpeg),
            timeout: self.client.config.timeout,
            connect_timeout: self.client.config.connect_timeout,
            cancel: flight.token(),
        })
    }

    /// When the next call may start; never while latched or lost.
    #[must_use]
    pub fn due(&self) -> Due {
        let now = self.client.world.clock.now();
        self.due_of(&self.state.lock(), now)
    }

    fn due_of(&self, state: &State, now: Duration) -> Due {
        let latched = self.client.latch.status().is_some();
        if latched || state.is_lost(&*self.client.world.clock) {
            return Due::Never;
        }
        Due::In(state.pacing.remaining(now))
    }

    fn with_due(&self, error: Error) -> Error {
        let due = self.due();
        error.retry_after(due)
    }

    /// Sleeps until the next call may start.
    ///
    /// # Errors
    /// `Busy` while another thread waits or processes, `Cancelled`, the latch, `ContextLost`.
    pub fn wait_due(&self) -> Result<(), Error> {
        self.remember(self.try_wait_due())
    }

    fn try_wait_due(&self) -> Result<(), Error> {
        let clock = &self.client.world.clock;
        let token = CancelToken::new();
        let mut state = self.state.lock();
        self.admit(&state, clock.now())?;
        state.in_flight = Some(token.clone());
        loop {
            let wait = state.pacing.remaining(clock.now());
            if !wait.is_zero() {
                self.changed.wait_for(&mut state, wait);
            }
            // Not busy for itself: what `admit` asks is whether anyone else is.
            state.in_flight = None;
            if token.is_cancelled() {
                return Err(Error::local(Status::Cancelled));
            }
            self.admit(&state, clock.now())?;
            if state.pacing.remaining(clock.now()).is_zero() {
                return Ok(());
            }
            state.in_flight = Some(token.clone());
        }
    }

    /// Ends the call or wait in flight; without one it has no effect on the next.
    pub fn cancel(&self) {
        let token = self.state.lock().in_flight.clone();
        if let Some(token) = token {
            token.cancel();
            self.wake();
        }
    }

    /// The handle is gone: ends what is in flight, for good.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.client.dismiss(self.id);
        self.cancel();
    }

    /// Whoever waits looks again.
    pub(crate) fn wake(&self) {
        // Taken so that a thread between its check and its wait is not missed.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    /// The host's own interval in seconds; 0 follows the service. A wait that is running is
    /// measured anew, unless it is one after a failure.
    ///
    /// # Errors
    /// `Argument` above 14 days.
    pub fn set_interval_sec(&self, sec: u32) -> Result<(), Error> {
        let sec = self.remember(check_interval(sec))?;
        {
            let mut state = self.state.lock();
            state.pacing.set_host_interval(sec);
            state.host_override = Some(sec);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// One Create Context call; its URLs replace this context's. Pace, edges and counters stay.
    ///
    /// # Errors
    /// `NotDue` before a create is due or after three renewals within an hour, `Busy`, the latch,
    /// and every status of a create.
    pub fn renew(&self) -> Result<(), Error> {
        self.remember(self.try_renew())
    }

    fn try_renew(&self) -> Result<(), Error> {
        let clock = &self.client.world.clock;
        let token = CancelToken::new();
        {
            let mut state = self.state.lock();
            let now = clock.now();
            if state.closed {
                return Err(Error::local(Status::Cancelled));
            }
            self.client.refuse_if_latched()?;
            if state.in_flight.is_some() {
                return Err(Error::local(Status::Busy).retry_after(self.due_of(&state, now)));
            }
            let wait = state.until_renewal(now);
            if !wait.is_zero() {
                let text =
                    "three renewals within an hour are the most; wait, or make a new context";
                return Err(Error::with_text(Status::NotDue, text).retry_after(Due::In(wait)));
            }
            state.in_flight = Some(token.clone());
        }
        let occupied = Occupied { session: self };
        let urls = self
            .client
            .create(Purpose::Context, self.warning, self.pause, &token);
        drop(occupied);
        let urls = urls?;
        self.state.lock().renewed(urls, &**clock);
        self.changed.notify_all();
        Ok(())
    }

    /// What is known of this context. Never waits for a call in flight.
    #[must_use]
    pub fn info(&self) -> Info {
        let clock = &self.client.world.clock;
        let state = self.state.lock();
        Info {
            using_fallback: state.track.using_fallback,
            failures_in_a_row: state.pacing.failures,
            last_quality: state.last_quality.into(),
            age_sec: state.age(&**clock).as_secs(),
            calls: state.calls,
            last_status: state.last_status,
            due: self.due_of(&state, clock.now()),
        }
    }

    /// The last call on this context that ended with a status below zero, from any thread.
    #[must_use]
    pub fn last_error(&self) -> Option<Error> {
        self.state.lock().last_error.clone()
    }

    /// Keeps an error for [`last_error`](Self::last_error).
    fn remember<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && error.status.is_error()
        {
            self.state.lock().last_error = Some(error.clone());
        }
        result
    }

    fn level_of(status: Status) -> Level {
        match status {
            Status::Ok => Level::Info,
            status if status.is_account() => Level::Error,
            Status::Cancelled => Level::Debug,
            _ => Level::Warn,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.dismiss(self.id);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Frees the session for the next call when a renewal ends, however it ends.
struct Occupied<'a> {
    session: &'a Session,
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.session.state.lock().in_flight = None;
    }
}
