//! Who judges the pictures: the service behind a [`Transport`](crate::transport::Transport).
//!
//! A session and an account know [`Backend`] alone: what came of one attempt, as a [`Reading`] or a
//! [`CreateError`], and never an HTTP exchange. Pace, alerts and retries are theirs; a backend makes
//! one attempt and says how it ended.

pub(crate) mod service;

use std::sync::Arc;
use std::time::Duration;

use crate::error::cause::Cause;
use crate::error::{Due, Error, ErrorType, Status, describe};
use crate::platform::cancel::CancelToken;
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::OutcomeClass;
use crate::rules::pacing::{Interval, Next};
use crate::transport::Sent;
use crate::wire::create_context::ContextUrls;
use crate::wire::verdict::Verdict;

/// A print at its backend: what a create returned and every later call needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Print {
    /// The two URLs of a context at the service.
    Service(Arc<ContextUrls>),
}

/// Judges pictures. One serves all prints of an account, from any thread.
pub(crate) trait Backend: Send + Sync {
    /// Begins a print. One attempt.
    fn create(&self, warning: Confidence, pause: Confidence, cancel: &CancelToken) -> Creation;

    /// Judges one picture of a print, at its fallback if that is in use. One attempt.
    fn judge(&self, print: &Print, fallback: bool, jpeg: &[u8], cancel: &CancelToken) -> Reading;

    /// A print from its saved URLs.
    ///
    /// # Errors
    /// `UntrustedUrl` when one of them is outside what this backend may call.
    fn restore(&self, process_url: &str, fallback_url: &str) -> Result<Print, Error>;
}

/// Bytes on connections, headers included, TLS not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// How a create ended.
pub(crate) struct Creation {
    pub(crate) result: Result<Print, CreateError>,
    pub(crate) traffic: Traffic,
}

/// Why there is no print.
#[derive(Clone, Debug)]
pub(crate) struct CreateError {
    pub(crate) status: Status,
    pub(crate) http_status: u16,
    pub(crate) error_type: Option<ErrorType>,
    /// Stops every print of the account.
    pub(crate) latch: bool,
    pub(crate) next: Next,
    pub(crate) retry_after: Duration,
    /// A sentence that is better than the status table's.
    pub(crate) text: Option<&'static str>,
    /// The host that was called.
    pub(crate) host: String,
    /// Where and why it failed, if it did not get an answer.
    pub(crate) cause: Option<Cause>,
}

impl CreateError {
    /// The same for the host; `due` is when the next create may be made.
    pub(crate) fn error(&self, due: Due) -> Error {
        let cause = self.cause.as_ref();
        let mut error = describe(
            self.status,
            self.http_status,
            self.error_type,
            due,
            &self.host,
            cause,
        );
        if let Some(better) = self.text {
            better.clone_into(&mut error.text);
        }
        error
    }
}

/// How one attempt to have a picture judged ended.
pub(crate) struct Reading {
    pub(crate) verdict: Option<Verdict>,
    /// The interval of an answer that is otherwise unusable.
    pub(crate) interval: Option<Interval>,
    pub(crate) outcome: (OutcomeClass, Status),
    pub(crate) http_status: u16,
    pub(crate) error_type: Option<ErrorType>,
    pub(crate) retry_after: Duration,
    /// How much of the picture left this process.
    pub(crate) sent: Sent,
    /// Whether a connection was used again.
    pub(crate) reused: bool,
    /// Whether any byte of an answer came.
    pub(crate) answered: bool,
    /// The picture may have been processed, and billed, without a verdict.
    pub(crate) possibly_billed: bool,
    pub(crate) traffic: Traffic,
    /// The host that was called; empty beside a verdict, which needs no error text.
    pub(crate) host: String,
    /// Where and why it failed, if it did not get a whole answer.
    pub(crate) cause: Option<Cause>,
}

impl Reading {
    /// For the host, with the status that the session reports; `due` is when the next call may start.
    pub(crate) fn error(&self, status: Status, due: Due) -> Error {
        let cause = self.cause.as_ref();
        describe(
            status,
            self.http_status,
            self.error_type,
            due,
            &self.host,
            cause,
        )
    }
}
