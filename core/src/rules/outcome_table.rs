//! What follows from the outcome of a process call: the outcome table.
//!
//! [`RULES`] is the table of `docs/POLICY.md`, row by row. [`classify`] finds the row of an answer,
//! [`FailoverState::decide`] applies it with what happened before.

use std::time::Duration;

use super::pacing::Next;
use crate::error::{ErrorType, Failure, Status};

/// The rows of the outcome table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeClass {
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
    pub class: OutcomeClass,
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
    class: OutcomeClass,
    switch: Switch,
    renew: Renew,
    latch: bool,
    next: Next,
    heeds_retry_after: bool,
) -> Rule {
    Rule {
        class,
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
    //   class                   switch                        new context        latch  next call      Retry-After
    rule(OutcomeClass::Verdict,         Switch::No,                   Renew::No,         false, Next::Normal,    false),
    rule(OutcomeClass::BadVerdict,      Switch::AfterSixInTenMinutes, Renew::No,         false, Next::BackOff,   false),
    rule(OutcomeClass::RateLimited,     Switch::No,                   Renew::No,         false, Next::BackOff,   true),
    rule(OutcomeClass::Throttled,       Switch::AfterThree,           Renew::No,         false, Next::BackOff,   true),
    rule(OutcomeClass::ServerFault,     Switch::Yes,                  Renew::No,         false, Next::BackOff,   true),
    rule(OutcomeClass::ContextGone,     Switch::Yes,                  Renew::OnFallback, false, Next::BackOff,   true),
    rule(OutcomeClass::Unreachable,     Switch::Yes,                  Renew::No,         false, Next::BackOff,   true),
    rule(OutcomeClass::Local,           Switch::No,                   Renew::No,         false, Next::BackOff,   false),
    rule(OutcomeClass::Misrouted,       Switch::Yes,                  Renew::OnFallback, false, Next::BackOff,   true),
    // From the fourth rejected image in a row: back-off.
    rule(OutcomeClass::ImageRejected,   Switch::No,                   Renew::No,         false, Next::Normal,    true),
    rule(OutcomeClass::TooLarge,        Switch::No,                   Renew::No,         false, Next::Normal,    true),
    rule(OutcomeClass::RequestRejected, Switch::No,                   Renew::No,         false, Next::BackOff,   true),
    // Not before the host clears the latch or a key check succeeds; the pace is kept below it.
    rule(OutcomeClass::Account,         Switch::No,                   Renew::No,         true,  Next::BackOff,   false),
    rule(OutcomeClass::AuthUnconfirmed, Switch::No,                   Renew::No,         false, Next::Auth,      true),
    rule(OutcomeClass::Cancelled,       Switch::No,                   Renew::No,         false, Next::Floor,     false),
];

impl OutcomeClass {
    /// The row's rule.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        RULES
            .iter()
            .find(|rule| rule.class == self)
            .unwrap_or(&RULES[0])
    }
}

/// The row and the status of an answer that is no verdict. A known type beats the HTTP status,
/// in answers outside 2xx only.
#[must_use]
pub fn classify(http_status: u16, kind: Option<ErrorType>, gone: bool) -> (OutcomeClass, Status) {
    if (200..300).contains(&http_status) {
        return (OutcomeClass::BadVerdict, Status::Protocol);
    }
    if let Some(kind) = kind {
        let gone = http_status == 500 && gone;
        return match kind {
            ErrorType::InternalError if gone => (OutcomeClass::ContextGone, Status::Server),
            ErrorType::InternalError => (OutcomeClass::ServerFault, Status::Server),
            ErrorType::ContextRateLimited => (OutcomeClass::RateLimited, Status::RateLimited),
            ErrorType::BackendThrottled => (OutcomeClass::Throttled, Status::Throttled),
            ErrorType::ImageDecodeFailed => (OutcomeClass::ImageRejected, Status::ImageRejected),
            ErrorType::BadArgs | ErrorType::ArgsParseFailed => {
                (OutcomeClass::RequestRejected, Status::RequestRejected)
            }
            ErrorType::InvalidApiKey => (OutcomeClass::Account, Status::InvalidApiKey),
            ErrorType::ApiKeyDisabled => (OutcomeClass::Account, Status::ApiKeyDisabled),
            ErrorType::PaymentFailed => (OutcomeClass::Account, Status::PaymentFailed),
            ErrorType::IpRestricted => (OutcomeClass::Account, Status::IpRestricted),
            ErrorType::FreeLimit => (OutcomeClass::Account, Status::FreeLimit),
        };
    }
    match http_status {
        500.. => (OutcomeClass::ServerFault, Status::Server),
        300..400 | 404 | 405 | 410 | 421 => (OutcomeClass::Misrouted, Status::Server),
        408 => (OutcomeClass::Unreachable, Status::Timeout),
        413 => (OutcomeClass::TooLarge, Status::ImageTooLarge),
        429 => (OutcomeClass::RateLimited, Status::RateLimited),
        401 | 403 => (OutcomeClass::AuthUnconfirmed, Status::AuthUnconfirmed),
        400..500 => (OutcomeClass::RequestRejected, Status::RequestRejected),
        _ => (OutcomeClass::Unreachable, Status::Io),
    }
}

/// The row and the status when there is no answer.
#[must_use]
pub fn classify_failure(failure: Failure) -> (OutcomeClass, Status) {
    match failure {
        Failure::Dns => (OutcomeClass::Unreachable, Status::Dns),
        Failure::Connect => (OutcomeClass::Unreachable, Status::Connect),
        Failure::Io => (OutcomeClass::Unreachable, Status::Io),
        Failure::Timeout => (OutcomeClass::Unreachable, Status::Timeout),
        Failure::Proxy => (OutcomeClass::Unreachable, Status::Proxy),
        Failure::Tls => (OutcomeClass::Unreachable, Status::Tls),
        Failure::Clock => (OutcomeClass::Unreachable, Status::Clock),
        Failure::Resources => (OutcomeClass::Local, Status::Resources),
        Failure::Cancelled => (OutcomeClass::Cancelled, Status::Cancelled),
    }
}

/// Something that happens again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// How often in a row.
    pub count: u32,
    /// When the first one ended.
    pub since: Duration,
}

impl Streak {
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
pub struct FailoverState {
    /// Whether the fallback URL is in use; never goes back.
    pub using_fallback: bool,
    /// Throttled answers in a row.
    pub throttled: u32,
    /// Rejected images in a row.
    pub rejected: u32,
    /// Unusable 2xx answers in a row.
    pub unusable: Streak,
    /// Outcomes of the fallback in a row whose rule ever switches, at once or after a number.
    pub fallback_failing: Streak,
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

impl FailoverState {
    /// Applies the row of an outcome that ended at `now`. `stale_connection` is a call that failed on a
    /// reused connection before any answer: it says more of the connection than of the service
    /// and does not use up the switch.
    pub fn decide(
        &mut self,
        outcome: (OutcomeClass, Status),
        http_status: u16,
        stale_connection: bool,
        now: Duration,
    ) -> Decision {
        let (class, mut status) = outcome;
        let rule = class.rule();
        let was_fallback = self.using_fallback;
        self.count(class, http_status != 0, stale_connection, now);
        let switch = match rule.switch {
            Switch::No => false,
            Switch::Yes => !stale_connection,
            Switch::AfterThree => self.throttled >= 3,
            Switch::AfterSixInTenMinutes => self.unusable.is_lasting(now),
        };
        self.using_fallback |= switch;
        let mut renew = was_fallback
            && rule.renew == Renew::OnFallback
            && (class == OutcomeClass::ContextGone || matches!(http_status, 404 | 410));
        let lost = renew && class == OutcomeClass::ContextGone;
        if self.fallback_failing.is_lasting(now) && rule.switch != Switch::No && was_fallback {
            renew = true;
            status = Status::ContextLost;
        }
        if lost {
            status = Status::ContextLost;
        }
        let rejected_often = class == OutcomeClass::ImageRejected && self.rejected >= 4;
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
    fn count(
        &mut self,
        class: OutcomeClass,
        is_answer: bool,
        stale_connection: bool,
        now: Duration,
    ) {
        if is_answer && class != OutcomeClass::Cancelled {
            if class != OutcomeClass::Throttled {
                self.throttled = 0;
            }
            if class != OutcomeClass::ImageRejected {
                self.rejected = 0;
            }
            if class != OutcomeClass::BadVerdict {
                self.unusable = Streak::default();
            }
            if class.rule().switch == Switch::No {
                self.fallback_failing = Streak::default();
            }
        }
        match class {
            OutcomeClass::Throttled => self.throttled = self.throttled.saturating_add(1),
            OutcomeClass::ImageRejected => self.rejected = self.rejected.saturating_add(1),
            OutcomeClass::BadVerdict => self.unusable.add(now),
            _ => {}
        }
        if self.using_fallback && class.rule().switch != Switch::No && !stale_connection {
            self.fallback_failing.add(now);
        }
    }
}

#[cfg(test)]
mod tests;
