//! Listening, serving, stopping.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, TlsFiles};
use crate::connections::{Connection, Connections, End, Watched};
use crate::keys::Keys;
use crate::listen;
use crate::service::{Peer, Service};
use crate::stats::Stats;
use crate::tls::Tls;

/// How long calls in flight get to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long threads get that decode a picture then.
const THREADS_GRACE: Duration = Duration::from_secs(1);
const HEAD_TIME: Duration = Duration::from_secs(15);
const HANDSHAKE_TIME: Duration = Duration::from_secs(15);
/// A peer that is gone without a word is found after some minutes.
const PROBE_AFTER: Duration = Duration::from_secs(120);
const PROBE_EACH: Duration = Duration::from_secs(30);
/// Connections that are ended when descriptors have run out: the next few come without that.
const ENDED_AT_ONCE: usize = 8;
/// The smallest that hyper takes.
const LEAST_BUFFER: usize = 8_192;

/// A running server. Dropping it stops it.
pub struct Running {
    addr: SocketAddr,
    service: Arc<Service>,
    tls: Arc<Tls>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Listens, and serves on threads of its own.
    ///
    /// # Errors
    /// Says what of the configuration or the system stands in the way.
    pub fn start(config: Config) -> Result<Running, String> {
        let tls = Arc::new(Tls::new(config.tls.as_ref())?);
        oe_picture::Budget::process().set(config.picture_memory);
        let listeners = listen::bind(&config.listen)?;
        let addr = listeners.first().map(std::net::TcpListener::local_addr);
        let addr = addr.ok_or("nowhere to listen")?;
        let addr = addr.map_err(|why| why.to_string())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|why| format!("no threads: {why}"))?;
        let service = Arc::new(Service::new(config, tls.is_on()));
        let (stop, stopped) = watch::channel(false);
        let server = Server {
            connections: Connections::new(service.config.limits.connections),
            service: Arc::clone(&service),
            tls: Arc::clone(&tls),
            stopped,
        };
        let thread = std::thread::Builder::new()
            .name("oe-server".into())
            .spawn(move || run(runtime, listeners, server))
            .map_err(|why| format!("no thread: {why}"))?;
        Ok(Running {
            addr,
            service,
            tls,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens; of several addresses, the first.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `scheme://host:port`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_on() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.service.stats
    }

    /// Takes other keys and another certificate; prints go on. What a key has used is remembered.
    ///
    /// # Errors
    /// The certificate cannot be used: then nothing has changed.
    pub fn reload(&self, keys: Option<Keys>, tls: Option<&TlsFiles>) -> Result<(), String> {
        tls.map_or(Ok(()), |files| self.tls.replace(files))?;
        if let Some(keys) = keys {
            self.service.config.keys.replace(keys);
        }
        Ok(())
    }

    /// What is remembered over a restart, in words.
    #[must_use]
    pub fn remembers(&self) -> String {
        self.service.remembers()
    }

    /// Logs `key=value` words among those of the requests.
    pub fn log(&self, words: &str) {
        self.service.log.line(words);
    }

    /// Takes no new calls, lets those in flight finish for at most 5 s, ends.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // The thread may have ended already.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
            self.service.close();
            self.service.log.flush();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What all connections share.
#[derive(Clone)]
struct Server {
    connections: Arc<Connections>,
    service: Arc<Service>,
    tls: Arc<Tls>,
    stopped: watch::Receiver<bool>,
}

fn run(runtime: Runtime, listeners: Vec<std::net::TcpListener>, server: Server) {
    runtime.block_on(async {
        let health = tokio::spawn(sample_health(Arc::clone(&server.service)));
        let accepting = listeners.into_iter().filter_map(|listener| {
            let listener = TcpListener::from_std(listener).ok()?;
            Some(tokio::spawn(server.clone().accept(listener)))
        });
        for task in accepting.collect::<Vec<_>>() {
            drop(task.await);
        }
        drop(tokio::time::timeout(GRACE, server.connections.finish()).await);
        health.abort();
    });
    // A picture that never ends must not keep the service from ending.
    runtime.shutdown_timeout(THREADS_GRACE);
}

async fn sample_health(service: Arc<Service>) {
    let mut each = tokio::time::interval(Duration::from_secs(1));
    loop {
        each.tick().await;
        service.sample_health();
    }
}

impl Server {
    /// Takes connections until the server is stopped.
    async fn accept(mut self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.serve(stream, peer.ip()),
                // A client that did not wait.
                Err(why) if why.kind() == std::io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors, most likely: those of idle connections come back at once.
                Err(_) => {
                    for _ in 0..ENDED_AT_ONCE {
                        self.connections.make_room();
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, address: IpAddr) {
        // Where all are at work, whoever is turned away tries again.
        let Some(connection) = self.connections.open() else {
            return;
        };
        drop(stream.set_nodelay(true));
        let probe = TcpKeepalive::new()
            .with_time(PROBE_AFTER)
            .with_interval(PROBE_EACH);
        drop(SockRef::from(&stream).set_tcp_keepalive(&probe));
        let service = Arc::clone(&self.service);
        let acceptor = self.tls.acceptor();
        tokio::spawn(async move {
            let peer = Peer {
                address,
                connection,
            };
            let Some(acceptor) = acceptor else {
                return serve_connection(stream, service, peer).await;
            };
            peer.connection.receiving();
            let shake = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream));
            let shaken = tokio::select! {
                shaken = shake => shaken,
                _ = peer.connection.ended() => return,
            };
            if let Ok(Ok(stream)) = shaken {
                peer.connection.ready();
                serve_connection(stream, service, peer).await;
            }
        });
    }
}

/// Serves a connection until its client, the server or a limit ends it. A client that goes away is no
/// news.
async fn serve_connection<S>(stream: S, service: Arc<Service>, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let connection = Arc::clone(&peer.connection);
    let header_bytes = service.config.limits.header_bytes;
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, peer) = (Arc::clone(&service), peer.clone());
        async move {
            match request.body().is_end_stream() {
                true => peer.connection.answering(),
                false => peer.connection.receiving(),
            }
            let answer = service.handle(&peer, request).await;
            peer.connection.idle();
            Ok::<_, Infallible>(answer)
        }
    });
    let stream = Watched::new(stream, Arc::clone(&connection));
    let serving = http1::Builder::new()
        // Idle connections stay: only a head that has begun has a deadline, below.
        .header_read_timeout(None)
        .max_header_size(header_bytes)
        // A buffer stays as large as it once was, and a thousand printers have a thousand.
        .max_buf_size(header_bytes.max(LEAST_BUFFER))
        .serve_connection(TokioIo::new(stream), answer);
    let mut serving = pin!(serving);
    let mut ended = pin!(connection.ended());
    let mut ending = false;
    let mut late = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        if serving.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !ending && let Poll::Ready(end) = ended.as_mut().poll(cx) {
            ending = true;
            if end == End::Drop && connection.is_receiving() {
                return Poll::Ready(());
            }
            serving.as_mut().graceful_shutdown();
            if serving.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        poll_deadline(&connection, late.as_mut(), cx)
    })
    .await;
}

/// Ready when a head that has begun to come is not whole in its time.
fn poll_deadline(
    connection: &Connection,
    mut late: std::pin::Pin<&mut tokio::time::Sleep>,
    cx: &mut std::task::Context<'_>,
) -> Poll<()> {
    let Some(deadline) = connection.head_deadline(HEAD_TIME) else {
        return Poll::Pending;
    };
    if late.deadline() != deadline {
        late.as_mut().reset(deadline);
    }
    late.poll(cx)
}
