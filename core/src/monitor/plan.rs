//! What is known of one monitor, and what it should do next. Pure: the times it depends on are
//! handed in.

use std::sync::Arc;
use std::time::Duration;

use super::camera::Camera;
use super::events::{Event, Kind};
use crate::error::Status;
use crate::frame::{self, Frame};
use crate::platform::cancel::CancelToken;
use crate::platform::moment::Moment;
use crate::rules::alerts::NewAlerts;
use crate::session::Session;
use crate::session::outcome::{Outcome, flags};
use crate::session::print_options::PrintOptions;

/// What a worker does for a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Create Context.
    Create,
    /// Create Context, for a context that is lost or given up.
    Renew,
    /// Send the frame.
    Process,
}

/// When which call may be made: what the pace of the client and of the context say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    /// The create or renewal to make, and when it may be made.
    pub(super) context: Option<(Task, Duration)>,
    /// When a frame may be sent; none while there is no context to send it to.
    pub(super) process: Option<Duration>,
}

impl Calls {
    /// Whether none will ever be made: the print is lost, and there is nobody to renew it at.
    pub(super) fn are_over(self) -> bool {
        self.context.is_none() && self.process.is_none()
    }
}

/// What is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Ask the host for a frame, now.
    pub(super) ask: bool,
    /// Say that the camera has stalled, now, and why.
    pub(super) stalled: Option<Status>,
    /// A worker has something to do, now.
    pub(super) task: Option<Task>,
    /// When to look again.
    pub(super) wake: Option<Duration>,
}

/// The call that is being made for a monitor.
pub(super) struct Busy {
    /// Who makes it.
    pub(super) thread: usize,
    /// Cancels a create.
    pub(super) token: CancelToken,
}

/// One monitor.
pub(super) struct MonitorState {
    pub(super) tag: u64,
    /// But for the interval, which is below.
    pub(super) options: PrintOptions,
    pub(super) host_sec: Option<u32>,
    pub(super) session: Option<Arc<Session>>,
    /// The first call waits for this, so that monitors started together do not call together.
    pub(super) not_before: Duration,
    pub(super) paused: bool,
    pub(super) muted: bool,
    pub(super) pauses: u32,
    /// Frames from before the print went on are not sent.
    pub(super) resumed: Option<Moment>,
    pub(super) frame: Option<Frame>,
    pub(super) camera: Camera,
    /// An error was told, and no success since.
    pub(super) failing: bool,
    pub(super) latch_told: bool,
    /// AlertState whose event is in the queue, unread.
    pub(super) undelivered: NewAlerts,
    /// Those of them whose flag the host has read in a result.
    pub(super) flagged: NewAlerts,
    /// How the last create ended, before there is a context to ask.
    pub(super) last_status: Status,
    /// Waits for a worker.
    pub(super) queued: bool,
    pub(super) busy: Option<Busy>,
    /// Where it stands in the timers.
    pub(super) timer: Option<Duration>,
}

impl MonitorState {
    pub(super) fn new(tag: u64, options: PrintOptions) -> MonitorState {
        MonitorState {
            tag,
            host_sec: (options.interval_sec != 0).then_some(options.interval_sec),
            options: PrintOptions {
                interval_sec: 0,
                ..options
            },
            session: None,
            not_before: Duration::ZERO,
            paused: false,
            muted: false,
            pauses: 0,
            resumed: None,
            frame: None,
            camera: Camera::default(),
            failing: false,
            latch_told: false,
            undelivered: NewAlerts::default(),
            flagged: NewAlerts::default(),
            last_status: Status::Ok,
            queued: false,
            busy: None,
            timer: None,
        }
    }

    /// When which call may be made. `create_at` is the client's pace.
    pub(super) fn calls(&self, create_at: Duration, now: Duration) -> Calls {
        let create_at = create_at.max(self.not_before);
        let Some(session) = &self.session else {
            return Calls {
                context: Some((Task::Create, create_at)),
                process: None,
            };
        };
        let schedule = session.schedule(now);
        let renewal = schedule.renew_in.map(|wait| create_at.max(now + wait));
        Calls {
            context: renewal.map(|at| (Task::Renew, at)),
            process: (!schedule.lost).then(|| self.not_before.max(now + schedule.process_in)),
        }
    }

    /// What to do at `now`. Remembers that the host was asked, and that a stall was told.
    pub(super) fn plan(&mut self, calls: Calls, max_age: Duration, moment: Moment) -> Plan {
        let mut plan = Plan::default();
        let now = moment.now();
        self.drop_old_frame(max_age, moment);
        plan.task = self.ready(calls, max_age, moment);
        if plan.task.is_some() {
            return plan;
        }
        plan.wake = calls.context.map(|(_, at)| at);
        // A frame is wanted for the next call; without a context, for the call after the create.
        let Some(due) = calls.process.or(plan.wake) else {
            return plan;
        };
        if self.frame.is_some() && calls.process.is_some() {
            plan.wake = earlier(plan.wake, due);
        }
        let frame = self.frame.as_ref();
        self.camera.plan(&mut plan, frame, due, max_age, now);
        plan
    }

    /// What can be done at `now`, if anything can.
    pub(super) fn ready(&self, calls: Calls, max_age: Duration, moment: Moment) -> Option<Task> {
        let now = moment.now();
        if let Some((task, _)) = calls.context.filter(|(_, at)| *at <= now) {
            return Some(task);
        }
        let frame = self.frame.as_ref()?;
        let usable = !frame::is_too_old(frame.age.at(&moment), max_age);
        (usable && calls.process? <= now).then_some(Task::Process)
    }

    /// Whether it would create its context now, if only a create were allowed.
    pub(super) fn waits_for_create(&self, now: Duration) -> bool {
        self.session.is_none() && !self.paused && self.busy.is_none() && self.not_before <= now
    }

    fn drop_old_frame(&mut self, max_age: Duration, now: Moment) {
        let too_old = |frame: &mut Frame| frame::is_too_old(frame.age.at(&now), max_age);
        if self.frame.take_if(too_old).is_some() {
            // It waited for too long, which is no fault of the camera's.
            self.camera.ask_anew();
        }
    }

    /// Whether a frame is from before the print went on.
    pub(super) fn predates(&self, frame: &Frame) -> bool {
        self.resumed
            .is_some_and(|resumed| frame.age.predates(&resumed))
    }

    /// Takes over a frame. Gives the one it replaces, and whether the camera is back.
    pub(super) fn put(&mut self, frame: Frame) -> (Option<Frame>, bool) {
        let back = self.camera.came(frame.digest);
        (self.frame.replace(frame), back)
    }

    /// Takes the frame out, to be sent. Whether the camera turns out to be frozen is told once.
    pub(super) fn take(&mut self) -> Option<(Frame, bool)> {
        let frame = self.frame.take()?;
        let frozen = self.camera.is_frozen(frame.digest);
        Some((frame, frozen))
    }

    /// The print is paused: nothing is sent, no frame is kept.
    pub(super) fn pause(&mut self) -> Option<Frame> {
        self.paused = true;
        self.pauses = self.pauses.wrapping_add(1);
        self.camera.discard_frame();
        self.frame.take()
    }

    /// The print goes on.
    pub(super) fn resume(&mut self, now: Moment) {
        self.paused = false;
        self.resumed = Some(now);
    }

    /// Forgets the frame, for as long as nothing may be sent.
    pub(super) fn discard_frame(&mut self) -> Option<Frame> {
        self.camera.discard_frame();
        self.frame.take()
    }

    /// Events that tell of these alerts are queued.
    pub(super) fn will_be_told(&mut self, new: NewAlerts) {
        self.undelivered.warning |= new.warning;
        self.undelivered.pause |= new.pause;
        self.flagged.warning &= !new.warning;
        self.flagged.pause &= !new.pause;
    }

    /// The host has read an event.
    pub(super) fn mark_delivered(&mut self, event: &Event) {
        match event.kind {
            Kind::Result => {
                let flags = event.outcome.map_or(0, |outcome| outcome.flags);
                self.flagged.warning |=
                    self.undelivered.warning && flags & flags::WARNING_EDGE != 0;
                self.flagged.pause |= self.undelivered.pause && flags & flags::PAUSE_EDGE != 0;
            }
            Kind::Warning => self.undelivered.warning = false,
            Kind::Pause => self.undelivered.pause = false,
            _ => {}
        }
    }

    /// The alerts of a verdict that may still be told: none when the print was paused since its
    /// frame was taken, or muted. Gives those that may not, which may then rise again.
    pub(super) fn suppress_edges(&self, outcome: &mut Outcome, pauses: u32) -> NewAlerts {
        if !self.paused && !self.muted && self.pauses == pauses {
            return NewAlerts::default();
        }
        outcome.flags &= !(flags::WARNING_EDGE | flags::PAUSE_EDGE);
        std::mem::take(&mut outcome.new)
    }
}

pub(super) fn earlier(one: Option<Duration>, other: Duration) -> Option<Duration> {
    Some(one.map_or(other, |one| one.min(other)))
}
