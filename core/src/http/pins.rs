//! Hosts whose addresses the user has named: they are connected to there, and never looked up.

use std::net::IpAddr;

use crate::error::{Error, refuse};

/// The most hosts with addresses of their own.
const MAX_HOSTS: usize = 8;
/// The most addresses of one of them.
const MAX_ADDRESSES: usize = 32;
/// The longest name that DNS knows.
const MAX_NAME: usize = 253;

/// Hosts and their addresses, in the user's order.
#[derive(Clone, Debug, Default)]
pub struct Pins(Vec<(String, Vec<IpAddr>)>);

impl Pins {
    /// Names the addresses of a host, separated by commas; `None` has it looked up again.
    ///
    /// # Errors
    /// `Argument` when the host is none, when there is no address or one that cannot be read, and
    /// for more hosts or addresses than are kept.
    pub fn set(&mut self, host: &str, addresses: Option<&str>) -> Result<(), Error> {
        let host = known_as(host);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || host.len() > MAX_NAME || !host.bytes().all(plain) {
            return Err(refuse(
                "the host to connect to elsewhere is no host name: no scheme, port or path",
            ));
        }
        let addresses = addresses.map(parse).transpose()?;
        let others = self.0.iter().filter(|(known, _)| *known != host).count();
        if addresses.is_some() && others == MAX_HOSTS {
            return Err(refuse("more than 8 hosts have addresses of their own"));
        }
        self.0.retain(|(known, _)| *known != host);
        self.0.extend(addresses.map(|addresses| (host, addresses)));
        Ok(())
    }

    /// Has every host looked up again.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The addresses that were named for a host.
    pub(super) fn of(&self, host: &str) -> Option<&[IpAddr]> {
        if self.0.is_empty() {
            return None;
        }
        let host = known_as(host);
        let found = self.0.iter().find(|(known, _)| *known == host);
        found.map(|(_, addresses)| addresses.as_slice())
    }
}

/// Names are the same in capitals, and addresses in brackets.
fn known_as(host: &str) -> String {
    host.trim_matches(['[', ']']).to_ascii_lowercase()
}

fn parse(text: &str) -> Result<Vec<IpAddr>, Error> {
    let addresses: Result<Vec<IpAddr>, _> = text.split(',').map(|one| one.trim().parse()).collect();
    match addresses {
        Ok(addresses) if addresses.len() <= MAX_ADDRESSES => Ok(addresses),
        Ok(_) => Err(refuse("more than 32 addresses of one host")),
        Err(_) => Err(refuse(
            "the addresses of a host are not IP addresses with commas between them, without ports",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn addresses_are_read_and_taken_back() {
        let mut pins = Pins::default();
        assert_eq!(pins.of("a.test"), None);
        pins.set("A.test", Some(" 10.0.0.5, fd00::5 ")).unwrap();
        let expected: [IpAddr; 2] = ["10.0.0.5".parse().unwrap(), "fd00::5".parse().unwrap()];
        assert_eq!(pins.of("a.TEST"), Some(&expected[..]));
        assert_eq!(pins.of("b.test"), None);
        pins.set("a.test", Some("10.0.0.6")).unwrap();
        assert_eq!(pins.of("a.test").unwrap().len(), 1, "the last one counts");
        pins.set("b.test", Some("10.0.0.7")).unwrap();
        pins.set("a.test", None).unwrap();
        assert_eq!(pins.of("a.test"), None);
        assert!(pins.of("b.test").is_some());
        pins.set("[::1]", Some("::2")).unwrap();
        assert!(pins.of("::1").is_some());
        pins.clear();
        assert_eq!(pins.of("b.test"), None);
    }

    #[test]
    fn what_is_no_host_or_no_address_is_refused_and_changes_nothing() {
        let mut pins = Pins::default();
        pins.set("a.test", Some("10.0.0.5")).unwrap();
        for host in ["", "https://a.test", "a.test/x", "a b", "k\u{fc}che", "[]"] {
            let refused = pins.set(host, Some("10.0.0.6")).unwrap_err();
            assert_eq!(refused.status, Status::Argument, "{host}");
        }
        assert!(pins.set(&"x".repeat(254), None).is_err());
        for addresses in [
            "",
            " ",
            ",",
            "10.0.0.6,",
            "10.0.0.6:80",
            "b.test",
            "10.0.0",
            "fe80::1%2",
        ] {
            assert!(pins.set("a.test", Some(addresses)).is_err(), "{addresses}");
        }
        assert!(pins.set("a.test", Some(&"::1,".repeat(33))).is_err());
        let many = vec!["::1"; 33].join(",");
        assert!(pins.set("a.test", Some(&many)).is_err());
        assert_eq!(
            pins.of("a.test").unwrap(),
            ["10.0.0.5".parse::<IpAddr>().unwrap()]
        );
    }

    #[test]
    fn eight_hosts_are_kept() {
        let mut pins = Pins::default();
        for n in 0..8 {
            pins.set(&format!("{n}.test"), Some("::1")).unwrap();
        }
        assert!(pins.set("9.test", Some("::1")).is_err());
        pins.set("7.test", Some("::2")).unwrap();
        pins.set("7.test", None).unwrap();
        pins.set("9.test", Some("::1")).unwrap();
    }
}
