//! Plumbing: the host's log function. The only place that calls into the host.
//!
//! Lines are queued and delivered by whichever thread finds nobody delivering. So the function
//! runs one call at a time without any lock being held, a line logged from inside it waits its
//! turn, and a slow function holds up the one thread that is in it.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_void};

use oe_core::platform::log::{Level, LogSink};
use parking_lot::Mutex;

use crate::guard;

/// A host's log function.
pub(crate) type LogFn = unsafe extern "C" fn(*mut c_void, i32, *const c_char);
/// What frees a host's user data.
pub(crate) type FreeFn = unsafe extern "C" fn(*mut c_void);

/// Lines that wait at most; when there are more, the oldest are dropped and counted.
const MAX_WAITING: usize = 1024;

/// The host's user data, freed once, when this is dropped.
pub(crate) struct UserData {
    data: *mut c_void,
    free: Option<FreeFn>,
}

// SAFETY: the library never looks at the data, it only hands it back. The header says that the log
// function may run on any thread, one call at a time, and that the data may be freed on any.
unsafe impl Send for UserData {}
// SAFETY: as above; `HostLog` sees to one call at a time.
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

#[derive(Default)]
struct Queue {
    lines: VecDeque<(Level, CString)>,
    dropped: u64,
    delivering: bool,
}

impl Queue {
    fn push(&mut self, level: Level, line: CString) {
        if self.lines.len() == MAX_WAITING {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back((level, line));
    }

    /// The next line: first how many are missing before it, if any are.
    fn pop(&mut self) -> Option<(Level, CString)> {
        if self.dropped > 0 {
            let text = format!("{} lines of this log were dropped", self.dropped);
            self.dropped = 0;
            return Some((Level::Error, c_line(&text)));
        }
        self.lines.pop_front()
    }
}

/// A host's log function with its data and the lines that wait for it.
pub(crate) struct HostLog {
    function: LogFn,
    data: UserData,
    max_level: i32,
    /// The process that registered the function.
    pid: u32,
    queue: Mutex<Queue>,
}

impl HostLog {
    pub(crate) fn new(function: LogFn, data: UserData, max_level: i32) -> HostLog {
        HostLog {
            function,
            data,
            max_level,
            pid: std::process::id(),
            queue: Mutex::default(),
        }
    }

    fn call(&self, level: Level, line: &CString) {
        guard::logging(|| {
            // SAFETY: the host gave this function for this data, which is alive as long as `self`.
            // The text ends with a NUL and outlives the call. `deliver` is one thread at a time.
            unsafe { (self.function)(self.data.data, level as i32, line.as_ptr()) };
        });
    }

    fn deliver(&self) {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                let next = queue.pop();
                queue.delivering = next.is_some();
                next
            };
            let Some((level, line)) = next else { return };
            self.call(level, &line);
        }
    }
}

impl LogSink for HostLog {
    fn line(&self, level: Level, text: &str) {
        // In a child process the lock may be held by a thread that does not exist there.
        if level as i32 > self.max_level || self.pid != std::process::id() {
            return;
        }
        {
            let mut queue = self.queue.lock();
            queue.push(level, c_line(text));
            if queue.delivering {
                return;
            }
            queue.delivering = true;
        }
        self.deliver();
        guard::run_deferred();
    }
}

/// The text for C; what would end it early is replaced.
fn c_line(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
        HostLog::new(on_line, UserData::new(data, Some(on_free)), max_level)
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
    fn threads_take_turns_and_nothing_is_lost() {
        let host = Host::default();
        let log = log_of(&host, 5);
        std::thread::scope(|scope| {
            for name in ["a", "b", "c"] {
                let log = &log;
                scope.spawn(move || {
                    for n in 0..300 {
                        log.line(Level::Info, &format!("{name} {n}"));
                    }
                });
            }
        });
        let lines = texts(&host);
        assert_eq!(lines.len(), 900);
        for name in ["a", "b", "c"] {
            let own = lines.iter().filter(|line| line.starts_with(name));
            assert!(
                own.eq((0..300)
                    .map(|n| format!("{name} {n}"))
                    .collect::<Vec<_>>()
                    .iter())
            );
        }
    }

    #[test]
    fn too_many_lines_cost_the_oldest_and_are_counted() {
        let host = Host::default();
        let log = log_of(&host, 5);
        {
            let mut queue = log.queue.lock();
            for n in 0..MAX_WAITING + 5 {
                queue.push(Level::Info, c_line(&n.to_string()));
            }
        }
        log.line(Level::Info, "last");
        let lines = texts(&host);
        assert_eq!(lines[0], "6 lines of this log were dropped");
        assert_eq!(lines[1], "6");
        assert_eq!(lines.last().unwrap(), "last");
        assert_eq!(lines.len(), MAX_WAITING + 1);
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
