//! What is known of a monitor's camera: whether it was asked for a frame, what became of those it
//! gave, and when to say that it has stalled.

use std::time::Duration;

use super::plan::{Plan, earlier};
use crate::error::Status;
use crate::frame::Frame;
use crate::platform::digest::Digest;

/// A frame is asked for this long before it is due.
const ASK_AHEAD: Duration = Duration::from_secs(2);
/// And again this often, until one comes.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Asked for this long in vain, or nothing but refused frames for this long, and the camera is said
/// to have stalled.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// The same bytes this many times, and the camera is said to have stalled.
const FROZEN_AFTER: u32 = 3;
/// One frame that is refused is none; so many in a row may be all there are.
const REFUSED_IN_A_ROW: u32 = 2;

/// How long the host has been asked for a frame.
#[derive(Clone, Copy, Debug)]
struct Asked {
    first: Duration,
    last: Duration,
}

/// Frames that were refused, and none that was not in between.
#[derive(Clone, Copy, Debug)]
struct Refused {
    first: Duration,
    count: u32,
    /// Why the last one was.
    status: Status,
    /// Some were taken over at first: that one is, says nothing of its use.
    taken_over: bool,
}

/// What the host was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Fine,
    Silent,
    Frozen,
    Unusable {
        /// As in [`Refused`].
        taken_over: bool,
    },
}

/// One camera.
#[derive(Debug, Default)]
pub(super) struct Camera {
    told: Told,
    asked: Option<Asked>,
    same: (Option<Digest>, u32),
    refused: Option<Refused>,
}

impl Camera {
    /// A frame was taken over, to be sent when one is due. Whether the camera is back.
    pub(super) fn came(&mut self, digest: Digest) -> bool {
        self.asked = None;
        // What was refused before was so at once: this is the first frame of use.
        self.refused = self.refused.filter(|refused| refused.taken_over);
        let back = match self.told {
            Told::Fine | Told::Unusable { taken_over: true } => false,
            Told::Silent | Told::Unusable { taken_over: false } => true,
            Told::Frozen => self.same.0 != Some(digest),
        };
        if back {
            self.told = Told::Fine;
        }
        back
    }

    /// A frame is sent. Whether the camera turns out to be frozen, which is told once.
    pub(super) fn is_frozen(&mut self, digest: Digest) -> bool {
        self.asked = None;
        if self.same.0 == Some(digest) {
            self.same.1 = self.same.1.saturating_add(1);
        } else {
            self.same = (Some(digest), 1);
        }
        let frozen = self.same.1 >= FROZEN_AFTER && self.told == Told::Fine;
        if frozen {
            self.told = Told::Frozen;
        }
        frozen
    }

    /// A frame was of no use: refused when it came, or, having been taken over, by the service, or
    /// it showed nothing. With what status the camera is to be said to have stalled, if it is.
    pub(super) fn refuse(
        &mut self,
        status: Status,
        taken_over: bool,
        now: Duration,
    ) -> Option<Status> {
        let before = self.refused.unwrap_or(Refused {
            first: now,
            count: 0,
            status,
            taken_over,
        });
        self.refused = Some(Refused {
            count: before.count.saturating_add(1),
            status,
            taken_over: before.taken_over || taken_over,
            ..before
        });
        // The first one was at another time: there are two at least.
        let over = now.saturating_sub(before.first) >= STALLED_AFTER;
        (over && self.told == Told::Fine).then(|| self.stall())
    }

    /// The service answered something else than that a frame is of no use. Whether the camera is
    /// back, which a verdict says.
    pub(super) fn answered(&mut self, verdict: bool) -> bool {
        self.refused = None;
        let back = verdict && matches!(self.told, Told::Unusable { .. });
        if back {
            self.told = Told::Fine;
        }
        back
    }

    /// Nothing is wanted for a while.
    pub(super) fn discard_frame(&mut self) {
        self.asked = None;
        self.refused = None;
    }

    /// The frame that was there has become too old: another is wanted, as if for the first time.
    pub(super) fn ask_anew(&mut self) {
        self.asked = None;
    }

    /// Why there is nothing of use, which is told from here on.
    fn stall(&mut self) -> Status {
        let often = |refused: &Refused| refused.count >= REFUSED_IN_A_ROW;
        match self.refused.filter(often) {
            Some(refused) => {
                let taken_over = refused.taken_over;
                self.told = Told::Unusable { taken_over };
                refused.status
            }
            None => {
                self.told = Told::Silent;
                Status::NoEvent
            }
        }
    }

    /// Asks for frames, and notices when none come. `frame` is the one that is there, `due` when
    /// one can be sent.
    pub(super) fn plan(
        &mut self,
        plan: &mut Plan,
        frame: Option<&Frame>,
        due: Duration,
        max_age: Duration,
        now: Duration,
    ) {
        let ask_at = due.saturating_sub(ask_ahead(max_age));
        if frame.is_some_and(|frame| frame.arrived() >= ask_at) {
            return;
        }
        let next_ask = match self.asked {
            None => ask_at,
            // The one that is there will do, if nothing newer comes.
            Some(_) if frame.is_some() => return,
            Some(asked) => (asked.last + ASK_AGAIN).max(ask_at),
        };
        if next_ask > now {
            plan.wake = earlier(plan.wake, next_ask);
        } else {
            plan.ask = true;
            let first = self.asked.map_or(now, |asked| asked.first);
            self.asked = Some(Asked { first, last: now });
            if frame.is_none() {
                plan.wake = earlier(plan.wake, now + ASK_AGAIN);
            }
        }
        if let (None, Some(asked), Told::Fine) = (frame, self.asked, self.told) {
            let silent_at = asked.first + STALLED_AFTER;
            if silent_at <= now {
                plan.stalled = Some(self.stall());
            } else {
                plan.wake = earlier(plan.wake, silent_at);
            }
        }
    }
}

/// Early enough to be answered, but not so early that the frame would be too old when it is due.
fn ask_ahead(max_age: Duration) -> Duration {
    match max_age.is_zero() {
        true => ASK_AHEAD,
        false => ASK_AHEAD.min(max_age / 2),
    }
}
