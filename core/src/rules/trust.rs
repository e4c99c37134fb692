//! Which URLs may receive a frame and the key.
//!
//! A process URL comes from the wire. It is checked on its raw bytes, before anything is sent to
//! it, and [`TrustedUrl`] carries what was checked, so that the transport connects to the host and
//! port that this module read and to no other reading of the same text.

use std::fmt;

/// Where contexts are created when no endpoint is set.
///
/// Source: the public API documentation of the Gadget Process API.
pub const SERVICE_ORIGIN: &str = "https://gadget-pv1-oeapi.octoeverywhere.com";

/// The path of Create Context below an origin. Source: as [`SERVICE_ORIGIN`].
pub const CREATE_PATH: &str = "/api/gadget/v1/createcontext";

/// The longest URL accepted from the wire, in bytes.
pub const MAX_URL: usize = 2_048;

const SERVICE_APEX: &str = "octoeverywhere.com";

/// The part of a URL that decides who receives what is sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the scheme is `https`; it is `http` otherwise.
    pub https: bool,
    /// The host in lower case; an IPv6 address keeps its brackets.
    pub host: String,
    /// The port, given or implied.
    pub port: u16,
}

/// A URL that passed the rules. `Debug` shows its host alone: the path holds the context id.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedUrl {
    url: String,
    origin: Origin,
}

impl TrustedUrl {
    /// The text, exactly as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Who it leads to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Debug for TrustedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedUrl({}/..)", self.origin.host)
    }
}

/// Why a URL was refused. Says nothing of the URL itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untrusted(pub &'static str);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Service,
    Endpoint(Origin),
}

/// The rule that a client's process URLs must pass.
#[derive(Clone, Debug)]
pub struct Trust {
    rule: Rule,
    create_url: TrustedUrl,
}

impl Trust {
    /// The hosted service: `https`, `octoeverywhere.com` and its subdomains, port 443.
    #[must_use]
    pub fn service() -> Trust {
        let origin = Origin {
            https: true,
            host: SERVICE_ORIGIN["https://".len()..].to_owned(),
            port: 443,
        };
        let create_url = TrustedUrl {
            url: format!("{SERVICE_ORIGIN}{CREATE_PATH}"),
            origin,
        };
        Trust {
            rule: Rule::Service,
            create_url,
        }
    }

    /// A self-hosted service, named by `scheme://host[:port]`: exactly this origin.
    ///
    /// # Errors
    /// When the text is not such a base URL.
    pub fn endpoint(base_url: &str) -> Result<Trust, Untrusted> {
        let (origin, rest) = split(base_url)?;
        if !matches!(rest, "" | "/") {
            return Err(Untrusted(
                "a base URL has no path: write scheme://host[:port]",
            ));
        }
        let base = base_url.strip_suffix('/').unwrap_or(base_url);
        let create_url = TrustedUrl {
            url: format!("{base}{CREATE_PATH}"),
            origin: origin.clone(),
        };
        Ok(Trust {
            rule: Rule::Endpoint(origin),
            create_url,
        })
    }

    /// Where contexts are created.
    #[must_use]
    pub fn create_url(&self) -> &TrustedUrl {
        &self.create_url
    }

    /// Whether the service is reached without TLS.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        !self.create_url.origin.https
    }

    /// Checks a process URL from the wire or from a saved context.
    ///
    /// # Errors
    /// When it lies outside the trusted hosts or is written in a way that two parsers could read
    /// differently.
    pub fn check(&self, url: &str) -> Result<TrustedUrl, Untrusted> {
        let (origin, _) = split(url)?;
        match &self.rule {
            Rule::Service => check_service(&origin)?,
            Rule::Endpoint(endpoint) if *endpoint == origin => {}
            Rule::Endpoint(_) => {
                return Err(Untrusted("a process URL is not on the configured endpoint"));
            }
        }
        Ok(TrustedUrl {
            url: url.to_owned(),
            origin,
        })
    }
}

fn check_service(origin: &Origin) -> Result<(), Untrusted> {
    if !origin.https {
        return Err(Untrusted("a process URL is not https"));
    }
    if origin.port != 443 {
        return Err(Untrusted("a process URL names a port other than 443"));
    }
    let Some(labels) = origin.host.strip_suffix(SERVICE_APEX) else {
        return Err(Untrusted("a process URL is outside the service's hosts"));
    };
    if !labels.is_empty() && !labels.ends_with('.') {
        return Err(Untrusted("a process URL is outside the service's hosts"));
    }
    // app-*.octoeverywhere.com leads to users' own printers.
    if labels.split('.').any(|label| label.starts_with("app-")) {
        return Err(Untrusted("a process URL leads to a user's own printer"));
    }
    Ok(())
}

/// Reads the origin of an absolute http(s) URL; the rest is its path and query.
fn split(url: &str) -> Result<(Origin, &str), Untrusted> {
    if url.len() > MAX_URL {
        return Err(Untrusted("a URL is longer than 2,048 bytes"));
    }
    if !url.bytes().all(is_url_byte) {
        return Err(Untrusted(
            "a URL holds a character that does not belong there",
        ));
    }
    let (scheme, after) = url
        .split_once("://")
        .ok_or(Untrusted("a URL is not absolute"))?;
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(Untrusted("a URL is neither https nor http")),
    };
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if rest.starts_with('?') {
        return Err(Untrusted("a URL has a query but no path"));
    }
    if authority.contains('@') {
        return Err(Untrusted("a URL holds user info"));
    }
    let (host, port) = split_port(authority)?;
    check_host(host)?;
    let port = port.unwrap_or(if https { 443 } else { 80 });
    Ok((
        Origin {
            https,
            host: host.to_ascii_lowercase(),
            port,
        },
        rest,
    ))
}

/// The characters of RFC 3986, without `#`: a fragment has no business in a request.
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%[]".contains(&byte)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), Untrusted> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| at + bracket),
        None => authority.find(':'),
    };
    let Some(colon) = colon else {
        return Ok((authority, None));
    };
    let digits = &authority[colon + 1..];
    let canonical = !digits.is_empty()
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(port) if canonical => Ok((&authority[..colon], Some(port))),
        _ => Err(Untrusted(
            "a URL's port is not written as a plain number from 1 to 65535",
        )),
    }
}

fn check_host(host: &str) -> Result<(), Untrusted> {
    const REFUSED: Untrusted = Untrusted("a URL's host is not a plain host name or address");
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').ok_or(REFUSED)?;
        return address
            .parse::<std::net::Ipv6Addr>()
            .map(drop)
            .map_err(|_| REFUSED);
    }
    if host.is_empty() || host.len() > 253 {
        return Err(REFUSED);
    }
    for label in host.split('.') {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if label.is_empty() || label.len() > 63 || !label.bytes().all(plain) {
            return Err(REFUSED);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_01_urls_outside_the_service_are_refused() {
        let trust = Trust::service();
        for url in [
            "http://gadget.octoeverywhere.com/p",
            "https://octoeverywhere.com.evil.example/p",
            "https://eviloctoeverywhere.com/p",
            "https://evil.example/p",
            "https://user:pw@gadget.octoeverywhere.com/p",
            "https://@gadget.octoeverywhere.com/p",
            "https://gadget.octoeverywhere.com@evil.example/p",
            "https://gadget.octoeverywhere.com:444/p",
            "https://gadget.octoeverywhere.com/p#f",
            "https://127.0.0.1/p",
            "https://[::1]/p",
            "ftp://gadget.octoeverywhere.com/p",
            "javascript:1",
            " ",
            "",
            "not a url",
            "https://",
            "https:///p",
            "//gadget.octoeverywhere.com/p",
            "https://evil.example\\@gadget.octoeverywhere.com/p",
            "https://evil.example\\.octoeverywhere.com/p",
            "https://evil.example/.octoeverywhere.com",
            "https://evil.example?.octoeverywhere.com/",
            "https://app-1234.octoeverywhere.com/p",
            "https://x.app-1234.octoeverywhere.com/p",
            "https://APP-1.OctoEverywhere.com/p",
            "https://gadget.octoeverywhere.com\t/p",
            "https://gadget.octoeverywhere.com/p\r\nX: y",
            "https://gadget.octoeverywhere.com/p\u{0}",
            "https://gadget.octoeverywhere.com/\u{e9}",
            "https://g\u{430}dget.octoeverywhere.com/p",
            "https://gadget%2eoctoeverywhere.com/p",
            "https://.octoeverywhere.com/p",
            "https://a..octoeverywhere.com/p",
        ] {
            assert!(trust.check(url).is_err(), "{url:?} was trusted");
        }
    }

    #[test]
    fn se_04_odd_but_clear_urls() {
        let trust = Trust::service();
        for url in [
            "https://gadget.octoeverywhere.com/p",
            "https://GADGET.OctoEverywhere.com/P",
            "https://gadget.octoeverywhere.com:443/p",
            "https://gadget.octoeverywhere.com/p?query=1&x=%20@",
            "https://octoeverywhere.com/p",
            "https://octoeverywhere.com",
            "HTTPS://a.b.octoeverywhere.com/p//q/./..",
        ] {
            assert_eq!(trust.check(url).unwrap().as_str(), url);
        }
        for url in [
            "https://gadget.octoeverywhere.com./p",
            "https://gadget.octoeverywhere.com:/p",
            "https://gadget.octoeverywhere.com:0443/p",
            "https://gadget.octoeverywhere.com:+443/p",
            "https://gadget.octoeverywhere.com:65979/p",
            "https://gadget.octoeverywhere.com/p#",
        ] {
            assert!(trust.check(url).is_err(), "{url:?} was trusted");
        }
    }

    #[test]
    fn an_endpoint_trusts_exactly_its_origin() {
        let trust = Trust::endpoint("http://Farm.local:8674/").unwrap();
        assert_eq!(
            trust.create_url().as_str(),
            "http://Farm.local:8674/api/gadget/v1/createcontext"
        );
        assert!(trust.is_plain_http());
        assert!(trust.check("http://farm.local:8674/p/1").is_ok());
        for url in [
            "https://farm.local:8674/p",
            "http://farm.local/p",
            "http://farm.local:8675/p",
            "http://x.farm.local:8674/p",
            "https://gadget.octoeverywhere.com/p",
        ] {
            assert!(trust.check(url).is_err(), "{url:?} was trusted");
        }
        let implied = Trust::endpoint("https://farm.local").unwrap();
        assert!(implied.check("https://farm.local:443/p").is_ok());
        let six = Trust::endpoint("http://[::1]:80").unwrap();
        assert!(six.check("http://[::1]/p").is_ok());
    }

    #[test]
    fn bad_endpoints_are_refused() {
        for base in [
            "",
            "farm.local",
            "http://",
            "http://farm.local/api",
            "ftp://farm.local",
            "http://user@farm.local",
            "http://farm.local:0",
            "http://farm.local:99999",
            "http://[::1",
            "http://[zz]",
            "http://a b",
            "http://farm.local?x",
            "http://farm.local#",
        ] {
            assert!(Trust::endpoint(base).is_err(), "{base:?} was accepted");
        }
    }

    #[test]
    fn debug_hides_the_path() {
        let url = Trust::service()
            .check("https://a.octoeverywhere.com/p/SECRET")
            .unwrap();
        assert!(!format!("{url:?}").contains("SECRET"));
    }
}
