//! One process call, from its take-off to the outcome that is applied when it lands.

use std::time::Duration;

use crate::cancel::CancelToken;
use crate::creating::reason;
use crate::error::{Due, Error, ErrorType, Status};
use crate::frame::{self, Age, Digest};
use crate::latch::Ticket;
use crate::log::Level;
use crate::pacing::Next;
use crate::policy::{self, Condition, Decision};
use crate::random;
use crate::reply;
use crate::transport::{Exchange, Failure, Reply, ReplyBody, Sent};
use crate::trust::TrustedUrl;
use crate::verdict::{self, Interval, Verdict};

use super::state::State;
use super::{Outcome, Session, flags};
use crate::client::describe;

/// A process call in flight. Dropped unlanded, which only a panic does, it counts as one.
pub(super) struct Flight<'a> {
    session: &'a Session,
    token: CancelToken,
    url: TrustedUrl,
    fallback: bool,
    started: Duration,
    age: Option<Age>,
    ticket: Ticket,
    landed: bool,
}

/// An exchange, read.
struct Reading {
    verdict: Option<Verdict>,
    /// The interval of an answer that is otherwise unusable.
    interval: Option<Interval>,
    outcome: (Condition, Status),
    http_status: u16,
    error_type: Option<ErrorType>,
    retry_after: Duration,
}

impl Reading {
    fn new(outcome: (Condition, Status), http_status: u16) -> Reading {
        Reading {
            verdict: None,
            interval: None,
            outcome,
            http_status,
            error_type: None,
            retry_after: Duration::ZERO,
        }
    }

    fn of(exchange: &Exchange) -> Reading {
        match &exchange.outcome {
            Err(failure) => Reading::new(policy::classify_failure(*failure), 0),
            Ok(reply) if (200..300).contains(&reply.status) => Reading::of_success(reply),
            Ok(reply) => Reading::of_refusal(reply),
        }
    }

    fn of_success(reply: &Reply) -> Reading {
        let unusable = Reading::new((Condition::BadVerdict, Status::Protocol), reply.status);
        match &reply.body {
            ReplyBody::Broken(_, failure) => {
                Reading::new(policy::classify_failure(*failure), reply.status)
            }
            ReplyBody::TooLong(_) | ReplyBody::Encoded => unusable,
            ReplyBody::Whole(body) => match verdict::decode(body) {
                Ok(verdict) => Reading {
                    verdict: Some(verdict),
                    outcome: (Condition::Verdict, Status::Ok),
                    ..unusable
                },
                Err(found) => Reading {
                    interval: found.interval,
                    ..unusable
                },
            },
        }
    }

    fn of_refusal(reply: &Reply) -> Reading {
        if let ReplyBody::Broken(_, Failure::Cancelled) = &reply.body {
            return Reading::new(policy::classify_failure(Failure::Cancelled), reply.status);
        }
        let reason = reason(&reply.body);
        let asked = reply::retry_after(&reply.retry_after, reply.date.as_deref());
        Reading {
            error_type: reason.kind,
            retry_after: asked.unwrap_or_default(),
            ..Reading::new(policy::classify(reply.status, reason), reply.status)
        }
    }
}

impl<'a> Flight<'a> {
    pub(super) fn new(
        session: &'a Session,
        token: CancelToken,
        url: TrustedUrl,
        fallback: bool,
        started: Duration,
        age: Option<Age>,
    ) -> Flight<'a> {
        let ticket = session.client.latch.ticket();
        Flight {
            session,
            token,
            url,
            fallback,
            started,
            age,
            ticket,
            landed: false,
        }
    }

    pub(super) fn url(&self) -> &TrustedUrl {
        &self.url
    }

    pub(super) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Applies the outcome and says what the caller gets.
    pub(super) fn land(
        mut self,
        digest: Digest,
        exchange: &Exchange,
    ) -> (Result<Outcome, Error>, Level) {
        self.landed = true;
        let client = &self.session.client;
        let reading = Reading::of(exchange);
        client.counters.traffic(exchange);
        match reading.verdict {
            Some(_) => client.counters.processed(),
            None => client.counters.failed(exchange),
        }
        if reading.outcome.0.rule().latch {
            client.latch(reading.outcome.1, self.ticket);
        }
        let result = match reading.verdict {
            Some(verdict) => self.deliver(&verdict, digest),
            None => Err(self.refuse(&reading, digest, exchange)),
        };
        let status = result
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok);
        (result, Session::level_of(status))
    }

    /// A verdict arrived: pace by it, and raise what it raises.
    fn deliver(&self, verdict: &Verdict, digest: Digest) -> Result<Outcome, Error> {
        let client = &self.session.client;
        let mut state = self.session.state.lock();
        let now = client.world.clock.now();
        let spoiled = state.spoiled;
        state.release();
        state.pacing.learn(verdict.interval);
        state.pacing.faster = verdict.faster;
        state.pacing.defaulted = verdict.interval.is_none();
        let decision = state
            .track
            .decide((Condition::Verdict, Status::Ok), 200, false, now);
        state.pacing.ended(now, decision.next, Duration::ZERO, 0.0);
        state.last_status = Status::Ok;
        if state.closed {
            return Err(Error::local(Status::Cancelled));
        }
        if let Err(error) = client.refuse_if_latched() {
            // A sibling's account error came first: this verdict is not acted on.
            state.last_status = error.status;
            return Err(error);
        }
        let age = self.age.map(|age| age.at(now));
        let late = age.is_some_and(|age| frame::is_too_old(age, client.config.max_frame_age));
        let repeated = state.last_frame.replace(digest) == Some(digest);
        state.last_quality = verdict.quality;
        state.wants_renewal = false;
        let fresh = !late && !repeated && !state.held && !spoiled;
        // A muted print ends episodes, but begins none.
        let counts = fresh && !(state.muted && (verdict.warning || verdict.pause));
        let rising = state
            .edges
            .judge(verdict.warning, verdict.pause, counts, now);
        let bits = [
            (rising.warning, flags::WARNING_EDGE),
            (rising.pause, flags::PAUSE_EDGE),
            (self.fallback, flags::FALLBACK),
            (repeated, flags::REPEATED_FRAME),
            (late, flags::LATE),
            (verdict.interval.is_none(), flags::TIMING_DEFAULTED),
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
            latency_ms: Due::In(now.saturating_sub(self.started)).as_ms(),
            frame_age_ms: age.map_or(0, |age| Due::In(age).as_ms().max(1)),
        })
    }

    /// No verdict arrived: the outcome table says what follows.
    fn refuse(&self, reading: &Reading, digest: Digest, exchange: &Exchange) -> Error {
        let clock = &self.session.client.world.clock;
        let mut state = self.session.state.lock();
        let now = clock.now();
        state.release();
        state.pacing.learn(reading.interval);
        let (condition, _) = reading.outcome;
        let spared = condition == Condition::Unreachable && exchange.reused && !exchange.answered;
        let mut decision = state
            .track
            .decide(reading.outcome, reading.http_status, spared, now);
        if condition == Condition::Cancelled && exchange.sent == Sent::Nothing {
            decision.next = Next::Unchanged;
        }
        if state.automatic && !decision.lost {
            decision.status = reading.outcome.1;
        }
        if condition == Condition::ImageRejected {
            state.reject(digest);
        }
        state.apply(&decision, reading.retry_after, now);
        let due = self.session.due_of(&state, now);
        describe(
            decision.status,
            reading.http_status,
            reading.error_type,
            due,
            &self.url.origin().host,
            exchange.cause.as_ref(),
        )
    }
}

impl State {
    /// The next call may come.
    fn release(&mut self) {
        self.in_flight = None;
        self.processing = false;
        self.spoiled = false;
    }

    fn apply(&mut self, decision: &Decision, retry_after: Duration, now: Duration) {
        let at_least = if decision.heeds_retry_after {
            retry_after
        } else {
            Duration::ZERO
        };
        self.pacing
            .ended(now, decision.next, at_least, random::jitter());
        self.lost |= decision.lost;
        self.wants_renewal |= decision.renew;
        self.last_status = decision.status;
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let now = self.session.client.world.clock.now();
        let mut state = self.session.state.lock();
        state.release();
        let decision = state
            .track
            .decide((Condition::Local, Status::Panic), 0, false, now);
        state.apply(&decision, Duration::ZERO, now);
    }
}
