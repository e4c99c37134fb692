//! What time it is: that of the system, or of a test.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// The clock by which contexts, creates and health are paced.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<Instant>>>);

impl Clock {
    /// One that stands still until it is told to [`advance`](Clock::advance).
    #[must_use]
    pub fn manual() -> Clock {
        Clock(Some(Arc::new(Mutex::new(Instant::now()))))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(now) => *now.lock(),
        }
    }

    /// Lets time pass on a manual clock; that of the system takes no orders.
    pub fn advance(&self, by: Duration) {
        if let Some(now) = &self.0 {
            *now.lock() += by;
        }
    }
}

/// The Unix time in milliseconds, for what outlives the process.
pub(crate) fn unix_millis() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(now.unwrap_or_default())
}

pub(crate) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
