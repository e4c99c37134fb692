//! Request bodies out, the answer to Create Context in.

use crate::config::Confidence;
use crate::json::{Members, string};
use crate::random;
use crate::trust::{Trust, TrustedUrl, Untrusted};

/// The media type of Create Context.
pub const JSON: &str = "application/json";

/// The body of Create Context: the levels that are set, and nothing for those that are not.
#[must_use]
pub fn create_body(warning: Confidence, pause: Confidence) -> String {
    let named = [
        ("WarningConfidenceLevel", warning),
        ("PauseConfidenceLevel", pause),
    ];
    let members: Vec<String> = named
        .into_iter()
        .filter_map(|(name, level)| level.level().map(|level| format!("\"{name}\":{level}")))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The two URLs of a context. `Debug` shows their hosts alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextUrls {
    /// Where frames go first.
    pub process: TrustedUrl,
    /// Where they go once that failed.
    pub fallback: TrustedUrl,
}

/// Why an answer to Create Context is no context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoContext {
    /// It breaks the contract.
    Protocol,
    /// One of its URLs is outside the trusted hosts.
    Untrusted(Untrusted),
}

/// Reads the body of a 2xx answer to Create Context.
///
/// # Errors
/// [`NoContext`] unless it is an object with three non-blank strings, two of them trusted URLs.
pub fn decode_create(body: &[u8], trust: &Trust) -> Result<ContextUrls, NoContext> {
    let names = [
        "ContextId",
        "ProcessRequestUrl",
        "FallbackProcessRequestUrl",
    ];
    let members = Members::read(body, names);
    if !members.whole || members.has_conflict() {
        return Err(NoContext::Protocol);
    }
    let text = |index| {
        let text = members
            .get(index)
            .and_then(string)
            .ok_or(NoContext::Protocol)?;
        if text.trim().is_empty() {
            Err(NoContext::Protocol)
        } else {
            Ok(text)
        }
    };
    let (_id, process, fallback) = (text(0)?, text(1)?, text(2)?);
    Ok(ContextUrls {
        process: trust.check(&process).map_err(NoContext::Untrusted)?,
        fallback: trust.check(&fallback).map_err(NoContext::Untrusted)?,
    })
}

/// What a boundary begins with; a token follows.
const BOUNDARY: &str = "oe-process-";
/// What follows the boundary before the image.
const PART: &str = "\r\nContent-Disposition: form-data; name=\"image\"; \
                    filename=\"print.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";

/// A multipart body around a JPEG that stays where it is.
#[derive(Debug)]
pub struct Multipart {
    /// The `Content-Type` header.
    pub content_type: String,
    head: String,
    tail: String,
}

impl Multipart {
    /// One file part, under a boundary that no image has: it is drawn anew for every request, 128
    /// bits of it, after the image was taken. `None` when the system has no randomness to give.
    #[must_use]
    pub fn new() -> Option<Multipart> {
        Some(Multipart::with_boundary(&random::token()?))
    }

    /// Put together and not formatted, which costs several times as much, once for every frame.
    fn with_boundary(token: &str) -> Multipart {
        let around = |before: &str, after: &str| [before, BOUNDARY, token, after].concat();
        Multipart {
            content_type: around("multipart/form-data; boundary=", ""),
            head: around("--", PART),
            tail: around("\r\n--", "--\r\n"),
        }
    }

    /// The body: head, the JPEG itself, tail.
    #[must_use]
    pub fn body<'a>(&'a self, jpeg: &'a [u8]) -> [&'a [u8]; 3] {
        [self.head.as_bytes(), jpeg, self.tail.as_bytes()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "https://gadget.octoeverywhere.com/p/1";

    fn create(id: &str, process: &str, fallback: &str) -> Result<ContextUrls, NoContext> {
        let body = format!(
            "{{\"ContextId\":{id},\"ProcessRequestUrl\":{process},\
             \"FallbackProcessRequestUrl\":{fallback},\"New\":[1]}}"
        );
        decode_create(body.as_bytes(), &Trust::service())
    }

    #[test]
    fn cr_07_cr_08_only_set_levels_are_sent() {
        let level = |n| Confidence::new(n).unwrap();
        assert_eq!(create_body(level(0), level(0)), "{}");
        assert_eq!(
            create_body(level(3), level(0)),
            "{\"WarningConfidenceLevel\":3}"
        );
        assert_eq!(
            create_body(level(1), level(5)),
            "{\"WarningConfidenceLevel\":1,\"PauseConfidenceLevel\":5}"
        );
    }

    #[test]
    fn cr_01_cr_13_urls_are_kept_exactly_after_unescaping() {
        let urls = create(
            "\"C\"",
            &format!("\"{GOOD}\""),
            "\"\\u0068ttps:\\/\\/a.octoeverywhere.com\\/p?x=1\"",
        );
        let urls = urls.unwrap();
        assert_eq!(urls.process.as_str(), GOOD);
        assert_eq!(urls.fallback.as_str(), "https://a.octoeverywhere.com/p?x=1");
        assert!(!format!("{urls:?}").contains("x=1"));
    }

    #[test]
    fn cr_03_cr_04_cr_05_half_a_context_is_none() {
        let good = format!("\"{GOOD}\"");
        for bad in ["null", "\"\"", "5", "[]", "\" \\t\""] {
            assert_eq!(
                create(bad, &good, &good),
                Err(NoContext::Protocol),
                "id {bad}"
            );
            assert_eq!(
                create("\"C\"", bad, &good),
                Err(NoContext::Protocol),
                "process {bad}"
            );
            assert_eq!(
                create("\"C\"", &good, bad),
                Err(NoContext::Protocol),
                "fallback {bad}"
            );
        }
        for body in ["", "{}", "null", "<html>", "{\"ContextId\":\"C\"}"] {
            assert_eq!(
                decode_create(body.as_bytes(), &Trust::service()),
                Err(NoContext::Protocol)
            );
        }
    }

    #[test]
    fn se_01_either_url_outside_the_trust_is_refused() {
        let (good, evil) = (format!("\"{GOOD}\""), "\"https://evil.example/p\"");
        assert!(matches!(
            create("\"C\"", evil, &good),
            Err(NoContext::Untrusted(_))
        ));
        assert!(matches!(
            create("\"C\"", &good, evil),
            Err(NoContext::Untrusted(_))
        ));
    }

    #[test]
    fn up_03_the_boundary_is_new_each_time() {
        let (a, b) = (Multipart::new().unwrap(), Multipart::new().unwrap());
        assert_ne!(a.content_type, b.content_type);
    }
}
