//! The threads behind the monitors: one scheduler and the workers, while there are monitors.

use std::sync::Arc;
use std::time::Duration;

use super::Monitors;
use super::events::{Kind, PendingEvent};
use super::job;
use super::scheduler::{Inner, Locked, Scheduler};
use crate::error::{Due, Error, Status};
use crate::platform::own_thread::{self, RETRY_DELAY};

/// What a thread holds. It lets go of the monitors, and with them of the account, first, then says that it did.
struct Thread {
    monitors: Option<Arc<Monitors>>,
    scheduler: Arc<Scheduler>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.monitors = None;
        self.scheduler.lock().threads -= 1;
        self.scheduler.ended.notify_all();
    }
}

fn spawn(
    monitors: &Arc<Monitors>,
    name: &'static str,
    body: impl FnOnce(&Arc<Monitors>) + Send + 'static,
) -> Result<(), Error> {
    monitors.scheduler.lock().threads += 1;
    let thread = Thread {
        monitors: Some(Arc::clone(monitors)),
        scheduler: Arc::clone(&monitors.scheduler),
    };
    let run = move || {
        own_thread::mark();
        if let Some(monitors) = &thread.monitors {
            body(monitors);
        }
        drop(thread);
    };
    let spawned = monitors.account.world.spawn.spawn(name, Box::new(run));
    spawned.map_err(|_| no_thread())
}

fn no_thread() -> Error {
    Error::with_text(Status::Resources, "no thread could be started")
}

/// Starts the scheduler if there is none.
///
/// # Errors
/// `Resources`.
pub(super) fn ensure_scheduler(monitors: &Arc<Monitors>) -> Result<(), Error> {
    // One at a time: a second start must not rely on a thread that the first fails to get.
    let _one = monitors.scheduler.starting.lock();
    if std::mem::replace(&mut monitors.scheduler.lock().scheduler, true) {
        return Ok(());
    }
    let spawned = spawn(monitors, "oe-monitor", schedule);
    if spawned.is_err() {
        monitors.scheduler.lock().scheduler = false;
    }
    spawned
}

/// Waits for the next moment, and reviews the monitor whose it is.
fn schedule(monitors: &Arc<Monitors>) {
    let on_panic = GiveUp(monitors);
    let scheduler = &monitors.scheduler;
    let mut inner = scheduler.lock();
    // This thread could be had: another one may be, too.
    inner.no_thread_until = Duration::ZERO;
    loop {
        if inner.is_over() {
            inner.scheduler = false;
            break;
        }
        let now = monitors.account.world.clock.now();
        pick_up(monitors, &mut inner, now);
        due(monitors, &mut inner, now);
        let lacking = inner.lacks_workers(monitors.account.config.workers);
        if lacking && inner.no_thread_until <= now {
            inner = add_worker(monitors, inner);
            continue;
        }
        if lacking && inner.workers == 0 {
            postpone(monitors, &mut inner, now);
            continue;
        }
        let again = lacking.then_some(inner.no_thread_until);
        match inner.first_timer().into_iter().chain(again).min() {
            None => scheduler.tick.wait(&mut inner),
            Some(at) => drop(scheduler.tick.wait_for(&mut inner, at.saturating_sub(now))),
        }
    }
    drop(inner);
    std::mem::forget(on_panic);
}

/// Reviews the monitors whose moment has come.
pub(super) fn due(monitors: &Monitors, inner: &mut Inner, now: Duration) {
    while let Some(id) = inner.pop_timer(now) {
        monitors.scheduler.review(&monitors.account, inner, id);
    }
}

/// Takes up the monitors that a worker was at when a panic ended it, wherever that was: they hear
/// of it and go on later, and so does whoever waited for that worker's create.
fn pick_up(monitors: &Monitors, inner: &mut Inner, now: Duration) {
    let dropped = std::mem::take(&mut inner.dropped);
    for id in &dropped {
        let waits = inner.jobs.contains(id);
        let Some(watch) = inner.monitors.get_mut(id) else {
            continue;
        };
        watch.queued = waits;
        watch.not_before = watch.not_before.max(now.saturating_add(RETRY_DELAY));
        if !std::mem::replace(&mut watch.failing, true) {
            let error = Error::local(Status::Panic).retry_after(Due::In(RETRY_DELAY));
            monitors
                .scheduler
                .enqueue(inner, *id, PendingEvent::failed(Kind::Error, error), now);
        }
        monitors.scheduler.review(&monitors.account, inner, *id);
    }
    if !dropped.is_empty() {
        monitors.scheduler.review_waiting(&monitors.account, inner);
    }
}

/// Starts another worker. Where none is to be had, none is asked for again before some time has
/// passed, however many monitors wait.
fn add_worker<'a>(monitors: &'a Arc<Monitors>, mut inner: Locked<'a>) -> Locked<'a> {
    inner.workers += 1;
    drop(inner);
    let worker = Worker {
        scheduler: Arc::clone(&monitors.scheduler),
        job: None,
        counted: true,
    };
    // Without a thread the worker is dropped here, which counts it out.
    let spawned = spawn(monitors, "oe-worker", move |monitors| worker.run(monitors));
    let mut inner = monitors.scheduler.lock();
    if spawned.is_err() {
        inner.no_thread_until = monitors
            .account
            .world
            .clock
            .now()
            .saturating_add(RETRY_DELAY);
    }
    inner
}

/// There is not one worker, nor a thread for one: whoever waits for one hears of it, and tries
/// again when the next thread is asked for.
fn postpone(monitors: &Monitors, inner: &mut Inner, now: Duration) {
    let again = inner.no_thread_until;
    let error = no_thread().retry_after(Due::In(again.saturating_sub(now)));
    for id in std::mem::take(&mut inner.jobs) {
        if let Some(watch) = inner.monitors.get_mut(&id) {
            watch.queued = false;
            watch.failing = true;
            watch.not_before = again;
            let pending = PendingEvent::failed(Kind::Error, error.clone());
            monitors.scheduler.enqueue(inner, id, pending, now);
            monitors.scheduler.review(&monitors.account, inner, id);
        }
    }
}

/// A worker, from the moment that a thread is asked for until it counts itself out.
struct Worker {
    scheduler: Arc<Scheduler>,
    /// The monitor whose job it does.
    job: Option<u64>,
    /// It is one of `Inner::workers`.
    counted: bool,
}

impl Worker {
    /// Does what waits to be done, as it comes.
    fn run(mut self, monitors: &Arc<Monitors>) {
        while let Some(id) = self.next_job() {
            self.job = Some(id);
            job::run(monitors, id);
            self.job = None;
        }
    }

    /// Waits for the next job. When there will be none, the worker is counted out under the very
    /// lock under which that is seen: a monitor that is started next must not rely on it.
    fn next_job(&mut self) -> Option<u64> {
        let mut inner = self.scheduler.lock();
        loop {
            if inner.is_over() {
                inner.workers -= 1;
                self.counted = false;
                return None;
            }
            if let Some(id) = inner.jobs.pop_front() {
                return Some(id);
            }
            inner.idle += 1;
            self.scheduler.work.wait(&mut inner);
            inner.idle -= 1;
        }
    }
}

impl Drop for Worker {
    /// It never had a thread, or a panic ended it: the scheduler sees to what it leaves undone, and
    /// to another worker if one is needed.
    fn drop(&mut self) {
        if self.counted {
            let mut inner = self.scheduler.lock();
            inner.workers -= 1;
            inner.dropped.extend(self.job);
            self.scheduler.tick.notify_one();
        }
    }
}

/// A panic of the scheduler, which is a bug, ends every monitor; each is told.
struct GiveUp<'a>(&'a Monitors);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.scheduler.give_up(&Error::local(Status::Panic));
    }
}
