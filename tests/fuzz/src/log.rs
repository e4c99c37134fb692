//! Lines that are logged at any time, to a function that takes any time, with or without threads to be
//! had: none is lost, none comes twice, and nobody is held up by what others log.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use oe_core::platform::clock::{Clock, Spawn, World};
use oe_core::platform::log::{Level, MAX_WAITING, Output, Queue, SHARE};

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    now: Duration,
    /// How long the function takes, and how many lines others log meanwhile: for each line.
    plan: VecDeque<u8>,
    longest: Duration,
    inside: bool,
    refuses: bool,
    threads: Vec<Work>,
    /// The number of the line that comes next, and those that were written.
    next: usize,
    written: Vec<usize>,
    dropped: usize,
}

#[derive(Default)]
struct Device {
    state: Mutex<State>,
    queue: Mutex<Weak<Queue<Function>>>,
}

impl Device {
    fn with<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        body(&mut self.state.lock().expect("no panic"))
    }

    /// One more line, from whatever thread.
    fn log(&self, queue: &Queue<Function>) {
        let number = self.with(|state| {
            state.next += 1;
            state.next - 1
        });
        queue.line(Level::Info, &number.to_string());
    }
}

/// The function of a host.
struct Function(Arc<Device>);

impl Output for Function {
    fn write(&self, _: Level, line: &CStr) {
        let text = line.to_str().expect("UTF-8");
        let others = self.0.with(|state| {
            assert!(!std::mem::replace(&mut state.inside, true), "two at a time");
            match text.split_once(' ') {
                Some((count, _)) => state.dropped += count.parse::<usize>().expect("a count"),
                None => state.written.push(text.parse().expect("a number")),
            }
            let byte = state.plan.pop_front().unwrap_or(0);
            let takes = Duration::from_millis(u64::from(byte >> 3));
            state.now += takes;
            state.longest = state.longest.max(takes);
            byte & 7
        });
        let queue = self.0.queue.lock().expect("no panic").upgrade();
        for queue in (0..others).filter_map(|_| queue.as_ref()) {
            self.0.log(queue);
        }
        self.0.with(|state| state.inside = false);
    }
}

struct Outside(Arc<Device>);

impl Clock for Outside {
    fn now(&self) -> Duration {
        self.0.with(|state| state.now)
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

impl Spawn for Outside {
    fn spawn(&self, _: &'static str, work: Work) -> io::Result<()> {
        self.0.with(|state| match state.refuses {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => {
                state.threads.push(work);
                Ok(())
            }
        })
    }
}

/// The first byte says how many of the rest are what the function does; then come operations.
pub fn log(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (plan, operations) = rest.split_at(rest.len().min(count.into()));
    let device = Arc::new(Device::default());
    device.with(|state| state.plan = plan.iter().copied().collect());
    let world = World {
        clock: Arc::new(Outside(Arc::clone(&device))),
        spawn: Arc::new(Outside(Arc::clone(&device))),
        ..World::default()
    };
    let queue = Arc::new(Queue::new(Function(Arc::clone(&device)), world));
    *device.queue.lock().expect("no panic") = Arc::downgrade(&queue);
    for operation in operations.iter().take(400) {
        match operation % 8 {
            0 => device.with(|state| state.refuses = operation & 8 != 0),
            1 => run_threads(&device),
            _ => {
                let (begun, before) = device.with(|state| (state.now, state.written.len()));
                device.log(&queue);
                let (took, longest) = device.with(|state| (state.now - begun, state.longest));
                assert!(
                    took < SHARE + longest.max(Duration::from_nanos(1)),
                    "held up: {took:?}"
                );
                let written = device.with(|state| state.written.len()) - before;
                assert!(written <= MAX_WAITING * 8, "it never ends");
            }
        }
    }
    run_threads(&device);
    check(&device, queue);
}

fn run_threads(device: &Device) {
    loop {
        let threads = device.with(|state| std::mem::take(&mut state.threads));
        if threads.is_empty() {
            return;
        }
        threads.into_iter().for_each(|work| work());
    }
}

fn check(device: &Device, queue: Arc<Queue<Function>>) {
    device.with(|state| state.refuses = false);
    // Whoever comes next finds a turn to take: nothing waits for ever.
    device.log(&queue);
    run_threads(device);
    device.with(|state| {
        assert!(
            state.written.is_sorted_by(|one, next| one < next),
            "in order"
        );
        assert_eq!(
            state.written.last(),
            Some(&(state.next - 1)),
            "the last one too"
        );
        assert_eq!(
            state.written.len() + state.dropped,
            state.next,
            "all, or counted"
        );
    });
    drop(queue);
}
