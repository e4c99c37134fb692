//! What the first bytes of an answer say, before ureq reads them.

use std::mem::MaybeUninit;

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
    if let Some((code, Some(len))) = parse(input) {
        return Head::Whole(code, len);
    }
    // Whatever is the matter with the headers, the line counts. The parser gives a code before it
    // has read the whole line, so the line is read alone.
    let line = input.trim_ascii_start();
    let begun = memchr::memchr(b'\n', line).and_then(|end| parse(&line[..=end]));
    begun.map_or(Head::Unknown, |(code, _)| Head::Begun(code))
}

/// The status, and how long the head is if it is complete; `None` when it is not HTTP.
fn parse(input: &[u8]) -> Option<(u16, Option<usize>)> {
    let mut response = httparse::Response::new(&mut []);
    // Room that is not filled with empty headers first.
    let mut headers = [const { MaybeUninit::uninit() }; 128];
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, input, &mut headers);
    let len = match parsed.ok()? {
        httparse::Status::Complete(len) => Some(len),
        httparse::Status::Partial => None,
    };
    response
        .code
        .filter(|code| *code >= 100)
        .map(|code| (code, len))
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
        let odd = b"HTTP/1.1 403 No\r\nno colon here\r\n\r\n";
        assert_eq!(look(odd), Head::Begun(403));
        assert_eq!(look(b"\r\nHTTP/1.1 403 No\r\nA"), Head::Begun(403));
        for no_http in [
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 099 \r\n",
            "HTTP/2 200\r\n",
        ] {
            assert_eq!(look(no_http.as_bytes()), Head::Unknown, "{no_http}");
        }
        assert!(is_interim(100) && is_interim(103) && !is_interim(101) && !is_interim(200));
    }
}
