//! Who is looked at when: every print gets its turn.
//!
//! The time ahead is cut into seconds, since intervals on the wire are whole seconds. Each has places
//! for as many looks as the processors can do in it, less a reserve, and each verdict books a place in
//! the first second that has one. So the intervals of all prints grow together, and a print that comes
//! when it was told to is let in. What comes without a place, a print's first picture or one that is
//! early, takes one that is free or is told when to come.
//!
//! Time is what is handed in, so that hours pass in a test in no time.

use std::collections::VecDeque;
use std::time::Duration;

/// How much of the processors is given away. The rest is for what comes without a place, and for
/// looks that take longer than those before.
const USE: f64 = 0.85;

/// What those who wait for a processor may have to wait. With a look of its own and the way there
/// and back, an answer stays below a second.
const PATIENCE: Duration = Duration::from_millis(750);

/// How many looks everybody may have to wait for where looks take long: chance sends a few at once.
const PATIENCE_LOOKS: f64 = 4.0;

/// How far ahead places are given, in seconds: what a client honours of a `Retry-After`. Whoever
/// finds no place within it comes at its end.
const HORIZON: u64 = 3_600;

/// The look time that is assumed before there was one: that of a slow machine, on which many more could be
/// promised a place until the first look is over. On a quick one that is at once.
const FIRST_LOOK: Duration = Duration::from_millis(400);

/// Looks that are averaged.
const AVERAGED: u32 = 64;

/// The place of a print: the second in which it is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    /// What a client is told: whole seconds from `now`, at least one.
    pub(crate) fn seconds_from(self, now: Duration) -> u32 {
        let seconds = self.0.saturating_sub(now.as_secs());
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }
}

/// The places ahead.
#[derive(Debug)]
pub(crate) struct Slots {
    cores: f64,
    /// The smoothed time of a look, in seconds, and of how many looks, up to `AVERAGED`.
    look: f64,
    looks: u32,
    /// The second that `taken` begins with.
    first: u64,
    /// How many places of each second are taken.
    taken: VecDeque<u32>,
}

impl Slots {
    pub(crate) fn new(cores: usize) -> Slots {
        Slots {
            cores: count(cores.max(1)),
            look: FIRST_LOOK.as_secs_f64(),
            looks: 0,
            first: 0,
            taken: VecDeque::new(),
        }
    }

    /// A look has kept a processor for so long.
    pub(crate) fn looked(&mut self, took: Duration) {
        self.looks = (self.looks + 1).min(AVERAGED);
        let took = took.as_secs_f64().max(1e-6);
        self.look += (took - self.look) / f64::from(self.looks);
    }

    /// Looks a second that all processors together can do.
    fn rate(&self) -> f64 {
        self.cores / self.look
    }

    /// A picture has come; `waiting` are looked at or wait for it. Says whether it may wait too. Its
    /// print's place is used up or, if it is refused, given back.
    pub(crate) fn arrive(&mut self, now: Duration, slot: Option<Slot>, waiting: usize) -> bool {
        self.forget(now);
        let second = now.as_secs();
        let patient = self.is_patient(waiting);
        // Clients round; who is told 20 s may come a little before the second begins.
        let expected = slot.is_some_and(|slot| slot.0 <= second + 1);
        if !expected || !patient {
            self.give_back(slot);
        }
        if !patient || expected {
            return patient;
        }
        let free = self.count(second) < self.places(second);
        if free {
            self.take(second);
        }
        free || count(waiting) < self.cores
    }

    /// Whether one more may wait behind so many.
    pub(crate) fn is_patient(&self, waiting: usize) -> bool {
        let patience = PATIENCE.as_secs_f64().max(PATIENCE_LOOKS * self.look);
        count(waiting) / self.rate() <= patience
    }

    /// A place for a print that should come in `least` seconds or later.
    pub(crate) fn book(&mut self, now: Duration, least: u32) -> Slot {
        self.forget(now);
        let second = self.first_free(now.as_secs() + u64::from(least.max(1)));
        self.take(second);
        Slot(second)
    }

    /// The shortest interval that a print may be told whose place is `slot`: `least` seconds while
    /// half of the places until then are free, else that of the place. Who comes at it has no place,
    /// and many would take those of others.
    pub(crate) fn minimum(&self, now: Duration, least: u32, slot: Slot) -> u32 {
        let seconds = now.as_secs()..slot.0;
        let places: u64 = seconds
            .clone()
            .map(|second| u64::from(self.places(second)))
            .sum();
        let taken: u64 = seconds.map(|second| u64::from(self.count(second))).sum();
        let told = slot.seconds_from(now);
        if taken * 2 < places {
            least.min(told)
        } else {
            told
        }
    }

    /// A print's place is not needed.
    pub(crate) fn give_back(&mut self, slot: Option<Slot>) {
        let place = slot.and_then(|slot| slot.0.checked_sub(self.first));
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(taken) = place.and_then(|place| self.taken.get_mut(place)) {
            *taken = taken.saturating_sub(1);
        }
    }

    /// Drops the seconds that are over.
    fn forget(&mut self, now: Duration) {
        let over = now.as_secs().saturating_sub(self.first);
        let over = usize::try_from(over).unwrap_or(usize::MAX);
        self.taken.drain(..over.min(self.taken.len()));
        self.first = self.first.max(now.as_secs());
    }

    /// Over the seconds the places are those of the rate, also where that is below one a second. Which
    /// seconds have one more is drawn by the golden ratio, evenly, so that a rate that changes a little
    /// changes few of them: places that came and went would all be booked in time.
    fn places(&self, second: u64) -> u32 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 over the golden ratio
        let rate = (self.rate() * USE).min(1e6);
        let draw = second.wrapping_mul(GOLDEN);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 2^64, and at most a million places"
        )]
        let (whole, more) = (rate as u32, draw as f64 / u64::MAX as f64);
        whole + u32::from(more < rate.fract())
    }

    fn index(&self, second: u64) -> usize {
        usize::try_from(second.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    fn count(&self, second: u64) -> u32 {
        let index = self.index(second);
        self.taken.get(index).copied().unwrap_or(0)
    }

    fn take(&mut self, second: u64) {
        let index = self.index(second);
        if self.taken.len() <= index {
            self.taken.resize(index + 1, 0);
        }
        if let Some(taken) = self.taken.get_mut(index) {
            *taken += 1;
        }
    }

    /// The first second from this one on that has a free place. Where the horizon has none, its last.
    fn first_free(&self, from: u64) -> u64 {
        let last = from.max(self.first + HORIZON);
        (from..last)
            .find(|second| self.count(*second) < self.places(*second))
            .unwrap_or(last)
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
