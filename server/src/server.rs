//! Listening, serving, stopping.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::config::{Config, TlsFiles};
use crate::service::Service;
use crate::stats::Stats;

/// How long calls in flight get to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);
const HEAD_TIME: Duration = Duration::from_secs(15);
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);

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
                None => serve_connection(stream, service, watcher).await,
                Some(acceptor) => {
                    let shake = acceptor.accept(stream);
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIME, shake).await {
                        serve_connection::<tokio_rustls::server::TlsStream<TcpStream>>(
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

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(
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
