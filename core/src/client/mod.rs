//! The face of the library: from options to a client, its contexts, monitors and events.

use std::sync::Arc;
use std::time::Duration;

use crate::account::config::{BackendKind, Options};
use crate::account::counters::Usage;
use crate::account::{Account, Purpose};
use crate::backend::Backend;
use crate::backend::embedded::{Embedded, Turns};
use crate::backend::service::Service;
use crate::engine::{Engine, Setup};
use crate::error::{Due, Error, Status, refuse};
use crate::http::{HttpConfig, HttpTransport};
use crate::monitor::{Event, Monitor, Monitors};
use crate::platform::cancel::CancelToken;
use crate::platform::clock::World;
use crate::platform::log::Log;
use crate::rules::confidence::Confidence;
use crate::rules::trust::Trust;
use crate::session::Session;
use crate::session::print_options::PrintOptions;
use crate::transport::Transport;

/// One account and its connections.
pub struct Client {
    account: Arc<Account>,
    monitors: Arc<Monitors>,
}

impl Client {
    /// Checks the options together. No network.
    ///
    /// # Errors
    /// That of a setting that was refused and not set since; `Argument` without a key for the hosted service, with plain
    /// http that was not allowed or with unusable roots; `Unsupported` for the embedded backend in a build without it.
    pub fn new(options: &Options, world: World) -> Result<Arc<Client>, Error> {
        Client::check(options)?;
        let transport = HttpTransport::new(HttpConfig {
            roots: options.roots.chosen(),
            proxy: options.proxy.clone(),
            pins: options.pins.clone(),
            user_agent: options.user_agent(),
            spawn: Arc::clone(&world.spawn),
            log: options.log.clone(),
        })?;
        Client::with_transport(options, world, Arc::new(transport))
    }

    /// As [`new`](Self::new), in a build with an embedded engine. `load` makes it for a client that
    /// is to have it. `turns` is how many may look
    /// at once.
    ///
    /// # Errors
    /// As [`new`](Self::new), and `Model` with what is the matter with the model or its file. A key,
    /// an endpoint and all else that the service needs are not looked at for the embedded engine.
    pub fn with_engine(
        options: &Options,
        world: World,
        turns: Arc<Turns>,
        load: impl FnOnce(Setup) -> Result<Arc<dyn Engine>, String>,
    ) -> Result<Arc<Client>, Error> {
        if options.backend == BackendKind::Service {
            return Client::new(options, world);
        }
        options.check_refused()?;
        let no_model = |why| Error::with_text(Status::Model, why);
        let setup = Setup {
            model: options.read_model()?,
            picture_memory: options.picture_memory,
        };
        let embedded = Embedded {
            engine: load(setup).map_err(no_model)?,
            turns,
            clock: Arc::clone(&world.clock),
            timeout: options.timeout,
        };
        Ok(Client::over(Box::new(embedded), options, world))
    }

    fn check(options: &Options) -> Result<Trust, Error> {
        options.check_refused()?;
        if options.backend == BackendKind::Embedded {
            let text = "this build has no embedded engine; use the service backend";
            return Err(Error::with_text(Status::Unsupported, text));
        }
        options.checked_trust()
    }

    fn over(backend: Box<dyn Backend>, options: &Options, world: World) -> Arc<Client> {
        let account = Account::new(backend, options, world);
        Arc::new(Client {
            monitors: Monitors::new(&account),
            account,
        })
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
        let config = options.call_config();
        let service = Service {
            transport,
            trust: Client::check(options)?,
            key: options.key.clone(),
            timeout: config.timeout,
            connect_timeout: config.connect_timeout,
        };
        Ok(Client::over(Box::new(service), options, world))
    }

    /// Ends every create, renewal, key check and wait for an event in flight; later ones are not
    /// affected.
    pub fn cancel(&self) {
        self.account.cancel();
        self.monitors.cancel_waits();
    }

    /// The handle is gone: ends what [`cancel`](Self::cancel) ends, and the monitors with their
    /// threads, within 2 s. Contexts stay usable.
    pub fn close(&self) {
        self.cancel();
        self.monitors.close();
    }

    /// Time until the next create may be sent; never while an account error is latched.
    pub fn create_due(&self) -> Due {
        self.account.create_due()
    }

    /// A Create Context whose context is dropped: free, sends no image. Clears a latch that is
    /// older than the check when it succeeds. Says nothing about the allowance.
    ///
    /// # Errors
    /// Every status of a create.
    pub fn check_key(&self) -> Result<(), Error> {
        self.account.check_key()
    }

    /// The account was mended: calls are allowed again, each at its own time.
    pub fn clear_latch(&self) {
        self.account.clear_latch();
    }

    /// The counters, from the start of this client.
    pub fn usage(&self) -> Usage {
        self.account.usage()
    }

    /// One Create Context call.
    ///
    /// # Errors
    /// `NotDue` before its time, the latch, and every status of the outcome table that a create
    /// can have.
    pub fn create_context(
        &self,
        warning: Confidence,
        pause: Confidence,
    ) -> Result<Arc<Session>, Error> {
        self.create_context_with(PrintOptions {
            warning,
            pause,
            ..PrintOptions::default()
        })
    }

    /// The same, with more that is set for this print.
    ///
    /// # Errors
    /// As [`create_context`](Self::create_context); `Argument` for an interval above 14 days and for
    /// regions that leave nothing of the picture; `Unsupported` for regions or a replay at the service.
    pub fn create_context_with(&self, options: PrintOptions) -> Result<Arc<Session>, Error> {
        self.check_print(&options)?;
        let account = &self.account;
        let token = CancelToken::new();
        let (warning, pause) = (options.warning, options.pause);
        let print = account.create(Purpose::Context, warning, pause, &token)?;
        Ok(Session::new(account, print, options))
    }

    fn check_print(&self, options: &PrintOptions) -> Result<(), Error> {
        options.check()?;
        if self.account.backend.has_account() && options.is_for_engine() {
            let text = "only the embedded engine ignores regions and plays recordings";
            return Err(Error::with_text(Status::Unsupported, text));
        }
        Ok(())
    }

    /// A context from its saved text. No network.
    ///
    /// # Errors
    /// `Argument` when damaged or newer, `ContextLost` over 14 days, `UntrustedUrl` when its URLs
    /// are outside this client's trust; the latch.
    pub fn restore(&self, saved: &str) -> Result<Arc<Session>, Error> {
        self.account.refuse_if_latched()?;
        Session::restore(&self.account, saved)
    }

    /// Watches a print. No network: what fails later becomes an event.
    ///
    /// # Errors
    /// The latch; `Resources` when no thread can be had.
    pub fn start_monitor(
        &self,
        warning: Confidence,
        pause: Confidence,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        self.start_monitor_with(
            PrintOptions {
                warning,
                pause,
                ..PrintOptions::default()
            },
            tag,
        )
    }

    /// The same, with more that is set for this print.
    ///
    /// # Errors
    /// As [`start_monitor`](Self::start_monitor) and, for the options, as
    /// [`create_context_with`](Self::create_context_with); `Argument` for a replay, whose frames come
    /// faster than a monitor asks for them.
    pub fn start_monitor_with(
        &self,
        options: PrintOptions,
        tag: u64,
    ) -> Result<Arc<Monitor>, Error> {
        if options.replay {
            return Err(refuse("a monitor plays no recording; use a context"));
        }
        self.check_print(&options)?;
        Monitor::start(&self.monitors, options, tag)
    }

    /// Goes on watching a print from its saved text. No network.
    ///
    /// # Errors
    /// As [`restore`](Client::restore), and `Resources`.
    pub fn start_saved_monitor(&self, saved: &str, tag: u64) -> Result<Arc<Monitor>, Error> {
        Monitor::start_saved(&self.monitors, saved, tag)
    }

    /// The next event of any monitor of this client; `None` when none came in time. Without a
    /// timeout it waits for ever.
    ///
    /// # Errors
    /// `Cancelled` when a cancel ended the wait.
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<Option<Event>, Error> {
        self.monitors.next_event(timeout)
    }

    /// A descriptor that is readable while there are unread events; -1 where there is none.
    pub fn event_fd(&self) -> isize {
        self.monitors.event_fd()
    }

    /// The log of this client.
    #[must_use]
    pub fn log(&self) -> &Log {
        self.account.log()
    }

    /// Does, on the calling thread, all that is due now. For tests whose clock stands still, in a
    /// world that starts no threads.
    #[doc(hidden)]
    pub fn turn_monitors(&self) {
        self.monitors.turn();
    }
}
