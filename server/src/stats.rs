//! Counters of a server.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::Mutex;

/// Calls whose times are remembered.
const REMEMBERED: usize = 1_024;

/// Counters of a server, from its start.
#[derive(Debug, Default)]
pub struct Stats {
    inner: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    creates: u64,
    processed: u64,
    last: VecDeque<(Instant, Instant)>,
}

impl Stats {
    pub(crate) fn created(&self) {
        self.inner.lock().creates += 1;
    }

    pub(crate) fn processed(&self, arrived: Instant) {
        let mut counters = self.inner.lock();
        counters.processed += 1;
        if counters.last.len() >= REMEMBERED {
            counters.last.pop_front();
        }
        counters.last.push_back((arrived, Instant::now()));
    }

    /// Contexts created.
    #[must_use]
    pub fn creates(&self) -> u64 {
        self.inner.lock().creates
    }

    /// Process calls answered with a verdict.
    #[must_use]
    pub fn processes(&self) -> u64 {
        self.inner.lock().processed
    }

    /// When each process call with a verdict arrived and was answered: of the last 1,024.
    #[must_use]
    pub fn calls(&self) -> Vec<(Instant, Instant)> {
        self.inner.lock().last.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_of_the_last_calls_only() {
        let stats = Stats::default();
        let start = Instant::now();
        for _ in 0..REMEMBERED * 3 {
            stats.processed(start);
        }
        assert_eq!(stats.processes(), 3_072);
        assert_eq!(stats.calls().len(), REMEMBERED);
        assert!(stats.inner.lock().last.capacity() <= 2 * REMEMBERED);
    }
}
