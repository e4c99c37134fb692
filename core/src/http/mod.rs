//! The real transport: HTTP/1.1 by ureq over sockets and TLS of our own.
//!
//! ureq speaks HTTP and keeps the pool. Everything that can block is here, so that one deadline
//! and one cancel token rule it all: names ([`resolve`]), connections ([`connect`]), bytes
//! ([`conn`]). ureq hands a connector and a transport nothing of the call they serve, but runs
//! them on the caller's thread; [`call`] keeps the call in flight there.

mod buffers;
mod call;
mod conn;
mod connect;
mod head;
mod no_proxy;
mod pins;
mod proxy;
mod resolve;
mod roots;
mod socket;
mod tls;
mod why;

use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderName, HeaderValue, Response, header};
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::cause::Why;
use crate::key::ApiKey;
use crate::platform::clock::Spawn;
use crate::platform::log::{Level, Log};
use crate::transport::{Exchange, Failure, MAX_REPLY_BODY, Reply, ReplyBody, Request, Transport};

use call::Call;
use connect::{NoResolver, SocketConnector};
use resolve::Resolver;

pub use pins::Pins;
pub use proxy::Proxy;
pub use roots::Roots;

/// Connections kept while idle; a farm needs as many as it has calls in flight.
const MAX_IDLE: usize = 64;
/// How long a connection may idle and still be used: servers close them without a word, and the
/// sooner one is given up the fewer calls are lost that way.
const MAX_IDLE_AGE: Duration = Duration::from_millis(4_900);
/// The most that the header block of an answer may take, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How much longer the body of a refusal may take: its status has already decided.
const REFUSAL_GRACE: Duration = Duration::from_secs(5);

/// What an [`HttpTransport`] is made of.
#[derive(Clone)]
pub struct HttpConfig {
    /// Whom to trust.
    pub roots: Roots,
    /// The proxy, if one is wanted.
    pub proxy: Option<Proxy>,
    /// Hosts that are not looked up.
    pub pins: Pins,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Starts the resolver's thread.
    pub spawn: Arc<dyn Spawn>,
    /// Where connections and look-ups are written down.
    pub log: Log,
}

/// HTTP/1.1 over a pool of connections.
pub struct HttpTransport {
    agent: Agent,
    log: Log,
}

impl HttpTransport {
    /// No network yet.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when the roots cannot be used.
    pub fn new(config: HttpConfig) -> Result<HttpTransport, Error> {
        let resolver = Resolver::new(Arc::clone(&config.spawn), config.pins.clone());
        HttpTransport::with_resolver(config, resolver)
    }

    fn with_resolver(config: HttpConfig, resolver: Resolver) -> Result<HttpTransport, Error> {
        let connector = SocketConnector::new(&config, resolver)?;
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(config.user_agent)
            .accept("application/json")
            .accept_encoding(AutoHeaderValue::None)
            .max_idle_connections(MAX_IDLE)
            .max_idle_connections_per_host(MAX_IDLE)
            .max_idle_age(MAX_IDLE_AGE)
            .max_response_header_size(MAX_HEAD)
            .build();
        Ok(HttpTransport {
            agent: Agent::with_parts(settings, connector, NoResolver),
            log: config.log,
        })
    }

    fn run(&self, request: &Request<'_>, call: &Rc<Call>) -> Result<Reply, Failure> {
        let outcome = loop {
            call.remaining()?;
            let mut body = SizedBody(request.body_len());
            let message = message(request, &mut body).ok_or_else(|| {
                let words = "the URL reads differently than where it was checked";
                call.blame((Failure::Io, Why::new(words)))
            })?;
            let outcome = call::send_from(request.body, || self.agent.run(message));
            // Closed while it idled, noticed before anything was sent: that connection is gone.
            if outcome.is_ok() || !call.begin_again() {
                break outcome;
            }
        };
        match outcome {
            Ok(response) => Ok(read(response, call)),
            Err(error) => {
                let failure = match (call.failure(), &error) {
                    (Some(failure), _) => failure,
                    // Not broken: refused by us.
                    (None, ureq::Error::LargeResponseHeader(..)) => {
                        let why = Why::new("the head of the answer is longer than 64 KiB");
                        return Err(call.blame((Failure::Io, why)));
                    }
                    (None, _) => call.blame_unless_known("the answer is not HTTP"),
                };
                // The connection broke inside the header block of an answer whose status is known.
                match call.status_seen() {
                    Some(status) if matches!(failure, Failure::Io | Failure::Tls) => {
                        Ok(reply(status, ReplyBody::Broken(Vec::new(), failure)))
                    }
                    _ => Err(failure),
                }
            }
        }
    }
}

impl HttpTransport {
    /// Writes one exchange down.
    fn tell(&self, request: &Request<'_>, call: &Call, exchange: &Exchange) {
        self.log.debug(format_args!(
            "{}: {} in {} ms, {} bytes out, {} in{}",
            request.url.origin().host,
            outcome_of(exchange),
            call.elapsed().as_millis(),
            exchange.bytes_sent,
            exchange.bytes_received,
            if exchange.reused {
                ", kept connection"
            } else {
                ""
            },
        ));
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: &Request<'_>) -> Exchange {
        let call = Rc::new(Call::new(request));
        let entered = call::enter(&call);
        let socket = call.socket_slot();
        let hook = request.cancel.on_cancel(move || socket.shut_down());
        let outcome = self.run(request, &call);
        drop(hook);
        drop(entered);
        let exchange = call.finish(outcome);
        if self.log.wants(Level::Debug) {
            self.tell(request, &call, &exchange);
        }
        exchange
    }
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpTransport")
    }
}

/// For the log.
fn outcome_of(exchange: &Exchange) -> String {
    let outcome = match &exchange.outcome {
        Ok(reply) => format!("HTTP {}", reply.status),
        Err(failure) => format!("{failure:?}"),
    };
    match &exchange.cause {
        Some(cause) => format!("{outcome} ({cause})"),
        None => outcome,
    }
}

/// The request as ureq takes it; `None` when the URL reads differently here than where it was
/// checked.
fn message<'a>(
    request: &Request<'_>,
    body: &'a mut SizedBody,
) -> Option<ureq::http::Request<SendBody<'a>>> {
    let uri: ureq::http::Uri = request.url.as_str().parse().ok()?;
    let origin = request.url.origin();
    let scheme = if origin.https { "https" } else { "http" };
    let port = uri
        .port_u16()
        .unwrap_or(if origin.https { 443 } else { 80 });
    let same = uri.scheme_str() == Some(scheme)
        && uri
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(&origin.host))
        && port == origin.port;
    if !same {
        return None;
    }
    let mut builder = ureq::http::Request::post(uri)
        .header(header::CONTENT_TYPE, request.content_type)
        .header(header::CONTENT_LENGTH, request.body_len());
    if let Some(key) = request.key {
        builder = builder.header(&KEY, key_header(key)?);
    }
    builder.body(SendBody::from_reader(body)).ok()
}

/// The header of the key, as HTTP compares names.
static KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key as a header value whose memory is overwritten when the request is gone.
fn key_header(key: &ApiKey) -> Option<HeaderValue> {
    let bytes = Bytes::from_owner(Zeroizing::new(key.expose().as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What ureq sees of the body: that so many bytes will come. The connection sends them from where
/// they lie ([`call::with_body`]); they are never copied.
struct SizedBody(usize);

impl Read for SizedBody {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let kept = self.0.min(buf.len());
        self.0 -= kept;
        Ok(kept)
    }
}

fn reply(status: u16, body: ReplyBody) -> Reply {
    Reply {
        status,
        retry_after: Vec::new(),
        date: None,
        body,
    }
}

fn read(mut response: Response<Body>, call: &Rc<Call>) -> Reply {
    let status = response.status().as_u16();
    if !response.status().is_success() {
        call.hurry(REFUSAL_GRACE);
    }
    let headers = response.headers();
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let retry_after: Vec<String> = headers
        .get_all(header::RETRY_AFTER)
        .iter()
        .filter_map(text)
        .collect();
    // Only what `Retry-After` says is measured by it.
    let date = match retry_after.is_empty() {
        true => None,
        false => headers.get(header::DATE).and_then(text),
    };
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| {
            !value.as_bytes().eq_ignore_ascii_case(b"identity") && !value.as_bytes().is_empty()
        });
    let body = if encoded {
        ReplyBody::Encoded
    } else {
        read_body(response.body_mut(), call)
    };
    Reply {
        retry_after,
        date,
        ..reply(status, body)
    }
}

fn read_body(body: &mut Body, call: &Rc<Call>) -> ReplyBody {
    let mut reader = body.as_reader();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return ReplyBody::Whole(bytes),
            Ok(n) if bytes.len() + n > MAX_REPLY_BODY => {
                bytes.extend_from_slice(&chunk[..MAX_REPLY_BODY - bytes.len()]);
                return ReplyBody::TooLong(bytes);
            }
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(_) => {
                let failure = call.failure();
                let failure = failure
                    .unwrap_or_else(|| call.blame_unless_known("the body is not as HTTP has it"));
                return ReplyBody::Broken(bytes, failure);
            }
        }
    }
}

#[cfg(test)]
mod tests;
