//! What follows from each answer: catalogue areas `fallback`, `errors`, `parsing`, `pause-action`.

use crate::common::*;
use oe_core::error::{Due, Status};
use oe_core::session::outcome::flags;
use oe_core::transport::{Failure, Sent};

/// The first call ends so; what follows.
fn after_first(step: Step) -> (Status, Rig, std::sync::Arc<oe_core::session::Session>) {
    let (rig, session) = Rig::printing(vec![step]);
    let status = status_of(rig.next(&session));
    (status, rig, session)
}

fn next_url(rig: &Rig, session: &oe_core::session::Session) -> String {
    rig.script.push(ok());
    rig.next(session).unwrap();
    rig.script.uploads().last().unwrap().url.clone()
}

#[test]
fn fb_01_a_refused_primary_leads_to_the_fallback_for_good() {
    let (rig, session) = Rig::printing(vec![fail(Failure::Connect), ok(), ok(), ok(), ok(), ok()]);
    assert_eq!(status_of(rig.next(&session)), Status::Connect);
    assert!(rig.secs_until_due(&session) >= 20);
    for _ in 0..5 {
        let outcome = rig.next(&session).unwrap();
        assert_eq!(outcome.flags & flags::FALLBACK, flags::FALLBACK);
    }
    let urls: Vec<_> = rig
        .script
        .uploads()
        .iter()
        .map(|seen| seen.url.clone())
        .collect();
    assert_eq!(urls[0], PRIMARY);
    assert!(urls[1..].iter().all(|url| url == FALLBACK));
    assert!(session.info().using_fallback);
}

#[test]
fn fb_22_the_switch_never_waives_the_wait() {
    let (status, rig, session) = after_first(fail(Failure::Connect));
    assert_eq!(status, Status::Connect);
    assert_eq!(status_of(session.process(&frame(9), None)), Status::NotDue);
    assert_eq!(rig.script.uploads().len(), 1);
    assert_eq!(next_url(&rig, &session), FALLBACK);
}

#[test]
fn fb_04_fb_06_fb_13_er_20_re_09_what_switches() {
    for (step, expected) in [
        (reply(503, "<html>"), Status::Server),
        (reply(504, ""), Status::Server),
        (reply(520, "x"), Status::Server),
        (reply(526, ""), Status::Server),
        (reply(511, "<html>"), Status::Server),
        (reply(600, ""), Status::Server),
        (reply(613, ""), Status::Server),
        (reply(302, ""), Status::Server),
        (reply(404, ""), Status::Server),
        (reply(405, "<html>"), Status::Server),
        (reply(408, ""), Status::Timeout),
        (reply(404, &error_body("OE_INTERNAL_ERROR")), Status::Server),
        (
            reply(
                500,
                r#"{"ErrorType":"OE_INTERNAL_ERROR","ErrorDetails":"ML Model Exception"}"#,
            ),
            Status::Server,
        ),
        (
            reply(503, r#"{"ErrorType":"OE_NEW_THING"}"#),
            Status::Server,
        ),
        (
            Step::Broken {
                status: 503,
                body: b"<ht".to_vec(),
            },
            Status::Server,
        ),
        (
            Step::TooLong {
                status: 500,
                body: vec![b'x'; 65_536],
            },
            Status::Server,
        ),
        (Step::Encoded { status: 500 }, Status::Server),
        (
            Step::Broken {
                status: 200,
                body: b"{".to_vec(),
            },
            Status::Io,
        ),
        (fail(Failure::Dns), Status::Dns),
        (fail(Failure::Io), Status::Io),
        (fail(Failure::Timeout), Status::Timeout),
        (fail(Failure::Proxy), Status::Proxy),
        (fail(Failure::Tls), Status::Tls),
        (fail(Failure::Clock), Status::Clock),
    ] {
        let (status, rig, session) = after_first(step);
        assert_eq!(status, expected);
        assert!(rig.secs_until_due(&session) >= 20);
        assert!(session.info().using_fallback, "{expected:?}");
        assert_eq!(rig.client.usage().latched, None);
        assert_eq!(next_url(&rig, &session), FALLBACK);
        assert_eq!(rig.script.creates(), 1, "the context is kept");
    }
}

#[test]
fn fb_07_fb_09_fb_10_fb_17_pa_20_er_15_what_stays_on_the_primary() {
    for (step, expected) in [
        (
            reply(503, &error_body("OE_BACKEND_THROTTLED")),
            Status::Throttled,
        ),
        (
            reply(429, &error_body("OE_CONTEXT_RATE_LIMITED")),
            Status::RateLimited,
        ),
        (reply(429, "<html>"), Status::RateLimited),
        (
            reply(429, &error_body("OE_SOMETHING_NEW")),
            Status::RateLimited,
        ),
        (
            reply(422, &error_body("OE_IMAGE_DECODE_FAILED")),
            Status::ImageRejected,
        ),
        (reply(413, ""), Status::ImageTooLarge),
        (
            reply(400, &error_body("OE_BAD_ARGS")),
            Status::RequestRejected,
        ),
        (
            reply(500, &error_body("OE_BAD_ARGS")),
            Status::RequestRejected,
        ),
        (
            reply(400, &error_body("OE_ARGS_PARSE_FAILED")),
            Status::RequestRejected,
        ),
        (
            reply(400, r#"{"ErrorType":"OE_NEW_THING"}"#),
            Status::RequestRejected,
        ),
        (reply(407, ""), Status::RequestRejected),
        (reply(415, "<html>"), Status::RequestRejected),
        (reply(401, "<html>"), Status::AuthUnconfirmed),
        (reply(403, ""), Status::AuthUnconfirmed),
        (reply(200, "<html>login</html>"), Status::Protocol),
        (reply(200, ""), Status::Protocol),
        (reply(204, ""), Status::Protocol),
        (
            reply(200, &error_body("OE_INVALID_API_KEY")),
            Status::Protocol,
        ),
        (
            Step::TooLong {
                status: 200,
                body: vec![b' '; 65_536],
            },
            Status::Protocol,
        ),
        (Step::Encoded { status: 200 }, Status::Protocol),
        (fail(Failure::Resources), Status::Resources),
    ] {
        let (status, rig, session) = after_first(step);
        assert_eq!(status, expected);
        assert!(rig.secs_until_due(&session) >= 20, "{expected:?}");
        assert!(!session.info().using_fallback, "{expected:?}");
        assert_eq!(rig.client.usage().latched, None, "{expected:?}");
        assert_eq!(next_url(&rig, &session), PRIMARY);
    }
}

#[test]
fn fb_08_three_throttles_in_a_row_open_the_fallback() {
    let throttled = || reply(503, &error_body("OE_BACKEND_THROTTLED"));
    let (rig, session) = Rig::printing(vec![throttled(), throttled(), throttled(), ok()]);
    for _ in 0..3 {
        assert!(!session.info().using_fallback);
        assert_eq!(status_of(rig.next(&session)), Status::Throttled);
    }
    rig.next(&session).unwrap();
    let urls: Vec<_> = rig
        .script
        .uploads()
        .iter()
        .map(|seen| seen.url.clone())
        .collect();
    assert_eq!(urls, [PRIMARY, PRIMARY, PRIMARY, FALLBACK]);
}

#[test]
fn fb_10_a_rejected_frame_is_never_sent_again_and_the_next_goes_at_the_normal_pace() {
    let rejected = || reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    let (rig, session) = Rig::printing(vec![ok(), rejected(), ok(), ok()]);
    rig.next(&session).unwrap();
    rig.clock.advance_secs(20);
    let bad = frame(1_000);
    assert_eq!(
        status_of(session.process(&bad, None)),
        Status::ImageRejected
    );
    assert!((20..=25).contains(&rig.secs_until_due(&session)));
    assert_eq!(session.info().failures_in_a_row, 0);
    let uploads = rig.script.uploads().len();
    assert_eq!(
        status_of(session.process(&bad, None)),
        Status::ImageRejected
    );
    rig.clock.advance_secs(20);
    assert_eq!(
        status_of(session.process(&bad, None)),
        Status::ImageRejected,
        "also when due"
    );
    assert_eq!(rig.script.uploads().len(), uploads, "nothing sent");
    rig.next(&session).unwrap();
    rig.clock.advance_secs(20);
    assert_eq!(
        status_of(session.process(&bad, None)),
        Status::ImageRejected,
        "also later"
    );
    assert_eq!(rig.script.uploads().len(), uploads + 1);
}

#[test]
fn fb_14_the_fourth_rejected_frame_in_a_row_backs_off() {
    let rejected = || reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    let (rig, session) = Rig::printing((0..6).map(|_| rejected()).collect());
    let waits: Vec<_> = (0..6)
        .map(|_| {
            assert_eq!(status_of(rig.next(&session)), Status::ImageRejected);
            rig.secs_until_due(&session)
        })
        .collect();
    assert_eq!(waits[..3], [20, 20, 20]);
    assert!(
        (20..=24).contains(&waits[3]) && (40..=48).contains(&waits[4]),
        "{waits:?}"
    );
}

#[test]
fn fb_15_a_new_context_begins_on_its_own_primary() {
    let (rig, session) = Rig::printing(vec![fail(Failure::Io), reply(200, CREATE_BODY), ok()]);
    drop(rig.next(&session));
    assert!(session.info().using_fallback);
    let second = rig.create().unwrap();
    rig.next(&second).unwrap();
    assert_eq!(rig.script.uploads().last().unwrap().url, PRIMARY);
}

#[test]
fn cr_14_equal_urls_still_record_the_switch() {
    let twice = CREATE_BODY.replace("gadget-pv1-oeapi", "gadget-region");
    let rig = Rig::new(vec![
        reply(200, &twice),
        fail(Failure::Io),
        fail(Failure::Io),
    ]);
    let session = rig.create().unwrap();
    drop(rig.next(&session));
    drop(rig.next(&session));
    assert!(session.info().using_fallback);
    assert!(rig.script.uploads().iter().all(|seen| seen.url == PRIMARY));
}

#[test]
fn fb_19_local_trouble_is_not_the_service_s() {
    let (status, rig, session) = after_first(fail(Failure::Resources));
    assert_eq!(status, Status::Resources);
    assert_eq!(rig.secs_until_due(&session) / 5, 4);
    assert_eq!(next_url(&rig, &session), PRIMARY);
}

#[test]
fn a_call_lost_with_a_reused_connection_does_not_use_up_the_switch() {
    let lost = Step::Fail {
        failure: Failure::Io,
        sent: Sent::Part,
        reused: true,
    };
    let (status, rig, session) = after_first(lost);
    assert_eq!(status, Status::Io);
    assert_eq!(
        rig.script.uploads().len(),
        1,
        "nothing is resent inside a call"
    );
    assert_eq!(next_url(&rig, &session), PRIMARY);
}

fn latching(kind: &str, http: u16, status: Status) {
    let error = with_header(http, &error_body(kind), "retry-after", &["30"]);
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        error,
    ]);
    let contexts = [
        rig.create().unwrap(),
        rig.create().unwrap(),
        rig.create().unwrap(),
    ];
    let other_key = Rig::printing(vec![ok()]);
    assert_eq!(status_of(rig.next(&contexts[0])), status);
    let before = rig.script.seen().len();
    for context in &contexts {
        assert_eq!(context.due(), Due::Never);
        assert_eq!(status_of(context.process(&frame(50), None)), status);
        assert_eq!(status_of(context.wait_due()), status);
        assert_eq!(status_of(context.renew()), status);
        assert!(!context.info().using_fallback, "never switches");
    }
    assert_eq!(status_of(rig.create()), status);
    assert_eq!(status_of(rig.client.restore(&contexts[1].save())), status);
    assert_eq!(rig.client.create_due(), Due::Never);
    rig.clock.advance_secs(100_000);
    assert_eq!(
        status_of(contexts[1].process(&frame(51), None)),
        status,
        "time does not mend it"
    );
    assert_eq!(rig.script.seen().len(), before, "not one request more");
    assert_eq!(rig.client.usage().latched, Some(status));
    let error = contexts[0].last_error().unwrap();
    assert_eq!(error.retry_after, Due::Never);
    assert!(
        other_key.0.next(&other_key.1).is_ok(),
        "another key is not touched"
    );
    rig.client.clear_latch();
    assert_eq!(contexts[0].info().due, Due::In(std::time::Duration::ZERO));
    rig.script.push(ok());
    assert_eq!(status_of(contexts[1].process(&frame(52), None)), Status::Ok);
}

#[test]
fn er_01_invalid_key() {
    latching("OE_INVALID_API_KEY", 401, Status::InvalidApiKey);
}

#[test]
fn er_02_key_disabled() {
    latching("OE_API_KEY_DISABLED", 403, Status::ApiKeyDisabled);
}

#[test]
fn er_03_payment_failed() {
    latching(
        "OE_API_KEY_BLOCKED_PAYMENT_FAILED",
        402,
        Status::PaymentFailed,
    );
}

#[test]
fn er_04_free_limit_with_a_retry_after_that_means_nothing() {
    latching("OE_FREE_USAGE_LIMIT_REACHED", 429, Status::FreeLimit);
}

#[test]
fn fb_11_ip_restricted() {
    latching("OE_API_KEY_IP_RESTRICTED", 403, Status::IpRestricted);
}

#[test]
fn clearing_the_latch_keeps_the_pace() {
    let (rig, session) = Rig::printing(vec![ok(), reply(401, &error_body("OE_INVALID_API_KEY"))]);
    rig.next(&session).unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::InvalidApiKey);
    rig.client.clear_latch();
    assert_eq!(status_of(session.process(&frame(9), None)), Status::NotDue);
}

#[test]
fn er_06_an_unknown_429_is_a_rate_limit_and_heeds_retry_after() {
    let (status, rig, session) = after_first(with_header(429, "<html>", "retry-after", &["77"]));
    assert_eq!(status, Status::RateLimited);
    assert_eq!(rig.secs_until_due(&session), 77);
    assert_eq!(rig.client.usage().latched, None);
}

#[test]
fn er_08_a_context_that_is_gone_switches_first_and_is_lost_then() {
    let (rig, session) = Rig::printing(vec![reply(500, GONE), reply(500, GONE)]);
    assert_eq!(status_of(rig.next(&session)), Status::Server);
    assert_eq!(status_of(rig.next(&session)), Status::ContextLost);
    assert_eq!(session.due(), Due::Never);
    rig.clock.advance_secs(10_000);
    assert_eq!(
        status_of(session.process(&frame(3), None)),
        Status::ContextLost
    );
    assert_eq!(status_of(session.wait_due()), Status::ContextLost);
    assert_eq!(rig.script.uploads().len(), 2, "nothing more is sent");
    let other = CREATE_BODY.replace("SECRETCTX1", "SECRETCTX2");
    rig.script.push(reply(200, &other));
    session.renew().unwrap();
    assert!(!session.info().using_fallback);
    rig.script.push(ok());
    rig.next(&session).unwrap();
    assert!(
        rig.script
            .uploads()
            .last()
            .unwrap()
            .url
            .ends_with("SECRETCTX2")
    );
    assert!(
        rig.script
            .uploads()
            .last()
            .unwrap()
            .url
            .contains("gadget-region")
    );
}

#[test]
fn er_10_only_the_exact_sentence_loses_the_context() {
    let close =
        r#"{"ErrorType":"OE_INTERNAL_ERROR","ErrorDetails":"Failed to get context object. key=1"}"#;
    let throttled = GONE.replace("OE_INTERNAL_ERROR", "OE_BACKEND_THROTTLED");
    for (http, body) in [(500, close), (404, &*throttled), (404, GONE), (503, GONE)] {
        let (rig, session) = Rig::printing(vec![reply(http, body), reply(http, body)]);
        drop(rig.next(&session));
        drop(rig.next(&session));
        assert_ne!(session.due(), Due::Never, "{http} {body}");
    }
}

#[test]
fn er_11_er_13_odd_error_types_are_classed_by_status() {
    for odd in [
        "OE_INVALID_API_KEY\\u0000",
        "oe_invalid_api_key",
        " OE_INVALID_API_KEY",
        "<script>",
        "%s%n",
    ] {
        let (status, rig, _) = after_first(reply(400, &error_body(odd)));
        assert_eq!(status, Status::RequestRejected);
        assert_eq!(rig.client.usage().latched, None);
    }
    let long = error_body(&"A".repeat(10_240));
    assert_eq!(after_first(reply(503, &long)).0, Status::Server);
    let beyond_the_cap =
        r#"{"ErrorType":"OE_INVALID_API_KEY","ErrorDetails":""#.to_owned() + &"x".repeat(70_000);
    assert_eq!(
        after_first(reply(403, &beyond_the_cap)).0,
        Status::InvalidApiKey
    );
    let other = format!(
        r#"{{"x":"{}","ErrorType":"OE_INVALID_API_KEY"}}"#,
        "x".repeat(70_000)
    );
    assert_eq!(after_first(reply(403, &other)).0, Status::AuthUnconfirmed);
}

#[test]
fn er_16_rate_limits_in_a_row_double_the_wait() {
    let limited = || reply(429, &error_body("OE_CONTEXT_RATE_LIMITED"));
    let (rig, session) = Rig::printing(vec![limited(), limited(), limited(), ok(), limited()]);
    for least in [20, 40, 80] {
        assert_eq!(status_of(rig.next(&session)), Status::RateLimited);
        assert!((least..=least * 6 / 5).contains(&rig.secs_until_due(&session)));
    }
    rig.next(&session).unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::RateLimited);
    assert!((20..=24).contains(&rig.secs_until_due(&session)));
}

#[test]
fn er_17_an_unconfirmed_refusal_waits_a_minute_doubling_to_fifteen() {
    let (rig, session) = Rig::printing((0..6).map(|_| reply(403, "<html>")).collect());
    for wait in [60, 120, 240, 480, 900, 900] {
        assert_eq!(status_of(rig.next(&session)), Status::AuthUnconfirmed);
        assert_eq!(rig.secs_until_due(&session), wait);
    }
    assert!(!session.info().using_fallback);
}

#[test]
fn er_18_the_text_for_a_disabled_key_takes_no_side() {
    let text = Status::ApiKeyDisabled.row().text;
    assert!(!text.contains("create a new key"), "{text}");
}

#[test]
fn er_21_errors_belong_to_their_context_and_the_account_to_the_client() {
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        fail(Failure::Connect),
        reply(400, &error_body("OE_BAD_ARGS")),
        ok(),
    ]);
    let contexts: Vec<_> = (0..3).map(|_| rig.create().unwrap()).collect();
    for context in &contexts {
        drop(rig.next(context));
    }
    assert_eq!(contexts[0].last_error().unwrap().status, Status::Connect);
    assert_eq!(
        contexts[1].last_error().unwrap().status,
        Status::RequestRejected
    );
    assert_eq!(contexts[1].last_error().unwrap().http_status, 400);
    assert!(contexts[2].last_error().is_none());
    assert_eq!(rig.client.usage().latched, None);
}

#[test]
fn pa_12_the_minimum_of_an_unusable_answer_is_kept() {
    let body = r#"{"NextProcessIntervalSec":{"Minimum":600,"Recommended":600},"PrintQuality":11,"WarningSuggested":false,"PauseSuggested":true}"#;
    let (status, rig, session) = after_first(reply(200, body));
    assert_eq!(status, Status::Protocol);
    assert!(rig.secs_until_due(&session) >= 600);
}

#[test]
fn pa_22_pa_27_pa_28_any_2xx_with_a_verdict_is_one_and_flags_come_as_sent() {
    let pause_only = reply(202, &p200(5, 20, false, false, true));
    let bad_numbers = reply(
        201,
        &P200
            .replace("\"PrintQuality\":8", "\"PrintQuality\":1")
            .replace("\"Score\":5", "\"Score\":100"),
    );
    let (rig, session) = Rig::printing(vec![bad_numbers, pause_only]);
    let quiet = rig.next(&session).unwrap();
    assert_eq!((quiet.print_quality, quiet.score, quiet.flags), (1, 100, 0));
    let pause = rig.next(&session).unwrap();
    assert!(pause.pause_suggested && !pause.warning_suggested);
    assert_eq!(pause.flags, flags::PAUSE_EDGE);
}

#[test]
fn pu_01_edges_rise_once_and_the_raw_flags_always() {
    let answer = |warning, pause| reply(200, &p200(5, 20, false, warning, pause));
    let (rig, session) = Rig::printing(vec![
        answer(true, false),
        answer(true, false),
        answer(true, true),
        answer(true, true),
        answer(true, true),
    ]);
    let outcomes: Vec<_> = (0..5).map(|_| rig.next(&session).unwrap()).collect();
    let edges: Vec<_> = outcomes.iter().map(|outcome| outcome.flags).collect();
    assert_eq!(edges, [flags::WARNING_EDGE, 0, flags::PAUSE_EDGE, 0, 0]);
    assert!(outcomes.iter().all(|outcome| outcome.warning_suggested));
}

#[test]
fn six_failures_of_the_fallback_over_ten_minutes_ask_for_a_new_context_but_do_not_stop() {
    let (rig, session) = Rig::printing((0..9).map(|_| fail(Failure::Connect)).collect());
    let statuses: Vec<_> = (0..9).map(|_| status_of(rig.next(&session))).collect();
    assert_eq!(statuses[..6], [Status::Connect; 6], "{statuses:?}");
    assert!(statuses[6..].contains(&Status::ContextLost), "{statuses:?}");
    assert_ne!(session.due(), Due::Never, "the old one stays in use");
    rig.script.push(ok());
    assert!(rig.next(&session).is_ok());
}

#[test]
fn rubbish_and_throttles_count_against_the_fallback_and_another_answer_ends_the_row() {
    let throttled = || reply(503, &error_body("OE_BACKEND_THROTTLED"));
    let limited = || reply(429, &error_body("OE_CONTEXT_RATE_LIMITED"));
    let rubbish = || reply(200, "<html>login</html>");
    let gone = reply(405, "");
    // What comes on the fallback again and again, what comes once in the middle of it, and whether
    // the context is lost at its end.
    let table = [
        (vec![fail(Failure::Connect)], None, true),
        (vec![rubbish()], None, true),
        (vec![throttled()], None, true),
        (vec![reply(408, "")], None, true),
        (
            vec![rubbish(), throttled(), gone, reply(408, "")],
            None,
            true,
        ),
        (vec![limited()], None, false),
        (vec![reply(400, &error_body("OE_BAD_ARGS"))], None, false),
        (vec![rubbish()], Some(ok()), false),
        (vec![rubbish()], Some(limited()), false),
        (vec![throttled()], Some(reply(413, "")), false),
        (vec![rubbish()], Some(reply(408, "")), true),
        (vec![throttled()], Some(fail(Failure::Resources)), true),
        (vec![throttled()], Some(fail(Failure::Cancelled)), true),
    ];
    for (n, (again, once, lost)) in table.into_iter().enumerate() {
        let (rig, session) = Rig::printing(vec![fail(Failure::Connect)]);
        drop(rig.next(&session));
        let begun = oe_core::platform::clock::Clock::now(&*rig.clock);
        let mut statuses = Vec::new();
        // Eight of them take 20, 40, 80, 160, 300... s: more than ten minutes from the fourth on.
        for (call, step) in again.iter().cycle().take(9).enumerate() {
            if let Some(step) = once.clone().filter(|_| call == 5) {
                rig.script.push(step);
                drop(rig.next(&session));
            }
            rig.script.push(step.clone());
            statuses.push(status_of(rig.next(&session)));
        }
        let took = oe_core::platform::clock::Clock::now(&*rig.clock) - begun;
        assert!(took.as_secs() > 600, "case {n}");
        let last = statuses.last() == Some(&Status::ContextLost);
        assert_eq!(last, lost, "case {n}: {statuses:?}");
        assert!(!statuses[..5].contains(&Status::ContextLost), "case {n}");
        assert_ne!(session.due(), Due::Never, "case {n}: it stays in use");
    }
}

#[test]
fn fb_14_any_other_answer_ends_the_row_of_rejected_frames() {
    let rejected = || reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    for (between, ends) in [
        (ok(), true),
        (reply(408, ""), true),
        (reply(413, ""), true),
        (reply(503, "<html>"), true),
        (reply(200, "<html>"), true),
        (reply(429, ""), true),
        (reply(403, "<html>"), true),
        (fail(Failure::Connect), false),
        (fail(Failure::Resources), false),
        (fail(Failure::Cancelled), false),
    ] {
        let (rig, session) = Rig::printing(vec![
            rejected(),
            rejected(),
            rejected(),
            between,
            rejected(),
        ]);
        for _ in 0..3 {
            drop(rig.next(&session));
        }
        let between = status_of(rig.next(&session));
        assert_eq!(status_of(rig.next(&session)), Status::ImageRejected);
        let in_a_row = session.info().failures_in_a_row;
        assert_eq!(in_a_row == 0, ends, "{between:?}: {in_a_row}");
    }
}

#[test]
fn re_10_after_an_outage_of_two_hours_the_first_success_comes_within_370_s_and_no_burst() {
    let (rig, session) = Rig::printing(vec![]);
    *rig.script.otherwise.lock().unwrap() = Some(fail(Failure::Connect));
    let mut down = 0;
    while down < 7_200 {
        let wait = rig.secs_until_due(&session) + 1;
        down += wait;
        drop(rig.next(&session));
    }
    *rig.script.otherwise.lock().unwrap() = Some(ok());
    assert!(rig.secs_until_due(&session) <= 370);
    assert!(rig.next(&session).is_ok());
    assert_eq!(status_of(session.process(&frame(77), None)), Status::NotDue);
    let seen = rig.script.uploads();
    assert!(
        seen.windows(2)
            .all(|pair| (pair[1].at - pair[0].at).as_secs() >= 20)
    );
}

#[test]
fn a_service_of_ones_own_is_sent_no_key_where_there_is_none() {
    let (create, url) = ("https://own.test", "https://own.test/p");
    let body = CREATE_BODY.replace(PRIMARY, url).replace(FALLBACK, url);
    let rig = Rig::with(vec![reply(200, &body), ok()], |options| {
        options.set_api_key(None).unwrap();
        options.set_endpoint(Some(create)).unwrap();
    });
    let session = rig.create().unwrap();
    rig.next(&session).unwrap();
    let seen = rig.script.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.key.is_none()));
}
