//! A moment on both clocks of a device: the one that waits run on, and the one that goes on while
//! the device sleeps.

use std::time::Duration;

use crate::platform::clock::Clock;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    now: Duration,
    since_boot: Option<Duration>,
}

impl From<Duration> for Moment {
    /// A moment that only the clock of [`Clock::now`] was asked for: what comes after it is known
    /// as far as the device was awake.
    fn from(now: Duration) -> Moment {
        Moment {
            now,
            since_boot: None,
        }
    }
}

impl Moment {
    /// This moment.
    #[must_use]
    pub fn of(clock: &dyn Clock) -> Moment {
        Moment {
            now: clock.now(),
            since_boot: clock.since_boot(),
        }
    }

    /// On the clock of [`Clock::now`], which may stand still while the device sleeps.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The time from an earlier moment to this one. Counts time asleep where there is a clock that
    /// does.
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> Duration {
        let awake = self.awake_since(earlier);
        match (self.since_boot, earlier.since_boot) {
            (Some(now), Some(then)) => now.saturating_sub(then).max(awake),
            _ => awake,
        }
    }

    /// The part of [`since`](Self::since) that the device was asleep.
    #[must_use]
    pub fn asleep_since(&self, earlier: &Moment) -> Duration {
        self.since(earlier)
            .saturating_sub(self.awake_since(earlier))
    }

    fn awake_since(&self, earlier: &Moment) -> Duration {
        self.now.saturating_sub(earlier.now)
    }

    /// Some moment of a device that never sleeps.
    #[cfg(test)]
    pub(crate) const fn awake(now: Duration) -> Moment {
        Moment {
            now,
            since_boot: Some(now),
        }
    }

    /// This moment, after so long a sleep.
    #[cfg(test)]
    pub(crate) fn after_sleep(mut self, asleep: Duration) -> Moment {
        self.since_boot = self.since_boot.map(|since| since + asleep);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_counts_where_there_is_a_clock_for_it() {
        let secs = Duration::from_secs;
        // awake and boot clock, then and now -> since, asleep
        for (then, now, since, asleep) in [
            ((10, Some(15)), (12, Some(17)), 2, 0),
            ((10, Some(15)), (12, Some(3_617)), 3_602, 3_600),
            ((10, None), (12, None), 2, 0),
            ((10, Some(15)), (12, None), 2, 0),
            // A boot clock that was set back is none.
            ((10, Some(15)), (12, Some(1)), 2, 0),
            ((10, Some(15)), (9, Some(14)), 0, 0),
        ] {
            let moment = |(now, boot): (u64, Option<u64>)| Moment {
                now: secs(now),
                since_boot: boot.map(secs),
            };
            let (earlier, later) = (moment(then), moment(now));
            assert_eq!(later.since(&earlier), secs(since), "{then:?} {now:?}");
            assert_eq!(later.asleep_since(&earlier), secs(asleep));
        }
    }
}
