//! How much memory all pictures of a process may take together while they are decoded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::PictureError;

/// What a process may take until it says otherwise: 32 MB, which is right for a library in the
/// process of another program.
pub const DEFAULT_BUDGET: usize = 32_000_000;

/// How often a picture that waits looks whether it was told to stop.
const SLICE: Duration = Duration::from_millis(20);

static PROCESS: Budget = Budget::new(DEFAULT_BUDGET);

/// Whether the system has so many bytes now. Asked before they are taken in parts: what is not there
/// then ends the process.
#[must_use]
pub fn is_there(bytes: usize) -> bool {
    let mut probe = Vec::<u8>::new();
    let there = probe.try_reserve_exact(bytes).is_ok();
    // Seen, so that it is really asked for.
    std::hint::black_box(&mut probe);
    there
}

/// Bytes that pictures share. Each takes what it needs before it is decoded, waits in line until
/// that much is free, and gives it back when it is done.
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    total: usize,
    taken: usize,
    next_ticket: u64,
    /// Who waits, the longest first: a large picture is not overtaken for ever by small ones.
    line: VecDeque<u64>,
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub const fn new(bytes: usize) -> Budget {
        Budget {
            state: Mutex::new(State {
                total: bytes,
                taken: 0,
                next_ticket: 0,
                line: VecDeque::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// The budget of this process.
    #[must_use]
    pub fn process() -> &'static Budget {
        &PROCESS
    }

    /// Changes how many bytes there are; pictures that are being decoded keep what they have.
    pub fn set(&self, bytes: usize) {
        self.lock().total = bytes;
        self.changed.notify_all();
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.lock().total
    }

    /// How many bytes are taken now.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// Takes `bytes`, when its turn has come and they are free.
    ///
    /// # Errors
    /// `TooMuchMemory` when they can never be free, `Stopped` when `stop` says so while it waits.
    pub(crate) fn take(
        &self,
        bytes: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Share<'_>, PictureError> {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.line.push_back(ticket);
        let result = loop {
            if bytes > state.total {
                break Err(PictureError::TooMuchMemory {
                    needed: bytes,
                    budget: state.total,
                });
            }
            let free = state.total.saturating_sub(state.taken);
            if state.line.front() == Some(&ticket) && bytes <= free {
                state.taken += bytes;
                break Ok(Share {
                    budget: self,
                    bytes,
                });
            }
            if stop() {
                break Err(PictureError::Stopped);
            }
            let waited = self.changed.wait_timeout(state, SLICE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.line.retain(|waiting| *waiting != ticket);
        drop(state);
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that were taken; given back when it goes.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.lock().taken -= self.bytes;
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    fn waiting(budget: &Budget) -> usize {
        budget.lock().line.len()
    }

    /// Waits for what another thread is about to do.
    fn until(done: impl Fn() -> bool) {
        while !done() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_can_never_fit_is_refused_at_once() {
        let budget = Budget::new(100);
        let refused = budget.take(101, &|| false).unwrap_err();
        let expected = PictureError::TooMuchMemory {
            needed: 101,
            budget: 100,
        };
        assert_eq!(refused, expected);
        drop(budget.take(100, &|| false).unwrap());
        assert_eq!((budget.taken(), waiting(&budget)), (0, 0));
    }

    #[test]
    fn a_picture_waits_for_its_share_and_is_not_overtaken() {
        let budget = Budget::new(100);
        let first = budget.take(60, &|| false).unwrap();
        std::thread::scope(|scope| {
            let (order, came) = mpsc::channel();
            let (large, small) = (order.clone(), order);
            let budget = &budget;
            scope.spawn(move || {
                let share = budget.take(90, &|| false).unwrap();
                large.send("large").unwrap();
                drop(share);
            });
            until(|| waiting(budget) == 1);
            // It would fit at once, but it came later.
            scope.spawn(move || {
                let share = budget.take(40, &|| false).unwrap();
                small.send("small").unwrap();
                drop(share);
            });
            until(|| waiting(budget) == 2);
            assert!(came.try_recv().is_err());
            drop(first);
            assert_eq!((came.recv(), came.recv()), (Ok("large"), Ok("small")));
        });
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn who_waits_can_be_stopped_and_leaves_the_line() {
        let budget = Budget::new(100);
        let _first = budget.take(60, &|| false).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| budget.take(90, &|| stop.load(Ordering::Relaxed)).err());
            until(|| waiting(&budget) == 1);
            stop.store(true, Ordering::Relaxed);
            assert_eq!(waiter.join().unwrap(), Some(PictureError::Stopped));
        });
        drop(budget.take(40, &|| false).unwrap());
    }

    #[test]
    fn a_smaller_budget_refuses_who_waits_and_a_larger_lets_in() {
        let budget = Budget::new(100);
        let _first = budget.take(60, &|| false).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| budget.take(90, &|| false).err());
            until(|| waiting(&budget) == 1);
            budget.set(80);
            assert!(matches!(
                waiter.join().unwrap(),
                Some(PictureError::TooMuchMemory { budget: 80, .. })
            ));
            let waiter = scope.spawn(|| budget.take(70, &|| false).is_ok());
            until(|| waiting(&budget) == 1);
            budget.set(130);
            assert!(waiter.join().unwrap());
        });
    }
}
