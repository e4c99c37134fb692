//! One process call, from its beginning to the outcome that is applied when it completes.

use std::time::Duration;

use crate::account::latch::Ticket;
use crate::backend::{Print, Question, Reading};
use crate::error::{Due, Error, Status};
use crate::frame::{self, Age};
use crate::platform::cancel::CancelToken;
use crate::platform::digest::Digest;
use crate::platform::log::Level;
use crate::platform::moment::Moment;
use crate::platform::random;
use crate::rules::outcome_table::{Decision, OutcomeClass};
use crate::rules::pacing::{Interval, Next};
use crate::transport::Sent;
use crate::wire::verdict::Verdict;

use super::Session;
use super::outcome::{Outcome, flags};
use super::print_options::PrintOptions;
use super::state::{Activity, Standing, State};

/// A process call in flight. Dropped before it is complete, which only a panic does, it counts as one. It is
/// complete when its session is free again, and not before: a panic on the way leaves nothing busy.
pub(super) struct InFlight<'a> {
    session: &'a Session,
    token: CancelToken,
    print: Print,
    options: PrintOptions,
    fallback: bool,
    /// When the picture was taken, counted from when the print began.
    taken: Duration,
    started: Moment,
    age: Age,
    ticket: Ticket,
    completed: bool,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(
        session: &'a Session,
        token: CancelToken,
        state: &State,
        taken: Duration,
        (started, age): (Moment, Age),
    ) -> InFlight<'a> {
        let ticket = session.account.latch.ticket();
        InFlight {
            session,
            token,
            print: state.print.clone(),
            options: state.options.clone(),
            fallback: state.failover.using_fallback,
            taken,
            started,
            age,
            ticket,
            completed: false,
        }
    }

    /// One attempt at the backend.
    pub(super) fn judge(&self, jpeg: &[u8]) -> Reading {
        let backend = &self.session.account.backend;
        let question = Question {
            jpeg,
            fallback: self.fallback,
            taken: self.taken,
            warning: self.options.warning,
            pause: self.options.pause,
            ignore: &self.options.ignore,
        };
        backend.judge(&self.print, &question, &self.token)
    }

    /// The time on the clock that the print is paced by.
    fn now(&self, moment: &Moment) -> Duration {
        match self.options.replay {
            true => self.taken,
            false => moment.now(),
        }
    }

    /// Applies the outcome and says what the caller gets.
    pub(super) fn complete(
        mut self,
        digest: Digest,
        reading: &Reading,
    ) -> (Result<Outcome, Error>, Level) {
        let account = &self.session.account;
        account.counters.traffic(reading.traffic);
        match reading.verdict {
            Some(_) => account.counters.processed(),
            None => account.counters.failed(reading),
        }
        if reading.outcome.0.rule().latch {
            account.latch(reading.outcome.1, self.ticket);
        }
        let result = match reading.verdict {
            Some(verdict) => self.deliver(&verdict, digest),
            None => Err(self.refuse(reading, digest)),
        };
        let status = result
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok);
        (result, Session::level_of(status))
    }

    /// A verdict arrived: pace by it, and raise what it raises.
    ///
    /// # Errors
    /// `Blind` when it says that there was nothing to judge.
    fn deliver(&mut self, verdict: &Verdict, digest: Digest) -> Result<Outcome, Error> {
        let account = &self.session.account;
        let mut state = self.session.state.lock();
        let moment = Moment::of(&*account.world.clock);
        let now = self.now(&moment);
        let paused_since_start = state.activity.was_paused();
        state.pacing.judged(verdict.interval, verdict.faster);
        let decision = state
            .failover
            .decide((OutcomeClass::Verdict, Status::Ok), 200, false, now);
        state.pacing.ended(now, decision.next, Duration::ZERO, 0.0);
        state.last_status = Status::Ok;
        state.release();
        self.completed = true;
        if state.closed {
            return Err(Error::local(Status::Cancelled));
        }
        if let Err(error) = account.refuse_if_latched() {
            // A sibling's account error came first: this verdict is not acted on.
            state.last_status = error.status;
            return Err(error);
        }
        let repeated = state.last_frame.replace(digest) == Some(digest);
        state.standing = Standing::Good;
        if verdict.blind {
            // What was believed before holds on, as do its edges.
            state.last_status = Status::Blind;
            return Err(Error::local(Status::Blind).retry_after(self.session.due_of(&state, now)));
        }
        let age = self.age.at_verdict(&self.started, &moment);
        let too_old = frame::is_too_old(age, account.config.max_frame_age);
        let late = too_old && !self.options.replay;
        state.last_quality = verdict.quality;
        let fresh = !late && !repeated && !state.held && !paused_since_start;
        // A muted print ends episodes, but begins none.
        let counts = fresh && !(state.muted && (verdict.warning || verdict.pause));
        let new = state
            .alerts
            .update(verdict.warning, verdict.pause, counts, now);
        let in_flags = state.alerts.in_flags(new);
        if state.automatic {
            state.to_tell = new;
        }
        let bits = [
            (in_flags.warning, flags::WARNING_EDGE),
            (in_flags.pause, flags::PAUSE_EDGE),
            (self.fallback, flags::FALLBACK),
            (repeated, flags::REPEATED_FRAME),
            (late, flags::LATE),
            (verdict.interval.is_none(), flags::TIMING_DEFAULTED),
            (matches!(self.print, Print::Embedded(_)), flags::EMBEDDED),
        ];
        let floor = u32::try_from(state.pacing.floor().as_secs()).unwrap_or(u32::MAX);
        let interval = verdict.interval.unwrap_or(Interval {
            minimum: floor,
            recommended: floor,
        });
        Ok(Outcome {
            print_quality: verdict.quality.into(),
            score: verdict.score.map_or(-1, i32::from),
            warning_suggested: verdict.warning,
            pause_suggested: verdict.pause,
            faster_inspection_suggested: verdict.faster,
            minimum_interval_sec: interval.minimum,
            recommended_interval_sec: interval.recommended,
            next_due_ms: self.session.due_of(&state, now).as_ms(),
            flags: bits
                .into_iter()
                .filter(|(set, _)| *set)
                .map(|(_, bit)| bit)
                .sum(),
            new,
            latency_ms: Due::In(moment.now().saturating_sub(self.started.now())).as_ms(),
            frame_age_ms: Due::In(self.age.at(&moment)).as_ms(),
            place: verdict.place,
        })
    }

    /// No verdict arrived: the outcome table says what follows.
    fn refuse(&mut self, reading: &Reading, digest: Digest) -> Error {
        let clock = &self.session.account.world.clock;
        let mut state = self.session.state.lock();
        let now = self.now(&Moment::of(&**clock));
        state.pacing.learn(reading.interval);
        let (class, _) = reading.outcome;
        let stale_connection =
            class == OutcomeClass::Unreachable && reading.reused && !reading.answered;
        let mut decision =
            state
                .failover
                .decide(reading.outcome, reading.http_status, stale_connection, now);
        if class == OutcomeClass::Cancelled && reading.sent == Sent::Nothing {
            decision.next = Next::Unchanged;
        }
        if state.automatic && !decision.lost {
            decision.status = reading.outcome.1;
        }
        if class == OutcomeClass::ImageRejected {
            state.reject(digest);
        }
        state.apply(&decision, reading.retry_after, now);
        state.release();
        self.completed = true;
        let due = self.session.due_of(&state, now);
        reading.error(decision.status, due)
    }
}

impl State {
    /// The next call may come.
    fn release(&mut self) {
        self.activity = Activity::Idle;
    }

    fn apply(&mut self, decision: &Decision, retry_after: Duration, now: Duration) {
        let at_least = if decision.heeds_retry_after {
            retry_after
        } else {
            Duration::ZERO
        };
        self.pacing
            .ended(now, decision.next, at_least, random::jitter());
        let standing = match decision {
            Decision { lost: true, .. } => Standing::Lost,
            Decision { renew: true, .. } => Standing::WantsRenewal,
            _ => Standing::Good,
        };
        self.standing = self.standing.max(standing);
        self.last_status = decision.status;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.completed {
            return;
        }
        let now = self.now(&Moment::of(&*self.session.account.world.clock));
        let mut state = self.session.state.lock();
        state.release();
        let decision = state
            .failover
            .decide((OutcomeClass::Local, Status::Panic), 0, false, now);
        state.apply(&decision, Duration::ZERO, now);
    }
}
