//! One print: pacing, then policy, then the wire.
//!
//! A session's state is behind one lock that is never held while a request is in flight. An
//! [`InFlight`] marks the session as busy; completing it applies the outcome, and dropping it
//! before that, which only a panic does, applies that too.

mod attached;
mod in_flight;
pub mod outcome;
pub mod print_options;
mod renewal;
mod restore;
pub(crate) mod saved;
mod state;

use std::sync::Arc;
use std::time::Duration;

use crate::platform::sync::{Condvar, Mutex};

use crate::account::{Account, Wake};
use crate::backend::Print;
use crate::error::{Due, Error, Status, refuse};
use crate::frame::{self, Age, Frame};
use crate::platform::cancel::CancelToken;
use crate::platform::digest::Digest;
use crate::platform::log::Level;
use crate::platform::moment::Moment;
use crate::rules::confidence::Confidence;
use crate::rules::pacing::check_interval;

use in_flight::InFlight;
use outcome::{Info, Outcome};
use print_options::PrintOptions;
use state::{Activity, State};

/// One print.
pub struct Session {
    account: Arc<Account>,
    id: u64,
    state: Mutex<State>,
    /// Signalled whenever a waiting thread should look again.
    changed: Condvar,
}

impl Session {
    pub(crate) fn new(account: &Arc<Account>, print: Print, options: PrintOptions) -> Arc<Session> {
        let own = (options.interval_sec != 0).then_some(options.interval_sec);
        let sec = own.unwrap_or(account.config.interval_sec);
        let mut state = State::new(print, options, &*account.world.clock, sec);
        state.host_override = own;
        Session::enlisted(account, state)
    }

    fn enlisted(account: &Arc<Account>, state: State) -> Arc<Session> {
        let session = Arc::new(Session {
            account: Arc::clone(account),
            id: account.new_id(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&session);
        account.enlist(session.id, weak);
        session
    }

    /// One upload, one verdict. `captured_unix_ms` is when the frame was taken; without it, that is
    /// now.
    ///
    /// # Errors
    /// A local status, in the order of the contract, when nothing was sent; otherwise what the
    /// outcome table makes of the answer.
    pub fn process(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<Outcome, Error> {
        self.remember(self.try_process(jpeg, captured_unix_ms))
    }

    fn try_process(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<Outcome, Error> {
        let clock = &self.account.world.clock;
        let wall_ms = clock.wall_ms();
        let played = self.play(captured_unix_ms.unwrap_or(wall_ms))?;
        frame::check(jpeg).map_err(|error| self.with_due(error))?;
        let call = Moment::of(&**clock);
        let age = match played {
            // A recording is as old as it is.
            Some(_) => Age::new(None, wall_ms, call),
            None => Age::new(captured_unix_ms, wall_ms, call),
        };
        self.process_checked(jpeg, age, played, || self.account.world.digest(jpeg))
    }

    /// When a picture of a recording was taken, if this print is one.
    fn play(&self, captured_unix_ms: i64) -> Result<Option<Duration>, Error> {
        let state = self.state.lock();
        if !state.options.replay {
            return Ok(None);
        }
        let captured = Duration::from_millis(u64::try_from(captured_unix_ms).unwrap_or(0));
        if captured < state.played {
            return Err(refuse(
                "the picture was taken before the last: a recording is played forwards",
            ));
        }
        Ok(Some(captured))
    }

    /// As [`process`](Self::process), of a frame that was checked and read before.
    pub(crate) fn process_frame(&self, frame: &Frame) -> Result<Outcome, Error> {
        self.remember(self.process_checked(&frame.jpeg, frame.age, None, || frame.digest))
    }

    fn process_checked(
        &self,
        jpeg: &[u8],
        age: Age,
        played: Option<Duration>,
        digest: impl FnOnce() -> Digest,
    ) -> Result<Outcome, Error> {
        let in_flight = self.begin(jpeg, age, played)?;
        let digest = digest();
        let reading = in_flight.judge(jpeg);
        let (result, level) = in_flight.complete(digest, &reading);
        match &result {
            Ok(outcome) => self.account.log().write(
                level,
                format_args!(
                    "verdict: quality {} score {} flags {} in {} ms",
                    outcome.print_quality, outcome.score, outcome.flags, outcome.latency_ms
                ),
            ),
            Err(error) => self.account.log().write(
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
    fn begin(
        &self,
        jpeg: &[u8],
        age: Age,
        played: Option<Duration>,
    ) -> Result<InFlight<'_>, Error> {
        let world = &self.account.world;
        let mut state = self.state.lock();
        let moment = Moment::of(&*world.clock);
        let now = played.unwrap_or(moment.now());
        let refused =
            |status, state: &State| Err(Error::local(status).retry_after(self.due_of(state, now)));
        if state.was_rejected(jpeg, world) {
            return refused(Status::ImageRejected, &state);
        }
        let too_old = frame::is_too_old(age.at(&moment), self.account.config.max_frame_age);
        if played.is_none() && too_old {
            return refused(Status::StaleFrame, &state);
        }
        self.admit(&state, now)?;
        if state.held {
            // Paused just after the monitor had decided to send.
            return refused(Status::Cancelled, &state);
        }
        let wait = state.pacing.remaining(now);
        if !wait.is_zero() {
            return Err(Error::local(Status::NotDue).retry_after(Due::In(wait)));
        }
        let old = state.age(&*world.clock);
        let taken = played.unwrap_or(old.saturating_sub(age.at(&moment)));
        let token = CancelToken::new();
        // From here to the call in flight nothing panics: it would stay busy.
        state.activity = Activity::processing(&token);
        // A saved text may say any number.
        state.calls = state.calls.saturating_add(1);
        state.played = played.unwrap_or_default();
        Ok(InFlight::new(self, token, &state, taken, (moment, age)))
    }

    /// Latch, loss, busy: what stands before every call and wait.
    fn admit(&self, state: &State, now: Duration) -> Result<(), Error> {
        if state.closed {
            return Err(Error::local(Status::Cancelled));
        }
        self.account.refuse_if_latched()?;
        if state.is_lost(&*self.account.world.clock) {
            return Err(Error::local(Status::ContextLost).retry_after(Due::Never));
        }
        if state.activity.is_busy() {
            return Err(Error::local(Status::Busy).retry_after(self.due_of(state, now)));
        }
        Ok(())
    }

    /// When the next call may start; never while latched or lost.
    #[must_use]
    pub fn due(&self) -> Due {
        let state = self.state.lock();
        let now = state.now(&*self.account.world.clock);
        self.due_now(&state, now)
    }

    /// The same for the host's clock: a recording need not wait.
    fn due_now(&self, state: &State, now: Duration) -> Due {
        match self.due_of(state, now) {
            Due::In(_) if state.options.replay => Due::In(Duration::ZERO),
            due => due,
        }
    }

    fn due_of(&self, state: &State, now: Duration) -> Due {
        let latched = self.account.latch.status().is_some();
        if latched || state.is_lost(&*self.account.world.clock) {
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
        let clock = &self.account.world.clock;
        let token = CancelToken::new();
        let mut state = self.state.lock();
        self.admit(&state, clock.now())?;
        if state.options.replay {
            return Ok(());
        }
        loop {
            let wait = state.pacing.remaining(clock.now());
            if !wait.is_zero() {
                // Only while it sleeps: no panic leaves the context busy, and what `admit` asks
                // afterwards is whether anyone else is.
                state.activity = Activity::Waiting(token.clone());
                self.changed.wait_for(&mut state, wait);
                state.activity = Activity::Idle;
            }
            if token.is_cancelled() {
                return Err(Error::local(Status::Cancelled));
            }
            self.admit(&state, clock.now())?;
            if state.pacing.remaining(clock.now()).is_zero() {
                return Ok(());
            }
        }
    }

    /// Ends the call or wait in flight; without one it has no effect on the next.
    pub fn cancel(&self) {
        let token = self.state.lock().activity.token().cloned();
        if let Some(token) = token {
            token.cancel();
            self.wake();
        }
    }

    /// The handle is gone: ends what is in flight, for good.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.account.dismiss(self.id);
        self.cancel();
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

    /// How certain it must be before something is said: before a warning, and before a pause. The
    /// service hears of it with the next create for this print, which this does not cause.
    pub fn set_confidence(&self, warning: Confidence, pause: Confidence) {
        let mut state = self.state.lock();
        state.options.warning = warning;
        state.options.pause = pause;
    }

    /// Before a warning, and before a pause.
    fn levels(&self) -> (Confidence, Confidence) {
        self.state.lock().levels()
    }

    /// What is known of this context. Never waits for a call in flight.
    #[must_use]
    pub fn info(&self) -> Info {
        let clock = &self.account.world.clock;
        let state = self.state.lock();
        Info {
            using_fallback: state.failover.using_fallback,
            failures_in_a_row: state.pacing.failures,
            last_quality: state.last_quality.into(),
            age_sec: state.age(&**clock).as_secs(),
            calls: state.calls,
            last_status: state.last_status,
            due: self.due_now(&state, state.now(&**clock)),
        }
    }

    /// The last call on this context that ended with a status below zero, from any thread.
    #[must_use]
    pub fn last_error(&self) -> Option<Error> {
        self.state.lock().last_error.clone()
    }

    /// Keeps an error for [`last_error`](Self::last_error), also one of a call that did not get
    /// as far as this session. Statuses above 0 are none.
    pub fn keep_error(&self, error: &Error) {
        if error.status.is_error() {
            self.state.lock().last_error = Some(error.clone());
        }
    }

    fn remember<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| self.keep_error(error))
    }

    fn level_of(status: Status) -> Level {
        match status {
            Status::Ok | Status::Blind => Level::Info,
            status if status.is_account() => Level::Error,
            Status::Cancelled => Level::Debug,
            _ => Level::Warn,
        }
    }
}

impl Wake for Session {
    /// Whoever waits looks again.
    fn wake(&self) {
        // Taken so that a thread between its check and its wait is not missed.
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.account.dismiss(self.id);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
