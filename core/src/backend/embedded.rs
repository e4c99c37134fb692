//! The engine on this device as a backend: no key, no network, no thread of its own.
//!
//! A look runs on the thread that calls. There are at most as many at once as the device has processors;
//! who comes then waits, in turn, and the deadline of the call goes on meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Creation, Print, Question, Reading, SavedPrint, Traffic};
use crate::engine::{Engine, Look, LookError, MAX_BELIEF, Seen};
use crate::error::cause::{Cause, Phase, Why};
use crate::error::{Error, Status};
use crate::platform::cancel::CancelToken;
use crate::platform::clock::Clock;
use crate::platform::sync::{Condvar, Mutex};
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::OutcomeClass;
use crate::rules::pacing::{DEFAULT_INTERVAL_SEC, FLOOR, Interval};
use crate::wire::verdict::Verdict;

/// What the hosted service asks for as well: at least every 5 s, and usually every 20.
const INTERVAL: Interval = Interval {
    minimum: FLOOR.as_secs() as u32,
    recommended: DEFAULT_INTERVAL_SEC,
};

/// Whoever waits for its turn looks so often whether it should go on waiting.
const SLICE: Duration = Duration::from_millis(50);

/// A print of the embedded engine: what is believed of it, and when that was last changed.
#[derive(Debug, Default)]
pub(crate) struct EmbeddedPrint(Mutex<Believed>);

#[derive(Clone, Debug, Default)]
struct Believed {
    belief: Option<String>,
    at: Duration,
}

/// The engine in this process.
pub(crate) struct Embedded {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeout: Duration,
}

impl Embedded {
    /// Looks when it is its turn, until the deadline.
    fn look(
        &self,
        print: &EmbeddedPrint,
        question: &Question<'_>,
        cancel: &CancelToken,
    ) -> Result<Seen, LookError> {
        let deadline = self.clock.now().saturating_add(self.timeout);
        let stop = || cancel.is_cancelled() || self.clock.now() >= deadline;
        let _turn = self.turns.wait(&stop).ok_or(LookError::Stopped)?;
        // Not locked while it looks: a save does not wait for that.
        let before = print.0.lock().clone();
        let at = question.taken.max(before.at);
        let seen = self.engine.look(&Look {
            jpeg: question.jpeg,
            ignore: question.ignore,
            at,
            warning: question.warning,
            pause: question.pause,
            belief: before.belief.as_deref(),
            stop: &stop,
        })?;
        if let Seen::Opinion(opinion) = &seen {
            *print.0.lock() = Believed {
                belief: Some(opinion.belief.clone()),
                at,
            };
        }
        Ok(seen)
    }
}

impl Backend for Embedded {
    fn has_account(&self) -> bool {
        false
    }

    fn create(&self, _: Confidence, _: Confidence, _: &CancelToken) -> Creation {
        Creation {
            result: Ok(Print::Embedded(Arc::default())),
            traffic: Traffic::default(),
        }
    }

    fn judge(&self, print: &Print, question: &Question<'_>, cancel: &CancelToken) -> Reading {
        let Print::Embedded(print) = print else {
            return Reading::of_another_backend();
        };
        match self.look(print, question, cancel) {
            Ok(seen) => Reading::seen(&seen),
            Err(LookError::Stopped) if cancel.is_cancelled() => {
                Reading::new((OutcomeClass::Cancelled, Status::Cancelled), 0)
            }
            Err(LookError::Stopped) => Reading::new((OutcomeClass::Local, Status::Timeout), 0),
            Err(LookError::Picture(why)) => {
                Reading::failed(OutcomeClass::ImageRejected, Status::ImageRejected, &why)
            }
            Err(LookError::Model(why)) => Reading::failed(OutcomeClass::Local, Status::Model, &why),
            Err(LookError::Resources(why)) => {
                Reading::failed(OutcomeClass::Local, Status::Resources, &why)
            }
        }
    }

    fn save(&self, print: &Print) -> SavedPrint {
        let belief = match print {
            Print::Embedded(print) => print.0.lock().belief.clone(),
            Print::Service(_) => None,
        };
        SavedPrint::Embedded {
            model: self.engine.model().to_owned(),
            // A longer one would make the whole text one that nobody reads again.
            belief: belief.filter(|text| text.len() <= MAX_BELIEF && text.is_ascii()),
        }
    }

    fn restore(&self, saved: SavedPrint) -> Result<Print, Error> {
        let refuse = |text: &'static str| Err(Error::with_text(Status::Argument, text));
        let SavedPrint::Embedded { model, belief } = saved else {
            return refuse(
                "the saved text is of a print of the service, not of the embedded engine",
            );
        };
        // What was believed under another model says nothing: the new one begins anew.
        let belief = belief.filter(|_| model == self.engine.model());
        let whole = |text: &String| text.len() <= MAX_BELIEF && self.engine.accepts(text);
        if !belief.as_ref().is_none_or(whole) {
            return refuse("the saved text is damaged, not complete or of something else");
        }
        let at = Duration::ZERO;
        let believed = Mutex::new(Believed { belief, at });
        Ok(Print::Embedded(Arc::new(EmbeddedPrint(believed))))
    }
}

impl Reading {
    fn seen(seen: &Seen) -> Reading {
        let nothing = Verdict {
            quality: 5,
            score: Some(0),
            warning: false,
            pause: false,
            faster: false,
            blind: true,
            interval: Some(INTERVAL),
            place: None,
        };
        let verdict = match seen {
            Seen::Nothing => nothing,
            Seen::Opinion(opinion) => Verdict {
                quality: opinion.quality.clamp(1, 10),
                score: Some(opinion.score.min(100)),
                warning: opinion.warning,
                pause: opinion.pause,
                faster: opinion.faster,
                blind: false,
                place: opinion.place,
                ..nothing
            },
        };
        Reading {
            verdict: Some(verdict),
            ..Reading::new((OutcomeClass::Verdict, Status::Ok), 0)
        }
    }

    fn failed(class: OutcomeClass, status: Status, why: &str) -> Reading {
        Reading {
            cause: Some(Cause {
                phase: Phase::Look,
                to_proxy: false,
                why: Why::new(why),
            }),
            ..Reading::new((class, status), 0)
        }
    }
}

/// Lets so many look at once, in the order in which they came.
#[derive(Debug)]
pub struct Turns {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug)]
struct Line {
    free: usize,
    next: u64,
    /// Who waits, the longest first.
    waiting: VecDeque<u64>,
}

impl Turns {
    /// So many at once; at least one.
    #[must_use]
    pub fn new(at_once: usize) -> Turns {
        Turns {
            line: Mutex::new(Line {
                free: at_once.max(1),
                next: 0,
                waiting: VecDeque::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Waits for a turn; none when it should stop before.
    fn wait(&self, stop: &dyn Fn() -> bool) -> Option<Turn<'_>> {
        let mut line = self.line.lock();
        let ticket = line.next;
        line.next += 1;
        line.waiting.push_back(ticket);
        // Asked without a look waiting too: what was cancelled before it began does not begin.
        let mut stopped = stop();
        while !stopped && (line.free == 0 || line.waiting.front() != Some(&ticket)) {
            self.changed.wait_for(&mut line, SLICE);
            stopped = stop();
        }
        line.waiting.retain(|other| *other != ticket);
        line.free -= usize::from(!stopped);
        drop(line);
        // The next in line may go too.
        self.changed.notify_all();
        // Made only if it is one: it gives itself back.
        (!stopped).then(|| Turn { turns: self })
    }
}

/// A look that is going on. Ends however the look ends.
struct Turn<'a> {
    turns: &'a Turns,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.line.lock().free += 1;
        self.turns.changed.notify_all();
    }
}
