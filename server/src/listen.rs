//! Where to listen: addresses as people write them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// The port where none is named.
pub const DEFAULT_PORT: u16 = 8674;
const BACKLOG: i32 = 1_024;

/// Reads `ADDRESS:PORT`, `ADDRESS`, `:PORT` (every address of this machine), `NAME:PORT` or `NAME`. A name
/// is looked up, and all its addresses are meant.
///
/// # Errors
/// Says what cannot be read or looked up.
pub fn parse(text: &str) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, DEFAULT_PORT)]);
    }
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    let port = match port {
        "" if !name.is_empty() && !text.ends_with(':') => DEFAULT_PORT,
        port => port
            .parse()
            .map_err(|_| format!("{text:?} is no ADDRESS:PORT"))?,
    };
    if name.is_empty() {
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        return Ok(any.map(|address| SocketAddr::new(address, port)).into());
    }
    let found = (name, port).to_socket_addrs();
    let mut found: Vec<_> = found
        .map_err(|why| format!("{name:?} has no address: {why}"))?
        .collect();
    // IPv4 first: that is the one that is shown.
    found.sort_by_key(|address| (address.is_ipv6(), *address));
    found.dedup();
    match found.is_empty() {
        true => Err(format!("{name:?} has no address")),
        false => Ok(found),
    }
}

/// Listens on each of these, on the same port where that is to be picked. Of several addresses those
/// that this machine does not have are passed over, but not all.
///
/// # Errors
/// The address that cannot be listened on, and why.
pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Vec<std::net::TcpListener>, String> {
    let alone = addresses.iter().all(SocketAddr::is_ipv6);
    let mut listeners = Vec::new();
    let mut port = 0;
    let mut missing = "nowhere to listen".to_owned();
    for address in addresses {
        let mut address = *address;
        if address.port() == 0 {
            address.set_port(port);
        }
        match listen(address, alone) {
            Ok(listener) => {
                port = listener.local_addr().map_or(port, |bound| bound.port());
                listeners.push(listener);
            }
            Err(why) => {
                missing = format!("cannot listen on {address}: {why}");
                if addresses.len() == 1 || !is_absent(&why) {
                    return Err(missing);
                }
            }
        }
    }
    match listeners.is_empty() {
        true => Err(missing),
        false => Ok(listeners),
    }
}

/// Whether this machine has no such address, or none of its kind.
fn is_absent(why: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own: 97 on Linux, 47 on BSDs, 10047 on Windows.
    why.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(why.raw_os_error(), Some(97 | 47 | 10_047))
}

fn listen(address: SocketAddr, dual: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() && !dual {
        socket.set_only_v6(true)?;
    }
    // A restart does not wait for connections of before; on Windows it would take another's port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, expected) in [
            ("127.0.0.1:80", &["127.0.0.1:80"][..]),
            ("0.0.0.0", &["0.0.0.0:8674"]),
            (":8674", &["0.0.0.0:8674", "[::]:8674"]),
            (":0", &["0.0.0.0:0", "[::]:0"]),
            ("[::1]:99", &["[::1]:99"]),
            ("::1", &["[::1]:8674"]),
            ("[::]", &["[::]:8674"]),
        ] {
            let expected: Vec<SocketAddr> =
                expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in ["localhost", "localhost:8674"] {
            let found = parse(text).unwrap();
            assert_eq!(found[0].to_string(), "127.0.0.1:8674");
            assert!(found.iter().all(|address| address.ip().is_loopback()));
        }
        for text in [
            "",
            ":",
            ":http",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "a b:1",
            "[::1]:x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_addresses_share_a_port_and_a_missing_one_is_passed_over() {
        let listeners = bind(&parse(":0").unwrap()).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        assert!(
            listeners
                .iter()
                .all(|one| one.local_addr().unwrap().port() == port)
        );
        // 192.0.2.0/24 is for documentation: nobody has it.
        let [absent, here] = ["192.0.2.1:0", "127.0.0.1:0"].map(|text| text.parse().unwrap());
        assert_eq!(bind(&[absent, here]).unwrap().len(), 1);
        assert!(bind(&[absent]).is_err() && bind(&[absent, absent]).is_err());
        let taken = listeners[0].local_addr().unwrap();
        assert!(bind(&[taken, here]).is_err(), "taken is not missing");
    }
}
