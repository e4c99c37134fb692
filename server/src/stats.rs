//! Counters of a server.

use std::time::Instant;

use parking_lot::Mutex;

/// Counters of a server, from its start.
#[derive(Debug, Default)]
pub struct Stats {
    inner: Mutex<(u64, Vec<(Instant, Instant)>)>,
}

impl Stats {
    pub(crate) fn created(&self) {
        self.inner.lock().0 += 1;
    }

    pub(crate) fn processed(&self, arrived: Instant) {
        self.inner.lock().1.push((arrived, Instant::now()));
    }

    /// Contexts created.
    #[must_use]
    pub fn creates(&self) -> u64 {
        self.inner.lock().0
    }

    /// When each process call with a verdict arrived and was answered.
    #[must_use]
    pub fn calls(&self) -> Vec<(Instant, Instant)> {
        self.inner.lock().1.clone()
    }
}
