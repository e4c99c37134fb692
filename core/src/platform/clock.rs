//! Time, threads and the processor, as the library needs them; they can be replaced.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::digest::{self, Digest};
use super::signal::{self, Signal};

/// The clocks of one device.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment that never jumps, and that stands still while the device sleeps.
    /// All waits are measured on it: after a sleep they go on, and do not all end at once.
    fn now(&self) -> Duration;

    /// Milliseconds since 1970 by the wall clock. May jump, may be wrong.
    fn wall_ms(&self) -> i64;

    /// Time since the device started, counting suspend; `None` where there is no such clock.
    fn since_boot(&self) -> Option<Duration>;

    /// What distinguishes this start of the device from every other; `None` where unknown.
    fn boot_id(&self) -> Option<String>;
}

/// The clocks of the system.
#[derive(Debug)]
pub struct SystemClock {
    start: Start,
}

/// Counters of a system whose [`Instant`] goes on while the device sleeps, as that of Windows does.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Time since some fixed moment, not counting what the device slept.
    pub awake: fn() -> Duration,
    /// Time since some fixed moment, counting that.
    pub with_sleep: fn() -> Duration,
}

#[derive(Debug)]
enum Start {
    Std(Instant),
    /// What `awake` was.
    Of(Counters, Duration),
}

impl SystemClock {
    /// A clock that runs on these counters.
    #[must_use]
    pub fn of(counters: Counters) -> SystemClock {
        SystemClock {
            start: Start::Of(counters, (counters.awake)()),
        }
    }
}

impl Default for SystemClock {
    /// On the standard library's [`Instant`], which stands still while Linux sleeps
    /// (`CLOCK_MONOTONIC`).
    fn default() -> Self {
        SystemClock {
            start: Start::Std(Instant::now()),
        }
    }
}

/// What a counter of units of 100 nanoseconds, as Windows has them, says.
#[must_use]
pub fn from_100_ns(units: u64) -> Duration {
    const PER_SECOND: u64 = 10_000_000;
    let nanos = u32::try_from(units % PER_SECOND * 100).unwrap_or(0);
    Duration::new(units / PER_SECOND, nanos)
}

/// Where a [`SystemClock`] begins, so that moments from before a restart, of a restored context
/// for example, are moments on it too.
const BEFORE_START: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        let passed = match &self.start {
            Start::Std(start) => start.elapsed(),
            Start::Of(counters, start) => (counters.awake)().saturating_sub(*start),
        };
        BEFORE_START.saturating_add(passed)
    }

    fn wall_ms(&self) -> i64 {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        }
    }

    fn since_boot(&self) -> Option<Duration> {
        match &self.start {
            Start::Std(_) => boot_clock(),
            Start::Of(counters, _) => Some((counters.with_sleep)()),
        }
    }

    #[cfg(target_os = "linux")]
    fn boot_id(&self) -> Option<String> {
        let path = "/proc/sys/kernel/random/boot_id";
        let bytes = crate::platform::files::read(path.as_ref(), 128).ok()?;
        let id = std::str::from_utf8(&bytes).ok()?.trim();
        (!id.is_empty() && id.len() <= 64 && id.is_ascii()).then(|| id.to_owned())
    }

    #[cfg(not(target_os = "linux"))]
    fn boot_id(&self) -> Option<String> {
        None
    }
}

#[cfg(target_os = "linux")]
fn boot_clock() -> Option<Duration> {
    // nix's time has the size that the C library gives it, rustix's not on every target.
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).ok()?;
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    let nanos = u32::try_from(time.tv_nsec()).ok()?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(not(target_os = "linux"))]
fn boot_clock() -> Option<Duration> {
    None
}

/// Starts the library's threads. The C ABI's implementation blocks all signals in them, which
/// takes `unsafe` and therefore does not live here.
pub trait Spawn: Send + Sync {
    /// Starts a named thread (at most 15 bytes).
    ///
    /// # Errors
    /// Whatever the system says when it has no thread to give.
    fn spawn(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()>;
}

/// Plain threads of the standard library.
#[derive(Debug, Default)]
pub struct StdSpawn;

impl Spawn for StdSpawn {
    fn spawn(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map(drop)
    }
}

/// What a client is given of the world outside.
#[derive(Clone)]
pub struct World {
    /// Its clocks.
    pub clock: Arc<dyn Clock>,
    /// Its threads.
    pub spawn: Arc<dyn Spawn>,
    /// [`digest::checksum`], compiled for the processor at hand if that is known.
    pub checksum: fn(&[u8]) -> u64,
    /// What event loops wait on.
    pub signal: fn() -> io::Result<Box<dyn Signal>>,
}

impl World {
    /// What a frame is known by.
    #[must_use]
    pub fn digest(&self, jpeg: &[u8]) -> Digest {
        Digest {
            len: jpeg.len(),
            sum: (self.checksum)(jpeg),
        }
    }
}

impl Default for World {
    fn default() -> Self {
        World {
            clock: Arc::new(SystemClock::default()),
            spawn: Arc::new(StdSpawn),
            checksum: |jpeg| digest::checksum(jpeg),
            signal: signal::signal,
        }
    }
}

#[cfg(all(test, not(oe_schedules)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn units_of_100_ns_are_read_whatever_they_are() {
        assert_eq!(from_100_ns(0), Duration::ZERO);
        assert_eq!(from_100_ns(1), Duration::from_nanos(100));
        assert_eq!(from_100_ns(10_000_001), Duration::new(1, 100));
        assert_eq!(
            from_100_ns(u64::MAX),
            Duration::new(u64::MAX / 10_000_000, 955_161_500)
        );
    }

    /// Two counters of units of 100 ns.
    static AWAKE: AtomicU64 = AtomicU64::new(5_000_000_000);
    static ALL: AtomicU64 = AtomicU64::new(90_000_000_000);

    #[test]
    fn waits_stand_still_while_the_device_sleeps_and_ages_do_not() {
        let clock = SystemClock::of(Counters {
            awake: || from_100_ns(AWAKE.load(Ordering::SeqCst)),
            with_sleep: || from_100_ns(ALL.load(Ordering::SeqCst)),
        });
        let (now, boot) = (clock.now(), clock.since_boot().unwrap_or_default());
        assert_eq!(now, BEFORE_START, "moments from before are moments on it");
        let pass = |counter: &AtomicU64, secs: u64| {
            counter.fetch_add(secs * 10_000_000, Ordering::SeqCst);
        };
        pass(&AWAKE, 7);
        pass(&ALL, 7);
        // It sleeps for an hour.
        pass(&ALL, 3_600);
        assert_eq!(clock.now() - now, Duration::from_secs(7));
        let passed = clock.since_boot().unwrap_or_default() - boot;
        assert_eq!(passed, Duration::from_secs(3_607));
        // A counter that goes backwards, which none should, stops the clock and does not wrap it.
        AWAKE.store(0, Ordering::SeqCst);
        assert_eq!(clock.now(), BEFORE_START);
    }

    /// Linux: what the default clock is made of is what the comments say.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_default_clock_is_monotonic_and_its_boot_clock_counts_sleep() {
        let monotonic = || {
            let clock = nix::time::ClockId::CLOCK_MONOTONIC;
            let time = nix::time::clock_gettime(clock).unwrap();
            Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
        };
        let clock = SystemClock::default();
        let (before, now, after) = (monotonic(), clock.now(), monotonic());
        std::thread::sleep(Duration::from_millis(20));
        let passed = clock.now() - now;
        assert!(passed >= Duration::from_millis(20));
        assert!(passed <= monotonic() - before && after >= before);
        let boot = clock.since_boot().unwrap_or_default();
        assert!(boot >= after, "{boot:?} is not less than {after:?}");
    }
}
