//! One frame: what is checked before it may cost anything, and how it is known again.

use std::time::Duration;

use twox_hash::XxHash3_64;

use crate::error::{Error, Status};

/// The largest image the service takes, in bytes. Source: the public API documentation (6 MiB).
pub const MAX_IMAGE: usize = 6_291_456;

/// Tells frames apart. Equal bytes have equal digests; different bytes of one length share one
/// with a chance of 1 in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Length in bytes.
    pub len: usize,
    /// XXH3, 64 bits.
    pub hash: u64,
}

impl Digest {
    /// Reads the whole frame once.
    #[must_use]
    pub fn of(jpeg: &[u8]) -> Digest {
        Digest {
            len: jpeg.len(),
            hash: XxHash3_64::oneshot(jpeg),
        }
    }
}

/// Checks that the bytes may be a JPEG and are not too many.
///
/// # Errors
/// `Argument` when empty, `NotJpeg`, `ImageTooLarge`.
pub fn check(jpeg: &[u8]) -> Result<(), Error> {
    if jpeg.is_empty() {
        return Err(Error::with_text(Status::Argument, "the image is empty"));
    }
    if !jpeg.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Err(Error::local(Status::NotJpeg));
    }
    if jpeg.len() > MAX_IMAGE {
        return Err(Error::local(Status::ImageTooLarge));
    }
    Ok(())
}

/// How old a frame is: by the wall clock once, by the monotonic clock from then on.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    at_start: Duration,
    start: Duration,
}

impl Age {
    /// The age of a frame at `now`, from its capture time. One from the future is new.
    #[must_use]
    pub fn new(captured_unix_ms: i64, wall_ms: i64, now: Duration) -> Age {
        let ms = u64::try_from(wall_ms.saturating_sub(captured_unix_ms)).unwrap_or(0);
        Age {
            at_start: Duration::from_millis(ms),
            start: now,
        }
    }

    /// The age at a later moment.
    #[must_use]
    pub fn at(&self, now: Duration) -> Duration {
        self.at_start.saturating_add(now.saturating_sub(self.start))
    }
}

/// A frame that waits to be sent.
pub(crate) struct Frame {
    pub(crate) jpeg: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) age: Age,
}

impl Frame {
    /// Copies a frame. `digest` and `age` are its own.
    ///
    /// # Errors
    /// `Resources` when there is no memory for it.
    pub(crate) fn copy(jpeg: &[u8], digest: Digest, age: Age) -> Result<Frame, Error> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(jpeg.len())
            .map_err(|_| Error::local(Status::Resources))?;
        copy.extend_from_slice(jpeg);
        Ok(Frame {
            jpeg: copy,
            digest,
            age,
        })
    }

    /// When it came here.
    pub(crate) fn arrived(&self) -> Duration {
        self.age.start
    }

    /// When it was taken.
    pub(crate) fn taken(&self) -> Duration {
        self.age.start.saturating_sub(self.age.at_start)
    }
}

/// Whether an age is over the limit; a limit of zero is none.
#[must_use]
pub fn is_too_old(age: Duration, limit: Duration) -> bool {
    !limit.is_zero() && age > limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn im_01_only_what_starts_like_a_jpeg_passes() {
        for bad in [
            &b"<html>"[..],
            b"\x89PNG\r\n",
            &[0; 100],
            b"\xFF\xD8",
            b"--b\r\n\r\n\xFF\xD8\xFF",
        ] {
            assert_eq!(check(bad).unwrap_err().status, Status::NotJpeg);
        }
        assert_eq!(check(b"").unwrap_err().status, Status::Argument);
        assert!(check(b"\xFF\xD8\xFF").is_ok());
    }

    #[test]
    fn up_04_up_05_the_cap_is_inclusive() {
        let mut image = vec![0; MAX_IMAGE];
        image[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
        assert!(check(&image).is_ok());
        image.push(0);
        assert_eq!(check(&image).unwrap_err().status, Status::ImageTooLarge);
    }

    #[test]
    fn im_04_age_uses_the_wall_clock_once() {
        let age = Age::new(1_000, 31_000, Duration::from_secs(5));
        assert_eq!(age.at(Duration::from_secs(5)), Duration::from_secs(30));
        assert_eq!(age.at(Duration::from_secs(6)), Duration::from_secs(31));
        let future = Age::new(i64::MAX, i64::MIN, Duration::ZERO);
        assert_eq!(future.at(Duration::ZERO), Duration::ZERO);
        assert!(!is_too_old(
            Duration::from_secs(30),
            Duration::from_secs(30)
        ));
        assert!(is_too_old(Duration::from_secs(31), Duration::from_secs(30)));
        assert!(!is_too_old(Duration::from_secs(31), Duration::ZERO));
    }

    #[test]
    fn one_bit_makes_another_digest() {
        let mut frame = vec![7; 100_000];
        let before = Digest::of(&frame);
        assert_eq!(before, Digest::of(&frame));
        frame[50_000] ^= 1;
        assert_ne!(before, Digest::of(&frame));
    }
}
