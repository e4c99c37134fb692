//! Whether what the camera shows changed suddenly, and whether anything moves in it since.
//!
//! A network may see a tangle where the lamp went off, where the head is parked, where a door stands open,
//! for as long as that lasts. Two things tell it from a tangle. *A print that goes on moves*: where something
//! came suddenly before a part of the picture and nothing moves after that, nothing is printed, and the same
//! view again says nothing new, unless it looks clearly like a failure. *A tangle changes no light*: when most
//! of the light goes, what the picture says more than before comes from the light; what it says more later
//! does not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::GAP;
use crate::Thumbnail;
use crate::thumbnail::PLACES;

/// Something has moved when so many places
const MOVED_PLACES: usize = 2;
/// differ by more than this, of 255 and under the same light. Of 135 pairs of frames that webcams took of
/// prints one after the other, each has more such places; of drawn heads that are parked under a lamp that
/// flickers, with noise, one in a hundred has.
const MOVED: f64 = 3.0;
/// In pictures of less than this mean brightness, less is enough,
const DIM: f64 = 64.0;
/// down to this: places are told in whole steps.
const LEAST_MOVED: f64 = 1.5;

/// What comes before a camera leaves the rest of the picture as it was: fewer places than this change. Of drawn
/// heads 99 of 100 change at most 35 of the 64; of pairs of pictures of one scene, fine and failed, taken
/// one after the other by a hand or a camera that was moved, 95 of 100 change 51 or more.
const PART: usize = 45;
/// A picture whose places differ by less than this (of 255) shows a cover, or a device without a signal.
const FLAT: u8 = 24;
/// What says so much (log odds) is a failure, moving or not: 69 of 100 looks at failures say as much, and one
/// of 3,801 at drawn heads.
const CLEAR: f64 = 3.0;

/// A view is known from so many pictures on: only then a change is sudden.
const KNOWN: u32 = 3;
/// A print that was believed to have failed before something moved last is not explained by that: from
/// where level 1 would warn.
const BELIEVED: f64 = super::WARN[0];
/// What was this suspicious before the light changed is not of the light: one picture that looks clearly
/// like a failure.
const SUSPICIOUS: f64 = 0.3;

/// The light changed when it became so many times more or less: photos of one scene from several sides and
/// distances differ by up to 2.5, a lamp that goes off leaves an eighth or less,
const CHANGED: f64 = 3.0;
/// and is as before when it is nearer to that than this.
const BACK: f64 = 2.5;
/// Brightness as before is a mean over this, in seconds.
const MEMORY: f64 = 60.0;
/// What pictures say of a new light is taken from this time (seconds), three pictures at the usual pace. They say
/// nothing of a failure themselves.
const SETTLES: f64 = 45.0;
/// What a picture in another light says more than those did, is of the light up to this (log odds): noise
/// is new in each.
const MARGIN: f64 = 0.5;
/// What is of the light speaks a little for a fine print (log odds): for ever in doubt, one that fails once in
/// a while would have failed.
const EXPLAINED: f64 = -0.5;
/// More light than before explains for so long (seconds), and then less and less for so long: from then on
/// it is the usual light. Less light explains while it lasts, for the lamp will be switched on again.
const HELD: f64 = 300.0;
const FADES: f64 = 600.0;

/// The view that a print is watched in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    /// The last picture that counted.
    shown: Option<Thumbnail>,
    /// How many there were.
    pictures: u32,
    /// Whether what it shows came suddenly, and before a part of what was there or over all of it.
    sudden: bool,
    /// When the last picture was taken, whether it counted or not.
    at: Duration,
    /// The usual brightness: before it changed, where it has.
    light: f64,
    change: Option<Change>,
}

/// Most of the light went, or came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    /// Brightness right after it.
    light: f64,
    /// Seconds since then.
    seconds: f64,
    /// The sum of the evidence over 0 of so many pictures right after it.
    sum: f64,
    pictures: u32,
    /// Whether it explains anything: not when it was suspicious before.
    explains: bool,
}

impl View {
    /// Takes in a picture. What is left of its evidence; none when it says nothing new. `told` is the
    /// engine's own, whatever this camera's pictures usually say, and `belief` is that before it.
    pub(super) fn left_of(
        &mut self,
        evidence: f64,
        told: f64,
        now: &Thumbnail,
        at: Duration,
        belief: &[f64; 3],
    ) -> Option<f64> {
        let seconds = at.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(at);
        let evidence = self.left_by_light(evidence, brightness(now), seconds, belief);
        let moved = self.shown.is_none_or(|shown| moved(&shown, now));
        if self.sudden && !moved && evidence > 0.0 && told < CLEAR {
            return None;
        }
        if moved || evidence <= 0.0 {
            let known = self.pictures >= KNOWN && belief[2] < BELIEVED;
            self.sudden = known && self.shown.is_some_and(|shown| is_covered(&shown, now));
            self.shown = Some(*now);
        }
        self.pictures = self.pictures.saturating_add(1);
        Some(evidence)
    }

    /// Whether the light is another than usual.
    pub(super) fn has_changed(&self) -> bool {
        self.change.is_some()
    }

    /// What is left of evidence without what is of the light.
    fn left_by_light(&mut self, evidence: f64, now: f64, seconds: f64, belief: &[f64; 3]) -> f64 {
        if self.pictures == 0 || seconds > GAP {
            self.light = now;
            self.change = None;
        }
        let more = now > self.light;
        let limit = if self.change.is_some() { BACK } else { CHANGED };
        let over = |change: &Change| more && change.seconds > HELD + FADES;
        if times(now, self.light) < limit || self.change.as_ref().is_some_and(over) {
            let part = match self.change.take() {
                Some(change) if over(&change) => 1.0,
                _ => 1.0 - (-seconds / MEMORY).exp(),
            };
            self.light += (now - self.light) * part;
            return evidence;
        }
        let explains = self.pictures >= KNOWN && belief[1] + belief[2] < SUSPICIOUS;
        let again = |change: &Change| times(now, change.light) >= CHANGED;
        match &mut self.change {
            Some(change) if !again(change) => change.seconds += seconds,
            change => *change = Some(Change::new(now, explains)),
        }
        self.change
            .as_mut()
            .map_or(evidence, |change| change.left_of(evidence, more))
    }

    pub(super) fn is_one(&self) -> bool {
        let light = |light: f64| (0.0..=256.0).contains(&light);
        let change = |change: &Change| {
            let numbers = [change.seconds, change.sum];
            light(change.light) && numbers.iter().all(|n| (0.0..1e12).contains(n))
        };
        light(self.light) && self.change.as_ref().is_none_or(change)
    }
}

impl Change {
    fn new(light: f64, explains: bool) -> Change {
        Change {
            light,
            seconds: 0.0,
            sum: 0.0,
            pictures: 0,
            explains,
        }
    }

    /// More evidence never leaves less.
    fn left_of(&mut self, evidence: f64, more: bool) -> f64 {
        if !self.explains {
            return evidence;
        }
        if self.seconds <= SETTLES {
            self.sum += evidence.max(0.0);
            self.pictures = self.pictures.saturating_add(1);
            return evidence.min(EXPLAINED);
        }
        let of_light = self.sum / f64::from(self.pictures.max(1));
        if of_light <= 0.0 {
            return evidence;
        }
        let faded = ((self.seconds - HELD) / FADES).clamp(0.0, 1.0);
        let held = if more { 1.0 - faded } else { 1.0 };
        let left = evidence - (of_light + MARGIN - EXPLAINED) * held;
        evidence.min(left.max(EXPLAINED))
    }
}

/// Mean brightness, and one: never 0.
fn brightness(thumbnail: &Thumbnail) -> f64 {
    let sum: u32 = thumbnail.0.iter().map(|place| u32::from(*place)).sum();
    f64::from(sum) / PLACES as f64 + 1.0
}

/// How many times one is the other, whichever is more.
fn times(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

/// Whether something moved from one to the other, seen under the light of the darker one.
fn moved(a: &Thumbnail, b: &Thumbnail) -> bool {
    differing(a, b, brightness(b) / brightness(a)) >= MOVED_PLACES
}

/// Whether something came before a part of what was shown, or shows nothing but itself. What covers less
/// than half leaves the light of the middle place as it was, whatever it does to the mean.
fn is_covered(before: &Thumbnail, now: &Thumbnail) -> bool {
    let mut places = now.0;
    places.sort_unstable();
    if places[PLACES * 9 / 10] - places[PLACES / 10] < FLAT {
        return true;
    }
    let ratio = |(a, b): (&u8, &u8)| (f64::from(*b) + 1.0) / (f64::from(*a) + 1.0);
    let mut ratios: [f64; PLACES] = [1.0; PLACES];
    for (ratio_of, pair) in ratios.iter_mut().zip(before.0.iter().zip(&now.0)) {
        *ratio_of = ratio(pair);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    differing(before, now, ratios[PLACES / 2]) < PART
}

/// How many places differ when `b` has so many times the light of `a`.
fn differing(a: &Thumbnail, b: &Thumbnail, times: f64) -> usize {
    let (to_a, to_b) = (times.min(1.0), (1.0 / times).min(1.0));
    let dark = (brightness(a) * to_a).min(brightness(b) * to_b);
    let limit = (MOVED * dark / DIM).clamp(LEAST_MOVED, MOVED);
    let under = |place: &u8, light: f64| (f64::from(*place) + 1.0) * light;
    let places = a.0.iter().zip(&b.0);
    let differ = places.filter(|(a, b)| (under(a, to_a) - under(b, to_b)).abs() > limit);
    differ.count()
}
