//! The outcome table, row by row, held against the policy page.

use super::*;

fn typed(kind: ErrorType) -> Option<ErrorType> {
    Some(kind)
}

/// The row of an answer whose details say nothing of the context.
fn row(http: u16, kind: Option<ErrorType>) -> (Condition, Status) {
    classify(http, kind, false)
}

const UNTYPED: Option<ErrorType> = None;
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_condition_has_one_rule() {
    for (i, rule) in RULES.iter().enumerate() {
        assert_eq!(rule.condition.rule().condition, rule.condition);
        assert!(
            RULES[i + 1..]
                .iter()
                .all(|other| other.condition != rule.condition)
        );
    }
}

#[test]
fn fb_20_er_06_er_17_er_20_known_types_beat_the_status() {
    use Condition as C;
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
    for (http, kind, condition, status) in table {
        assert_eq!(row(http, kind), (condition, status), "{http} {kind:?}");
    }
}

#[test]
fn er_10_a_context_is_gone_only_by_status_type_and_text_together() {
    let internal = Some(ErrorType::InternalError);
    assert_eq!(classify(500, internal, true).0, Condition::ContextGone);
    assert_eq!(classify(503, internal, true).0, Condition::ServerFault);
    assert_eq!(classify(404, internal, true).0, Condition::ServerFault);
    assert_eq!(classify(500, None, true).0, Condition::ServerFault);
    assert_eq!(
        classify(500, Some(ErrorType::BackendThrottled), true).0,
        Condition::Throttled
    );
}

/// One outcome on a fresh track.
fn first(http: u16, kind: Option<ErrorType>) -> Decision {
    Track::default().decide(row(http, kind), http, false, MINUTE)
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
        let mut track = Track::default();
        assert!(
            track
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
        let mut track = Track::default();
        let decision = track.decide(classify_failure(failure), 0, false, MINUTE);
        assert!(!decision.switched, "{failure:?}");
    }
}

#[test]
fn fb_08_the_third_throttle_in_a_row_switches() {
    let throttled = row(503, typed(ErrorType::BackendThrottled));
    let mut track = Track::default();
    assert!(!track.decide(throttled, 503, false, MINUTE).switched);
    assert!(!track.decide(throttled, 503, false, MINUTE).switched);
    track.decide(
        (Condition::RateLimited, Status::RateLimited),
        429,
        false,
        MINUTE,
    );
    assert!(
        !track.decide(throttled, 503, false, MINUTE).switched,
        "another answer resets"
    );
    assert!(!track.decide(throttled, 503, false, MINUTE).switched);
    assert!(track.decide(throttled, 503, false, MINUTE).switched);
    track.decide((Condition::Verdict, Status::Ok), 200, false, MINUTE);
    assert!(track.using_fallback, "sticky");
}

#[test]
fn six_unusable_answers_over_ten_minutes_switch() {
    let bad = (Condition::BadVerdict, Status::Protocol);
    let mut quick = Track::default();
    for _ in 0..20 {
        assert!(
            !quick.decide(bad, 200, false, MINUTE).switched,
            "within ten minutes"
        );
    }
    let mut slow = Track::default();
    for n in 0..5 {
        assert!(!slow.decide(bad, 200, false, MINUTE * (3 * n)).switched);
    }
    assert!(slow.decide(bad, 200, false, MINUTE * 15).switched);
}

#[test]
fn a_context_that_is_gone_is_lost_on_the_fallback_only() {
    let gone = (Condition::ContextGone, Status::Server);
    let mut track = Track::default();
    let primary = track.decide(gone, 500, false, MINUTE);
    assert_eq!(
        (primary.status, primary.switched, primary.lost),
        (Status::Server, true, false)
    );
    let fallback = track.decide(gone, 500, false, MINUTE);
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
        let mut track = Track::default();
        let primary = track.decide(row(http, UNTYPED), http, false, MINUTE);
        assert!(primary.switched && !primary.renew);
        let fallback = track.decide(row(http, UNTYPED), http, false, MINUTE);
        assert_eq!(
            (fallback.renew, fallback.lost, fallback.status),
            (renew, false, Status::Server)
        );
    }
}

#[test]
fn a_fallback_failing_for_ten_minutes_is_given_up_but_stays_in_use() {
    let down = (Condition::Unreachable, Status::Connect);
    let mut track = Track::default();
    track.decide(down, 0, false, Duration::ZERO);
    for n in 0..5 {
        let decision = track.decide(down, 0, false, MINUTE * (2 * n));
        assert_eq!(
            (decision.renew, decision.status),
            (false, Status::Connect),
            "{n}"
        );
    }
    let sixth = track.decide(down, 0, false, MINUTE * 10);
    assert_eq!(
        (sixth.renew, sixth.lost, sixth.status),
        (true, false, Status::ContextLost)
    );
    track.decide((Condition::Verdict, Status::Ok), 200, false, MINUTE * 11);
    assert!(
        !track.decide(down, 0, false, MINUTE * 30).renew,
        "a success starts over"
    );
}

#[test]
fn a_call_lost_with_a_reused_connection_does_not_use_up_the_switch() {
    let mut track = Track::default();
    let decision = track.decide((Condition::Unreachable, Status::Io), 0, true, MINUTE);
    assert!(!decision.switched && decision.next == Next::BackOff);
    assert!(!track.using_fallback);
}

#[test]
fn the_fourth_rejected_image_in_a_row_backs_off() {
    let rejected = row(400, typed(ErrorType::ImageDecodeFailed));
    let mut track = Track::default();
    let nexts: Vec<_> = (0..5)
        .map(|_| track.decide(rejected, 400, false, MINUTE).next)
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
    track.decide((Condition::Verdict, Status::Ok), 200, false, MINUTE);
    assert_eq!(
        track.decide(rejected, 400, false, MINUTE).next,
        Next::Normal
    );
}

#[test]
fn er_01_to_04_only_the_five_account_errors_latch() {
    for kind in ErrorType::ALL {
        let (condition, status) = row(403, typed(kind));
        assert_eq!(condition.rule().latch, status.is_account(), "{kind:?}");
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
const OUTCOMES: &[(Condition, u16)] = &[
    (Condition::Verdict, 200),
    (Condition::BadVerdict, 200),
    (Condition::RateLimited, 429),
    (Condition::Throttled, 503),
    (Condition::ServerFault, 503),
    (Condition::ContextGone, 500),
    (Condition::Unreachable, 0),
    // 408, and an answer that broke off.
    (Condition::Unreachable, 408),
    (Condition::Unreachable, 200),
    (Condition::Local, 0),
    (Condition::Misrouted, 405),
    (Condition::ImageRejected, 400),
    (Condition::TooLarge, 413),
    (Condition::RequestRejected, 400),
    (Condition::Account, 403),
    (Condition::AuthUnconfirmed, 403),
    (Condition::Cancelled, 0),
    // Cancelled while a refusal was read.
    (Condition::Cancelled, 503),
];

#[test]
fn any_other_answer_ends_a_row_and_nothing_else_does() {
    let row = Row {
        count: 2,
        since: MINUTE,
    };
    for (condition, http) in OUTCOMES {
        let mut track = Track {
            using_fallback: true,
            throttled: 2,
            rejected: 2,
            unusable: row,
            fallback_failing: row,
        };
        track.decide((*condition, Status::Server), *http, false, MINUTE * 2);
        let answer = *http != 0 && *condition != Condition::Cancelled;
        let expected = |belongs: bool| match (belongs, answer) {
            (true, _) => 3,
            (false, true) => 0,
            (false, false) => 2,
        };
        let case = format!("{condition:?} {http}");
        let throttled = expected(*condition == Condition::Throttled);
        assert_eq!(track.throttled, throttled, "{case}");
        let rejected = expected(*condition == Condition::ImageRejected);
        assert_eq!(track.rejected, rejected, "{case}");
        let unusable = expected(*condition == Condition::BadVerdict);
        assert_eq!(track.unusable.count, unusable, "{case}");
        let ever_switches = matches!(
            condition,
            Condition::BadVerdict
                | Condition::Throttled
                | Condition::ServerFault
                | Condition::ContextGone
                | Condition::Unreachable
                | Condition::Misrouted
        );
        let failing = expected(ever_switches);
        assert_eq!(track.fallback_failing.count, failing, "{case}");
    }
}

#[test]
fn whatever_ever_switches_counts_against_the_fallback() {
    for (condition, http) in OUTCOMES {
        let mut track = Track {
            using_fallback: true,
            ..Track::default()
        };
        let own = (*condition, Status::Server);
        let mut last = track.decide(own, *http, false, Duration::ZERO);
        for n in 1..6 {
            assert!(!last.renew || last.lost, "{condition:?} {n}");
            last = track.decide(own, *http, false, MINUTE * (2 * n));
        }
        let switches = condition.rule().switch != Switch::No;
        assert_eq!(last.renew, switches, "{condition:?}");
        let lost = last.status == Status::ContextLost;
        assert_eq!(lost, switches, "{condition:?}");
    }
}
