//! Client configuration.

mod refused;

use std::time::Duration;

use crate::error::{Error, Status, refuse};
use crate::http::{Pins, Proxy, Roots};
use crate::key::ApiKey;
use crate::platform::files;
use crate::platform::log::Log;
use crate::rules::pacing::check_interval;
use crate::rules::trust::Trust;

use refused::Refused;
pub use refused::Setting;

/// Shortest and longest total deadline of one call, in milliseconds.
pub const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
/// The highest maximum frame age, in milliseconds.
pub const MAX_FRAME_AGE_MS: u32 = 3_600_000;
/// The most worker threads for monitors.
pub const MAX_WORKERS: u32 = 64;
/// The least and the most memory for decoding pictures, in millions of bytes.
pub const PICTURE_MEMORY_MB: std::ops::RangeInclusive<u32> = 4..=2_000;
/// The longest product name a host may add to the user agent, in bytes.
pub const MAX_USER_AGENT: usize = 128;

/// Who looks at the pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendKind {
    /// The hosted service, or a self-hosted one that speaks its wire.
    #[default]
    Service,
    /// The engine inside this library.
    Embedded,
}

/// Everything a host can set before it makes a client. Setters check at once and copy.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) key: Option<ApiKey>,
    pub(crate) backend: BackendKind,
    pub(crate) endpoint: Option<Trust>,
    pub(crate) allow_http: bool,
    pub(crate) roots: RootsChoice,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) pins: Pins,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) interval_sec: u32,
    pub(crate) max_frame_age: Duration,
    pub(crate) workers: u32,
    pub(crate) product: Option<String>,
    pub(crate) model_file: Option<String>,
    pub(crate) picture_memory: Option<usize>,
    pub(crate) log: Log,
    refused: Refused,
}

/// Roots from the trust setting, unless certificates were given; these always win.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootsChoice {
    trust: Roots,
    given: Option<Roots>,
}

impl RootsChoice {
    pub(crate) fn chosen(&self) -> Roots {
        self.given.clone().unwrap_or_else(|| self.trust.clone())
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_MAX_FRAME_AGE: Duration = Duration::from_secs(30);
const DEFAULT_WORKERS: u32 = 4;

impl Default for Options {
    fn default() -> Self {
        Options {
            key: None,
            backend: BackendKind::default(),
            endpoint: None,
            allow_http: false,
            roots: RootsChoice::default(),
            proxy: None,
            pins: Pins::default(),
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            interval_sec: 0,
            max_frame_age: DEFAULT_MAX_FRAME_AGE,
            workers: DEFAULT_WORKERS,
            product: None,
            model_file: None,
            picture_memory: None,
            log: Log::default(),
            refused: Refused::default(),
        }
    }
}

impl Options {
    /// Keeps in mind how a setter ended. While the last use of one of these failed, no client is
    /// made: it would not be set up as the host meant.
    pub fn note(&mut self, setting: Setting, result: &Result<(), Error>) {
        self.refused.note(setting, result);
    }

    /// # Errors
    /// Of the oldest setting that was refused and not set since.
    pub(crate) fn check_refused(&self) -> Result<(), Error> {
        self.refused.check()
    }

    /// The API key; `None` removes it.
    ///
    /// # Errors
    /// As [`ApiKey::new`].
    pub fn set_api_key(&mut self, key: Option<&str>) -> Result<(), Error> {
        self.key = key.map(ApiKey::new).transpose()?;
        Ok(())
    }

    /// 0 is the service, 1 the embedded engine.
    ///
    /// # Errors
    /// For any other number.
    pub fn set_backend(&mut self, backend: i32) -> Result<(), Error> {
        self.backend = match backend {
            0 => BackendKind::Service,
            1 => BackendKind::Embedded,
            _ => {
                return Err(refuse(
                    "the backend is neither service (0) nor embedded (1)",
                ));
            }
        };
        Ok(())
    }

    /// The base URL of a self-hosted service; `None` is the hosted one.
    ///
    /// # Errors
    /// When it is not `scheme://host[:port]`.
    pub fn set_endpoint(&mut self, base_url: Option<&str>) -> Result<(), Error> {
        self.endpoint = base_url
            .map(Trust::endpoint)
            .transpose()
            .map_err(|why| refuse(why.0))?;
        Ok(())
    }

    /// Whether the endpoint may be plain `http`: 0 or 1.
    ///
    /// # Errors
    /// For any other number.
    pub fn set_allow_http(&mut self, allow: i32) -> Result<(), Error> {
        self.allow_http = match allow {
            0 => false,
            1 => true,
            _ => return Err(refuse("allow_http is neither 0 nor 1")),
        };
        Ok(())
    }

    /// 0 trusts the compiled-in roots, 1 the system's store, read now.
    ///
    /// # Errors
    /// For any other number, or when the system has no usable store.
    pub fn set_trust(&mut self, trust: i32) -> Result<(), Error> {
        self.roots.trust = match trust {
            0 => Roots::Bundled,
            1 => Roots::system()?,
            _ => return Err(refuse("trust is neither bundled (0) nor system (1)")),
        };
        Ok(())
    }

    /// Certificates in PEM that replace the roots; `None` goes back to the trust setting.
    ///
    /// # Errors
    /// When no certificate can be read from it.
    pub fn set_ca_pem(&mut self, pem: Option<&[u8]>) -> Result<(), Error> {
        self.roots.given = pem.map(Roots::pem).transpose()?;
        Ok(())
    }

    /// As [`set_ca_pem`](Self::set_ca_pem), from a file that is read now.
    ///
    /// # Errors
    /// When it is not a regular file of at most 4 MiB, cannot be read or holds no certificate.
    pub fn set_ca_file(&mut self, path: Option<&str>) -> Result<(), Error> {
        let Some(path) = path else {
            return self.set_ca_pem(None);
        };
        let pem = files::read(path.as_ref(), files::MAX_CERTIFICATES).map_err(|why| {
            let text = format!("the CA file cannot be read: {why}");
            Error::with_text(Status::Argument, text).because_of(why)
        })?;
        self.set_ca_pem(Some(&pem))
    }

    /// The proxy: a URL, `"env"` to read the environment now, `None` for none.
    ///
    /// # Errors
    /// When it is not `http://[user:password@]host:port`.
    pub fn set_proxy(&mut self, url: Option<&str>) -> Result<(), Error> {
        self.proxy = match url {
            None => None,
            Some("env") => Proxy::from_env()?,
            Some(url) => Some(Proxy::parse(url)?),
        };
        Ok(())
    }

    /// Connects to these addresses, with commas between them, instead of looking the host up; `None`
    /// looks it up again. Without a host, `None` does so for all of them.
    ///
    /// # Errors
    /// When the host is no name, or one of the addresses none; for more than 8 hosts.
    pub fn set_resolve(
        &mut self,
        host: Option<&str>,
        addresses: Option<&str>,
    ) -> Result<(), Error> {
        match (host, addresses) {
            (Some(host), addresses) => self.pins.set(host, addresses),
            (None, None) => {
                self.pins.clear();
                Ok(())
            }
            (None, Some(_)) => Err(refuse(
                "there are addresses, and no host to connect to there",
            )),
        }
    }

    /// The deadline of one call, in milliseconds.
    ///
    /// # Errors
    /// Outside [`TIMEOUT_MS`].
    pub fn set_timeout_ms(&mut self, total_ms: u32) -> Result<(), Error> {
        if !TIMEOUT_MS.contains(&total_ms) {
            return Err(refuse("the timeout is not within 1,000 to 3,600,000 ms"));
        }
        self.timeout = Duration::from_millis(total_ms.into());
        Ok(())
    }

    /// The share of the deadline for making the connection, in milliseconds.
    ///
    /// # Errors
    /// When 0 or above the largest timeout. One above the timeout in force is cut to it.
    pub fn set_connect_timeout_ms(&mut self, ms: u32) -> Result<(), Error> {
        if ms == 0 || ms > *TIMEOUT_MS.end() {
            return Err(refuse(
                "the connect timeout is not within 1 to 3,600,000 ms",
            ));
        }
        self.connect_timeout = Duration::from_millis(ms.into());
        Ok(())
    }

    /// The host's own interval in seconds; 0 follows the service.
    ///
    /// # Errors
    /// Above [`MAX_INTERVAL_SEC`](crate::rules::pacing::MAX_INTERVAL_SEC).
    pub fn set_interval_sec(&mut self, sec: u32) -> Result<(), Error> {
        self.interval_sec = check_interval(sec)?;
        Ok(())
    }

    /// The age in milliseconds from which a frame is stale; 0 does not check.
    ///
    /// # Errors
    /// Above [`MAX_FRAME_AGE_MS`].
    pub fn set_max_frame_age_ms(&mut self, ms: u32) -> Result<(), Error> {
        if ms > MAX_FRAME_AGE_MS {
            return Err(refuse("the maximum frame age is above 3,600,000 ms"));
        }
        self.max_frame_age = Duration::from_millis(ms.into());
        Ok(())
    }

    /// Worker threads for monitors.
    ///
    /// # Errors
    /// Outside 1 to [`MAX_WORKERS`].
    pub fn set_workers(&mut self, n: u32) -> Result<(), Error> {
        if n == 0 || n > MAX_WORKERS {
            return Err(refuse("the number of workers is not within 1 to 64"));
        }
        self.workers = n;
        Ok(())
    }

    /// The host's product, added to the library's own user agent.
    ///
    /// # Errors
    /// When empty, longer than [`MAX_USER_AGENT`] or not visible ASCII and spaces.
    pub fn set_user_agent(&mut self, product: Option<&str>) -> Result<(), Error> {
        if let Some(text) = product {
            let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            if text.trim().is_empty() || text.len() > MAX_USER_AGENT || !text.bytes().all(plain) {
                return Err(refuse(
                    "the user agent is not 1 to 128 visible ASCII characters",
                ));
            }
        }
        self.product = product.map(|text| text.trim().to_owned());
        Ok(())
    }

    /// The embedded engine's model; `None` is the built-in one.
    ///
    /// # Errors
    /// When empty.
    pub fn set_model_file(&mut self, path: Option<&str>) -> Result<(), Error> {
        if path.is_some_and(str::is_empty) {
            return Err(refuse("the model file's path is empty"));
        }
        self.model_file = path.map(str::to_owned);
        Ok(())
    }

    /// How much memory the embedded engine may take to decode pictures, in millions of bytes, all looks
    /// of the client together; 0 shares the engine's own 32 with the other clients of the process.
    ///
    /// # Errors
    /// Outside [`PICTURE_MEMORY_MB`].
    pub fn set_picture_memory_mb(&mut self, mb: u32) -> Result<(), Error> {
        if mb != 0 && !PICTURE_MEMORY_MB.contains(&mb) {
            return Err(refuse("the picture memory is neither 0 nor 4 to 2,000 MB"));
        }
        self.picture_memory = (mb != 0).then_some(mb as usize * 1_000_000);
        Ok(())
    }

    /// The bytes of the model file, if one is set.
    ///
    /// # Errors
    /// `Model` when it is not a regular file of at most 16 MiB or cannot be read.
    pub(crate) fn read_model(&self) -> Result<Option<Vec<u8>>, Error> {
        let Some(path) = &self.model_file else {
            return Ok(None);
        };
        let bytes = files::read(path.as_ref(), files::MAX_MODEL).map_err(|why| {
            let text = format!("the model file cannot be read: {why}");
            Error::with_text(Status::Model, text).because_of(why)
        })?;
        Ok(Some(bytes))
    }

    /// Where lines of the log go.
    pub fn set_log(&mut self, log: Log) {
        self.log = log;
    }

    /// The log in force.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The rule for URLs, once key, endpoint and scheme are checked together.
    pub(crate) fn checked_trust(&self) -> Result<Trust, Error> {
        let trust = self.endpoint.clone().unwrap_or_else(Trust::service);
        if trust.is_plain_http() && !self.allow_http {
            return Err(refuse(
                "the endpoint is plain http: the key would travel readable; use https, or set allow_http",
            ));
        }
        if self.key.is_none() && self.endpoint.is_none() {
            return Err(refuse(
                "the hosted service needs an API key: set one with oe_options_set_api_key",
            ));
        }
        Ok(trust)
    }

    /// `oe-process/VERSION` and the host's product.
    pub(crate) fn user_agent(&self) -> String {
        let own = concat!("oe-process/", env!("CARGO_PKG_VERSION"));
        self.product
            .as_ref()
            .map_or(own.to_owned(), |product| format!("{own} {product}"))
    }
}

/// Shared by a client, its contexts and monitors: what they need of the options.
#[derive(Clone, Debug)]
pub(crate) struct CallConfig {
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) interval_sec: u32,
    pub(crate) max_frame_age: Duration,
    pub(crate) workers: usize,
}

impl Options {
    pub(crate) fn call_config(&self) -> CallConfig {
        CallConfig {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout.min(self.timeout),
            interval_sec: self.interval_sec,
            max_frame_age: self.max_frame_age,
            workers: self.workers as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_at_their_bounds() {
        let mut options = Options::default();
        assert!(options.set_timeout_ms(999).is_err());
        assert!(options.set_timeout_ms(1_000).is_ok());
        assert!(options.set_timeout_ms(3_600_000).is_ok());
        assert!(options.set_timeout_ms(3_600_001).is_err());
        assert!(options.set_connect_timeout_ms(0).is_err());
        assert!(options.set_connect_timeout_ms(1).is_ok());
        assert!(options.set_interval_sec(1_209_600).is_ok());
        assert!(options.set_interval_sec(1_209_601).is_err());
        assert!(options.set_max_frame_age_ms(3_600_001).is_err());
        assert!(options.set_workers(0).is_err());
        assert!(options.set_workers(65).is_err());
        for (mb, bytes) in [
            (4, Some(4_000_000)),
            (2_000, Some(2_000_000_000)),
            (0, None),
        ] {
            options.set_picture_memory_mb(mb).unwrap();
            assert_eq!(options.picture_memory, bytes);
        }
        assert!(options.set_picture_memory_mb(3).is_err());
        assert!(options.set_picture_memory_mb(2_001).is_err());
        assert!(options.set_picture_memory_mb(u32::MAX).is_err());
        assert!(options.set_backend(2).is_err());
        assert!(options.set_trust(-1).is_err());
        assert!(options.set_allow_http(2).is_err());
    }

    #[test]
    fn a_refused_setting_leaves_the_old_one() {
        let mut options = Options::default();
        options.set_api_key(Some("first")).unwrap();
        assert!(options.set_api_key(Some("")).is_err());
        assert_eq!(options.key.as_ref().unwrap().expose(), "first");
        options.set_api_key(None).unwrap();
        assert!(options.checked_trust().is_err());
    }

    #[test]
    fn a_refusal_counts_until_the_same_setter_succeeds() {
        let mut options = Options::default();
        options.set_api_key(Some("k")).unwrap();
        assert!(options.check_refused().is_ok());
        let wrong = |text| Err(Error::with_text(Status::Argument, text));
        options.note(Setting::Endpoint, &wrong("no scheme"));
        options.note(Setting::CaFile, &Err(Error::local(Status::Resources)));
        options.note(Setting::Endpoint, &wrong("no host"));
        let error = options.clone().check_refused().unwrap_err();
        assert_eq!(error.status, Status::Argument, "the oldest of them");
        let text = "oe_options_set_endpoint was refused: no host";
        assert_eq!(error.text, text, "with what it was told last");
        options.note(Setting::CaPem, &Ok(()));
        options.note(Setting::Endpoint, &Ok(()));
        let error = options.check_refused().unwrap_err();
        assert_eq!(error.status, Status::Resources, "not made good by ca_pem");
        options.note(Setting::CaFile, &Ok(()));
        assert!(options.check_refused().is_ok());
    }

    #[test]
    fn only_a_service_of_ones_own_goes_without_a_key() {
        let mut options = Options::default();
        assert_eq!(
            options.checked_trust().unwrap_err().status,
            Status::Argument
        );
        options.set_endpoint(Some("https://printer.test")).unwrap();
        assert!(options.checked_trust().is_ok());
        options.set_endpoint(None).unwrap();
        assert!(options.checked_trust().is_err());
    }

    #[test]
    fn plain_http_needs_both_an_endpoint_and_consent() {
        let mut options = Options::default();
        options.set_api_key(Some("k")).unwrap();
        options.set_allow_http(1).unwrap();
        assert!(!options.checked_trust().unwrap().is_plain_http());
        options.set_endpoint(Some("http://127.0.0.1:1")).unwrap();
        assert!(options.checked_trust().unwrap().is_plain_http());
        options.set_allow_http(0).unwrap();
        assert_eq!(
            options.checked_trust().unwrap_err().status,
            Status::Argument
        );
    }

    #[test]
    fn the_user_agent_names_library_and_product() {
        let mut options = Options::default();
        options.set_user_agent(Some(" klipper-host/1.2 ")).unwrap();
        assert!(options.user_agent().starts_with("oe-process/"));
        assert!(options.user_agent().ends_with(" klipper-host/1.2"));
        assert!(options.set_user_agent(Some("a\r\nb")).is_err());
    }
}
