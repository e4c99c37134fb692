//! `NO_PROXY`: which hosts are reached without the proxy.

use std::net::IpAddr;

use crate::rules::trust::Origin;

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exception {
    who: Who,
    /// `None` is every port.
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Who {
    Everybody,
    /// A host and all below it, in lower case.
    Name(String),
    /// The addresses whose first bits are those of this one.
    Range(IpAddr, u32),
}

/// The entries of a list: separated by commas or white space. One that cannot be read excepts
/// nobody.
pub(super) fn parse(list: &str) -> Vec<Exception> {
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter_map(Exception::parse)
        .collect()
}

impl Exception {
    fn parse(text: &str) -> Option<Exception> {
        let whole = |who| Some(Exception { who, port: None });
        if let Some((address, bits)) = text.split_once('/') {
            return whole(range(address_of(address)?, bits.parse().ok()?)?);
        }
        if let Some(address) = address_of(text) {
            return whole(alone(address));
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse().ok()?)),
        };
        let who = match (host, address_of(host)) {
            ("*", _) => Who::Everybody,
            (_, Some(address)) => alone(address),
            (name, None) => {
                let name = name.strip_prefix('*').unwrap_or(name);
                let name = name.trim_matches('.').to_ascii_lowercase();
                if name.is_empty() {
                    return None;
                }
                Who::Name(name)
            }
        };
        Some(Exception { who, port })
    }

    /// Whether this host is reached without the proxy. Names are compared as names: nothing is looked
    /// up.
    pub(super) fn covers(&self, origin: &Origin) -> bool {
        if self.port.is_some_and(|port| port != origin.port) {
            return false;
        }
        match (&self.who, address_of(&origin.host)) {
            (Who::Everybody, _) => true,
            (Who::Range(base, bits), Some(address)) => begins_alike(*base, address, *bits),
            (Who::Name(name), None) => origin
                .host
                .strip_suffix(name)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            (Who::Range(..), None) | (Who::Name(_), Some(_)) => false,
        }
    }
}

/// An address, with brackets or without. One of IPv4 that is written in IPv6 is the one of IPv4.
fn address_of(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: IpAddr = inner.unwrap_or(text).parse().ok()?;
    Some(address.to_canonical())
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn alone(address: IpAddr) -> Who {
    Who::Range(address, width(address))
}

fn range(base: IpAddr, bits: u32) -> Option<Who> {
    (bits <= width(base)).then_some(Who::Range(base, bits))
}

fn begins_alike(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let differing = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::trust::Trust;

    fn covers(entry: &str, url: &str) -> bool {
        let trust = Trust::endpoint(url).unwrap();
        let entry = Exception::parse(entry).unwrap_or_else(|| panic!("{entry}"));
        entry.covers(trust.create_url().origin())
    }

    #[test]
    fn up_14_exceptions_match_at_label_borders() {
        assert!(covers("octoeverywhere.com", "https://a.octoeverywhere.com"));
        assert!(covers("OctoEverywhere.COM", "https://a.octoeverywhere.com"));
        assert!(covers(
            ".octoeverywhere.com",
            "https://a.octoeverywhere.com"
        ));
        assert!(covers("octoeverywhere.com.", "https://octoeverywhere.com"));
        assert!(covers("*.octoeverywhere.com", "https://octoeverywhere.com"));
        assert!(!covers("everywhere.com", "https://octoeverywhere.com"));
        assert!(covers("*", "https://x.y"));
        assert!(covers("*", "https://[::1]"));
        assert!(covers("x.y:443", "https://x.y"));
        assert!(!covers("x.y:80", "https://x.y"));
        assert!(!covers("localhost", "https://127.0.0.1"));
        assert!(!covers("127.0.0.0/8", "https://localhost"));
        assert!(!covers("0.0.0.0/0", "https://10.example"));
        for nobody in ["", ".", "*.", "x.y:port", "x.y:99999", "a:b:c"] {
            assert_eq!(Exception::parse(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn up_14_addresses_are_exact() {
        assert!(covers("127.0.0.1", "http://127.0.0.1:99"));
        assert!(covers("127.0.0.1:99", "http://127.0.0.1:99"));
        assert!(!covers("127.0.0.1:98", "http://127.0.0.1:99"));
        assert!(covers("::1", "http://[::1]:99"));
        assert!(covers("[::1]", "http://[::1]:99"));
        assert!(covers("[::1]:99", "http://[::1]:99"));
        assert!(!covers("[::1]:98", "http://[::1]:99"));
        assert!(covers("0:0:0:0:0:0:0:1", "http://[::1]:99"));
        assert!(!covers("10.0.0.1", "http://127.0.0.1"));
        assert!(!covers("0.0.1", "http://127.0.0.1"));
        assert!(!covers("1", "http://127.0.0.1"));
    }

    #[test]
    fn up_14_ranges_of_addresses() {
        for (range, inside, outside) in [
            ("127.0.0.0/8", "127.255.0.9", "128.0.0.1"),
            ("127.0.0.1/8", "127.9.9.9", "126.255.255.255"),
            ("10.20.30.40/32", "10.20.30.40", "10.20.30.41"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("192.168.4.128/25", "192.168.4.128", "192.168.4.127"),
            ("0.0.0.0/0", "8.8.8.8", "[::1]"),
            ("fd00::/8", "[fdff::1]", "[fe00::1]"),
            ("[fd00::]/8", "[fd12:3456::1]", "[fc00::1]"),
            ("FE80::/10", "[febf::1]", "[fec0::1]"),
            ("2001:db8::/33", "[2001:db8:7fff::]", "[2001:db8:8000::]"),
            ("::/0", "[2001:db8::1]", "127.0.0.1"),
            ("::1/128", "[::1]", "[::2]"),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]", "[::ffff:11.1.2.3]"),
        ] {
            assert!(covers(range, &format!("http://{inside}:9")), "{range}");
            assert!(!covers(range, &format!("http://{outside}:9")), "{range}");
        }
        for nobody in [
            "127.0.0.0/33",
            "fd00::/129",
            "127.0.0.0/",
            "/8",
            "127.0.0.0/-1",
            "127.0.0.0/8/8",
            "127.0.0.0/8:80",
            "127.0.0/8",
            "fd00/8",
            "x.y/8",
        ] {
            assert_eq!(Exception::parse(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn lists_are_separated_by_commas_or_white_space() {
        assert_eq!(parse("a.b,c.d e.f,\t10.0.0.0/8 ,, *\n").len(), 5);
        assert!(parse(" , ,").is_empty());
    }
}
