//! What is said of a folder of pictures: tables for people, JSON for programs.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::look::{Answer, Seen};
use super::manifest::Entry;
use super::measure::{self, Bin, Figure, Sample, Weighed};
use crate::bench::table;

/// How often scenes are drawn again for an interval.
const ROUNDS: usize = 400;
const FALSE_ALARMS: [f64; 3] = [0.01, 0.03, 0.05];

/// Some of the pictures: a source, a kind.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    counts: [Counts; 2],
}

/// What became of fine prints (0) and of failures (1).
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pictures: usize,
    blind: usize,
    unreadable: usize,
    /// With evidence for a failure: log odds over 0.
    suspected: usize,
    /// With more evidence than 1 % of fine prints have.
    alarmed: usize,
    sum: f64,
}

/// Where it said the tangle is, in pictures with a box.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    boxed: usize,
    /// A place was told,
    told: usize,
    /// which overlaps a box,
    overlaps: usize,
    /// or has its middle in one.
    middles: usize,
}

/// All that is said.
pub struct Report {
    model: String,
    pub samples: Vec<Weighed>,
    pub reliability: Vec<Bin>,
    scenes: [usize; 2],
    auroc: Figure,
    recall: Vec<(f64, f64, Figure)>,
    bits: f64,
    /// The mean evidence of fine prints: what `usual` is in a model's head.
    usual: f64,
    sources: Vec<Part>,
    kinds: Vec<Part>,
    reasons: BTreeMap<String, usize>,
    places: Places,
}

impl Report {
    pub fn of(model: &str, entries: &[Entry], seen: &[Seen]) -> Report {
        let pairs: Vec<(&Entry, &Seen)> = entries.iter().zip(seen).collect();
        let counted = |(entry, seen): &&(&Entry, &Seen)| {
            (entry.failed || !entry.is_presentation()) && !seen.is_unreadable()
        };
        let samples: Vec<Sample> = pairs
            .iter()
            .filter(counted)
            .map(|pair| sample(pair))
            .collect();
        let judged: Vec<Sample> = samples
            .iter()
            .filter(|sample| sample.evidence.is_finite())
            .copied()
            .collect();
        let weighed = measure::weigh(&samples);
        let alarm = measure::threshold(&weighed, FALSE_ALARMS[0]);
        let scenes = [false, true].map(|failed| measure::scenes(&samples, failed));
        let recall = FALSE_ALARMS.map(|share| {
            let figure = measure::figure(&samples, ROUNDS, &|all| measure::recall(all, share));
            let figure = measure::when_all(figure, scenes[1]);
            (share, measure::threshold(&weighed, share), figure)
        });
        let fine = measure::weigh(&judged);
        let fine = fine.iter().filter(|sample| !sample.failed);
        Report {
            model: model.to_owned(),
            reliability: measure::reliability(&judged, ROUNDS),
            auroc: measure::figure(&samples, ROUNDS, &measure::auroc),
            recall: recall.to_vec(),
            bits: measure::bits(&measure::weigh(&judged)),
            usual: fine.map(|sample| sample.weight * sample.evidence).sum(),
            sources: parts(&pairs, alarm, |entry| &entry.source),
            kinds: parts(&pairs, alarm, |entry| &entry.kind),
            reasons: reasons(seen),
            places: places(&pairs),
            samples: measure::weigh(&judged),
            scenes,
        }
    }

    /// Prints it as tables.
    pub fn print(&self) {
        println!(
            "{}: {} scenes of fine prints, {} of failures",
            self.model, self.scenes[0], self.scenes[1]
        );
        let mut rows = vec![table::row([
            "each source weighs the same",
            "",
            "95 % by scene",
            "evidence over",
        ])];
        let shown = |f: &Figure| {
            (
                format!("{:.4}", f.value),
                format!("{:.4} to {:.4}", f.low, f.high),
            )
        };
        let (value, interval) = shown(&self.auroc);
        rows.push(table::row(["AUROC", &value, &interval, ""]));
        for (share, threshold, figure) in &self.recall {
            let (value, interval) = shown(figure);
            let name = format!("found at {:.0} % false alarms", share * 100.0);
            rows.push(table::row([
                &name,
                &value,
                &interval,
                &format!("{threshold:+.2}"),
            ]));
        }
        rows.push(table::row([
            "bits a picture (1: says nothing)",
            &format!("{:.3}", self.bits),
            "",
            "",
        ]));
        rows.push(table::row([
            "evidence of fine prints on average",
            &format!("{:+.2}", self.usual),
            "",
            "",
        ]));
        table::print("How well it sees", &rows);
        self.print_reliability();
        print_parts("By source", &self.sources);
        print_parts("By kind", &self.kinds);
        self.print_places();
    }

    fn print_reliability(&self) {
        let head = [
            "log odds told",
            "failed / fine",
            "on average",
            "means, %",
            "true, %",
            "95 %",
        ];
        let mut rows = vec![table::row(head)];
        for bin in &self.reliability {
            let range = match (bin.from, bin.to) {
                (from, to) if from < -10.0 => format!("under {to:+.1}"),
                (from, to) if to > 10.0 => format!("{from:+.1} and over"),
                (from, to) => format!("{from:+.1} to {to:+.1}"),
            };
            let percent = |share: f64| format!("{:.1}", share * 100.0);
            rows.push(vec![
                range,
                format!("{} / {}", bin.counts.0, bin.counts.1),
                format!("{:+.2}", bin.told),
                percent(1.0 / (1.0 + (-bin.told).exp())),
                percent(bin.share.value),
                format!("{} to {}", percent(bin.share.low), percent(bin.share.high)),
            ]);
        }
        table::print("What it says and what is true, at even odds", &rows);
    }

    fn print_places(&self) {
        let Places {
            boxed,
            told,
            overlaps,
            middles,
        } = self.places;
        if boxed > 0 {
            let share = |count: usize| format!("{:.1} %", 100.0 * count as f64 / boxed as f64);
            let rows = [
                table::row(["failures with a box", &boxed.to_string()]),
                table::row(["a place is told", &share(told)]),
                table::row(["which overlaps a box", &share(overlaps)]),
                table::row(["and has its middle in one", &share(middles)]),
            ];
            table::print("Where", &rows);
        }
        if !self.reasons.is_empty() {
            let mut rows = vec![table::row(["not judged, because", "pictures"])];
            rows.extend(
                self.reasons
                    .iter()
                    .map(|(why, n)| vec![why.clone(), n.to_string()]),
            );
            table::print("Nothing to see", &rows);
        }
    }

    /// The same as JSON.
    pub fn json(&self) -> String {
        let recall: Vec<Value> = self.recall.iter().map(|(share, threshold, figure)| {
            json!({"false_alarms": share, "evidence_over": round(*threshold), "found": shown(figure)})
        }).collect();
        let bins: Vec<Value> = self
            .reliability
            .iter()
            .map(|bin| {
                json!({"from": bin.from, "to": bin.to, "failed": bin.counts.0, "fine": bin.counts.1,
                "told": round(bin.told), "share": shown(&bin.share)})
            })
            .collect();
        let parts = |parts: &[Part]| -> Vec<Value> { parts.iter().map(Part::json).collect() };
        let value = json!({
            "model": self.model,
            "scenes": {"fine": self.scenes[0], "failed": self.scenes[1]},
            "auroc": shown(&self.auroc),
            "recall": recall,
            "bits": round(self.bits),
            "usual": round(self.usual),
            "reliability": bins,
            "sources": parts(&self.sources),
            "kinds": parts(&self.kinds),
            "not_judged": self.reasons,
            "places": {"boxed": self.places.boxed, "told": self.places.told,
                "overlap": self.places.overlaps, "middle_inside": self.places.middles},
        });
        format!("{value:#}\n")
    }
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn shown(figure: &Figure) -> Value {
    json!({"value": round(figure.value), "low": round(figure.low), "high": round(figure.high)})
}

fn sample<'a>((entry, seen): &(&'a Entry, &Seen)) -> Sample<'a> {
    Sample {
        evidence: seen.evidence().unwrap_or(f64::NEG_INFINITY),
        failed: entry.failed,
        source: &entry.source,
        group: &entry.group,
    }
}

fn parts<'a>(
    pairs: &[(&'a Entry, &Seen)],
    alarm: f64,
    name: impl Fn(&'a Entry) -> &'a str,
) -> Vec<Part> {
    let mut found: BTreeMap<&str, [Counts; 2]> = BTreeMap::new();
    for (entry, seen) in pairs {
        let counts = &mut found.entry(name(entry)).or_default()[usize::from(entry.failed)];
        counts.pictures += 1;
        match &seen.answer {
            Answer::Judged { evidence, .. } => {
                counts.sum += evidence;
                counts.suspected += usize::from(*evidence > 0.0);
                counts.alarmed += usize::from(*evidence > alarm);
            }
            Answer::Blind(_) => counts.blind += 1,
            Answer::Unreadable(_) => counts.unreadable += 1,
        }
    }
    let parts = found.into_iter().map(|(name, counts)| Part {
        name: if name.is_empty() { "(none)" } else { name }.to_owned(),
        counts,
    });
    parts.collect()
}

impl Counts {
    /// The mean evidence of those that were judged.
    fn mean(&self) -> Option<f64> {
        let judged = self.pictures - self.blind - self.unreadable;
        (judged > 0).then(|| self.sum / judged as f64)
    }
}

impl Part {
    fn json(&self) -> Value {
        let of = |counts: &Counts| {
            json!({"pictures": counts.pictures, "blind": counts.blind, "unreadable": counts.unreadable,
                "suspected": counts.suspected, "over_1_percent": counts.alarmed,
                "evidence": counts.mean().map(round)})
        };
        json!({"name": self.name, "fine": of(&self.counts[0]), "failed": of(&self.counts[1])})
    }
}

fn print_parts(title: &str, parts: &[Part]) {
    if parts.len() < 2 {
        return;
    }
    let head = [
        "",
        "failed / fine",
        "evidence",
        "over 0",
        "over 1 % of fine",
        "blind",
        "unreadable",
    ];
    let mut rows = vec![table::row(head)];
    for part in parts {
        let [fine, failed] = part.counts;
        let both = |of: &dyn Fn(&Counts) -> String| format!("{} / {}", of(&failed), of(&fine));
        let mean = |c: &Counts| {
            c.mean()
                .map_or_else(|| "-".to_owned(), |mean| format!("{mean:+.2}"))
        };
        rows.push(vec![
            part.name.clone(),
            both(&|c| c.pictures.to_string()),
            both(&mean),
            both(&|c| c.suspected.to_string()),
            both(&|c| c.alarmed.to_string()),
            both(&|c| c.blind.to_string()),
            both(&|c| c.unreadable.to_string()),
        ]);
    }
    table::print(title, &rows);
}

fn reasons(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for one in seen {
        if let Answer::Blind(why) | Answer::Unreadable(why) = &one.answer {
            *reasons.entry(why.clone()).or_default() += 1;
        }
    }
    reasons
}

/// Of failures with a box: how often the place that was told is one of them.
fn places(pairs: &[(&Entry, &Seen)]) -> Places {
    let mut found = Places::default();
    for (entry, seen) in pairs.iter().filter(|(entry, _)| !entry.boxes.is_empty()) {
        found.boxed += 1;
        if let Some([left, top, right, bottom]) = seen.place() {
            let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
            let overlaps =
                |b: &&[f64; 4]| left < b[2] && b[0] < right && top < b[3] && b[1] < bottom;
            let middle = |b: &&[f64; 4]| b[0] <= x && x < b[2] && b[1] <= y && y < b[3];
            found.told += 1;
            found.overlaps += usize::from(entry.boxes.iter().any(|b| overlaps(&b)));
            found.middles += usize::from(entry.boxes.iter().any(|b| middle(&b)));
        }
    }
    found
}
