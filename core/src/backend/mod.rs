//! Who judges the pictures: the service behind a [`Transport`](crate::transport::Transport), or the
//! [`Engine`](crate::engine::Engine) on this device.
//!
//! A session and an account know [`Backend`] alone: what came of one attempt, as a [`Reading`] or a
//! [`CreateError`], and never an HTTP exchange. Pace, alerts and retries are theirs; a backend makes
//! one attempt and says how it ended.

pub mod embedded;
pub(crate) mod service;

use std::sync::Arc;
use std::time::Duration;

use crate::error::cause::Cause;
use crate::error::{Due, Error, ErrorType, Status, describe};
use crate::platform::cancel::CancelToken;
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::OutcomeClass;
use crate::rules::pacing::{Interval, Next};
use crate::rules::region::Region;
use crate::transport::Sent;
use crate::wire::create_context::ContextUrls;
use crate::wire::verdict::Verdict;

use embedded::EmbeddedPrint;

/// A print at its backend: what a create returned and every later call needs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Print {
    /// The two URLs of a context at the service.
    Service(Arc<ContextUrls>),
    /// What is believed of a print that the embedded engine looks at.
    Embedded(Arc<EmbeddedPrint>),
}

/// What of a print survives a restart of the host. Whoever reads it trusts nothing in it.
#[derive(Clone, Debug)]
pub(crate) enum SavedPrint {
    Service {
        process_url: String,
        fallback_url: String,
    },
    Embedded {
        /// Under which model that is believed.
        model: String,
        belief: Option<String>,
    },
}

/// One picture of a print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) jpeg: &'a [u8],
    /// Ask the print's fallback.
    pub(crate) fallback: bool,
    /// When it was taken, counted from when the print began.
    pub(crate) taken: Duration,
    pub(crate) warning: Confidence,
    pub(crate) pause: Confidence,
    pub(crate) ignore: &'a [Region],
}

/// Judges pictures. One serves all prints of an account, from any thread.
pub(crate) trait Backend: Send + Sync {
    /// Whether prints are contexts of an account: there is a key to check, and they can be renewed.
    fn has_account(&self) -> bool;

    /// Begins a print. One attempt.
    fn create(&self, warning: Confidence, pause: Confidence, cancel: &CancelToken) -> Creation;

    /// Judges one picture of a print. One attempt.
    fn judge(&self, print: &Print, question: &Question<'_>, cancel: &CancelToken) -> Reading;

    /// What of a print survives a restart.
    fn save(&self, print: &Print) -> SavedPrint;

    /// A print from what was saved of it.
    ///
    /// # Errors
    /// `UntrustedUrl` when a URL is outside what this backend may call; `Argument` when it is damaged or
    /// of another backend.
    fn restore(&self, saved: SavedPrint) -> Result<Print, Error>;
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
    pub(crate) fn new(outcome: (OutcomeClass, Status), http_status: u16) -> Reading {
        Reading {
            verdict: None,
            interval: None,
            outcome,
            http_status,
            error_type: None,
            retry_after: Duration::ZERO,
            sent: Sent::Nothing,
            reused: false,
            answered: false,
            possibly_billed: false,
            traffic: Traffic::default(),
            host: String::new(),
            cause: None,
        }
    }

    /// A print that this backend has not made, which no account has.
    fn of_another_backend() -> Reading {
        Reading::new((OutcomeClass::Local, Status::Panic), 0)
    }

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
