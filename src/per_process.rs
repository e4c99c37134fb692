//! Plumbing: what a process has one of, made when it is first asked for.
//!
//! After a fork the child gets its own and leaves the parent's alone: a lock in it may be held by a
//! thread that does not exist here, and what it counts may be a thread's that never comes back.

use std::ptr;
use std::sync::atomic::Ordering;

use oe_core::platform::sync::AtomicPtr;

/// One value for each process.
pub(crate) struct PerProcess<T: 'static>(AtomicPtr<Made<T>>);

struct Made<T: 'static> {
    pid: u32,
    value: T,
    /// The parent process's. Never used, only known: a leak checker then sees what is left alone on
    /// purpose.
    _parents: Option<&'static Made<T>>,
}

impl<T: Send + Sync> PerProcess<T> {
    /// One that no process has yet.
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's. `make` is given the parent's, if it had one, of which it may read what never
    /// changes.
    pub(crate) fn get(&self, make: impl FnOnce(Option<&'static T>) -> T) -> &'static T {
        self.of(std::process::id(), make)
    }

    /// That of the process with this number.
    pub(crate) fn of(&self, pid: u32, make: impl FnOnce(Option<&'static T>) -> T) -> &'static T {
        let known = self.0.load(Ordering::Acquire);
        // SAFETY: the pointer is null or came from `Box::into_raw` below and is never freed once it
        // is published; the `Acquire` load sees the value whole.
        let current: Option<&'static Made<T>> = unsafe { known.as_ref() };
        match current {
            Some(made) if made.pid == pid => &made.value,
            _ => {
                let value = make(current.map(|parents| &parents.value));
                self.publish(
                    known,
                    Made {
                        pid,
                        value,
                        _parents: current,
                    },
                )
            }
        }
    }

    #[cold]
    fn publish(&self, known: *mut Made<T>, made: Made<T>) -> &'static T {
        let new = Box::into_raw(Box::new(made));
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.0.compare_exchange(known, new, success, failure) {
            // SAFETY: `new` came from a box just now and, being published, is never freed.
            Ok(_) => unsafe { &(*new).value },
            Err(winner) => {
                // SAFETY: `new` came from a box just now and was not published.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: only values of boxes are published, never null, and none is ever freed.
                unsafe { &(*winner).value }
            }
        }
    }
}

#[cfg(all(test, not(oe_schedules)))]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_one_and_knows_its_parent_s() {
        static NUMBERS: PerProcess<u32> = PerProcess::new();
        let next = |parents: Option<&'static u32>| parents.map_or(1, |number| number + 1);
        assert_eq!(*NUMBERS.of(10, next), 1);
        assert_eq!(*NUMBERS.of(10, next), 1, "made once");
        assert_eq!(*NUMBERS.of(20, next), 2);
        assert_eq!(*NUMBERS.of(30, next), 3);
    }
}

/// The same under every order of things that the scheduler tries: `cargo xtask schedules`.
#[cfg(all(test, oe_schedules))]
pub(crate) mod schedules {
    use std::sync::Arc;

    use shuttle::thread;

    use super::*;

    /// Runs a body with as many schedules as OE_SCHEDULES says, drawn at random or with few switches.
    pub(crate) fn try_orders(body: fn()) {
        let given = std::env::var("OE_SCHEDULES").ok();
        let count: usize = given.and_then(|text| text.parse().ok()).unwrap_or(1_000);
        shuttle::check_random(body, count.div_ceil(2));
        shuttle::check_pct(body, count / 2, 3);
    }

    #[test]
    fn the_threads_of_a_child_find_one() {
        try_orders(|| {
            let numbers = Arc::new(PerProcess::new());
            numbers.of(1, |_| 1);
            let find = |numbers: &PerProcess<u32>| {
                let found = numbers.of(2, |parents| parents.map_or(0, |number| number + 1));
                assert_eq!(*found, 2);
                ptr::from_ref(found).addr()
            };
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let numbers = Arc::clone(&numbers);
                    thread::spawn(move || find(&numbers))
                })
                .collect();
            let found: Vec<_> = threads.into_iter().map(|one| one.join().unwrap()).collect();
            let child = find(&numbers);
            assert!(found.iter().all(|address| *address == child));
        });
    }
}
