//! The account latch of a client: after an account error nothing goes out until it is cleared.

use crate::platform::sync::Mutex;

use crate::error::Status;

/// Taken when a request starts; decides whether its answer still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    latched: u64,
}

#[derive(Debug, Default)]
struct State {
    /// How often the latch was cleared.
    generation: u64,
    /// How often it was set.
    latched: u64,
    status: Option<Status>,
}

/// One per client.
#[derive(Debug, Default)]
pub struct Latch {
    state: Mutex<State>,
}

impl Latch {
    /// The account error in force.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.state.lock().status
    }

    /// For a request that is about to start.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        let state = self.state.lock();
        Ticket {
            generation: state.generation,
            latched: state.latched,
        }
    }

    /// An account error answered the request of `ticket`. One sent before the last clear is
    /// about a state that was mended since, and does not latch. Returns whether it did.
    pub fn set(&self, status: Status, ticket: Ticket) -> bool {
        let mut state = self.state.lock();
        if ticket.generation != state.generation {
            return false;
        }
        state.latched += 1;
        state.status = Some(status);
        true
    }

    /// The host says that the account was mended.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.generation += 1;
        state.status = None;
    }

    /// A key check succeeded: clears a latch that is older than the check. Returns whether the
    /// client is free now.
    pub fn clear_older(&self, check: Ticket) -> bool {
        let mut state = self.state.lock();
        if state.status.is_some() && state.latched == check.latched {
            state.generation += 1;
            state.status = None;
        }
        state.status.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_06_an_answer_from_before_the_clear_does_not_latch() {
        let latch = Latch::default();
        let late = latch.ticket();
        assert!(latch.set(Status::InvalidApiKey, latch.ticket()));
        latch.clear();
        assert!(!latch.set(Status::InvalidApiKey, late));
        assert_eq!(latch.status(), None);
        assert!(latch.set(Status::FreeLimit, latch.ticket()));
        assert_eq!(latch.status(), Some(Status::FreeLimit));
    }

    #[test]
    fn co_06_an_older_success_does_not_clear_a_newer_block() {
        let latch = Latch::default();
        let check = latch.ticket();
        latch.set(Status::ApiKeyDisabled, latch.ticket());
        assert!(!latch.clear_older(check));
        assert_eq!(latch.status(), Some(Status::ApiKeyDisabled));
        assert!(latch.clear_older(latch.ticket()));
        assert_eq!(latch.status(), None);
    }
}
