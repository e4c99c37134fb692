//! Prints of the embedded engine: with any options, restored from any text, shown anything at any time.
//!
//! What is believed is the real filter's. What a picture says is drawn, for a look takes too long: only
//! one picture of an input is looked at by the real engine.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use oe_core::account::config::Options;
use oe_core::backend::embedded::Turns;
use oe_core::client::Client;
use oe_core::engine::{Engine, Look, LookError, MAX_BELIEF, Opinion, Seen};
use oe_core::error::{Due, Status};
use oe_core::rules::confidence::Confidence;
use oe_core::rules::region::{MAX_REGIONS, Region, cover_everything};
use oe_core::session::Session;
use oe_core::session::outcome::{Outcome, flags};
use oe_core::session::print_options::PrintOptions;
use oe_engine::{Ask, Cells, Evidence, Filter, Levels, Observation, Thumbnail};

use crate::world::World;

/// The one with the built-in model.
static REAL: LazyLock<Option<oe_engine::Engine>> = LazyLock::new(|| oe_engine::Engine::new().ok());

/// Draws what pictures say.
struct Drawn {
    bytes: Mutex<Vec<u8>>,
    /// Whether the real engine has still to be asked.
    real: Mutex<bool>,
}

impl Drawn {
    fn new(bytes: &[u8]) -> Arc<Drawn> {
        Arc::new(Drawn {
            bytes: Mutex::new(bytes.iter().rev().copied().collect()),
            real: Mutex::new(true),
        })
    }

    fn next(&self) -> u8 {
        let byte = self.bytes.lock().expect("no panic").pop();
        byte.unwrap_or(0)
    }

    fn observe(&self, look: &Look<'_>, failure: f64) -> Result<Observation, LookError> {
        let first = std::mem::take(&mut *self.real.lock().expect("no panic"));
        if let Some(engine) = REAL.as_ref().filter(|_| first && failure > 6.3) {
            let region = |part: &Region| oe_engine::Region {
                left: part.x(),
                top: part.y(),
                width: part.width(),
                height: part.height(),
            };
            let ignore: Vec<_> = look.ignore.iter().map(region).collect();
            let ask = Ask {
                ignore: &ignore,
                stop: look.stop,
                ..Ask::default()
            };
            let size = engine.size();
            let striped = |at: usize| match (at % size / 20).is_multiple_of(2) {
                true => 40,
                false => 200,
            };
            let square = (0..size * size).flat_map(|at| [striped(at); 3]).collect();
            return engine
                .observe_square(square, 1, &ask)
                .map_err(|why| match why {
                    oe_engine::LookError::Stopped => LookError::Stopped,
                    why => LookError::Model(why.to_string()),
                });
        }
        let place = self.next();
        let odds = (0..16).map(|cell| match cell == place % 16 {
            true => Some(failure),
            false => (cell != place >> 4).then_some(-3.0),
        });
        let cells = Cells {
            side: 4,
            odds: odds.collect(),
        };
        Ok(Observation {
            look: Evidence {
                failure,
                blind: None,
                pixels: look.jpeg.iter().map(|byte| u64::from(*byte)).sum(),
            },
            place: cells.place(),
            cells,
            thumbnail: Thumbnail(std::array::from_fn(|at| {
                place.rotate_left(at as u32 % 8).wrapping_mul(at as u8)
            })),
        })
    }
}

impl Engine for Drawn {
    fn model(&self) -> &str {
        "drawn 1"
    }

    fn accepts(&self, belief: &str) -> bool {
        serde_json::from_str::<Filter>(belief).is_ok()
    }

    fn look(&self, look: &Look<'_>) -> Result<Seen, LookError> {
        assert!(look.ignore.len() <= MAX_REGIONS && !cover_everything(look.ignore));
        let byte = self.next();
        match byte % 20 {
            0 => return Ok(Seen::Nothing),
            1 => return Err(LookError::Picture("drawn".into())),
            2 => return Err(LookError::Model("drawn".into())),
            3 => return Err(LookError::Resources("drawn".into())),
            _ => {}
        }
        let seen = self.observe(look, f64::from(byte) / 20.0 - 6.4)?;
        if seen.look.blind.is_some() {
            return Ok(Seen::Nothing);
        }
        let levels = Levels {
            warning: look.warning.level().unwrap_or(3),
            pause: look.pause.level().unwrap_or(3),
        };
        let believed = |text: &str| serde_json::from_str(text).expect("accepted before");
        let mut filter = look.belief.map_or_else(|| Filter::new(levels), believed);
        filter.set_levels(levels);
        let said = filter.observe(look.at, &seen, 0.0);
        let belief = serde_json::to_string(&filter).expect("numbers");
        assert!(belief.len() <= MAX_BELIEF, "{belief}");
        assert!(self.accepts(&belief), "{belief}");
        let place = seen.place.filter(|_| said.score >= 50);
        Ok(Seen::Opinion(Opinion {
            quality: said.quality,
            score: said.score,
            warning: said.warning,
            pause: said.pause,
            faster: said.faster,
            place: place.and_then(|at| Region::new(at.left, at.top, at.width, at.height).ok()),
            belief,
        }))
    }
}

/// A client of the embedded engine in this world.
pub(crate) fn client(world: &Arc<World>, bytes: &[u8]) -> Arc<Client> {
    let mut options = Options::default();
    options.set_backend(1).expect("a backend");
    let engine = Drawn::new(bytes);
    let turns = Arc::new(Turns::new(1));
    Client::with_engine(&options, world.outside(), turns, |_| Ok(engine)).expect("good options")
}

/// A saved text, with all that may come of it: whatever its numbers are, they are counted on with.
pub(crate) fn saved(text: &str) {
    let world = World::new(Vec::new());
    let client = client(&world, text.as_bytes());
    if let Ok(context) = client.restore(text) {
        if context.due() != Due::In(Duration::ZERO) {
            assert!(
                context.due().as_ms() >= 5_000,
                "what was called since, nobody knows"
            );
        }
        for number in 0..4 {
            let Due::In(wait) = context.due() else {
                break;
            };
            world.advance(wait);
            let result = context.process(&[0xFF, 0xD8, 0xFF, number], None);
            checked(&context, result.ok());
            client
                .restore(&context.save())
                .expect("what is saved can be restored");
        }
    }
    if let Ok(monitor) = client.start_saved_monitor(text, 1) {
        for number in 0..40 {
            drop(monitor.submit(&[0xFF, 0xD8, 0xFF, number], None));
            client.turn_monitors();
            while let Ok(Some(_)) = client.next_event(Some(Duration::ZERO)) {}
            world.advance(Duration::from_secs(7));
        }
        if let Ok(again) = monitor.save() {
            client
                .start_saved_monitor(&again, 2)
                .expect("what is saved can be restored");
        }
    }
    assert_eq!(world.requests(), 0, "there is no network");
}

/// What holds of every verdict.
fn checked(context: &Session, outcome: Option<Outcome>) {
    let text = context.save();
    assert!(text.len() <= 8_192 && text.is_ascii());
    let Some(outcome) = outcome else { return };
    assert!((1..=10).contains(&outcome.print_quality));
    assert!((0..=100).contains(&outcome.score));
    assert!(outcome.flags & flags::EMBEDDED != 0);
    let edge = |flag: u32| outcome.flags & flag != 0;
    assert!(!edge(flags::WARNING_EDGE) || outcome.warning_suggested);
    assert!(!edge(flags::PAUSE_EDGE) || outcome.pause_suggested);
    assert!(outcome.place.is_none() || outcome.score >= 50);
    assert!(outcome.next_due_ms >= 5_000);
}

/// Bytes, taken from the front.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> u64 {
        let mut all = [0; 8];
        all.fill_with(|| self.byte().unwrap_or(0));
        u64::from_le_bytes(all)
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte().unwrap_or(0), self.byte().unwrap_or(0)])
    }

    /// Options, of which most are refused. One that counts its regions up to thousands has as many of
    /// the last.
    fn options(&mut self) -> PrintOptions {
        let level = |byte: u8| Confidence::new(i32::from(byte % 6)).unwrap_or_default();
        let kind = self.byte().unwrap_or(0);
        let mut ignore = Vec::new();
        for _ in 0..kind % 4 {
            let (x, y) = (self.short(), self.short());
            let region = match kind & 64 {
                0 => Region::new(x, y, self.short(), self.short()),
                _ => Region::new(x % 900, y % 900, 100, 100),
            };
            let fits = |start: u16, length: u16| u32::from(start) + u32::from(length) <= 1_000;
            if let Ok(region) = region {
                assert!(fits(region.x(), region.width()) && fits(region.y(), region.height()));
                ignore.push(region);
            }
        }
        if let Some(last) = ignore.last().copied().filter(|_| kind & 128 != 0) {
            ignore.resize(usize::from(self.short()), last);
        }
        PrintOptions {
            warning: level(kind),
            pause: level(kind >> 3),
            interval_sec: match self.byte().unwrap_or(0) {
                byte if byte < 200 => byte.into(),
                _ => self.number() as u32,
            },
            ignore,
            replay: kind & 32 != 0,
        }
    }
}

/// The first byte says how many of the rest are pictures; then come a print's options, and operations
/// on two prints: one goes on, the other is saved and restored before each picture. Of a recording both
/// are told the same.
pub fn embedded(data: &[u8]) {
    let _ = verdicts_of(data);
}

/// The same; says how many verdicts there were, and how many of them would pause.
#[must_use]
pub fn verdicts_of(data: &[u8]) -> (usize, usize) {
    let (mut verdicts, mut pauses) = (0, 0);
    let Some((&count, rest)) = data.split_first() else {
        return (0, 0);
    };
    let (drawn, rest) = rest.split_at(rest.len().min(count.into()));
    let mut bytes = Bytes(rest);
    let options = bytes.options();
    let world = World::new(Vec::new());
    let (client, other) = (client(&world, drawn), client(&world, drawn));
    let begin = |client: &Client| client.create_context_with(options.clone());
    let (Ok(whole), Ok(mut parts)) = (begin(&client), begin(&other)) else {
        assert!(options.check().is_err(), "{options:?}");
        return (0, 0);
    };
    let mut number = 0_u8;
    let mut captured = 1_793_000_000_000_i64;
    while let Some(operation) = bytes.byte() {
        match operation % 8 {
            0 => world.advance(Duration::from_secs(u64::from(operation) * 10)),
            1 => world.jump_wall(i64::from(operation) * 1_000_000 - 128_000_000),
            2 => captured = bytes.number() as i64,
            3 => {
                let level = |byte: u8| Confidence::new(i32::from(byte % 6)).unwrap_or_default();
                whole.set_confidence(level(operation), level(operation >> 3));
                parts.set_confidence(level(operation), level(operation >> 3));
            }
            _ => captured = captured.saturating_add(i64::from(operation) * 500),
        }
        // Now and then the same bytes again.
        number = number.wrapping_add(u8::from(!operation.is_multiple_of(5)));
        let picture = [0xFF, 0xD8, 0xFF, number];
        let at = (options.replay || operation % 3 == 0).then_some(captured);
        let one = whole.process(&picture, at);
        parts = other.restore(&parts.save()).unwrap_or(parts);
        let two = parts.process(&picture, at);
        if options.replay {
            let told = |result: &Result<Outcome, oe_core::error::Error>| match result {
                Ok(outcome) => Ok((outcome.print_quality, outcome.score, outcome.place)),
                Err(error) => Err(error.status),
            };
            // After a restore it waits its last minimum, which may be longer than what was left.
            let differ = [told(&one), told(&two)].contains(&Err(Status::NotDue));
            assert!(differ || told(&one) == told(&two), "{one:?} {two:?}");
            if differ {
                return (verdicts, pauses);
            }
        }
        if let Ok(outcome) = &one {
            verdicts += 1;
            pauses += usize::from(outcome.pause_suggested);
        }
        checked(&whole, one.ok());
        checked(&parts, two.ok());
    }
    (verdicts, pauses)
}
