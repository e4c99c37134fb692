//! The picture in a body: the only part of it, whatever its names are.

use std::ops::Range;

use memchr::memmem;

use crate::reply::Problem;

/// The longest boundary (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The boundary that a `Content-Type` names.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (essence, mut rest) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if name.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim_end();
            return (1..=MAX_BOUNDARY).contains(&value.len()).then_some(value);
        }
        rest = after.trim_start().strip_prefix(';')?;
    }
}

/// What follows a delimiter.
enum Delimiter {
    /// A part begins there.
    Part(usize),
    /// It was the last.
    End,
    /// It was none, only the beginning of a line like one.
    None,
}

fn delimiter(body: &[u8], after: usize) -> Delimiter {
    let rest = &body[after..];
    if rest.starts_with(b"--") {
        return Delimiter::End;
    }
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    let padding = padding.count();
    match rest[padding..].starts_with(b"\r\n") {
        true => Delimiter::Part(after + padding + 2),
        false => Delimiter::None,
    }
}

/// Where the only file of a body lies. A part's head has a limit, and so has the file.
pub(crate) fn only_file(
    body: &[u8],
    boundary: &str,
    head_bytes: usize,
    file_bytes: usize,
) -> Result<Range<usize>, Problem> {
    let line = format!("\r\n--{boundary}");
    let line = memmem::Finder::new(line.as_bytes());
    let width = line.needle().len();
    // The first may stand at the very beginning, without a line's end before it.
    let first = match body.starts_with(&line.needle()[2..]) {
        true => Some(delimiter(body, width - 2)),
        false => None,
    };
    let mut delimiters = line
        .find_iter(body)
        .map(|at| (at, delimiter(body, at + width)))
        .filter(|(_, found)| !matches!(found, Delimiter::None));
    let first = match first {
        Some(found @ (Delimiter::Part(_) | Delimiter::End)) => found,
        _ => delimiters.next().ok_or(Problem::PARSE)?.1,
    };
    let Delimiter::Part(head) = first else {
        return Err(Problem::BAD_ARGS);
    };
    let start = head + head_length(&body[head..], head_bytes)?;
    // A part may be empty: then its delimiter shares the end of the line with its head.
    let mut rest = delimiters.skip_while(|(at, _)| at + 2 < start);
    let (end, next) = rest.next().ok_or(Problem::PARSE)?;
    match next {
        Delimiter::End if end.saturating_sub(start) > file_bytes => Err(Problem::TOO_LARGE),
        Delimiter::End if end > start => Ok(start..end),
        _ => Err(Problem::BAD_ARGS),
    }
}

/// How long a part's head is, with the empty line that ends it.
fn head_length(part: &[u8], most: usize) -> Result<usize, Problem> {
    if part.starts_with(b"\r\n") {
        return Ok(2);
    }
    let within = &part[..part.len().min(most)];
    let end = memmem::find(within, b"\r\n\r\n").ok_or(Problem::PARSE)?;
    Ok(end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(body: &str) -> Result<&str, Problem> {
        let found = only_file(body.as_bytes(), "B", 32, 10);
        found.map(|range| &body[range])
    }

    #[test]
    fn boundaries_in_every_form() {
        for (text, expected) in [
            ("multipart/form-data; boundary=B", Some("B")),
            (
                "Multipart/Form-Data;charset=utf-8; Boundary=\"a;b c\"; x=y",
                Some("a;b c"),
            ),
            (
                "multipart/form-data; x=\"boundary=no\"; boundary=yes",
                Some("yes"),
            ),
            ("multipart/form-data; boundary=B ; x=y", Some("B")),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"B", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=B", None),
            ("image/jpeg", None),
        ] {
            assert_eq!(boundary(text), expected, "{text}");
        }
        let longest = format!("multipart/form-data; boundary={}", "b".repeat(70));
        assert!(boundary(&longest).is_some());
        assert_eq!(boundary(&format!("{longest}b")), None);
    }

    #[test]
    fn one_file_whatever_is_around_it() {
        for body in [
            "--B\r\nA: b\r\n\r\nfile\r\n--B--\r\n",
            "--B\r\n\r\nfile\r\n--B--",
            "preamble\r\n--B \t\r\nA: b\r\n\r\nfile\r\n--B--epilogue\r\n--B\r\n",
            "--Bad\r\n\r\nno\r\n--B\r\n\r\nfile\r\n--B--",
        ] {
            assert_eq!(file(body), Ok("file"), "{body:?}");
        }
        assert_eq!(file("--B\r\n\r\na\r\n--Bc\r\n--B--"), Ok("a\r\n--Bc"));
    }

    #[test]
    fn other_bodies_are_told_apart() {
        for (body, expected) in [
            ("", Problem::PARSE),
            ("--A\r\n\r\nfile\r\n--A--", Problem::PARSE),
            ("--B\r\n\r\nfile", Problem::PARSE),
            ("--B\r\n\r\nfile\r\n--B", Problem::PARSE),
            ("--B\r\nA: b\r\nfile", Problem::PARSE),
            ("--B--\r\n", Problem::BAD_ARGS),
            ("--B\r\n\r\n\r\n--B--", Problem::BAD_ARGS),
            ("--B\r\nA: b\r\n\r\n--B--", Problem::BAD_ARGS),
            ("--B\r\n\r\na\r\n--B\r\n\r\nb\r\n--B--", Problem::BAD_ARGS),
        ] {
            assert_eq!(file(body), Err(expected), "{body:?}");
        }
    }

    #[test]
    fn the_head_of_a_part_and_the_file_have_limits() {
        // 32 bytes of head, with its end.
        let head = |x: usize| format!("--B\r\nX: {}\r\n\r\nfile\r\n--B--", "x".repeat(x));
        assert_eq!(file(&head(25)), Ok("file"));
        assert_eq!(file(&head(26)), Err(Problem::PARSE));
        let body = |n: usize| format!("--B\r\n\r\n{}\r\n--B--", "x".repeat(n));
        assert_eq!(file(&body(10)).map(str::len), Ok(10));
        assert_eq!(file(&body(11)), Err(Problem::TOO_LARGE));
    }
}
