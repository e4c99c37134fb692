//! What is said of prints that were watched: tables for people, JSON for programs.

use serde_json::{Value, json};

use super::disturbed::UNDISTURBED;
use super::figures::{self, Outcome};
use super::play::{Average, Filtered, Print, Watcher, play};
use crate::bench::table;
use crate::eval::measure::Figure;

/// Seconds within which a warning and a pause have to be told.
const LIMITS: [f64; 2] = [180.0, 300.0];
/// The level of which the tables say more.
pub const LEVEL: u8 = 3;
/// The means over which the plain average alarms: from so many log odds on, in steps of a half,
const FIRST: f64 = -2.5;
const STEPS: usize = 12;
/// and of these every third is in the tables.
const SHOWN: usize = 3;

/// The plain average that is told beside the filter where prints are disturbed.
const RIVAL: &str = "average over +1.0";

/// The prints of each kind.
#[derive(Default)]
pub struct Prints<'a> {
    pub passing: Vec<Print<'a>>,
    pub held: Vec<Print<'a>>,
    pub onsets: Vec<Print<'a>>,
    pub strangers: Vec<Print<'a>>,
    pub disturbed: Vec<Print<'a>>,
}

/// What one way of watching told of them.
pub struct Watched<'a> {
    pub name: String,
    /// A level, 1 to 5; none for the plain average.
    pub level: Option<u8>,
    passing: Vec<Outcome<'a>>,
    held: Vec<Outcome<'a>>,
    onsets: Vec<Outcome<'a>>,
    strangers: Vec<Outcome<'a>>,
    disturbed: Vec<Outcome<'a>>,
}

impl<'a> Watched<'a> {
    fn new(
        (name, level): (String, Option<u8>),
        prints: &'a Prints,
        watcher: &dyn Fn() -> Box<dyn Watcher>,
    ) -> Watched<'a> {
        let all = |prints: &'a [Print<'a>]| -> Vec<Outcome<'a>> {
            let told = |print| Outcome::of(print, play(print, &mut *watcher()));
            prints.iter().map(told).collect()
        };
        Watched {
            name,
            level,
            passing: all(&prints.passing),
            held: all(&prints.held),
            onsets: all(&prints.onsets),
            strangers: all(&prints.strangers),
            disturbed: all(&prints.disturbed),
        }
    }

    /// Warnings or pauses in 100 hours of fine prints, and the mean delay after an onset.
    pub fn point(&self, which: usize) -> (f64, f64) {
        let rate = figures::rate(&self.passing, which).value;
        (rate, figures::mean(&self.onsets, which, LIMITS[1]))
    }

    /// What was told of each kind of disturbance, in the order in which they were made: of scenes of which
    /// nothing is told when nothing disturbs them.
    fn by_kind(&self) -> Vec<(String, Vec<Outcome<'a>>)> {
        let mut kinds: Vec<(String, Vec<Outcome>)> = Vec::new();
        let alone = self.disturbed.iter().filter(|one| one.kind == UNDISTURBED);
        let alone: Vec<Outcome> = alone.cloned().collect();
        let told = [0, 1].map(|which| figures::alarmed(&alone, which)).concat();
        let quiet = |one: &&Outcome| !told.iter().any(|scene| scene == one.scene);
        for one in self.disturbed.iter().filter(quiet) {
            match kinds.iter_mut().find(|(kind, _)| kind == one.kind) {
                Some((_, all)) => all.push(one.clone()),
                None => kinds.push((one.kind.to_owned(), vec![one.clone()])),
            }
        }
        kinds
    }
}

/// Which prints.
type Of<'f, 'a> = &'f dyn for<'b> Fn(&'b Watched<'a>) -> &'b [Outcome<'a>];

/// All that is said.
pub struct Report<'a> {
    model: String,
    pub watched: Vec<Watched<'a>>,
}

impl<'a> Report<'a> {
    /// Watches all prints in each way.
    pub fn of(model: &str, prints: &'a Prints, usual: f64) -> Report<'a> {
        let levels = (1..=5_u8).map(|level| {
            let name = (format!("filter, level {level}"), Some(level));
            Watched::new(name, prints, &|| Box::new(Filtered::new(level, usual)))
        });
        let averages = (0..STEPS).map(|n| {
            let over = FIRST + n as f64 / 2.0;
            let name = (format!("average over {over:+.1}"), None);
            Watched::new(name, prints, &|| Box::new(Average::new(over)))
        });
        Report {
            model: model.to_owned(),
            watched: levels.chain(averages).collect(),
        }
    }

    /// The levels, and some of the averages.
    fn shown(&self) -> impl Iterator<Item = &Watched<'a>> {
        let shown = |(n, one): &(usize, &Watched)| one.level.is_some() || n % SHOWN == 0;
        self.watched
            .iter()
            .enumerate()
            .filter(shown)
            .map(|(_, one)| one)
    }

    pub fn print(&self) {
        println!("{}, a picture every 20 s", self.model);
        self.alarms("Fine prints, pictures passing", &|one| &one.passing);
        self.alarms("Fine prints, each picture held for 200 s", &|one| &one.held);
        let title = "Failures that begin in a scene that was fine";
        self.delays(title, &|one| &one.onsets);
        let title =
            "Photos of failures that were never trained on, after fine ones of other scenes";
        self.delays(title, &|one| &one.strangers);
        self.disturbances();
    }

    fn alarms(&self, title: &str, of: Of<'_, 'a>) {
        if self.watched.iter().all(|one| of(one).is_empty()) {
            return;
        }
        let mut rows = vec![table::row([
            "",
            "warnings",
            "in 100 h (95 %)",
            "pauses",
            "in 100 h (95 %)",
        ])];
        for one in self.shown() {
            let all = of(one);
            let mut row = vec![one.name.clone()];
            for which in 0..2 {
                row.push(figures::alarms(all, which).to_string());
                row.push(range(&figures::rate(all, which), 1));
            }
            rows.push(row);
        }
        let first = self.watched.first().map(of).unwrap_or_default();
        let (hours, prints) = (figures::hours(first), first.len());
        table::print(&format!("{title}: {prints} prints, {hours:.1} h"), &rows);
        for one in self.watched.iter().filter(|one| one.level == Some(LEVEL)) {
            for (which, what) in ["warned", "paused"].into_iter().enumerate() {
                let scenes = figures::alarmed(of(one), which);
                if !scenes.is_empty() {
                    println!("\nLevel {LEVEL} {what}: {}.", scenes.join(", "));
                }
            }
        }
    }

    fn delays(&self, title: &str, of: Of<'_, 'a>) {
        if self.watched.iter().all(|one| of(one).is_empty()) {
            return;
        }
        let head = [
            "",
            "told early",
            "warned in 3 min, % (95 %)",
            "median, 9 of 10, s",
            "paused in 5 min, % (95 %)",
            "median, 9 of 10, s",
        ];
        let mut rows = vec![table::row(head)];
        for one in self.shown() {
            let all = of(one);
            let mut row = vec![one.name.clone(), figures::early(all, 0).to_string()];
            for (which, limit) in LIMITS.into_iter().enumerate() {
                let share = figures::within(all, which, limit);
                let part = |share| seconds(figures::quantile(all, which, share));
                row.push(range(&percent(share), 1));
                row.push(format!("{}, {}", part(0.5), part(0.9)));
            }
            rows.push(row);
        }
        let first = self.watched.first().map(of).unwrap_or_default();
        let scenes = figures::scenes(first).len();
        let title = format!("{title}: {} prints, {scenes} scenes", first.len());
        table::print(&title, &rows);
    }

    /// The middle level, and the average that tells about as much of failures.
    fn disturbances(&self) {
        if self.watched.iter().all(|one| one.disturbed.is_empty()) {
            return;
        }
        let head = ["", "prints", "warnings", "pauses", "prints", RIVAL];
        let mut rows = vec![table::row(head)];
        let of = |found: Option<&Watched<'a>>| found.map(Watched::by_kind).unwrap_or_default();
        let filter = of(self.watched.iter().find(|one| one.level == Some(LEVEL)));
        let rival = of(self.watched.iter().find(|one| one.name == RIVAL));
        for ((kind, all), (_, other)) in filter.into_iter().zip(rival) {
            let count = |all: &[Outcome], which| figures::alarms(all, which).to_string();
            let prints = [&all, &other].map(|all| all.len().to_string());
            let [own, others] = prints;
            let (warnings, pauses) = (count(&all, 0), count(&all, 1));
            rows.push(vec![kind, own, warnings, pauses, others, count(&other, 0)]);
        }
        let title = "Fine prints that are disturbed, of scenes of which nothing is told otherwise";
        table::print(&format!("{title}: level {LEVEL}"), &rows);
    }

    /// The same as JSON.
    pub fn json(&self) -> String {
        let watched: Vec<Value> = self.watched.iter().map(of_one).collect();
        let value = json!({"model": self.model, "pace_s": super::play::PACE, "watched": watched});
        format!("{value:#}\n")
    }
}

fn of_one(one: &Watched) -> Value {
    let kinds = one.by_kind();
    let disturbed: Vec<Value> = kinds
        .iter()
        .map(|(kind, all)| {
            json!({"kind": kind, "prints": all.len(), "warnings": figures::alarms(all, 0),
                "pauses": figures::alarms(all, 1)})
        })
        .collect();
    let alarms = |all: &[Outcome]| {
        let which = |which| {
            json!({"count": figures::alarms(all, which), "in_100_h": shown(&figures::rate(all, which)),
                "scenes": figures::alarmed(all, which)})
        };
        json!({"prints": all.len(), "hours": round(figures::hours(all)), "warnings": which(0),
            "pauses": which(1)})
    };
    let delays = |all: &[Outcome]| {
        let which = |which: usize| {
            json!({"early": figures::early(all, which), "within_s": LIMITS[which],
                "told": shown(&figures::within(all, which, LIMITS[which])),
                "median_s": finite(figures::quantile(all, which, 0.5)),
                "nine_of_ten_s": finite(figures::quantile(all, which, 0.9)),
                "mean_s_at_most_300": round(figures::mean(all, which, LIMITS[1]))})
        };
        json!({"prints": all.len(), "scenes": figures::scenes(all).len(), "warning": which(0),
            "pause": which(1)})
    };
    json!({"name": one.name, "level": one.level, "fine_passing": alarms(&one.passing),
        "fine_held": alarms(&one.held), "onset_same_scene": delays(&one.onsets),
        "onset_never_trained_on": delays(&one.strangers), "disturbed": disturbed})
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// None when it is infinite.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn shown(figure: &Figure) -> Value {
    json!({"value": round(figure.value), "low": round(figure.low), "high": round(figure.high)})
}

fn percent(figure: Figure) -> Figure {
    Figure {
        value: figure.value * 100.0,
        low: figure.low * 100.0,
        high: figure.high * 100.0,
    }
}

fn range(figure: &Figure, places: usize) -> String {
    let Figure { value, low, high } = figure;
    format!("{value:.places$} ({low:.places$} to {high:.places$})")
}

fn seconds(value: f64) -> String {
    finite(value).map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}
