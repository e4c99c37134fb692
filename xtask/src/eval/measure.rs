//! How well evidence parts failures from fine prints.

use std::collections::{BTreeMap, BTreeSet};

/// A picture that was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Log odds of a failure; minus infinity where there was nothing to see, which alarms nobody.
    pub evidence: f64,
    pub failed: bool,
    pub source: &'a str,
    pub group: &'a str,
}

/// A sample with its weight: those of fine prints sum to 1, and those of failures.
#[derive(Clone, Copy, Debug)]
pub struct Weighed {
    pub evidence: f64,
    pub failed: bool,
    pub weight: f64,
}

/// A figure, and where 95 of 100 lie when scenes are drawn again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Each source weighs the same among fine prints, and among failures.
pub fn weigh(samples: &[Sample]) -> Vec<Weighed> {
    let mut counts: BTreeMap<(bool, &str), f64> = BTreeMap::new();
    for sample in samples {
        *counts.entry((sample.failed, sample.source)).or_default() += 1.0;
    }
    let sources = |failed: bool| counts.keys().filter(|key| key.0 == failed).count() as f64;
    let (fine, failed) = (sources(false), sources(true));
    let weighed = samples.iter().map(|sample| {
        let sources = if sample.failed { failed } else { fine };
        let count = counts.get(&(sample.failed, sample.source)).copied();
        Weighed {
            evidence: sample.evidence,
            failed: sample.failed,
            weight: 1.0 / (sources * count.unwrap_or(1.0)),
        }
    });
    weighed.collect()
}

/// The largest evidence first, or the smallest.
fn sorted(samples: &[Weighed]) -> Vec<Weighed> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    sorted
}

/// How likely a failure has more evidence than a fine print; half a point where they have the same.
pub fn auroc(samples: &[Weighed]) -> f64 {
    let sorted = sorted(samples);
    let (mut above, mut area) = (0.0, 0.0);
    for same in sorted.chunk_by(|a, b| a.evidence == b.evidence) {
        let (failed, fine) = sums(same);
        area += fine * (above + failed / 2.0);
        above += failed;
    }
    area
}

/// The weight of failures, and of fine prints.
fn sums(samples: &[Weighed]) -> (f64, f64) {
    samples.iter().fold((0.0, 0.0), |(failed, fine), sample| {
        if sample.failed {
            (failed + sample.weight, fine)
        } else {
            (failed, fine + sample.weight)
        }
    })
}

/// The evidence above which so large a share of fine prints lies, at most.
pub fn threshold(samples: &[Weighed], false_alarms: f64) -> f64 {
    let sorted = sorted(samples);
    let mut above = 0.0;
    for same in sorted.chunk_by(|a, b| a.evidence == b.evidence) {
        let fine = sums(same).1;
        if above + fine > false_alarms + 1e-9 {
            return same.first().map_or(f64::INFINITY, |sample| sample.evidence);
        }
        above += fine;
    }
    f64::NEG_INFINITY
}

/// The share of failures, or of fine prints, with more evidence than this.
pub fn share_above(samples: &[Weighed], threshold: f64, failed: bool) -> f64 {
    let of = samples.iter().filter(|sample| sample.failed == failed);
    of.filter(|sample| sample.evidence > threshold)
        .map(|sample| sample.weight)
        .sum()
}

/// The share of failures found where at most so many fine prints are called failed.
pub fn recall(samples: &[Weighed], false_alarms: f64) -> f64 {
    share_above(samples, threshold(samples, false_alarms), true)
}

/// Of what is told in a range of evidence: what is true.
#[derive(Clone, Debug)]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    /// Pictures of failures, and of fine prints.
    pub counts: (usize, usize),
    /// Log odds that were told, on average.
    pub told: f64,
    /// The share of failures, at even odds of both.
    pub share: Figure,
}

/// The ranges of evidence.
pub const EDGES: [f64; 10] = [-99.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 99.0];

/// What is true of what is told, at even odds. Ranges without a picture are left out.
pub fn reliability(samples: &[Sample], rounds: usize) -> Vec<Bin> {
    let judged = weigh(samples);
    let bins = EDGES.windows(2).filter_map(|edges| {
        let inside = |s: &Weighed| edges[0] <= s.evidence && s.evidence < edges[1];
        let here: Vec<Weighed> = judged.iter().copied().filter(inside).collect();
        let share = figure(samples, rounds, &|all| {
            let here: Vec<Weighed> = all.iter().copied().filter(inside).collect();
            let (failed, fine) = sums(&here);
            failed / (failed + fine)
        });
        let weight: f64 = here.iter().map(|sample| sample.weight).sum();
        let told = here
            .iter()
            .map(|sample| sample.weight * sample.evidence)
            .sum::<f64>()
            / weight;
        let failed = here.iter().filter(|sample| sample.failed).count();
        (!here.is_empty()).then(|| Bin {
            from: edges[0],
            to: edges[1],
            counts: (failed, here.len() - failed),
            told,
            share: with_unseen(share, sums(&here), samples),
        })
    });
    bins.collect()
}

/// Where none of so many scenes is, drawing them again says that none ever will be; this share may
/// be there, and still none of these, once in forty times.
pub fn unseen(scenes: usize) -> f64 {
    1.0 - 0.025_f64.powf(1.0 / scenes.max(1) as f64)
}

/// How many scenes there are of failures, or of fine prints.
pub fn scenes(samples: &[Sample], failed: bool) -> usize {
    let of = samples.iter().filter(|sample| sample.failed == failed);
    of.map(|sample| sample.group).collect::<BTreeSet<_>>().len()
}

/// The interval of a range that has pictures of one answer only.
fn with_unseen(share: Figure, (failed, fine): (f64, f64), samples: &[Sample]) -> Figure {
    let of = |answer: bool| unseen(scenes(samples, answer));
    match (failed > 0.0, fine > 0.0) {
        (false, true) => Figure {
            high: of(true) / (of(true) + fine),
            ..share
        },
        (true, false) => Figure {
            low: failed / (failed + of(false)),
            ..share
        },
        _ => share,
    }
}

/// What it costs to believe the evidence, in bits a picture at even odds: 0 when it is always right
/// and sure, 1 when it says nothing.
pub fn bits(samples: &[Weighed]) -> f64 {
    let cost = |s: &Weighed| {
        let against = if s.failed { -s.evidence } else { s.evidence };
        s.weight * against.exp().ln_1p() / std::f64::consts::LN_2
    };
    samples.iter().map(cost).sum::<f64>() / 2.0
}

/// A figure with its interval: within each source, scenes are drawn again so many times.
pub fn figure(samples: &[Sample], rounds: usize, of: &dyn Fn(&[Weighed]) -> f64) -> Figure {
    let value = of(&weigh(samples));
    let mut scenes: BTreeMap<&str, BTreeMap<&str, Vec<Sample>>> = BTreeMap::new();
    for sample in samples {
        let source = scenes.entry(sample.source).or_default();
        source.entry(sample.group).or_default().push(*sample);
    }
    let scenes: Vec<Vec<Vec<Sample>>> = scenes
        .into_values()
        .map(|groups| groups.into_values().collect())
        .collect();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut values = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let mut drawn = Vec::with_capacity(samples.len());
        for groups in &scenes {
            for _ in groups {
                drawn.extend_from_slice(&groups[random.below(groups.len())]);
            }
        }
        let value = of(&weigh(&drawn));
        if value.is_finite() {
            values.push(value);
        }
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let n = (share * values.len().saturating_sub(1) as f64).round() as usize;
        values.get(n).copied().unwrap_or(value)
    };
    Figure {
        value,
        low: at(0.025),
        high: at(0.975),
    }
}

/// The interval of a share of so many scenes, where it is all of them.
pub fn when_all(figure: Figure, scenes: usize) -> Figure {
    let all = figure.value > 1.0 - 1e-9;
    let low = if all {
        figure.low.min(1.0 - unseen(scenes))
    } else {
        figure.low
    };
    Figure { low, ..figure }
}

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % count.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(
        evidence: f64,
        failed: bool,
        source: &'static str,
        group: &'static str,
    ) -> Sample<'static> {
        Sample {
            evidence,
            failed,
            source,
            group,
        }
    }

    #[test]
    fn each_source_weighs_the_same() {
        let mut samples = vec![sample(1.0, false, "a", "a1"), sample(3.0, true, "a", "a2")];
        samples.extend((0..9).map(|_| sample(-1.0, false, "b", "b1")));
        let weighed = weigh(&samples);
        assert_eq!(weighed[0].weight, 0.5);
        assert!((weighed[2].weight - 0.5 / 9.0).abs() < 1e-12);
        assert_eq!(weighed[1].weight, 1.0);
        assert_eq!(share_above(&weighed, 0.0, false), 0.5);
    }

    #[test]
    fn the_area_counts_ties_half() {
        let one = |evidence, failed| sample(evidence, failed, "a", "g");
        let of = |samples: &[Sample]| auroc(&weigh(samples));
        assert_eq!(of(&[one(1.0, true), one(0.0, false)]), 1.0);
        assert_eq!(of(&[one(0.0, true), one(1.0, false)]), 0.0);
        assert_eq!(of(&[one(1.0, true), one(1.0, false)]), 0.5);
        let four = [
            one(3.0, true),
            one(2.0, false),
            one(1.0, true),
            one(0.0, false),
        ];
        assert_eq!(of(&four), 0.75);
    }

    /// Of 100 fine prints one may alarm; a tie with the second does not.
    #[test]
    fn recall_is_at_the_threshold_of_fine_prints() {
        let mut samples: Vec<Sample> = (0..100)
            .map(|n| sample(f64::from(n), false, "a", "g"))
            .collect();
        samples.push(sample(98.0, true, "a", "g"));
        samples.push(sample(98.5, true, "a", "g"));
        let weighed = weigh(&samples);
        assert_eq!(threshold(&weighed, 0.01), 98.0);
        assert_eq!(recall(&weighed, 0.01), 0.5);
        assert_eq!(recall(&weighed, 0.05), 1.0);
        assert_eq!(recall(&weighed, 0.0), 0.0);
    }

    #[test]
    fn what_is_told_is_compared_with_what_is_true() {
        let mut samples: Vec<Sample> = Vec::new();
        for n in 0..100 {
            samples.push(sample(if n < 80 { 1.5 } else { -1.5 }, true, "a", "g"));
            samples.push(sample(if n < 20 { 1.5 } else { -1.5 }, false, "a", "g"));
        }
        let bins = reliability(&samples, 0);
        let shares: Vec<f64> = bins
            .iter()
            .map(|bin| (bin.share.value * 100.0).round())
            .collect();
        assert_eq!(shares, [20.0, 80.0]);
        assert!((bins[1].told - 1.5).abs() < 1e-9 && bins[1].counts == (80, 20));
        let silent: Vec<Sample> = samples
            .iter()
            .map(|s| Sample {
                evidence: 0.0,
                ..*s
            })
            .collect();
        assert!((bits(&weigh(&silent)) - 1.0).abs() < 1e-12);
        let alone: Vec<Sample> = samples.iter().filter(|s| s.failed).copied().collect();
        let bins = reliability(&alone, 0);
        assert_eq!(bins[1].share.value, 1.0);
        assert!(bins[1].share.low < 0.5, "no fine scene was seen at all");
        assert!(bits(&weigh(&samples)) < 1.0);
    }

    /// Two scenes, one wrong: pictures of a scene are not independent, however many.
    #[test]
    fn intervals_are_by_scene() {
        let of = |scenes: [&'static str; 2]| {
            let mut samples = vec![sample(0.0, false, "a", "fine")];
            for n in 0..50 {
                samples.push(sample(1.0, true, "a", scenes[n % 2]));
                samples.push(sample(-1.0, true, "a", scenes[1]));
            }
            figure(&samples, 400, &|all| share_above(all, 0.0, true))
        };
        let wide = of(["one", "other"]);
        assert!(wide.low < 0.4 && wide.high > 0.9, "{wide:?}");
        let all = Figure {
            value: 1.0,
            low: 1.0,
            high: 1.0,
        };
        assert!((when_all(all, 65).low - 0.945).abs() < 1e-3);
    }
}
