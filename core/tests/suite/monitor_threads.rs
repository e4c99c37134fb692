//! Monitors with their real threads and the real clock: nobody is starved, everything ends.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{frame, status_of};
use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::error::Status;
use oe_core::monitor::{Event, Kind, Monitor};
use oe_core::platform::clock::{Clock, Spawn, StdSpawn, SystemClock, World};
use oe_core::rules::confidence::Confidence;
use oe_core::transport::{Exchange, Failure, Reply, ReplyBody, Request, Sent, Transport};

/// A service that gives each context a number, and never answers some of them.
#[derive(Default)]
struct Service {
    contexts: AtomicUsize,
    /// Contexts below this number hang until they are cancelled.
    hanging: usize,
    cancelled: AtomicUsize,
    uploads: Mutex<Vec<(usize, Instant)>>,
}

impl Service {
    fn answer(&self, request: &Request<'_>) -> Result<String, Failure> {
        let Some((_, number)) = request.url.as_str().rsplit_once("/p/") else {
            let n = self.contexts.fetch_add(1, Ordering::SeqCst);
            let url = format!("https://octoeverywhere.com/p/{n}");
            return Ok(format!(
                r#"{{"ContextId":"{n}","ProcessRequestUrl":"{url}","FallbackProcessRequestUrl":"{url}"}}"#
            ));
        };
        let number: usize = number.parse().unwrap();
        self.uploads.lock().unwrap().push((number, Instant::now()));
        if number < self.hanging {
            return Err(self.hang(request));
        }
        Ok(crate::common::p200(5, 5, false, false, false))
    }
}

impl Service {
    fn hang(&self, request: &Request<'_>) -> Failure {
        while !request.cancel.is_cancelled() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        Failure::Cancelled
    }
}

impl Transport for Service {
    fn exchange(&self, request: &Request<'_>) -> Exchange {
        let outcome = self.answer(request).map(|body| Reply {
            status: 200,
            retry_after: vec![],
            date: None,
            body: ReplyBody::Whole(body.into_bytes()),
        });
        Exchange {
            outcome,
            sent: Sent::All,
            reused: false,
            answered: true,
            bytes_sent: 0,
            bytes_received: 0,
            cause: None,
        }
    }
}

fn client_in(world: World, service: Arc<Service>) -> Arc<Client> {
    let mut options = Options::default();
    options.set_api_key(Some("k")).unwrap();
    Client::with_transport(&options, world, service).unwrap()
}

fn client(service: Arc<Service>) -> Arc<Client> {
    client_in(World::default(), service)
}

fn start(client: &Arc<Client>, tag: u64) -> Arc<Monitor> {
    let unset = Confidence::default();
    client.start_monitor(unset, unset, tag).unwrap()
}

fn next(client: &Client, ms: u64) -> Option<Event> {
    client.next_event(Some(Duration::from_millis(ms))).unwrap()
}

/// Reads until an event of this kind comes.
fn wait_for(client: &Client, kind: Kind) -> Event {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        match next(client, 1_000) {
            Some(event) if event.kind == kind => return event,
            _ => {}
        }
    }
    panic!("no {kind:?} came");
}

/// Threads of this process with this name, of this test only: each test has its own names.
struct Counting {
    prefix: &'static str,
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// From the n-th thread on there are none to be had, while this is set.
    refuse_from: usize,
    refusing: AtomicBool,
    started: AtomicUsize,
}

impl Counting {
    fn new(refuse_from: usize) -> Arc<Counting> {
        Arc::new(Counting {
            prefix: "oe-",
            alive: Arc::default(),
            most: Arc::default(),
            refuse_from,
            refusing: AtomicBool::new(true),
            started: AtomicUsize::new(0),
        })
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Spawn for Counting {
    fn spawn(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        assert!(name.starts_with(self.prefix) && name.len() <= 15);
        let nth = self.started.fetch_add(1, Ordering::SeqCst);
        if nth >= self.refuse_from && self.refusing.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let alive = Arc::clone(&self.alive);
        let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        StdSpawn.spawn(
            name,
            Box::new(move || {
                /// Counts down also when the work panics.
                struct Down(Arc<AtomicUsize>);
                impl Drop for Down {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::SeqCst);
                    }
                }
                let _down = Down(alive);
                work();
            }),
        )
    }
}

fn world_of(spawn: &Arc<Counting>) -> World {
    World {
        spawn: spawn.clone(),
        ..World::default()
    }
}

/// Waits until something is so.
fn soon(what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn co_02_calls_that_hang_do_not_starve_the_others() {
    let service = Arc::new(Service {
        hanging: 3,
        ..Service::default()
    });
    let spawn = Counting::new(usize::MAX);
    let client = client_in(world_of(&spawn), service.clone());
    let monitors: HashMap<u64, Arc<Monitor>> = (0..20).map(|n| (n, start(&client, n))).collect();
    let until = Instant::now() + Duration::from_secs(24);
    let mut results = HashMap::<u64, usize>::new();
    let mut n = 0;
    while Instant::now() < until {
        match next(&client, 500) {
            Some(event) if event.kind == Kind::FrameWanted => {
                n += 1;
                monitors[&event.tag].submit(&frame(n), None).unwrap();
            }
            Some(event) if event.kind == Kind::Result => {
                *results.entry(event.tag).or_default() += 1;
            }
            _ => {}
        }
    }
    assert_eq!(results.len(), 17, "all but those that hang: {results:?}");
    assert!(results.values().all(|count| *count >= 3), "{results:?}");
    // Each at its own pace, never early.
    let mut last = HashMap::new();
    for (number, at) in service.uploads.lock().unwrap().iter() {
        if let Some(before) = last.insert(*number, *at) {
            let gap = at.duration_since(before);
            assert!(gap >= Duration::from_secs(5), "{number}: {gap:?}");
            assert!(gap < Duration::from_secs(6), "{number}: {gap:?}");
        }
    }
    assert!(
        spawn.most.load(Ordering::SeqCst) <= 4 + 1,
        "workers and scheduler"
    );
    let begun = Instant::now();
    drop(monitors);
    client.close();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(service.cancelled.load(Ordering::SeqCst), 3);
    // They have let go; the last steps of a thread are the system's.
    assert!(soon(|| spawn.alive() == 0), "closing ends the threads");
}

#[test]
fn stopping_ends_the_call_in_flight_and_the_last_one_ends_the_threads() {
    let service = Arc::new(Service {
        hanging: 1,
        ..Service::default()
    });
    let spawn = Counting::new(usize::MAX);
    let client = client_in(world_of(&spawn), service.clone());
    assert_eq!(spawn.alive(), 0, "no thread before a monitor");
    let monitor = start(&client, 1);
    monitor.submit(&frame(1), None).unwrap();
    assert!(soon(|| !service.uploads.lock().unwrap().is_empty()));
    let begun = Instant::now();
    monitor.stop();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(service.cancelled.load(Ordering::SeqCst), 1, "it had ended");
    assert!(next(&client, 0).is_none());
    assert!(soon(|| spawn.alive() == 0), "{}", spawn.alive());
    // And they come back when they are needed.
    let again = start(&client, 2);
    again.submit(&frame(1), None).unwrap();
    assert_eq!(wait_for(&client, Kind::Result).tag, 2);
}

#[test]
fn waiting_for_events_can_be_cancelled_and_shared() {
    let client = client(Arc::default());
    client.cancel();
    assert!(next(&client, 10).is_none(), "a cancel before has no effect");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| client.next_event(None)))
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        client.cancel();
        for thread in waiting {
            assert_eq!(status_of(thread.join().unwrap()), Status::Cancelled);
        }
    });
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| next(&client, 5_000).unwrap()))
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        let monitor = start(&client, 1);
        monitor.submit(&frame(1), None).unwrap();
        let other = start(&client, 2);
        other.submit(&frame(2), None).unwrap();
        let events = waiting.into_iter().map(|thread| thread.join().unwrap());
        let told: Vec<_> = events.map(|event| (event.tag, event.kind)).collect();
        assert_ne!(told[0], told[1], "each event goes to one");
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.next_event(None));
        std::thread::sleep(Duration::from_millis(100));
        client.close();
        assert_eq!(status_of(waiting.join().unwrap()), Status::Cancelled);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_descriptor_is_readable_while_there_are_unread_events() {
    let name = "the_descriptor_is_readable_while_there_are_unread_events";
    // Beside other tests its number would be another descriptor's at once.
    if crate::http_rig::in_a_process_of_its_own(module_path!(), name, "1").is_none() {
        return;
    }
    let client = client(Arc::default());
    let number = client.event_fd();
    assert!(number >= 0);
    assert_eq!(client.event_fd(), number, "there is one");
    let name = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
    assert!(name.to_string_lossy().contains("eventfd"));
    let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    let flags = flags
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .unwrap();
    let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
    assert!(flags & 0o2_000_000 != 0, "closed on exec");
    let readable = |ms: i32| {
        let mut asked = libc::pollfd {
            fd: i32::try_from(number).unwrap(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, which lives through the call.
        unsafe { libc::poll(&raw mut asked, 1, ms) == 1 }
    };
    assert!(!readable(0));
    let monitor = start(&client, 1);
    assert!(readable(5_000), "a frame is wanted");
    assert!(readable(0), "level-triggered");
    while next(&client, 0).is_some() {}
    assert!(!readable(0));
    monitor.submit(&frame(1), None).unwrap();
    assert!(readable(5_000));
    monitor.stop();
    assert!(!readable(0), "stopping removed what was unread");
    client.close();
    assert_eq!(client.event_fd(), -1);
    assert!(!std::path::Path::new(&format!("/proc/self/fd/{number}")).exists());
}

#[test]
fn without_threads_there_is_a_status_or_an_event_and_later_a_verdict() {
    let none = Counting::new(0);
    let refused = client_in(world_of(&none), Arc::default());
    let unset = Confidence::default();
    let started = refused.start_monitor(unset, unset, 1);
    assert_eq!(status_of(started), Status::Resources);
    none.refusing.store(false, Ordering::SeqCst);
    let monitor = start(&refused, 1);
    monitor.submit(&frame(1), None).unwrap();
    wait_for(&refused, Kind::Result);

    // A scheduler, but no worker.
    let one = Counting::new(1);
    let client = client_in(world_of(&one), Arc::default());
    let monitor = start(&client, 1);
    let event = wait_for(&client, Kind::Error);
    assert_eq!(event.status, Status::Resources);
    assert!(event.error.unwrap().retry_after.as_ms() >= 1_000);
    one.refusing.store(false, Ordering::SeqCst);
    let asked = Instant::now();
    wait_for(&client, Kind::FrameWanted);
    monitor.submit(&frame(1), None).unwrap();
    let until = Instant::now() + Duration::from_secs(25);
    while Instant::now() < until && !next(&client, 500).is_some_and(|e| e.kind == Kind::Result) {}
    assert!(Instant::now() < until && asked.elapsed() > Duration::from_secs(10));
}

#[test]
fn no_thread_beside_one_that_is_busy_is_asked_for_seldom() {
    let service = Arc::new(Service {
        hanging: 1,
        ..Service::default()
    });
    // A scheduler and a worker, whose call hangs.
    let spawn = Counting::new(2);
    let client = client_in(world_of(&spawn), service.clone());
    let hanging = start(&client, 1);
    hanging.submit(&frame(1), None).unwrap();
    assert!(soon(|| !service.uploads.lock().unwrap().is_empty()));
    let others: Vec<_> = (2..6).map(|tag| start(&client, tag)).collect();
    // Longer than those wait that are started together.
    std::thread::sleep(Duration::from_secs(3));
    let asked = spawn.started.load(Ordering::SeqCst);
    assert!((3..=4).contains(&asked), "{asked} times");
    // They wait for the worker that there is, and get it.
    hanging.stop();
    for other in &others {
        drop(other.submit(&frame(2), None));
    }
    wait_for(&client, Kind::Result);
}

/// A clock that stood still while the device slept, though the standard library's went on: as on
/// Windows, where waits of condition variables are measured on the latter.
struct Sleeper {
    start: Instant,
    slept: Mutex<(Duration, Option<Instant>)>,
    readings: AtomicUsize,
}

impl Sleeper {
    fn sleep(&self, time: Duration) {
        self.slept.lock().unwrap().1 = Some(Instant::now());
        std::thread::sleep(time);
        let mut slept = self.slept.lock().unwrap();
        let since = slept.1.take().unwrap();
        slept.0 += since.elapsed();
    }
}

impl Clock for Sleeper {
    fn now(&self) -> Duration {
        self.readings.fetch_add(1, Ordering::SeqCst);
        let slept = self.slept.lock().unwrap();
        let until = slept.1.unwrap_or_else(Instant::now);
        Duration::from_secs(1_000_000) + until.duration_since(self.start) - slept.0
    }

    fn wall_ms(&self) -> i64 {
        1_793_000_000_000
    }

    fn since_boot(&self) -> Option<Duration> {
        Some(self.start.elapsed())
    }

    fn boot_id(&self) -> Option<String> {
        None
    }
}

#[test]
fn waits_go_on_after_the_device_slept() {
    let clock = Arc::new(Sleeper {
        start: Instant::now(),
        slept: Mutex::default(),
        readings: AtomicUsize::new(0),
    });
    let world = World {
        clock: clock.clone(),
        ..World::default()
    };
    let service = Arc::new(Service::default());
    let client = client_in(world, service.clone());
    let monitor = start(&client, 1);
    monitor.submit(&frame(1), None).unwrap();
    wait_for(&client, Kind::Result);
    let (slept, before) = (
        Duration::from_secs(3),
        clock.readings.load(Ordering::SeqCst),
    );
    let context = client.create_context(Confidence::default(), Confidence::default());
    let context = context.unwrap();
    context.process(&frame(1), None).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            context.wait_due().unwrap();
            begun.elapsed()
        });
        clock.sleep(slept);
        monitor.submit(&frame(2), None).unwrap();
        wait_for(&client, Kind::Result);
        let waited = waiting.join().unwrap();
        assert!(waited >= Duration::from_millis(7_900), "{waited:?}");
        assert!(waited < Duration::from_secs(10), "{waited:?}");
    });
    let uploads = service.uploads.lock().unwrap();
    let of_monitor: Vec<_> = uploads.iter().filter(|(number, _)| *number == 0).collect();
    let gap = of_monitor[1].1.duration_since(of_monitor[0].1);
    assert!(
        gap >= Duration::from_secs(8),
        "{gap:?}: its time, and what it slept"
    );
    assert!(gap < Duration::from_secs(10), "{gap:?}");
    let readings = clock.readings.load(Ordering::SeqCst) - before;
    assert!(
        readings < 500,
        "{readings}: it waits, and does not look all the time"
    );
}

/// The system's clock, until it is made to panic.
#[derive(Default)]
struct Faulty {
    clock: SystemClock,
    broken: AtomicBool,
}

impl Clock for Faulty {
    fn now(&self) -> Duration {
        let name = std::thread::current().name().map(str::to_owned);
        let ours = name.as_deref() == Some("oe-monitor");
        assert!(!(ours && self.broken.load(Ordering::SeqCst)), "planted");
        self.clock.now()
    }

    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    fn since_boot(&self) -> Option<Duration> {
        self.clock.since_boot()
    }

    fn boot_id(&self) -> Option<String> {
        self.clock.boot_id()
    }
}

#[test]
fn a_bug_in_the_scheduler_stops_the_monitors_and_says_so() {
    let clock = Arc::new(Faulty::default());
    let world = World {
        clock: clock.clone(),
        spawn: Arc::new(StdSpawn),
        ..World::default()
    };
    let client = client_in(world, Arc::default());
    let one = start(&client, 1);
    let two = start(&client, 2);
    clock.broken.store(true, Ordering::SeqCst);
    let three = start(&client, 3);
    let mut told = vec![];
    while told.len() < 3 {
        let event = wait_for(&client, Kind::Stopped);
        assert_eq!(event.status, Status::Panic);
        told.push(event.tag);
        assert!(event.age < Duration::from_secs(60));
    }
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3]);
    assert_eq!(status_of(one.submit(&frame(1), None)), Status::Closed);
    drop((one, two, three));
    clock.broken.store(false, Ordering::SeqCst);
    let monitor = start(&client, 4);
    monitor.submit(&frame(1), None).unwrap();
    assert_eq!(
        wait_for(&client, Kind::Result).tag,
        4,
        "the client is still of use"
    );
}

#[test]
fn every_call_from_many_threads_at_once() {
    let service = Arc::new(Service::default());
    let client = client(service.clone());
    let monitors: Vec<_> = (0..4).map(|n| start(&client, n)).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for monitor in &monitors {
            scope.spawn(|| {
                for n in 0..300 {
                    let _ = monitor.submit(&frame(n), None);
                    let _ = monitor.pause();
                    let _ = monitor.info();
                    let _ = monitor.resume();
                    let _ = monitor.mute(n % 2 == 0);
                    let _ = monitor.set_interval_sec(5);
                    let saved = monitor.save();
                    if n == 250 {
                        monitor.stop();
                    }
                    if n % 100 == 0 {
                        let text = saved.unwrap();
                        drop(client.start_saved_monitor(&text, 99).unwrap());
                    }
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _ = client.next_event(Some(Duration::from_millis(2)));
                    client.event_fd();
                }
            });
        }
        scope.spawn(|| {
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until && monitors.iter().any(|monitor| monitor.info().is_ok()) {
                client.cancel();
                std::thread::sleep(Duration::from_millis(1));
            }
            done.store(true, Ordering::SeqCst);
        });
    });
    assert!(next(&client, 0).is_none(), "all of them are stopped");
    client.close();
}
