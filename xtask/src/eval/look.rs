//! The engine over all pictures, on as many threads as there are processors.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oe_engine::Engine;

use super::manifest::Entry;
use super::read_bytes;

/// What a picture was to the engine.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Log odds of a failure, and the network's logit that they were made from.
    Judged {
        evidence: f64,
        place: Option<[f64; 4]>,
    },
    /// There is nothing to see, because of this.
    Blind(String),
    /// It cannot be decoded, because of this.
    Unreadable(String),
}

/// A picture that was looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub answer: Answer,
}

impl Seen {
    pub fn evidence(&self) -> Option<f64> {
        match self.answer {
            Answer::Judged { evidence, .. } => Some(evidence),
            _ => None,
        }
    }

    pub fn place(&self) -> Option<[f64; 4]> {
        match self.answer {
            Answer::Judged { place, .. } => place,
            _ => None,
        }
    }

    pub fn is_unreadable(&self) -> bool {
        matches!(self.answer, Answer::Unreadable(_))
    }
}

/// The engine, with another model than its own where one is given.
pub fn engine(model: Option<&Path>) -> Result<Engine, String> {
    let engine = match model {
        None => Engine::new(),
        Some(path) => Engine::with_model(&read_bytes(path)?),
    };
    engine.map_err(|why| why.to_string())
}

/// Looks at all of them; what each was, in the same order.
pub fn all(engine: &Engine, folder: &Path, entries: &[Entry]) -> Result<Vec<Seen>, String> {
    let next = AtomicUsize::new(0);
    let seen: Vec<Mutex<Option<Result<Seen, String>>>> =
        entries.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(entries.len()) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(entry), Some(place)) = (entries.get(n), seen.get(n)) else {
                        return;
                    };
                    let one = read_bytes(&folder.join(&entry.file)).map(|jpeg| look(engine, &jpeg));
                    if let Ok(mut place) = place.lock() {
                        *place = Some(one);
                    }
                }
            });
        }
        progress(&next, entries.len());
    });
    let seen = seen.into_iter().map(|one| {
        let one = one.into_inner().ok().flatten();
        one.unwrap_or_else(|| Err("a thread ended early".to_owned()))
    });
    seen.collect()
}

/// Says now and then how far it is.
fn progress(next: &AtomicUsize, count: usize) {
    let started = Instant::now();
    let mut told = started;
    while next.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_millis(20));
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            let n = next.load(Ordering::Relaxed).min(count);
            eprintln!(
                "{n} of {count} pictures in {:.0} s",
                started.elapsed().as_secs_f64()
            );
        }
    }
}

fn look(engine: &Engine, jpeg: &[u8]) -> Seen {
    let answer = match engine.look(jpeg) {
        Err(why) => Answer::Unreadable(why.to_string()),
        Ok(look) if look.dark => Answer::Blind("dark or of one colour".to_owned()),
        Ok(look) => Answer::Judged {
            evidence: look.failure,
            place: None,
        },
    };
    Seen { answer }
}

/// What each was, as a table for programs.
pub fn table(entries: &[Entry], seen: &[Seen]) -> String {
    let mut text = "file,source,group,kind,failure,evidence,place,why\n".to_owned();
    for (entry, seen) in entries.iter().zip(seen) {
        let evidence = seen.evidence().map(|evidence| format!("{evidence:.4}"));
        let place = seen
            .place()
            .map(|place| place.map(|side| format!("{side:.3}")).join(" "));
        let why = match &seen.answer {
            Answer::Blind(why) => format!("blind: {why}"),
            Answer::Unreadable(why) => why.replace([',', '\n'], ";"),
            Answer::Judged { .. } => String::new(),
        };
        let failure = u8::from(entry.failed);
        let _ = writeln!(
            text,
            "{},{},{},{},{failure},{},{},{why}",
            entry.file,
            entry.source,
            entry.group,
            entry.kind,
            evidence.unwrap_or_default(),
            place.unwrap_or_default(),
        );
    }
    text
}
