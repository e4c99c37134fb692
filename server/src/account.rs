//! Whose request it is, as far as limits go.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::digest::Digest;

/// Whom a limit holds for: a key, or an address where any key is accepted (there, a key is whatever the
/// caller makes up).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    Key(Digest),
    Address(IpAddr),
}

impl Account {
    /// The account of an address: an IPv6 subscriber has a whole network of 64 bits.
    pub(crate) fn of_address(address: IpAddr) -> Account {
        Account::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address @ IpAddr::V4(_) => address,
        })
    }

    /// What the state says of it: nothing of a key, which is there already.
    pub(crate) fn address(&self) -> String {
        match self {
            Account::Key(_) => String::new(),
            Account::Address(address) => address.to_string(),
        }
    }

    /// The account that the state speaks of.
    pub(crate) fn restored(key: Digest, address: &str) -> Account {
        match address.parse() {
            Ok(address) => Account::of_address(address),
            Err(_) => Account::Key(key),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Account::Key(_) => "Key",
            Account::Address(_) => "Address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Account;
    use crate::digest::Digest;

    #[test]
    fn an_address_is_a_subscriber() {
        let account = |text: &str| Account::of_address(text.parse().unwrap());
        assert_eq!(account("2001:db8:1:2::1"), account("2001:db8:1:2:3:4:5:6"));
        assert_ne!(account("2001:db8:1:2::1"), account("2001:db8:1:3::1"));
        assert_eq!(account("::ffff:10.0.0.1"), account("10.0.0.1"));
        assert_ne!(account("10.0.0.2"), account("10.0.0.1"));
    }

    #[test]
    fn keys_are_not_shown() {
        let account = Account::Key(Digest::of("SECRET"));
        assert_eq!(format!("{account:?}"), "Key");
    }
}
