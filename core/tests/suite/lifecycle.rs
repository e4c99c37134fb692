//! Contexts from beginning to end: catalogue areas `create`, `lifecycle`, `concurrency`,
//! `security`, `recovery`, as far as no byte on a wire is needed for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::*;
use oe_core::error::{Due, Status};
use oe_core::rules::confidence::Confidence;
use oe_core::session::outcome::flags;
use oe_core::transport::{Failure, Sent};

fn levels(warning: i32, pause: i32) -> (Confidence, Confidence) {
    (
        Confidence::new(warning).unwrap(),
        Confidence::new(pause).unwrap(),
    )
}

#[test]
fn cr_01_one_post_with_key_and_json_and_urls_kept_exactly() {
    let (rig, session) = Rig::printing(vec![ok()]);
    let seen = &rig.script.seen()[0];
    assert_eq!(
        seen.url,
        "https://gadget-pv1-oeapi.octoeverywhere.com/api/gadget/v1/createcontext"
    );
    assert_eq!(seen.key.as_deref(), Some(KEY));
    assert_eq!(seen.content_type, "application/json");
    assert_eq!(seen.body, b"{}");
    assert_eq!(rig.script.creates(), 1);
    rig.next(&session).unwrap();
    assert_eq!(rig.script.uploads()[0].url, PRIMARY);
}

#[test]
fn cr_03_cr_04_cr_05_cr_12_cr_16_create_answers_that_are_no_context() {
    let long = CREATE_BODY.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(70_000)), 1);
    let without = |name: &str| CREATE_BODY.replace(name, "Other");
    for (step, status) in [
        (reply(204, ""), Status::Protocol),
        (
            reply(200, &without("FallbackProcessRequestUrl")),
            Status::Protocol,
        ),
        (reply(200, &without("ContextId")), Status::Protocol),
        (
            reply(200, &CREATE_BODY.replacen("SECRETCTX1", " ", 1)),
            Status::Protocol,
        ),
        (reply(200, &long), Status::Protocol),
        (reply(200, "<html>"), Status::Protocol),
        (reply(302, ""), Status::Server),
        (reply(307, ""), Status::Server),
        (reply(500, GONE), Status::Server),
        (reply(413, ""), Status::RequestRejected),
        (fail(Failure::Timeout), Status::Timeout),
    ] {
        let rig = Rig::new(vec![step]);
        assert_eq!(status_of(rig.create()), status);
        let error = rig.create().unwrap_err();
        assert_eq!(error.status, Status::NotDue, "paced");
        assert!(matches!(error.retry_after, Due::In(wait) if wait >= Duration::from_secs(20)));
        assert_eq!(rig.script.seen().len(), 1);
    }
}

#[test]
fn cr_06_a_rejected_create_is_not_repeated_and_keeps_its_details_to_itself() {
    let rig = Rig::new(vec![reply(400, &error_body("OE_BAD_ARGS"))]);
    let (warning, pause) = levels(3, 0);
    let error = rig.client.create_context(warning, pause).unwrap_err();
    assert_eq!(error.status, Status::RequestRejected);
    assert_eq!(error.error_type.unwrap().word(), "OE_BAD_ARGS");
    assert!(!error.text.contains("SECRET"));
    assert_eq!(rig.script.seen().len(), 1);
}

#[test]
fn cr_08_levels_are_sent_independently() {
    let rig = Rig::new(vec![reply(200, CREATE_BODY)]);
    let (warning, pause) = levels(1, 5);
    rig.client.create_context(warning, pause).unwrap();
    let body = String::from_utf8(rig.script.seen()[0].body.clone()).unwrap();
    assert_eq!(
        body,
        r#"{"WarningConfidenceLevel":1,"PauseConfidenceLevel":5}"#
    );
}

#[test]
fn cr_09_an_invalid_key_at_create_stops_everything() {
    let rig = Rig::new(vec![reply(403, &error_body("OE_INVALID_API_KEY"))]);
    assert_eq!(status_of(rig.create()), Status::InvalidApiKey);
    rig.clock.advance_secs(100_000);
    assert_eq!(status_of(rig.create()), Status::InvalidApiKey);
    assert_eq!(rig.script.seen().len(), 1);
    assert_eq!(rig.client.create_due(), Due::Never);
}

#[test]
fn cr_10_cr_15_failed_creates_are_paced_on_the_one_url() {
    let rig = Rig::new(vec![
        fail(Failure::Connect),
        fail(Failure::Dns),
        reply(503, "<html>"),
        with_header(429, "", "retry-after", &["90"]),
        reply(200, CREATE_BODY),
        fail(Failure::Connect),
    ]);
    for (status, least) in [
        (Status::Connect, 20),
        (Status::Dns, 40),
        (Status::Server, 80),
        (Status::RateLimited, 160),
    ] {
        assert_eq!(status_of(rig.create()), status);
        let Due::In(wait) = rig.client.create_due() else {
            panic!("latched")
        };
        assert!(
            (least..=least * 6 / 5).contains(&wait.as_secs()),
            "{wait:?} for {least}"
        );
        rig.clock.advance(wait);
    }
    assert!(rig.create().is_ok());
    assert_eq!(
        status_of(rig.create()),
        Status::Connect,
        "creates after a success are not paced"
    );
    let Due::In(wait) = rig.client.create_due() else {
        panic!("latched")
    };
    assert!((20..=24).contains(&wait.as_secs()), "a success starts over");
    assert!(
        rig.script
            .seen()
            .iter()
            .all(|seen| seen.url.contains("gadget-pv1-oeapi"))
    );
    let rig = Rig::new(vec![with_header(429, "", "retry-after", &["90"])]);
    assert_eq!(status_of(rig.create()), Status::RateLimited);
    assert_eq!(rig.client.create_due(), Due::In(Duration::from_secs(90)));
    assert_eq!(rig.client.usage().latched, None);
}

#[test]
fn cr_11_a_create_that_timed_out_is_not_resent_but_may_be_tried_again() {
    let timeout = Step::Fail {
        failure: Failure::Timeout,
        sent: Sent::All,
        reused: false,
    };
    let rig = Rig::new(vec![timeout, reply(200, CREATE_BODY)]);
    assert_eq!(status_of(rig.create()), Status::Timeout);
    assert_eq!(rig.script.creates(), 1);
    rig.clock.advance_secs(25);
    assert!(rig.create().is_ok());
    assert_eq!(rig.script.creates(), 2);
}

#[test]
fn cr_17_a_key_check_is_a_create_and_no_upload() {
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
    ]);
    rig.client.check_key().unwrap();
    assert_eq!((rig.script.creates(), rig.script.uploads().len()), (1, 0));
    assert_eq!(
        status_of(rig.client.check_key()),
        Status::NotDue,
        "20 s between checks"
    );
    assert!(rig.create().is_ok(), "but a create may come at once");
    rig.clock.advance_secs(20);
    rig.client.check_key().unwrap();
    assert_eq!(
        rig.client.usage().contexts,
        0,
        "the one that was created is dropped"
    );
}

#[test]
fn a_key_check_goes_out_while_latched_and_clears_an_older_latch() {
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(429, &error_body("OE_FREE_USAGE_LIMIT_REACHED")),
        reply(429, &error_body("OE_FREE_USAGE_LIMIT_REACHED")),
        reply(200, CREATE_BODY),
    ]);
    let session = rig.create().unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::FreeLimit);
    assert_eq!(status_of(rig.client.check_key()), Status::FreeLimit);
    assert_eq!(status_of(rig.client.check_key()), Status::NotDue);
    rig.clock.advance_secs(24);
    rig.client.check_key().unwrap();
    assert_eq!(rig.client.usage().latched, None);
    assert_ne!(session.due(), Due::Never);
}

#[test]
fn se_01_an_untrusted_url_is_refused_at_create_and_never_called() {
    for evil in [
        "https://evil.example/p/SECRETCTX1",
        "http://gadget.octoeverywhere.com/SECRETCTX1",
    ] {
        for url in [PRIMARY, FALLBACK] {
            let rig = Rig::new(vec![reply(200, &CREATE_BODY.replace(url, evil))]);
            let error = rig.create().unwrap_err();
            assert_eq!(error.status, Status::UntrustedUrl);
            assert!(!error.text.contains("evil") && !error.text.contains("SECRET"));
            assert_eq!(rig.script.seen().len(), 1);
        }
    }
}

#[test]
fn se_08_se_13_no_secret_in_any_line_error_or_debug_text() {
    let details =
        r#"{"ErrorType":"OE_BAD_ARGS\u001b[31mSECRET","ErrorDetails":"SECRETKEY0123456789"}"#;
    let rig = Rig::new(vec![reply(200, CREATE_BODY)]);
    let session = rig.create().unwrap();
    let mut texts = Vec::new();
    for step in [
        ok(),
        reply(200, "SECRET not json"),
        reply(400, details),
        reply(400, &error_body("OE_IMAGE_DECODE_FAILED")),
        reply(429, &error_body("OE_CONTEXT_RATE_LIMITED")),
        reply(503, &error_body("OE_BACKEND_THROTTLED")),
        reply(500, &error_body("OE_INTERNAL_ERROR")),
        reply(500, GONE),
        reply(403, "SECRET"),
        reply(302, "SECRET"),
        reply(413, "SECRET"),
        fail(Failure::Dns),
        fail(Failure::Connect),
        fail(Failure::Io),
        fail(Failure::Timeout),
        fail(Failure::Tls),
        fail(Failure::Clock),
        fail(Failure::Proxy),
        fail(Failure::Resources),
        fail(Failure::Cancelled),
        reply(401, &error_body("OE_INVALID_API_KEY")),
    ] {
        if session.due() == Due::Never {
            rig.script.push(reply(200, CREATE_BODY));
            session.renew().unwrap();
        }
        rig.script.push(step);
        let result = rig.next(&session);
        texts.push(format!("{result:?}"));
        texts.extend(result.err().map(|error| error.to_string()));
    }
    rig.client.clear_latch();
    rig.script.push(reply(
        200,
        &CREATE_BODY.replace("https://gadget-r", "https://evil.example/SECRET"),
    ));
    texts.push(format!("{:?}", rig.create()));
    texts.push(format!(
        "{session:?} {:?} {:?}",
        session.info(),
        rig.client.usage()
    ));
    let lines = rig.lines.0.lock().unwrap();
    assert!(lines.len() > 20, "the log was on");
    for text in lines.iter().chain(&texts) {
        assert!(
            !text.contains("SECRET") && !text.contains("/api/gadget"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn li_01_a_second_print_begins_clean() {
    let alarm = reply(200, &p200(5, 20, false, true, true));
    let (rig, first) = Rig::printing(vec![
        alarm.clone(),
        fail(Failure::Io),
        reply(200, CREATE_BODY),
        alarm,
    ]);
    rig.next(&first).unwrap();
    drop(rig.next(&first));
    first.close();
    drop(first);
    let second = rig.create().unwrap();
    assert_eq!(second.info().last_quality, 0);
    assert!(!second.info().using_fallback);
    let outcome = rig.next(&second).unwrap();
    assert_eq!(outcome.flags, flags::WARNING_EDGE | flags::PAUSE_EDGE);
    assert_eq!(rig.client.usage().contexts, 1);
}

#[test]
fn li_02_pu_05_a_verdict_for_a_freed_context_is_dropped_but_its_account_error_counts() {
    let gate = Arc::new(Gate::default());
    let error = reply(401, &error_body("OE_INVALID_API_KEY"));
    let (rig, session) = Rig::printing(vec![Step::Arrived(gate.clone(), Box::new(error))]);
    let processing = session.clone();
    let thread = std::thread::spawn(move || status_of(processing.process(&frame(1), None)));
    gate.wait_until_reached();
    session.close();
    gate.open();
    assert_eq!(thread.join().unwrap(), Status::InvalidApiKey);
    assert_eq!(rig.client.usage().latched, Some(Status::InvalidApiKey));

    let gate = Arc::new(Gate::default());
    let pause = reply(200, &p200(5, 20, false, true, true));
    let (_rig, session) = Rig::printing(vec![Step::Arrived(gate.clone(), Box::new(pause))]);
    let processing = session.clone();
    let thread = std::thread::spawn(move || status_of(processing.process(&frame(1), None)));
    gate.wait_until_reached();
    session.close();
    gate.open();
    assert_eq!(thread.join().unwrap(), Status::Cancelled);
}

#[test]
fn li_04_a_context_over_14_days_is_lost_and_sends_nothing() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    rig.clock
        .suspend(Duration::from_secs(14 * 24 * 3_600 + 3_600));
    assert_eq!(
        status_of(session.process(&frame(2), None)),
        Status::ContextLost
    );
    assert_eq!(session.due(), Due::Never);
    assert_eq!(rig.script.uploads().len(), 1);
    assert_eq!(
        status_of(rig.client.restore(&session.save())),
        Status::ContextLost
    );
}

#[test]
fn li_09_a_panic_leaves_a_context_that_works() {
    let (rig, session) = Rig::printing(vec![Step::Panic, ok()]);
    let processing = session.clone();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        processing.process(&frame(1), None)
    }));
    assert!(result.is_err());
    assert_eq!(session.info().last_status, Status::Panic);
    assert_eq!(session.info().failures_in_a_row, 1);
    assert!(!session.info().using_fallback);
    assert!(rig.secs_until_due(&session) >= 20);
    assert!(rig.next(&session).is_ok());
}

#[test]
fn li_11_a_restart_in_mid_print_continues_where_it_was() {
    let alarm = || reply(200, &p200(30, 60, false, true, true));
    let (rig, session) = Rig::printing(vec![fail(Failure::Io), alarm()]);
    drop(rig.next(&session));
    rig.next(&session).unwrap();
    let saved = session.save();
    assert!(!saved.contains(KEY));
    assert!(saved.len() <= 8_192);
    drop(session);
    rig.clock.advance_secs(10);
    let session = rig.client.restore(&saved).unwrap();
    assert!(session.info().using_fallback);
    assert_eq!(rig.secs_until_due(&session), 50, "the same boot: exact");
    assert_eq!(session.info().calls, 2);
    rig.script.push(alarm());
    let outcome = rig.next(&session).unwrap();
    assert_eq!(
        outcome.flags & (flags::WARNING_EDGE | flags::PAUSE_EDGE),
        0,
        "not fired again"
    );
    assert_eq!(rig.script.uploads().last().unwrap().url, FALLBACK);
    assert_eq!(rig.script.creates(), 1);
}

#[test]
fn a_restored_context_waits_at_least_its_minimum_and_all_of_it_after_a_reboot() {
    let (rig, session) = Rig::printing(vec![reply(200, &p200(30, 60, false, false, false))]);
    let fresh = session.save();
    let restored = rig.client.restore(&fresh).unwrap();
    assert_eq!(
        rig.secs_until_due(&restored),
        20,
        "20 s where there is no minimum"
    );
    rig.next(&session).unwrap();
    let saved = session.save();
    rig.clock.advance_secs(55);
    assert_eq!(rig.secs_until_due(&rig.client.restore(&saved).unwrap()), 30);
    rig.clock.reboot();
    assert_eq!(rig.secs_until_due(&rig.client.restore(&saved).unwrap()), 60);
    rig.clock.without_boot_clock();
    assert_eq!(rig.secs_until_due(&rig.client.restore(&saved).unwrap()), 60);
}

#[test]
fn se_12_se_15_a_saved_text_is_believed_in_nothing() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    let saved = session.save();
    let evil = saved.replace(
        "gadget-region.octoeverywhere.com",
        "gadget-region.evil.example",
    );
    assert_eq!(status_of(rig.client.restore(&evil)), Status::UntrustedUrl);
    let plain = saved.replace("https://gadget-region", "http://gadget-region");
    assert_eq!(status_of(rig.client.restore(&plain)), Status::UntrustedUrl);
    let impatient = saved.replace("\"wait_ms\":20000", "\"wait_ms\":0");
    assert_ne!(impatient, saved);
    assert_eq!(
        rig.secs_until_due(&rig.client.restore(&impatient).unwrap()),
        5
    );
    let endless = saved.replace("\"wait_ms\":20000", &format!("\"wait_ms\":{}", u64::MAX));
    assert_eq!(
        rig.secs_until_due(&rig.client.restore(&endless).unwrap()),
        1_209_600
    );
    let zero = saved.replace("\"minimum\":5", "\"minimum\":0");
    assert_eq!(status_of(rig.client.restore(&zero)), Status::Argument);
    let local = Rig::with(vec![], |options| {
        options.set_endpoint(Some("https://farm.local")).unwrap();
    });
    assert_eq!(
        status_of(local.client.restore(&saved)),
        Status::UntrustedUrl
    );
}

#[test]
fn li_12_a_text_of_the_first_release_restores() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    let saved = session.save();
    // What came after it.
    let first = saved
        .replace("\"asked_ms\":20000,", "")
        .replace("\"asked_ms\":0,", "");
    assert_ne!(first, saved);
    let restored = rig.client.restore(&first).unwrap();
    assert_eq!(rig.secs_until_due(&restored), 20);
    assert_eq!(restored.save(), saved);
}

#[test]
fn li_12_old_newer_and_cut_texts_are_refused() {
    let (rig, session) = Rig::printing(vec![]);
    let saved = session.save();
    rig.clock.advance_secs(15 * 24 * 3_600);
    assert_eq!(status_of(rig.client.restore(&saved)), Status::ContextLost);
    rig.clock.jump_wall(-30 * 24 * 3_600 * 1_000);
    rig.clock.reboot();
    assert!(
        rig.client.restore(&saved).is_ok(),
        "a wall clock that went back says nothing of age"
    );
    assert_eq!(
        status_of(rig.client.restore(&saved[..saved.len() / 2])),
        Status::Argument
    );
    let newer = saved.replacen("oe-context-1", "oe-context-2", 1);
    assert_eq!(status_of(rig.client.restore(&newer)), Status::Argument);
}

#[test]
fn li_13_pu_08_a_renewal_keeps_pace_edges_and_counters() {
    let alarm = || reply(200, &p200(5, 20, false, true, true));
    let (rig, session) = Rig::printing(vec![alarm(), reply(200, CREATE_BODY), alarm()]);
    let first = rig.next(&session).unwrap();
    assert_eq!(first.flags, flags::WARNING_EDGE | flags::PAUSE_EDGE);
    session.renew().unwrap();
    assert_eq!(rig.secs_until_due(&session), 20, "renewing waives no wait");
    assert_eq!(rig.next(&session).unwrap().flags, 0);
    assert_eq!(session.info().calls, 2);
}

#[test]
fn what_a_call_takes_off_with_after_a_renewal_is_the_new_context() {
    // A call begins the moment the renewal lets it, on another thread. It must not go to the old
    // context: its failure would count for the new one.
    let other = CREATE_BODY.replace("SECRETCTX1", "SECRETCTX2");
    for round in 0..500 {
        let gate = Arc::new(Gate::default());
        let made = Step::Gated(gate.clone(), Box::new(reply(200, &other)));
        let (rig, session) = Rig::printing(vec![made, fail(Failure::Connect)]);
        let renewing = session.clone();
        let renewing = std::thread::spawn(move || status_of(renewing.renew()));
        gate.wait_until_reached();
        let processing = session.clone();
        let processing = std::thread::spawn(move || {
            loop {
                let status = status_of(processing.process(&frame(1), None));
                if status != Status::Busy {
                    return status;
                }
            }
        });
        gate.open();
        assert_eq!(renewing.join().unwrap(), Status::Ok);
        assert_eq!(processing.join().unwrap(), Status::Connect);
        let url = &rig.script.uploads()[0].url;
        assert!(url.ends_with("SECRETCTX2"), "round {round}: {url}");
    }
}

#[test]
fn a_create_that_succeeds_takes_back_no_wait_that_another_was_asked_for() {
    let limited = error_body("OE_CONTEXT_RATE_LIMITED");
    for (failed, least, most) in [
        (with_header(429, &limited, "retry-after", &["90"]), 90, 90),
        (with_header(503, "", "retry-after", &["7"]), 7, 7),
        (reply(503, ""), 0, 0),
    ] {
        // Side by side: both begin before either has ended.
        let gates = [(); 2].map(|()| Arc::new(Gate::default()));
        let succeeds = reply(200, CREATE_BODY);
        let rig = Rig::new(vec![
            Step::Gated(gates[0].clone(), Box::new(failed)),
            Step::Gated(gates[1].clone(), Box::new(succeeds)),
        ]);
        let begin = |n: usize| {
            let client = rig.client.clone();
            let unset = Confidence::default();
            let thread = std::thread::spawn(move || status_of(client.create_context(unset, unset)));
            gates[n].wait_until_reached();
            thread
        };
        let (fails, succeeds) = (begin(0), begin(1));
        gates[0].open();
        assert_ne!(fails.join().unwrap(), Status::Ok);
        gates[1].open();
        assert_eq!(succeeds.join().unwrap(), Status::Ok);
        let Due::In(wait) = rig.client.create_due() else {
            panic!("latched")
        };
        assert!((least..=most).contains(&wait.as_secs()), "{wait:?}");
        if least > 0 {
            assert_eq!(status_of(rig.create()), Status::NotDue);
        }
        rig.clock.advance(wait);
        rig.script.push(reply(200, CREATE_BODY));
        assert!(rig.create().is_ok());
        assert_eq!(rig.client.create_due(), Due::In(Duration::ZERO));
    }
}

#[test]
fn renewals_are_three_an_hour() {
    let (rig, session) = Rig::printing((0..4).map(|_| reply(200, CREATE_BODY)).collect());
    for _ in 0..3 {
        session.renew().unwrap();
        rig.clock.advance_secs(60);
    }
    let error = session.renew().unwrap_err();
    assert_eq!(error.status, Status::NotDue);
    let Due::In(wait) = error.retry_after else {
        panic!("never")
    };
    assert_eq!(wait.as_secs(), 3_600 - 180);
    rig.clock.advance(wait);
    session.renew().unwrap();
}

#[test]
fn fb_16_co_05_a_cancelled_call_does_not_switch_and_waits_the_floor() {
    let gate = Arc::new(Gate::default());
    let (rig, session) = Rig::printing(vec![Step::Gated(gate.clone(), Box::new(ok())), ok()]);
    let processing = session.clone();
    let thread = std::thread::spawn(move || status_of(processing.process(&frame(1), None)));
    gate.wait_until_reached();
    assert_eq!(status_of(session.process(&frame(2), None)), Status::Busy);
    assert_eq!(status_of(session.wait_due()), Status::Busy);
    assert_eq!(status_of(session.renew()), Status::Busy);
    let start = Instant::now();
    assert_eq!(
        session.info().calls,
        1,
        "co_05: asking does not wait for the call"
    );
    assert!(start.elapsed() < Duration::from_millis(50));
    session.cancel();
    assert_eq!(thread.join().unwrap(), Status::Cancelled);
    assert_eq!(rig.secs_until_due(&session), 20, "sending had begun");
    assert_eq!(session.info().failures_in_a_row, 0);
    assert!(
        session
            .last_error()
            .is_some_and(|error| error.status == Status::Busy)
    );
    rig.next(&session).unwrap();
    assert_eq!(rig.script.uploads().last().unwrap().url, PRIMARY);
}

#[test]
fn a_cancel_with_nothing_in_flight_has_no_effect_on_the_next_call() {
    let (rig, session) = Rig::printing(vec![ok()]);
    session.cancel();
    rig.client.cancel();
    assert!(rig.next(&session).is_ok());
    let (rig, session) = Rig::printing(vec![fail(Failure::Cancelled)]);
    assert_eq!(status_of(rig.next(&session)), Status::Cancelled);
    assert_eq!(rig.secs_until_due(&session), 0, "nothing was sent");
}

#[test]
fn a_client_cancel_ends_a_create_in_flight() {
    let gate = Arc::new(Gate::default());
    let rig = Rig::new(vec![Step::Gated(
        gate.clone(),
        Box::new(reply(200, CREATE_BODY)),
    )]);
    let client = rig.client.clone();
    let thread = std::thread::spawn(move || {
        status_of(client.create_context(Confidence::default(), Confidence::default()))
    });
    gate.wait_until_reached();
    rig.client.cancel();
    assert_eq!(thread.join().unwrap(), Status::Cancelled);
}

#[test]
fn co_03_cancel_and_answer_race_to_exactly_one_outcome() {
    for _ in 0..2_000 {
        let gate = Arc::new(Gate::default());
        let alarm = reply(200, &p200(5, 20, false, true, true));
        let (_rig, session) = Rig::printing(vec![Step::Gated(gate.clone(), Box::new(alarm))]);
        let processing = session.clone();
        let thread = std::thread::spawn(move || processing.process(&frame(1), None));
        gate.wait_until_reached();
        let canceller = session.clone();
        let cancel = std::thread::spawn(move || canceller.cancel());
        gate.open();
        cancel.join().unwrap();
        match thread.join().unwrap() {
            Ok(outcome) => {
                assert_eq!(session.info().last_quality, 8);
                assert_ne!(outcome.flags & flags::PAUSE_EDGE, 0);
            }
            Err(error) => {
                assert_eq!(error.status, Status::Cancelled);
                assert_eq!(session.info().last_quality, 0);
            }
        }
    }
}

#[test]
fn co_04_er_01_a_sibling_s_verdict_after_the_latch_is_discarded() {
    let gate = Arc::new(Gate::default());
    let alarm = reply(200, &p200(60, 60, false, true, true));
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        Step::Gated(gate.clone(), Box::new(alarm)),
        reply(401, &error_body("OE_INVALID_API_KEY")),
    ]);
    let (first, second) = (rig.create().unwrap(), rig.create().unwrap());
    let processing = second.clone();
    let thread = std::thread::spawn(move || status_of(processing.process(&frame(1), None)));
    gate.wait_until_reached();
    assert_eq!(
        status_of(first.process(&frame(2), None)),
        Status::InvalidApiKey
    );
    gate.open();
    assert_eq!(thread.join().unwrap(), Status::InvalidApiKey);
    assert_eq!(second.info().last_quality, 0);
    rig.client.clear_latch();
    assert_eq!(rig.secs_until_due(&second), 60, "its pace is kept");
}

#[test]
fn co_06_a_late_account_error_from_before_the_clear_does_not_latch() {
    let gate = Arc::new(Gate::default());
    let error = reply(401, &error_body("OE_INVALID_API_KEY"));
    let (rig, session) = Rig::printing(vec![Step::Gated(gate.clone(), Box::new(error))]);
    let processing = session.clone();
    let thread = std::thread::spawn(move || status_of(processing.process(&frame(1), None)));
    gate.wait_until_reached();
    rig.client.clear_latch();
    gate.open();
    assert_eq!(thread.join().unwrap(), Status::InvalidApiKey);
    assert_eq!(rig.client.usage().latched, None);
}

#[test]
fn a_latch_wakes_whoever_waits() {
    let rig = Rig::new(vec![
        reply(200, CREATE_BODY),
        reply(200, CREATE_BODY),
        ok(),
        reply(403, &error_body("OE_API_KEY_DISABLED")),
    ]);
    let (first, second) = (rig.create().unwrap(), rig.create().unwrap());
    rig.next(&first).unwrap();
    let waiter = first.clone();
    let thread = std::thread::spawn(move || status_of(waiter.wait_due()));
    while status_of(first.process(&frame(1), None)) != Status::Busy {
        std::thread::yield_now();
    }
    drop(second.process(&frame(2), None));
    assert_eq!(thread.join().unwrap(), Status::ApiKeyDisabled);
}

#[test]
fn freeing_ends_a_wait() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    let waiter = session.clone();
    let thread = std::thread::spawn(move || status_of(waiter.wait_due()));
    while status_of(session.process(&frame(1), None)) != Status::Busy {
        std::thread::yield_now();
    }
    session.close();
    assert_eq!(thread.join().unwrap(), Status::Cancelled);
}

#[test]
fn im_04_stale_frames_are_refused_and_future_ones_are_new() {
    let (rig, session) = Rig::printing(vec![ok(), ok()]);
    let now = oe_core::platform::clock::Clock::wall_ms(&*rig.clock);
    assert_eq!(
        status_of(session.process(&frame(1), Some(now - 120_000))),
        Status::StaleFrame
    );
    assert_eq!(
        status_of(session.process(&frame(1), Some(now - 30_001))),
        Status::StaleFrame
    );
    assert_eq!(rig.script.uploads().len(), 0);
    let outcome = session.process(&frame(1), Some(now + 3_600_000)).unwrap();
    assert!(outcome.frame_age_ms <= 1 && outcome.flags & flags::LATE == 0);
}

#[test]
fn im_04_what_makes_a_frame_late() {
    // The time stated, in seconds before the call; how long the answer takes, and how long the
    // device sleeps meanwhile. Whether it is late, and the age in seconds.
    for (stated, takes, sleeps, late, age) in [
        (None, 0, 0, false, 0),
        (None, 50, 0, false, 50),
        (None, 2, 20, false, 22),
        (None, 2, 3_600, true, 3_602),
        (Some(0), 29, 0, false, 29),
        (Some(0), 31, 0, true, 31),
        (Some(10), 2, 15, false, 27),
        (Some(10), 2, 3_600, true, 3_612),
        (Some(10), 19, 2, true, 31),
    ] {
        let gate = Arc::new(Gate::default());
        let alarm = reply(200, &p200(5, 20, false, true, true));
        let gated = Step::Gated(gate.clone(), Box::new(alarm));
        let (rig, session) = Rig::printing(vec![gated]);
        let wall = oe_core::platform::clock::Clock::wall_ms(&*rig.clock);
        let captured = stated.map(|secs: i64| wall - secs * 1_000);
        let thread = std::thread::spawn(move || session.process(&frame(1), captured));
        gate.wait_until_reached();
        rig.clock.advance_secs(takes);
        rig.clock.suspend(Duration::from_secs(sleeps));
        gate.open();
        let outcome = thread.join().unwrap().unwrap();
        let case = format!("stated {stated:?}, takes {takes}, sleeps {sleeps}");
        let edges = flags::WARNING_EDGE | flags::PAUSE_EDGE;
        let expected = if late { flags::LATE } else { edges };
        assert_eq!(outcome.flags, expected, "{case}");
        assert_eq!(outcome.frame_age_ms, age * 1_000, "{case}");
        assert_eq!(u64::from(outcome.latency_ms), takes * 1_000, "{case}");
    }
}

#[test]
fn late_and_repeated_frames_raise_no_edge() {
    let alarm = || reply(200, &p200(5, 20, false, true, true));
    let gate = Arc::new(Gate::default());
    let (rig, session) = Rig::printing(vec![
        Step::Gated(gate.clone(), Box::new(alarm())),
        ok(),
        alarm(),
        alarm(),
    ]);
    let now = oe_core::platform::clock::Clock::wall_ms(&*rig.clock);
    let processing = session.clone();
    let thread = std::thread::spawn(move || processing.process(&frame(1), Some(now - 29_000)));
    gate.wait_until_reached();
    rig.clock.advance_secs(5);
    gate.open();
    let late = thread.join().unwrap().unwrap();
    assert_eq!(late.flags, flags::LATE);
    assert_eq!(late.frame_age_ms, 34_000);
    assert_eq!(late.latency_ms, 5_000);
    rig.clock.advance_secs(20);
    let clear = session.process(&frame(2), None).unwrap();
    assert_eq!((clear.flags, clear.frame_age_ms), (0, 0));
    rig.clock.advance_secs(20);
    assert_eq!(
        session.process(&frame(2), None).unwrap().flags,
        flags::REPEATED_FRAME
    );
    rig.clock.advance_secs(20);
    let edges = flags::WARNING_EDGE | flags::PAUSE_EDGE;
    assert_eq!(session.process(&frame(3), None).unwrap().flags, edges);
}

#[test]
fn up_05_up_11_im_01_im_06_local_refusals_send_nothing_and_change_nothing() {
    let (rig, session) = Rig::printing(vec![ok()]);
    let mut large = vec![0; 6_291_457];
    large[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    for (bytes, status) in [
        (&b""[..], Status::Argument),
        (b"<html>404</html>", Status::NotJpeg),
        (b"\x89PNG\r\n\x1a\n", Status::NotJpeg),
        (&[0; 4_096], Status::NotJpeg),
        (&large, Status::ImageTooLarge),
    ] {
        assert_eq!(status_of(session.process(bytes, None)), status);
        assert_eq!(session.last_error().unwrap().status, status);
    }
    assert_eq!((rig.script.uploads().len(), session.info().calls), (0, 0));
    assert!(rig.next(&session).is_ok());
}

#[test]
fn the_order_of_local_checks() {
    let rejected = reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    let account = reply(401, &error_body("OE_INVALID_API_KEY"));
    let (rig, session) = Rig::printing(vec![rejected, account]);
    let stale = Some(oe_core::platform::clock::Clock::wall_ms(&*rig.clock) - 1_000_000);
    let bad = frame(1);
    drop(session.process(&bad, None));
    rig.clock.advance_secs(20);
    drop(session.process(&frame(2), None));
    assert_eq!(status_of(session.process(b"x", stale)), Status::NotJpeg);
    assert_eq!(
        status_of(session.process(&bad, stale)),
        Status::ImageRejected
    );
    assert_eq!(
        status_of(session.process(&frame(3), stale)),
        Status::StaleFrame
    );
    assert_eq!(
        status_of(session.process(&frame(3), None)),
        Status::InvalidApiKey
    );
}

#[test]
fn re_07_re_13_re_17_re_18_usage_knows_what_may_have_been_billed() {
    let rig = Rig::new(vec![reply(200, CREATE_BODY)]);
    let session = rig.create().unwrap();
    let timeout = Step::Fail {
        failure: Failure::Timeout,
        sent: Sent::All,
        reused: false,
    };
    let decode = reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    let steps = std::iter::repeat_n(ok(), 100)
        .chain(std::iter::repeat_n(timeout, 3))
        .chain(std::iter::repeat_n(fail(Failure::Connect), 5))
        .chain(std::iter::repeat_n(fail(Failure::Io), 2))
        .chain(std::iter::repeat_n(decode, 2));
    for step in steps {
        rig.script.push(step);
        drop(rig.next(&session));
    }
    for _ in 0..3 {
        rig.script.push(reply(200, CREATE_BODY));
        rig.create().unwrap();
    }
    let usage = rig.client.usage();
    assert_eq!(
        (usage.processed, usage.possibly_billed, usage.failed),
        (100, 3, 12)
    );
    assert_eq!(usage.creates, 4);
    assert!(usage.bytes_sent > 0);
}

#[test]
fn re_07_a_verdict_that_broke_off_may_have_been_billed() {
    let broken = |status| Step::Broken {
        status,
        body: b"{\"Print".to_vec(),
    };
    let cancelled = |sent| Step::Fail {
        failure: Failure::Cancelled,
        sent,
        reused: false,
    };
    for (step, billed) in [
        (broken(200), 1),
        (broken(202), 1),
        (cancelled(Sent::All), 1),
        (fail(Failure::Timeout), 1),
        (cancelled(Sent::Part), 0),
        (broken(400), 0),
        (broken(503), 0),
        (reply(200, "<html>"), 0),
        (Step::Encoded { status: 200 }, 0),
        (reply(503, ""), 0),
        (fail(Failure::Connect), 0),
        (ok(), 0),
    ] {
        let (rig, session) = Rig::printing(vec![step]);
        let status = status_of(rig.next(&session));
        let usage = rig.client.usage();
        let failed = u64::from(status != Status::Ok);
        let counted = (usage.processed, usage.possibly_billed, usage.failed);
        assert_eq!(counted, (1 - failed, billed, failed), "{status:?}");
    }
}

#[test]
fn ti_17_co_02_contexts_pace_each_for_itself() {
    let mut steps: Vec<_> = (0..16).map(|_| reply(200, CREATE_BODY)).collect();
    let gate = Arc::new(Gate::default());
    steps.push(Step::Gated(gate.clone(), Box::new(ok())));
    let rig = Rig::new(steps);
    let sessions: Vec<_> = (0..16).map(|_| rig.create().unwrap()).collect();
    let hanging = sessions[0].clone();
    let thread = std::thread::spawn(move || status_of(hanging.process(&frame(0), None)));
    gate.wait_until_reached();
    for session in &sessions[1..] {
        rig.script.push(ok());
        assert_eq!(status_of(session.process(&frame(1), None)), Status::Ok);
    }
    gate.open();
    assert_eq!(thread.join().unwrap(), Status::Ok);
}

#[test]
fn a_context_outlives_its_client_s_handle() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.client.close();
    assert!(rig.next(&session).is_ok());
}

#[test]
fn without_an_engine_there_is_no_embedded_backend() {
    let mut options = oe_core::account::config::Options::default();
    options.set_backend(1).unwrap();
    let world = oe_core::platform::clock::World::default();
    let error = oe_core::client::Client::new(&options, world).err().unwrap();
    assert_eq!(error.status, Status::Unsupported);
}

#[test]
fn im_02_padding_and_a_missing_end_are_the_service_s_to_judge() {
    for tail in [&[0; 4_096][..], b"\r\n", b""] {
        let (rig, session) = Rig::printing(vec![ok()]);
        let image = [&[0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3][..], tail].concat();
        assert!(session.process(&image, None).is_ok());
        let body = rig.script.uploads()[0].body.clone();
        assert!(
            body.windows(image.len()).any(|window| window == image),
            "sent as it is"
        );
    }
}

#[test]
fn co_07_two_clients_of_one_key_have_each_their_own_contexts() {
    let (first, one) = Rig::printing(vec![reply(401, &error_body("OE_INVALID_API_KEY"))]);
    let (second, two) = Rig::printing(vec![ok()]);
    assert_eq!(status_of(first.next(&one)), Status::InvalidApiKey);
    assert_eq!(status_of(second.next(&two)), Status::Ok);
}
