//! The process loop, pulled: a host submits frames when it has them and reads events when it likes.
//!
//! A [`Monitor`] keeps one print's context, and makes its calls when they are due. All monitors of
//! a client share one scheduler thread and a few workers (`threads`), one place with everything
//! that is known of them (`hub`) and one queue of events (`events`). What a monitor does next is
//! decided without any of these (`watch`); doing it is `work`.

mod burst;
mod camera;
mod events;
mod hub;
mod readiness;
mod threads;
mod watch;
mod work;

use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::config::{Confidence, check_interval};
use crate::error::{Due, Error, Status};
use crate::frame::{self, Age, Frame};
use crate::moment::Moment;
use crate::saved::SavedMonitor;
use crate::session::{Info, Session};

pub use events::{Event, Kind};
pub(crate) use hub::Hub;
use hub::Inner;
pub use readiness::{Signal, signal};
use watch::Watch;

/// Events that ask the host to do something.
const ASKING: &[Kind] = &[Kind::FrameWanted, Kind::Warning, Kind::Pause];

/// One print that is watched.
pub struct Monitor {
    client: Arc<Client>,
    id: u64,
}

impl Monitor {
    pub(crate) fn start(
        client: &Arc<Client>,
        warning: Confidence,
        pause: Confidence,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        client.refuse_if_latched()?;
        Monitor::enlist(client, Watch::new(tag, warning, pause))
    }

    pub(crate) fn start_saved(
        client: &Arc<Client>,
        text: &str,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        client.refuse_if_latched()?;
        let saved = SavedMonitor::decode(text)?;
        let damaged = |_| Error::with_text(Status::Argument, "the saved text is damaged");
        let level = |level: u8| Confidence::new(level.into()).map_err(damaged);
        let mut watch = Watch::new(tag, level(saved.warning_level)?, level(saved.pause_level)?);
        watch.host_sec = saved
            .host_sec
            .map(check_interval)
            .transpose()
            .map_err(damaged)?;
        watch.muted = saved.muted;
        if let Some(context) = &saved.context {
            let session = Session::from_saved(client, context)?;
            watch.session = Some(session.attend(saved.muted, false));
        }
        Monitor::enlist(client, watch)
    }

    fn enlist(client: &Arc<Client>, mut watch: Watch) -> Result<Arc<Monitor>, Error> {
        let id = client.new_id();
        {
            let mut inner = client.hub.lock();
            if inner.closed {
                return Err(Error::local(Status::Handle));
            }
            let now = client.world.clock.now();
            watch.not_before = now + inner.burst.wait(now);
            inner.watches.insert(id, watch);
        }
        let monitor = Arc::new(Monitor {
            client: Arc::clone(client),
            id,
        });
        // Failing, the monitor is dropped, and with that taken out again.
        threads::ensure_scheduler(client)?;
        client.hub.review(client, &mut client.hub.lock(), id);
        Ok(monitor)
    }

    /// Works on what is known of this monitor.
    fn with<T>(&self, body: impl FnOnce(&mut Inner, &Hub) -> T) -> Result<T, Error> {
        let hub = &self.client.hub;
        let mut inner = hub.lock();
        match inner.watches.contains_key(&self.id) {
            true => Ok(body(&mut inner, hub)),
            false => Err(Error::local(Status::Closed)),
        }
    }

    /// As [`with`](Self::with), on the monitor alone.
    fn watch<T>(&self, body: impl FnOnce(&mut Watch) -> T) -> Result<T, Error> {
        let mut inner = self.client.hub.lock();
        match inner.watches.get_mut(&self.id) {
            Some(watch) => Ok(body(watch)),
            None => Err(Error::local(Status::Closed)),
        }
    }

    fn review(&self, inner: &mut Inner, hub: &Hub) {
        hub.review(&self.client, inner, self.id);
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
            drop(self.with(|inner, hub| hub.refused(&self.client, inner, self.id, error.status)));
        }
        taken
    }

    fn try_submit(&self, jpeg: &[u8], captured_unix_ms: Option<i64>) -> Result<(), Error> {
        let clock = &self.client.world.clock;
        let (paused, session) = self.watch(|watch| (watch.paused, watch.session.clone()))?;
        frame::check(jpeg)?;
        if paused {
            return Ok(());
        }
        let now = Moment::of(&**clock);
        let age = Age::new(captured_unix_ms, clock.wall_ms(), now);
        let digest = self.client.world.digest(jpeg);
        if session.is_some_and(|session| session.rejected(digest)) {
            return Err(Error::local(Status::ImageRejected));
        }
        if frame::is_too_old(age.at(&now), self.client.config.max_frame_age) {
            return Err(Error::local(Status::StaleFrame));
        }
        self.client.refuse_if_latched()?;
        let frame = Frame::copy(jpeg, digest, age)?;
        let replaced = self.with(|inner, hub| self.put(inner, hub, frame))??;
        drop(replaced);
        Ok(())
    }

    /// Gives the frame that is no longer needed, to be freed without the lock.
    fn put(&self, inner: &mut Inner, hub: &Hub, frame: Frame) -> Result<Option<Frame>, Error> {
        let Some(watch) = inner.watches.get_mut(&self.id) else {
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
        hub.frame_came(inner, self.id);
        if back {
            let now = Moment::of(&*self.client.world.clock);
            hub.tell(inner, self.id, events::News::plain(Kind::CameraBack), now);
        }
        self.review(inner, hub);
        Ok(replaced)
    }

    /// The print is paused: nothing is sent until it goes on, the context is kept. Unread events
    /// that ask for something are removed.
    ///
    /// # Errors
    /// `Closed`.
    pub fn pause(&self) -> Result<(), Error> {
        let frame = self.with(|inner, hub| {
            let frame = inner.watches.get_mut(&self.id).and_then(|watch| {
                if let Some(session) = &watch.session {
                    session.hold(true);
                }
                watch.hold()
            });
            hub.hush(inner, self.id, ASKING);
            self.review(inner, hub);
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
        let now = Moment::of(&*self.client.world.clock);
        self.with(|inner, hub| {
            let watch = inner.watches.get_mut(&self.id);
            if let Some(watch) = watch.filter(|watch| watch.paused) {
                if let Some(session) = &watch.session {
                    session.hold(false);
                }
                watch.go_on(now);
            }
            self.review(inner, hub);
        })
    }

    /// No edges for the rest of this print, or again.
    ///
    /// # Errors
    /// `Closed`.
    pub fn mute(&self, muted: bool) -> Result<(), Error> {
        self.with(|inner, hub| {
            if let Some(watch) = inner.watches.get_mut(&self.id) {
                watch.muted = muted;
                if let Some(session) = &watch.session {
                    session.mute(muted);
                }
            }
            if muted {
                hub.hush(inner, self.id, ASKING);
            }
        })
    }

    /// The host's own interval in seconds; 0 follows the service.
    ///
    /// # Errors
    /// `Closed`, `Argument` above 14 days.
    pub fn set_interval_sec(&self, sec: u32) -> Result<(), Error> {
        self.with(|inner, hub| {
            check_interval(sec)?;
            if let Some(watch) = inner.watches.get_mut(&self.id) {
                watch.host_sec = Some(sec);
                if let Some(session) = &watch.session {
                    session.set_interval_sec(sec)?;
                }
            }
            self.review(inner, hub);
            Ok(())
        })?
    }

    /// What is known of the print. Never waits for a call in flight.
    ///
    /// # Errors
    /// `Closed`.
    pub fn info(&self) -> Result<Info, Error> {
        let now = self.client.world.clock.now();
        let create_at = self.client.create_at(now);
        let latched = self.client.latch.status().is_some();
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

    /// This print as text, to survive a restart of the host. A secret: it holds the URLs. Edges
    /// that were raised but not read yet are saved as not raised.
    ///
    /// # Errors
    /// `Closed`.
    pub fn save(&self) -> Result<String, Error> {
        let saved = self.with(|inner, _| {
            inner.watches.get(&self.id).map(|watch| {
                let snapshot = |session: &Arc<Session>| session.snapshot(watch.untold);
                let context = watch.session.as_ref().map(snapshot);
                SavedMonitor {
                    warning_level: watch.warning.level().unwrap_or(0),
                    pause_level: watch.pause.level().unwrap_or(0),
                    host_sec: watch.host_sec,
                    muted: watch.muted,
                    context,
                }
            })
        })?;
        Ok(saved.unwrap_or_default().encode())
    }

    /// The print has ended: a verdict still in flight is dropped, nothing of it is told any more.
    /// Waits for the call in flight, which it cancels, less than 2 s. Stopping twice is nothing.
    pub fn stop(&self) {
        self.client.hub.remove(self.id);
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

impl Client {
    /// Watches a print. No network: what fails later becomes an event.
    ///
    /// # Errors
    /// The latch; `Resources` when no thread can be had.
    pub fn start_monitor(
        self: &Arc<Self>,
        warning: Confidence,
        pause: Confidence,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        Monitor::start(self, warning, pause, tag)
    }

    /// Goes on watching a print from its saved text. No network.
    ///
    /// # Errors
    /// As [`restore`](Client::restore), and `Resources`.
    pub fn start_saved_monitor(
        self: &Arc<Self>,
        saved: &str,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        Monitor::start_saved(self, saved, tag)
    }

    /// The next event of any monitor of this client; `None` when none came in time. Without a
    /// timeout it waits for ever.
    ///
    /// # Errors
    /// `Cancelled` when a cancel ended the wait.
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<Option<Event>, Error> {
        self.hub.next_event(self, timeout)
    }

    /// A descriptor that is readable while there are unread events; -1 where there is none.
    pub fn event_fd(&self) -> isize {
        self.hub.event_fd(&self.world)
    }

    /// Does, on the calling thread, all that is due now. For tests whose clock stands still, in a
    /// world that starts no threads.
    #[doc(hidden)]
    pub fn turn_monitors(self: &Arc<Self>) {
        loop {
            let job = {
                let mut inner = self.hub.lock();
                threads::due(self, &mut inner, self.world.clock.now());
                inner.jobs.pop_front()
            };
            match job {
                Some(id) => work::run(self, id),
                None => return,
            }
        }
    }
}
