//! Cancelling a call in flight, from any thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::platform::sync::{AtomicBool, Mutex};

type Hook = Box<dyn FnMut() + Send>;

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    /// Wakes whatever the call is blocked in: shuts a socket down, notifies a condition variable.
    hook: Mutex<Option<Hook>>,
}

/// One call's cancel flag. Clones share it; once cancelled it stays cancelled.
#[derive(Clone, Default)]
pub struct CancelToken {
    shared: Arc<Shared>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Cancels, and wakes the call if it is blocked. Any thread; cheap; idempotent.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        if let Some(hook) = self.shared.hook.lock().as_mut() {
            hook();
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// Runs `hook` when the token is cancelled, at once if it already is, until the guard is
    /// dropped. One hook at a time: a call blocks in one place at a time. The hook must not block
    /// and must not touch this token.
    #[must_use]
    pub fn on_cancel(&self, mut hook: impl FnMut() + Send + 'static) -> HookGuard<'_> {
        let mut slot = self.shared.hook.lock();
        if self.is_cancelled() {
            hook();
        }
        *slot = Some(Box::new(hook));
        drop(slot);
        HookGuard { token: self }
    }
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CancelToken")
            .field(&self.is_cancelled())
            .finish()
    }
}

/// Removes the hook when the blocking part of a call ends.
#[derive(Debug)]
pub struct HookGuard<'a> {
    token: &'a CancelToken,
}

impl Drop for HookGuard<'_> {
    fn drop(&mut self) {
        *self.token.shared.hook.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn the_hook_runs_on_cancel_and_never_after_the_guard() {
        let runs = Arc::new(AtomicU32::new(0));
        let token = CancelToken::new();
        let count = Arc::clone(&runs);
        drop(token.on_cancel(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        token.cancel();
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        let count = Arc::clone(&runs);
        let guard = token.on_cancel(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(
            runs.load(Ordering::SeqCst),
            1,
            "already cancelled: runs at once"
        );
        drop(guard);
    }
}
