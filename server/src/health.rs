//! Whether the service does its work, in one word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock::Clock;

/// How it is, by `/healthz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ok,
    /// No place was free for a while.
    Full,
    /// A picture is being decoded, or looked at, for far too long.
    Stuck,
}

impl Word {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Word::Ok => "ok",
            Word::Full => "full",
            Word::Stuck => "stuck",
        }
    }
}

/// What was seen of the service's work.
#[derive(Debug)]
pub(crate) struct Health {
    /// How long it may be full, and a picture may take.
    patience: Duration,
    clock: Clock,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    full_since: Option<Instant>,
    /// When each picture that is at work was begun; as many as there are cores.
    working: BTreeMap<u64, Instant>,
    begun: u64,
}

impl Health {
    pub(crate) fn new(patience: Duration, clock: Clock) -> Arc<Health> {
        Arc::new(Health {
            patience,
            clock,
            seen: Mutex::default(),
        })
    }

    /// To be told about once a second: whether no place is free.
    pub(crate) fn sample(&self, full: bool) {
        let mut seen = self.seen.lock();
        seen.full_since = match full {
            true => Some(seen.full_since.unwrap_or_else(|| self.clock.now())),
            false => None,
        };
    }

    /// A picture is at work until the guard is dropped.
    pub(crate) fn working(self: &Arc<Self>) -> Working {
        let mut seen = self.seen.lock();
        seen.begun += 1;
        let id = seen.begun;
        seen.working.insert(id, self.clock.now());
        Working {
            health: Arc::clone(self),
            id,
        }
    }

    pub(crate) fn word(&self) -> Word {
        let seen = self.seen.lock();
        let now = self.clock.now();
        let long = |since: &Instant| now.saturating_duration_since(*since) >= self.patience;
        if seen.working.values().next().is_some_and(long) {
            Word::Stuck
        } else if seen.full_since.as_ref().is_some_and(long) {
            Word::Full
        } else {
            Word::Ok
        }
    }
}

/// A picture at work.
#[derive(Debug)]
pub(crate) struct Working {
    health: Arc<Health>,
    id: u64,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.health.seen.lock().working.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_said_after_a_while_and_taken_back_at_once() {
        let clock = Clock::manual();
        let health = Health::new(Duration::from_secs(60), clock.clone());
        health.sample(true);
        clock.advance(Duration::from_secs(59));
        health.sample(true);
        assert_eq!(health.word(), Word::Ok);
        clock.advance(Duration::from_secs(1));
        health.sample(true);
        assert_eq!(health.word(), Word::Full);
        health.sample(false);
        assert_eq!(health.word(), Word::Ok);
        health.sample(true);
        assert_eq!(health.word(), Word::Ok);
    }

    #[test]
    fn stuck_is_the_oldest_picture_at_work() {
        let clock = Clock::manual();
        let health = Health::new(Duration::from_secs(60), clock.clone());
        let first = health.working();
        clock.advance(Duration::from_secs(59));
        let second = health.working();
        assert_eq!(health.word(), Word::Ok);
        clock.advance(Duration::from_secs(1));
        assert_eq!(health.word(), Word::Stuck);
        drop(first);
        assert_eq!(health.word(), Word::Ok);
        clock.advance(Duration::from_secs(59));
        assert_eq!(health.word(), Word::Stuck);
        drop(second);
        assert_eq!(health.word(), Word::Ok);
    }
}
