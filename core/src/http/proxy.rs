//! An HTTP proxy that is asked to CONNECT.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use rustix::event::PollFlags;
use zeroize::Zeroizing;

use super::call::Call;
use super::head::{self, Head};
use super::no_proxy::{self, Exception};
use super::socket::Tcp;
use super::why::ENDED;
use crate::error::cause::Why;
use crate::error::{Error, Status};
use crate::rules::trust::{Origin, Trust};
use crate::transport::Failure;

/// The most that is read of what a proxy answers, in bytes: all its interim answers together and
/// the final one's head.
const MAX_ANSWER: usize = 16 * 1024;

/// An HTTP proxy that is asked to CONNECT. `Debug` shows host and port alone.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    origin: Origin,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Zeroizing<String>>,
    exceptions: Vec<Exception>,
}

impl Proxy {
    /// From `http://[user:password@]host:port`.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` for any other text.
    pub fn parse(url: &str) -> Result<Proxy, Error> {
        Proxy::with_exceptions(url, Vec::new())
    }

    /// From `HTTPS_PROXY`/`https_proxy` and `NO_PROXY`/`no_proxy` as they are now; `None` when unset.
    /// The lower-case names win, as with curl. An entry of `NO_PROXY` is `*`, a host with all below
    /// it, an address or a range of addresses such as `10.0.0.0/8`, each but the range with a port
    /// or without.
    ///
    /// # Errors
    /// `OE_ERR_ARGUMENT` when set to something that is no proxy URL.
    pub fn from_env() -> Result<Option<Proxy>, Error> {
        let read = |lower: &str, upper: &str| {
            let value = std::env::var(lower)
                .or_else(|_| std::env::var(upper))
                .ok()?;
            let value = value.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let Some(url) = read("https_proxy", "HTTPS_PROXY") else {
            return Ok(None);
        };
        let exceptions = read("no_proxy", "NO_PROXY").unwrap_or_default();
        let exceptions = no_proxy::parse(&exceptions);
        let url = if url.contains("://") {
            url
        } else {
            format!("http://{url}")
        };
        Proxy::with_exceptions(&url, exceptions).map(Some)
    }

    fn with_exceptions(url: &str, exceptions: Vec<Exception>) -> Result<Proxy, Error> {
        let refuse = || {
            let text = "the proxy is not http://[user:password@]host:port";
            Error::with_text(Status::Argument, text)
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(refuse)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(refuse());
        }
        let (credentials, host) = match rest.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, rest),
        };
        let base = Trust::endpoint(&format!("http://{host}")).map_err(|_| refuse())?;
        let authorization = credentials.map(basic).transpose().map_err(|()| refuse())?;
        let origin = base.create_url().origin().clone();
        Ok(Proxy {
            inner: Arc::new(Inner {
                origin,
                authorization,
                exceptions,
            }),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.inner.origin.host
    }

    pub(super) fn port(&self) -> u16 {
        self.inner.origin.port
    }

    pub(super) fn applies_to(&self, origin: &Origin) -> bool {
        !self
            .inner
            .exceptions
            .iter()
            .any(|exception| exception.covers(origin))
    }

    /// Asks the proxy for a way through to `target`.
    pub(super) fn tunnel(
        &self,
        mut tcp: Tcp,
        target: &Origin,
        user_agent: &str,
        call: &Call,
    ) -> Result<Tcp, Failure> {
        let at = format!("{}:{}", target.host, target.port);
        let authorization = match &self.inner.authorization {
            Some(value) => ["Proxy-Authorization: ", value.as_str(), "\r\n"],
            None => [""; 3],
        };
        let plain = format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: {user_agent}\r\n");
        // Joined at once: a string that grows leaves copies of credentials behind.
        let [name, value, end] = authorization;
        let request = Zeroizing::new([&plain, name, value, end, "\r\n"].concat());
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            call.remaining()?;
            match tcp.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) => retry(&tcp, call, error, PollFlags::OUT)?,
            }
        }
        self.read_answer(&mut tcp, call)?;
        Ok(tcp)
    }

    /// Reads byte by byte past the answer's head: what follows belongs to the service.
    fn read_answer(&self, tcp: &mut Tcp, call: &Call) -> Result<(), Failure> {
        let refuse = |words: &str| Err(call.blame((Failure::Proxy, Why::new(words))));
        let mut answer = Vec::new();
        let mut byte = [0];
        let mut taken = 0;
        while taken < MAX_ANSWER {
            // Also while there is always something to read.
            call.remaining()?;
            match tcp.read(&mut byte) {
                Ok(0) => return refuse(ENDED),
                Ok(_) => answer.push(byte[0]),
                Err(error) => {
                    retry(tcp, call, error, PollFlags::IN)?;
                    continue;
                }
            }
            taken += 1;
            if !answer.ends_with(b"\n\r\n") && !answer.ends_with(b"\n\n") {
                continue;
            }
            match head::look(&answer) {
                Head::Whole(status, _) if head::is_interim(status) => answer.clear(),
                Head::Whole(200..=299, _) => return Ok(()),
                Head::Whole(status, _) | Head::Begun(status) => {
                    return refuse(&format!("it answered HTTP {status}"));
                }
                Head::Unknown => return refuse("its answer is not HTTP"),
            }
        }
        refuse("its answer has no end")
    }
}

fn retry(tcp: &Tcp, call: &Call, error: std::io::Error, on: PollFlags) -> Result<(), Failure> {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => tcp.wait(call, on).map(drop),
        std::io::ErrorKind::Interrupted => Ok(()),
        _ => Err(call.blame_io(error, Failure::Proxy)),
    }
}

/// `user:password`, percent-encoded, as Basic credentials.
fn basic(credentials: &str) -> Result<Zeroizing<String>, ()> {
    let plain: Zeroizing<Vec<u8>> = Zeroizing::new(percent_decode_str(credentials).collect());
    if plain.iter().any(u8::is_ascii_control) {
        return Err(());
    }
    let plain = match plain.contains(&b':') {
        true => plain,
        false => Zeroizing::new([&plain, &b":"[..]].concat()),
    };
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*plain));
    Ok(Zeroizing::new(["Basic ", encoded.as_str()].concat()))
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host(), self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_http_with_a_host() {
        let proxy = Proxy::parse("http://us%40er:p%3Aw@proxy.local:3128").unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.local", 3_128));
        let authorization = proxy.inner.authorization.as_ref().unwrap();
        assert_eq!(
            **authorization,
            format!("Basic {}", BASE64_STANDARD.encode("us@er:p:w"))
        );
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.local:3128)");
        assert_eq!(Proxy::parse("http://proxy").unwrap().port(), 80);
        for same in ["HTTP://Proxy.Local:3128", "hTTp://us:er@PROXY.local:3128/"] {
            let proxy = Proxy::parse(same).unwrap();
            assert_eq!(format!("{proxy:?}"), "Proxy(proxy.local:3128)");
        }
        for bad in [
            "",
            "proxy:1",
            "https://p:1",
            "HTTPS://p:1",
            "://p:1",
            "socks5://p:1",
            "http://",
            "http://p:1/x",
            "http://a%0d%0a@p:1",
        ] {
            assert_eq!(
                Proxy::parse(bad).unwrap_err().status,
                Status::Argument,
                "{bad}"
            );
        }
    }
}
