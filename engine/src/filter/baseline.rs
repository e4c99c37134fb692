//! How a camera's pictures of a fine print look: some are always a little suspicious.

use serde::{Deserialize, Serialize};

/// The baseline is learned for so long, in seconds: 30 pictures at the usual pace,
pub(super) const LEARNING: f64 = 600.0;
/// from at least so many pictures,
const MIN_FRAMES: u32 = 5;
/// each of which looks no worse than this (log odds): what looks more like a failure than not is never
/// learned, so that a tangle which is there from the first picture on is not explained away;
const UNSUSPICIOUS: f64 = 0.0;
/// and it takes away no more than this (log odds): a failure that begins with a few pictures which look
/// only a little worse than usual must not be learned as how this camera is.
const MOST: f64 = 0.5;
/// Evidence up to this (log odds) may be the camera's and has all of the baseline taken off,
const CAMERAS: f64 = 0.5;
/// and evidence above this is of the print: nothing is taken off. Between the two, more evidence must stay
/// more: `MOST` is taken off over a stretch of half of it at least.
const PRINTS: f64 = 0.75;

/// A camera is quiet when its pictures look no worse than this over the usual (log odds).
const QUIET: f64 = 0.3;
/// What looks worse than usual by so much (log odds) begins to be more of a surprise there,
const SURPRISE: f64 = 0.8;
/// from so much on it is one,
const SURPRISED: f64 = 2.3;
/// and counts so much more (log odds). Of 5,600 looks at fine prints of quiet scenes six had evidence
/// over 0, of 11,200 at all fine prints 164, so that evidence from -1 to +1 is worth 2.5 to 5 log odds
/// more than it says there.
const MORE: f64 = 2.5;

/// What this camera's pictures of a fine print look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Baseline {
    sum: f64,
    count: u32,
}

impl Baseline {
    pub(super) fn learn(&mut self, evidence: f64, mean_log_odds: f64) {
        // What is a surprise from a quiet camera is not how it is.
        let surprise = self.is_quiet(mean_log_odds) && evidence > mean_log_odds + SURPRISE;
        if evidence <= UNSUSPICIOUS && !surprise {
            self.sum += evidence;
            self.count = self.count.saturating_add(1);
        }
    }

    /// How much worse than usual a fine print looks here: what is taken off.
    pub(super) fn shift(self, mean_log_odds: f64) -> f64 {
        if self.count < MIN_FRAMES {
            return 0.0;
        }
        (self.sum / f64::from(self.count) - mean_log_odds).clamp(0.0, MOST)
    }

    /// What a picture's evidence is worth from this camera. More evidence is never worth less.
    pub(super) fn worth(self, evidence: f64, mean_log_odds: f64) -> f64 {
        let surprise = (evidence - mean_log_odds - SURPRISE) / (SURPRISED - SURPRISE);
        if self.is_quiet(mean_log_odds) {
            evidence + MORE * surprise.clamp(0.0, 1.0)
        } else {
            self.left_of(evidence, mean_log_odds)
        }
    }

    fn is_quiet(self, mean_log_odds: f64) -> bool {
        self.count >= MIN_FRAMES && self.sum / f64::from(self.count) <= mean_log_odds + QUIET
    }

    /// The evidence that is left of a picture's. More evidence never becomes less than less would.
    pub(super) fn left_of(self, evidence: f64, mean_log_odds: f64) -> f64 {
        let part = ((PRINTS - evidence) / (PRINTS - CAMERAS)).clamp(0.0, 1.0);
        evidence - self.shift(mean_log_odds) * part
    }

    pub(super) fn is_one(self) -> bool {
        self.sum.is_finite() && self.sum <= 0.0
    }
}
