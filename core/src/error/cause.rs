//! What was the matter when an exchange failed, in words: in which phase, and why.

use std::fmt;

use crate::error::Source;

/// The most that is kept of an error's words, in bytes: with a sentence of the status table and a
/// host of usual length they fit into the text of an `oe_error`.
const MAX_WORDS: usize = 100;

/// What an exchange was doing, in the order of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Looking up a name.
    Resolve,
    /// Making the TCP connection.
    Connect,
    /// Asking the proxy for a way through.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the first byte of the answer.
    Wait,
    /// Receiving the answer.
    Receive,
    /// Looking at the picture, on this device.
    Look,
}

impl Phase {
    fn words(self, to_proxy: bool) -> &'static str {
        match (self, to_proxy) {
            (Phase::Resolve, false) => "resolving the name",
            (Phase::Resolve, true) => "resolving the proxy's name",
            (Phase::Connect, false) => "connecting",
            (Phase::Connect, true) => "connecting to the proxy",
            (Phase::Proxy, _) => "asking the proxy",
            (Phase::Tls, _) => "starting TLS",
            (Phase::Send, _) => "sending the request",
            (Phase::Wait, _) => "waiting for the answer",
            (Phase::Receive, _) => "receiving the answer",
            (Phase::Look, _) => "looking at the picture",
        }
    }
}

/// Why something failed: a few words, and the error of the system or of TLS under it.
///
/// The words hold no key, id or path and no text of a server, no control characters, and are cut to
/// 100 bytes.
#[derive(Clone, Debug)]
pub struct Why {
    words: String,
    source: Option<Source>,
}

impl Why {
    /// These words.
    #[must_use]
    pub fn new(words: &str) -> Why {
        let plain: String = words
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .scan(0, |len, c| {
                *len += c.len_utf8();
                (*len <= MAX_WORDS).then_some(c)
            })
            .collect();
        Why {
            words: plain,
            source: None,
        }
    }

    /// The same with what lies under it.
    #[must_use]
    pub fn under(self, source: Source) -> Why {
        Why {
            source: Some(source),
            ..self
        }
    }

    /// This after what was tried before and failed as well; each is said once.
    #[must_use]
    pub(crate) fn after(self, before: Option<Why>) -> Why {
        let words = match before {
            None => return self,
            Some(before) if before.words.contains(&self.words) => before.words,
            Some(before) => Why::new(&format!("{}; {}", before.words, self.words)).words,
        };
        Why { words, ..self }
    }
}

/// Where and why an exchange failed. Its `Display` is a clause: "While connecting: connection
/// refused (os error 111)".
#[derive(Clone, Debug)]
pub struct Cause {
    /// What it was doing.
    pub phase: Phase,
    /// Whether that was on the way to the proxy.
    pub to_proxy: bool,
    /// Why it failed.
    pub why: Why,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase.words(self.to_proxy);
        write!(f, "While {phase}: {}", self.why.words)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.why.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_short() {
        let why = Why::new("a\r\nb\u{1b}[31m\0c");
        assert_eq!(why.words, "a  b [31m c");
        let long = Why::new(&"ä".repeat(200)).words;
        assert_eq!(long, "ä".repeat(50));
    }

    #[test]
    fn what_failed_before_is_said_once() {
        let words = |before: &str, now: &str| Why::new(now).after(Some(Why::new(before))).words;
        assert_eq!(words("refused", "refused"), "refused");
        assert_eq!(words("no route", "refused"), "no route; refused");
        assert_eq!(words("no route; refused", "no route"), "no route; refused");
        assert_eq!(words(&"x".repeat(99), "refused").len(), 100);
        assert_eq!(Why::new("refused").after(None).words, "refused");
    }

    #[test]
    fn a_cause_says_where_and_why() {
        let cause = |phase, to_proxy| Cause {
            phase,
            to_proxy,
            why: Why::new("refused"),
        };
        for (phase, to_proxy, words) in [
            (Phase::Resolve, false, "While resolving the name: refused"),
            (
                Phase::Resolve,
                true,
                "While resolving the proxy's name: refused",
            ),
            (Phase::Connect, false, "While connecting: refused"),
            (
                Phase::Connect,
                true,
                "While connecting to the proxy: refused",
            ),
            (Phase::Proxy, true, "While asking the proxy: refused"),
            (Phase::Tls, false, "While starting TLS: refused"),
            (Phase::Send, false, "While sending the request: refused"),
            (Phase::Wait, false, "While waiting for the answer: refused"),
            (Phase::Receive, false, "While receiving the answer: refused"),
            (Phase::Look, false, "While looking at the picture: refused"),
        ] {
            assert_eq!(cause(phase, to_proxy).to_string(), words);
        }
    }
}
