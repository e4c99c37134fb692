//! The real transport: HTTP/1.1 by ureq over sockets and TLS of our own.

use std::sync::Arc;

use crate::clock::Spawn;
use crate::error::Error;
use crate::log::Log;
use crate::transport::{Exchange, Request, Transport};

/// The certificates a service's certificate must lead to.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Mozilla's roots, compiled in.
    #[default]
    Bundled,
    /// These, in DER.
    Given(Arc<Vec<Vec<u8>>>),
}

impl Roots {
    /// The system's store, read now.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when there is none or it holds no usable certificate.
    pub fn system() -> Result<Roots, Error> {
        todo!()
    }

    /// Certificates from PEM text.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when there is no certificate in it or one is damaged.
    pub fn pem(_pem: &[u8]) -> Result<Roots, Error> {
        todo!()
    }
}

/// An HTTP proxy that is asked to CONNECT. `Debug` shows host and port alone.
#[derive(Clone, Debug)]
pub struct Proxy {}

impl Proxy {
    /// From `http://[user:password@]host:port`.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` for any other text.
    pub fn parse(_url: &str) -> Result<Proxy, Error> {
        todo!()
    }

    /// From `HTTPS_PROXY`/`https_proxy` and `NO_PROXY`/`no_proxy` as they are now; `None` when unset.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when set to something that is no proxy URL.
    pub fn from_env() -> Result<Option<Proxy>, Error> {
        todo!()
    }
}

/// What an [`HttpTransport`] is made of.
#[derive(Clone)]
pub struct HttpConfig {
    /// Whom to trust.
    pub roots: Roots,
    /// The proxy, if one is wanted.
    pub proxy: Option<Proxy>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Starts the resolver's thread.
    pub spawn: Arc<dyn Spawn>,
    /// Where connections and look-ups are written down.
    pub log: Log,
}

/// HTTP/1.1 over a pool of connections.
pub struct HttpTransport {}

impl HttpTransport {
    /// No network yet.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when the roots cannot be used.
    pub fn new(_config: HttpConfig) -> Result<HttpTransport, Error> {
        todo!()
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, _request: &Request<'_>) -> Exchange {
        todo!()
    }
}
