//! Answers: verdicts of both editions, errors by their documented words.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::verdicts::Verdict;

/// Which form of the interval is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// `NextProcessIntervalSec` is a number.
    #[default]
    A,
    /// It is an object, and there is `FasterInspectionSuggested`.
    B,
}

/// A refusal: status, `ErrorType`, `ErrorDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem(
    pub(crate) u16,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

impl Problem {
    pub(crate) const INVALID_KEY: Problem =
        Problem(401, "OE_INVALID_API_KEY", "The API key is not known here.");
    pub(crate) const KEY_DISABLED: Problem =
        Problem(403, "OE_API_KEY_DISABLED", "The API key is disabled.");
    pub(crate) const PAYMENT_FAILED: Problem = Problem(
        402,
        "OE_API_KEY_BLOCKED_PAYMENT_FAILED",
        "A payment failed.",
    );
    pub(crate) const IP_RESTRICTED: Problem = Problem(
        403,
        "OE_API_KEY_IP_RESTRICTED",
        "Another key has claimed this address.",
    );
    pub(crate) const FREE_LIMIT: Problem = Problem(
        429,
        "OE_FREE_USAGE_LIMIT_REACHED",
        "The allowance is used up.",
    );
    pub(crate) const RATE_LIMITED: Problem = Problem(
        429,
        "OE_CONTEXT_RATE_LIMITED",
        "Called before the minimum interval was over.",
    );
    pub(crate) const THROTTLED: Problem =
        Problem(503, "OE_BACKEND_THROTTLED", "The service is busy.");
    pub(crate) const DECODE: Problem = Problem(
        400,
        "OE_IMAGE_DECODE_FAILED",
        "The image is not a JPEG that can be decoded.",
    );
    pub(crate) const PARSE: Problem = Problem(
        400,
        "OE_ARGS_PARSE_FAILED",
        "The request could not be parsed.",
    );
    pub(crate) const BAD_ARGS: Problem = Problem(
        400,
        "OE_BAD_ARGS",
        "An argument is missing or out of range.",
    );
    pub(crate) const TOO_LARGE: Problem = Problem(
        413,
        "OE_BAD_ARGS_TOO_LARGE",
        "The image is larger than this service takes.",
    );
    pub(crate) const NO_CONTEXT: Problem =
        Problem(500, "OE_INTERNAL_ERROR", "Failed to get context object.");
    pub(crate) const INTERNAL: Problem = Problem(500, "OE_INTERNAL_ERROR", "The service failed.");
    pub(crate) const NOT_FOUND: Problem = Problem(404, "OE_NOT_FOUND", "There is nothing here.");

    pub(crate) const DISPLACED: Problem = Problem(
        429,
        "OE_CONTEXT_RATE_LIMITED",
        "A newer picture of this print came before this one was complete.",
    );

    /// This refusal, and when to try again.
    pub(crate) fn retry_after(self, seconds: u32) -> Refusal {
        Refusal {
            problem: self,
            retry_after: Some(seconds),
        }
    }

    /// The usual answer for a documented word.
    pub(crate) fn by_word(word: &str) -> Problem {
        let known = [
            Problem::INVALID_KEY,
            Problem::KEY_DISABLED,
            Problem::PAYMENT_FAILED,
            Problem::IP_RESTRICTED,
            Problem::FREE_LIMIT,
            Problem::RATE_LIMITED,
            Problem::THROTTLED,
            Problem::DECODE,
            Problem::PARSE,
            Problem::BAD_ARGS,
        ];
        known
            .into_iter()
            .find(|problem| problem.1 == word)
            .unwrap_or(Problem::INTERNAL)
    }
}

/// What a request is refused with, and when to try again if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) problem: Problem,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal {
            problem,
            retry_after: None,
        }
    }
}

pub(crate) type Answer = Response<Full<Bytes>>;

pub(crate) fn body(status: u16, value: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(value.to_string())));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub(crate) fn refuse(refusal: impl Into<Refusal>) -> Answer {
    let Refusal {
        problem,
        retry_after,
    } = refusal.into();
    let value = json!({ "ErrorType": problem.1, "ErrorDetails": problem.2 });
    let mut answer = body(problem.0, &value);
    if let Some(seconds) = retry_after {
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

pub(crate) fn verdict(
    verdict: &Verdict,
    edition: Edition,
    minimum: u32,
    recommended: u32,
) -> Answer {
    let mut value = json!({
        "NextProcessIntervalSec": minimum,
        "PrintQuality": verdict.quality,
        "WarningSuggested": verdict.warning,
        "PauseSuggested": verdict.pause,
        "Score": verdict.score,
    });
    if edition == Edition::B {
        value["NextProcessIntervalSec"] = json!({ "Minimum": minimum, "Recommended": recommended });
        value["FasterInspectionSuggested"] = json!(verdict.faster);
    }
    if verdict.blind {
        value["Blind"] = json!(true);
    }
    if let Some(place) = verdict.place {
        value["Place"] = json!(place);
    }
    body(200, &value)
}
