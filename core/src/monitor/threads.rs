//! The threads behind the monitors: one scheduler and the workers, while there are monitors.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::events::{Kind, News};
use super::hub::{Hub, Inner, Locked};
use super::work;
use crate::client::Client;
use crate::error::{Due, Error, Status};
use crate::sync::thread_local;

/// Before a monitor tries again to get a thread, or after a bug of ours.
pub(super) const SETBACK: Duration = Duration::from_secs(20);

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a thread of the library's.
pub(super) fn is_one() -> bool {
    OURS.with(Cell::get)
}

/// What distinguishes the calling thread from all others alive. The standard library's own id would
/// leave an allocation behind in a thread of the host's.
pub(super) fn me() -> usize {
    OURS.with(|ours| std::ptr::from_ref(ours).addr())
}

/// What a thread holds. It lets go of the client first, then says that it did.
struct Thread {
    client: Option<Arc<Client>>,
    hub: Arc<Hub>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.client = None;
        self.hub.lock().threads -= 1;
        self.hub.ended.notify_all();
    }
}

fn spawn(
    client: &Arc<Client>,
    name: &'static str,
    body: impl FnOnce(&Arc<Client>) + Send + 'static,
) -> Result<(), Error> {
    client.hub.lock().threads += 1;
    let thread = Thread {
        client: Some(Arc::clone(client)),
        hub: Arc::clone(&client.hub),
    };
    let run = move || {
        OURS.with(|ours| ours.set(true));
        if let Some(client) = &thread.client {
            body(client);
        }
        drop(thread);
    };
    let spawned = client.world.spawn.spawn(name, Box::new(run));
    spawned.map_err(|_| no_thread())
}

fn no_thread() -> Error {
    Error::with_text(Status::Resources, "no thread could be started")
}

/// Starts the scheduler if there is none.
///
/// # Errors
/// `Resources`.
pub(super) fn ensure_scheduler(client: &Arc<Client>) -> Result<(), Error> {
    // One at a time: a second start must not rely on a thread that the first fails to get.
    let _one = client.hub.starting.lock();
    if std::mem::replace(&mut client.hub.lock().scheduler, true) {
        return Ok(());
    }
    let spawned = spawn(client, "oe-monitor", schedule);
    if spawned.is_err() {
        client.hub.lock().scheduler = false;
    }
    spawned
}

/// Waits for the next moment, and reviews the monitor whose it is.
fn schedule(client: &Arc<Client>) {
    let on_panic = GiveUp(client);
    let hub = &client.hub;
    let mut inner = hub.lock();
    // This thread could be had: another one may be, too.
    inner.no_thread_until = Duration::ZERO;
    loop {
        if inner.is_over() {
            inner.scheduler = false;
            break;
        }
        let now = client.world.clock.now();
        pick_up(client, &mut inner, now);
        due(client, &mut inner, now);
        let lacking = inner.lacks_workers(client.config.workers);
        if lacking && inner.no_thread_until <= now {
            inner = add_worker(client, inner);
            continue;
        }
        if lacking && inner.workers == 0 {
            postpone(client, &mut inner, now);
            continue;
        }
        let again = lacking.then_some(inner.no_thread_until);
        match inner.first_timer().into_iter().chain(again).min() {
            None => hub.tick.wait(&mut inner),
            Some(at) => drop(hub.tick.wait_for(&mut inner, at.saturating_sub(now))),
        }
    }
    drop(inner);
    std::mem::forget(on_panic);
}

/// Reviews the monitors whose moment has come.
pub(super) fn due(client: &Client, inner: &mut Inner, now: Duration) {
    while let Some(id) = inner.pop_timer(now) {
        client.hub.review(client, inner, id);
    }
}

/// Takes up the monitors that a worker was at when a panic ended it, wherever that was: they hear
/// of it and go on later, and so does whoever waited for that worker's create.
fn pick_up(client: &Client, inner: &mut Inner, now: Duration) {
    let dropped = std::mem::take(&mut inner.dropped);
    for id in &dropped {
        let waits = inner.jobs.contains(id);
        let Some(watch) = inner.watches.get_mut(id) else {
            continue;
        };
        watch.queued = waits;
        watch.not_before = watch.not_before.max(now.saturating_add(SETBACK));
        if !std::mem::replace(&mut watch.failing, true) {
            let error = Error::local(Status::Panic).retry_after(Due::In(SETBACK));
            client
                .hub
                .tell(inner, *id, News::failed(Kind::Error, error), now);
        }
        client.hub.review(client, inner, *id);
    }
    if !dropped.is_empty() {
        client.hub.review_gated(client, inner);
    }
}

/// Starts another worker. Where none is to be had, none is asked for again before some time has
/// passed, however many monitors wait.
fn add_worker<'a>(client: &'a Arc<Client>, mut inner: Locked<'a>) -> Locked<'a> {
    inner.workers += 1;
    drop(inner);
    let worker = Worker {
        hub: Arc::clone(&client.hub),
        job: None,
        counted: true,
    };
    // Without a thread the worker is dropped here, which counts it out.
    let spawned = spawn(client, "oe-worker", move |client| worker.run(client));
    let mut inner = client.hub.lock();
    if spawned.is_err() {
        inner.no_thread_until = client.world.clock.now().saturating_add(SETBACK);
    }
    inner
}

/// There is not one worker, nor a thread for one: whoever waits for one hears of it, and tries
/// again when the next thread is asked for.
fn postpone(client: &Client, inner: &mut Inner, now: Duration) {
    let again = inner.no_thread_until;
    let error = no_thread().retry_after(Due::In(again.saturating_sub(now)));
    for id in std::mem::take(&mut inner.jobs) {
        if let Some(watch) = inner.watches.get_mut(&id) {
            watch.queued = false;
            watch.failing = true;
            watch.not_before = again;
            let news = News::failed(Kind::Error, error.clone());
            client.hub.tell(inner, id, news, now);
            client.hub.review(client, inner, id);
        }
    }
}

/// A worker, from the moment that a thread is asked for until it counts itself out.
struct Worker {
    hub: Arc<Hub>,
    /// The monitor whose job it does.
    job: Option<u64>,
    /// It is one of `Inner::workers`.
    counted: bool,
}

impl Worker {
    /// Does what waits to be done, as it comes.
    fn run(mut self, client: &Arc<Client>) {
        while let Some(id) = self.next_job() {
            self.job = Some(id);
            work::run(client, id);
            self.job = None;
        }
    }

    /// Waits for the next job. When there will be none, the worker is counted out under the very
    /// lock under which that is seen: a monitor that is started next must not rely on it.
    fn next_job(&mut self) -> Option<u64> {
        let mut inner = self.hub.lock();
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
            self.hub.work.wait(&mut inner);
            inner.idle -= 1;
        }
    }
}

impl Drop for Worker {
    /// It never had a thread, or a panic ended it: the scheduler sees to what it leaves undone, and
    /// to another worker if one is needed.
    fn drop(&mut self) {
        if self.counted {
            let mut inner = self.hub.lock();
            inner.workers -= 1;
            inner.dropped.extend(self.job);
            self.hub.tick.notify_one();
        }
    }
}

/// A panic of the scheduler, which is a bug, ends every monitor; each is told.
struct GiveUp<'a>(&'a Client);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.hub.give_up(&Error::local(Status::Panic));
    }
}
