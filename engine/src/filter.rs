//! What is believed of a print, from one picture to the next: a hidden Markov model.
//!
//! A print is in one of three states. It is *fine*; something is in view that looks like a failure
//! and goes away again (a hand, the tool head, a purge): *disturbed*; or it has *failed*, which does
//! not mend itself. A picture says only whether it looks like a failure, and so cannot tell the last
//! two apart: time does. What the user sees as quality is the belief that either is true now; warning
//! and pause follow the belief that the print has failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Evidence;

/// How often a fine print is disturbed, per second: once in five minutes.
const DISTURBED: f64 = 1.0 / 300.0;
/// How fast a disturbance passes, per second: after 12 s on average.
const PASSES: f64 = 1.0 / 12.0;
/// How often a print fails, per second: once in 20 hours.
const FAILS: f64 = 1.0 / 72_000.0;
/// How fast a failure goes away, per second: somebody cleared the bed, once in an hour.
const MENDS: f64 = 1.0 / 3_600.0;

/// Pictures this near in time see the same thing with the same error: between them, evidence counts
/// less. Seconds.
const CORRELATED: f64 = 8.0;
/// The most that one picture says, as log odds: one in fifty is wrong however sure the model was.
const MAX_EVIDENCE: f64 = 4.0;

/// Beliefs from which the user is warned, for confidence 1 (soonest) to 5 (only when certain).
const WARN: [f64; 5] = [0.10, 0.25, 0.50, 0.80, 0.95];
/// Beliefs from which the print should be paused.
const PAUSE: [f64; 5] = [0.70, 0.88, 0.95, 0.985, 0.995];

/// The baseline is learned for so long, in seconds,
const LEARNING: f64 = 600.0;
/// from at least so many pictures,
const MIN_BASELINE_FRAMES: u32 = 5;
/// each of which looks no worse than this (log odds),
const UNSUSPICIOUS: f64 = 0.0;
/// and takes away no more than this (log odds): a failure that begins with a few pictures which look
/// only a little worse than usual must not be learned as how this camera is.
const MAX_BASELINE: f64 = 0.5;
/// Evidence up to this (log odds) may be the camera's and has all of the baseline taken off,
const CAMERAS: f64 = 0.5;
/// and evidence above this is of the print: nothing is taken off.
const PRINTS: f64 = 0.75;

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
    /// Whether the picture changed what is believed: not when it is dark, or the same as the last.
    pub counted: bool,
}

/// What is believed of one print. Saved as JSON it goes on after a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
}

/// What this camera's pictures of a fine print look like.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Baseline {
    sum: f64,
    count: u32,
}

impl Baseline {
    fn learn(&mut self, evidence: f64) {
        if evidence <= UNSUSPICIOUS {
            self.sum += evidence;
            self.count += 1;
        }
    }

    /// How much worse than usual a fine print looks here: what is taken off.
    fn shift(self, mean_log_odds: f64) -> f64 {
        if self.count < MIN_BASELINE_FRAMES {
            return 0.0;
        }
        (self.sum / f64::from(self.count) - mean_log_odds).clamp(0.0, MAX_BASELINE)
    }

    /// The evidence that is left of a picture's. More evidence never becomes less than less would.
    fn left_of(self, evidence: f64, mean_log_odds: f64) -> f64 {
        let part = ((PRINTS - evidence) / (PRINTS - CAMERAS)).clamp(0.0, 1.0);
        evidence - self.shift(mean_log_odds) * part
    }
}

impl Filter {
    /// A print of which nothing is known yet.
    #[must_use]
    pub fn new(levels: Levels) -> Filter {
        Filter {
            levels,
            // As many prints are disturbed, or have failed, at the first picture as on average.
            belief: [0.96, 0.039, 0.001],
            last: None,
            first: None,
            pixels: None,
            baseline: Baseline::default(),
        }
    }

    /// Takes in a picture that was taken at a time of any clock that goes forward. `usual` is the
    /// evidence of fine prints on average (log odds).
    pub fn update(&mut self, at: Duration, look: &Evidence, mean_log_odds: f64) -> Assessment {
        let frozen = self.pixels == Some(look.pixels);
        if look.blind.is_some() || frozen {
            return self.assess(false, false);
        }
        self.pixels = Some(look.pixels);
        let first = *self.first.get_or_insert(at);
        let since = self.last.map(|last| at.saturating_sub(last).as_secs_f64());
        self.last = Some(at);
        let before = self.suspicion();
        if let Some(seconds) = since {
            self.predict(seconds);
        }
        let evidence = self.baseline.left_of(look.failure, mean_log_odds);
        if at.saturating_sub(first).as_secs_f64() <= LEARNING {
            self.baseline.learn(look.failure);
        }
        let new = since.map_or(1.0, |seconds| 1.0 - (-seconds / CORRELATED).exp());
        self.correct(evidence.clamp(-MAX_EVIDENCE, MAX_EVIDENCE) * new);
        let rising = self.suspicion() > before + 0.05;
        self.assess(true, rising)
    }

    /// Time passes without a picture.
    fn predict(&mut self, seconds: f64) {
        let [mut fine, mut disturbed, mut failed] = self.belief;
        // A step is short against every rate; a gap of hours ends in what is so on average.
        let steps = (seconds / 1.0).ceil().clamp(1.0, 86_400.0);
        let step = seconds.min(86_400.0) / steps;
        for _ in 0..steps as u32 {
            let to_disturbed = fine * DISTURBED * step;
            let to_failed = fine * FAILS * step;
            let passed = disturbed * PASSES * step;
            let mended = failed * MENDS * step;
            fine += passed + mended - to_disturbed - to_failed;
            disturbed += to_disturbed - passed;
            failed += to_failed - mended;
        }
        self.belief = normal([fine, disturbed, failed]);
    }

    /// A picture is so many times likelier of a print that looks failed (log of that).
    fn correct(&mut self, evidence: f64) {
        let likelier = evidence.exp();
        let [fine, disturbed, failed] = self.belief;
        self.belief = normal([fine, disturbed * likelier, failed * likelier]);
    }

    /// The belief that something is in view that looks like a failure.
    fn suspicion(&self) -> f64 {
        self.belief[1] + self.belief[2]
    }

    fn assess(&self, counted: bool, rising: bool) -> Assessment {
        let suspicion = self.suspicion();
        let failed = self.belief[2];
        let score = (suspicion * 100.0).round().clamp(0.0, 100.0);
        Assessment {
            quality: 10 - (suspicion * 10.0).floor().clamp(0.0, 9.0) as u8,
            score: score as u8,
            warning: failed >= Levels::threshold(&WARN, self.levels.warning),
            pause: failed >= Levels::threshold(&PAUSE, self.levels.pause),
            faster: counted && rising && failed < Levels::threshold(&PAUSE, self.levels.pause),
            counted,
        }
    }
}

fn normal(belief: [f64; 3]) -> [f64; 3] {
    let sum: f64 = belief.iter().sum();
    belief.map(|part| part / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blind::Blind;

    const USUAL: f64 = -3.0;

    fn look(failure: f64, pixels: u64) -> Evidence {
        Evidence {
            failure,
            blind: None,
            pixels,
        }
    }

    /// Ten good minutes, then failure; the delays of quality, warning and pause behind it.
    fn delays(levels: Levels, pace: u64) -> [Option<u64>; 3] {
        let mut watch = Filter::new(levels);
        let mut seen = [None; 3];
        for n in 0..(1_200 / pace) {
            let at = n * pace;
            let evidence = if at < 600 { -3.0 } else { 4.0 };
            let opinion = watch.update(Duration::from_secs(at), &look(evidence, n), USUAL);
            if at < 600 {
                assert!(
                    opinion.quality >= 9 && !opinion.warning,
                    "{at} s {opinion:?}"
                );
                continue;
            }
            let told = [opinion.quality <= 3, opinion.warning, opinion.pause];
            for (first, told) in seen.iter_mut().zip(told) {
                if told && first.is_none() {
                    *first = Some(at);
                }
            }
        }
        seen
    }

    /// From the moment that quality has fallen, as the service documents it.
    #[test]
    fn it_warns_after_30_to_80_s_and_pauses_after_60_to_120_s() {
        let [quality, warning, pause] = delays(Levels::default(), 20).map(Option::unwrap);
        assert!(
            (30..=80).contains(&(warning - quality)),
            "{warning} {quality}"
        );
        assert!((60..=120).contains(&(pause - quality)), "{pause} {quality}");
        assert!(quality - 600 <= 60, "{quality}");
    }

    #[test]
    fn it_is_sooner_at_level_1_and_later_at_level_5() {
        let all: Vec<_> = (1..=5)
            .map(|level| {
                let levels = Levels {
                    warning: level,
                    pause: level,
                };
                delays(levels, 20).map(Option::unwrap)
            })
            .collect();
        for pair in all.windows(2) {
            assert!(
                pair[0][1] <= pair[1][1] && pair[0][2] <= pair[1][2],
                "{all:?}"
            );
        }
        assert!(all[0][1] < all[2][1] && all[2][1] < all[4][1], "{all:?}");
        assert!(all[0][2] < all[4][2], "{all:?}");
    }

    /// The pace changes how soon it knows, not what it says.
    #[test]
    fn it_says_the_same_at_another_pace() {
        for pace in [5, 10, 20, 30, 60] {
            let [_, warning, pause] = delays(Levels::default(), pace).map(Option::unwrap);
            assert!((20..=200).contains(&(warning - 600)), "{pace}: {warning}");
            assert!((warning..=900).contains(&pause), "{pace}: {pause}");
        }
    }

    /// A hand before the camera for 15 s, every two minutes of three hours.
    #[test]
    fn disturbances_are_not_failures() {
        let mut watch = Filter::new(Levels::default());
        for n in 0..540_u64 {
            let evidence = if n % 6 == 0 { 2.5 } else { -2.5 };
            let opinion = watch.update(Duration::from_secs(n * 20), &look(evidence, n), USUAL);
            assert!(!opinion.warning && !opinion.pause, "{n}: {opinion:?}");
        }
    }

    #[test]
    fn dark_and_frozen_pictures_change_nothing() {
        let mut watch = Filter::new(Levels::default());
        let first = watch.update(Duration::from_secs(0), &look(2.5, 1), USUAL);
        assert!(first.counted);
        for n in 1..100 {
            let frozen = watch.update(Duration::from_secs(n * 20), &look(2.5, 1), USUAL);
            let night = Evidence {
                blind: Some(Blind::Dark),
                ..look(2.5, n + 1)
            };
            let dark = watch.update(Duration::from_secs(n * 20 + 5), &night, USUAL);
            for opinion in [frozen, dark] {
                assert!(!opinion.counted && !opinion.faster, "{opinion:?}");
                assert_eq!(
                    (opinion.quality, opinion.score),
                    (first.quality, first.score)
                );
            }
        }
    }

    /// A camera whose pictures always look a little suspicious is learned; a tangle that is there
    /// from the first picture on is not.
    #[test]
    fn the_baseline_explains_a_camera_and_never_a_tangle() {
        let mut odd = Filter::new(Levels::default());
        let mut worst = 10;
        for n in 0..180_u64 {
            let evidence = if n < 20 { -0.5 } else { 0.4 };
            let opinion = odd.update(Duration::from_secs(n * 20), &look(evidence, n), USUAL);
            worst = worst.min(opinion.quality);
            assert!(!opinion.warning, "{n}: {opinion:?}");
        }
        assert!(worst > 3, "{worst}");
        let mut tangled = Filter::new(Levels::default());
        let told =
            (0..12_u64).map(|n| tangled.update(Duration::from_secs(n * 20), &look(2.5, n), USUAL));
        assert!(told.last().unwrap().pause);
    }

    /// What a camera may explain is little, and nothing of what is seen clearly.
    #[test]
    fn the_baseline_takes_off_at_most_half_and_nothing_above_one() {
        let mut baseline = Baseline::default();
        (0..20).for_each(|_| baseline.learn(-0.1));
        assert!(baseline.shift(USUAL) > 0.4);
        let mut before = f64::MIN;
        for n in -400..=400 {
            let evidence = f64::from(n) / 100.0;
            let left = baseline.left_of(evidence, USUAL);
            assert!(left <= evidence && left >= evidence - 0.5, "{evidence}");
            assert!(evidence < 1.0 || left >= evidence, "{evidence}: {left}");
            assert!(left > before, "{evidence}: {left} {before}");
            before = left;
        }
    }

    /// Pictures that look a little worse than usual, and then a failure that the model is not very
    /// sure of.
    #[test]
    fn a_failure_that_begins_slowly_is_told() {
        for pace in [5, 20, 40] {
            let mut watch = Filter::new(Levels::default());
            let mut last = None;
            for n in 0..42_u64 {
                let evidence = if n < 12 { USUAL + 1.5 } else { 1.1 };
                let at = Duration::from_secs(n * pace);
                last = Some(watch.update(at, &look(evidence, n), USUAL));
            }
            let last = last.unwrap();
            assert!(
                last.warning && last.pause && last.quality == 1,
                "{pace}: {last:?}"
            );
        }
    }

    #[test]
    fn quality_falls_as_the_belief_rises_and_an_hour_without_pictures_forgets() {
        let mut watch = Filter::new(Levels::default());
        let mut last = 10;
        for n in 0..10_u64 {
            let opinion = watch.update(Duration::from_secs(n * 20), &look(2.0, n), USUAL);
            assert!(opinion.quality <= last, "{opinion:?}");
            last = opinion.quality;
        }
        assert_eq!(last, 1);
        let later = watch.update(Duration::from_secs(20_000), &look(-2.0, 99), USUAL);
        assert!(later.quality > 5, "{later:?}");
    }

    #[test]
    fn what_was_believed_goes_on_after_a_restart() {
        let mut watch = Filter::new(Levels::default());
        for n in 0..3_u64 {
            watch.update(Duration::from_secs(n * 20), &look(2.0, n), USUAL);
        }
        let text = serde_json::to_string(&watch).unwrap();
        let mut again: Filter = serde_json::from_str(&text).unwrap();
        let next = look(2.0, 3);
        assert_eq!(
            watch.update(Duration::from_secs(60), &next, USUAL),
            again.update(Duration::from_secs(60), &next, USUAL)
        );
    }
}
