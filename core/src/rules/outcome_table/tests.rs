//! The outcome table, row by row, held against the policy page.

use super::*;

fn typed(kind: ErrorType) -> Option<ErrorType> {
    Some(kind)
}

/// The row of an answer whose details say nothing of the context.
fn row(http: u16, kind: Option<ErrorType>) -> (OutcomeClass, Status) {
    classify(http, kind, false)
}

const UNTYPED: Option<ErrorType> = None;
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_condition_has_one_rule() {
    for (i, rule) in RULES.iter().enumerate() {
        assert_eq!(rule.class.rule().class, rule.class);
        assert!(RULES[i + 1..].iter().all(|other| other.class != rule.class));
    }
}

#[test]
fn fb_20_er_06_er_17_er_20_known_types_beat_the_status() {
    use OutcomeClass as C;
    use Status as S;
    #[rustfmt::skip]
    let table = [
        (429, typed(ErrorType::ContextRateLimited), C::RateLimited, S::RateLimited),
        (429, typed(ErrorType::FreeLimit), C::Account, S::FreeLimit),
        (429, UNTYPED, C::RateLimited, S::RateLimited),
        (503, typed(ErrorType::BackendThrottled), C::Throttled, S::Throttled),
        (404, typed(ErrorType::BackendThrottled), C::Throttled, S::Throttled),
        (500, typed(ErrorType::InternalError), C::ServerFault, S::Server),
        (404, typed(ErrorType::InternalError), C::ServerFault, S::Server),
        (500, typed(ErrorType::BadArgs), C::RequestRejected, S::RequestRejected),
        (400, typed(ErrorType::ArgsParseFailed), C::RequestRejected, S::RequestRejected),
        (422, typed(ErrorType::ImageDecodeFailed), C::ImageRejected, S::ImageRejected),
        (401, typed(ErrorType::InvalidApiKey), C::Account, S::InvalidApiKey),
        (403, typed(ErrorType::ApiKeyDisabled), C::Account, S::ApiKeyDisabled),
        (402, typed(ErrorType::PaymentFailed), C::Account, S::PaymentFailed),
        (403, typed(ErrorType::IpRestricted), C::Account, S::IpRestricted),
        (200, typed(ErrorType::InvalidApiKey), C::BadVerdict, S::Protocol),
        (204, UNTYPED, C::BadVerdict, S::Protocol),
        (500, UNTYPED, C::ServerFault, S::Server),
        (503, UNTYPED, C::ServerFault, S::Server),
        (511, UNTYPED, C::ServerFault, S::Server),
        (526, UNTYPED, C::ServerFault, S::Server),
        (600, UNTYPED, C::ServerFault, S::Server),
        (613, UNTYPED, C::ServerFault, S::Server),
        (999, UNTYPED, C::ServerFault, S::Server),
        (301, UNTYPED, C::Misrouted, S::Server),
        (304, UNTYPED, C::Misrouted, S::Server),
        (307, UNTYPED, C::Misrouted, S::Server),
        (404, UNTYPED, C::Misrouted, S::Server),
        (405, UNTYPED, C::Misrouted, S::Server),
        (410, UNTYPED, C::Misrouted, S::Server),
        (421, UNTYPED, C::Misrouted, S::Server),
        (408, UNTYPED, C::Unreachable, S::Timeout),
        (413, UNTYPED, C::TooLarge, S::ImageTooLarge),
        (401, UNTYPED, C::AuthUnconfirmed, S::AuthUnconfirmed),
        (403, UNTYPED, C::AuthUnconfirmed, S::AuthUnconfirmed),
        (400, UNTYPED, C::RequestRejected, S::RequestRejected),
        (402, UNTYPED, C::RequestRejected, S::RequestRejected),
        (407, UNTYPED, C::RequestRejected, S::RequestRejected),
        (411, UNTYPED, C::RequestRejected, S::RequestRejected),
        (415, UNTYPED, C::RequestRejected, S::RequestRejected),
        (101, UNTYPED, C::Unreachable, S::Io),
    ];
    for (http, kind, class, status) in table {
        assert_eq!(row(http, kind), (class, status), "{http} {kind:?}");
    }
}

#[test]
fn er_10_a_context_is_gone_only_by_status_type_and_text_together() {
    let internal = Some(ErrorType::InternalError);
    assert_eq!(classify(500, internal, true).0, OutcomeClass::ContextGone);
    assert_eq!(classify(503, internal, true).0, OutcomeClass::ServerFault);
    assert_eq!(classify(404, internal, true).0, OutcomeClass::ServerFault);
    assert_eq!(classify(500, None, true).0, OutcomeClass::ServerFault);
    assert_eq!(
        classify(500, Some(ErrorType::BackendThrottled), true).0,
        OutcomeClass::Throttled
    );
}

/// One outcome on a fresh failover.
fn first(http: u16, kind: Option<ErrorType>) -> Decision {
    FailoverState::default().decide(row(http, kind), http, false, MINUTE)
}

#[test]
fn fb_04_fb_06_fb_13_er_14_what_switches_at_once() {
    for (http, kind) in [
        (503, UNTYPED),
        (520, UNTYPED),
        (600, UNTYPED),
        (408, UNTYPED),
        (302, UNTYPED),
        (404, UNTYPED),
        (500, typed(ErrorType::InternalError)),
        (404, typed(ErrorType::InternalError)),
    ] {
        let decision = first(http, kind);
        assert!(decision.switched, "{http}");
        assert!(!decision.renew && !decision.lost);
        assert_eq!(decision.next, Next::BackOff);
    }
    for failure in [
        Failure::Dns,
        Failure::Connect,
        Failure::Io,
        Failure::Timeout,
        Failure::Proxy,
        Failure::Tls,
        Failure::Clock,
    ] {
        let mut failover = FailoverState::default();
        assert!(
            failover
                .decide(classify_failure(failure), 0, false, MINUTE)
                .switched,
            "{failure:?}"
        );
    }
}

#[test]
fn fb_09_fb_10_fb_11_fb_17_fb_19_what_never_switches_at_once() {
    for (http, kind) in [
        (429, UNTYPED),
        (429, typed(ErrorType::ContextRateLimited)),
        (429, typed(ErrorType::FreeLimit)),
        (400, typed(ErrorType::ImageDecodeFailed)),
        (413, UNTYPED),
        (400, UNTYPED),
        (403, UNTYPED),
        (403, typed(ErrorType::IpRestricted)),
        (401, typed(ErrorType::InvalidApiKey)),
        (403, typed(ErrorType::ApiKeyDisabled)),
        (402, typed(ErrorType::PaymentFailed)),
        (200, UNTYPED),
        (503, typed(ErrorType::BackendThrottled)),
    ] {
        assert!(!first(http, kind).switched, "{http} {kind:?}");
    }
    for failure in [Failure::Resources, Failure::Cancelled] {
        let mut failover = FailoverState::default();
        let decision = failover.decide(classify_failure(failure), 0, false, MINUTE);
        assert!(!decision.switched, "{failure:?}");
    }
}

#[test]
fn fb_08_the_third_throttle_in_a_row_switches() {
    let throttled = row(503, typed(ErrorType::BackendThrottled));
    let mut failover = FailoverState::default();
    assert!(!failover.decide(throttled, 503, false, MINUTE).switched);
    assert!(!failover.decide(throttled, 503, false, MINUTE).switched);
    failover.decide(
        (OutcomeClass::RateLimited, Status::RateLimited),
        429,
        false,
        MINUTE,
    );
    assert!(
        !failover.decide(throttled, 503, false, MINUTE).switched,
        "another answer resets"
    );
    assert!(!failover.decide(throttled, 503, false, MINUTE).switched);
    assert!(failover.decide(throttled, 503, false, MINUTE).switched);
    failover.decide((OutcomeClass::Verdict, Status::Ok), 200, false, MINUTE);
    assert!(failover.using_fallback, "sticky");
}

#[test]
fn six_unusable_answers_over_ten_minutes_switch() {
    let bad = (OutcomeClass::BadVerdict, Status::Protocol);
    let mut quick = FailoverState::default();
    for _ in 0..20 {
        assert!(
            !quick.decide(bad, 200, false, MINUTE).switched,
            "within ten minutes"
        );
    }
    let mut slow = FailoverState::default();
    for n in 0..5 {
        assert!(!slow.decide(bad, 200, false, MINUTE * (3 * n)).switched);
    }
    assert!(slow.decide(bad, 200, false, MINUTE * 15).switched);
}

#[test]
fn a_context_that_is_gone_is_lost_on_the_fallback_only() {
    let gone = (OutcomeClass::ContextGone, Status::Server);
    let mut failover = FailoverState::default();
    let primary = failover.decide(gone, 500, false, MINUTE);
    assert_eq!(
        (primary.status, primary.switched, primary.lost),
        (Status::Server, true, false)
    );
    let fallback = failover.decide(gone, 500, false, MINUTE);
    assert_eq!(fallback.status, Status::ContextLost);
    assert!(fallback.lost && fallback.renew);
}

#[test]
fn a_fallback_that_says_404_or_410_asks_for_a_new_context() {
    for (http, renew) in [
        (404, true),
        (410, true),
        (405, false),
        (421, false),
        (302, false),
    ] {
        let mut failover = FailoverState::default();
        let primary = failover.decide(row(http, UNTYPED), http, false, MINUTE);
        assert!(primary.switched && !primary.renew);
        let fallback = failover.decide(row(http, UNTYPED), http, false, MINUTE);
        assert_eq!(
            (fallback.renew, fallback.lost, fallback.status),
            (renew, false, Status::Server)
        );
    }
}

#[test]
fn a_fallback_failing_for_ten_minutes_is_given_up_but_stays_in_use() {
    let down = (OutcomeClass::Unreachable, Status::Connect);
    let mut failover = FailoverState::default();
    failover.decide(down, 0, false, Duration::ZERO);
    for n in 0..5 {
        let decision = failover.decide(down, 0, false, MINUTE * (2 * n));
        assert_eq!(
            (decision.renew, decision.status),
            (false, Status::Connect),
            "{n}"
        );
    }
    let sixth = failover.decide(down, 0, false, MINUTE * 10);
    assert_eq!(
        (sixth.renew, sixth.lost, sixth.status),
        (true, false, Status::ContextLost)
    );
    failover.decide((OutcomeClass::Verdict, Status::Ok), 200, false, MINUTE * 11);
    assert!(
        !failover.decide(down, 0, false, MINUTE * 30).renew,
        "a success starts over"
    );
}

#[test]
fn a_call_lost_with_a_reused_connection_does_not_use_up_the_switch() {
    let mut failover = FailoverState::default();
    let decision = failover.decide((OutcomeClass::Unreachable, Status::Io), 0, true, MINUTE);
    assert!(!decision.switched && decision.next == Next::BackOff);
    assert!(!failover.using_fallback);
}

#[test]
fn the_fourth_rejected_image_in_a_row_backs_off() {
    let rejected = row(400, typed(ErrorType::ImageDecodeFailed));
    let mut failover = FailoverState::default();
    let nexts: Vec<_> = (0..5)
        .map(|_| failover.decide(rejected, 400, false, MINUTE).next)
        .collect();
    assert_eq!(
        nexts,
        [
            Next::Normal,
            Next::Normal,
            Next::Normal,
            Next::BackOff,
            Next::BackOff
        ]
    );
    failover.decide((OutcomeClass::Verdict, Status::Ok), 200, false, MINUTE);
    assert_eq!(
        failover.decide(rejected, 400, false, MINUTE).next,
        Next::Normal
    );
}

#[test]
fn er_01_to_04_only_the_five_account_errors_latch() {
    for kind in ErrorType::ALL {
        let (class, status) = row(403, typed(kind));
        assert_eq!(class.rule().latch, status.is_account(), "{kind:?}");
    }
    assert!(
        RULES
            .iter()
            .filter(|rule| rule.latch)
            .all(|rule| rule.switch == Switch::No)
    );
}

#[test]
fn a_retry_after_beside_an_account_error_means_nothing() {
    let decision = first(429, typed(ErrorType::FreeLimit));
    assert!(!decision.heeds_retry_after);
    assert!(first(429, UNTYPED).heeds_retry_after);
}

/// Every kind of outcome, with the HTTP status, if there was an answer.
const OUTCOMES: &[(OutcomeClass, u16)] = &[
    (OutcomeClass::Verdict, 200),
    (OutcomeClass::BadVerdict, 200),
    (OutcomeClass::RateLimited, 429),
    (OutcomeClass::Throttled, 503),
    (OutcomeClass::ServerFault, 503),
    (OutcomeClass::ContextGone, 500),
    (OutcomeClass::Unreachable, 0),
    // 408, and an answer that broke off.
    (OutcomeClass::Unreachable, 408),
    (OutcomeClass::Unreachable, 200),
    (OutcomeClass::Local, 0),
    (OutcomeClass::Misrouted, 405),
    (OutcomeClass::ImageRejected, 400),
    (OutcomeClass::TooLarge, 413),
    (OutcomeClass::RequestRejected, 400),
    (OutcomeClass::Account, 403),
    (OutcomeClass::AuthUnconfirmed, 403),
    (OutcomeClass::Cancelled, 0),
    // Cancelled while a refusal was read.
    (OutcomeClass::Cancelled, 503),
];

#[test]
fn any_other_answer_ends_a_row_and_nothing_else_does() {
    let row = Streak {
        count: 2,
        since: MINUTE,
    };
    for (class, http) in OUTCOMES {
        let mut failover = FailoverState {
            using_fallback: true,
            throttled: 2,
            rejected: 2,
            unusable: row,
            fallback_failing: row,
        };
        failover.decide((*class, Status::Server), *http, false, MINUTE * 2);
        let answer = *http != 0 && *class != OutcomeClass::Cancelled;
        let expected = |belongs: bool| match (belongs, answer) {
            (true, _) => 3,
            (false, true) => 0,
            (false, false) => 2,
        };
        let case = format!("{class:?} {http}");
        let throttled = expected(*class == OutcomeClass::Throttled);
        assert_eq!(failover.throttled, throttled, "{case}");
        let rejected = expected(*class == OutcomeClass::ImageRejected);
        assert_eq!(failover.rejected, rejected, "{case}");
        let unusable = expected(*class == OutcomeClass::BadVerdict);
        assert_eq!(failover.unusable.count, unusable, "{case}");
        let ever_switches = matches!(
            class,
            OutcomeClass::BadVerdict
                | OutcomeClass::Throttled
                | OutcomeClass::ServerFault
                | OutcomeClass::ContextGone
                | OutcomeClass::Unreachable
                | OutcomeClass::Misrouted
        );
        let failing = expected(ever_switches);
        assert_eq!(failover.fallback_failing.count, failing, "{case}");
    }
}

#[test]
fn whatever_ever_switches_counts_against_the_fallback() {
    for (class, http) in OUTCOMES {
        let mut failover = FailoverState {
            using_fallback: true,
            ..FailoverState::default()
        };
        let own = (*class, Status::Server);
        let mut last = failover.decide(own, *http, false, Duration::ZERO);
        for n in 1..6 {
            assert!(!last.renew || last.lost, "{class:?} {n}");
            last = failover.decide(own, *http, false, MINUTE * (2 * n));
        }
        let switches = class.rule().switch != Switch::No;
        assert_eq!(last.renew, switches, "{class:?}");
        let lost = last.status == Status::ContextLost;
        assert_eq!(lost, switches, "{class:?}");
    }
}
