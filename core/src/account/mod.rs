//! What the prints of one key share: the backend, the latch, the counters, the pace of creates.
//!
//! An account knows nothing of prints but that they wait: who does is told through [`Wake`].

pub mod config;
pub mod counters;
pub mod latch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::backend::{Backend, CreateError, Print};
use crate::error::{Due, Error, Status};
use crate::platform::cancel::CancelToken;
use crate::platform::clock::World;
use crate::platform::log::Log;
use crate::platform::random;
use crate::platform::sync::Mutex;
use crate::rules::confidence::Confidence;
use crate::rules::create_pace::CreatePace;

use config::{CallConfig, Options};
use counters::{Counters, Usage};
use latch::{Latch, Ticket};

/// Somebody who waits for his time, and looks again at it when the latch has changed.
pub(crate) trait Wake: Send + Sync {
    fn wake(&self);
}

/// Why Create Context is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Context,
    KeyCheck,
}

/// One account at one backend.
pub(crate) struct Account {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) world: World,
    pub(crate) config: CallConfig,
    pub(crate) latch: Latch,
    pub(crate) counters: Counters,
    log: Log,
    pace: Mutex<CreatePace>,
    /// Cancel tokens of creates, renewals and key checks in flight.
    in_flight: Mutex<HashMap<u64, CancelToken>>,
    /// The contexts alive, each by its id.
    contexts: Mutex<HashMap<u64, Weak<dyn Wake>>>,
    /// The scheduler of the monitors, once there is one.
    scheduler: Mutex<Option<Weak<dyn Wake>>>,
    next_id: AtomicUsize,
}

impl Account {
    pub(crate) fn new(backend: Box<dyn Backend>, options: &Options, world: World) -> Arc<Account> {
        Arc::new(Account {
            backend,
            world,
            config: options.call_config(),
            latch: Latch::default(),
            counters: Counters::default(),
            log: options.log.clone(),
            pace: Mutex::default(),
            in_flight: Mutex::default(),
            contexts: Mutex::default(),
            scheduler: Mutex::default(),
            next_id: AtomicUsize::new(1),
        })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Ends every create, renewal and key check in flight; no effect on later ones.
    pub(crate) fn cancel(&self) {
        let tokens: Vec<_> = self.in_flight.lock().values().cloned().collect();
        tokens.iter().for_each(CancelToken::cancel);
    }

    /// When the next create may be sent; never while an account error is latched.
    pub(crate) fn create_due(&self) -> Due {
        match self.latch.status() {
            Some(_) => Due::Never,
            None => Due::In(self.pace.lock().remaining(self.world.clock.now())),
        }
    }

    /// The moment from which the pace of the account allows a create.
    pub(crate) fn create_at(&self, now: Duration) -> Duration {
        now + self.pace.lock().remaining(now)
    }

    /// Whether the last create failed.
    pub(crate) fn creates_fail(&self) -> bool {
        self.pace.lock().is_failing()
    }

    pub(crate) fn check_key(&self) -> Result<(), Error> {
        self.refuse_without_account()?;
        let ticket = self.latch.ticket();
        let unset = Confidence::default();
        self.create(Purpose::KeyCheck, unset, unset, &CancelToken::new())?;
        if self.latch.clear_older(ticket) {
            self.wake_all();
            return Ok(());
        }
        self.refuse_if_latched()
    }

    pub(crate) fn clear_latch(&self) {
        self.latch.clear();
        self.wake_all();
    }

    pub(crate) fn usage(&self) -> Usage {
        let contexts = u32::try_from(self.contexts.lock().len()).unwrap_or(u32::MAX);
        Usage {
            contexts,
            latched: self.latch.status(),
            ..self.counters.read()
        }
    }

    /// One create, at its time.
    pub(crate) fn create(
        &self,
        purpose: Purpose,
        warning: Confidence,
        pause: Confidence,
        token: &CancelToken,
    ) -> Result<Print, Error> {
        if purpose == Purpose::Context {
            self.refuse_if_latched()?;
        }
        let started = self.world.clock.now();
        self.refuse_if_early(purpose, started)?;
        let registered = self.register(token.clone());
        let ticket = self.latch.ticket();
        let creation = self.backend.create(warning, pause, token);
        drop(registered);
        self.counters.traffic(creation.traffic);
        match creation.result {
            Ok(print) => self.created(purpose, started, print),
            Err(error) => Err(self.create_failed(&error, started, ticket)),
        }
    }

    fn created(&self, purpose: Purpose, started: Duration, print: Print) -> Result<Print, Error> {
        let now = self.world.clock.now();
        {
            let mut pace = self.pace.lock();
            pace.succeeded();
            if purpose == Purpose::KeyCheck {
                pace.checked(now);
            }
        }
        self.counters.created();
        self.log.info(format_args!(
            "context created in {} ms",
            now.saturating_sub(started).as_millis()
        ));
        if purpose == Purpose::Context {
            // Latched by another call meanwhile: this context could not be used.
            self.refuse_if_latched()?;
        }
        Ok(print)
    }

    fn create_failed(&self, error: &CreateError, started: Duration, ticket: Ticket) -> Error {
        let now = self.world.clock.now();
        let jitter = random::jitter();
        self.pace
            .lock()
            .failed((started, now), error.next, error.retry_after, jitter);
        if error.latch {
            self.latch(error.status, ticket);
        }
        let error = error.error(self.create_due());
        self.log.warn(format_args!("create: {error}"));
        error
    }

    fn refuse_if_early(&self, purpose: Purpose, now: Duration) -> Result<(), Error> {
        let wait = match purpose {
            Purpose::Context => self.pace.lock().remaining(now),
            Purpose::KeyCheck => self.pace.lock().check_remaining(now),
        };
        if wait.is_zero() {
            return Ok(());
        }
        Err(Error::local(Status::NotDue).retry_after(Due::In(wait)))
    }

    /// What only prints at the service have, those of the embedded engine have not.
    pub(crate) fn refuse_without_account(&self) -> Result<(), Error> {
        if self.backend.has_account() {
            return Ok(());
        }
        let text = "the embedded engine has no key to check and no context to renew";
        Err(Error::with_text(Status::Unsupported, text))
    }

    /// The account error in force, as an error.
    pub(crate) fn refuse_if_latched(&self) -> Result<(), Error> {
        match self.latch.status() {
            Some(status) => Err(Error::local(status).retry_after(Due::Never)),
            None => Ok(()),
        }
    }

    /// An account error answered: stops every context of this account.
    pub(crate) fn latch(&self, status: Status, ticket: Ticket) {
        if self.latch.set(status, ticket) {
            self.log
                .error(format_args!("{}: {}", status.row().name, status.row().text));
            self.wake_all();
        }
    }

    /// Everybody who waits looks again: the latch has changed. The lists are let go of before
    /// anybody is called, who may take the locks above these.
    fn wake_all(&self) {
        let scheduler = self.scheduler.lock().as_ref().and_then(Weak::upgrade);
        let contexts: Vec<_> = self
            .contexts
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        scheduler.iter().chain(&contexts).for_each(|one| one.wake());
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) as u64
    }

    /// A context is alive: it counts, and is woken.
    pub(crate) fn enlist(&self, id: u64, context: Weak<dyn Wake>) {
        self.contexts.lock().insert(id, context);
    }

    pub(crate) fn dismiss(&self, id: u64) {
        self.contexts.lock().remove(&id);
    }

    /// Who wakes the monitors.
    pub(crate) fn set_scheduler(&self, scheduler: Weak<dyn Wake>) {
        *self.scheduler.lock() = Some(scheduler);
    }

    fn register(&self, token: CancelToken) -> Registered<'_> {
        let id = self.new_id();
        self.in_flight.lock().insert(id, token);
        Registered { account: self, id }
    }
}

/// Takes a token off the list when its call ends, however it ends.
struct Registered<'a> {
    account: &'a Account,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.account.in_flight.lock().remove(&self.id);
    }
}
