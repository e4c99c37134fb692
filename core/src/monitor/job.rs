//! What a worker does for one monitor: a create, a renewal or one frame.

use std::sync::Arc;

use super::Monitors;
use super::events::{Kind, PendingEvent};
use super::plan::{Busy, Task};
use super::scheduler::Inner;
use crate::account::Purpose;
use crate::backend::Print;
use crate::error::{Due, Error, Status};
use crate::frame::Frame;
use crate::platform::cancel::CancelToken;
use crate::platform::moment::Moment;
use crate::platform::own_thread::{self, RETRY_DELAY};
use crate::rules::alerts::NewAlerts;
use crate::rules::confidence::Confidence;
use crate::session::Session;
use crate::session::outcome::Outcome;

/// What is done, with what it needs.
enum Work {
    Create(Confidence, Confidence),
    Renew(Arc<Session>),
    Process(Arc<Session>, Frame),
}

/// A call that is being made for a monitor. Dropped unlanded, which only a panic does, it counts
/// as one.
struct Job<'a> {
    monitors: &'a Arc<Monitors>,
    id: u64,
    token: CancelToken,
    pauses: u32,
    creates: bool,
    completed: bool,
}

/// Does what a monitor has to do, if that is still so.
pub(super) fn run(monitors: &Arc<Monitors>, id: u64) {
    let Some((job, work)) = begin(monitors, id) else {
        return;
    };
    match work {
        Work::Create(warning, pause) => {
            let made = monitors
                .account
                .create(Purpose::Context, warning, pause, &job.token);
            job.created(made, (warning, pause));
        }
        Work::Renew(session) => {
            let renewed = session.renew();
            job.renewed(renewed);
        }
        Work::Process(session, frame) => {
            let result = session.process_frame(&frame);
            // Its memory is not kept for longer than it is needed.
            drop(frame);
            job.processed(&session, result);
        }
    }
}

fn begin(monitors: &Arc<Monitors>, id: u64) -> Option<(Job<'_>, Work)> {
    let scheduler = &monitors.scheduler;
    let mut inner = scheduler.lock();
    let moment = Moment::of(&*monitors.account.world.clock);
    let now = moment.now();
    let watch = inner.monitors.get_mut(&id)?;
    watch.queued = false;
    let latched = monitors.account.latch.status().is_some();
    let calls = watch.calls(monitors.account.create_at(now), now);
    let max_age = monitors.account.config.max_frame_age;
    let task = match watch.paused || latched {
        true => None,
        false => watch.ready(calls, max_age, moment),
    };
    let work = match (task, watch.session.clone()) {
        (Some(Task::Create), _) => {
            let options = &watch.options;
            Some((Work::Create(options.warning, options.pause), false))
        }
        (Some(Task::Renew), Some(session)) => Some((Work::Renew(session), false)),
        (Some(Task::Process), Some(session)) => watch
            .take()
            .map(|(frame, frozen)| (Work::Process(session, frame), frozen)),
        _ => None,
    };
    let Some((work, frozen)) = work else {
        scheduler.review(&monitors.account, &mut inner, id);
        return None;
    };
    let job = Job {
        monitors,
        id,
        token: CancelToken::new(),
        pauses: watch.pauses,
        creates: !matches!(work, Work::Process(..)),
        completed: false,
    };
    watch.busy = Some(Busy {
        thread: own_thread::me(),
        token: job.token.clone(),
    });
    inner.creating += usize::from(job.creates);
    if frozen {
        scheduler.enqueue(
            &mut inner,
            id,
            PendingEvent::plain(Kind::CameraStalled),
            moment,
        );
    }
    Some((job, work))
}

impl Job<'_> {
    /// Ends the call: what it brought is applied by `merge`, unless the monitor was stopped.
    fn end(&mut self, merge: impl FnOnce(&Self, &mut Inner)) {
        self.completed = true;
        let scheduler = &self.monitors.scheduler;
        let mut inner = scheduler.lock();
        inner.creating -= usize::from(self.creates);
        if inner.finishing.remove(&self.id).is_none()
            && let Some(watch) = inner.monitors.get_mut(&self.id)
        {
            watch.busy = None;
            merge(self, &mut inner);
            scheduler.review(&self.monitors.account, &mut inner, self.id);
        }
        if self.creates {
            scheduler.review_waiting(&self.monitors.account, &mut inner);
        }
        drop(inner);
        scheduler.ended.notify_all();
    }

    fn created(mut self, made: Result<Print, Error>, levels: (Confidence, Confidence)) {
        self.end(|job, inner| match made {
            Ok(print) => job.begin_print(inner, print, levels),
            Err(error) => {
                job.failed(inner, &error);
                job.enqueue_for_others(inner, &error);
            }
        });
    }

    /// The print was made with these levels; while it was, others may have been set.
    fn begin_print(&self, inner: &mut Inner, print: Print, levels: (Confidence, Confidence)) {
        let Some(watch) = inner.monitors.get_mut(&self.id) else {
            return;
        };
        let session = Session::new(&self.monitors.account, print, watch.options.clone());
        let session = session.made_with(levels);
        let session = session.attach_monitor(watch.muted, watch.paused);
        if let Some(sec) = watch.host_sec {
            // Checked when it was set.
            drop(session.set_interval_sec(sec));
        }
        watch.session = Some(session);
    }

    fn renewed(mut self, renewed: Result<(), Error>) {
        self.end(|job, inner| match renewed {
            Ok(()) => job.enqueue(inner, PendingEvent::plain(Kind::ContextRenewed)),
            Err(error) => job.failed(inner, &error),
        });
    }

    fn processed(mut self, session: &Session, result: Result<Outcome, Error>) {
        self.end(|job, inner| match result {
            Ok(outcome) => job.judged(inner, session, outcome),
            Err(error) if error.status == Status::Blind => job.blind(inner),
            Err(error) => {
                job.failed(inner, &error);
                job.unjudged(inner, &error);
            }
        });
    }

    /// No verdict came: what that says of the camera.
    fn unjudged(&self, inner: &mut Inner, error: &Error) {
        let now = self.monitors.account.world.clock.now();
        let Some(watch) = inner.monitors.get_mut(&self.id) else {
            return;
        };
        let stalled = match error.status {
            status @ (Status::ImageRejected | Status::ImageTooLarge) => {
                watch.camera.refuse(status, true, now)
            }
            Status::Cancelled => None,
            _ => {
                if error.http_status != 0 {
                    watch.camera.answered(false);
                }
                None
            }
        };
        if let Some(status) = stalled {
            self.enqueue(inner, PendingEvent::stalled(status));
        }
    }

    /// A picture came through, but showed nothing: no result, and no error either.
    fn blind(&self, inner: &mut Inner) {
        let now = self.monitors.account.world.clock.now();
        let Some(watch) = inner.monitors.get_mut(&self.id) else {
            return;
        };
        let counts = !watch.paused;
        let stalled = counts.then(|| watch.camera.refuse(Status::Blind, true, now));
        if std::mem::take(&mut watch.failing) {
            self.enqueue(inner, PendingEvent::plain(Kind::Recovered));
        }
        if let Some(status) = stalled.flatten() {
            self.enqueue(inner, PendingEvent::stalled(status));
        }
    }

    fn judged(&self, inner: &mut Inner, session: &Session, mut outcome: Outcome) {
        let Some(watch) = inner.monitors.get_mut(&self.id) else {
            return;
        };
        session.hand_over();
        // The print may have been paused or muted just after the session had judged it.
        let struck = watch.suppress_edges(&mut outcome, self.pauses);
        session.retract(struck, NewAlerts::default());
        let back = watch.camera.answered(true);
        if std::mem::take(&mut watch.failing) {
            self.enqueue(inner, PendingEvent::plain(Kind::Recovered));
        }
        if back {
            self.enqueue(inner, PendingEvent::plain(Kind::CameraBack));
        }
        let now = Moment::of(&*self.monitors.account.world.clock);
        self.monitors
            .scheduler
            .enqueue_verdict(inner, self.id, outcome, now);
    }

    /// Tells of an attempt that failed. What was refused here was none.
    fn failed(&self, inner: &mut Inner, error: &Error) {
        // What was tried has a cause, of the engine too, which answers with no HTTP status.
        let refused_here = error.http_status == 0
            && error.source.is_none()
            && (error.status.is_account()
                || matches!(error.status, Status::StaleFrame | Status::ImageRejected));
        let none = matches!(
            error.status,
            Status::Cancelled | Status::NotDue | Status::Busy
        );
        if refused_here || none {
            return;
        }
        if let Some(watch) = inner.monitors.get_mut(&self.id) {
            watch.failing = true;
            watch.last_status = error.status;
        }
        self.enqueue(inner, PendingEvent::failed(Kind::Error, error.clone()));
    }

    /// A create that failed made it later for every monitor that waits for one.
    fn enqueue_for_others(&self, inner: &mut Inner, error: &Error) {
        let moment = Moment::of(&*self.monitors.account.world.clock);
        let now = moment.now();
        if !error.status.is_error() || error.status.is_account() {
            return;
        }
        let wait: Vec<u64> = inner
            .monitors
            .iter_mut()
            .filter(|(id, watch)| **id != self.id && watch.waits_for_create(now))
            .map(|(id, watch)| {
                watch.failing = true;
                watch.last_status = error.status;
                *id
            })
            .collect();
        for id in wait {
            let pending = PendingEvent::failed(Kind::Error, error.clone());
            self.monitors.scheduler.enqueue(inner, id, pending, moment);
        }
    }

    fn enqueue(&self, inner: &mut Inner, pending: PendingEvent) {
        let now = Moment::of(&*self.monitors.account.world.clock);
        self.monitors
            .scheduler
            .enqueue(inner, self.id, pending, now);
    }
}

impl Drop for Job<'_> {
    fn drop(&mut self) {
        if self.completed {
            return;
        }
        let now = self.monitors.account.world.clock.now();
        let error = Error::local(Status::Panic).retry_after(Due::In(RETRY_DELAY));
        self.end(|job, inner| {
            if let Some(watch) = inner.monitors.get_mut(&job.id) {
                watch.not_before = now + RETRY_DELAY;
                if let Some(session) = &watch.session {
                    // Of a verdict that was lost on its way here nobody hears.
                    session.retract(session.hand_over(), NewAlerts::default());
                }
            }
            job.failed(inner, &error);
        });
    }
}
