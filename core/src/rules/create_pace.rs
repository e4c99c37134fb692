//! When Create Context may be called: one pace for everything that shares a key.

use std::time::Duration;

use super::pacing::{self, Next};

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
        (started, now): (Duration, Duration),
        next: Next,
        retry_after: Duration,
        jitter: f64,
    ) {
        let wait = match next {
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
        if !retry_after.is_zero() {
            let until = now.saturating_add(retry_after);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pace: &mut CreatePace, next: Next, times: usize) -> Vec<u64> {
        let mut now = Duration::from_secs(100);
        (0..times)
            .map(|_| {
                pace.failed((now, now), next, Duration::ZERO, 0.0);
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
            pace.failed((start, end), Next::BackOff, Duration::ZERO, 0.0);
        }
        assert_eq!(pace.remaining(end).as_secs(), 20);
    }

    #[test]
    fn a_success_beside_a_failure_ends_the_back_off_but_not_the_wait_that_was_asked_for() {
        let (start, end) = (Duration::from_secs(10), Duration::from_secs(11));
        for (asked, left) in [(0, 0), (5, 5), (90, 90), (3_600, 3_600)] {
            let mut pace = CreatePace::default();
            let asked_for = Duration::from_secs(asked);
            pace.failed((start, end), Next::BackOff, asked_for, 0.0);
            pace.succeeded();
            assert_eq!(pace.remaining(end).as_secs(), left, "asked for {asked} s");
            assert_eq!(pace.check_remaining(end).as_secs(), left);
            assert!(!pace.is_failing());
            // Another failure does not shorten it either.
            pace.failed((start, end), Next::BackOff, Duration::ZERO, 0.0);
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
