//! What carries a request to the service and its answer back.
//!
//! The session knows only this trait; [`crate::http`] is the real one, tests script their own.

use std::time::Duration;

pub use crate::error::Failure;
use crate::error::cause::Cause;
use crate::key::ApiKey;
use crate::platform::cancel::CancelToken;
use crate::rules::trust::TrustedUrl;

/// The most that is kept of an answer's body, in bytes.
pub const MAX_REPLY_BODY: usize = 64 * 1024;

/// One POST request. The body is the three slices one after the other, so that a JPEG is sent
/// from the caller's buffer and never copied whole.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where to, already checked against the trust rules.
    pub url: &'a TrustedUrl,
    /// Sent as `X-API-Key`; `None` sends no such header.
    pub key: Option<&'a ApiKey>,
    /// The `Content-Type` header.
    pub content_type: &'a str,
    /// The body, in order; its total is the `Content-Length`.
    pub body: [&'a [u8]; 3],
    /// The deadline of the whole exchange, from now: resolving, connecting, TLS, upload, answer.
    pub timeout: Duration,
    /// The share of it that making the TCP connection may use, over all addresses.
    pub connect_timeout: Duration,
    /// Ends the exchange early.
    pub cancel: &'a CancelToken,
}

impl Request<'_> {
    /// The length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.body.iter().map(|part| part.len()).sum()
    }
}

/// How much of the request was handed to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// Nothing of the request.
    Nothing,
    /// Some of it: the service cannot have processed it.
    Part,
    /// All of it: the service may have processed, and billed, it.
    All,
}

/// What is known of the body of an answer whose status line was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The whole body, at most [`MAX_REPLY_BODY`] bytes.
    Whole(Vec<u8>),
    /// The body is longer than [`MAX_REPLY_BODY`]; its first bytes.
    TooLong(Vec<u8>),
    /// The body broke off; what came before, and why.
    Broken(Vec<u8>, Failure),
    /// The body is compressed although nobody asked for that.
    Encoded,
}

/// An answer, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Every `Retry-After` header, as sent.
    pub retry_after: Vec<String>,
    /// The `Date` header, as sent, of an answer with a `Retry-After`; nothing else is measured by it.
    pub date: Option<String>,
    /// The body.
    pub body: ReplyBody,
}

/// What came of one request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The answer, or why there is none.
    pub outcome: Result<Reply, Failure>,
    /// How much of the request left this process.
    pub sent: Sent,
    /// Whether it went out on a connection that had carried a request before.
    pub reused: bool,
    /// Whether any byte of an answer arrived.
    pub answered: bool,
    /// Bytes handed to the connection, headers included, TLS not.
    pub bytes_sent: u64,
    /// Bytes of the answer, headers included, TLS not.
    pub bytes_received: u64,
    /// Where and why it failed, if it did and that is known: without an answer, or in the body of a
    /// success.
    pub cause: Option<Cause>,
}

impl Exchange {
    /// One that failed before anything of it was sent.
    #[must_use]
    pub fn nothing_sent(failure: Failure, cause: Option<Cause>) -> Exchange {
        Exchange {
            outcome: Err(failure),
            cause,
            sent: Sent::Nothing,
            reused: false,
            answered: false,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }
}

/// Sends one request and reads one answer. Never repeats a request, never follows a redirect.
pub trait Transport: Send + Sync {
    /// One request, one answer. Blocks until it is there, the deadline has passed or the token is
    /// cancelled (noticed within a second, whatever it is blocked in).
    fn exchange(&self, request: &Request<'_>) -> Exchange;
}
