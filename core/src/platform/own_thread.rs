//! The library's own threads: telling them from the host's.

use std::cell::Cell;
use std::time::Duration;

use super::sync::thread_local;

/// Before a monitor tries again to get a thread, or after a bug of ours.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(20);

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as one of the library's, for as long as it lives.
pub(crate) fn mark() {
    OURS.with(|ours| ours.set(true));
}

/// Whether the calling thread is one of the library's.
pub(crate) fn is_one() -> bool {
    OURS.with(Cell::get)
}

/// A number that no other living thread has. The standard library's own id would leave an
/// allocation behind in a thread of the host's.
pub(crate) fn me() -> usize {
    OURS.with(|ours| std::ptr::from_ref(ours).addr())
}
