//! Pacing, as a session keeps it: catalogue area `timing`.

use std::time::Duration;

use crate::common::*;
use oe_core::error::{Due, Status};
use oe_core::session::outcome::flags;
use oe_core::transport::Failure;

#[test]
fn pa_01_edition_a_paces_by_its_number() {
    let body = r#"{"NextProcessIntervalSec":40,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false,"Score":5}"#;
    let (rig, session) = Rig::printing(vec![reply(200, body)]);
    let outcome = rig.next(&session).unwrap();
    assert_eq!(
        (
            outcome.minimum_interval_sec,
            outcome.recommended_interval_sec
        ),
        (40, 40)
    );
    assert_eq!((outcome.print_quality, outcome.score), (8, 5));
    assert_eq!(outcome.next_due_ms, 40_000);
    assert!(!outcome.faster_inspection_suggested);
}

#[test]
fn pa_02_edition_b_paces_by_recommended_and_a_host_may_go_down_to_minimum() {
    let (rig, session) = Rig::printing(vec![ok(), ok()]);
    let outcome = rig.next(&session).unwrap();
    assert_eq!(
        (
            outcome.minimum_interval_sec,
            outcome.recommended_interval_sec
        ),
        (5, 20)
    );
    assert_eq!(outcome.next_due_ms, 20_000);
    session.set_interval_sec(5).unwrap();
    assert_eq!(rig.secs_until_due(&session), 5);
}

#[test]
fn ti_02_only_the_latest_interval_counts() {
    let answer = |minimum| reply(200, &p200(minimum, 20, false, false, false));
    let (rig, session) = Rig::printing(vec![answer(5), answer(75), answer(10)]);
    let waits: Vec<_> = (0..3)
        .map(|_| rig.next(&session).unwrap().next_due_ms / 1_000)
        .collect();
    assert_eq!(waits, [20, 75, 20]);
}

#[test]
fn ti_03_a_host_interval_is_raised_to_the_minimum() {
    for (host, wait) in [(8, 8), (3, 5), (60, 60)] {
        let (rig, session) = Rig::printing(vec![ok()]);
        session.set_interval_sec(host).unwrap();
        assert_eq!(
            rig.next(&session).unwrap().next_due_ms,
            wait * 1_000,
            "host {host}"
        );
    }
}

#[test]
fn ti_04_ti_05_the_faster_hint_only_shortens_and_only_once() {
    let faster = reply(200, &p200(5, 8, true, false, false));
    let slower = reply(200, &p200(5, 8, false, false, false));
    let (rig, session) = Rig::printing(vec![faster, slower]);
    session.set_interval_sec(30).unwrap();
    assert_eq!(rig.next(&session).unwrap().next_due_ms, 8_000);
    assert_eq!(rig.next(&session).unwrap().next_due_ms, 30_000);
    let (rig, session) = Rig::printing(vec![reply(200, &p200(5, 45, true, false, false))]);
    session.set_interval_sec(10).unwrap();
    assert_eq!(rig.next(&session).unwrap().next_due_ms, 10_000);
}

#[test]
fn ti_06_a_call_before_its_time_sends_nothing_and_changes_nothing() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    rig.clock.advance_secs(1);
    for _ in 0..1_000 {
        let error = session.process(&frame(99), None).unwrap_err();
        assert_eq!(error.status, Status::NotDue);
        assert_eq!(error.retry_after, Due::In(Duration::from_secs(19)));
    }
    assert_eq!(rig.script.uploads().len(), 1);
    assert_eq!(session.info().calls, 1);
    assert_eq!(session.info().last_status, Status::Ok);
    assert!(session.last_error().is_none(), "not due is no error");
}

#[test]
fn never_a_nanosecond_early() {
    let (rig, session) = Rig::printing(vec![ok(), ok()]);
    rig.next(&session).unwrap();
    rig.clock
        .advance(Duration::from_secs(20) - Duration::from_nanos(1));
    assert_eq!(status_of(session.process(&frame(5), None)), Status::NotDue);
    assert_eq!(session.due().as_ms(), 1, "rounded up");
    rig.clock.advance(Duration::from_nanos(1));
    assert_eq!(status_of(session.process(&frame(5), None)), Status::Ok);
}

#[test]
fn ti_07_the_first_call_is_due_at_once() {
    let (rig, session) = Rig::printing(vec![ok()]);
    assert_eq!(session.due(), Due::In(Duration::ZERO));
    assert!(session.process(&frame(1), None).is_ok());
    assert_eq!(rig.script.uploads().len(), 1);
}

#[test]
fn ti_09_suspend_and_clock_jumps_bring_no_burst_and_no_endless_wait() {
    let (rig, session) = Rig::printing(vec![ok(), ok(), ok()]);
    rig.next(&session).unwrap();
    rig.clock.suspend(Duration::from_secs(7_200));
    assert_eq!(
        rig.secs_until_due(&session),
        20,
        "the rest of the wait, no more"
    );
    rig.next(&session).unwrap();
    assert_eq!(status_of(session.process(&frame(7), None)), Status::NotDue);
    for jump in [i64::from(i32::MAX) * 1_000, -4_000_000_000_000] {
        rig.clock.jump_wall(jump);
        assert_eq!(rig.secs_until_due(&session), 20);
    }
}

#[test]
fn ti_10_ti_13_retry_after_can_only_lengthen() {
    let limited = error_body("OE_CONTEXT_RATE_LIMITED");
    let first = reply(200, &p200(180, 180, false, false, false));
    let (rig, session) = Rig::printing(vec![
        first,
        with_header(429, &limited, "retry-after", &["300"]),
    ]);
    rig.next(&session).unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::RateLimited);
    assert!(rig.secs_until_due(&session) >= 300);
    assert!(!session.info().using_fallback);
    let first = reply(200, &p200(40, 40, false, false, false));
    let (rig, session) = Rig::printing(vec![
        first,
        with_header(429, &limited, "retry-after", &["5"]),
    ]);
    rig.next(&session).unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::RateLimited);
    assert!(rig.secs_until_due(&session) >= 40);
}

#[test]
fn ti_12_odd_retry_after_headers() {
    for (values, least, most) in [
        (&["-5"][..], 20, 24),
        (&["abc"], 20, 24),
        (&["1e9"], 20, 24),
        (&[""], 20, 24),
        (&["99999999999999999999"], 3_600, 3_600),
        (&["10", "60"], 60, 60),
    ] {
        let (rig, session) = Rig::printing(vec![with_header(429, "", "retry-after", values)]);
        assert_eq!(status_of(rig.next(&session)), Status::RateLimited);
        let wait = rig.secs_until_due(&session);
        assert!((least..=most).contains(&wait), "{values:?}: {wait}");
    }
}

#[test]
fn ti_14_failures_double_with_jitter_upwards_only() {
    let mut steps = vec![fail(Failure::Connect); 5];
    steps.extend([ok(), fail(Failure::Connect)]);
    let (rig, session) = Rig::printing(steps);
    for least in [20.0, 40.0, 80.0, 160.0, 300.0] {
        assert_eq!(status_of(rig.next(&session)), Status::Connect);
        let wait = wait_of(&session).as_secs_f64();
        assert!(
            (least..=least * 1.2 + 0.001).contains(&wait),
            "{wait} for {least}"
        );
    }
    assert_eq!(session.info().failures_in_a_row, 5);
    assert_eq!(status_of(rig.next(&session)), Status::Ok);
    assert_eq!(session.info().failures_in_a_row, 0);
    assert_eq!(status_of(rig.next(&session)), Status::Connect);
    assert!((20.0..=24.001).contains(&wait_of(&session).as_secs_f64()));
}

#[test]
fn ti_15_a_discarded_verdict_still_paces() {
    let (rig, session) =
        Rig::printing(vec![reply(200, &p200(300, 300, false, false, false)), ok()]);
    drop(rig.next(&session));
    assert_eq!(rig.secs_until_due(&session), 300);
}

#[test]
fn ti_18_a_long_wait_is_cancelled_at_once() {
    let (rig, session) = Rig::printing(vec![reply(
        200,
        &p200(1_209_600, 1_209_600, false, false, false),
    )]);
    rig.next(&session).unwrap();
    let waiter = session.clone();
    let thread = std::thread::spawn(move || status_of(waiter.wait_due()));
    while status_of(session.process(&frame(1), None)) != Status::Busy {
        std::thread::yield_now();
    }
    let start = std::time::Instant::now();
    session.cancel();
    assert_eq!(thread.join().unwrap(), Status::Cancelled);
    assert!(
        start.elapsed() < Duration::from_millis(100),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        rig.secs_until_due(&session),
        1_209_600,
        "the wait is what it was"
    );
}

#[test]
fn ti_19_a_minimum_below_the_floor_is_surfaced_but_not_obeyed() {
    let (rig, session) = Rig::printing(vec![reply(200, &p200(1, 1, false, false, false))]);
    let outcome = rig.next(&session).unwrap();
    assert_eq!(
        (
            outcome.minimum_interval_sec,
            outcome.recommended_interval_sec
        ),
        (1, 1)
    );
    assert_eq!(outcome.next_due_ms, 5_000);
}

#[test]
fn pa_06_an_unusable_interval_never_costs_the_verdict() {
    for interval in [
        "0",
        "-5",
        "\"x\"",
        "null",
        "{\"Minimum\":0,\"Recommended\":0}",
    ] {
        let body = format!(
            r#"{{"NextProcessIntervalSec":{interval},"PrintQuality":3,"WarningSuggested":true,"PauseSuggested":true}}"#
        );
        let (rig, session) = Rig::printing(vec![reply(200, &body)]);
        let outcome = rig.next(&session).unwrap();
        assert_eq!(outcome.next_due_ms, 20_000, "{interval}");
        assert_eq!(
            outcome.flags,
            flags::TIMING_DEFAULTED | flags::WARNING_EDGE | flags::PAUSE_EDGE
        );
        assert_eq!(outcome.score, -1);
    }
}

#[test]
fn an_interval_set_in_mid_wait_is_measured_from_the_last_call() {
    let (rig, session) = Rig::printing(vec![ok()]);
    rig.next(&session).unwrap();
    rig.clock.advance_secs(4);
    session.set_interval_sec(8).unwrap();
    assert_eq!(rig.secs_until_due(&session), 4);
    assert_eq!(
        session.set_interval_sec(1_209_601).unwrap_err().status,
        Status::Argument
    );
    assert_eq!(
        rig.secs_until_due(&session),
        4,
        "a refused setting changes nothing"
    );
}

#[test]
fn the_normal_interval_before_any_success_is_f() {
    let unusable = |minimum, recommended| {
        let interval = format!(r#"{{"Minimum":{minimum},"Recommended":{recommended}}}"#);
        reply(200, &format!(r#"{{"NextProcessIntervalSec":{interval}}}"#))
    };
    let rejected = || reply(400, &error_body("OE_IMAGE_DECODE_FAILED"));
    // What comes first, host interval -> the wait after a picture that is refused.
    for (first, host, wait) in [
        (vec![], 0, 20),
        (vec![unusable(5, 5)], 0, 20),
        (vec![unusable(5, 5)], 8, 20),
        (vec![unusable(5, 5)], 60, 60),
        (vec![unusable(40, 40)], 0, 40),
        (vec![unusable(5, 5), reply(413, "")], 0, 20),
        (vec![ok()], 0, 20),
        (vec![ok()], 8, 8),
        (vec![reply(200, &p200(5, 6, false, false, false))], 0, 6),
    ] {
        let count = first.len();
        let (rig, session) = Rig::printing(first);
        session.set_interval_sec(host).unwrap();
        for _ in 0..count {
            drop(rig.next(&session));
        }
        let saved = session.save();
        for restore in [false, true] {
            let session = match restore {
                true => rig.client.restore(&saved).unwrap(),
                false => session.clone(),
            };
            rig.script.push(rejected());
            assert_eq!(status_of(rig.next(&session)), Status::ImageRejected);
            let case = format!("{count} before, host {host}, restored {restore}");
            assert_eq!(rig.secs_until_due(&session), wait, "{case}");
        }
    }
}
