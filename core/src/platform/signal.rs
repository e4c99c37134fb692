//! What an event loop waits on: a descriptor that is readable while there are unread events.

use std::io;

/// Something of the system's that a host can wait for: set or not, until it is told otherwise.
pub trait Signal: Send + Sync {
    /// Sets it. Never called while it is set.
    fn set(&self);

    /// Clears it. Never called while it is clear.
    fn clear(&self);

    /// What the host passes to the system: a descriptor, or a handle.
    fn number(&self) -> isize;
}

/// The descriptor that Unix systems have.
///
/// # Errors
/// Out of descriptors; [`io::ErrorKind::Unsupported`] elsewhere than on Unix, where making one
/// takes `unsafe` and is therefore the C ABI's business.
pub fn signal() -> io::Result<Box<dyn Signal>> {
    #[cfg(unix)]
    return Ok(Box::new(Descriptor::new()?));
    #[cfg(not(unix))]
    return Err(io::ErrorKind::Unsupported.into());
}

/// An event counter of the kernel: level-triggered, one descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
struct Descriptor(std::os::fd::OwnedFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Descriptor {
    fn new() -> io::Result<Descriptor> {
        use rustix::event::{EventfdFlags, eventfd};
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Descriptor(eventfd(0, flags)?))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Signal for Descriptor {
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
struct Descriptor {
    reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
impl Descriptor {
    fn new() -> io::Result<Descriptor> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Descriptor { reader, writer })
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
impl Signal for Descriptor {
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
