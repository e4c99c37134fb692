//! Create Context: one pace per client, no fallback, and what its answer means.

use std::time::Duration;

use crate::error::{ErrorType, Status};
use crate::pacing::{self, Next};
use crate::policy::{self, Condition};
use crate::reply::{self, Reason};
use crate::transport::{Exchange, Failure, Reply, ReplyBody, Sent};
use crate::trust::Trust;
use crate::wire::{self, ContextUrls, NoContext};

/// Where the doubling of failed creates begins, and the pause after a successful key check.
const FIRST_WAIT: Duration = Duration::from_secs(20);

/// When Create Context may be called.
#[derive(Debug, Default)]
pub(crate) struct CreatePace {
    failures: u32,
    due_at: Duration,
    /// Until when a `Retry-After` asked for patience. Of two creates side by side one may be told
    /// to wait and the other succeed: that takes nothing back.
    asked_until: Duration,
    last_failure: Duration,
    check_due_at: Duration,
}

impl CreatePace {
    pub(crate) fn remaining(&self, now: Duration) -> Duration {
        self.due_at.max(self.asked_until).saturating_sub(now)
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub(crate) fn check_remaining(&self, now: Duration) -> Duration {
        self.remaining(now)
            .max(self.check_due_at.saturating_sub(now))
    }

    /// Ends the row of failures and its back-off, but not a wait that was asked for.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.due_at = Duration::ZERO;
    }

    pub(crate) fn checked(&mut self, now: Duration) {
        self.check_due_at = now.saturating_add(FIRST_WAIT);
    }

    /// An attempt that began at `started` failed at `now`. Attempts side by side that fail of one
    /// cause count as one.
    pub(crate) fn failed(
        &mut self,
        started: Duration,
        now: Duration,
        problem: &Problem,
        jitter: f64,
    ) {
        let wait = match problem.next {
            Next::Unchanged => return,
            Next::Floor => FIRST_WAIT,
            Next::Auth => {
                self.count(started);
                pacing::auth_back_off(FIRST_WAIT, self.failures)
            }
            Next::BackOff | Next::Normal => {
                self.count(started);
                pacing::back_off(FIRST_WAIT, self.failures, jitter)
            }
        };
        self.due_at = self.due_at.max(now.saturating_add(wait));
        if !problem.retry_after.is_zero() {
            let until = now.saturating_add(problem.retry_after);
            self.asked_until = self.asked_until.max(until);
        }
        self.last_failure = now;
    }

    fn count(&mut self, started: Duration) {
        if self.failures == 0 || started >= self.last_failure {
            self.failures = self.failures.saturating_add(1);
        }
    }
}

/// Why there is no context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem {
    pub(crate) status: Status,
    pub(crate) http_status: u16,
    pub(crate) error_type: Option<ErrorType>,
    pub(crate) latch: bool,
    pub(crate) next: Next,
    pub(crate) retry_after: Duration,
    /// A sentence that is better than the status table's.
    pub(crate) text: Option<&'static str>,
}

impl Problem {
    fn new(status: Status, http_status: u16, condition: Condition) -> Problem {
        let rule = condition.rule();
        Problem {
            status,
            http_status,
            error_type: None,
            latch: rule.latch,
            next: rule.next,
            retry_after: Duration::ZERO,
            text: None,
        }
    }
}

/// Reads the outcome of a Create Context call.
pub(crate) fn read(exchange: &Exchange, trust: &Trust) -> Result<ContextUrls, Problem> {
    match &exchange.outcome {
        Ok(reply) => read_reply(reply, trust),
        Err(failure) => Err(no_answer(*failure, exchange.sent)),
    }
}

fn no_answer(failure: Failure, sent: Sent) -> Problem {
    let (condition, status) = policy::classify_failure(failure);
    let mut problem = Problem::new(status, 0, condition);
    if failure == Failure::Cancelled && sent == Sent::Nothing {
        problem.next = Next::Unchanged;
    }
    problem
}

fn read_reply(reply: &Reply, trust: &Trust) -> Result<ContextUrls, Problem> {
    let protocol = Problem::new(Status::Protocol, reply.status, Condition::BadVerdict);
    if (200..300).contains(&reply.status) {
        return match &reply.body {
            ReplyBody::Whole(body) => wire::decode_create(body, trust).map_err(|why| match why {
                NoContext::Protocol => protocol,
                NoContext::Untrusted(why) => Problem {
                    status: Status::UntrustedUrl,
                    text: Some(why.0),
                    ..protocol
                },
            }),
            ReplyBody::Broken(_, failure) => Err(Problem {
                http_status: reply.status,
                ..no_answer(*failure, Sent::All)
            }),
            ReplyBody::TooLong(_) | ReplyBody::Encoded => Err(protocol),
        };
    }
    let reason = reason(&reply.body);
    let (condition, status) = match policy::classify(reply.status, reason) {
        // There was no image: the request itself was refused.
        (Condition::ImageRejected | Condition::TooLarge, _) => {
            (Condition::RequestRejected, Status::RequestRejected)
        }
        other => other,
    };
    let asked = reply::retry_after(&reply.retry_after, reply.date.as_deref());
    let heeded = asked.filter(|_| condition.rule().heeds_retry_after);
    Err(Problem {
        error_type: reason.kind,
        retry_after: heeded.unwrap_or_default(),
        ..Problem::new(status, reply.status, condition)
    })
}

/// The reason in a body, as far as it arrived.
pub(crate) fn reason(body: &ReplyBody) -> Reason {
    match body {
        ReplyBody::Whole(bytes) | ReplyBody::TooLong(bytes) | ReplyBody::Broken(bytes, _) => {
            Reason::read(bytes)
        }
        ReplyBody::Encoded => Reason::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(next: Next) -> Problem {
        Problem {
            next,
            ..Problem::new(Status::Connect, 0, Condition::Unreachable)
        }
    }

    fn waits(pace: &mut CreatePace, next: Next, times: usize) -> Vec<u64> {
        let mut now = Duration::from_secs(100);
        (0..times)
            .map(|_| {
                pace.failed(now, now, &problem(next), 0.0);
                let wait = pace.remaining(now);
                now += wait;
                wait.as_secs()
            })
            .collect()
    }

    #[test]
    fn cr_10_failed_creates_wait_20_s_doubling_to_300_s() {
        let mut pace = CreatePace::default();
        assert_eq!(
            waits(&mut pace, Next::BackOff, 6),
            [20, 40, 80, 160, 300, 300]
        );
        pace.succeeded();
        assert_eq!(pace.remaining(Duration::ZERO), Duration::ZERO);
        assert_eq!(waits(&mut pace, Next::BackOff, 1), [20]);
        assert_eq!(
            waits(&mut CreatePace::default(), Next::Auth, 3),
            [60, 120, 240]
        );
    }

    #[test]
    fn creates_side_by_side_that_fail_count_as_one() {
        let mut pace = CreatePace::default();
        let (start, end) = (Duration::from_secs(10), Duration::from_secs(11));
        for _ in 0..50 {
            pace.failed(start, end, &problem(Next::BackOff), 0.0);
        }
        assert_eq!(pace.remaining(end).as_secs(), 20);
    }

    #[test]
    fn a_success_beside_a_failure_ends_the_back_off_but_not_the_wait_that_was_asked_for() {
        let (start, end) = (Duration::from_secs(10), Duration::from_secs(11));
        for (asked, left) in [(0, 0), (5, 5), (90, 90), (3_600, 3_600)] {
            let mut pace = CreatePace::default();
            let limited = Problem {
                retry_after: Duration::from_secs(asked),
                ..problem(Next::BackOff)
            };
            pace.failed(start, end, &limited, 0.0);
            pace.succeeded();
            assert_eq!(pace.remaining(end).as_secs(), left, "asked for {asked} s");
            assert_eq!(pace.check_remaining(end).as_secs(), left);
            assert!(!pace.is_failing());
            // Another failure does not shorten it either.
            pace.failed(start, end, &problem(Next::BackOff), 0.0);
            assert_eq!(pace.remaining(end).as_secs(), left.max(20));
        }
    }

    #[test]
    fn a_key_check_holds_back_the_next_check_but_no_create() {
        let mut pace = CreatePace::default();
        let now = Duration::from_secs(5);
        pace.succeeded();
        pace.checked(now);
        assert_eq!(pace.remaining(now), Duration::ZERO);
        assert_eq!(pace.check_remaining(now).as_secs(), 20);
    }
}
