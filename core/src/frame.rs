//! One frame: what is checked before it may cost anything, and how it is known again.

use std::time::Duration;

use crate::error::{Error, Status};
use crate::platform::digest::Digest;
use crate::platform::moment::Moment;

/// The largest image the service takes, in bytes. Source: the public API documentation (6 MiB).
pub const MAX_IMAGE: usize = 6_291_456;

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

/// Whether a status of a submit says that the frame is of no use, and not who hands it in.
pub(crate) fn is_refusal(status: Status) -> bool {
    matches!(
        status,
        // The only argument of a submit that is checked there is the image, which may be empty.
        Status::Argument
            | Status::NotJpeg
            | Status::ImageTooLarge
            | Status::StaleFrame
            | Status::ImageRejected
    )
}

/// How old a frame is: by the wall clock once, at the call, and from then on by a clock that never
/// jumps and counts time asleep.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    at_start: Duration,
    start: Moment,
    stated: bool,
}

impl Age {
    /// The age of a frame at the call that hands it in, from its capture time in milliseconds since
    /// 1970. One from the future is new; without one it was taken just now.
    #[must_use]
    pub fn new(captured_unix_ms: Option<i64>, wall_ms: i64, call: Moment) -> Age {
        let captured = captured_unix_ms.unwrap_or(wall_ms);
        let ms = u64::try_from(wall_ms.saturating_sub(captured)).unwrap_or(0);
        Age {
            at_start: Duration::from_millis(ms),
            start: call,
            stated: captured_unix_ms.is_some(),
        }
    }

    /// The age at a later moment.
    #[must_use]
    pub fn at(&self, now: &Moment) -> Duration {
        self.at_start.saturating_add(now.since(&self.start))
    }

    /// The age that decides whether a verdict comes too late, of a frame that was sent at `sent`.
    /// Without a stated time nobody knows how old it is, and what its own upload takes says nothing
    /// of that: only what it waited before does, and what the device slept meanwhile.
    #[must_use]
    pub fn at_verdict(&self, sent: &Moment, now: &Moment) -> Duration {
        match self.stated {
            true => self.at(now),
            false => self.at(sent).saturating_add(now.asleep_since(sent)),
        }
    }

    /// Whether the frame was taken, or handed in, before this moment.
    #[must_use]
    pub fn predates(&self, moment: &Moment) -> bool {
        self.start.now() < moment.now() || self.at_start > self.start.since(moment)
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
        self.age.start.now()
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
        let secs = Duration::from_secs;
        let call = Moment::awake(secs(5));
        let age = Age::new(Some(1_000), 31_000, call);
        assert_eq!(age.at(&call), secs(30));
        assert_eq!(age.at(&Moment::awake(secs(6))), secs(31));
        assert_eq!(age.at(&call.after_sleep(secs(60))), secs(90));
        let future = Age::new(Some(i64::MAX), i64::MIN, call);
        assert_eq!(future.at(&call), Duration::ZERO);
        assert!(!is_too_old(
            Duration::from_secs(30),
            Duration::from_secs(30)
        ));
        assert!(is_too_old(Duration::from_secs(31), Duration::from_secs(30)));
        assert!(!is_too_old(Duration::from_secs(31), Duration::ZERO));
    }

    #[test]
    fn im_04_a_frame_without_a_time_is_not_late_because_of_its_own_upload() {
        let secs = Duration::from_secs;
        let call = Moment::awake(secs(100));
        // It waits so long, is on its way so long, and the device sleeps then so long.
        for (stated, waits, takes, sleeps, counts, age) in [
            (None, 0, 50, 0, 0, 50),
            (None, 20, 50, 0, 20, 70),
            (None, 0, 5, 3_600, 3_600, 3_605),
            (None, 20, 5, 60, 80, 85),
            (Some(0), 0, 50, 0, 50, 50),
            (Some(10), 20, 5, 0, 35, 35),
            (Some(10), 0, 5, 60, 75, 75),
        ] {
            let wall = 1_000_000;
            let captured = stated.map(|secs: i64| wall - secs * 1_000);
            let frame = Age::new(captured, wall, call);
            let sent = Moment::awake(secs(100 + waits));
            let came = Moment::awake(secs(100 + waits + takes)).after_sleep(secs(sleeps));
            let case = format!("{stated:?} {waits} {takes} {sleeps}");
            assert_eq!(frame.at_verdict(&sent, &came), secs(counts), "{case}");
            assert_eq!(frame.at(&came), secs(age), "{case}");
        }
    }

    #[test]
    fn a_frame_from_before_predates() {
        let secs = Duration::from_secs;
        let wall = 1_000_000;
        let resumed = Moment::awake(secs(100));
        // How old it is when it comes, how long after, and how long the device slept in between.
        for (old, after, slept, predates) in [
            (None, 0, 0, false),
            (None, 5, 0, false),
            (Some(4), 5, 0, false),
            (Some(6), 5, 0, true),
            (Some(0), 0, 0, false),
            (Some(64), 5, 60, false),
            (Some(66), 5, 60, true),
        ] {
            let call = Moment::awake(secs(100 + after)).after_sleep(secs(slept));
            let age = Age::new(old.map(|secs: i64| wall - secs * 1_000), wall, call);
            assert_eq!(age.predates(&resumed), predates, "{old:?} {after} {slept}");
        }
        let early = Age::new(None, wall, Moment::awake(secs(99)));
        assert!(early.predates(&resumed), "handed in before");
    }
}
