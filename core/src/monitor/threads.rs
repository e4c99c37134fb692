//! The threads behind the monitors: one scheduler and the workers, while there are monitors.

use std::sync::Arc;
use std::time::Duration;

use super::Monitors;
use super::events::{Kind, News};
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
    body: fn(&Arc<Monitors>),
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
    spawned.map_err(|_| Error::with_text(Status::Resources, "no thread could be started"))
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
    loop {
        if inner.is_over() {
            inner.scheduler = false;
            break;
        }
        let now = monitors.account.world.clock.now();
        due(monitors, &mut inner, now);
        if inner.lacks_workers(monitors.account.config.workers) {
            inner = add_worker(monitors, inner);
            continue;
        }
        match inner.first_timer() {
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

fn add_worker<'a>(monitors: &'a Arc<Monitors>, mut inner: Locked<'a>) -> Locked<'a> {
    inner.workers += 1;
    drop(inner);
    let spawned = spawn(monitors, "oe-worker", work_on);
    let mut inner = monitors.scheduler.lock();
    if let Err(error) = spawned {
        inner.workers -= 1;
        if inner.workers == 0 {
            postpone(monitors, &mut inner, &error);
        }
    }
    inner
}

/// There is not one worker: whoever waits for one hears of it, and tries again later.
fn postpone(monitors: &Monitors, inner: &mut Inner, error: &Error) {
    let now = monitors.account.world.clock.now();
    let error = error.clone().retry_after(Due::In(RETRY_DELAY));
    for id in std::mem::take(&mut inner.jobs) {
        if let Some(watch) = inner.watches.get_mut(&id) {
            watch.queued = false;
            watch.failing = true;
            watch.not_before = now + RETRY_DELAY;
            let news = News::failed(Kind::Error, error.clone());
            monitors.scheduler.tell(inner, id, news, now);
            monitors.scheduler.review(&monitors.account, inner, id);
        }
    }
}

/// Does what waits to be done, as it comes.
fn work_on(monitors: &Arc<Monitors>) {
    /// Also when a panic ends the thread: another one is started when there is work.
    struct Worker<'a>(&'a Monitors);
    impl Drop for Worker<'_> {
        fn drop(&mut self) {
            self.0.scheduler.lock().workers -= 1;
        }
    }
    let _worker = Worker(monitors);
    while let Some(id) = next_job(&monitors.scheduler) {
        job::run(monitors, id);
    }
}

fn next_job(scheduler: &Scheduler) -> Option<u64> {
    let mut inner = scheduler.lock();
    loop {
        if inner.is_over() {
            return None;
        }
        if let Some(id) = inner.jobs.pop_front() {
            return Some(id);
        }
        inner.idle += 1;
        scheduler.work.wait(&mut inner);
        inner.idle -= 1;
    }
}

/// A panic of the scheduler, which is a bug, ends every monitor; each is told.
struct GiveUp<'a>(&'a Monitors);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.scheduler.give_up(&Error::local(Status::Panic));
    }
}
