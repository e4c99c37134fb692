//! When the next call may start. Times are durations on a monotonic clock that is handed in.

use std::time::Duration;

use crate::error::{Error, refuse};

/// The longest interval a host may set, in seconds: the 14 days that a context lives.
pub const MAX_INTERVAL_SEC: u32 = 1_209_600;
/// The interval the hosted service recommends when an answer names only a minimum, in seconds.
/// Source: the public API documentation ("at least 20").
pub const DEFAULT_INTERVAL_SEC: u32 = 20;
/// No call comes sooner than this after the one before, whatever anyone asks for.
pub const FLOOR: Duration = Duration::from_secs(5);
/// Where doubling stops.
pub const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// No wait is longer than a context lives.
pub const MAX_WAIT: Duration = Duration::from_secs(14 * 24 * 3_600);

const FAILURE_FLOOR: Duration = Duration::from_secs(DEFAULT_INTERVAL_SEC as u64);
const AUTH_FIRST: Duration = Duration::from_secs(60);
const AUTH_MAX: Duration = Duration::from_secs(900);

/// When the service wants to be called again, in seconds. Both are 1 to 1,209,600.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The shortest allowed delay.
    pub minimum: u32,
    /// The delay to use by default.
    pub recommended: u32,
}

/// Checks an interval in seconds.
pub(crate) fn check_interval(sec: u32) -> Result<u32, Error> {
    if sec > MAX_INTERVAL_SEC {
        return Err(refuse(
            "the interval is above 1,209,600 s, the 14 days that a context lives",
        ));
    }
    Ok(sec)
}

/// What an outcome makes of the next call. The last column of the outcome table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The interval of the answer and the host.
    Normal,
    /// The failure wait, doubling.
    BackOff,
    /// The failure wait of an answer that may come from something on the way.
    Auth,
    /// The failure floor, once.
    Floor,
    /// Nothing was sent: as before.
    Unchanged,
}

/// `floor * 2^(failures-1)`, at most `max(floor, 300 s)`, and a share of jitter on top.
#[must_use]
pub fn back_off(floor: Duration, failures: u32, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let wait = floor
        .saturating_mul(1 << doublings)
        .min(floor.max(MAX_BACKOFF));
    let share = if jitter > 0.0 { jitter.min(0.2) } else { 0.0 };
    wait.saturating_add(wait.mul_f64(share)).min(MAX_WAIT)
}

/// `max(floor, 60 s * 2^(failures-1))`, the doubling up to 900 s.
#[must_use]
pub fn auth_back_off(floor: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    AUTH_FIRST
        .saturating_mul(1 << doublings)
        .min(AUTH_MAX)
        .max(floor)
        .min(MAX_WAIT)
}

/// The pace of one context.
#[derive(Clone, Debug, Default)]
pub struct Pacing {
    /// The last valid interval.
    pub(crate) interval: Option<Interval>,
    /// Whether the last verdict suggested faster inspection.
    pub(crate) faster: bool,
    /// The normal interval is `F`: the last verdict held no valid one, or there was none yet. That
    /// an unusable answer held one changes nothing of that.
    pub(crate) defaulted: bool,
    /// The host's own interval in seconds; 0 follows the service.
    pub(crate) host_sec: u32,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// When the next call may start.
    pub(crate) due_at: Duration,
    /// When the last attempt ended; before the first, when the context was made or restored.
    pub(crate) ended_at: Duration,
    /// Until when a `Retry-After` asked for patience.
    pub(crate) asked_until: Duration,
    /// When the attempt ended whose normal interval is running; a changed host interval counts
    /// from there.
    pub(crate) normal_since: Option<Duration>,
}

impl Pacing {
    /// The pace of a new context: the first call is due at once.
    #[must_use]
    pub fn new(now: Duration, host_sec: u32) -> Pacing {
        Pacing {
            due_at: now,
            ended_at: now,
            host_sec,
            defaulted: true,
            ..Pacing::default()
        }
    }

    /// `F`: the failure floor.
    #[must_use]
    pub fn floor(&self) -> Duration {
        let asked = self
            .interval
            .map_or(0, |last| last.minimum.max(last.recommended));
        seconds(asked).max(FAILURE_FLOOR)
    }

    /// How long until the next call may start.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Duration {
        self.due_at.saturating_sub(now)
    }

    /// Takes over what a verdict says of the next call.
    pub fn judged(&mut self, interval: Option<Interval>, faster: bool) {
        self.learn(interval);
        self.faster = faster;
        self.defaulted = interval.is_none();
    }

    /// Takes over an answer's interval; an answer without a valid one leaves the last.
    pub fn learn(&mut self, interval: Option<Interval>) {
        if interval.is_some() {
            self.interval = interval;
        }
    }

    /// The wait after a verdict, or after an answer that proves all is well.
    #[must_use]
    pub fn normal(&self) -> Duration {
        let host = seconds(self.host_sec);
        let Some(last) = self.interval.filter(|_| !self.defaulted) else {
            return self.floor().max(host);
        };
        let (minimum, recommended) = (seconds(last.minimum), seconds(last.recommended));
        let wanted = match self.host_sec {
            0 => recommended,
            _ if self.faster => host.min(recommended),
            _ => host,
        };
        wanted.max(minimum).max(FLOOR)
    }

    /// An attempt ended at `now`. `at_least` is what the answer's `Retry-After` asks for.
    pub fn ended(&mut self, now: Duration, next: Next, at_least: Duration, jitter: f64) {
        self.normal_since = None;
        let wait = match next {
            Next::Unchanged => return,
            Next::Floor => self.floor(),
            Next::Normal => {
                self.failures = 0;
                self.normal_since = at_least.is_zero().then_some(now);
                self.normal()
            }
            Next::BackOff => {
                self.failures = self.failures.saturating_add(1);
                back_off(self.floor(), self.failures, jitter)
            }
            Next::Auth => {
                self.failures = self.failures.saturating_add(1);
                auth_back_off(self.floor(), self.failures)
            }
        };
        self.due_at = now.saturating_add(wait.max(at_least).min(MAX_WAIT));
        self.ended_at = now;
        self.asked_until = now.saturating_add(at_least);
    }

    /// A new context took the place of one that failed: it has not failed yet. The next call comes
    /// at the last Minimum after the last attempt, and not before a `Retry-After` allows it.
    pub fn start_over(&mut self) {
        if self.failures == 0 {
            return;
        }
        self.failures = 0;
        let minimum = self
            .interval
            .map_or(FAILURE_FLOOR, |last| seconds(last.minimum));
        let at = self.ended_at.saturating_add(minimum.max(FLOOR));
        self.due_at = at.max(self.asked_until).min(self.due_at);
    }

    /// The host changed its interval: a normal wait that is running is measured anew, a failure
    /// wait is not.
    pub fn set_host_interval(&mut self, sec: u32) {
        self.host_sec = sec;
        if let Some(since) = self.normal_since {
            self.due_at = since.saturating_add(self.normal());
        }
    }
}

fn seconds(sec: u32) -> Duration {
    Duration::from_secs(sec.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn secs(wait: Duration) -> u64 {
        wait.as_secs()
    }

    fn after(minimum: u32, recommended: u32, host: u32, faster: bool) -> u64 {
        let mut pacing = Pacing::new(NOW, host);
        let interval = Interval {
            minimum,
            recommended,
        };
        pacing.judged(Some(interval), faster);
        pacing.ended(NOW, Next::Normal, Duration::ZERO, 0.0);
        secs(pacing.remaining(NOW))
    }

    #[test]
    fn ti_03_ti_04_ti_05_ti_19_the_normal_wait() {
        // minimum, recommended, host, faster -> wait
        for (minimum, recommended, host, faster, wait) in [
            (5, 20, 0, false, 20),
            (5, 20, 8, false, 8),
            (5, 20, 3, false, 5),
            (5, 8, 30, true, 8),
            (5, 8, 30, false, 30),
            (5, 45, 10, true, 10),
            (12, 8, 30, true, 12),
            (40, 2, 0, false, 40),
            (1, 1, 0, false, 5),
            (1, 1, 1, false, 5),
            (1, 1, 1, true, 5),
            (75, 75, 0, false, 75),
            (1_209_600, 1_209_600, 0, false, 1_209_600),
        ] {
            assert_eq!(
                after(minimum, recommended, host, faster),
                wait,
                "minimum {minimum} recommended {recommended} host {host} faster {faster}"
            );
        }
    }

    #[test]
    fn ti_07_the_first_call_is_due_at_once() {
        assert_eq!(Pacing::new(NOW, 60).remaining(NOW), Duration::ZERO);
    }

    #[test]
    fn ti_14_failures_double_and_a_success_starts_over() {
        let mut pacing = Pacing::new(NOW, 0);
        for wait in [20, 40, 80, 160, 300, 300] {
            pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
            assert_eq!(secs(pacing.remaining(NOW)), wait);
        }
        pacing.learn(Some(Interval {
            minimum: 5,
            recommended: 20,
        }));
        pacing.ended(NOW, Next::Normal, Duration::ZERO, 0.0);
        pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
        assert_eq!(secs(pacing.remaining(NOW)), 20);
    }

    #[test]
    fn the_floor_is_the_largest_of_twenty_minimum_and_recommended() {
        let mut pacing = Pacing::new(NOW, 0);
        assert_eq!(secs(pacing.floor()), 20);
        pacing.learn(Some(Interval {
            minimum: 40,
            recommended: 30,
        }));
        assert_eq!(secs(pacing.floor()), 40);
        pacing.learn(None);
        assert_eq!(
            secs(pacing.floor()),
            40,
            "an answer without an interval leaves the last"
        );
        pacing.learn(Some(Interval {
            minimum: 5,
            recommended: 600,
        }));
        pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
        pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
        assert_eq!(secs(pacing.remaining(NOW)), 600, "capped at max(F, 300 s)");
    }

    #[test]
    fn ti_10_ti_13_retry_after_only_lengthens() {
        let mut pacing = Pacing::new(NOW, 0);
        pacing.learn(Some(Interval {
            minimum: 40,
            recommended: 40,
        }));
        pacing.ended(NOW, Next::BackOff, Duration::from_secs(5), 0.0);
        assert_eq!(secs(pacing.remaining(NOW)), 40);
        pacing.ended(NOW, Next::BackOff, Duration::from_secs(300), 0.0);
        assert_eq!(secs(pacing.remaining(NOW)), 300);
    }

    #[test]
    fn jitter_is_never_minus_and_at_most_a_fifth() {
        for jitter in [-1.0, 0.0, 0.1, 0.2, 5.0, f64::NAN] {
            let wait = back_off(Duration::from_secs(20), 1, jitter).as_secs_f64();
            assert!((20.0..=24.0).contains(&wait), "{jitter}: {wait}");
        }
    }

    #[test]
    fn doubling_saturates() {
        assert_eq!(secs(back_off(Duration::from_secs(20), u32::MAX, 0.0)), 300);
        assert_eq!(secs(auth_back_off(Duration::from_secs(20), u32::MAX)), 900);
        assert_eq!(back_off(MAX_WAIT, 9, 0.2), MAX_WAIT);
        let waits: Vec<_> = (1..=6)
            .map(|n| secs(auth_back_off(Duration::from_secs(20), n)))
            .collect();
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
        assert_eq!(secs(auth_back_off(Duration::from_secs(1_000), 1)), 1_000);
    }

    #[test]
    fn a_verdict_without_an_interval_waits_the_floor() {
        let mut pacing = Pacing::new(NOW, 0);
        pacing.defaulted = true;
        assert_eq!(secs(pacing.normal()), 20);
        pacing.host_sec = 60;
        assert_eq!(secs(pacing.normal()), 60);
        pacing.host_sec = 6;
        assert_eq!(secs(pacing.normal()), 20);
        pacing.learn(Some(Interval {
            minimum: 5,
            recommended: 90,
        }));
        assert_eq!(secs(pacing.normal()), 90);
    }

    #[test]
    fn a_changed_interval_counts_from_the_end_of_the_last_call() {
        let mut pacing = Pacing::new(NOW, 60);
        let interval = Interval {
            minimum: 5,
            recommended: 20,
        };
        pacing.judged(Some(interval), false);
        pacing.ended(NOW, Next::Normal, Duration::ZERO, 0.0);
        pacing.set_host_interval(10);
        assert_eq!(secs(pacing.remaining(NOW)), 10);
        pacing.set_host_interval(1);
        assert_eq!(secs(pacing.remaining(NOW)), 5, "never below the minimum");
        pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
        pacing.set_host_interval(5);
        assert_eq!(secs(pacing.remaining(NOW)), 20, "a failure wait stays");
    }

    #[test]
    fn the_normal_interval_before_any_verdict_is_the_floor_whatever_an_unusable_answer_held() {
        // minimum, recommended, host -> wait
        for (minimum, recommended, host, wait) in [
            (5, 5, 0, 20),
            (1, 20, 0, 20),
            (5, 5, 8, 20),
            (5, 5, 60, 60),
            (40, 5, 0, 40),
            (5, 90, 0, 90),
            (5, 90, 30, 90),
        ] {
            let mut pacing = Pacing::new(NOW, host);
            let interval = Some(Interval {
                minimum,
                recommended,
            });
            pacing.learn(interval);
            pacing.ended(NOW, Next::BackOff, Duration::ZERO, 0.0);
            pacing.ended(NOW, Next::Normal, Duration::ZERO, 0.0);
            let case = format!("minimum {minimum} recommended {recommended} host {host}");
            assert_eq!(secs(pacing.remaining(NOW)), wait, "{case}");
            pacing.judged(interval, false);
            assert!(secs(pacing.normal()) <= wait, "{case}");
        }
    }

    #[test]
    fn a_new_context_has_not_failed_yet() {
        let later = NOW + Duration::from_secs(7);
        // minimum if any, failures, Retry-After of the last -> wait at `later`
        for (minimum, failures, asked, wait) in [
            (None, 1, 0, 13),
            (None, 5, 0, 13),
            (Some(5), 5, 0, 0),
            (Some(1), 5, 0, 0),
            (Some(60), 5, 0, 53),
            (Some(5), 5, 100, 93),
            (Some(60), 5, 10, 53),
        ] {
            let mut pacing = Pacing::new(NOW, 0);
            pacing.learn(minimum.map(|minimum| Interval {
                minimum,
                recommended: 90,
            }));
            for _ in 0..failures {
                pacing.ended(NOW, Next::BackOff, Duration::from_secs(asked), 0.2);
            }
            pacing.start_over();
            let case = format!("{minimum:?} {failures} {asked}");
            assert_eq!(secs(pacing.remaining(later)), wait, "{case}");
            assert_eq!(pacing.failures, 0);
        }
        let mut pacing = Pacing::new(NOW, 300);
        pacing.ended(NOW, Next::Normal, Duration::ZERO, 0.0);
        pacing.start_over();
        assert_eq!(secs(pacing.remaining(NOW)), 300, "nothing had failed");
    }

    #[test]
    fn a_clock_far_along_does_not_overflow() {
        let mut pacing = Pacing::new(Duration::MAX, 0);
        pacing.ended(Duration::MAX, Next::BackOff, MAX_WAIT, 0.2);
        assert_eq!(pacing.remaining(Duration::MAX), Duration::ZERO);
    }
}
