//! One account, one connection pool: what all contexts of a key share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::sync::Mutex;

use crate::cancel::CancelToken;
use crate::cause::Cause;
use crate::clock::World;
use crate::config::{Backend, CallConfig, Confidence, Options};
use crate::creating::{self, CreatePace, Problem};
use crate::error::{Due, Error, ErrorType, Source, Status};
use crate::http::{HttpConfig, HttpTransport};
use crate::key::ApiKey;
use crate::latch::{Latch, Ticket};
use crate::log::Log;
use crate::monitor::Hub;
use crate::random;
use crate::session::Session;
use crate::transport::{Request, Transport};
use crate::trust::Trust;
use crate::usage::{Counters, Usage};
use crate::wire::{self, ContextUrls};

/// One account and its connections.
pub struct Client {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) world: World,
    pub(crate) config: Arc<CallConfig>,
    pub(crate) trust: Trust,
    pub(crate) key: Option<ApiKey>,
    pub(crate) latch: Latch,
    pub(crate) counters: Counters,
    log: Log,
    pace: Mutex<CreatePace>,
    /// Cancel tokens of creates, renewals and key checks in flight.
    in_flight: Mutex<HashMap<u64, CancelToken>>,
    sessions: Mutex<HashMap<u64, Weak<Session>>>,
    /// Shared with the monitors' threads, which outlive it by a moment.
    pub(crate) hub: Arc<Hub>,
    next_id: AtomicUsize,
}

/// Why Create Context is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Context,
    KeyCheck,
}

impl Client {
    /// Checks the options together. No network.
    ///
    /// # Errors
    /// `Argument` without a key, with plain http that was not allowed or with unusable roots;
    /// `Unsupported` for the embedded backend in a build without it.
    pub fn new(options: &Options, world: World) -> Result<Arc<Client>, Error> {
        Client::check(options)?;
        let transport = HttpTransport::new(HttpConfig {
            roots: options.roots.chosen(),
            proxy: options.proxy.clone(),
            user_agent: options.user_agent(),
            spawn: Arc::clone(&world.spawn),
            log: options.log.clone(),
        })?;
        Client::with_transport(options, world, Arc::new(transport))
    }

    fn check(options: &Options) -> Result<Trust, Error> {
        if options.backend == Backend::Embedded {
            let text = "this build has no embedded engine; use the service backend";
            return Err(Error::with_text(Status::Unsupported, text));
        }
        options.checked_trust()
    }

    /// As [`new`](Self::new), over a transport of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_transport(
        options: &Options,
        world: World,
        transport: Arc<dyn Transport>,
    ) -> Result<Arc<Client>, Error> {
        let trust = Client::check(options)?;
        Ok(Arc::new(Client {
            transport,
            world,
            config: options.call_config(),
            trust,
            key: options.key.clone(),
            latch: Latch::default(),
            counters: Counters::default(),
            log: options.log.clone(),
            pace: Mutex::default(),
            in_flight: Mutex::default(),
            sessions: Mutex::default(),
            hub: Arc::default(),
            next_id: AtomicUsize::new(1),
        }))
    }

    /// Ends every create, renewal, key check and wait for an event in flight; no effect on later
    /// ones.
    pub fn cancel(&self) {
        let tokens: Vec<_> = self.in_flight.lock().values().cloned().collect();
        tokens.iter().for_each(CancelToken::cancel);
        self.hub.cancel_waits();
    }

    /// The handle is gone: ends what [`cancel`](Self::cancel) ends, and the monitors with their
    /// threads, within 2 s. Contexts stay usable.
    pub fn close(&self) {
        self.cancel();
        self.hub.close();
    }

    /// When the next create may be sent; never while an account error is latched.
    pub fn create_due(&self) -> Due {
        match self.latch.status() {
            Some(_) => Due::Never,
            None => Due::In(self.pace.lock().remaining(self.world.clock.now())),
        }
    }

    /// When the pace of the client allows the next create.
    pub(crate) fn create_at(&self, now: Duration) -> Duration {
        now + self.pace.lock().remaining(now)
    }

    /// Whether the last create failed.
    pub(crate) fn creates_fail(&self) -> bool {
        self.pace.lock().is_failing()
    }

    /// A Create Context whose context is dropped: free, sends no image. Clears a latch that is
    /// older than the check when it succeeds. Says nothing about the allowance.
    ///
    /// # Errors
    /// Every status of a create.
    pub fn check_key(&self) -> Result<(), Error> {
        let ticket = self.latch.ticket();
        let unset = Confidence::default();
        self.create(Purpose::KeyCheck, unset, unset, &CancelToken::new())?;
        if self.latch.clear_older(ticket) {
            self.wake_sessions();
            return Ok(());
        }
        self.refuse_if_latched()
    }

    /// The account was mended: calls are allowed again, each at its own time.
    pub fn clear_latch(&self) {
        self.latch.clear();
        self.wake_sessions();
    }

    /// The counters, from the start of this client.
    pub fn usage(&self) -> Usage {
        let contexts = u32::try_from(self.sessions.lock().len()).unwrap_or(u32::MAX);
        Usage {
            contexts,
            latched: self.latch.status(),
            ..self.counters.read()
        }
    }

    /// One Create Context call.
    ///
    /// # Errors
    /// `NotDue` before its time, the latch, and every status of the outcome table that a create
    /// can have.
    pub fn create_context(
        self: &Arc<Self>,
        warning: Confidence,
        pause: Confidence,
    ) -> Result<Arc<Session>, Error> {
        let urls = self.create(Purpose::Context, warning, pause, &CancelToken::new())?;
        Ok(Session::new(self, urls, warning, pause))
    }

    /// A context from its saved text. No network.
    ///
    /// # Errors
    /// `Argument` when damaged or newer, `ContextLost` over 14 days, `UntrustedUrl` when its URLs
    /// are outside this client's trust; the latch.
    pub fn restore(self: &Arc<Self>, saved: &str) -> Result<Arc<Session>, Error> {
        self.refuse_if_latched()?;
        Session::restore(self, saved)
    }

    /// The log of this client.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// One Create Context call, at its time.
    pub(crate) fn create(
        &self,
        purpose: Purpose,
        warning: Confidence,
        pause: Confidence,
        token: &CancelToken,
    ) -> Result<ContextUrls, Error> {
        if purpose == Purpose::Context {
            self.refuse_if_latched()?;
        }
        let started = self.world.clock.now();
        self.refuse_if_early(purpose, started)?;
        let flight = self.register(token.clone());
        let ticket = self.latch.ticket();
        let body = wire::create_body(warning, pause);
        let exchange = self.transport.exchange(&Request {
            url: self.trust.create_url(),
            key: self.key.as_ref(),
            content_type: wire::JSON,
            body: [body.as_bytes(), b"", b""],
            timeout: self.config.timeout,
            connect_timeout: self.config.connect_timeout,
            cancel: token,
        });
        drop(flight);
        self.counters.traffic(&exchange);
        let outcome = creating::read(&exchange, &self.trust);
        self.created(purpose, started, ticket, outcome, exchange.cause)
    }

    fn created(
        &self,
        purpose: Purpose,
        started: Duration,
        ticket: Ticket,
        outcome: Result<ContextUrls, Problem>,
        cause: Option<Cause>,
    ) -> Result<ContextUrls, Error> {
        let now = self.world.clock.now();
        match outcome {
            Ok(urls) => {
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
                    ms(now.saturating_sub(started))
                ));
                if purpose == Purpose::Context {
                    // Latched by another call meanwhile: this context could not be used.
                    self.refuse_if_latched()?;
                }
                Ok(urls)
            }
            Err(problem) => {
                self.pace
                    .lock()
                    .failed(started, now, &problem, random::jitter());
                if problem.latch {
                    self.latch(problem.status, ticket);
                }
                let mut error = describe(
                    problem.status,
                    problem.http_status,
                    problem.error_type,
                    self.create_due(),
                    &self.trust.create_url().origin().host,
                    cause.as_ref(),
                );
                if let Some(better) = problem.text {
                    better.clone_into(&mut error.text);
                }
                self.log.warn(format_args!("create: {error}"));
                Err(error)
            }
        }
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

    /// The account error in force, as an error.
    pub(crate) fn refuse_if_latched(&self) -> Result<(), Error> {
        match self.latch.status() {
            Some(status) => Err(Error::local(status).retry_after(Due::Never)),
            None => Ok(()),
        }
    }

    /// An account error answered: stops every context of this client.
    pub(crate) fn latch(&self, status: Status, ticket: Ticket) {
        if self.latch.set(status, ticket) {
            self.log
                .error(format_args!("{}: {}", status.row().name, status.row().text));
            self.wake_sessions();
        }
    }

    /// Whoever waits for its time looks again at why: the latch has changed.
    fn wake_sessions(&self) {
        self.hub.review_all(self);
        let sessions: Vec<_> = self
            .sessions
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        sessions.iter().for_each(|session| session.wake());
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) as u64
    }

    pub(crate) fn enlist(&self, id: u64, session: &Arc<Session>) {
        self.sessions.lock().insert(id, Arc::downgrade(session));
    }

    pub(crate) fn dismiss(&self, id: u64) {
        self.sessions.lock().remove(&id);
    }

    fn register(&self, token: CancelToken) -> InFlight<'_> {
        let id = self.new_id();
        self.in_flight.lock().insert(id, token);
        InFlight { client: self, id }
    }
}

/// An error of an exchange, in words: the table's sentence, where and why it failed, and the HTTP
/// status or the host.
pub(crate) fn describe(
    status: Status,
    http_status: u16,
    error_type: Option<ErrorType>,
    due: Due,
    host: &str,
    cause: Option<&Cause>,
) -> Error {
    let mut text = status.row().text.to_owned();
    if let Some(cause) = cause {
        text = format!("{text} {cause}");
    }
    let text = match http_status {
        0 => format!("{text} (host {host})"),
        code => format!("{text} (HTTP {code})"),
    };
    Error {
        status,
        http_status,
        error_type,
        retry_after: due,
        text,
        source: cause.map(|cause| Arc::new(cause.clone()) as Source),
    }
}

/// Whole milliseconds, for the log.
pub(crate) fn ms(time: Duration) -> u128 {
    time.as_millis()
}

/// Takes a token off the list when its call ends, however it ends.
struct InFlight<'a> {
    client: &'a Client,
    id: u64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.client.in_flight.lock().remove(&self.id);
    }
}
