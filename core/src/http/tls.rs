//! What comes out of a TLS connection.

use std::io::{self, Read};

use rustls::ClientConnection;

use super::call::Call;
use super::socket::Tcp;

/// Decrypts what is there or, if that is nothing, what comes with one read. Zero is a
/// `close_notify`; an end without one is an error.
pub(super) fn read(
    tls: &mut ClientConnection,
    tcp: &mut Tcp,
    space: &mut [u8],
    call: &Call,
) -> io::Result<usize> {
    match tls.reader().read(space) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        other => return other,
    }
    call.takes(tls.read_tls(tcp)?)?;
    let processed = tls.process_new_packets();
    if tls.wants_write() {
        // Key updates and alerts; they can wait for the next send.
        drop(tls.write_tls(tcp));
    }
    processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    match tls.reader().read(space) {
        // Half a record, a session's ticket: no data, and no reason to wait yet.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::ErrorKind::Interrupted.into())
        }
        other => other,
    }
}
