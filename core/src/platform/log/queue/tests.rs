use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::platform::clock::{Clock, Spawn};

type Work = Box<dyn FnOnce() + Send>;

/// A clock that goes on when it is told to, and threads that run when they are told to.
#[derive(Default)]
struct Device {
    now: Mutex<Duration>,
    refuses: AtomicBool,
    threads: Mutex<Vec<Work>>,
}

impl Device {
    fn pass(&self, time: Duration) {
        *self.now.lock() += time;
    }

    fn run_threads(&self) -> usize {
        let threads = std::mem::take(&mut *self.threads.lock());
        let count = threads.len();
        threads.into_iter().for_each(|work| work());
        count
    }
}

impl Clock for Device {
    fn now(&self) -> Duration {
        *self.now.lock()
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

struct Threads(Arc<Device>);

impl Spawn for Threads {
    fn spawn(&self, name: &'static str, work: Work) -> io::Result<()> {
        assert!(name.starts_with("oe-") && name.len() <= 15);
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.threads.lock().push(work);
        Ok(())
    }
}

/// What the function of a host does.
#[derive(Default)]
struct Host {
    device: Arc<Device>,
    lines: Mutex<Vec<(Level, String)>>,
    /// How long each line takes it.
    takes: Mutex<Duration>,
    /// Lines that other threads log while it runs, one each time.
    meanwhile: Mutex<VecDeque<String>>,
    queue: Mutex<Weak<Queue<Function>>>,
    inside: AtomicBool,
    panics: AtomicBool,
    between: AtomicUsize,
}

struct Function(Arc<Host>);

impl Output for Function {
    fn write(&self, level: Level, line: &CStr) {
        let host = &self.0;
        assert!(!host.inside.swap(true, Ordering::SeqCst), "two at a time");
        host.lines
            .lock()
            .push((level, line.to_string_lossy().into_owned()));
        host.device.pass(*host.takes.lock());
        let other = host.meanwhile.lock().pop_front();
        let queue = host.queue.lock().upgrade();
        if let Some((other, queue)) = other.zip(queue) {
            queue.line(Level::Info, &other);
        }
        host.inside.store(false, Ordering::SeqCst);
        assert!(!host.panics.swap(false, Ordering::SeqCst), "planted");
    }

    fn between(&self) {
        self.0.between.fetch_add(1, Ordering::SeqCst);
    }
}

/// A queue for a host whose function takes so long, while so many lines come from elsewhere.
fn queue(takes: Duration, meanwhile: usize) -> (Arc<Host>, Arc<Queue<Function>>) {
    let host = Arc::new(Host::default());
    *host.takes.lock() = takes;
    *host.meanwhile.lock() = (0..meanwhile).map(|n| format!("other {n}")).collect();
    let world = World {
        clock: Arc::clone(&host.device) as _,
        spawn: Arc::new(Threads(Arc::clone(&host.device))),
        ..World::default()
    };
    let queue = Arc::new(Queue::new(Function(Arc::clone(&host)), world));
    *host.queue.lock() = Arc::downgrade(&queue);
    (host, queue)
}

fn texts(host: &Host) -> Vec<String> {
    let lines = host.lines.lock();
    lines.iter().map(|(_, text)| text.clone()).collect()
}

const SLOW: Duration = Duration::from_millis(100);

#[test]
fn a_quick_function_is_called_by_whoever_logs() {
    let (host, queue) = queue(Duration::from_micros(10), 5);
    queue.line(Level::Info, "mine");
    assert_eq!(texts(&host).len(), 6, "and what came meanwhile");
    assert_eq!(host.device.run_threads(), 0);
}

#[test]
fn a_slow_function_holds_up_nobody_for_what_others_log() {
    let (host, queue) = queue(SLOW, 500);
    queue.line(Level::Info, "mine");
    assert_eq!(texts(&host), ["mine"], "one line takes its 100 ms, no more");
    // Meanwhile somebody else does not wait at all.
    queue.line(Level::Info, "another's");
    assert_eq!(texts(&host).len(), 1);
    // A thread for nothing else writes the rest, one after the other.
    assert_eq!(host.device.run_threads(), 1);
    let lines = texts(&host);
    assert_eq!(lines.len(), 502);
    assert_eq!(lines[1..3], ["other 0", "another's"]);
    assert_eq!(host.between.load(Ordering::SeqCst), 501);
    // It has ended: the next line is written by whoever logs it.
    queue.line(Level::Info, "last");
    assert_eq!(texts(&host).last().unwrap(), "last");
    assert_eq!(host.device.run_threads(), 0);
}

#[test]
fn without_a_thread_the_next_to_log_goes_on_and_the_last_to_leave_too() {
    let (host, queue) = queue(SLOW, 3);
    host.device.refuses.store(true, Ordering::SeqCst);
    for name in ["a", "b"] {
        queue.line(Level::Info, name);
    }
    assert_eq!(texts(&host), ["a", "other 0"], "one each");
    host.device.refuses.store(false, Ordering::SeqCst);
    queue.line(Level::Info, "c");
    assert_eq!(host.device.run_threads(), 1);
    assert_eq!(texts(&host)[2..], ["b", "other 1", "c", "other 2"]);

    host.device.refuses.store(true, Ordering::SeqCst);
    host.meanwhile.lock().extend(["left".to_owned()]);
    queue.line(Level::Info, "d");
    assert_eq!(texts(&host).last().unwrap(), "d");
    drop(queue);
    assert_eq!(texts(&host).last().unwrap(), "left", "not lost");
}

#[test]
fn what_nobody_can_write_any_more_is_counted() {
    let (host, queue) = queue(SLOW, 0);
    queue.shared.waiting.lock().delivering = true;
    for n in 0..3 {
        queue.line(Level::Info, &n.to_string());
    }
    queue.shared.waiting.lock().delivering = false;
    drop(queue);
    assert_eq!(texts(&host), ["0", "2 lines of this log were dropped"]);
}

#[test]
fn too_many_lines_cost_the_oldest_and_are_counted() {
    let (host, queue) = queue(Duration::ZERO, 0);
    queue.shared.waiting.lock().delivering = true;
    for n in 0..MAX_WAITING + 5 {
        queue.line(Level::Info, &n.to_string());
    }
    queue.shared.waiting.lock().delivering = false;
    queue.line(Level::Info, "last");
    let lines = host.lines.lock();
    let missing = "6 lines of this log were dropped".to_owned();
    assert_eq!(lines[0], (Level::Error, missing));
    assert_eq!(lines[1].1, "6");
    assert_eq!(lines.last().unwrap().1, "last");
    assert_eq!(lines.len(), MAX_WAITING + 1);
}

#[test]
fn a_panic_in_the_function_leaves_the_turn_to_the_next() {
    let (host, queue) = queue(Duration::ZERO, 0);
    host.panics.store(true, Ordering::SeqCst);
    catch_unwind(AssertUnwindSafe(|| queue.line(Level::Info, "a"))).unwrap_err();
    queue.line(Level::Info, "b");
    assert_eq!(texts(&host), ["a", "b"]);
}

#[test]
fn threads_take_turns_and_nothing_is_lost() {
    let host = Arc::new(Host::default());
    let queue = Queue::new(Function(Arc::clone(&host)), World::default());
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..300 {
                    queue.line(Level::Info, &format!("{name} {n}"));
                }
            });
        }
    });
    // On a busy machine a thread of the queue's own may still be at it.
    while host.lines.lock().len() < 900 {
        std::thread::yield_now();
    }
    let lines = texts(&host);
    for name in ["a", "b", "c"] {
        let own: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).collect();
        let expected: Vec<_> = (0..300).map(|n| format!("{name} {n}")).collect();
        assert!(own.into_iter().eq(expected.iter()), "{name}");
    }
    assert_eq!(lines.len(), 900);
}

#[test]
fn when_it_is_dropped_nobody_calls_the_function_any_more() {
    // Real threads, and a function that takes 30 ms: the rest goes to a thread, which the drop waits for.
    struct Sleepy(Arc<Host>);
    impl Output for Sleepy {
        fn write(&self, level: Level, line: &CStr) {
            std::thread::sleep(Duration::from_millis(30));
            let line = line.to_string_lossy().into_owned();
            self.0.lines.lock().push((level, line));
        }
    }
    let host = Arc::new(Host::default());
    for (lines, all) in [(10, true), (200, false)] {
        host.lines.lock().clear();
        let queue = Queue::new(Sleepy(Arc::clone(&host)), World::default());
        std::thread::scope(|scope| {
            scope.spawn(|| queue.line(Level::Info, "first"));
            while !queue.shared.waiting.lock().delivering {
                std::thread::yield_now();
            }
            for n in 1..lines {
                queue.line(Level::Info, &n.to_string());
            }
        });
        let begun = Instant::now();
        drop(queue);
        assert!(begun.elapsed() < Duration::from_secs(2), "not for ever");
        let written = host.lines.lock().clone();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(written, *host.lines.lock(), "it has ended");
        match all {
            true => assert_eq!(written.len(), lines, "nothing is lost"),
            false => {
                let (_, last) = written.last().unwrap();
                let (missing, _) = last.split_once(" lines of this log").unwrap();
                let missing: usize = missing.parse().unwrap();
                assert_eq!(written.len() - 1 + missing, lines, "or it is counted");
            }
        }
    }
}

#[test]
fn a_thread_that_delivers_does_not_wait_for_itself() {
    /// Drops the last handle between two lines, as a free inside a log function does.
    struct Last(Arc<Mutex<Option<Arc<Queue<Last>>>>>);
    impl Output for Last {
        fn write(&self, _: Level, _: &CStr) {}

        fn between(&self) {
            let queue = self.0.lock().take();
            let begun = Instant::now();
            drop(queue);
            assert!(begun.elapsed() < Duration::from_millis(500), "at once");
        }
    }
    let device = Arc::new(Device::default());
    let last = Arc::new(Mutex::new(None));
    let world = World {
        clock: Arc::clone(&device) as _,
        spawn: Arc::new(Threads(Arc::clone(&device))),
        ..World::default()
    };
    let queue = Arc::new(Queue::new(Last(Arc::clone(&last)), world));
    queue.shared.waiting.lock().delivering = true;
    queue.line(Level::Info, "one");
    let turn = Turn::of(&queue.shared);
    *last.lock() = Some(queue);
    turn.deliver();
    assert!(last.lock().is_none());
}
