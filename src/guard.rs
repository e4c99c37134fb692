//! Plumbing: what surrounds every call from C, and every thread of the library.
//!
//! The only `catch_unwind` is here, and the panic hook that keeps a contained panic silent. So is
//! the rule about calls from inside the log function: which of them are refused, and that a free
//! waits until the call that is logging returns.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use oe_core::error::{Error, Status};

use crate::last_error;

thread_local! {
    /// Calls from C on this thread's stack.
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// Containments on this thread's stack: above zero, a panic is caught and must not be printed.
    static CONTAINED: Cell<u32> = const { Cell::new(0) };
    /// Calls of a host's log function on this thread's stack.
    static LOGGING: Cell<u32> = const { Cell::new(0) };
    /// Frees that wait. Touched only after one was asked for from inside a log function: this is
    /// the only one of these that has a destructor to run when the thread ends.
    static DEFERRED: RefCell<Vec<Deferred>> = const { RefCell::new(Vec::new()) };
    static HAS_DEFERRED: Cell<bool> = const { Cell::new(false) };
}

/// A free that waits: what to do, and with which handle.
type Deferred = (fn(usize), usize);

/// Counts something on this thread's stack while it lives.
struct Nested(&'static std::thread::LocalKey<Cell<u32>>);

impl Nested {
    fn enter(counter: &'static std::thread::LocalKey<Cell<u32>>) -> Nested {
        counter.set(counter.get() + 1);
        Nested(counter)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Silences panics that are contained, and only those: a host in Rust keeps its own hook.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CONTAINED.get() == 0 {
                before(info);
            }
        }));
    });
}

/// Panics on purpose, for the tests that see what becomes of it.
#[cfg(feature = "panic-injection")]
mod injection {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    static ARMED: AtomicBool = AtomicBool::new(false);
    /// How often a look may still ask whether to go on; 0 for ever.
    static LOOK: AtomicU32 = AtomicU32::new(0);

    /// The next call from C panics.
    #[unsafe(no_mangle)]
    pub extern "C" fn oe_test_panic_next() {
        ARMED.store(true, Ordering::SeqCst);
    }

    /// A look panics when it asks for the nth time whether to go on: deep in the engine.
    #[unsafe(no_mangle)]
    pub extern "C" fn oe_test_panic_in_look(nth: u32) {
        LOOK.store(nth, Ordering::SeqCst);
    }

    #[allow(clippy::panic, reason = "that is what it is for")]
    pub(crate) fn strike_in_look() {
        let fewer = |left: u32| left.checked_sub(1);
        let ordering = Ordering::SeqCst;
        if LOOK.fetch_update(ordering, ordering, fewer) == Ok(1) {
            panic!("planted");
        }
    }

    #[allow(clippy::panic, reason = "that is what it is for")]
    pub(super) fn strike() {
        if super::CALLS.get() > 0 && ARMED.swap(false, Ordering::SeqCst) {
            panic!("planted");
        }
    }
}

#[cfg(not(feature = "panic-injection"))]
mod injection {
    pub(super) fn strike() {}

    #[cfg(feature = "embedded")]
    pub(crate) fn strike_in_look() {}
}

#[cfg(feature = "embedded")]
pub(crate) use injection::strike_in_look;

/// Something to run, in a form that is the same for all: what surrounds a call is compiled once.
type Body<'a> = &'a mut dyn FnMut() -> Result<(), Error>;

/// Has `run` run `body`, once.
fn through<T>(
    run: fn(Body<'_>) -> Result<(), Error>,
    body: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut body = Some(body);
    let mut value = None;
    run(&mut || {
        value = body.take().map(|body| body()).transpose()?;
        Ok(())
    })?;
    value.ok_or_else(|| Error::local(Status::Panic))
}

/// Runs `body`; a panic in it becomes `Panic` and prints nothing.
///
/// # Errors
/// Those of `body`, and `Panic`.
pub(crate) fn contain<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    through(contain_any, body)
}

#[inline(never)]
fn contain_any(body: Body<'_>) -> Result<(), Error> {
    install_hook();
    let _contained = Nested::enter(&CONTAINED);
    // Unwind safety: whatever `body` shares is behind locks that do not poison, and the sections
    // keep no state of their own that could be left half changed.
    match panic::catch_unwind(AssertUnwindSafe(|| {
        injection::strike();
        body()
    })) {
        Ok(result) => result,
        Err(payload) => {
            // Dropping it could panic again, outside every guard.
            std::mem::forget(payload);
            Err(Error::local(Status::Panic))
        }
    }
}

/// One call from C: contains panics, records the error and then does the frees that waited.
#[inline(never)]
fn call_any(body: Body<'_>) -> Result<(), Error> {
    let nested = Nested::enter(&CALLS);
    let result = contain_any(body);
    drop(nested);
    if let Err(error) = &result {
        last_error::record(error);
    }
    run_deferred();
    result
}

/// A call from C that returns a status.
pub(crate) fn status(body: impl FnOnce() -> Result<(), Error>) -> i32 {
    code(through(call_any, body))
}

/// A call from C that returns something else; `otherwise` when it fails.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    through(call_any, body).unwrap_or(otherwise)
}

/// A call from C that reads the record of errors, and therefore leaves it as it is.
pub(crate) fn unrecorded(body: impl FnOnce() -> Result<(), Error>) -> i32 {
    let _call = Nested::enter(&CALLS);
    code(contain(body))
}

fn code(result: Result<(), Error>) -> i32 {
    result.map_or_else(|error| error.status.code(), |()| Status::Ok.code())
}

/// The body of a thread of the library.
pub(crate) fn thread(body: impl FnOnce()) {
    // A panic here has ended its work; whoever waits for that work notices on its own.
    drop(contain(|| {
        body();
        Ok(())
    }));
}

/// Runs a host's log function.
pub(crate) fn logging(body: impl FnOnce()) {
    let _logging = Nested::enter(&LOGGING);
    body();
}

/// For the calls that are not allowed from inside a log function.
///
/// # Errors
/// `Reentrant`.
pub(crate) fn refuse_while_logging() -> Result<(), Error> {
    match LOGGING.get() {
        0 => Ok(()),
        _ => Err(Error::local(Status::Reentrant)),
    }
}

/// Inside a log function, keeps a free for later and says so.
pub(crate) fn defer(free: fn(usize), handle: usize) -> bool {
    if LOGGING.get() == 0 {
        return false;
    }
    // Fails only while the thread ends: then nobody would come back for it.
    let kept = DEFERRED.try_with(|list| list.borrow_mut().push((free, handle)));
    if kept.is_ok() {
        HAS_DEFERRED.set(true);
    }
    kept.is_ok()
}

/// Does the frees that waited, unless a call from C or a log function is still on the stack.
pub(crate) fn run_deferred() {
    while HAS_DEFERRED.get() && CALLS.get() == 0 && LOGGING.get() == 0 {
        HAS_DEFERRED.set(false);
        // Taken out first: what a free drops may call the host, which may free again.
        let list = DEFERRED.try_with(RefCell::take).unwrap_or_default();
        for (free, handle) in list {
            drop(contain(|| {
                free(handle);
                Ok(())
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_panic_becomes_a_status_and_is_recorded() {
        assert_eq!(status(|| panic!("planted")), Status::Panic.code());
        assert_eq!(last_error::recorded().status, Status::Panic.code());
        assert_eq!(value(7, || panic!("planted")), 7);
        thread(|| panic!("planted"));
        assert_eq!((CALLS.get(), CONTAINED.get(), LOGGING.get()), (0, 0, 0));
    }

    #[test]
    fn a_panic_that_panics_when_it_is_dropped_is_contained_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(status(|| panic::panic_any(Bomb)), Status::Panic.code());
    }

    #[test]
    fn above_zero_is_not_recorded() {
        status(|| Err(Error::local(Status::Busy)));
        assert_eq!(status(|| Err(Error::local(Status::NotDue))), 1);
        assert_eq!(last_error::recorded().status, Status::Busy.code());
    }

    static FREED: AtomicUsize = AtomicUsize::new(0);

    fn count(handle: usize) {
        FREED.fetch_add(handle, Ordering::SeqCst);
    }

    #[test]
    fn a_free_waits_for_the_outermost_call() {
        assert!(!defer(count, 1), "not inside a log function");
        status(|| {
            logging(|| {
                assert!(refuse_while_logging().is_err());
                status(|| {
                    assert!(defer(count, 1));
                    assert!(defer(count, 10));
                    Ok(())
                });
            });
            run_deferred();
            assert_eq!(FREED.load(Ordering::SeqCst), 0);
            assert!(refuse_while_logging().is_ok());
            Ok(())
        });
        assert_eq!(FREED.load(Ordering::SeqCst), 11);
    }
}
