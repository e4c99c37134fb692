//! The engine over all pictures, on as many threads as there are processors.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oe_engine::{Ask, Engine, LookError};

use super::manifest::Entry;
use super::{read_bytes, said};

/// What a picture was to the engine.
#[derive(Clone, Debug)]
pub enum Answer {
    Judged {
        /// Log odds of a failure.
        evidence: f64,
        /// The log odds of the cell that looks most like one.
        strongest: f64,
        /// Where it is: left, top, right, bottom, in shares of the picture.
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

    fn strongest(&self) -> Option<f64> {
        match self.answer {
            Answer::Judged { strongest, .. } => Some(strongest),
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
        Some(path) => Engine::with_model(read_bytes(path)?),
    };
    engine.map_err(|why| why.to_string())
}

/// Looks at all of them; what each was, in the same order. What the network was given goes into a
/// file, where one is given: one square of three bytes a pixel after the other, zeros where there is none.
pub fn all(
    engine: &Engine,
    folder: &Path,
    entries: &[Entry],
    squares: Option<&Path>,
) -> Result<Vec<Seen>, String> {
    let squares = squares.map(|path| File::create(path).map_err(|why| said(path, &why)));
    let squares = squares.transpose()?;
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
                    let one = read_bytes(&folder.join(&entry.file));
                    let one = one.and_then(|jpeg| look(engine, &jpeg, n, squares.as_ref()));
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

/// Looks at picture n.
fn look(engine: &Engine, jpeg: &[u8], n: usize, squares: Option<&File>) -> Result<Seen, String> {
    let seen = |answer| Ok(Seen { answer });
    let ask = Ask::default();
    let told = match engine.observe(jpeg, &ask) {
        Ok(told) => told,
        Err(LookError::Picture(why)) => return seen(Answer::Unreadable(why.to_string())),
        Err(why) => return Err(why.to_string()),
    };
    if let Some(file) = squares {
        let (square, _) = engine.square(jpeg, &ask).map_err(|why| why.to_string())?;
        let at = (n * square.len()) as u64;
        let written = file.write_all_at(&square, at);
        written.map_err(|why| format!("squares: {why}"))?;
    }
    if let Some(why) = told.look.blind {
        return seen(Answer::Blind(why.to_string()));
    }
    let cells = told.cells.odds.iter().flatten();
    let share = |thousandths: u16| f64::from(thousandths) / 1_000.0;
    let place = told.place.map(|at| {
        let (left, top) = (share(at.left), share(at.top));
        [left, top, left + share(at.width), top + share(at.height)]
    });
    seen(Answer::Judged {
        evidence: told.look.failure,
        strongest: cells.copied().fold(f64::NEG_INFINITY, f64::max),
        place,
    })
}

/// What each was, as a table for programs.
pub fn table(entries: &[Entry], seen: &[Seen]) -> String {
    let mut text = "file,source,group,kind,failure,evidence,strongest,place,why\n".to_owned();
    for (entry, seen) in entries.iter().zip(seen) {
        let number = |odds: Option<f64>| odds.map(|odds| format!("{odds:.5}")).unwrap_or_default();
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
            "{},{},{},{},{failure},{},{},{},{why}",
            entry.file,
            entry.source,
            entry.group,
            entry.kind,
            number(seen.evidence()),
            number(seen.strongest()),
            place.unwrap_or_default(),
        );
    }
    text
}
