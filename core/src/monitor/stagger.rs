//! Monitors that are started together do not call together.

use std::time::Duration;

/// What the first calls are spread over.
const SPREAD: Duration = Duration::from_secs(20);
/// Slots of the spread; the first to be started has the first, without a wait.
const SLOTS: u32 = 50;

/// Counts monitors that are started together.
#[derive(Debug, Default)]
pub(super) struct Stagger {
    began: Option<Duration>,
    count: u32,
}

impl Stagger {
    /// How long the first call of a monitor waits that is started at `now`: nothing if it is
    /// alone, less than 20 s in any case.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        let goes_on = self
            .began
            .is_some_and(|began| now.saturating_sub(began) < SPREAD);
        if !goes_on {
            *self = Stagger {
                began: Some(now),
                count: 0,
            };
        }
        let (slot, round) = (self.count % SLOTS, self.count / SLOTS);
        self.count = self.count.wrapping_add(1);
        // Those that share a slot are spread within it by the golden ratio: evenly, however many.
        let within = (f64::from(round) * 0.618_033_988_749_895).fract();
        (SPREAD / SLOTS).mul_f64(f64::from(slot) + within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(count: usize) -> Vec<Duration> {
        let mut stagger = Stagger::default();
        let now = Duration::from_secs(100);
        (0..count).map(|_| stagger.wait(now)).collect()
    }

    #[test]
    fn one_alone_does_not_wait() {
        let mut stagger = Stagger::default();
        for n in 0..5 {
            assert_eq!(stagger.wait(Duration::from_secs(20 * n)), Duration::ZERO);
        }
    }

    #[test]
    fn ti_17_fifty_started_together_are_spread_over_twenty_seconds() {
        let waits = waits(50);
        assert!(waits.iter().all(|wait| *wait < SPREAD));
        let gap = |pair: &[Duration]| pair[1] - pair[0];
        assert!(waits.windows(2).all(|pair| gap(pair).as_millis() == 400));
    }

    #[test]
    fn a_thousand_are_spread_evenly() {
        let mut waits = waits(1_000);
        waits.sort_unstable();
        assert!(waits.iter().all(|wait| *wait < SPREAD));
        for second in 0..20 {
            let within = Duration::from_secs(second)..Duration::from_secs(second + 1);
            let count = waits.iter().filter(|wait| within.contains(*wait)).count();
            assert!((40..=60).contains(&count), "second {second}: {count}");
        }
    }
}
