//! One account, one connection pool.

use std::sync::Arc;

use crate::clock::World;
use crate::config::{Confidence, Options};
use crate::error::{Due, Error};
use crate::log::Log;
use crate::session::Session;
use crate::transport::Transport;
use crate::usage::Usage;

/// One account and its connections.
pub struct Client {}

impl Client {
    /// Checks the options together. No network.
    ///
    /// # Errors
    /// `Argument` without a key or with plain http; `Unsupported` for the embedded backend.
    pub fn new(options: &Options, world: World) -> Result<Arc<Client>, Error> { let _ = (options, world); todo!() }
    /// As [`new`](Self::new), over a transport of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_transport(options: &Options, world: World, transport: Arc<dyn Transport>) -> Result<Arc<Client>, Error> { let _ = (options, world, transport); todo!() }
    /// Ends every create, renew and key check in flight.
    pub fn cancel(&self) { todo!() }
    /// When the next create may be sent.
    pub fn create_due(&self) -> Due { todo!() }
    /// A Create Context whose context is dropped.
    ///
    /// # Errors
    /// Every status of a create.
    pub fn check_key(&self) -> Result<(), Error> { todo!() }
    /// After the account was mended.
    pub fn clear_latch(&self) { todo!() }
    /// The counters.
    pub fn usage(&self) -> Usage { todo!() }
    /// One Create Context call.
    ///
    /// # Errors
    /// Every status of a create.
    pub fn create_context(self: &Arc<Self>, warning: Confidence, pause: Confidence) -> Result<Arc<Session>, Error> { let _ = (warning, pause); todo!() }
    /// A context from its saved text.
    ///
    /// # Errors
    /// `Argument`, `ContextLost`, `UntrustedUrl`.
    pub fn restore(self: &Arc<Self>, saved: &str) -> Result<Arc<Session>, Error> { let _ = saved; todo!() }
    /// Ends everything in flight for good; contexts stay usable.
    pub fn close(&self) { todo!() }
    /// The log of this client.
    pub fn log(&self) -> &Log { todo!() }
}
