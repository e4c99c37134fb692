//! Bugs of ours, planted: wherever a panic strikes, what it was in the middle of goes on afterwards.
//! And numbers in a saved text, at which a careless sum would panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::*;
use oe_core::error::{Due, Status};
use oe_core::platform::log::{Level, Log, LogSink};
use oe_core::session::Session;
use oe_core::transport::{Failure, Sent};

const REJECTED: &str = r#"{"ErrorType":"OE_IMAGE_DECODE_FAILED"}"#;
const BLOCKED: &str = r#"{"ErrorType":"OE_INVALID_API_KEY"}"#;

/// An answer of each kind that is read differently.
fn answers() -> Vec<Step> {
    vec![
        ok(),
        reply(200, "{}"),
        reply(500, "{}"),
        reply(429, "{}"),
        reply(403, "<html>"),
        reply(400, REJECTED),
        reply(401, BLOCKED),
        fail(Failure::Io),
        Step::Fail {
            failure: Failure::Cancelled,
            sent: Sent::Part,
            reused: false,
        },
    ]
}

/// A panic struck the last call. The context waits as after any other attempt, and then works.
fn goes_on(rig: &Rig, session: &Session, what: &str) {
    rig.client.clear_latch();
    let wait = rig.secs_until_due(session);
    match rig.script.uploads().len() {
        // Before it was sent: its answer is still to come.
        0 => drop(rig.next(session)),
        _ => assert!(wait >= 5, "{what}: the next call comes at its time"),
    }
    rig.client.clear_latch();
    rig.script.push(ok());
    let status = status_of(rig.next(session));
    assert_eq!(status, Status::Ok, "{what}");
}

#[test]
fn a_panic_while_an_answer_is_read_leaves_no_context_busy() {
    for (kind, answer) in answers().into_iter().enumerate() {
        let mut struck = 0;
        loop {
            let (rig, session) = Rig::printing(vec![answer.clone()]);
            rig.clock.set_trap(struck);
            let call = || drop(session.process(&frame(1), None));
            let panicked = catch_unwind(AssertUnwindSafe(call)).is_err();
            if rig.clock.take_trap() {
                assert!(!panicked);
                break;
            }
            assert!(panicked);
            goes_on(&rig, &session, &format!("answer {kind}, {struck}"));
            struck += 1;
        }
        assert!(struck >= 2, "answer {kind}: the clock is read");
    }
}

/// A log that panics at one of its lines.
struct Bomb(AtomicUsize);

impl LogSink for Bomb {
    fn line(&self, _: Level, _: &str) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            std::panic::resume_unwind(Box::new("planted"));
        }
    }
}

#[test]
fn a_panic_while_a_line_is_logged_leaves_no_context_busy() {
    for (kind, answer) in answers().into_iter().enumerate() {
        let mut struck = 0;
        loop {
            let bomb = Arc::new(Bomb(AtomicUsize::new(usize::MAX)));
            let sink = Arc::clone(&bomb);
            let steps = vec![reply(200, CREATE_BODY), answer.clone()];
            let rig = Rig::with(steps, |options| {
                options.set_log(Log::new(Level::Trace, sink));
            });
            let session = rig.create().unwrap();
            bomb.0.store(struck, Ordering::SeqCst);
            let call = || drop(session.process(&frame(1), None));
            let panicked = catch_unwind(AssertUnwindSafe(call)).is_err();
            bomb.0.store(usize::MAX, Ordering::SeqCst);
            if !panicked {
                break;
            }
            goes_on(&rig, &session, &format!("answer {kind}, line {struck}"));
            struck += 1;
        }
        assert!(struck >= 1, "answer {kind}: something is logged");
    }
}

#[test]
fn a_panic_in_a_wait_or_a_renewal_leaves_no_context_busy() {
    let calls: [fn(&Session); 2] = [
        |session| drop(session.wait_due()),
        |session| drop(session.renew()),
    ];
    for (kind, call) in calls.into_iter().enumerate() {
        let mut struck = 0;
        loop {
            let (rig, session) = Rig::printing(vec![]);
            *rig.script.otherwise.lock().unwrap() = Some(reply(200, &both()));
            rig.clock.set_trap(struck);
            let panicked = catch_unwind(AssertUnwindSafe(|| call(&session))).is_err();
            if rig.clock.take_trap() {
                assert!(!panicked);
                break;
            }
            assert!(panicked);
            let status = status_of(rig.next(&session));
            assert_eq!(status, Status::Ok, "call {kind}, {struck}");
            struck += 1;
        }
        assert!(struck >= 2, "call {kind}: the clock is read");
    }
}

/// An answer that is a context and a verdict.
fn both() -> String {
    format!("{},{}", CREATE_BODY.trim_end_matches('}'), &P200[1..])
}

/// The texts that a saved one becomes when each of its numbers, and all of them, are as large or as
/// small as they can be written.
fn extremes(saved: &str) -> Vec<String> {
    let digits = |from: usize| {
        let rest = &saved[from..];
        let len = rest.find(|c: char| !c.is_ascii_digit() && c != '-');
        from..from + len.unwrap_or(rest.len())
    };
    // A number comes after a colon, a bracket or a comma; the text's names and URLs hold none there.
    let mut numbers: Vec<std::ops::Range<usize>> = saved
        .char_indices()
        .filter(|(_, c)| matches!(c, ':' | '[' | ','))
        .map(|(at, _)| digits(at + 1))
        .filter(|range| !range.is_empty())
        .collect();
    numbers.reverse();
    let mut texts = Vec::new();
    for value in [u64::MAX, u64::MAX / 2, u64::from(u32::MAX), 1 << 20, 255, 0] {
        for sign in ["", "-"] {
            let value = format!("{sign}{value}");
            let mut all = saved.to_owned();
            for range in &numbers {
                let mut one = saved.to_owned();
                one.replace_range(range.clone(), &value);
                texts.push(one);
                all.replace_range(range.clone(), &value);
            }
            texts.push(all);
        }
    }
    texts
}

#[test]
fn no_number_in_a_saved_text_makes_a_sum_overflow() {
    let alarm = reply(200, &p200(30, 60, true, true, true));
    let (rig, session) = Rig::printing(vec![
        alarm,
        reply(400, REJECTED),
        reply(200, "{}"),
        reply(500, "{}"),
        reply(503, "{}"),
        reply(200, CREATE_BODY),
    ]);
    for _ in 0..5 {
        drop(rig.next(&session));
    }
    let on_fallback = session.save();
    session.renew().unwrap();
    session.set_interval_sec(7).unwrap();
    let renewed = session.save();
    let (mut restored, mut uploads) = (0, 0);
    for text in [on_fallback, renewed]
        .iter()
        .flat_map(|saved| extremes(saved))
    {
        let (rig, _) = Rig::printing(vec![]);
        *rig.script.otherwise.lock().unwrap() = Some(reply(200, &both()));
        if let Ok(session) = rig.client.restore(&text) {
            restored += 1;
            use_it(&rig, &session);
            uploads += rig.script.uploads().len();
        }
        if let Ok(monitor) = rig.client.start_saved_monitor(&text, 1) {
            monitor.info().unwrap();
            monitor.submit(&frame(1), None).unwrap();
            monitor.save().unwrap();
            monitor.stop();
        }
    }
    assert!(restored > 150 && uploads > 1_000, "{restored} {uploads}");
}

/// Everything that counts on with what was saved.
fn use_it(rig: &Rig, session: &Session) {
    for answer in answers() {
        let _ = session.info();
        let again = session.save();
        let Due::In(wait) = session.due() else {
            rig.client.clear_latch();
            drop(session.renew());
            return;
        };
        rig.clock.advance(wait);
        rig.script.push(answer);
        let new = frame(100 + rig.script.seen().len());
        assert_ne!(
            status_of(session.process(&new, Some(i64::MAX))),
            Status::StaleFrame
        );
        rig.client.clear_latch();
        assert!(again.len() < 8_192);
        rig.clock.advance(Duration::from_secs(3_600));
        drop(session.renew());
    }
}
