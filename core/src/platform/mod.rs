//! The device underneath: clocks, threads, locks, randomness, the log, and what event loops wait on.

pub mod cancel;
pub mod clock;
pub mod digest;
pub mod files;
pub mod log;
pub mod moment;
pub(crate) mod own_thread;
pub(crate) mod random;
pub mod signal;
#[doc(hidden)]
pub mod sync;
