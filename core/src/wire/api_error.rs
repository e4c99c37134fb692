//! What an answer that is no verdict says: the reason, and how long to wait.

use std::time::Duration;

use super::json::{Members, string};
use crate::error::ErrorType;

/// The longest `Retry-After` that is honoured.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// The details with which the service says that it no longer has a context. Source: the public
/// API documentation.
const CONTEXT_GONE: &str = "Failed to get context object.";

/// Why the service refused, read from the body of a non-2xx answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiError {
    /// The reason, if it is a known word.
    pub kind: Option<ErrorType>,
    /// Whether the details are exactly the sentence for a context that is gone.
    pub context_gone: bool,
}

impl ApiError {
    /// Reads a body, whole or broken off. A type that stands there is used whatever became of the
    /// details after it; two different types are no type.
    #[must_use]
    pub fn read(body: &[u8]) -> ApiError {
        let kind = Members::read(body, ["ErrorType"]).get(0).and_then(string);
        let kind = kind.and_then(|word| ErrorType::from_word(&word));
        let details = Members::read(body, ["ErrorDetails"])
            .get(0)
            .and_then(string);
        ApiError {
            kind,
            context_gone: details.as_deref() == Some(CONTEXT_GONE),
        }
    }
}

/// The wait that `Retry-After` headers ask for: whole seconds or an HTTP date, measured against
/// the answer's own `Date`. The largest valid one counts, at most an hour.
#[must_use]
pub fn retry_after(headers: &[String], date: Option<&str>) -> Option<Duration> {
    let sent = date.and_then(|text| httpdate::parse_http_date(text.trim()).ok());
    let waits = headers.iter().filter_map(|header| {
        let header = header.trim();
        if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(header.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs));
        }
        let until = httpdate::parse_http_date(header).ok()?;
        until.duration_since(sent?).ok()
    });
    waits.max().map(|wait| wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn er_10_er_11_er_13_only_exact_words_count() {
        let kind = |body: &[u8]| ApiError::read(body).kind;
        let invalid = Some(ErrorType::InvalidApiKey);
        assert_eq!(
            kind(br#"{"ErrorType":"OE_INVALID_API_KEY","ErrorDetails":"x"}"#),
            invalid
        );
        assert_eq!(
            kind(br#"{"ErrorDetails":5,"ErrorType":"OE_INVALID_API_KEY"}"#),
            invalid
        );
        assert_eq!(
            kind(b"{\"ErrorType\":\"OE_INVALID_API_KEY\",\"ErrorDetails\":\"\xff\"}"),
            invalid
        );
        assert_eq!(
            kind(br#"{"ErrorType":"OE_INVALID_API_KEY","ErrorDetails":"\ud800"}"#),
            invalid
        );
        assert_eq!(
            kind(br#"{"ErrorType":"OE_INVALID_API_KEY","ErrorDetails":"cut o"#),
            invalid
        );
        for odd in [
            "OE_INVALID_API_KEY\\u0000",
            "oe_invalid_api_key",
            " OE_INVALID_API_KEY",
            "<script>",
            "\\u001b[31m",
            "%s%n",
            "OE_NEW_THING",
        ] {
            assert_eq!(
                kind(format!("{{\"ErrorType\":\"{odd}\"}}").as_bytes()),
                None,
                "{odd}"
            );
        }
        for odd in ["[]", "{}", "5", "null", "[\"OE_INVALID_API_KEY\"]"] {
            assert_eq!(
                kind(format!("{{\"ErrorType\":{odd}}}").as_bytes()),
                None,
                "{odd}"
            );
        }
        assert_eq!(
            kind(br#"{"x":"\"ErrorType\":\"OE_INVALID_API_KEY\""}"#),
            None
        );
        assert_eq!(kind(br#"{"x":{"ErrorType":"OE_INVALID_API_KEY"}}"#), None);
        assert_eq!(
            kind(br#"{"ErrorType":"OE_BAD_ARGS","ErrorType":"OE_INVALID_API_KEY"}"#),
            None
        );
        for body in ["<html>", "", "OE_INVALID_API_KEY", "\"OE_INVALID_API_KEY\""] {
            assert_eq!(kind(body.as_bytes()), None);
        }
    }

    #[test]
    fn er_10_only_the_exact_sentence_means_gone() {
        let gone = |details: &str| {
            let body =
                format!("{{\"ErrorType\":\"OE_INTERNAL_ERROR\",\"ErrorDetails\":{details}}}");
            ApiError::read(body.as_bytes()).context_gone
        };
        assert!(gone("\"Failed to get context object.\""));
        assert!(!gone("\"Failed to get context object. key=1\""));
        assert!(!gone("\"failed to get context object.\""));
        assert!(!gone("[\"Failed to get context object.\"]"));
    }

    #[test]
    fn ti_10_ti_12_ti_13_retry_after() {
        let date = Some("Mon, 02 Nov 2026 10:00:00 GMT");
        let wait = |headers: &[&str]| {
            let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
            retry_after(&headers, date).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(&["300"]), Some(300));
        assert_eq!(wait(&[" 7 "]), Some(7));
        assert_eq!(wait(&["10", "60"]), Some(60));
        assert_eq!(wait(&["abc", "60"]), Some(60));
        assert_eq!(wait(&["99999999999999999999"]), Some(3_600));
        assert_eq!(wait(&["1000000000"]), Some(3_600));
        for invalid in [
            "-5",
            "abc",
            "1e9",
            "",
            "1.5",
            "+5",
            "0x10",
            "Mon, 99 Nov 2026",
        ] {
            assert_eq!(wait(&[invalid]), None, "{invalid:?}");
        }
        assert_eq!(wait(&["Mon, 02 Nov 2026 10:01:30 GMT"]), Some(90));
        assert_eq!(wait(&["Mon, 02 Nov 2099 10:01:30 GMT"]), Some(3_600));
        assert_eq!(wait(&["Mon, 02 Nov 2026 09:00:00 GMT"]), None);
        let header = ["Mon, 02 Nov 2026 10:01:30 GMT".to_owned()];
        assert_eq!(
            retry_after(&header, None),
            None,
            "a date is nothing without the answer's own"
        );
    }
}
