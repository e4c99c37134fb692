//! Plumbing: the library's threads. Each blocks all signals from its first instruction on, so that
//! a host's handlers only ever run on the host's threads.

use std::io;
use std::sync::Arc;

use oe_core::platform::clock::{Spawn, World};

use crate::guard;

/// Enough for a look-up through any name service, and for TLS. Given, because the standard library
/// would otherwise ask the environment, which the host may be changing.
const STACK: usize = 1024 * 1024;

/// Starts threads that take no signals and print no panics.
struct Threads;

impl Spawn for Threads {
    fn spawn(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        debug_assert!(name.starts_with("oe-") && name.len() <= 15, "{name}");
        // A thread starts with the mask of the one that starts it.
        let _blocked = Blocked::all();
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK)
            .spawn(move || guard::thread(work))
            .map(drop)
    }
}

/// The system's clocks, these threads, and this processor.
pub(crate) fn world() -> World {
    #[cfg(windows)]
    crate::windows::stay();
    let world = World {
        spawn: Arc::new(Threads),
        checksum: crate::checksum::checksum,
        ..World::default()
    };
    #[cfg(windows)]
    let world = World {
        clock: Arc::new(oe_core::platform::clock::SystemClock::of(
            crate::windows::COUNTERS,
        )),
        signal: crate::windows::signal,
        ..world
    };
    world
}

/// Keeps all signals from the calling thread while it lives.
#[cfg(unix)]
struct Blocked {
    before: libc::sigset_t,
}

#[cfg(unix)]
impl Blocked {
    fn all() -> Blocked {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: both sets are ours to write and large enough. `sigfillset` initialises the
        // first; it and `pthread_sigmask` cannot fail on valid pointers and a valid `how`, so the
        // second is initialised too.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Blocked {
                before: before.assume_init(),
            }
        }
    }
}

#[cfg(unix)]
impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that this very thread had; a guard is never sent to another
        // thread, as it lives on the stack of `spawn`.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            );
        }
    }
}

/// There are no signals to block.
#[cfg(not(unix))]
struct Blocked;

#[cfg(not(unix))]
impl Blocked {
    fn all() -> Blocked {
        Blocked
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn blocked_signals() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("SigBlk:"));
        line.unwrap().to_owned()
    }

    #[test]
    fn threads_are_named_and_take_no_signals() {
        let before = blocked_signals();
        let (send, receive) = mpsc::channel();
        Threads
            .spawn(
                "oe-test",
                Box::new(move || {
                    let name = std::thread::current().name().map(str::to_owned);
                    send.send((name, blocked_signals())).unwrap();
                }),
            )
            .unwrap();
        let (name, blocked) = receive.recv().unwrap();
        assert_eq!(name.as_deref(), Some("oe-test"));
        // All but SIGKILL and SIGSTOP, and the two that the C library keeps for itself.
        let mask = blocked.trim_start_matches("SigBlk:").trim();
        assert_eq!(
            u64::from_str_radix(mask, 16).unwrap() | 0x1_8004_0100,
            u64::MAX
        );
        assert_eq!(blocked_signals(), before, "the caller's mask is as it was");
    }
}
