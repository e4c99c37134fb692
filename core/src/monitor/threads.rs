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

fn spawn(client: &Arc<Client>, name: &'static str, body: fn(&Arc<Client>)) -> Result<(), Error> {
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
    spawned.map_err(|_| Error::with_text(Status::Resources, "no thread could be started"))
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
    loop {
        if inner.is_over() {
            inner.scheduler = false;
            break;
        }
        let now = client.world.clock.now();
        due(client, &mut inner, now);
        if inner.lacks_workers(client.config.workers) {
            inner = add_worker(client, inner);
            continue;
        }
        match inner.first_timer() {
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

fn add_worker<'a>(client: &'a Arc<Client>, mut inner: Locked<'a>) -> Locked<'a> {
    inner.workers += 1;
    drop(inner);
    let spawned = spawn(client, "oe-worker", work_on);
    let mut inner = client.hub.lock();
    if let Err(error) = spawned {
        inner.workers -= 1;
        if inner.workers == 0 {
            postpone(client, &mut inner, &error);
        }
    }
    inner
}

/// There is not one worker: whoever waits for one hears of it, and tries again later.
fn postpone(client: &Client, inner: &mut Inner, error: &Error) {
    let now = client.world.clock.now();
    let error = error.clone().retry_after(Due::In(SETBACK));
    for id in std::mem::take(&mut inner.jobs) {
        if let Some(watch) = inner.watches.get_mut(&id) {
            watch.queued = false;
            watch.failing = true;
            watch.not_before = now + SETBACK;
            let news = News::failed(Kind::Error, error.clone());
            client.hub.tell(inner, id, news, now);
            client.hub.review(client, inner, id);
        }
    }
}

/// Does what waits to be done, as it comes.
fn work_on(client: &Arc<Client>) {
    /// Also when a panic ends the thread: another one is started when there is work.
    struct Worker<'a>(&'a Client);
    impl Drop for Worker<'_> {
        fn drop(&mut self) {
            self.0.hub.lock().workers -= 1;
        }
    }
    let _worker = Worker(client);
    while let Some(id) = next_job(&client.hub) {
        work::run(client, id);
    }
}

fn next_job(hub: &Hub) -> Option<u64> {
    let mut inner = hub.lock();
    loop {
        if inner.is_over() {
            return None;
        }
        if let Some(id) = inner.jobs.pop_front() {
            return Some(id);
        }
        inner.idle += 1;
        hub.work.wait(&mut inner);
        inner.idle -= 1;
    }
}

/// A panic of the scheduler, which is a bug, ends every monitor; each is told.
struct GiveUp<'a>(&'a Client);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.hub.give_up(&Error::local(Status::Panic));
    }
}
