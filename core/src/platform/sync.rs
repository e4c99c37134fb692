//! The locks behind everything that threads share: parking_lot's. Compiled with `--cfg
//! oe_schedules`, those of a scheduler that tries other orders instead (`cargo xtask schedules`).

#[cfg(not(oe_schedules))]
pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(not(oe_schedules))]
pub use std::{
    sync::atomic::{AtomicBool, AtomicPtr},
    thread_local,
};

#[cfg(oe_schedules)]
pub use scheduled::{Condvar, Mutex, MutexGuard, RwLock, time_passed};
#[cfg(oe_schedules)]
pub use shuttle::{
    sync::atomic::{AtomicBool, AtomicPtr},
    thread_local,
};

/// The same names over shuttle's primitives, of which each use may switch threads.
#[cfg(oe_schedules)]
mod scheduled {
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, PoisonError};
    use std::time::{Duration, Instant};

    /// A lock that no panic poisons.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    /// Holds a [`Mutex`]; empty only while it waits for a [`Condvar`].
    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        /// A lock around a value.
        pub fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        /// Waits for it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            let guard = self.0.lock();
            MutexGuard(Some(guard.unwrap_or_else(PoisonError::into_inner)))
        }
    }

    #[allow(clippy::expect_used, reason = "it is empty only within a wait")]
    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_deref().expect("held")
        }
    }

    #[allow(clippy::expect_used, reason = "it is empty only within a wait")]
    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_deref_mut().expect("held")
        }
    }

    /// A lock for many readers.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// Waits for writers.
        pub fn read(&self) -> shuttle::sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        /// Waits for everybody.
        pub fn write(&self) -> shuttle::sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    shuttle::lazy_static! {
        static ref SLEEPERS: std::sync::Mutex<Vec<Arc<shuttle::sync::Condvar>>> = Default::default();
    }

    fn sleepers() -> Vec<Arc<shuttle::sync::Condvar>> {
        let sleepers = SLEEPERS.lock();
        sleepers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes every thread that waits with a limit, as if it had been reached; those whose time
    /// has not come wait again. Nothing else ends such a wait by time: a notification that is
    /// missing shows as a deadlock.
    pub fn time_passed() {
        for sleeper in sleepers() {
            sleeper.notify_all();
        }
    }

    /// How a wait with a limit ended.
    #[derive(Clone, Copy, Debug)]
    pub struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        /// Never said: whoever waits looks at the clock again.
        pub fn timed_out(self) -> bool {
            false
        }
    }

    /// What threads wait for.
    #[derive(Debug, Default)]
    pub struct Condvar {
        inner: Arc<shuttle::sync::Condvar>,
        listed: std::sync::atomic::AtomicBool,
    }

    impl Condvar {
        /// One for which nobody waits.
        pub fn new() -> Condvar {
            Condvar::default()
        }

        /// Waits for a notification.
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            guard.0 = guard.0.take().map(|held| {
                let again = self.inner.wait(held);
                again.unwrap_or_else(PoisonError::into_inner)
            });
        }

        /// The same, and [`time_passed`] ends it too.
        pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) -> WaitTimeoutResult {
            if !self.listed.swap(true, Ordering::Relaxed) {
                let mut sleepers = SLEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
                sleepers.push(Arc::clone(&self.inner));
            }
            self.wait(guard);
            WaitTimeoutResult
        }

        /// The same.
        pub fn wait_until<T>(
            &self,
            guard: &mut MutexGuard<'_, T>,
            _: Instant,
        ) -> WaitTimeoutResult {
            self.wait_for(guard, Duration::ZERO)
        }

        /// Wakes one of those that wait.
        pub fn notify_one(&self) {
            self.inner.notify_one();
        }

        /// Wakes all of them.
        pub fn notify_all(&self) {
            self.inner.notify_all();
        }
    }
}
