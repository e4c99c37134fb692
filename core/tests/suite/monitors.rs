//! Monitors with a clock that stands still and no thread of their own: what is told when, and what
//! is sent. Catalogue areas `lifecycle`, `recovery`, `timing`.

use std::time::Duration;

use crate::common::*;
use crate::host::*;
use oe_core::error::{Due, Status};
use oe_core::monitor::Kind;
use oe_core::rules::confidence::Confidence;
use oe_core::transport::Failure;

#[test]
fn a_print_from_start_to_stop() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    assert_eq!(host.rig.script.seen().len(), 0, "starting sends nothing");
    host.pass(45);
    let kinds: Vec<_> = host
        .log
        .iter()
        .map(|seen| (seen.at, seen.event.kind))
        .collect();
    let wanted = [
        (0, Kind::FrameWanted),
        (0, Kind::Result),
        (18, Kind::FrameWanted),
        (20, Kind::Result),
        (38, Kind::FrameWanted),
    ];
    assert_eq!(kinds[..5], wanted);
    assert_eq!(host.rig.script.creates(), 1);
    assert_eq!(host.log[1].event.tag, TAG);
    host.monitor.stop();
    host.pass(100);
    assert_eq!(host.rig.script.uploads().len(), 3);
}

#[test]
fn li_02_an_account_error_of_a_stopped_print_still_latches() {
    let gate = std::sync::Arc::new(Gate::default());
    let refused = reply(401, &error_body("OE_INVALID_API_KEY"));
    let arrived = Step::Arrived(gate.clone(), Box::new(refused));
    let host = Host::new(vec![created(), arrived]);
    host.monitor.submit(&frame(0), None).unwrap();
    let client = host.rig.client.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || client.turn_monitors());
        gate.wait_until_reached();
        let stopping = scope.spawn(|| host.monitor.stop());
        // The print is over as soon as nothing can be asked about it.
        while host.monitor.info().is_ok() {
            std::thread::yield_now();
        }
        assert!(!stopping.is_finished(), "it waits for the call in flight");
        gate.open();
    });
    let latched = host.rig.client.usage().latched;
    assert_eq!(latched, Some(Status::InvalidApiKey));
    let told = host.rig.client.next_event(Some(Duration::ZERO)).unwrap();
    assert!(told.is_none(), "{told:?}");
}

#[test]
fn re_10_an_outage_of_two_hours() {
    let mut host = Host::new(vec![created(), ok()]);
    *host.rig.script.otherwise.lock().unwrap() = Some(fail(Failure::Connect));
    host.pass(7_200);
    let tries = host.rig.script.uploads();
    let gaps: Vec<_> = tries
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs())
        .collect();
    assert!(gaps.iter().all(|gap| (19..=365).contains(gap)), "{gaps:?}");
    assert!(tries.len() < 45, "no burst: {}", tries.len());
    assert_eq!(host.errors().len(), host.count(Kind::Error));
    *host.rig.script.otherwise.lock().unwrap() = Some(ok());
    host.mark();
    host.pass(371);
    let results = host.times(Kind::Result);
    assert!(results[0] <= 370, "{results:?}");
    assert_eq!(host.count(Kind::Recovered), 1);
    assert!(results.windows(2).all(|pair| pair[1] - pair[0] >= 19));
}

#[test]
fn a_fallback_that_fails_for_long_is_given_up_but_used_until_there_is_a_new_context() {
    let mut host = Host::new(vec![created()]);
    *host.rig.script.otherwise.lock().unwrap() = Some(fail(Failure::Connect));
    host.pass(1_500);
    // The create fails too: frames still go to the old context, each failure under its own name.
    assert!(host.rig.script.creates() > 1);
    assert!(
        host.errors()
            .iter()
            .all(|status| *status == Status::Connect)
    );
    *host.rig.script.otherwise.lock().unwrap() = Some(reply(200, &both()));
    let before = host.rig.script.creates();
    host.pass(330);
    // Whichever was due first ended it: a verdict from the old context, or a new one.
    let renewed = host.rig.script.creates() - before;
    assert_eq!(host.count(Kind::Recovered), 1);
    assert!(renewed <= 1 && host.count(Kind::ContextRenewed) == renewed);
    assert!(host.count(Kind::Result) > 1, "and it goes on");
}

#[test]
fn a_renewal_ends_the_row_of_failures() {
    let minimum = |minimum| reply(200, &p200(minimum, 60, false, false, false));
    let patience = |asked: &str| with_header(500, GONE, "retry-after", &[asked]);
    // What comes before the context is lost, its loss, and the wait after that.
    for (n, (before, loss, wait)) in [
        // 408 leads to the fallback.
        (vec![reply(408, "")], reply(500, GONE), 20),
        (vec![ok(), reply(503, "")], reply(500, GONE), 5),
        (vec![minimum(2), reply(503, "")], reply(500, GONE), 5),
        (vec![minimum(45), reply(503, "")], reply(500, GONE), 45),
        (
            vec![ok(), reply(503, ""), reply(503, "")],
            reply(500, GONE),
            5,
        ),
        (vec![ok(), reply(503, "")], patience("90"), 90),
        (vec![ok(), reply(503, "")], patience("2"), 5),
    ]
    .into_iter()
    .enumerate()
    {
        for restarted in [false, true] {
            let mut steps = vec![created()];
            steps.extend(before.iter().cloned());
            steps.extend([loss.clone(), fail(Failure::Connect), created()]);
            let mut host = Host::new(steps);
            let lost =
                |host: &Host| host.monitor.info().unwrap().last_status == Status::ContextLost;
            pass_until(&mut host, lost);
            let lost = host.rig.script.uploads().last().unwrap().at;
            // The first create fails: the next comes within 24 s, in good time for a long wait.
            let mut begun = lost;
            if restarted {
                let saved = host.monitor.save().unwrap();
                host.monitor.stop();
                host.restart(&saved);
                begun = oe_core::platform::clock::Clock::now(&*host.rig.clock);
            }
            let uploads = host.rig.script.uploads().len();
            pass_until(&mut host, |host| host.count(Kind::ContextRenewed) > 0);
            let renewed = oe_core::platform::clock::Clock::now(&*host.rig.clock);
            let info = host.monitor.info().unwrap();
            let case = format!("case {n}, restarted {restarted}");
            assert_eq!(info.failures_in_a_row, 0, "{case}");
            assert!(!info.using_fallback, "{case}");
            host.pass(100);
            let next = host.rig.script.uploads()[uploads].at;
            let due = renewed.max(begun + Duration::from_secs(wait));
            let late = next.saturating_sub(due);
            assert!(next + Duration::from_secs(2) >= due, "{case}");
            assert!(late.as_secs() <= 2, "{case}: {late:?} after it was due");
        }
    }
}

#[test]
fn renewals_are_at_most_three_an_hour() {
    let mut host = Host::new(vec![]);
    // Every context is lost at its first frame, and again on its fallback.
    for _ in 0..20 {
        host.rig.script.push(created());
        host.rig.script.push(reply(500, GONE));
        host.rig.script.push(reply(500, GONE));
    }
    host.pass(3_500);
    assert_eq!(host.rig.script.creates(), 1 + 3);
    let lost = host
        .errors()
        .into_iter()
        .filter(|status| *status == Status::ContextLost);
    assert_eq!(lost.count(), 4);
    host.pass(3_600);
    assert!(host.rig.script.creates() > 4, "the next hour allows more");
    assert!(host.rig.script.creates() <= 8);
}

#[test]
fn li_04_a_context_of_fourteen_days_is_renewed() {
    let mut host = Host::new(vec![created(), ok(), created(), ok()]);
    host.pass(1);
    host.monitor.pause().unwrap();
    host.rig
        .clock
        .advance(Duration::from_secs(14 * 24 * 3_600 + 3_600));
    host.monitor.resume().unwrap();
    host.pass(5);
    assert_eq!(
        (host.rig.script.creates(), host.count(Kind::ContextRenewed)),
        (2, 1)
    );
    assert_eq!(host.count(Kind::Result), 2);
}

#[test]
fn an_account_error_is_told_to_every_monitor_once() {
    let mut host = Host::new(vec![
        created(),
        ok(),
        created(),
        reply(429, &error_body("OE_FREE_USAGE_LIMIT_REACHED")),
    ]);
    host.pass(1);
    let other = host.another(7);
    other.submit(&frame(1), None).unwrap();
    host.pass(2);
    let told: Vec<_> = host
        .log
        .iter()
        .filter(|s| s.event.kind == Kind::Latched)
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|s| s.event.status == Status::FreeLimit));
    assert!(told.iter().any(|s| s.event.tag == 7) && told.iter().any(|s| s.event.tag == TAG));
    host.mark();
    host.pass(3_600);
    assert!(host.log.is_empty(), "{:?}", host.log);
    let refused = host.monitor.submit(&frame(2), None);
    assert_eq!(status_of(refused), Status::FreeLimit);
    assert!(host.rig.client.start_monitor(no(), no(), 1).is_err());
    assert_eq!(host.monitor.info().unwrap().due, Due::Never);
    // Mended: both go on, at their own time.
    host.rig.client.clear_latch();
    *host.rig.script.otherwise.lock().unwrap() = Some(ok());
    host.pass(60);
    assert!(host.count(Kind::Result) >= 2);
    drop(other);
}

#[test]
fn ti_17_fifty_monitors_do_not_call_together() {
    let mut host = Host::new(vec![]);
    let others: Vec<_> = (1..50).map(|n| host.another(100 + n)).collect();
    for other in &others {
        other.submit(&frame(1), None).unwrap();
    }
    host.monitor.submit(&frame(1), None).unwrap();
    host.pass(120);
    let uploads = host.rig.script.uploads();
    let start = uploads[0].at;
    let mut per_second = std::collections::BTreeMap::<u64, usize>::new();
    for upload in &uploads {
        *per_second.entry((upload.at - start).as_secs()).or_default() += 1;
    }
    assert!(
        per_second.values().all(|count| *count <= 4),
        "{per_second:?}"
    );
    assert!(uploads.len() >= 5 * 50);
}

#[test]
fn creates_that_fail_are_tried_one_at_a_time_and_told_to_all() {
    let mut host = Host::new(vec![]);
    *host.rig.script.otherwise.lock().unwrap() = Some(fail(Failure::Dns));
    let others: Vec<_> = (0..9).map(|n| host.another(n)).collect();
    host.pass(120);
    // 0, 20, 60 (+ jitter): the pace is the client's, however many wait.
    assert!(
        (3..=4).contains(&host.rig.script.creates()),
        "{}",
        host.rig.script.creates()
    );
    for tag in 0..9 {
        let told = host
            .log
            .iter()
            .filter(|s| s.event.tag == tag && s.event.kind == Kind::Error);
        assert!(told.count() >= 1, "monitor {tag} was left in the dark");
    }
    *host.rig.script.otherwise.lock().unwrap() = Some(reply(200, &both()));
    host.pass(200);
    assert_eq!(host.count(Kind::Recovered), 10);
    drop(others);
}

#[test]
fn a_host_that_never_reads_loses_superseded_results_only() {
    let mut steps = vec![created(), verdict(PAUSE)];
    steps.extend((0..400).map(|_| ok()));
    let mut host = Host::new(steps);
    host.reads = false;
    for _ in 0..300 {
        host.monitor
            .submit(&frame(host.rig.script.seen().len()), None)
            .unwrap();
        host.pass(20);
    }
    host.reads = true;
    host.camera = Camera::Off;
    host.read();
    let kinds: Vec<_> = host.log.iter().map(|seen| seen.event.kind).collect();
    assert!(kinds.len() <= 11, "{kinds:?}");
    assert!(kinds.contains(&Kind::Pause) && kinds.contains(&Kind::Result));
    let pause = host
        .log
        .iter()
        .find(|seen| seen.event.kind == Kind::Pause)
        .unwrap();
    assert!(
        pause.event.age > Duration::from_secs(5_000),
        "too old to act on, as its age says"
    );
    assert!(pause.event.outcome.unwrap().pause_suggested);
}

#[test]
fn li_11_a_killed_host_goes_on_with_the_same_context() {
    let mut host = Host::new(vec![
        created(),
        verdict(PAUSE),
        verdict(PAUSE),
        verdict(PAUSE),
    ]);
    host.pass(5);
    host.monitor.set_interval_sec(30).unwrap();
    let saved = host.monitor.save().unwrap();
    assert!(saved.len() < 8_192 && !saved.contains(KEY));
    // The same device, ten seconds later.
    host.monitor.stop();
    host.pass(10);
    host.mark();
    host.restart(&saved);
    host.pass(30);
    assert_eq!(host.rig.script.creates(), 1);
    assert_eq!(
        host.times(Kind::Result),
        [15],
        "30 s after the last call, 15 s ago"
    );
    assert_eq!(host.count(Kind::Pause), 0, "told before the restart");
}

#[test]
fn a_context_of_a_loop_of_ones_own_goes_on_with_a_monitor() {
    let (rig, session) = Rig::printing(vec![verdict(PAUSE)]);
    rig.next(&session).unwrap();
    let saved = session.save();
    session.close();
    let mut host = Host::new(vec![]);
    host.monitor.stop();
    host.restart(&saved);
    host.pass(30);
    assert_eq!(host.rig.script.creates(), 0);
    assert_eq!(host.rig.script.uploads()[0].url, PRIMARY);
    assert_eq!((host.count(Kind::Result), host.count(Kind::Pause)), (1, 0));
}

#[test]
fn a_print_saved_before_it_had_a_context_starts_over() {
    let mut host = Host::new(vec![fail(Failure::Dns), created(), ok()]);
    host.pass(1);
    host.monitor.mute(true).unwrap();
    let saved = host.monitor.save().unwrap();
    host.monitor.stop();
    host.restart(&saved);
    host.pass(35);
    assert_eq!(
        (host.rig.script.creates(), host.count(Kind::Result)),
        (2, 1)
    );
    for bad in [
        "",
        "oe-monitor-1 {}",
        "oe-context-1 {}",
        &saved[..saved.len() / 2],
    ] {
        let refused = host.rig.client.start_saved_monitor(bad, 1);
        assert_eq!(status_of(refused), Status::Argument, "{bad}");
    }
}

#[test]
fn a_host_interval_set_before_there_is_a_context_counts() {
    let mut host = Host::new(vec![fail(Failure::Dns), created(), ok(), ok(), ok()]);
    host.pass(1);
    host.monitor.set_interval_sec(8).unwrap();
    assert_eq!(
        status_of(host.monitor.set_interval_sec(2_000_000)),
        Status::Argument
    );
    host.pass(50);
    let results = host.times(Kind::Result);
    assert_eq!(results[1] - results[0], 8, "{results:?}");
}

#[test]
fn a_stopped_monitor_is_closed_and_silent() {
    let mut host = Host::new(vec![created(), verdict(PAUSE)]);
    host.reads = false;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    host.monitor.stop();
    host.monitor.stop();
    assert!(
        host.rig
            .client
            .next_event(Some(Duration::ZERO))
            .unwrap()
            .is_none()
    );
    let monitor = &host.monitor;
    for (name, status) in [
        ("submit", status_of(monitor.submit(&frame(1), None))),
        ("pause", status_of(monitor.pause())),
        ("resume", status_of(monitor.resume())),
        ("mute", status_of(monitor.mute(true))),
        ("interval", status_of(monitor.set_interval_sec(5))),
        ("info", status_of(monitor.info())),
        ("save", status_of(monitor.save())),
    ] {
        assert_eq!(status, Status::Closed, "{name}");
    }
}

#[test]
fn stopping_one_of_two_monitors_of_one_tag_leaves_the_other() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    let twin = host.another(TAG);
    host.monitor.stop();
    twin.submit(&frame(0), None).unwrap();
    host.pass(5);
    assert_eq!(host.count(Kind::Result), 1);
}

#[test]
fn a_panic_in_a_call_is_an_error_and_the_monitor_goes_on() {
    let mut host = Host::new(vec![Step::Panic, created(), Step::Panic, ok()]);
    host.contains_panics = true;
    host.pass(120);
    assert_eq!(
        host.errors(),
        [Status::Panic, Status::Panic],
        "{:?}",
        host.log
    );
    assert!(host.count(Kind::Result) > 1 && host.count(Kind::Recovered) == 1);
}

#[test]
fn infos_of_a_monitor() {
    let mut host = Host::new(vec![fail(Failure::Dns), created(), ok()]);
    let info = host.monitor.info().unwrap();
    assert_eq!(
        (info.due, info.last_status, info.calls),
        (Due::In(Duration::ZERO), Status::Ok, 0)
    );
    host.pass(1);
    let info = host.monitor.info().unwrap();
    assert_eq!(info.last_status, Status::Dns);
    assert!(matches!(info.due, Due::In(wait) if wait.as_secs() >= 18));
    host.pass(35);
    let info = host.monitor.info().unwrap();
    assert_eq!(
        (info.last_quality, info.calls, info.last_status),
        (8, 1, Status::Ok)
    );
}

/// Lets time pass, at most an hour, until something is so.
fn pass_until(host: &mut Host, is_so: impl Fn(&Host) -> bool) {
    for _ in 0..3_600 {
        if is_so(host) {
            return;
        }
        host.pass(1);
    }
    panic!("it never is: {:?}", host.log);
}

fn no() -> Confidence {
    Confidence::default()
}
