//! Plumbing: the host's log function. The only place that calls into the host.
//!
//! Whose thread it runs on, and when, is `oe_core::platform::log::Queue`'s to say: one call at a time, no lock
//! held, and no call from C held up by what other threads log.

use std::ffi::{CStr, c_char, c_void};

use oe_core::platform::clock::World;
use oe_core::platform::log::{Level, LogSink, Output, Queue};

use crate::guard;

/// A host's log function.
pub(crate) type LogFn = unsafe extern "C" fn(*mut c_void, i32, *const c_char);
/// What frees a host's user data.
pub(crate) type FreeFn = unsafe extern "C" fn(*mut c_void);

/// The host's user data, freed once, when this is dropped.
pub(crate) struct UserData {
    data: *mut c_void,
    free: Option<FreeFn>,
}

// SAFETY: the library never looks at the data, it only hands it back. The header says that the log
// function may run on any thread, one call at a time, and that the data may be freed on any.
unsafe impl Send for UserData {}
// SAFETY: as above; the queue sees to one call at a time.
unsafe impl Sync for UserData {}

impl UserData {
    /// Takes over the host's data: from here on it is freed, whatever happens.
    pub(crate) fn new(data: *mut c_void, free: Option<FreeFn>) -> UserData {
        UserData { data, free }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(free) = self.free.take() {
            // SAFETY: the host gave this function for this data, and `take` makes it once.
            unsafe { free(self.data) };
        }
    }
}

/// A host's log function with its data.
struct Function {
    function: LogFn,
    data: UserData,
}

impl Output for Function {
    fn write(&self, level: Level, line: &CStr) {
        guard::logging(|| {
            // SAFETY: the host gave this function for this data, which is alive as long as `self`.
            // The text ends with a NUL and outlives the call. The queue makes one call at a time.
            unsafe { (self.function)(self.data.data, level as i32, line.as_ptr()) };
        });
    }

    fn between(&self) {
        guard::run_deferred();
    }
}

/// A host's log function with its data and the lines that wait for it.
pub(crate) struct HostLog {
    queue: Queue<Function>,
    max_level: i32,
    /// The process that registered the function.
    pid: u32,
}

impl HostLog {
    pub(crate) fn new(function: LogFn, data: UserData, max_level: i32, world: World) -> HostLog {
        HostLog {
            queue: Queue::new(Function { function, data }, world),
            max_level,
            pid: std::process::id(),
        }
    }
}

impl LogSink for HostLog {
    fn line(&self, level: Level, text: &str) {
        // In a child process the lock may be held by a thread that does not exist there.
        if level as i32 > self.max_level || self.pid != std::process::id() {
            return;
        }
        self.queue.line(level, text);
        guard::run_deferred();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oe_core::platform::clock::Clock;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    #[derive(Default)]
    struct Host {
        lines: Mutex<Vec<(i32, String)>>,
        /// Lines to log from inside the log function.
        echo: Mutex<Vec<&'static str>>,
        log: Mutex<Option<Arc<HostLog>>>,
        inside: AtomicBool,
        freed: AtomicUsize,
    }

    unsafe extern "C" fn on_line(data: *mut c_void, level: i32, text: *const c_char) {
        // SAFETY: the tests pass a `Host` that outlives the log, and the text is a C string.
        let (host, text) = unsafe { (&*data.cast::<Host>(), CStr::from_ptr(text)) };
        assert!(!host.inside.swap(true, Ordering::SeqCst), "two at a time");
        assert!(guard::refuse_while_logging().is_err());
        let text = text.to_str().unwrap().to_owned();
        host.lines.lock().push((level, text));
        let echo = std::mem::take(&mut *host.echo.lock());
        let log = host.log.lock().clone();
        for (text, log) in echo.iter().zip(log.iter().cycle()) {
            log.line(Level::Info, text);
        }
        host.inside.store(false, Ordering::SeqCst);
    }

    unsafe extern "C" fn on_free(data: *mut c_void) {
        // SAFETY: as above.
        let host = unsafe { &*data.cast::<Host>() };
        host.freed.fetch_add(1, Ordering::SeqCst);
    }

    fn log_of(host: &Host, max_level: i32) -> HostLog {
        let data = std::ptr::from_ref(host).cast_mut().cast();
        let data = UserData::new(data, Some(on_free));
        let world = World {
            clock: Arc::new(Still),
            ..crate::thread::world()
        };
        HostLog::new(on_line, data, max_level, world)
    }

    /// Time stands still: whoever logs delivers, and no other thread reads a test's `Host`.
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn wall_ms(&self) -> i64 {
            0
        }

        fn since_boot(&self) -> Option<Duration> {
            None
        }

        fn boot_id(&self) -> Option<String> {
            None
        }
    }

    fn texts(host: &Host) -> Vec<String> {
        host.lines
            .lock()
            .iter()
            .map(|(_, text)| text.clone())
            .collect()
    }

    #[test]
    fn levels_and_nuls() {
        let host = Host::default();
        let log = log_of(&host, 3);
        log.line(Level::Info, "a\0b");
        log.line(Level::Debug, "too much");
        assert_eq!(*host.lines.lock(), [(3, "a\u{FFFD}b".to_owned())]);
        let silent = log_of(&host, 0);
        silent.line(Level::Error, "no");
        assert_eq!(host.lines.lock().len(), 1);
    }

    #[test]
    fn lines_logged_from_inside_wait_their_turn() {
        let host = Host::default();
        let log = Arc::new(log_of(&host, 5));
        *host.log.lock() = Some(Arc::clone(&log));
        *host.echo.lock() = vec!["two", "three"];
        log.line(Level::Info, "one");
        log.line(Level::Info, "four");
        assert_eq!(texts(&host), ["one", "two", "three", "four"]);
        *host.log.lock() = None;
    }

    #[test]
    fn user_data_is_freed_once_after_the_last_use() {
        let host = Host::default();
        let log: Arc<dyn LogSink> = Arc::new(log_of(&host, 5));
        let other = Arc::clone(&log);
        drop(log);
        other.line(Level::Info, "still there");
        assert_eq!(host.freed.load(Ordering::SeqCst), 0);
        drop(other);
        assert_eq!(host.freed.load(Ordering::SeqCst), 1);
    }
}
