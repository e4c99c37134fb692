//! The monitors of a client: who waits for which moment, who waits for a worker, what was told.
//!
//! One lock guards all of it. It is never held while a request is in flight, while a frame is
//! copied or while the host's log function runs. Below it come the lock of a session and those of
//! the client; nobody takes it while holding one of them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::platform::sync::{Condvar, Mutex, MutexGuard};

use super::events::{self, Event, Kind, PendingEvent, Queue};
use super::plan::{MonitorState, Plan, Task};
use super::readiness::Readiness;
use super::stagger::Stagger;
use crate::account::Account;
use crate::error::{Due, Error, Status};
use crate::platform::clock::World;
use crate::platform::moment::Moment;
use crate::platform::own_thread;

/// How long a stop waits for the call in flight, which it has cancelled, to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(1_800);

/// The monitors of one account.
#[derive(Default)]
pub(crate) struct Scheduler {
    inner: Mutex<Inner>,
    /// Held while a scheduler is started.
    pub(super) starting: Mutex<()>,
    /// The scheduler looks at its timers again.
    pub(super) tick: Condvar,
    /// A worker has something to do.
    pub(super) work: Condvar,
    /// There is an event, or there will be no more.
    arrived: Condvar,
    /// A call or a thread has ended.
    pub(super) ended: Condvar,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) monitors: HashMap<u64, MonitorState>,
    timers: BTreeSet<(Duration, u64)>,
    pub(super) jobs: VecDeque<u64>,
    queue: Queue,
    readiness: Option<Readiness>,
    /// Calls of monitors that were stopped, and the thread that makes each.
    pub(super) finishing: HashMap<u64, usize>,
    /// Creates and renewals in flight.
    pub(super) creating: usize,
    /// Monitors wait for one of these to end.
    waiting_for_create: bool,
    pub(super) stagger: Stagger,
    /// The client's handle is gone.
    pub(super) closed: bool,
    /// How often waits for events were cancelled.
    cancels: u64,
    pub(super) scheduler: bool,
    pub(super) workers: usize,
    pub(super) idle: usize,
    /// No thread was to be had: none is asked for before this.
    pub(super) no_thread_until: Duration,
    /// Monitors whose worker was ended by a panic.
    pub(super) dropped: Vec<u64>,
    /// When a monitor was last reviewed.
    last_review: Duration,
    /// Threads that have not let go of the client yet.
    pub(super) threads: usize,
}

impl Inner {
    /// Nothing is left to do for the threads.
    pub(super) fn is_over(&self) -> bool {
        self.closed || self.monitors.is_empty()
    }

    pub(super) fn lacks_workers(&self, most: usize) -> bool {
        self.jobs.len() > self.idle && self.workers < most
    }

    fn set_timer(&mut self, id: u64, at: Option<Duration>) {
        let Some(watch) = self.monitors.get_mut(&id) else {
            return;
        };
        if watch.timer == at {
            return;
        }
        if let Some(before) = watch.timer.take() {
            self.timers.remove(&(before, id));
        }
        if let Some(at) = at {
            watch.timer = Some(at);
            self.timers.insert((at, id));
        }
    }

    pub(super) fn first_timer(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A monitor whose moment has come.
    pub(super) fn pop_timer(&mut self, now: Duration) -> Option<u64> {
        let (_, id) = *self.timers.first().filter(|(at, _)| *at <= now)?;
        self.set_timer(id, None);
        Some(id)
    }

    fn forget(&mut self, id: u64) -> Option<MonitorState> {
        self.set_timer(id, None);
        self.queue.remove(id, events::ALL);
        self.show_readiness();
        self.monitors.remove(&id)
    }

    /// The descriptor says what the queue is.
    fn show_readiness(&mut self) {
        if let Some(readiness) = &mut self.readiness {
            readiness.show(!self.queue.is_empty());
        }
    }
}

/// The lock, taken.
pub(super) type Locked<'a> = MutexGuard<'a, Inner>;

impl Scheduler {
    pub(super) fn lock(&self) -> Locked<'_> {
        self.inner.lock()
    }

    /// Queues an event of a monitor.
    pub(super) fn enqueue(
        &self,
        inner: &mut Inner,
        id: u64,
        pending: PendingEvent,
        now: impl Into<Moment>,
    ) {
        let Some(tag) = inner.monitors.get(&id).map(|watch| watch.tag) else {
            return;
        };
        inner.queue.push((id, tag), pending, now.into());
        inner.show_readiness();
        self.arrived.notify_one();
    }

    /// Queues a verdict and its alerts.
    pub(super) fn enqueue_verdict(
        &self,
        inner: &mut Inner,
        id: u64,
        outcome: crate::session::outcome::Outcome,
        now: Moment,
    ) {
        let Some(watch) = inner.monitors.get_mut(&id) else {
            return;
        };
        watch.will_be_told(outcome.new);
        inner.queue.push_verdict((id, watch.tag), outcome, now);
        inner.show_readiness();
        self.arrived.notify_all();
    }

    /// Decides what a monitor does next, and sees to it that it happens.
    pub(super) fn review(&self, account: &Account, inner: &mut Inner, id: u64) {
        let moment = Moment::of(&*account.world.clock);
        let now = moment.now();
        inner.last_review = now;
        let plan = match inner.monitors.get_mut(&id) {
            None => return,
            Some(watch) if watch.queued || watch.busy.is_some() => Plan::default(),
            Some(watch) => match account.latch.status() {
                Some(status) => {
                    drop(watch.discard_frame());
                    if !std::mem::replace(&mut watch.latch_told, true) {
                        inner.queue.remove(id, &[Kind::FrameWanted]);
                        let error = Error::local(status).retry_after(Due::Never);
                        self.enqueue(
                            inner,
                            id,
                            PendingEvent::failed(Kind::Latched, error),
                            moment,
                        );
                    }
                    Plan::default()
                }
                None => {
                    watch.latch_told = false;
                    if watch.paused {
                        Plan::default()
                    } else {
                        let calls = watch.calls(account.create_at(now), now);
                        if calls.are_over() {
                            return self.expire(inner, id, moment);
                        }
                        watch.plan(calls, account.config.max_frame_age, moment)
                    }
                }
            },
        };
        if plan.ask {
            self.enqueue(inner, id, PendingEvent::plain(Kind::FrameWanted), moment);
        }
        if let Some(status) = plan.stalled {
            self.enqueue(inner, id, PendingEvent::stalled(status), moment);
        }
        if let Some(task) = plan.task {
            self.assign(account, inner, id, task);
        }
        let first = inner.first_timer();
        inner.set_timer(id, plan.wake);
        if inner.first_timer() < first || first.is_none() {
            self.tick.notify_one();
        }
    }

    /// A print is too old, and nobody can make it anew: its monitor ends by itself, and says so.
    fn expire(&self, inner: &mut Inner, id: u64, now: Moment) {
        let Some(watch) = inner.forget(id) else {
            return;
        };
        let error = Error::local(Status::ContextLost).retry_after(Due::Never);
        let pending = PendingEvent::failed(Kind::Stopped, error);
        inner.queue.push((id, watch.tag), pending, now);
        inner.show_readiness();
        self.arrived.notify_all();
        if inner.is_over() {
            self.tick.notify_all();
            self.work.notify_all();
        }
        end(&watch);
    }

    /// Queues a monitor for the next free worker. While creates fail, one of them at a time is
    /// enough: the others look again when it has ended.
    fn assign(&self, account: &Account, inner: &mut Inner, id: u64, task: Task) {
        let wait = task != Task::Process && inner.creating > 0 && account.creates_fail();
        inner.waiting_for_create |= wait;
        let Some(watch) = inner.monitors.get_mut(&id).filter(|_| !wait) else {
            return;
        };
        watch.queued = true;
        inner.jobs.push_back(id);
        self.work.notify_one();
        if inner.lacks_workers(account.config.workers) {
            self.tick.notify_one();
        }
    }

    /// Reviews every monitor: the latch has changed.
    pub(crate) fn review_all(&self, account: &Account) {
        self.review_each(account, &mut self.lock());
    }

    /// A create has ended: whoever waits for that looks again.
    pub(super) fn review_waiting(&self, account: &Account, inner: &mut Inner) {
        if std::mem::take(&mut inner.waiting_for_create) {
            self.review_each(account, inner);
        }
    }

    fn review_each(&self, account: &Account, inner: &mut Inner) {
        let all: Vec<u64> = inner.monitors.keys().copied().collect();
        for id in all {
            self.review(account, inner, id);
        }
    }

    /// A frame came: it need not be asked for any more.
    pub(super) fn frame_came(&self, inner: &mut Inner, id: u64) {
        inner.queue.remove(id, &[Kind::FrameWanted]);
        inner.show_readiness();
    }

    /// A frame was refused when it came: a camera that gives no others is said to have stalled.
    pub(super) fn refused(&self, account: &Account, inner: &mut Inner, id: u64, status: Status) {
        let now = Moment::of(&*account.world.clock);
        let latched = account.latch.status().is_some();
        let watch = inner.monitors.get_mut(&id);
        let Some(watch) = watch.filter(|watch| !watch.paused && !latched) else {
            return;
        };
        // These bytes were taken over once, and others that are may be no better.
        let taken_over = status == Status::ImageRejected;
        if let Some(status) = watch.camera.refuse(status, taken_over, now.now()) {
            self.enqueue(inner, id, PendingEvent::stalled(status), now);
        }
    }

    /// Takes a monitor out, ends its call and waits for that, though not for ever and not for
    /// itself. Nothing of it is told any more.
    pub(super) fn remove(&self, id: u64) {
        let mut inner = self.lock();
        let Some(watch) = inner.forget(id) else {
            return;
        };
        if let Some(busy) = &watch.busy {
            inner.finishing.insert(id, busy.thread);
        }
        if inner.is_over() {
            self.tick.notify_all();
            self.work.notify_all();
        }
        drop(inner);
        end(&watch);
        self.wait_until_finished(|inner| {
            let thread = inner.finishing.get(&id);
            thread.is_none_or(|thread| *thread == own_thread::me())
        });
    }

    /// A bug of ours ended the scheduler: takes every monitor out and says so.
    pub(super) fn give_up(&self, error: &Error) {
        let mut inner = self.lock();
        inner.scheduler = false;
        let all: Vec<u64> = inner.monitors.keys().copied().collect();
        let mut ended = Vec::new();
        for id in all {
            let Some(watch) = inner.forget(id) else {
                continue;
            };
            let pending = PendingEvent::failed(Kind::Stopped, error.clone());
            let now = inner.last_review;
            inner.queue.push((id, watch.tag), pending, now.into());
            if let Some(busy) = &watch.busy {
                inner.finishing.insert(id, busy.thread);
            }
            ended.push(watch);
        }
        inner.show_readiness();
        drop(inner);
        self.arrived.notify_all();
        self.work.notify_all();
        ended.iter().for_each(end);
    }

    fn wait_until_finished(&self, finished: impl Fn(&Inner) -> bool) {
        let until = Instant::now() + STOP_TIMEOUT;
        let mut inner = self.lock();
        while !finished(&inner) && !self.ended.wait_until(&mut inner, until).timed_out() {}
    }

    /// Ends the waits for events that are going on.
    pub(crate) fn cancel_waits(&self) {
        self.lock().cancels += 1;
        self.arrived.notify_all();
    }

    /// The client's handle is gone: stops every monitor, ends every wait and waits for the threads.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let all: Vec<u64> = inner.monitors.keys().copied().collect();
        let mut ended = Vec::new();
        for id in all {
            ended.extend(inner.forget(id));
        }
        inner.queue.clear();
        inner.readiness = None;
        drop(inner);
        self.arrived.notify_all();
        self.tick.notify_all();
        self.work.notify_all();
        ended.iter().for_each(end);
        drop(ended);
        if !own_thread::is_one() {
            self.wait_until_finished(|inner| inner.threads == 0);
        }
    }

    /// The next event; `None` when there is none in time. Without a timeout it waits for ever.
    ///
    /// # Errors
    /// `Cancelled`.
    pub(crate) fn next_event(
        &self,
        account: &Account,
        timeout: Option<Duration>,
    ) -> Result<Option<Event>, Error> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut inner = self.lock();
        let cancels = inner.cancels;
        loop {
            if inner.closed || inner.cancels != cancels {
                return Err(Error::local(Status::Cancelled));
            }
            if let Some((id, event)) = inner.queue.pop(Moment::of(&*account.world.clock)) {
                inner.show_readiness();
                if let Some(watch) = inner.monitors.get_mut(&id) {
                    watch.mark_delivered(&event);
                }
                return Ok(Some(event));
            }
            match until {
                None => self.arrived.wait(&mut inner),
                Some(until) if Instant::now() >= until => return Ok(None),
                Some(until) => drop(self.arrived.wait_until(&mut inner, until)),
            }
        }
    }

    /// The descriptor that is readable while there are unread events; -1 where there is none.
    pub(crate) fn event_fd(&self, world: &World) -> isize {
        let mut inner = self.lock();
        if inner.closed {
            return -1;
        }
        if inner.readiness.is_none() {
            inner.readiness = (world.signal)().ok().map(Readiness::new);
            inner.show_readiness();
        }
        inner.readiness.as_ref().map_or(-1, Readiness::number)
    }

    /// Removes what a paused or muted print does not tell, and takes back the alerts whose event the
    /// host has not read.
    pub(super) fn drop_pending_alerts(&self, inner: &mut Inner, id: u64, kinds: &[Kind]) {
        inner.queue.remove(id, kinds);
        inner.queue.clear_edge_flags(id);
        inner.show_readiness();
        if let Some(watch) = inner.monitors.get_mut(&id) {
            let undelivered = std::mem::take(&mut watch.undelivered);
            let flagged = std::mem::take(&mut watch.flagged);
            if let Some(session) = &watch.session {
                session.retract(undelivered, flagged);
            }
        }
    }
}

/// Ends what is in flight for a monitor that was taken out.
fn end(watch: &MonitorState) {
    if let Some(busy) = &watch.busy {
        busy.token.cancel();
    }
    if let Some(session) = &watch.session {
        session.close();
    }
}
