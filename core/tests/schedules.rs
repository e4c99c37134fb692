//! What several threads do at once, in orders that a real scheduler seldom brings about. Each test
//! runs its body with many schedules; a thread that waits for something nobody tells it any more
//! is a deadlock, which fails. `cargo xtask schedules` runs them.
#![cfg(oe_schedules)]

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oe_core::account::config::Options;
use oe_core::backend::embedded::Turns;
use oe_core::client::Client;
use oe_core::engine::{Engine, Look, LookError, Opinion, Seen};
use oe_core::error::{Due, Error, Status};
use oe_core::monitor::{Event, Kind, Monitor};
use oe_core::platform::clock::{self, Clock, Spawn};
use oe_core::platform::log::{Level, Output, Queue, SHARE};
use oe_core::platform::sync::{Condvar, time_passed};
use oe_core::rules::confidence::Confidence;
use oe_core::session::Session;
use oe_core::session::outcome::Outcome;
use oe_core::transport::{Exchange, Failure, Reply, ReplyBody, Request, Sent, Transport};
use shuttle::rand::Rng as _;
use shuttle::thread::{self, JoinHandle};

/// Runs a body with as many schedules as OE_SCHEDULES says: half of them drawn at random, half
/// with few, rare switches (PCT), which find other mistakes.
fn try_orders(body: fn()) {
    let given = std::env::var("OE_SCHEDULES").ok();
    let count: usize = given.and_then(|text| text.parse().ok()).unwrap_or(1_000);
    shuttle::check_random(body, count.div_ceil(2));
    shuttle::check_pct(body, count / 2, 3);
}

/// What the service does with a process call.
#[derive(Clone, Copy)]
enum Service {
    Verdicts,
    /// Nothing, until the call is cancelled.
    Silence,
    /// This call, counted from 0, has an account error; others have verdicts.
    BlockedAt(usize),
    /// The first ends with a panic of ours.
    PanicsOnce,
    /// Calls to the first context find nobody.
    FirstIsGone,
    /// The first hangs until it is cancelled.
    HangsOnce,
}

#[derive(Default)]
struct State {
    now: Duration,
    contexts: u32,
    /// The URLs of calls in flight.
    flying: HashSet<String>,
    /// Before which no call may come, by URL.
    due: HashMap<String, Duration>,
    /// The number in each frame that was sent.
    frames: Vec<u8>,
    creates: usize,
}

/// All that is outside of the client, with the rules that every order must keep.
struct World {
    service: Service,
    state: Mutex<State>,
    processed: AtomicUsize,
    threads: Arc<AtomicUsize>,
    /// How many threads may still be started.
    left: Arc<AtomicUsize>,
    /// How often one was asked for in vain.
    refused: Arc<AtomicUsize>,
    /// Which reading of the clock by a worker, counted down to 0, ends with a panic of ours.
    trap: AtomicUsize,
}

shuttle::thread_local! {
    static WORKER: Cell<bool> = const { Cell::new(false) };
}

const MINIMUM: Duration = Duration::from_secs(5);

impl World {
    fn new(service: Service) -> Arc<World> {
        let state = State {
            now: Duration::from_secs(40 * 24 * 3_600),
            ..State::default()
        };
        Arc::new(World {
            service,
            state: Mutex::new(state),
            processed: AtomicUsize::new(0),
            threads: Arc::default(),
            left: Arc::new(AtomicUsize::new(usize::MAX)),
            refused: Arc::default(),
            trap: AtomicUsize::new(usize::MAX),
        })
    }

    fn client(self: &Arc<Self>, workers: u32) -> Arc<Client> {
        let mut options = Options::default();
        options.set_api_key(Some("SECRETKEY")).unwrap();
        options.set_workers(workers).unwrap();
        Client::with_transport(&options, self.outside(), Arc::clone(self) as _).unwrap()
    }

    /// The clock and the threads.
    fn outside(self: &Arc<Self>) -> clock::World {
        clock::World {
            clock: Arc::clone(self) as _,
            spawn: Arc::new(Threads {
                alive: Arc::clone(&self.threads),
                left: Arc::clone(&self.left),
                refused: Arc::clone(&self.refused),
            }),
            ..clock::World::default()
        }
    }

    /// Time goes on; whoever waits for a moment looks again.
    fn advance(&self, time: Duration) {
        self.state.lock().unwrap().now += time;
        time_passed();
    }

    /// A thread that lets so many seconds pass. A wait may begin just after the last of them, with
    /// a moment in mind that has come by then: so every second is told more than once.
    fn seconds(self: &Arc<Self>, count: usize) -> JoinHandle<()> {
        let world = Arc::clone(self);
        thread::spawn(move || {
            for _ in 0..count {
                world.advance(Duration::from_secs(1));
                for _ in 0..3 {
                    thread::yield_now();
                    time_passed();
                }
            }
        })
    }

    fn frames(&self) -> Vec<u8> {
        self.state.lock().unwrap().frames.clone()
    }

    fn create(&self) -> String {
        let mut state = self.state.lock().unwrap();
        state.contexts += 1;
        state.creates += 1;
        let n = state.contexts;
        format!(
            r#"{{"ContextId":"{n}","ProcessRequestUrl":"https://octoeverywhere.com/p/{n}","FallbackProcessRequestUrl":"https://octoeverywhere.com/f/{n}"}}"#
        )
    }

    fn take_off(&self, url: &str, frame: &[u8]) {
        let mut state = self.state.lock().unwrap();
        let (now, due) = (state.now, state.due.get(url).copied());
        assert!(state.flying.insert(url.to_owned()), "two calls in flight");
        assert!(due.is_none_or(|due| now >= due), "a call before its time");
        state.frames.push(frame[3]);
    }

    fn land(&self, url: &str) {
        let mut state = self.state.lock().unwrap();
        state.flying.remove(url);
        let due = state.now + MINIMUM;
        state.due.insert(url.to_owned(), due);
    }

    fn answer(&self, request: &Request<'_>) -> Result<(u16, String), Failure> {
        let before = self.processed.fetch_add(1, Ordering::Relaxed);
        match self.service {
            Service::BlockedAt(n) if n == before => {
                Ok((401, r#"{"ErrorType":"OE_INVALID_API_KEY"}"#.into()))
            }
            // A panic that prints nothing.
            Service::PanicsOnce if before == 0 => std::panic::resume_unwind(Box::new(())),
            Service::Silence => Err(until_cancelled(request)),
            Service::FirstIsGone if request.url.as_str().ends_with("/1") => {
                thread::yield_now();
                Err(Failure::Connect)
            }
            Service::HangsOnce if before == 0 => Err(until_cancelled(request)),
            _ => {
                for _ in 0..3 {
                    thread::yield_now();
                    if request.cancel.is_cancelled() {
                        return Err(Failure::Cancelled);
                    }
                }
                let verdict = r#"{"NextProcessIntervalSec":{"Minimum":5,"Recommended":5},"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false}"#;
                Ok((200, verdict.into()))
            }
        }
    }
}

/// What a transport does that waits for a socket: a cancel wakes it.
fn until_cancelled(request: &Request<'_>) -> Failure {
    let woken = Arc::new((oe_core::platform::sync::Mutex::new(false), Condvar::new()));
    let hook = Arc::clone(&woken);
    let _guard = request.cancel.on_cancel(move || {
        *hook.0.lock() = true;
        hook.1.notify_all();
    });
    let mut cancelled = woken.0.lock();
    while !*cancelled {
        woken.1.wait(&mut cancelled);
    }
    Failure::Cancelled
}

impl Clock for World {
    fn now(&self) -> Duration {
        if WORKER.with(Cell::get) && self.trap.load(Ordering::Relaxed) != usize::MAX {
            // Wraps to "never" after it has struck.
            if self.trap.fetch_sub(1, Ordering::Relaxed) == 0 {
                std::panic::resume_unwind(Box::new(()));
            }
        }
        self.state.lock().unwrap().now
    }

    fn wall_ms(&self) -> i64 {
        1_793_000_000_000
    }

    fn since_boot(&self) -> Option<Duration> {
        Some(self.now())
    }

    fn boot_id(&self) -> Option<String> {
        Some("boot".into())
    }
}

impl Transport for World {
    fn exchange(&self, request: &Request<'_>) -> Exchange {
        let url = request.url.as_str().to_owned();
        let answer = if url.ends_with("createcontext") {
            thread::yield_now();
            Ok((200, self.create()))
        } else {
            self.take_off(&url, request.body[1]);
            let landing = Landing(self, &url);
            let answer = self.answer(request);
            drop(landing);
            answer
        };
        Exchange {
            sent: Sent::All,
            reused: false,
            answered: answer.is_ok(),
            bytes_sent: 0,
            bytes_received: 0,
            cause: None,
            outcome: answer.map(|(status, body)| Reply {
                status,
                retry_after: Vec::new(),
                date: None,
                body: ReplyBody::Whole(body.into_bytes()),
            }),
        }
    }
}

/// Also when the call panics.
struct Landing<'a>(&'a World, &'a str);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.land(self.1);
    }
}

/// Starts threads while there are any left, and counts those that live. As a real one does, a panic
/// ends only its thread.
struct Threads {
    alive: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Spawn for Threads {
    fn spawn(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let fewer = |left: usize| left.checked_sub(1);
        let ordering = Ordering::Relaxed;
        if self.left.fetch_update(ordering, ordering, fewer).is_err() {
            self.refused.fetch_add(1, ordering);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let alive = Arc::clone(&self.alive);
        alive.fetch_add(1, Ordering::Relaxed);
        drop(thread::spawn(move || {
            WORKER.with(|worker| worker.set(name == "oe-worker"));
            let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            alive.fetch_sub(1, Ordering::Relaxed);
            drop(end);
        }));
        Ok(())
    }
}

fn frame(number: u8) -> Vec<u8> {
    vec![0xFF, 0xD8, 0xFF, number]
}

fn unset() -> Confidence {
    Confidence::default()
}

fn monitor(client: &Arc<Client>, tag: u64) -> Arc<Monitor> {
    client.start_monitor(unset(), unset(), tag).unwrap()
}

/// Reads events until one of a kind comes.
fn read_until(client: &Client, kind: Kind) -> Event {
    loop {
        let event = client.next_event(None).unwrap().unwrap();
        if event.kind == kind {
            return event;
        }
    }
}

/// A host that lets time pass while there is nothing to read, and submits a frame when one is
/// wanted, until what it reads satisfies it. A print that stands still is found out.
fn watch(
    world: &World,
    client: &Client,
    prints: &[Arc<Monitor>],
    number: u8,
    mut satisfied: impl FnMut(&Event) -> bool,
) {
    for _ in 0..3_000 {
        let Some(event) = client.next_event(Some(Duration::ZERO)).unwrap() else {
            world.advance(Duration::from_millis(500));
            thread::yield_now();
            continue;
        };
        if satisfied(&event) {
            return;
        }
        let print = prints.get(event.tag as usize);
        if let Some(print) = print.filter(|_| event.kind == Kind::FrameWanted) {
            // Refused while the account is blocked.
            drop(print.submit(&frame(number), None));
        }
    }
    panic!("it stands still");
}

/// Closes a client. When that returns, no thread of its own is left.
fn close(world: &World, client: &Client) {
    client.close();
    while world.threads.load(Ordering::Relaxed) > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_frame_that_is_due_is_sent_though_time_stands_still() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(2);
        let print = monitor(&client, 7);
        let camera = Arc::clone(&print);
        let camera = thread::spawn(move || camera.submit(&frame(1), None).unwrap());
        let event = read_until(&client, Kind::Result);
        assert_eq!((event.tag, world.frames()), (7, vec![1]));
        camera.join().unwrap();
        close(&world, &client);
    });
}

#[test]
fn the_mailbox_holds_the_newest_frame() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(2);
        let print = monitor(&client, 0);
        let camera = Arc::clone(&print);
        let camera = thread::spawn(move || {
            for number in 1..=4 {
                camera.submit(&frame(number), None).unwrap();
            }
        });
        read_until(&client, Kind::Result);
        camera.join().unwrap();
        let last = || world.frames().last() == Some(&4);
        if !last() {
            watch(&world, &client, &[print], 4, |_| last());
        }
        let frames = world.frames();
        assert!(frames.is_sorted_by(|a, b| a < b), "{frames:?}");
        close(&world, &client);
    });
}

#[test]
fn each_event_is_read_once_whoever_reads() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(2);
        let clock = world.seconds(40);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let client = Arc::clone(&client);
                thread::spawn(move || {
                    let mut results = Vec::new();
                    while let Ok(Some(event)) = client.next_event(None) {
                        results.extend((event.kind == Kind::Result).then_some(event.tag));
                        if event.kind == Kind::Result && event.tag == 2 {
                            break;
                        }
                    }
                    results
                })
            })
            .collect();
        let prints: Vec<_> = (1..=2).map(|tag| monitor(&client, tag)).collect();
        for print in &prints {
            print.submit(&frame(9), None).unwrap();
        }
        clock.join().unwrap();
        // Whoever still waits is told that there will be no more.
        client.close();
        let mut read: Vec<u64> = readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect();
        read.sort_unstable();
        assert!(
            read.is_sorted_by(|a, b| a < b),
            "one was read twice: {read:?}"
        );
        close(&world, &client);
    });
}

#[test]
fn stopping_and_closing_end_calls_and_waits() {
    try_orders(|| {
        let world = World::new(Service::Silence);
        let client = world.client(2);
        let prints = [monitor(&client, 1), monitor(&client, 2)];
        let reader = Arc::clone(&client);
        let reader = thread::spawn(move || while let Ok(Some(_)) = reader.next_event(None) {});
        let clock = world.seconds(20);
        let [first, second] = prints;
        let hand = thread::spawn(move || {
            drop(first.submit(&frame(1), None));
            first.stop();
            assert_eq!(first.info().unwrap_err().status, Status::Closed);
        });
        drop(second.submit(&frame(2), None));
        close(&world, &client);
        hand.join().unwrap();
        reader.join().unwrap();
        clock.join().unwrap();
    });
}

#[test]
fn pausing_resuming_and_muting_race_with_frames() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let print = monitor(&client, 0);
        let hand = Arc::clone(&print);
        let hand = thread::spawn(move || {
            hand.mute(true).unwrap();
            hand.pause().unwrap();
            hand.mute(false).unwrap();
            hand.resume().unwrap();
        });
        drop(print.submit(&frame(1), None));
        hand.join().unwrap();
        // It was resumed last: a frame of now is sent.
        print.submit(&frame(2), None).unwrap();
        watch(&world, &client, &[print], 2, |_| {
            world.frames().contains(&2)
        });
        close(&world, &client);
    });
}

#[test]
fn an_account_error_stops_all_until_it_is_cleared() {
    try_orders(|| {
        let world = World::new(Service::BlockedAt(0));
        let client = world.client(2);
        let prints = [monitor(&client, 0), monitor(&client, 1)];
        for print in &prints {
            drop(print.submit(&frame(1), None));
        }
        watch(&world, &client, &prints, 1, |event| {
            assert!(matches!(event.status, Status::Ok | Status::InvalidApiKey));
            event.kind == Kind::Latched
        });
        let owner = Arc::clone(&client);
        let owner = thread::spawn(move || owner.clear_latch());
        for print in &prints {
            // The owner may not have come to it yet.
            drop(print.submit(&frame(2), None));
        }
        owner.join().unwrap();
        let mut verdicts = HashSet::new();
        watch(&world, &client, &prints, 2, |event| {
            verdicts.extend((event.kind == Kind::Result).then_some(event.tag));
            verdicts.len() == 2
        });
        close(&world, &client);
    });
}

#[test]
fn a_panic_of_a_worker_ends_neither_the_others_nor_the_print() {
    try_orders(|| {
        let world = World::new(Service::PanicsOnce);
        let client = world.client(1);
        let print = monitor(&client, 0);
        print.submit(&frame(1), None).unwrap();
        let event = read_until(&client, Kind::Error);
        assert_eq!(event.status, Status::Panic);
        watch(&world, &client, &[print], 2, |event| {
            event.kind == Kind::Result
        });
        close(&world, &client);
    });
}

/// The end of the burst in which prints that are started together wait for each other.
const ALONE: Duration = Duration::from_secs(30);

#[test]
fn a_print_is_watched_that_begins_while_the_workers_of_the_last_one_end() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        for tag in 0..4 {
            world.advance(ALONE);
            let print = monitor(&client, tag);
            print.submit(&frame(1), None).unwrap();
            // Time stands still: nothing but a thread that is told so makes its calls.
            assert_eq!(read_until(&client, Kind::Result).tag, tag);
            print.stop();
        }
        close(&world, &client);
    });
}

#[test]
fn prints_that_begin_and_end_on_many_threads_are_all_watched() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let other = Arc::clone(&client);
        let other = thread::spawn(move || {
            for tag in 10..12 {
                monitor(&other, tag).stop();
            }
        });
        for tag in 0..2 {
            world.advance(ALONE);
            let print = monitor(&client, tag);
            print.submit(&frame(1), None).unwrap();
            watch(&world, &client, &[Arc::clone(&print), print], 2, |event| {
                event.kind == Kind::Result && event.tag == tag
            });
        }
        other.join().unwrap();
        close(&world, &client);
    });
}

#[test]
fn a_panic_of_the_only_worker_keeps_no_other_print_waiting() {
    try_orders(|| {
        let world = World::new(Service::PanicsOnce);
        let client = world.client(1);
        let first = monitor(&client, 0);
        world.advance(ALONE);
        let second = monitor(&client, 1);
        first.submit(&frame(1), None).unwrap();
        second.submit(&frame(1), None).unwrap();
        // One of them meets the panic. The other is served though time stands still.
        read_until(&client, Kind::Result);
        close(&world, &client);
    });
}

#[test]
fn a_worker_may_panic_anywhere_and_every_print_is_still_watched() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let reading = shuttle::rand::thread_rng().gen_range(0..40);
        world.trap.store(reading, Ordering::Relaxed);
        let prints = [monitor(&client, 0), monitor(&client, 1)];
        let mut verdicts = [0; 2];
        watch(&world, &client, &prints, 1, |event| {
            verdicts[event.tag as usize] += usize::from(event.kind == Kind::Result);
            verdicts.iter().all(|count| *count >= 3)
        });
        assert_eq!(world.trap.load(Ordering::Relaxed), usize::MAX, "it struck");
        close(&world, &client);
    });
}

#[test]
fn a_thread_that_is_not_to_be_had_is_asked_for_now_and_then_only() {
    try_orders(|| {
        let world = World::new(Service::HangsOnce);
        let client = world.client(2);
        // The scheduler and one worker, which hangs in the first call.
        world.left.store(2, Ordering::Relaxed);
        let prints = [monitor(&client, 0), monitor(&client, 1)];
        world.advance(ALONE);
        for print in &prints {
            print.submit(&frame(1), None).unwrap();
        }
        while world.frames().is_empty() {
            thread::yield_now();
        }
        for _ in 0..30 {
            world.advance(Duration::from_secs(1));
            thread::yield_now();
        }
        let refused = world.refused.load(Ordering::Relaxed);
        assert!(refused <= 4, "{refused} times within a minute");
        world.left.store(usize::MAX, Ordering::Relaxed);
        // When there is one again, the other print goes on beside the call that hangs.
        watch(&world, &client, &prints, 2, |event| {
            event.kind == Kind::Result
        });
        close(&world, &client);
    });
}

fn status(result: &Result<Outcome, Error>) -> Status {
    result
        .as_ref()
        .map_or_else(|error| error.status, |_| Status::Ok)
}

#[test]
fn of_two_calls_at_once_one_is_made() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let context = client.create_context(unset(), unset()).unwrap();
        let other = Arc::clone(&context);
        let other = thread::spawn(move || status(&other.process(&frame(1), None)));
        let both = [
            status(&context.process(&frame(2), None)),
            other.join().unwrap(),
        ];
        let refused = both.into_iter().find(|status| *status != Status::Ok);
        assert!(both.contains(&Status::Ok), "{both:?}");
        assert!(
            matches!(refused, Some(Status::Busy | Status::NotDue)),
            "{both:?}"
        );
        assert_eq!(world.frames().len(), 1);
    });
}

#[test]
fn a_call_beside_a_renewal_does_not_count_against_the_new_context() {
    try_orders(|| {
        let world = World::new(Service::FirstIsGone);
        let client = world.client(1);
        let context = client.create_context(unset(), unset()).unwrap();
        let renewing = Arc::clone(&context);
        let renewing = thread::spawn(move || renewing.renew());
        let mut call = status(&context.process(&frame(1), None));
        while call == Status::Busy {
            thread::yield_now();
            call = status(&context.process(&frame(1), None));
        }
        match renewing.join().unwrap() {
            Ok(()) => assert!(!context.info().using_fallback, "{call:?}"),
            Err(error) => assert_eq!((error.status, call), (Status::Busy, Status::Connect)),
        }
    });
}

#[test]
fn a_cancel_ends_the_call_in_flight_or_nothing() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let context = client.create_context(unset(), unset()).unwrap();
        let hand = Arc::clone(&context);
        let hand = thread::spawn(move || hand.cancel());
        let result = context.process(&frame(1), None);
        assert!(matches!(status(&result), Status::Ok | Status::Cancelled));
        hand.join().unwrap();
        // It has no effect on what comes later.
        while let Due::In(wait) = context.due() {
            if wait.is_zero() {
                break;
            }
            world.advance(wait);
        }
        assert_eq!(status(&context.process(&frame(2), None)), Status::Ok);
    });
}

#[test]
fn a_wait_ends_when_its_context_goes_though_time_stands_still() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let context = client.create_context(unset(), unset()).unwrap();
        context.process(&frame(1), None).unwrap();
        let waiting = Arc::clone(&context);
        let waiting = thread::spawn(move || waiting.wait_due().unwrap_err().status);
        context.set_interval_sec(60).unwrap();
        context.close();
        assert_eq!(waiting.join().unwrap(), Status::Cancelled);
    });
}

#[test]
fn a_wait_ends_when_the_account_is_blocked_though_time_stands_still() {
    try_orders(|| {
        let world = World::new(Service::BlockedAt(1));
        let client = world.client(1);
        let [waiting, calling] = [0, 0].map(|_| client.create_context(unset(), unset()).unwrap());
        waiting.process(&frame(1), None).unwrap();
        let waiting = thread::spawn(move || waiting.wait_due().unwrap_err().status);
        calling.process(&frame(2), None).unwrap_err();
        assert_eq!(waiting.join().unwrap(), Status::InvalidApiKey);
    });
}

#[test]
fn waits_end_when_their_time_comes_or_their_context_goes() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = world.client(1);
        let context = client.create_context(unset(), unset()).unwrap();
        context.process(&frame(1), None).unwrap();
        let waiting = Arc::clone(&context);
        let waiting = thread::spawn(move || waiting.wait_due());
        let clock = world.seconds(30);
        let closer = Arc::clone(&context);
        let closer = thread::spawn(move || {
            closer.set_interval_sec(60).unwrap();
            closer.close();
        });
        let end = waiting.join().unwrap();
        let status = end.map_or_else(|error| error.status, |()| Status::Ok);
        assert!(
            matches!(status, Status::Ok | Status::Cancelled),
            "{status:?}"
        );
        closer.join().unwrap();
        clock.join().unwrap();
    });
}

/// A host's log function: it takes long now and then, and other threads go on meanwhile.
struct Slow {
    world: Arc<World>,
    lines: Arc<Mutex<Vec<String>>>,
    inside: AtomicBool,
}

impl Output for Slow {
    fn write(&self, _: Level, line: &CStr) {
        assert!(!self.inside.swap(true, Ordering::Relaxed), "two at a time");
        thread::yield_now();
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            self.world.advance(SHARE);
        }
        self.lines
            .lock()
            .unwrap()
            .push(line.to_string_lossy().into());
        self.inside.store(false, Ordering::Relaxed);
    }
}

#[test]
fn every_line_is_logged_in_order_whoever_hands_over_to_whom() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let slow = Slow {
            world: Arc::clone(&world),
            lines: Arc::clone(&lines),
            inside: AtomicBool::new(false),
        };
        // Now and then there are too few threads.
        let left = shuttle::rand::thread_rng().gen_range(0..8);
        world.left.store(left, Ordering::Relaxed);
        let queue = Arc::new(Queue::new(slow, world.outside()));
        let threads = ["a", "b", "c"].map(|name| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for n in 0..3 {
                    queue.line(Level::Info, &format!("{name} {n}"));
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            while world.threads.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
            let enough = world.refused.load(Ordering::Relaxed) == 0;
            let logged = lines.lock().unwrap().len();
            assert!(!enough || logged == 9, "{logged}, and nobody is left");
        }
        // What no thread could be had for is written at the end, or counted; then nobody writes.
        drop(queue);
        let lines = lines.lock().unwrap();
        let own = |name| {
            lines
                .iter()
                .filter(move |line: &&String| line.starts_with(name))
        };
        for name in ["a", "b", "c"] {
            assert!(own(name).is_sorted(), "{lines:?}");
        }
        let missing = lines.iter().find_map(|line| line.split_once(" lines of"));
        let missing: usize = missing.map_or(0, |(count, _)| count.parse().unwrap());
        assert_eq!(
            ["a", "b", "c"]
                .map(|name| own(name).count())
                .iter()
                .sum::<usize>()
                + missing,
            9
        );
    });
}

/// Looks for a while, unless it is stopped; never more at once than there are turns.
struct Eyes {
    turns: usize,
    looking: AtomicUsize,
    /// Which look, counted down to 0, ends with a panic of ours.
    trap: AtomicUsize,
}

impl Eyes {
    fn client(world: &Arc<World>, turns: usize, trap: usize) -> Arc<Client> {
        let mut options = Options::default();
        options.set_backend(1).unwrap();
        options.set_timeout_ms(4_000).unwrap();
        let eyes = Arc::new(Eyes {
            turns,
            looking: AtomicUsize::new(0),
            trap: AtomicUsize::new(trap),
        });
        let turns = Arc::new(Turns::new(turns));
        Client::with_engine(&options, world.outside(), turns, |_| Ok(eyes)).unwrap()
    }
}

struct Looking<'a>(&'a AtomicUsize);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine for Eyes {
    fn model(&self) -> &str {
        "eyes"
    }

    fn accepts(&self, _: &str) -> bool {
        true
    }

    fn look(&self, look: &Look<'_>) -> Result<Seen, LookError> {
        let others = self.looking.fetch_add(1, Ordering::Relaxed);
        let _looking = Looking(&self.looking);
        assert!(others < self.turns, "{others} look already");
        for _ in 0..3 {
            thread::yield_now();
            if (look.stop)() {
                return Err(LookError::Stopped);
            }
        }
        if self.trap.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::panic::resume_unwind(Box::new(()));
        }
        Ok(Seen::Opinion(Opinion {
            quality: 9,
            score: 3,
            warning: false,
            pause: false,
            faster: false,
            place: None,
            belief: "belief".into(),
        }))
    }
}

/// A look on a thread of its own; none when it panicked.
fn look(session: &Arc<Session>) -> JoinHandle<Option<Status>> {
    let session = Arc::clone(session);
    thread::spawn(move || {
        let call = || session.process(&frame(1), None);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        ended
            .ok()
            .map(|result| result.map_or_else(|error| error.status, |_| Status::Ok))
    })
}

/// Four wait for two turns; one is cancelled, one is freed, time passes until deadlines are over. Each
/// ends, and all turns are there again.
#[test]
fn looks_take_turns_and_give_them_back() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = Eyes::client(&world, 2, usize::MAX);
        let print = || client.create_context(unset(), unset()).unwrap();
        let prints = [print(), print(), print(), print()];
        let looks: Vec<_> = prints.iter().map(look).collect();
        let clock = world.seconds(6);
        let [cancelled, freed, ..] = prints.clone();
        let hand = thread::spawn(move || {
            cancelled.cancel();
            freed.close();
        });
        let ends: Vec<_> = looks.into_iter().map(|one| one.join().unwrap()).collect();
        hand.join().unwrap();
        clock.join().unwrap();
        for (nth, end) in ends.into_iter().enumerate() {
            let told = end.unwrap();
            let expected = [Status::Ok, Status::Timeout].contains(&told);
            assert!(
                expected || (told == Status::Cancelled && nth < 2),
                "{nth}: {told:?}"
            );
        }
        // Both turns are free.
        let again = [print(), print()];
        let looks: Vec<_> = again.iter().map(look).collect();
        for one in looks {
            assert_eq!(one.join().unwrap(), Some(Status::Ok));
        }
    });
}

/// One turn, and whoever has it panics: the others have theirs all the same.
#[test]
fn a_look_that_panics_gives_its_turn_back() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = Eyes::client(&world, 1, 1);
        let print = || client.create_context(unset(), unset()).unwrap();
        let prints = [print(), print(), print()];
        let looks: Vec<_> = prints.iter().map(look).collect();
        let ends: Vec<_> = looks.into_iter().map(|one| one.join().unwrap()).collect();
        let well = ends.iter().filter(|end| **end == Some(Status::Ok)).count();
        assert_eq!(well, 2, "{ends:?}");
        let panicked = prints
            .iter()
            .filter(|one| one.info().last_status == Status::Panic);
        assert_eq!(panicked.count(), 1);
    });
}

/// A monitor of the engine is stopped and its client closed while it looks.
#[test]
fn a_monitor_s_look_ends_with_it() {
    try_orders(|| {
        let world = World::new(Service::Verdicts);
        let client = Eyes::client(&world, 1, usize::MAX);
        let prints = [monitor(&client, 1), monitor(&client, 2)];
        let clock = world.seconds(10);
        for print in &prints {
            drop(print.submit(&frame(1), None));
        }
        let [first, _] = &prints;
        let first = Arc::clone(first);
        let hand = thread::spawn(move || first.stop());
        close(&world, &client);
        hand.join().unwrap();
        clock.join().unwrap();
    });
}
