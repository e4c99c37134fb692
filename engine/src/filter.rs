//! What is believed of a print, from one picture to the next: a hidden Markov model with three states.
//!
//! A print is *fine*; something is in view that looks like a failure and goes away again (a hand, the tool
//! head, a purge): *disturbed*; or it has *failed*, which does not mend itself. A picture's evidence is a
//! calibrated log likelihood ratio of a picture that looks failed against one that looks fine, so that it
//! is multiplied into the belief as it is. It cannot tell the last two states apart. Two things do: time,
//! for disturbances pass; and the place, for a hand does not stay where it is (`places`). What a picture's
//! evidence is worth depends on how this camera's pictures have been (`baseline`), and on whether the light
//! changed, or something came suddenly before a part of the picture and nothing has moved since (`view`).
//! What the user sees as quality is the belief that either is true now; warning and pause follow the belief
//! that the print has failed.

mod baseline;
mod places;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Evidence, Observation, Thumbnail};
use baseline::{Baseline, LEARNING};
use places::Places;
use view::View;

/// How often a fine print is disturbed, per second: once in five minutes. Two of a hundred pictures of fine
/// prints have evidence over 0, with disturbances among them; with `PASSES` this is six of a hundred, since
/// more people reach into a printer than were photographed.
const DISTURBED: f64 = 1.0 / 300.0;
/// How fast a disturbance passes, per second: after 20 s on average. One that lasts a minute is then one
/// in twenty, and a failure is told from it in the time that the service documents.
const PASSES: f64 = 1.0 / 20.0;
/// How often a print fails, per second, as a decision takes it: once in 150 minutes. Prints fail about once
/// in 20 hours; it is eight times that, for a failure that is missed costs more than a needless warning.
const FAILS: f64 = 1.0 / 9_000.0;
/// How fast a failure goes away, per second: somebody cleared the bed, once in an hour.
const MENDS: f64 = 1.0 / 3_600.0;
/// What is believed of a print of which nothing is known: as many are disturbed, or have failed, at the
/// first picture as on average.
const UNKNOWN: [f64; 3] = [0.96, 0.039, 0.001];
/// A gap between pictures longer than this (seconds) is no longer watching: nothing is expected to have
/// happened after it,
const GAP: f64 = 300.0;
/// and what was believed is forgotten, to a third in so many seconds.
const FORGOTTEN: f64 = 1_800.0;

/// Pictures this near in time see the same thing with the same error: between them, evidence counts
/// less. Seconds: the head, light and noise are others after a layer's stroke.
const CORRELATED: f64 = 5.0;
/// The most that one picture says, as log odds: one in thirty is wrong however sure the model was.
const MAX_EVIDENCE: f64 = 3.4;
/// The least that one picture says of a failure, as log odds: a small tangle that is not seen in one picture
/// is not seen in the next. Of a disturbance a picture that looks fine says all it says.
const LEAST_OF_FAILED: f64 = -2.0;
/// How much less likely it is of a failure than of a disturbance (log of that) that what looks like one is
/// elsewhere than a picture before: 6 of 100 pairs of pictures of a failure, 12 of 100 of hands.
const ELSEWHERE: f64 = 0.6;

/// Beliefs from which the user is warned, for confidence 1 (soonest) to 5 (only when certain). Level 3 is
/// set so that clear evidence warns and pauses in the middle of the documented times.
const WARN: [f64; 5] = [0.15, 0.30, 0.55, 0.80, 0.95];
/// Beliefs from which the print should be paused.
const PAUSE: [f64; 5] = [0.60, 0.80, 0.92, 0.97, 0.995];

/// How sure it must be before it says something: 1 (soonest) to 5 (only when certain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Levels {
    /// Before the user is warned.
    pub warning: u8,
    /// Before the print should be paused.
    pub pause: u8,
}

impl Default for Levels {
    fn default() -> Self {
        Levels {
            warning: 3,
            pause: 3,
        }
    }
}

impl Levels {
    /// The beliefs that the print has failed, 0 to 1, from which the user is warned and from which it should
    /// be paused.
    #[must_use]
    pub fn thresholds(self) -> (f64, f64) {
        (
            Levels::threshold(&WARN, self.warning),
            Levels::threshold(&PAUSE, self.pause),
        )
    }

    fn threshold(table: &[f64; 5], level: u8) -> f64 {
        table[usize::from(level.clamp(1, 5)) - 1]
    }
}

/// What is said after a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// 1 (failed) to 10 (perfect).
    pub quality: u8,
    /// 0 (perfect) to 100 (failed).
    pub score: u8,
    /// Tell the user.
    pub warning: bool,
    /// Pause the print.
    pub pause: bool,
    /// Look again soon: the belief is rising and not settled.
    pub faster: bool,
    /// Whether the picture changed what is believed: not when it is dark, or the same as the last, or when
    /// something came suddenly before a part of it, is not clearly a failure, and nothing moved since.
    pub counted: bool,
}

/// What is believed of one print. Saved as JSON (under 2 KiB with the built-in model) it goes on after a
/// restart; what cannot have been saved is refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Filter {
    levels: Levels,
    /// Fine, disturbed, failed. Their sum is 1.
    belief: [f64; 3],
    /// When the last picture was taken that counted.
    last: Option<Duration>,
    /// When the first was.
    first: Option<Duration>,
    /// The pixels of the last picture.
    pixels: Option<u64>,
    baseline: Baseline,
    places: Places,
    view: View,
}

/// A filter as it is saved, not looked at yet.
#[derive(Deserialize)]
struct Saved {
    levels: Levels,
    belief: [f64; 3],
    last: Option<Duration>,
    first: Option<Duration>,
    pixels: Option<u64>,
    baseline: Baseline,
    places: Places,
    view: View,
}

impl TryFrom<Saved> for Filter {
    type Error = &'static str;

    fn try_from(saved: Saved) -> Result<Filter, &'static str> {
        let shares = saved.belief.iter().all(|part| (0.0..=1.0).contains(part));
        let sum: f64 = saved.belief.iter().sum();
        if !shares || (sum - 1.0).abs() > 1e-6 {
            return Err("a belief whose parts are not shares of 1");
        }
        let level = |level: u8| (1..=5).contains(&level);
        if !level(saved.levels.warning) || !level(saved.levels.pause) {
            return Err("a level that is not 1 to 5");
        }
        if saved.first > saved.last
            || !saved.baseline.is_one()
            || !saved.places.is_one()
            || !saved.view.is_one()
        {
            return Err("times, a baseline or places that cannot be");
        }
        Ok(Filter {
            levels: saved.levels,
            belief: saved.belief,
            last: saved.last,
            first: saved.first,
            pixels: saved.pixels,
            baseline: saved.baseline,
            places: saved.places,
            view: saved.view,
        })
    }
}

impl Filter {
    /// A print of which nothing is known yet.
    #[must_use]
    pub fn new(levels: Levels) -> Filter {
        Filter {
            levels: Levels {
                warning: levels.warning.clamp(1, 5),
                pause: levels.pause.clamp(1, 5),
            },
            belief: UNKNOWN,
            last: None,
            first: None,
            pixels: None,
            baseline: Baseline::default(),
            places: Places::default(),
            view: View::default(),
        }
    }

    /// Takes in a picture that was taken at a time of any clock that goes forward. `usual` is the
    /// evidence of fine prints on average (log odds).
    pub fn update(&mut self, at: Duration, look: &Evidence, usual: f64) -> Assessment {
        self.take(at, look, usual, None, |_, _, _| 0.0)
    }

    /// The same of a picture of which is known where it says what, and how bright it is there: what jumps
    /// about the picture is no failure, a pause takes agreement on the place, and a view that changed at a
    /// stroke explains what came with it.
    pub fn observe(&mut self, at: Duration, seen: &Observation, usual: f64) -> Assessment {
        self.take(
            at,
            &seen.look,
            usual,
            Some(&seen.thumbnail),
            |places, second, since| places.take(second, since, &seen.cells),
        )
    }

    /// Takes in a picture. `elsewhere` is asked when it is suspicious, with the seconds since the first
    /// picture and since the last.
    fn take(
        &mut self,
        at: Duration,
        look: &Evidence,
        usual: f64,
        thumbnail: Option<&Thumbnail>,
        elsewhere: impl FnOnce(&mut Places, u32, u32) -> f64,
    ) -> Assessment {
        let frozen = self.pixels == Some(look.pixels);
        if look.blind.is_some() || frozen {
            return self.assess(false, false);
        }
        self.pixels = Some(look.pixels);
        let since = self.last.map(|last| at.saturating_sub(last).as_secs_f64());
        let evidence = self.baseline.worth(look.failure, usual);
        let evidence = match thumbnail {
            Some(now) => self
                .view
                .left_of(evidence, look.failure, now, at, &self.belief),
            None => Some(evidence),
        };
        let Some(evidence) = evidence else {
            // It was watched: when something moves again, no gap has passed.
            self.last = self.last.max(Some(at));
            return self.assess(false, false);
        };
        let first = *self.first.get_or_insert(at);
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let before = self.suspicion();
        if let Some(seconds) = since {
            self.predict(seconds);
        }
        let watched = at.saturating_sub(first).as_secs_f64();
        if watched <= LEARNING && !self.view.has_changed() {
            self.baseline.learn(look.failure, usual);
        }
        let moved = if evidence > 0.0 {
            elsewhere(
                &mut self.places,
                watched as u32,
                since.unwrap_or(0.0) as u32,
            )
        } else {
            0.0
        };
        let new = since.map_or(1.0, |seconds| 1.0 - (-seconds / CORRELATED).exp());
        let evidence = evidence.clamp(-MAX_EVIDENCE, MAX_EVIDENCE);
        let of_failed = evidence.max(LEAST_OF_FAILED) - moved * ELSEWHERE;
        self.correct(evidence * new, of_failed * new);
        let rising = self.suspicion() > before + 0.05;
        self.assess(true, rising)
    }

    /// Time passes without a picture.
    fn predict(&mut self, seconds: f64) {
        let [mut fine, mut disturbed, mut failed] = self.belief;
        // A step is short against every rate.
        let watched = seconds.min(GAP);
        let steps = watched.ceil().max(1.0);
        let step = watched / steps;
        for _ in 0..steps as u32 {
            let to_disturbed = fine * DISTURBED * step;
            let to_failed = fine * FAILS * step;
            let passed = disturbed * PASSES * step;
            let mended = failed * MENDS * step;
            fine += passed + mended - to_disturbed - to_failed;
            disturbed += to_disturbed - passed;
            failed += to_failed - mended;
        }
        let kept = (-(seconds - watched) / FORGOTTEN).exp();
        let mut belief = [fine, disturbed, failed];
        for (part, unknown) in belief.iter_mut().zip(UNKNOWN) {
            *part = unknown + (*part - unknown) * kept;
        }
        self.belief = normal(belief);
    }

    /// A picture is so many times likelier of a print that is disturbed than of a fine one, and of one that
    /// has failed (log of that).
    fn correct(&mut self, of_disturbed: f64, of_failed: f64) {
        let [fine, disturbed, failed] = self.belief;
        self.belief = normal([
            fine,
            disturbed * of_disturbed.exp(),
            failed * of_failed.exp(),
        ]);
    }

    /// The belief that something is in view that looks like a failure.
    fn suspicion(&self) -> f64 {
        self.belief[1] + self.belief[2]
    }

    /// From the next picture on it has to be so sure; what is believed stays.
    pub fn set_levels(&mut self, levels: Levels) {
        self.levels = Filter::new(levels).levels;
    }

    fn assess(&self, counted: bool, rising: bool) -> Assessment {
        let suspicion = self.suspicion();
        let failed = self.belief[2];
        let certain = failed >= Levels::threshold(&PAUSE, self.levels.pause);
        let score = (suspicion * 100.0).round().clamp(0.0, 100.0);
        Assessment {
            quality: 10 - (suspicion * 10.0).floor().clamp(0.0, 9.0) as u8,
            score: score as u8,
            warning: failed >= Levels::threshold(&WARN, self.levels.warning),
            pause: certain && self.places.steady(),
            faster: counted && rising && !certain,
            counted,
        }
    }
}

fn normal(belief: [f64; 3]) -> [f64; 3] {
    let sum: f64 = belief.iter().sum();
    belief.map(|part| part / sum)
}
