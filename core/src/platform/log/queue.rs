//! Lines on their way to a function of the host that takes one at a time and may be slow.
//!
//! They are queued, and delivered by whichever thread finds nobody delivering. So no lock is held
//! while the function runs, and a line that is logged from inside it waits its turn. A thread that
//! came to write a line of its own delivers those of others for a moment only: then a thread that
//! is there for nothing else goes on until none wait. So a slow function holds up a call for as
//! long as that call's own lines take, whatever other threads log.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Level;
use crate::platform::clock::World;
use crate::platform::sync::{Condvar, Mutex, thread_local};

/// Lines that wait at most; when there are more, the oldest are dropped and counted.
pub const MAX_WAITING: usize = 1024;

/// How long a thread that has something else to do delivers, before it begins no other line.
pub const SHARE: Duration = Duration::from_millis(10);

/// How long the thread that only delivers goes on when nobody logs any more.
const LINGER: Duration = Duration::from_secs(1);

/// How long whoever drops a [`Queue`] waits for that thread: longer, for the last call of a function.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(1_800);

thread_local! {
    /// Whether this is a thread that only delivers.
    static DELIVERS: Cell<bool> = const { Cell::new(false) };
}

/// Takes lines, one at a time, on any thread.
pub trait Output: Send + Sync + 'static {
    /// One line, without a line end. Never runs twice at once.
    fn write(&self, level: Level, line: &CStr);

    /// Runs between two lines on a thread that only delivers.
    fn between(&self) {}
}

/// An output and the lines that wait for it.
///
/// When it is dropped, nobody calls the output any more: that waits for a thread that still delivers,
/// though not for ever and not for itself. Lines that take too long are counted in a last one.
pub struct Queue<O: Output> {
    shared: Arc<Shared<O>>,
}

struct Shared<O: Output> {
    output: O,
    world: World,
    waiting: Mutex<Waiting>,
    /// A turn was given back.
    ended: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(Level, CString)>,
    dropped: u64,
    /// Somebody has the [`Turn`].
    delivering: bool,
    /// Nobody logs any more: what is not written by then is not written.
    until: Option<Duration>,
}

impl Waiting {
    fn push(&mut self, level: Level, line: CString) {
        if self.lines.len() == MAX_WAITING {
            self.lines.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.lines.push_back((level, line));
    }

    /// Drops what waits, and counts it.
    fn give_up(&mut self) {
        let lines = std::mem::take(&mut self.lines).len();
        self.dropped = self.dropped.saturating_add(lines as u64);
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

impl<O: Output> Queue<O> {
    /// An empty one. `world` has the clock that [`SHARE`] is measured on and starts the thread that
    /// goes on afterwards.
    pub fn new(output: O, world: World) -> Queue<O> {
        Queue {
            shared: Arc::new(Shared {
                output,
                world,
                waiting: Mutex::new(Waiting::default()),
                ended: Condvar::new(),
            }),
        }
    }

    /// Writes one line, now or when those before it are written; which may be on another thread.
    pub fn line(&self, level: Level, text: &str) {
        let line = c_line(text);
        {
            let mut waiting = self.shared.waiting.lock();
            waiting.push(level, line);
            if std::mem::replace(&mut waiting.delivering, true) {
                return;
            }
        }
        Turn::of(&self.shared).share();
    }
}

impl<O: Output> Drop for Queue<O> {
    fn drop(&mut self) {
        let now = self.shared.world.clock.now();
        let mut waiting = self.shared.waiting.lock();
        waiting.until = Some(now.saturating_add(LINGER));
        let patience = Instant::now() + FLUSH_TIMEOUT;
        let ended = &self.shared.ended;
        while waiting.delivering
            && !DELIVERS.with(Cell::get)
            && !ended.wait_until(&mut waiting, patience).timed_out()
        {}
    }
}

/// The right to call the output. Given back when it is dropped, also by a panic and by a thread
/// that could not be started: whoever writes the next line then takes it.
struct Turn<O: Output> {
    shared: Arc<Shared<O>>,
    held: bool,
}

impl<O: Output> Turn<O> {
    fn of(shared: &Arc<Shared<O>>) -> Turn<O> {
        Turn {
            shared: Arc::clone(shared),
            held: true,
        }
    }

    /// The next line. When there is none, the turn is given back under the very lock under which
    /// that is seen: a line that comes next must not rely on it.
    fn next(&mut self) -> Option<(Level, CString)> {
        let mut waiting = self.shared.waiting.lock();
        let until = waiting.until;
        if until.is_some_and(|until| self.shared.world.clock.now() >= until) {
            waiting.give_up();
        }
        let next = waiting.pop();
        if next.is_none() {
            self.held = false;
            self.shared.end(&mut waiting);
        }
        next
    }

    /// Delivers for a moment on a thread that has something else to do.
    fn share(mut self) {
        let clock = Arc::clone(&self.shared.world.clock);
        let until = clock.now().saturating_add(SHARE);
        while let Some((level, line)) = self.next() {
            self.shared.output.write(level, &line);
            if clock.now() >= until {
                return self.hand_over();
            }
        }
    }

    /// Has another thread deliver the rest, if there is any.
    fn hand_over(mut self) {
        {
            let mut waiting = self.shared.waiting.lock();
            if waiting.lines.is_empty() && waiting.dropped == 0 {
                self.held = false;
                return self.shared.end(&mut waiting);
            }
        }
        let spawn = Arc::clone(&self.shared.world.spawn);
        // Where no thread is to be had, the turn is dropped with the work.
        drop(spawn.spawn("oe-log", Box::new(move || self.deliver())));
    }

    /// Delivers until nothing waits.
    fn deliver(mut self) {
        DELIVERS.with(|delivers| delivers.set(true));
        while let Some((level, line)) = self.next() {
            self.shared.output.write(level, &line);
            self.shared.output.between();
        }
        DELIVERS.with(|delivers| delivers.set(false));
    }
}

impl<O: Output> Drop for Turn<O> {
    fn drop(&mut self) {
        if self.held {
            self.shared.end(&mut self.shared.waiting.lock());
        }
    }
}

impl<O: Output> Shared<O> {
    /// Nobody delivers any more.
    fn end(&self, waiting: &mut Waiting) {
        waiting.delivering = false;
        self.ended.notify_all();
    }
}

impl<O: Output> Drop for Shared<O> {
    /// What still waits, because no thread was to be had for it: as much as a moment allows.
    fn drop(&mut self) {
        let until = self.world.clock.now().saturating_add(SHARE);
        let mut waiting = self.waiting.lock();
        while let Some((level, line)) = waiting.pop() {
            self.output.write(level, &line);
            if self.world.clock.now() >= until {
                waiting.give_up();
            }
        }
    }
}

/// The text for C; what would end it early is replaced.
fn c_line(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default()
}

#[cfg(all(test, not(oe_schedules)))]
mod tests;
