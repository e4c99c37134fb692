//! From a host name to a connection that can carry a request.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::call::{Call, current};
use super::conn::Conn;
use super::proxy::Proxy;
use super::resolve::Resolver;
use super::socket::Tcp;
use super::why::ENDED;
use super::{HttpConfig, roots, why};
use crate::error::Error;
use crate::error::cause::{Phase, Why};
use crate::platform::log::Log;
use crate::rules::trust::Origin;
use crate::transport::Failure;

/// ureq asks for addresses before it looks into its pool; names are only looked up here, when a
/// new connection is made.
#[derive(Debug)]
pub(super) struct NoResolver;

impl UreqResolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// Makes connections, through the proxy if there is one, with TLS if the URL says so.
pub(super) struct SocketConnector {
    resolver: Resolver,
    proxy: Option<Proxy>,
    user_agent: String,
    tls: Arc<ClientConfig>,
    log: Log,
}

impl SocketConnector {
    pub(super) fn new(config: &HttpConfig, resolver: Resolver) -> Result<SocketConnector, Error> {
        Ok(SocketConnector {
            resolver,
            proxy: config.proxy.clone(),
            user_agent: config.user_agent.clone(),
            tls: roots::client_config(&config.roots)?,
            log: config.log.clone(),
        })
    }

    fn open(&self, call: &Call) -> Result<Conn, Failure> {
        let origin = &call.origin;
        let start = Instant::now();
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.applies_to(origin));
        call.is_to_proxy(proxy.is_some());
        let mut tcp = match proxy {
            None => self.dial(&origin.host, origin.port, call)?,
            Some(proxy) => self
                .dial(proxy.host(), proxy.port(), call)
                .and_then(|tcp| {
                    call.enters(Phase::Proxy);
                    proxy.tunnel(tcp, origin, &self.user_agent, call)
                })
                .map_err(of_proxy)?,
        };
        call.is_to_proxy(false);
        let tls = if origin.https {
            Some(self.handshake(&mut tcp, origin, call)?)
        } else {
            None
        };
        self.log.debug(format_args!(
            "{}: connected{}{} in {} ms",
            origin.host,
            if proxy.is_some() {
                " through the proxy"
            } else {
                ""
            },
            if tls.is_some() { " with TLS" } else { "" },
            start.elapsed().as_millis()
        ));
        Ok(Conn::new(tcp, tls))
    }

    /// Tries a host's addresses in turn, each with its fair share of what is left of the connect
    /// timeout.
    fn dial(&self, host: &str, port: u16, call: &Call) -> Result<Tcp, Failure> {
        call.enters(Phase::Resolve);
        let addresses = self.resolver.lookup(host, port, call)?;
        call.enters(Phase::Connect);
        let mut before = None;
        let start = Instant::now();
        let mut last = Failure::Connect;
        for (n, address) in addresses.iter().enumerate() {
            call.remaining()?;
            let left = call.connect_timeout.saturating_sub(start.elapsed());
            let share = left / u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
            match Tcp::connect(*address, call, share.max(Duration::from_millis(1))) {
                Ok(tcp) => {
                    self.resolver.prefer(host, port, *address);
                    return Ok(tcp);
                }
                Err(failure @ (Failure::Cancelled | Failure::Timeout)) => return Err(failure),
                Err(failure) => {
                    last = failure;
                    before = call.take_why().map(|why| why.after(before.take()));
                }
            }
        }
        if last == Failure::Connect {
            self.resolver.distrust(host, port);
        }
        let why = before.unwrap_or_else(|| Why::new("no address"));
        Err(call.blame((last, why)))
    }

    fn handshake(
        &self,
        tcp: &mut Tcp,
        origin: &Origin,
        call: &Call,
    ) -> Result<Box<ClientConnection>, Failure> {
        call.enters(Phase::Tls);
        let name = origin.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| {
            let words = "the host's name is none that TLS knows";
            call.blame((Failure::Tls, Why::new(words)))
        })?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name)
            .map_err(|error| call.blame(why::of_tls(error)))?;
        tls.set_buffer_limit(None);
        while tls.is_handshaking() || tls.wants_write() {
            call.remaining()?;
            self.step(&mut tls, tcp, call)?;
        }
        Ok(Box::new(tls))
    }

    /// One read or write of the handshake. What TLS itself objects to, here or by an alert of the
    /// peer, is a TLS failure; a connection that just ends or is reset is one of the connection.
    fn step(&self, tls: &mut ClientConnection, tcp: &mut Tcp, call: &Call) -> Result<(), Failure> {
        let writes = tls.wants_write();
        let done = if writes {
            tls.write_tls(tcp)
        } else {
            tls.read_tls(tcp)
        };
        match done {
            Ok(0) => Err(call.blame((Failure::Io, Why::new(ENDED)))),
            Ok(_) if writes => process(tls, tcp, call),
            Ok(n) => {
                let taken = call.takes(n);
                taken.map_err(|error| call.blame_io(error, Failure::Tls))?;
                process(tls, tcp, call)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let interest = if writes {
                    PollFlags::OUT
                } else {
                    PollFlags::IN
                };
                tcp.wait(call, interest).map(drop)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                // The alert that explains why sending failed may lie there unread.
                if writes && tls.read_tls(tcp).is_ok_and(|n| n > 0) {
                    process(tls, tcp, call)?;
                }
                Err(call.blame_io(error, Failure::Io))
            }
        }
    }
}

fn process(tls: &mut ClientConnection, tcp: &mut Tcp, call: &Call) -> Result<(), Failure> {
    match tls.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => {
            // The alert that tells the peer why.
            drop(tls.write_tls(tcp));
            Err(call.blame(why::of_tls(error)))
        }
    }
}

/// Whatever goes wrong on the way to the proxy is the proxy's, unless it is the caller's.
fn of_proxy(failure: Failure) -> Failure {
    match failure {
        Failure::Cancelled | Failure::Timeout | Failure::Resources => failure,
        _ => Failure::Proxy,
    }
}

impl Connector<()> for SocketConnector {
    type Out = Conn;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Conn>, ureq::Error> {
        let call = current()?;
        self.open(&call)
            .map(Some)
            .map_err(|failure| call.fail(failure))
    }
}

impl std::fmt::Debug for SocketConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SocketConnector")
    }
}
