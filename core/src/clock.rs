//! Time, threads and the processor, as the library needs them; they can be replaced.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::frame::{self, Digest};
use crate::monitor::{self, Signal};

/// The clocks of one device.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment that never jumps. All waits are measured on it.
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
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock {
            start: Instant::now(),
        }
    }
}

/// Where a [`SystemClock`] begins, so that moments from before a restart, of a restored context
/// for example, are moments on it too.
const BEFORE_START: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        BEFORE_START.saturating_add(self.start.elapsed())
    }

    fn wall_ms(&self) -> i64 {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        }
    }

    #[cfg(target_os = "linux")]
    fn since_boot(&self) -> Option<Duration> {
        // nix's time has the size that the C library gives it, rustix's not on every target.
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).ok()?;
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        let nanos = u32::try_from(time.tv_nsec()).ok()?;
        Some(Duration::new(seconds, nanos))
    }

    #[cfg(not(target_os = "linux"))]
    fn since_boot(&self) -> Option<Duration> {
        None
    }

    #[cfg(target_os = "linux")]
    fn boot_id(&self) -> Option<String> {
        let path = "/proc/sys/kernel/random/boot_id";
        let bytes = crate::files::read(path.as_ref(), 128).ok()?;
        let id = std::str::from_utf8(&bytes).ok()?.trim();
        (!id.is_empty() && id.len() <= 64 && id.is_ascii()).then(|| id.to_owned())
    }

    #[cfg(not(target_os = "linux"))]
    fn boot_id(&self) -> Option<String> {
        None
    }
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
    /// [`frame::checksum`], compiled for the processor at hand if that is known.
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
            checksum: |jpeg| frame::checksum(jpeg),
            signal: monitor::signal,
        }
    }
}
