//! Host names to addresses, on one thread that exists only while a look-up runs.
//!
//! `getaddrinfo` cannot be interrupted and may hang for most of a minute. So it runs on a thread
//! of its own, at most one per client, and whoever waits for it waits no longer than its call
//! allows. When a look-up fails or hangs, the last good answer serves: addresses of a service
//! change less often than a home router forgets how to resolve.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::call::Call;
use super::pins::Pins;
use crate::error::cause::Why;
use crate::platform::clock::Spawn;
use crate::transport::Failure;

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(60);
/// How long an answer may stand in for one that does not come.
const USABLE: Duration = Duration::from_secs(24 * 3_600);
/// How long a look-up may take before the last good answer is used.
const STALLED_AFTER: Duration = Duration::from_secs(5);
/// How often a waiting call looks at its deadline and cancel.
const SLICE: Duration = Duration::from_millis(250);
/// Names remembered: a service, its fallback, a proxy, and some more.
const MAX_NAMES: usize = 8;
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 32;
const THREAD: &str = "oe-resolve";

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Name = (String, u16);

#[derive(Default)]
struct Entry {
    name: Name,
    addresses: Vec<SocketAddr>,
    good_at: Option<Instant>,
    /// None of the addresses could be reached: they are asked for again, and used if nothing
    /// better comes.
    distrusted: bool,
    /// The number of its last look-up that ended, and why that failed.
    ended: u64,
    failed: Option<Arc<io::Error>>,
}

impl Entry {
    /// A look-up brought these. The address that worked stays the first.
    fn learn(&mut self, found: Vec<SocketAddr>) {
        let preferred = self.addresses.first().copied();
        let known = |address: &SocketAddr| Some(*address) == preferred;
        self.failed = None;
        self.addresses = found;
        self.good_at = Some(Instant::now());
        self.distrusted = false;
        if let Some(at) = self.addresses.iter().position(known) {
            self.addresses[..=at].rotate_right(1);
        }
    }
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// When the look-up began that is under way.
    running: Option<Instant>,
    /// How many look-ups have ended.
    ended: u64,
}

impl State {
    fn entry(&mut self, name: &Name) -> &mut Entry {
        let at = match self.entries.iter().position(|entry| entry.name == *name) {
            Some(at) => at,
            None => {
                if self.entries.len() == MAX_NAMES {
                    self.entries.remove(0);
                }
                self.entries.push(Entry {
                    name: name.clone(),
                    ..Entry::default()
                });
                self.entries.len() - 1
            }
        };
        &mut self.entries[at]
    }

    fn fresh(&mut self, name: &Name) -> Option<Vec<SocketAddr>> {
        let entry = self.entry(name);
        (!entry.distrusted && entry.good_at?.elapsed() < FRESH).then(|| entry.addresses.clone())
    }

    fn usable(&mut self, name: &Name) -> Option<Vec<SocketAddr>> {
        let entry = self.entry(name);
        (entry.good_at?.elapsed() < USABLE).then(|| entry.addresses.clone())
    }
}

struct Shared {
    state: Mutex<State>,
    ended: Condvar,
    lookup: Box<Lookup>,
}

/// One per client.
pub(super) struct Resolver {
    shared: Arc<Shared>,
    spawn: Arc<dyn Spawn>,
    pins: Pins,
}

impl Resolver {
    pub(super) fn new(spawn: Arc<dyn Spawn>, pins: Pins) -> Resolver {
        let lookup = |host: &str, port| Ok((host, port).to_socket_addrs()?.collect());
        Resolver {
            pins,
            ..Resolver::with(spawn, Box::new(lookup))
        }
    }

    pub(super) fn with(spawn: Arc<dyn Spawn>, lookup: Box<Lookup>) -> Resolver {
        let shared = Shared {
            state: Mutex::default(),
            ended: Condvar::new(),
            lookup,
        };
        Resolver {
            shared: Arc::new(shared),
            spawn,
            pins: Pins::default(),
        }
    }

    /// At least one address of a host, the last good one first.
    pub(super) fn lookup(
        &self,
        host: &str,
        port: u16,
        call: &Call,
    ) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(addresses) = self.pins.of(host) {
            return Ok(self.pinned((host.to_owned(), port), addresses));
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let name = (host.to_owned(), port);
        let mut state = self.shared.state.lock();
        let before = state.ended;
        loop {
            if let Some(addresses) = state.fresh(&name) {
                return Ok(addresses);
            }
            let entry = state.entry(&name);
            if entry.ended > before
                && let Some(error) = &entry.failed
            {
                let why = Why::new(&error.to_string()).under(Arc::clone(error) as _);
                let usable = state.usable(&name);
                return usable.ok_or_else(|| call.blame((Failure::Dns, why)));
            }
            let rest = call.remaining()?;
            let Some(since) = state.running else {
                state.running = Some(Instant::now());
                // Unlocked, because a job that cannot be started ends like any other.
                let started = MutexGuard::unlocked(&mut state, || self.start(&name));
                if let Err(error) = started {
                    let usable = state.usable(&name);
                    return usable.ok_or_else(|| call.blame_io(error, Failure::Resources));
                }
                continue;
            };
            if since.elapsed() >= STALLED_AFTER
                && let Some(addresses) = state.usable(&name)
            {
                return Ok(addresses);
            }
            self.shared.ended.wait_for(&mut state, rest.min(SLICE));
        }
    }

    /// The addresses that the user named, the one that worked last first.
    fn pinned(&self, name: Name, addresses: &[IpAddr]) -> Vec<SocketAddr> {
        let port = name.1;
        let mut state = self.shared.state.lock();
        let entry = state.entry(&name);
        if entry.addresses.is_empty() {
            let named = addresses.iter().map(|one| SocketAddr::new(*one, port));
            entry.addresses = named.collect();
        }
        entry.addresses.clone()
    }

    fn start(&self, name: &Name) -> io::Result<()> {
        let job = Job {
            shared: Arc::clone(&self.shared),
            name: name.clone(),
            found: Err(io::Error::other("the look-up did not end as it should")),
        };
        self.spawn.spawn(THREAD, Box::new(move || job.run()))
    }

    /// This address just worked: it is tried first next time.
    pub(super) fn prefer(&self, host: &str, port: u16, address: SocketAddr) {
        let mut state = self.shared.state.lock();
        let name = (host.to_owned(), port);
        let Some(entry) = state.entries.iter_mut().find(|entry| entry.name == name) else {
            return;
        };
        if let Some(at) = entry.addresses.iter().position(|known| *known == address) {
            entry.addresses[..=at].rotate_right(1);
        }
    }

    /// None of the addresses could be reached: the next call asks again.
    pub(super) fn distrust(&self, host: &str, port: u16) {
        let mut state = self.shared.state.lock();
        let name = (host.to_owned(), port);
        if let Some(entry) = state.entries.iter_mut().find(|entry| entry.name == name) {
            entry.distrusted = true;
        }
    }
}

/// A look-up under way. However it ends, whoever waits hears of it.
struct Job {
    shared: Arc<Shared>,
    name: Name,
    found: io::Result<Vec<SocketAddr>>,
}

impl Job {
    fn run(mut self) {
        let found = (self.shared.lookup)(&self.name.0, self.name.1);
        self.found = found.and_then(|mut found| {
            found.truncate(MAX_ADDRESSES);
            match found.is_empty() {
                true => Err(io::Error::other("the name has no address")),
                false => Ok(found),
            }
        });
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.ended += 1;
        state.running = None;
        let number = state.ended;
        let entry = state.entry(&self.name);
        entry.ended = number;
        match std::mem::replace(&mut self.found, Ok(Vec::new())) {
            Err(error) => entry.failed = Some(Arc::new(error)),
            Ok(found) => entry.learn(found),
        }
        drop(state);
        self.shared.ended.notify_all();
    }
}

#[cfg(test)]
mod tests;
