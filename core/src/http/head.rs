//! What the first bytes of an answer say, before ureq reads them.

/// As much as can be known of an answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// No whole status line yet, or no HTTP.
    Unknown,
    /// The status line is there, the rest not all.
    Begun(u16),
    /// The head is complete; how long it is.
    Whole(u16, usize),
}

/// Reads the head at the beginning of `input`.
pub(super) fn look(input: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(input);
    // httparse gives the code as soon as it has read it; a whole line is what counts.
    let line = input.contains(&b'\n');
    match (parsed, response.code) {
        (Ok(httparse::Status::Complete(len)), Some(code)) => Head::Whole(code, len),
        (_, Some(code)) if line => Head::Begun(code),
        _ => Head::Unknown,
    }
}

/// Whether a status announces another answer. 101 does not: it ends HTTP on the connection.
pub(super) fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_known_as_soon_as_their_line_is_there() {
        assert_eq!(look(b""), Head::Unknown);
        assert_eq!(look(b"HTTP/1.1 413"), Head::Unknown);
        assert_eq!(look(b"HTTP/1.1 413 Too Large\r\nConn"), Head::Begun(413));
        assert_eq!(look(b"HTTP/1.1 613 \r\n\r\n"), Head::Whole(613, 17));
        assert_eq!(look(b"HTTP/1.1 200\r\n\r\nbody"), Head::Whole(200, 16));
        assert_eq!(look(b"<html>\r\n\r\n"), Head::Unknown);
        assert!(is_interim(100) && is_interim(103) && !is_interim(101) && !is_interim(200));
    }
}
