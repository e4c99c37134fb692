//! When to tell the user and when to pause: once per episode, on fresh evidence only.

use std::time::Duration;

/// No warning edge comes sooner than this after the last one.
pub const WARNING_GAP: Duration = Duration::from_secs(300);

/// Which alerts are latched. An episode begins with an edge and ends with a clear, fresh result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertState {
    /// The warning of this episode has been raised.
    pub(crate) warned: bool,
    /// The pause of this episode has been raised.
    pub(crate) paused: bool,
    /// When the last warning edge rose.
    pub(crate) last_warning: Option<Duration>,
    /// AlertState of this episode whose flag the host has read, though not their event: should they
    /// rise again, they do so as an event alone.
    pub(crate) flagged: NewAlerts,
}

/// What a host should do about one result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewAlerts {
    /// Tell the user, now.
    pub warning: bool,
    /// Pause the print, now.
    pub pause: bool,
}

impl AlertState {
    /// Judges one verdict that arrived at `now`. `fresh` is false for a frame that was too old
    /// when the verdict came, or that repeats the bytes of the one before: such a result neither
    /// raises an edge nor ends an episode.
    pub fn update(&mut self, warning: bool, pause: bool, fresh: bool, now: Duration) -> NewAlerts {
        if !fresh {
            return NewAlerts::default();
        }
        if !warning && !pause {
            self.warned = false;
            self.paused = false;
            self.flagged = NewAlerts::default();
            return NewAlerts::default();
        }
        let gap_over = self
            .last_warning
            .is_none_or(|last| now.saturating_sub(last) >= WARNING_GAP);
        let new = NewAlerts {
            warning: warning && !self.warned && gap_over,
            pause: pause && !self.paused,
        };
        if new.warning {
            self.warned = true;
            self.last_warning = Some(now);
        }
        self.paused |= new.pause;
        new
    }

    /// Alerts that rose but whose event nobody read: they may rise again. A warning that nobody read
    /// holds back none. Of `flagged` the host has read the flag in a result.
    pub fn retract(&mut self, undelivered: NewAlerts, flagged: NewAlerts) {
        // What belongs to an episode that is over says nothing of the next.
        self.flagged.warning |= self.warned && undelivered.warning && flagged.warning;
        self.flagged.pause |= self.paused && undelivered.pause && flagged.pause;
        self.warned &= !undelivered.warning;
        self.paused &= !undelivered.pause;
        if undelivered.warning {
            self.last_warning = None;
        }
    }

    /// Those of these alerts that a result's flags tell of.
    #[must_use]
    pub fn in_flags(&self, new: NewAlerts) -> NewAlerts {
        NewAlerts {
            warning: new.warning && !self.flagged.warning,
            pause: new.pause && !self.flagged.pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(20);

    /// Runs (warning, pause, fresh) results 20 s apart; gives the steps with alerts.
    fn run(results: &[(bool, bool, bool)]) -> (Vec<usize>, Vec<usize>) {
        let mut alerts = AlertState::default();
        let (mut warnings, mut pauses) = (Vec::new(), Vec::new());
        for (n, (warning, pause, fresh)) in results.iter().enumerate() {
            let now = STEP * u32::try_from(n).unwrap();
            let new = alerts.update(*warning, *pause, *fresh, now);
            if new.warning {
                warnings.push(n);
            }
            if new.pause {
                pauses.push(n);
            }
        }
        (warnings, pauses)
    }

    #[test]
    fn pu_01_edges_rise_once_per_episode() {
        let results = [
            (true, false, true),
            (true, false, true),
            (true, true, true),
            (true, true, true),
        ];
        assert_eq!(run(&results), (vec![0], vec![2]));
    }

    #[test]
    fn a_clear_result_arms_them_again() {
        let results = [
            (false, true, true),
            (false, false, true),
            (false, true, true),
        ];
        assert_eq!(run(&results), (vec![], vec![0, 2]));
    }

    #[test]
    fn pu_03_a_clear_but_stale_result_does_not() {
        let results = [
            (false, true, true),
            (false, false, false),
            (false, true, true),
        ];
        assert_eq!(run(&results), (vec![], vec![0]));
    }

    #[test]
    fn pa_27_a_pause_needs_no_warning() {
        assert_eq!(run(&[(false, true, true)]), (vec![], vec![0]));
    }

    #[test]
    fn a_stale_alarm_is_not_swallowed_but_raised_by_the_next_fresh_one() {
        assert_eq!(
            run(&[(true, true, false), (true, true, true)]),
            (vec![1], vec![1])
        );
    }

    #[test]
    fn pu_11_warnings_are_at_least_300_s_apart() {
        let toggling: Vec<_> = (0..180).map(|n| (n % 2 == 0, false, true)).collect();
        let (warnings, _) = run(&toggling);
        assert!(warnings.len() > 1);
        assert!(
            warnings.windows(2).all(|pair| pair[1] - pair[0] >= 15),
            "{warnings:?}"
        );
    }

    #[test]
    fn an_edge_whose_flag_was_read_rises_again_as_an_event_alone_until_its_episode_ends() {
        let both = NewAlerts {
            warning: true,
            pause: true,
        };
        let none = NewAlerts::default();
        for (flagged, in_flags) in [(none, both), (both, none)] {
            let mut alerts = AlertState::default();
            assert_eq!(alerts.update(true, true, true, STEP), both);
            alerts.retract(both, flagged);
            assert_eq!(
                alerts.update(true, true, true, STEP * 2),
                both,
                "no gap to keep"
            );
            assert_eq!(alerts.in_flags(both), in_flags);
            // Taken back once more, of which no flag could tell.
            alerts.retract(both, none);
            assert_eq!(alerts.update(true, true, true, STEP * 3), both);
            assert_eq!(alerts.in_flags(both), in_flags);
            alerts.update(false, false, true, STEP * 4);
            assert_eq!(alerts.in_flags(both), both, "another episode");
            // Unread until the episode was over: of the next one nothing was read.
            alerts.retract(both, flagged);
            assert_eq!(alerts.in_flags(both), both);
        }
    }

    #[test]
    fn an_episode_that_begins_within_the_gap_is_still_told() {
        let mut results = vec![(true, false, true), (false, false, true)];
        results.extend(std::iter::repeat_n((true, false, true), 20));
        assert_eq!(run(&results).0, [0, 15]);
    }
}
