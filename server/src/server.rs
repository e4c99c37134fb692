//! Listening, serving, stopping.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::keys::Keys;
use crate::log::Log;
use crate::reply::Edition;
use crate::service::Service;
use crate::verdicts::Verdict;

/// What pictures may take while they are decoded, in bytes: enough for a progressive picture of the
/// most pixels that are decoded, in the usual sampling.
pub const PICTURE_MEMORY: usize = 200_000_000;
/// How long calls in flight get to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);
const HEAD_TIME: Duration = Duration::from_secs(15);
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);

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

/// What a server is set up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// The form of the interval.
    pub edition: Edition,
    /// The shortest delay between two process calls of a context, in seconds.
    pub minimum: u32,
    /// The recommended delay, in seconds.
    pub recommended: u32,
    /// Who may call.
    pub keys: Arc<Keys>,
    /// What each context's calls are answered; empty is always "great".
    pub verdicts: Arc<Vec<Verdict>>,
    /// Who looks at the pictures; `None` answers `verdicts`.
    #[cfg(feature = "embedded")]
    pub engine: Option<Arc<oe_engine::Engine>>,
    /// TLS, if it is wanted.
    pub tls: Option<TlsFiles>,
    /// The base of the URLs given out, instead of what the client called.
    pub public_url: Option<String>,
    /// How many bytes all pictures of this process together may take while they are decoded. Pictures
    /// wait for their share; one that takes more than all of it is refused.
    pub picture_memory: usize,
    /// How long a context lives. Source: the public API documentation (14 days).
    pub context_life: Duration,
    /// The log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            edition: Edition::default(),
            minimum: 20,
            recommended: 20,
            keys: Arc::default(),
            verdicts: Arc::default(),
            #[cfg(feature = "embedded")]
            engine: None,
            tls: None,
            public_url: None,
            picture_memory: PICTURE_MEMORY,
            context_life: Duration::from_secs(14 * 24 * 3_600),
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
            verdicts: Arc::new(crate::verdicts::parse(script)?),
            ..Config::default()
        })
    }
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Stats {
    inner: Mutex<(u64, Vec<(Instant, Instant)>)>,
}

impl Stats {
    pub(crate) fn created(&self) {
        self.inner.lock().0 += 1;
    }

    pub(crate) fn processed(&self, arrived: Instant) {
        self.inner.lock().1.push((arrived, Instant::now()));
    }

    /// Contexts created.
    #[must_use]
    pub fn creates(&self) -> u64 {
        self.inner.lock().0
    }

    /// When each process call with a verdict arrived and was answered.
    #[must_use]
    pub fn calls(&self) -> Vec<(Instant, Instant)> {
        self.inner.lock().1.clone()
    }
}

/// A running server. Dropping it stops it.
pub struct Running {
    addr: SocketAddr,
    tls: bool,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Listens, and serves on threads of its own.
    ///
    /// # Errors
    /// Says what of the configuration or the system stands in the way.
    pub fn start(config: Config) -> Result<Running, String> {
        let acceptor = config.tls.as_ref().map(acceptor).transpose()?;
        oe_picture::Budget::process().set(config.picture_memory);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|why| format!("no threads: {why}"))?;
        let listener = runtime
            .block_on(TcpListener::bind(config.listen))
            .map_err(|why| format!("cannot listen on {}: {why}", config.listen))?;
        let addr = listener.local_addr().map_err(|why| why.to_string())?;
        let tls = acceptor.is_some();
        let service = Arc::new(Service::new(config, tls));
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("oe-server".into())
            .spawn(move || runtime.block_on(serve(listener, acceptor, serving, stopped)))
            .map_err(|why| format!("no thread: {why}"))?;
        Ok(Running {
            addr,
            tls,
            service,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `scheme://host:port`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!(
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.addr
        )
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.service.stats
    }

    /// Takes no new calls, lets those in flight finish for at most 5 s, ends.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// TLS with ring, passed explicitly: no default of the process is set or needed.
fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.cert_pem).collect();
    let chain = chain.map_err(|why| format!("the certificate cannot be read: {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(&files.key_pem)
        .map_err(|why| format!("the key cannot be read: {why}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|why| format!("certificate and key cannot be used: {why}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: Arc<Service>,
    mut stopped: oneshot::Receiver<()>,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: some will be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        drop(stream.set_nodelay(true));
        let (service, acceptor) = (Arc::clone(&service), acceptor.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            match acceptor {
                None => converse(stream, service, watcher).await,
                Some(acceptor) => {
                    let shake = acceptor.accept(stream);
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIME, shake).await {
                        converse::<tokio_rustls::server::TlsStream<TcpStream>>(
                            stream, service, watcher,
                        )
                        .await;
                    }
                }
            }
        });
    }
    drop(listener);
    if let Some(graceful) = Arc::into_inner(graceful) {
        drop(tokio::time::timeout(GRACE, graceful.shutdown()).await);
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    service: Arc<Service>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.handle(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), answer);
    // A client that goes away is no news.
    drop(watcher.watch(connection).await);
}
