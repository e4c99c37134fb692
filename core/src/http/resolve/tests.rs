//! The resolver against look-ups that fail, hang and panic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::platform::cancel::CancelToken;
use crate::platform::clock::StdSpawn;
use crate::rules::trust::Trust;
use crate::transport::Request;

fn call(timeout: Duration, cancel: &CancelToken) -> Call {
    let trust = Trust::endpoint("http://a.test").unwrap();
    Call::new(&Request {
        url: trust.create_url(),
        key: None,
        content_type: "",
        body: [b"", b"", b""],
        timeout,
        connect_timeout: timeout,
        cancel,
    })
}

fn lookup(resolver: &Resolver, host: &str, timeout: Duration) -> Result<Vec<SocketAddr>, Failure> {
    resolver.lookup(host, 80, &call(timeout, &CancelToken::new()))
}

const LONG: Duration = Duration::from_secs(20);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 80))
}

struct NoThreads;

impl Spawn for NoThreads {
    fn spawn(&self, _: &'static str, _: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[test]
fn addresses_need_no_thread_and_names_do() {
    let resolver = Resolver::new(Arc::new(NoThreads), Pins::default());
    assert_eq!(lookup(&resolver, "10.0.0.1", LONG), Ok(vec![address(1)]));
    let v6 = lookup(&resolver, "[::1]", LONG).unwrap();
    assert_eq!(v6, ["[::1]:80".parse().unwrap()]);
    assert_eq!(lookup(&resolver, "a.test", LONG), Err(Failure::Resources));
    assert_eq!(lookup(&resolver, "a.test", LONG), Err(Failure::Resources));
}

#[test]
fn an_answer_is_kept_and_the_address_that_worked_comes_first() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = Resolver::with(
        Arc::new(StdSpawn),
        Box::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(vec![address(1), address(2), address(3)])
        }),
    );
    assert_eq!(lookup(&resolver, "a.test", LONG).unwrap()[0], address(1));
    resolver.prefer("a.test", 80, address(3));
    let order = vec![address(3), address(1), address(2)];
    assert_eq!(lookup(&resolver, "a.test", LONG).unwrap(), order);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    resolver.distrust("a.test", 80);
    assert_eq!(lookup(&resolver, "a.test", LONG).unwrap(), order);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "distrusted: asked again");
}

#[test]
fn failures_and_panics_end_every_wait_and_the_last_good_answer_serves() {
    let round = AtomicUsize::new(0);
    let resolver = Resolver::with(
        Arc::new(StdSpawn),
        Box::new(move |host, _| match round.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::ErrorKind::NotFound.into()),
            1 => Ok(Vec::new()),
            2 => std::panic::resume_unwind(Box::new(host.len())),
            3 => Ok(vec![address(7)]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }),
    );
    for _ in 0..3 {
        assert_eq!(lookup(&resolver, "a.test", LONG), Err(Failure::Dns));
    }
    assert_eq!(lookup(&resolver, "a.test", LONG), Ok(vec![address(7)]));
    resolver.distrust("a.test", 80);
    assert_eq!(lookup(&resolver, "a.test", LONG), Ok(vec![address(7)]));
    assert_eq!(lookup(&resolver, "b.test", LONG), Err(Failure::Dns));
}

/// Look-ups that hang until told otherwise; counts those that run at the same time.
fn hanging() -> (Resolver, Arc<Mutex<()>>, Arc<AtomicUsize>) {
    let gate = Arc::new(Mutex::new(()));
    let most = Arc::new(AtomicUsize::new(0));
    let (held, seen, running) = (Arc::clone(&gate), Arc::clone(&most), AtomicUsize::new(0));
    let resolver = Resolver::with(
        Arc::new(StdSpawn),
        Box::new(move |_, _| {
            seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            drop(held.lock());
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![address(9)])
        }),
    );
    (resolver, gate, most)
}

#[test]
fn a_deadline_holds_while_a_lookup_hangs() {
    let (resolver, gate, most) = hanging();
    let held = gate.lock();
    for host in ["a.test", "a.test", "b.test"] {
        let start = Instant::now();
        let found = lookup(&resolver, host, Duration::from_millis(300));
        assert_eq!(found, Err(Failure::Timeout));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(290), "{took:?}");
        assert!(took < Duration::from_millis(800), "{took:?}");
    }
    drop(held);
    assert_eq!(lookup(&resolver, "b.test", LONG), Ok(vec![address(9)]));
    assert_eq!(most.load(Ordering::SeqCst), 1, "one at a time");
}

#[test]
fn a_cancel_ends_the_wait_for_a_lookup() {
    let (resolver, gate, _) = hanging();
    let held = gate.lock();
    let cancel = CancelToken::new();
    let other = cancel.clone();
    let start = Instant::now();
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        other.cancel();
    });
    let found = resolver.lookup("a.test", 80, &call(LONG, &cancel));
    assert_eq!(found, Err(Failure::Cancelled));
    assert!(start.elapsed() < Duration::from_secs(1));
    canceller.join().unwrap();
    drop(held);
}

#[test]
fn many_waiters_share_one_lookup() {
    let (resolver, gate, most) = hanging();
    let held = gate.lock();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| lookup(&resolver, "a.test", LONG)))
            .collect();
        thread::sleep(Duration::from_millis(100));
        drop(held);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(vec![address(9)]));
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lookup_that_hangs_gives_way_to_the_last_good_answer() {
    let (resolver, gate, _) = hanging();
    assert_eq!(lookup(&resolver, "a.test", LONG), Ok(vec![address(9)]));
    resolver.distrust("a.test", 80);
    let held = gate.lock();
    let start = Instant::now();
    assert_eq!(lookup(&resolver, "a.test", LONG), Ok(vec![address(9)]));
    let took = start.elapsed();
    assert!(
        took >= STALLED_AFTER - Duration::from_millis(50),
        "{took:?}"
    );
    assert!(took < STALLED_AFTER + Duration::from_secs(2), "{took:?}");
    // The same look-up still hangs: nobody waits for it again.
    let start = Instant::now();
    assert_eq!(lookup(&resolver, "a.test", LONG), Ok(vec![address(9)]));
    assert!(start.elapsed() < Duration::from_secs(1));
    drop(held);
}

#[test]
fn the_names_remembered_are_bounded() {
    let resolver = Resolver::with(
        Arc::new(StdSpawn),
        Box::new(|_, port| Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))])),
    );
    for n in 0..3 * MAX_NAMES {
        lookup(&resolver, &format!("n{n}.test"), LONG).unwrap();
    }
    assert_eq!(resolver.shared.state.lock().entries.len(), MAX_NAMES);
}

#[test]
fn pinned_addresses_are_never_looked_up_and_the_one_that_worked_comes_first() {
    let mut pins = Pins::default();
    pins.set("a.test", Some("10.0.0.1,10.0.0.2")).unwrap();
    pins.set("10.0.0.9", Some("10.0.0.3")).unwrap();
    let resolver = Resolver::new(Arc::new(NoThreads), pins);
    let both = Ok(vec![address(1), address(2)]);
    assert_eq!(lookup(&resolver, "A.TEST", LONG), both);
    resolver.distrust("a.test", 80);
    assert_eq!(
        lookup(&resolver, "a.test", LONG),
        both,
        "there are no others"
    );
    resolver.prefer("a.test", 80, address(2));
    let turned = Ok(vec![address(2), address(1)]);
    assert_eq!(lookup(&resolver, "a.test", LONG), turned);
    assert_eq!(lookup(&resolver, "10.0.0.9", LONG), Ok(vec![address(3)]));
    assert_eq!(lookup(&resolver, "b.test", LONG), Err(Failure::Resources));
}
