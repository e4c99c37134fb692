//! The status table: every way a call can end, grouped by who has to act.
//!
//! [`TABLE`] is the one list. The names, texts and retry hints of the C ABI, and `docs/errors.md`,
//! are made from it. Numbers are never reused.

pub mod cause;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cause::Cause;

/// Who has to act on a status. The groups of the status table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody: nothing is wrong.
    Nobody,
    /// The author of the host program: a local refusal, nothing was sent.
    Host,
    /// The network between this device and the service, and whoever runs it.
    Network,
    /// Whoever set up this device: its clock, its certificates.
    Device,
    /// The service; waiting helps.
    Service,
    /// The owner of the account.
    Account,
    /// The authors of this library, or the system's resources.
    Library,
}

/// One row of the status table.
#[derive(Debug)]
pub struct Row {
    /// The status this row describes.
    pub status: Status,
    /// The name of its C constant.
    pub name: &'static str,
    /// One sentence for people.
    pub text: &'static str,
    /// Who has to act.
    pub actor: Actor,
    /// Whether a loop that takes a new frame each time should go on: without anyone changing
    /// anything a later call may bring a verdict.
    pub retryable: bool,
}

macro_rules! statuses {
    ($($variant:ident = $code:literal, $name:literal, $actor:ident, $retryable:literal, $text:literal;)*) => {
        /// How a call ended. The discriminants are the numbers of the C ABI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Status { $(#[doc = $text] $variant = $code,)* }

        /// Every status, in the order of the header.
        pub const TABLE: &[Row] = &[$(Row {
            status: Status::$variant, name: $name, text: $text,
            actor: Actor::$actor, retryable: $retryable,
        },)*];
    };
}

statuses! {
    Ok = 0, "OE_OK", Nobody, false, "The call succeeded.";
    NotDue = 1, "OE_NOT_DUE", Nobody, true, "The interval has not elapsed yet; nothing was sent and nothing changed.";
    Cancelled = 2, "OE_CANCELLED", Nobody, false, "A cancel, stop or free ended the call.";
    NoEvent = 3, "OE_NO_EVENT", Nobody, false, "No event arrived within the time given.";
    Blind = 4, "OE_BLIND", Nobody, true, "The picture arrived and shows nothing to judge: no verdict; the next one is due at the normal interval.";
    Argument = -1, "OE_ERR_ARGUMENT", Host, false, "An argument is null, out of range, not UTF-8 or not usable.";
    Handle = -2, "OE_ERR_HANDLE", Host, false, "The handle is not a live handle of this kind.";
    Abi = -3, "OE_ERR_ABI", Host, false, "The struct_size is impossible: set it with the INIT macro or the init function.";
    Busy = -4, "OE_ERR_BUSY", Host, true, "Another call is in flight on this context; calls are never queued.";
    Buffer = -5, "OE_ERR_BUFFER", Host, false, "The buffer is too small; the size needed is reported.";
    NotJpeg = -6, "OE_ERR_NOT_JPEG", Host, false, "The bytes are not a JPEG: they do not start with FF D8 FF.";
    ImageTooLarge = -7, "OE_ERR_IMAGE_TOO_LARGE", Host, false, "The image is larger than 6,291,456 bytes, or the service said it is too large.";
    StaleFrame = -8, "OE_ERR_STALE_FRAME", Host, true, "The frame is older than the configured maximum age; take a new one.";
    Forked = -9, "OE_ERR_FORKED", Host, false, "The handle was made by a parent process; make a new one after fork.";
    Reentrant = -10, "OE_ERR_REENTRANT", Host, false, "This call is not allowed from inside the log function.";
    Unsupported = -11, "OE_ERR_UNSUPPORTED", Host, false, "This build of the library lacks the feature.";
    Closed = -12, "OE_ERR_CLOSED", Host, false, "The monitor is stopped.";
    Dns = -20, "OE_ERR_DNS", Network, true, "The service's host name could not be resolved.";
    Connect = -21, "OE_ERR_CONNECT", Network, true, "The service could not be reached: refused, unreachable or no answer in time.";
    Io = -22, "OE_ERR_IO", Network, true, "The connection broke while sending or receiving, or the answer was not HTTP.";
    Timeout = -23, "OE_ERR_TIMEOUT", Network, true, "The call did not finish before its deadline.";
    Proxy = -24, "OE_ERR_PROXY", Network, true, "The configured proxy refused or could not be reached.";
    Tls = -40, "OE_ERR_TLS", Device, true, "The TLS certificate or handshake was refused.";
    Clock = -41, "OE_ERR_CLOCK", Device, true, "The certificate is not yet valid at this device's time: check the clock.";
    RateLimited = -50, "OE_ERR_RATE_LIMITED", Service, true, "The service says this context calls too often; the wait grows.";
    Throttled = -51, "OE_ERR_THROTTLED", Service, true, "The service is busy; wait and try again.";
    Server = -52, "OE_ERR_SERVER", Service, true, "The service failed or could not route the request.";
    Protocol = -53, "OE_ERR_PROTOCOL", Service, true, "The answer breaks the service's contract and was not acted on.";
    ContextLost = -54, "OE_ERR_CONTEXT_LOST", Service, false, "The service no longer has this context, or it is over 14 days old: renew it or make a new one.";
    ImageRejected = -55, "OE_ERR_IMAGE_REJECTED", Service, true, "The image could not be decoded; the next frame may be fine.";
    RequestRejected = -56, "OE_ERR_REQUEST_REJECTED", Service, false, "The service rejected the request as wrong; repeating it will not help.";
    UntrustedUrl = -57, "OE_ERR_UNTRUSTED_URL", Service, false, "A process URL is outside the trusted hosts; nothing was sent to it.";
    InvalidApiKey = -70, "OE_ERR_INVALID_API_KEY", Account, false, "The API key is not valid.";
    ApiKeyDisabled = -71, "OE_ERR_API_KEY_DISABLED", Account, false, "The API key is disabled; see the account or contact the vendor.";
    PaymentFailed = -72, "OE_ERR_PAYMENT_FAILED", Account, false, "The API key is blocked because a payment failed.";
    IpRestricted = -73, "OE_ERR_IP_RESTRICTED", Account, false, "Another API key has claimed this public address.";
    FreeLimit = -74, "OE_ERR_FREE_LIMIT", Account, false, "The monthly allowance of this API key is used up.";
    AuthUnconfirmed = -75, "OE_ERR_AUTH_UNCONFIRMED", Account, true, "Something answered 401 or 403 without naming a reason of the service; a proxy may be in the way.";
    Panic = -90, "OE_ERR_PANIC", Library, false, "A bug in this library was contained; please report it.";
    Resources = -91, "OE_ERR_RESOURCES", Library, true, "Out of memory, sockets or threads.";
    Model = -92, "OE_ERR_MODEL", Library, false, "The embedded engine's model is missing or damaged.";
}

impl Status {
    /// The number of the C ABI.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this number, if there is one.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Status> {
        row_of(code).map(|row| row.status)
    }

    /// The row of this status in [`TABLE`].
    #[must_use]
    pub fn row(self) -> &'static Row {
        row_of(self.code()).unwrap_or(&TABLE[0])
    }

    /// Whether this is one of the five account errors that latch the client (-70 to -74).
    #[must_use]
    pub fn is_account(self) -> bool {
        (-74..=-70).contains(&self.code())
    }

    /// Whether this is an error: below zero in the C ABI.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.code() < 0
    }
}

/// The row for a number from anywhere.
#[must_use]
pub fn row_of(code: i32) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.status.code() == code)
}

/// The `ErrorType` words that the service documents.
///
/// Source: the public API documentation of the Gadget Process API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The request is wrong.
    BadArgs,
    /// The request could not be parsed.
    ArgsParseFailed,
    /// The image could not be decoded.
    ImageDecodeFailed,
    /// This context calls too often.
    ContextRateLimited,
    /// The service is busy.
    BackendThrottled,
    /// The service failed.
    InternalError,
    /// No such API key.
    InvalidApiKey,
    /// The API key is disabled.
    ApiKeyDisabled,
    /// The API key is blocked for a failed payment.
    PaymentFailed,
    /// Another API key has claimed this public address.
    IpRestricted,
    /// The monthly allowance is used up.
    FreeLimit,
}

impl ErrorType {
    /// Every known type.
    pub const ALL: [ErrorType; 11] = [
        ErrorType::BadArgs,
        ErrorType::ArgsParseFailed,
        ErrorType::ImageDecodeFailed,
        ErrorType::ContextRateLimited,
        ErrorType::BackendThrottled,
        ErrorType::InternalError,
        ErrorType::InvalidApiKey,
        ErrorType::ApiKeyDisabled,
        ErrorType::PaymentFailed,
        ErrorType::IpRestricted,
        ErrorType::FreeLimit,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            ErrorType::BadArgs => "OE_BAD_ARGS",
            ErrorType::ArgsParseFailed => "OE_ARGS_PARSE_FAILED",
            ErrorType::ImageDecodeFailed => "OE_IMAGE_DECODE_FAILED",
            ErrorType::ContextRateLimited => "OE_CONTEXT_RATE_LIMITED",
            ErrorType::BackendThrottled => "OE_BACKEND_THROTTLED",
            ErrorType::InternalError => "OE_INTERNAL_ERROR",
            ErrorType::InvalidApiKey => "OE_INVALID_API_KEY",
            ErrorType::ApiKeyDisabled => "OE_API_KEY_DISABLED",
            ErrorType::PaymentFailed => "OE_API_KEY_BLOCKED_PAYMENT_FAILED",
            ErrorType::IpRestricted => "OE_API_KEY_IP_RESTRICTED",
            ErrorType::FreeLimit => "OE_FREE_USAGE_LIMIT_REACHED",
        }
    }

    /// The type with exactly this word: no trimming, no folding of case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<ErrorType> {
        ErrorType::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// How long until something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// After this much time; zero is now.
    In(Duration),
    /// Not before someone acts.
    Never,
}

impl Due {
    /// Whole milliseconds, rounded up so that nobody comes early; `u32::MAX` for never. A wait
    /// longer than 49 days saturates one below that.
    #[must_use]
    pub fn as_ms(self) -> u32 {
        match self {
            Due::Never => u32::MAX,
            Due::In(wait) => {
                let ms = wait.as_nanos().div_ceil(1_000_000);
                u32::try_from(ms).unwrap_or(u32::MAX).min(u32::MAX - 1)
            }
        }
    }
}

/// What lies under an [`Error`]: an error of the system or of TLS.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a call did not succeed.
///
/// Holds nothing secret: `text` is made from fixed sentences, the words of the system's and of TLS's
/// errors, and a host name at most.
#[derive(Clone, Debug)]
pub struct Error {
    /// The status to return; never [`Status::Ok`].
    pub status: Status,
    /// The HTTP status of the answer; 0 when no answer was read.
    pub http_status: u16,
    /// What the service named as the reason, if it is a known word.
    pub error_type: Option<ErrorType>,
    /// Until the next call is allowed.
    pub retry_after: Due,
    /// For people and logs.
    pub text: String,
    /// What the system or TLS said, for [`std::error::Error::source`].
    pub source: Option<Source>,
}

impl Error {
    /// An error found before anything was sent, described by its row of the table.
    #[must_use]
    pub fn local(status: Status) -> Error {
        Error::with_text(status, status.row().text)
    }

    /// An error found before anything was sent, with a sentence that says what to do.
    #[must_use]
    pub fn with_text(status: Status, text: impl Into<String>) -> Error {
        Error {
            status,
            http_status: 0,
            error_type: None,
            retry_after: Due::In(Duration::ZERO),
            text: text.into(),
            source: None,
        }
    }

    /// The same error with what lies under it.
    #[must_use]
    pub fn because_of(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error with the time until the next call is allowed.
    #[must_use]
    pub fn retry_after(mut self, due: Due) -> Error {
        self.retry_after = due;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.row().name, self.text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Why an exchange brought no answer. Each is one status of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name was not resolved.
    Dns,
    /// Refused, unreachable, or the connect share of the deadline was used up.
    Connect,
    /// The connection broke, the answer was short or not HTTP.
    Io,
    /// The total deadline passed.
    Timeout,
    /// The configured proxy refused or could not be reached.
    Proxy,
    /// Certificate or handshake refused.
    Tls,
    /// The certificate is not yet valid at this device's time.
    Clock,
    /// Out of memory, sockets or threads.
    Resources,
    /// The cancel token was used.
    Cancelled,
}

/// An error of an exchange, in words: the table's sentence, where and why it failed, and the HTTP
/// status or the host.
pub(crate) fn describe(
    status: Status,
    http_status: u16,
    error_type: Option<ErrorType>,
    due: Due,
    host: &str,
    cause: Option<&Cause>,
) -> Error {
    let mut text = status.row().text.to_owned();
    if let Some(cause) = cause {
        text = format!("{text} {cause}");
    }
    let text = match http_status {
        // Nobody was called.
        0 if host.is_empty() => text,
        0 => format!("{text} (host {host})"),
        code => format!("{text} (HTTP {code})"),
    };
    Error {
        status,
        http_status,
        error_type,
        retry_after: due,
        text,
        source: cause.map(|cause| Arc::new(cause.clone()) as Source),
    }
}

/// `Argument`, with a sentence that says what is wrong with it.
#[must_use]
pub fn refuse(text: &'static str) -> Error {
    Error::with_text(Status::Argument, text)
}

/// The service's ten texts for a print quality, 1 to 10; "unknown" outside.
#[must_use]
pub const fn quality_text(quality: i32) -> &'static str {
    match quality {
        1 => "print failure",
        2 => "probable print failure",
        3 => "possible print failure",
        4 | 5 => "monitoring a possible print issue",
        6 | 7 => "good",
        8 | 9 => "great",
        10 => "perfect",
        _ => "unknown",
    }
}

/// The colour that a print quality calls for: 0 unknown, 1 good (6 to 10), 2 to watch (4 and 5), 3
/// bad (1 to 3).
#[must_use]
pub const fn quality_level(quality: i32) -> i32 {
    match quality {
        6..=10 => 1,
        4 | 5 => 2,
        1..=3 => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_found_again() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(Status::from_code(row.status.code()), Some(row.status));
            assert_eq!(row.status.row().name, row.name);
            assert!(row.text.ends_with('.'), "{} is not a sentence", row.name);
            for other in &TABLE[i + 1..] {
                assert_ne!(row.name, other.name);
                assert_ne!(row.status.code(), other.status.code());
            }
        }
        assert_eq!(Status::from_code(-13), None);
        assert_eq!(Status::from_code(i32::MIN), None);
    }

    #[test]
    fn retryable_is_the_list_of_the_contract() {
        let listed = [
            1, 4, -4, -8, -20, -21, -22, -23, -24, -40, -41, -50, -51, -52, -53, -55, -75, -91,
        ];
        for row in TABLE {
            assert_eq!(
                row.retryable,
                listed.contains(&row.status.code()),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn due_rounds_up_and_saturates() {
        assert_eq!(Due::In(Duration::ZERO).as_ms(), 0);
        assert_eq!(Due::In(Duration::from_nanos(1)).as_ms(), 1);
        assert_eq!(Due::In(Duration::from_micros(1_000_001)).as_ms(), 1_001);
        assert_eq!(Due::In(Duration::from_secs(1 << 40)).as_ms(), u32::MAX - 1);
        assert_eq!(Due::Never.as_ms(), u32::MAX);
    }

    #[test]
    fn error_types_match_exactly() {
        for kind in ErrorType::ALL {
            assert_eq!(ErrorType::from_word(kind.word()), Some(kind));
            assert_eq!(ErrorType::from_word(&kind.word().to_lowercase()), None);
            assert_eq!(ErrorType::from_word(&format!(" {}", kind.word())), None);
            assert!(kind.word().len() < 64, "fits oe_error.error_type");
        }
    }
}
