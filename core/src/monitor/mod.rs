//! The process loop, pulled: a host submits frames when it has them and reads events when it likes.
//!
//! A [`Monitor`] keeps one print's context, and makes its calls when they are due. All monitors of
//! a client share one scheduler thread and a few workers (`threads`), one place with everything
//! that is known of them (`scheduler`) and one queue of events (`events`). What a monitor does next is
//! decided without any of these (`plan`); doing it is `job`.

mod camera;
mod events;
mod job;
mod plan;
mod readiness;
mod scheduler;
mod stagger;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, Wake};
use crate::error::{Due, Error, Status, refuse};
use crate::frame::{self, Age, Frame};
use crate::platform::moment::Moment;
use crate::rules::confidence::Confidence;
use crate::rules::pacing::check_interval;
use crate::session::Session;
use crate::session::outcome::Info;
use crate::session::print_options::PrintOptions;
use crate::session::saved::{Saved, SavedMonitor, corners, regions};

pub use events::{Event, Kind};
use plan::MonitorState;
use scheduler::{Inner, Scheduler};

/// Events that ask the host to do something.
const ASKING: &[Kind] = &[Kind::FrameWanted, Kind::Warning, Kind::Pause];

/// The monitors of an account.
pub(crate) struct Monitors {
    account: Arc<Account>,
    /// Shared with the threads, which outlive this by a moment.
    scheduler: Arc<Scheduler>,
}

impl Monitors {
    pub(crate) fn new(account: &Arc<Account>) -> Arc<Monitors> {
        let monitors = Arc::new(Monitors {
            account: Arc::clone(account),
            scheduler: Arc::default(),
        });
        let weak = Arc::downgrade(&monitors);
        account.set_scheduler(weak);
        monitors
    }

    /// Ends the waits for events that are going on.
    pub(crate) fn cancel_waits(&self) {
        self.scheduler.cancel_waits();
    }

    /// Stops every monitor, ends every wait and waits for the threads.
    pub(crate) fn close(&self) {
        self.scheduler.close();
    }

    pub(crate) fn next_event(&self, timeout: Option<Duration>) -> Result<Option<Event>, Error> {
        self.scheduler.next_event(&self.account, timeout)
    }

    pub(crate) fn event_fd(&self) -> isize {
        self.scheduler.event_fd(&self.account.world)
    }

    /// Does, on the calling thread, all that is due now.
    pub(crate) fn turn(self: &Arc<Self>) {
        loop {
            let job = {
                let mut inner = self.scheduler.lock();
                threads::due(self, &mut inner, self.account.world.clock.now());
                inner.jobs.pop_front()
            };
            match job {
                Some(id) => job::run(self, id),
                None => return,
            }
        }
    }
}

impl Wake for Monitors {
    /// The latch has changed: every monitor is looked at again.
    fn wake(&self) {
        self.scheduler.review_all(&self.account);
    }
}

/// One print that is watched.
pub struct Monitor {
    monitors: Arc<Monitors>,
    id: u64,
}

impl Monitor {
    pub(crate) fn start(
        monitors: &Arc<Monitors>,
        options: PrintOptions,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        monitors.account.refuse_if_latched()?;
        Monitor::enlist(monitors, MonitorState::new(tag, options))
    }

    pub(crate) fn start_saved(
        monitors: &Arc<Monitors>,
        text: &str,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        monitors.account.refuse_if_latched()?;
        let saved = SavedMonitor::decode(text)?;
        let damaged = |_| Error::with_text(Status::Argument, "the saved text is damaged");
        let level = |level: u8| Confidence::new(level.into()).map_err(damaged);
        let options = PrintOptions {
            warning: level(saved.warning_level)?,
            pause: level(saved.pause_level)?,
            ignore: regions(&saved.ignore).map_err(damaged)?,
            ..PrintOptions::default()
        };
        options.check().map_err(damaged)?;
        let replay = |context: &Saved| context.played_ms.is_some();
        let at_service = monitors.account.backend.has_account();
        let of_another = saved.embedded == at_service || (at_service && options.is_for_engine());
        if of_another || saved.context.as_ref().is_some_and(replay) {
            return Err(refuse("the saved text is not of a monitor of this backend"));
        }
        let mut watch = MonitorState::new(tag, options);
        watch.host_sec = saved
            .host_sec
            .map(check_interval)
            .transpose()
            .map_err(damaged)?;
        watch.muted = saved.muted;
        if let Some(context) = &saved.context {
            let session = Session::from_saved(&monitors.account, context)?;
            watch.session = Some(session.attach_monitor(saved.muted, false));
        }
        Monitor::enlist(monitors, watch)
    }

    fn enlist(monitors: &Arc<Monitors>, mut watch: MonitorState) -> Result<Arc<Monitor>, Error> {
        let id = monitors.account.new_id();
        {
            let mut inner = monitors.scheduler.lock();
            if inner.closed {
                return Err(Error::local(Status::Handle));
            }
            let now = monitors.account.world.clock.now();
            watch.not_before = now + inner.stagger.wait(now);
            inner.monitors.insert(id, watch);
        }
        let monitor = Arc::new(Monitor {
            monitors: Arc::clone(monitors),
            id,
        });
        // Failing, the monitor is dropped, and with that taken out again.
        threads::ensure_scheduler(monitors)?;
        monitors
            .scheduler
            .review(&monitors.account, &mut monitors.scheduler.lock(), id);
        Ok(monitor)
    }

    /// Works on what is known of this monitor.
    fn with<T>(&self, body: impl FnOnce(&mut Inner, &Scheduler) -> T) -> Result<T, Error> {
        let scheduler = &self.monitors.scheduler;
        let mut inner = scheduler.lock();
        match inner.monitors.contains_key(&self.id) {
            true => Ok(body(&mut inner, scheduler)),
            false => Err(Error::local(Status::Closed)),
        }
    }

    /// As [`with`](Self::with), on the monitor alone.
    fn watch<T>(&self, body: impl FnOnce(&mut MonitorState) -> T) -> Result<T, Error> {
        let mut inner = self.monitors.scheduler.lock();
        match inner.monitors.get_mut(&self.id) {
            Some(watch) => Ok(body(watch)),
            None => Err(Error::local(Status::Closed)),
        }
    }

    fn review(&self, inner: &mut Inner, scheduler: &Scheduler) {
        scheduler.review(&self.monitors.account, inner, self.id);
    }

    /// Hands in a frame, which is copied; the newest wins. It is sent when one is due.
    ///
    /// # Errors
    /// `Closed`, what is wrong with the frame, the latch, `Resources`. While the print is paused,
    /// the frame is dropped without one.
    pub fn submit(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<(), Error> {
        let taken = self.try_submit(jpeg, captured_unix_ms);
        if let Err(error) = &taken
            && frame::is_refusal(error.status)
        {
            // Stopped meanwhile, there is nobody to tell.
            drop(self.with(|inner, scheduler| {
                scheduler.refused(&self.monitors.account, inner, self.id, error.status)
            }));
        }
        taken
    }

    fn try_submit(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<(), Error> {
        let clock = &self.monitors.account.world.clock;
        let (paused, session) = self.watch(|watch| (watch.paused, watch.session.clone()))?;
        frame::check(jpeg)?;
        if paused {
            return Ok(());
        }
        let now = Moment::of(&**clock);
        let age = Age::new(captured_unix_ms, clock.wall_ms(), now);
        let digest = self.monitors.account.world.digest(jpeg);
        if session.is_some_and(|session| session.rejected(digest)) {
            return Err(Error::local(Status::ImageRejected));
        }
        if frame::is_too_old(age.at(&now), self.monitors.account.config.max_frame_age) {
            return Err(Error::local(Status::StaleFrame));
        }
        self.monitors.account.refuse_if_latched()?;
        let frame = Frame::copy(jpeg, digest, age)?;
        let replaced = self.with(|inner, scheduler| self.put(inner, scheduler, frame))??;
        drop(replaced);
        Ok(())
    }

    /// Gives the frame that is no longer needed, to be freed without the lock.
    fn put(
        &self,
        inner: &mut Inner,
        scheduler: &Scheduler,
        frame: Frame,
    ) -> Result<Option<Frame>, Error> {
        let Some(watch) = inner.monitors.get_mut(&self.id) else {
            return Ok(Some(frame));
        };
        if watch.paused {
            return Ok(Some(frame));
        }
        if watch.predates(&frame) {
            let text = "the frame was taken before the print went on; take a new one";
            return Err(Error::with_text(Status::StaleFrame, text));
        }
        let (replaced, back) = watch.put(frame);
        scheduler.frame_came(inner, self.id);
        if back {
            let now = Moment::of(&*self.monitors.account.world.clock);
            scheduler.enqueue(
                inner,
                self.id,
                events::PendingEvent::plain(Kind::CameraBack),
                now,
            );
        }
        self.review(inner, scheduler);
        Ok(replaced)
    }

    /// The print is paused: nothing is sent until it goes on, the context is kept. Unread events
    /// that ask for something are removed.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pause(&self) -> Result<(), Error> {
        let frame = self.with(|inner, scheduler| {
            let frame = inner.monitors.get_mut(&self.id).and_then(|watch| {
                if let Some(session) = &watch.session {
                    session.set_held(true);
                }
                watch.pause()
            });
            scheduler.drop_pending_alerts(inner, self.id, ASKING);
            self.review(inner, scheduler);
            frame
        })?;
        drop(frame);
        Ok(())
    }

    /// The print goes on. Frames taken before are not sent.
    ///
    /// # Errors
    /// `Closed`.
    pub fn resume(&self) -> Result<(), Error> {
        let now = Moment::of(&*self.monitors.account.world.clock);
        self.with(|inner, scheduler| {
            let watch = inner.monitors.get_mut(&self.id);
            if let Some(watch) = watch.filter(|watch| watch.paused) {
                if let Some(session) = &watch.session {
                    session.set_held(false);
                }
                watch.resume(now);
            }
            self.review(inner, scheduler);
        })
    }

    /// No alerts for the rest of this print, or again.
    ///
    /// # Errors
    /// `Closed`.
    pub fn mute(&self, muted: bool) -> Result<(), Error> {
        self.with(|inner, scheduler| {
            if let Some(watch) = inner.monitors.get_mut(&self.id) {
                watch.muted = muted;
                if let Some(session) = &watch.session {
                    session.mute(muted);
                }
            }
            if muted {
                scheduler.drop_pending_alerts(inner, self.id, ASKING);
            }
        })
    }

    /// The host's own interval in seconds; 0 follows the service.
    ///
    /// # Errors
    /// `Closed`, `Argument` above 14 days.
    pub fn set_interval_sec(&self, sec: u32) -> Result<(), Error> {
        self.with(|inner, scheduler| {
            check_interval(sec)?;
            if let Some(watch) = inner.monitors.get_mut(&self.id) {
                watch.host_sec = Some(sec);
                if let Some(session) = &watch.session {
                    session.set_interval_sec(sec)?;
                }
            }
            self.review(inner, scheduler);
            Ok(())
        })?
    }

    /// As [`Session::set_confidence`]; a context at the service is made anew for it when the pace of
    /// renewals allows it.
    ///
    /// # Errors
    /// `Closed`.
    pub fn set_confidence(&self, warning: Confidence, pause: Confidence) -> Result<(), Error> {
        self.with(|inner, scheduler| {
            if let Some(watch) = inner.monitors.get_mut(&self.id) {
                watch.options.warning = warning;
                watch.options.pause = pause;
                if let Some(session) = &watch.session {
                    session.set_confidence(warning, pause);
                }
            }
            self.review(inner, scheduler);
        })
    }

    /// What is known of the print. Never waits for a call in flight.
    ///
    /// # Errors
    /// `Closed`.
    pub fn info(&self) -> Result<Info, Error> {
        let now = self.monitors.account.world.clock.now();
        let create_at = self.monitors.account.create_at(now);
        let latched = self.monitors.account.latch.status().is_some();
        self.watch(|watch| {
            let calls = watch.calls(create_at, now);
            let next = calls.process.or(calls.context.map(|(_, at)| at));
            let due = match next {
                Some(at) if !latched => Due::In(at.saturating_sub(now)),
                _ => Due::Never,
            };
            let known = watch.session.as_ref().map(|session| session.info());
            let known = known.unwrap_or(Info {
                using_fallback: false,
                failures_in_a_row: 0,
                last_quality: 0,
                age_sec: 0,
                calls: 0,
                last_status: watch.last_status,
                due,
            });
            Info { due, ..known }
        })
    }

    /// This print as text, to survive a restart of the host. A secret: it holds the URLs. Alerts
    /// that were raised but not read yet are saved as not raised.
    ///
    /// # Errors
    /// `Closed`.
    pub fn save(&self) -> Result<String, Error> {
        let saved = self.with(|inner, _| {
            inner.monitors.get(&self.id).map(|watch| {
                let snapshot = |session: &Arc<Session>| session.snapshot(watch.undelivered);
                let context = watch.session.as_ref().map(snapshot);
                SavedMonitor {
                    warning_level: watch.options.warning.level().unwrap_or(0),
                    pause_level: watch.options.pause.level().unwrap_or(0),
                    host_sec: watch.host_sec,
                    muted: watch.muted,
                    embedded: !self.monitors.account.backend.has_account(),
                    ignore: corners(&watch.options.ignore),
                    context,
                }
            })
        })?;
        Ok(saved.unwrap_or_default().encode())
    }

    /// The print has ended: a verdict still in flight is dropped, nothing of it is told any more.
    /// Waits for the call in flight, which it cancels, less than 2 s. Stopping twice is nothing.
    pub fn stop(&self) {
        self.monitors.scheduler.remove(self.id);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
