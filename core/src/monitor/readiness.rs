//! Whether there are unread events, shown to event loops.

use crate::platform::signal::Signal;

/// A signal, and whether it is set.
pub(super) struct Readiness {
    signal: Box<dyn Signal>,
    shown: bool,
}

impl Readiness {
    pub(super) fn new(signal: Box<dyn Signal>) -> Readiness {
        Readiness {
            signal,
            shown: false,
        }
    }

    /// Makes it readable or not.
    pub(super) fn show(&mut self, ready: bool) {
        match (self.shown, ready) {
            (false, true) => self.signal.set(),
            (true, false) => self.signal.clear(),
            _ => return,
        }
        self.shown = ready;
    }

    /// The descriptor.
    pub(super) fn number(&self) -> isize {
        self.signal.number()
    }
}
