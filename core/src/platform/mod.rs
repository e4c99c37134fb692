//! The device underneath: clocks, threads, locks, randomness, the log, and what event loops wait on.

pub mod cancel;
pub mod clock;
pub mod log;
pub(crate) mod own_thread;
pub(crate) mod random;
pub mod signal;
#[doc(hidden)]
pub mod sync;
