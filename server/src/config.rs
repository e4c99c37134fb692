//! Configuration of a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::judge::Engine;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::log::Log;
use crate::reply::Edition;
use crate::store;
use crate::verdicts::{self, Verdict};

/// Memory for pictures while they are decoded, in bytes: enough for a progressive picture of the
/// most pixels that are decoded, in the usual sampling.
pub const PICTURE_MEMORY: usize = 200_000_000;

/// The longest interval in seconds: as long as a context lives. Source: the public API documentation (14
/// days).
pub const MAX_INTERVAL: u32 = 14 * 24 * 3_600;

/// Certificate chain and key, in PEM.
#[derive(Clone)]
pub struct TlsFiles {
    /// The chain, the server's certificate first.
    pub cert_pem: Vec<u8>,
    /// Its key.
    pub key_pem: Vec<u8>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsFiles")
    }
}

/// Configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks one, the same for all.
    pub listen: Vec<SocketAddr>,
    /// The form of the interval, where neither the path nor the key names one.
    pub edition: Edition,
    /// The shortest delay between two process calls of a context, in seconds.
    pub minimum: u32,
    /// The recommended delay, in seconds.
    pub recommended: u32,
    /// Who may call.
    pub keys: Arc<Keys>,
    /// What each context's calls are answered; empty is always "great".
    pub verdicts: Arc<Vec<Verdict>>,
    /// Looks at the pictures; `None` answers `verdicts`. Only there with the feature `embedded`.
    pub engine: Option<Arc<Engine>>,
    /// How many seconds of a print pass in one of the server's, to the engine: 1, but for a recording that
    /// is shown faster than it was made.
    pub speed: f64,
    /// TLS, if it is wanted.
    pub tls: Option<TlsFiles>,
    /// The base of the URLs given out, instead of what the client called.
    pub public_url: Option<String>,
    /// How many bytes all pictures of this process together may take while they are decoded. Pictures
    /// wait for their share; one that takes more than all of it is refused.
    pub picture_memory: usize,
    /// What one request, one key and all together may take.
    pub limits: Limits,
    /// How long the service may be full, and a picture may take, before `/healthz` says so.
    pub patience: Duration,
    /// The clock by which contexts, creates and health are paced.
    pub clock: Clock,
    /// How long a context lives.
    pub context_life: Duration,
    /// The folder for what outlives the process; without one a restart forgets all prints.
    pub state: Option<PathBuf>,
    /// How much is kept there.
    pub history: store::Limits,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            edition: Edition::default(),
            minimum: 20,
            recommended: 20,
            keys: Arc::default(),
            verdicts: Arc::default(),
            engine: None,
            speed: 1.0,
            tls: None,
            public_url: None,
            picture_memory: PICTURE_MEMORY,
            limits: Limits::default(),
            patience: Duration::from_secs(60),
            clock: Clock::default(),
            context_life: Duration::from_secs(MAX_INTERVAL.into()),
            state: None,
            history: store::Limits::default(),
            log: Log::Off,
        }
    }
}

impl Config {
    /// Edition B at its shortest pace, 5 s, with verdicts from a script: what the tests of a host
    /// want.
    ///
    /// # Errors
    /// Says the line of the script that cannot be read.
    pub fn scripted(script: &str) -> Result<Config, String> {
        Ok(Config {
            edition: Edition::B,
            minimum: 5,
            recommended: 5,
            verdicts: Arc::new(verdicts::parse(script)?),
            ..Config::default()
        })
    }
}
