//! Rates of alarms and shares of delays, with intervals.

use std::collections::BTreeMap;

use super::super::measure::{Figure, unseen};
use super::chance::Chance;
use super::play::{PACE, Print, Told};

/// How often scenes are drawn again for an interval.
const ROUNDS: usize = 400;

/// What was told of a print.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    pub kind: &'a str,
    pub scene: &'a str,
    pub hours: f64,
    pub told: Told,
}

impl<'a> Outcome<'a> {
    pub fn of(print: &'a Print, told: Told) -> Outcome<'a> {
        let ends = print.seconds.first().zip(print.seconds.last());
        let watched = ends.map_or(0, |(first, last)| last - first + PACE);
        Outcome {
            kind: &print.kind,
            scene: print.scene,
            hours: watched as f64 / 3_600.0,
            told,
        }
    }
}

/// Warning (0) or pause (1).
pub type Which = usize;

pub fn hours(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|one| one.hours).sum()
}

pub fn alarms(outcomes: &[Outcome], which: Which) -> usize {
    outcomes.iter().map(|one| one.told.alarms[which]).sum()
}

/// Scenes in which it was told.
pub fn alarmed(outcomes: &[Outcome], which: Which) -> Vec<String> {
    let told = outcomes.iter().filter(|one| one.told.alarms[which] > 0);
    let mut scenes: Vec<String> = told.map(|one| one.scene.to_owned()).collect();
    scenes.sort();
    scenes.dedup();
    scenes
}

/// Alarms in 100 hours. The interval is the wider of two: of events that have nothing to do with each
/// other, and of scenes that are drawn again, as those of one scene have.
pub fn rate(outcomes: &[Outcome], which: Which) -> Figure {
    let of = |outcomes: &[Outcome]| 100.0 * alarms(outcomes, which) as f64 / hours(outcomes);
    let drawn = again(outcomes, &of);
    let (low, high) = counted(alarms(outcomes, which));
    let per = 100.0 / hours(outcomes);
    Figure {
        low: drawn.low.min(low * per),
        high: drawn.high.max(high * per),
        ..drawn
    }
}

/// The share of prints of which it was told within so many seconds of the onset, and not before it.
pub fn within(outcomes: &[Outcome], which: Which, seconds: f64) -> Figure {
    let of = |outcomes: &[Outcome]| {
        let soon = |one: &&Outcome| delay(one, which) <= seconds;
        outcomes.iter().filter(soon).count() as f64 / outcomes.len() as f64
    };
    let mut figure = again(outcomes, &of);
    if figure.value >= 1.0 {
        figure.low = figure.low.min(1.0 - unseen(scenes(outcomes).len()));
    }
    figure
}

/// Seconds to when it was told; infinite when it was not, or before the onset.
fn delay(one: &Outcome, which: Which) -> f64 {
    let early = one.told.alarms[which] > 0;
    let delay = one.told.delay[which].filter(|_| !early);
    delay.unwrap_or(f64::INFINITY)
}

/// The delay that this share of prints does not exceed; infinite when it was not told of so many.
pub fn quantile(outcomes: &[Outcome], which: Which, share: f64) -> f64 {
    let mut delays: Vec<f64> = outcomes.iter().map(|one| delay(one, which)).collect();
    delays.sort_by(f64::total_cmp);
    let at = (share * delays.len().saturating_sub(1) as f64).round() as usize;
    delays.get(at).copied().unwrap_or(f64::INFINITY)
}

/// The mean delay, where what was not told within so many seconds counts as these.
pub fn mean(outcomes: &[Outcome], which: Which, most: f64) -> f64 {
    let sum: f64 = outcomes.iter().map(|one| delay(one, which).min(most)).sum();
    sum / outcomes.len() as f64
}

/// Prints of which it was told before anything had failed.
pub fn early(outcomes: &[Outcome], which: Which) -> usize {
    let early = |one: &&Outcome| one.told.alarms[which] > 0;
    outcomes.iter().filter(early).count()
}

pub fn scenes<'a, 'b>(outcomes: &'b [Outcome<'a>]) -> BTreeMap<&'a str, Vec<&'b Outcome<'a>>> {
    let mut scenes: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for one in outcomes {
        scenes.entry(one.scene).or_default().push(one);
    }
    scenes
}

/// A figure, and where 95 of 100 lie when scenes are drawn again.
fn again(outcomes: &[Outcome], of: &dyn Fn(&[Outcome]) -> f64) -> Figure {
    let scenes: Vec<Vec<&Outcome>> = scenes(outcomes).into_values().collect();
    let mut chance = Chance::new("scenes", 0);
    let mut values: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let drawn = scenes.iter().map(|_| &scenes[chance.below(scenes.len())]);
            let drawn: Vec<Outcome> = drawn.flatten().copied().cloned().collect();
            of(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (ROUNDS - 1) as f64).round() as usize];
    Figure {
        value: of(outcomes),
        low: at(0.025),
        high: at(0.975),
    }
}

/// Where the mean number of events lies, of 95 %, when so many were counted: the limits at which so
/// many or more, and so many or fewer, come once in forty times (Poisson).
fn counted(count: usize) -> (f64, f64) {
    // The probability of at most so many.
    let at_most = |count: usize, mean: f64| {
        let mut term = (-mean).exp();
        let mut sum = term;
        for n in 1..=count {
            term *= mean / n as f64;
            sum += term;
        }
        sum
    };
    let solve = |below: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 700.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if below(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    };
    let low = match count {
        0 => 0.0,
        count => solve(&|mean| 1.0 - at_most(count - 1, mean) < 0.025),
    };
    (low, solve(&|mean| at_most(count, mean) > 0.025))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(scene: &str, alarms: usize, delay: Option<f64>) -> Outcome<'_> {
        Outcome {
            kind: "",
            scene,
            hours: 10.0,
            told: Told {
                alarms: [alarms, 0],
                delay: [delay, None],
            },
        }
    }

    #[test]
    fn counts_have_the_intervals_of_the_tables() {
        for (count, low, high) in [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)] {
            let found = counted(count);
            assert!((found.0 - low).abs() < 0.01, "{count}: {found:?}");
            assert!((found.1 - high).abs() < 0.01, "{count}: {found:?}");
        }
    }

    #[test]
    fn alarms_are_by_the_hour_and_delays_by_the_print() {
        let all = [
            outcome("a", 0, Some(40.0)),
            outcome("a", 0, Some(100.0)),
            outcome("b", 0, None),
            outcome("c", 1, Some(0.0)),
        ];
        assert!((rate(&all, 0).value - 2.5).abs() < 1e-9);
        assert!(rate(&all, 0).high > 10.0 && rate(&all, 1).high > 9.0);
        assert_eq!(within(&all, 0, 60.0).value, 0.25);
        assert_eq!(within(&all, 0, 180.0).value, 0.5);
        // Told before the onset is not told of it.
        assert_eq!((early(&all, 0), early(&all, 1)), (1, 0));
        assert_eq!(quantile(&all, 0, 0.0), 40.0);
        assert_eq!(quantile(&all, 0, 1.0), f64::INFINITY);
        assert_eq!(mean(&all[..2], 0, 300.0), 70.0);
        assert_eq!(alarmed(&all, 0), ["c"]);
    }
}
