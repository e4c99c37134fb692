//! What an event loop waits on: a descriptor that is readable while there are unread events.

use std::io;

/// A signal, and whether it is set.
#[derive(Debug)]
pub(super) struct Readiness {
    signal: Signal,
    shown: bool,
}

impl Readiness {
    pub(super) fn new() -> io::Result<Readiness> {
        Ok(Readiness {
            signal: Signal::new()?,
            shown: false,
        })
    }

    /// Makes it readable or not.
    pub(super) fn show(&mut self, ready: bool) {
        match (self.shown, ready) {
            (false, true) => self.signal.set(),
            (true, false) => self.signal.clear(),
            _ => return,
        }
        self.shown = ready;
    }

    /// The descriptor.
    pub(super) fn number(&self) -> isize {
        self.signal.number()
    }
}

/// An event counter of the kernel: level-triggered, one descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Signal(std::os::fd::OwnedFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Signal {
    fn new() -> io::Result<Signal> {
        use rustix::event::{EventfdFlags, eventfd};
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Signal(eventfd(0, flags)?))
    }

    /// Makes it readable. It holds a count of at most 1, so this never blocks.
    fn set(&self) {
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    fn number(&self) -> isize {
        use std::os::fd::AsRawFd;
        self.0.as_raw_fd() as isize
    }
}

/// A pipe with a byte in it.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
#[derive(Debug)]
struct Signal {
    reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
impl Signal {
    fn new() -> io::Result<Signal> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Signal { reader, writer })
    }

    /// Makes it readable. It holds at most one byte, so this never blocks.
    fn set(&self) {
        use std::io::Write;
        drop((&self.writer).write_all(&[1]));
    }

    /// Makes it unreadable. Called only while the byte is there, so this never blocks.
    fn clear(&self) {
        use std::io::Read;
        drop((&self.reader).read_exact(&mut [0]));
    }

    fn number(&self) -> isize {
        use std::os::fd::AsRawFd;
        self.reader.as_raw_fd() as isize
    }
}

/// There is none: hosts use the timeout of `next_event`.
#[cfg(not(unix))]
#[derive(Debug)]
struct Signal;

#[cfg(not(unix))]
impl Signal {
    fn new() -> io::Result<Signal> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set(&self) {}

    fn clear(&self) {}

    fn number(&self) -> isize {
        -1
    }
}
