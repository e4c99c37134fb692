//! What follows from the outcome of a process call: the outcome table.
//!
//! [`RULES`] is the table of `docs/POLICY.md`, row by row. [`classify`] finds the row of an answer,
//! [`Track::decide`] applies it with what happened before.

use std::time::Duration;

use super::pacing::Next;
use crate::error::{ErrorType, Failure, Status};

/// The rows of the outcome table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// 2xx with a valid verdict.
    Verdict,
    /// 2xx with anything else.
    BadVerdict,
    /// `OE_CONTEXT_RATE_LIMITED`, or 429 without a known type.
    RateLimited,
    /// `OE_BACKEND_THROTTLED`.
    Throttled,
    /// `OE_INTERNAL_ERROR`, or any status from 500 up.
    ServerFault,
    /// 500, `OE_INTERNAL_ERROR` and the exact sentence for a context that is gone.
    ContextGone,
    /// No answer: name, connection, TLS, deadline; or 408.
    Unreachable,
    /// This device is out of something, or a bug was contained.
    Local,
    /// 3xx, 404, 405, 410, 421 without a known type.
    Misrouted,
    /// `OE_IMAGE_DECODE_FAILED`.
    ImageRejected,
    /// 413 without a known type.
    TooLarge,
    /// `OE_BAD_ARGS`, `OE_ARGS_PARSE_FAILED`, other 4xx.
    RequestRejected,
    /// One of the five account errors.
    Account,
    /// 401 or 403 without a known type.
    AuthUnconfirmed,
    /// The host cancelled after sending had begun.
    Cancelled,
}

/// When a row makes the context use its fallback URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Not.
    No,
    /// At once.
    Yes,
    /// After three in a row.
    AfterThree,
    /// After six in a row over at least ten minutes.
    AfterSixInTenMinutes,
}

/// When a row asks for a new context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renew {
    /// Not, or only by the rule that a fallback failing for ten minutes is given up.
    No,
    /// When the fallback says so.
    OnFallback,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The row.
    pub condition: Condition,
    /// Switch to the fallback?
    pub switch: Switch,
    /// A new context?
    pub renew: Renew,
    /// Stop every context of the key?
    pub latch: bool,
    /// The next call.
    pub next: Next,
    /// Does `Retry-After` lengthen the wait?
    pub heeds_retry_after: bool,
}

const fn rule(
    condition: Condition,
    switch: Switch,
    renew: Renew,
    latch: bool,
    next: Next,
    heeds_retry_after: bool,
) -> Rule {
    Rule {
        condition,
        switch,
        renew,
        latch,
        next,
        heeds_retry_after,
    }
}

/// The outcome table.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    //   condition                   switch                        new context        latch  next call      Retry-After
    rule(Condition::Verdict,         Switch::No,                   Renew::No,         false, Next::Normal,    false),
    rule(Condition::BadVerdict,      Switch::AfterSixInTenMinutes, Renew::No,         false, Next::BackOff,   false),
    rule(Condition::RateLimited,     Switch::No,                   Renew::No,         false, Next::BackOff,   true),
    rule(Condition::Throttled,       Switch::AfterThree,           Renew::No,         false, Next::BackOff,   true),
    rule(Condition::ServerFault,     Switch::Yes,                  Renew::No,         false, Next::BackOff,   true),
    rule(Condition::ContextGone,     Switch::Yes,                  Renew::OnFallback, false, Next::BackOff,   true),
    rule(Condition::Unreachable,     Switch::Yes,                  Renew::No,         false, Next::BackOff,   true),
    rule(Condition::Local,           Switch::No,                   Renew::No,         false, Next::BackOff,   false),
    rule(Condition::Misrouted,       Switch::Yes,                  Renew::OnFallback, false, Next::BackOff,   true),
    // From the fourth rejected image in a row: back-off.
    rule(Condition::ImageRejected,   Switch::No,                   Renew::No,         false, Next::Normal,    true),
    rule(Condition::TooLarge,        Switch::No,                   Renew::No,         false, Next::Normal,    true),
    rule(Condition::RequestRejected, Switch::No,                   Renew::No,         false, Next::BackOff,   true),
    // Not before the host clears the latch or a key check succeeds; the pace is kept below it.
    rule(Condition::Account,         Switch::No,                   Renew::No,         true,  Next::BackOff,   false),
    rule(Condition::AuthUnconfirmed, Switch::No,                   Renew::No,         false, Next::Auth,      true),
    rule(Condition::Cancelled,       Switch::No,                   Renew::No,         false, Next::Floor,     false),
];

impl Condition {
    /// The row's rule.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        RULES
            .iter()
            .find(|rule| rule.condition == self)
            .unwrap_or(&RULES[0])
    }
}

/// The row and the status of an answer that is no verdict. A known type beats the HTTP status,
/// in answers outside 2xx only.
#[must_use]
pub fn classify(http_status: u16, kind: Option<ErrorType>, gone: bool) -> (Condition, Status) {
    if (200..300).contains(&http_status) {
        return (Condition::BadVerdict, Status::Protocol);
    }
    if let Some(kind) = kind {
        let gone = http_status == 500 && gone;
        return match kind {
            ErrorType::InternalError if gone => (Condition::ContextGone, Status::Server),
            ErrorType::InternalError => (Condition::ServerFault, Status::Server),
            ErrorType::ContextRateLimited => (Condition::RateLimited, Status::RateLimited),
            ErrorType::BackendThrottled => (Condition::Throttled, Status::Throttled),
            ErrorType::ImageDecodeFailed => (Condition::ImageRejected, Status::ImageRejected),
            ErrorType::BadArgs | ErrorType::ArgsParseFailed => {
                (Condition::RequestRejected, Status::RequestRejected)
            }
            ErrorType::InvalidApiKey => (Condition::Account, Status::InvalidApiKey),
            ErrorType::ApiKeyDisabled => (Condition::Account, Status::ApiKeyDisabled),
            ErrorType::PaymentFailed => (Condition::Account, Status::PaymentFailed),
            ErrorType::IpRestricted => (Condition::Account, Status::IpRestricted),
            ErrorType::FreeLimit => (Condition::Account, Status::FreeLimit),
        };
    }
    match http_status {
        500.. => (Condition::ServerFault, Status::Server),
        300..400 | 404 | 405 | 410 | 421 => (Condition::Misrouted, Status::Server),
        408 => (Condition::Unreachable, Status::Timeout),
        413 => (Condition::TooLarge, Status::ImageTooLarge),
        429 => (Condition::RateLimited, Status::RateLimited),
        401 | 403 => (Condition::AuthUnconfirmed, Status::AuthUnconfirmed),
        400..500 => (Condition::RequestRejected, Status::RequestRejected),
        _ => (Condition::Unreachable, Status::Io),
    }
}

/// The row and the status when there is no answer.
#[must_use]
pub fn classify_failure(failure: Failure) -> (Condition, Status) {
    match failure {
        Failure::Dns => (Condition::Unreachable, Status::Dns),
        Failure::Connect => (Condition::Unreachable, Status::Connect),
        Failure::Io => (Condition::Unreachable, Status::Io),
        Failure::Timeout => (Condition::Unreachable, Status::Timeout),
        Failure::Proxy => (Condition::Unreachable, Status::Proxy),
        Failure::Tls => (Condition::Unreachable, Status::Tls),
        Failure::Clock => (Condition::Unreachable, Status::Clock),
        Failure::Resources => (Condition::Local, Status::Resources),
        Failure::Cancelled => (Condition::Cancelled, Status::Cancelled),
    }
}

/// Something that happens again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// How often in a row.
    pub count: u32,
    /// When the first one ended.
    pub since: Duration,
}

impl Row {
    fn add(&mut self, now: Duration) {
        if self.count == 0 {
            self.since = now;
        }
        self.count = self.count.saturating_add(1);
    }

    /// Six times in a row over at least ten minutes.
    fn is_lasting(&self, now: Duration) -> bool {
        self.count >= 6 && now.saturating_sub(self.since) >= Duration::from_secs(600)
    }
}

/// What happened on a context so far, as far as the table asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Whether the fallback URL is in use; never goes back.
    pub using_fallback: bool,
    /// Throttled answers in a row.
    pub throttled: u32,
    /// Rejected images in a row.
    pub rejected: u32,
    /// Unusable 2xx answers in a row.
    pub unusable: Row,
    /// Outcomes of the fallback in a row whose rule ever switches, at once or after a number.
    pub fallback_failing: Row,
}

/// What one outcome makes of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The status to report.
    pub status: Status,
    /// Whether the context just went over to its fallback.
    pub switched: bool,
    /// Whether a new context should be made. The old one stays in use until there is one.
    pub renew: bool,
    /// Whether the service no longer has the context: nothing more is sent for it.
    pub lost: bool,
    /// The next call.
    pub next: Next,
    /// Whether `Retry-After` lengthens the wait.
    pub heeds_retry_after: bool,
}

impl Track {
    /// Applies the row of an outcome that ended at `now`. `spared` is a call that failed on a
    /// reused connection before any answer: it says more of the connection than of the service
    /// and does not use up the switch.
    pub fn decide(
        &mut self,
        outcome: (Condition, Status),
        http_status: u16,
        spared: bool,
        now: Duration,
    ) -> Decision {
        let (condition, mut status) = outcome;
        let rule = condition.rule();
        let was_fallback = self.using_fallback;
        self.count(condition, http_status != 0, spared, now);
        let switch = match rule.switch {
            Switch::No => false,
            Switch::Yes => !spared,
            Switch::AfterThree => self.throttled >= 3,
            Switch::AfterSixInTenMinutes => self.unusable.is_lasting(now),
        };
        self.using_fallback |= switch;
        let mut renew = was_fallback
            && rule.renew == Renew::OnFallback
            && (condition == Condition::ContextGone || matches!(http_status, 404 | 410));
        let lost = renew && condition == Condition::ContextGone;
        if self.fallback_failing.is_lasting(now) && rule.switch != Switch::No && was_fallback {
            renew = true;
            status = Status::ContextLost;
        }
        if lost {
            status = Status::ContextLost;
        }
        let rejected_often = condition == Condition::ImageRejected && self.rejected >= 4;
        Decision {
            status,
            switched: self.using_fallback && !was_fallback,
            renew,
            lost,
            next: if rejected_often {
                Next::BackOff
            } else {
                rule.next
            },
            heeds_retry_after: rule.heeds_retry_after,
        }
    }

    /// Keeps the rows. Every answer that does not belong to a row ends it; what happens without an
    /// answer, and a cancel, leaves the rows as they are, but for that of the fallback's failures.
    fn count(&mut self, condition: Condition, is_answer: bool, spared: bool, now: Duration) {
        if is_answer && condition != Condition::Cancelled {
            if condition != Condition::Throttled {
                self.throttled = 0;
            }
            if condition != Condition::ImageRejected {
                self.rejected = 0;
            }
            if condition != Condition::BadVerdict {
                self.unusable = Row::default();
            }
            if condition.rule().switch == Switch::No {
                self.fallback_failing = Row::default();
            }
        }
        match condition {
            Condition::Throttled => self.throttled = self.throttled.saturating_add(1),
            Condition::ImageRejected => self.rejected = self.rejected.saturating_add(1),
            Condition::BadVerdict => self.unusable.add(now),
            _ => {}
        }
        if self.using_fallback && condition.rule().switch != Switch::No && !spared {
            self.fallback_failing.add(now);
        }
    }
}

#[cfg(test)]
mod tests;
