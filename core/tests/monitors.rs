//! Monitors with a clock that stands still and no thread of their own: what is told when, and what
//! is sent. Catalogue areas `lifecycle`, `pause-action`, `image-input`, `recovery`, `timing`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod common;
mod host;

use std::time::Duration;

use common::*;
use host::*;
use oe_core::config::Confidence;
use oe_core::error::{Due, Status};
use oe_core::monitor::Kind;
use oe_core::session::flags;
use oe_core::transport::Failure;

const PAUSE: &str = "pause";

/// A verdict: "good", "warning" or "pause".
fn verdict(kind: &str) -> Step {
    reply(200, &p200(5, 20, false, kind != "good", kind == PAUSE))
}

fn created() -> Step {
    reply(200, CREATE_BODY)
}

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
fn a_frame_is_asked_for_two_seconds_ahead_and_every_ten_until_it_comes() {
    let mut host = Host::new(vec![created(), ok()]);
    host.pass(1);
    host.camera = Camera::Off;
    host.mark();
    host.pass(50);
    assert_eq!(host.times(Kind::FrameWanted), [17, 27, 37, 47]);
    assert_eq!(host.rig.script.uploads().len(), 1);
}

#[test]
fn a_short_maximum_age_shortens_the_notice() {
    let mut host = Host::with(vec![created(), ok(), ok()], |options| {
        options.set_max_frame_age_ms(1_000).unwrap();
    });
    host.pass(25);
    let asked: Vec<_> = host.precise(Kind::FrameWanted);
    assert_eq!(asked[1], Duration::from_millis(19_500));
    assert_eq!(
        host.times(Kind::Result),
        [0, 20],
        "answered at once it is fresh enough"
    );
}

#[test]
fn the_newest_frame_wins_and_an_old_one_is_not_sent() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    host.pass(1);
    host.camera = Camera::Off;
    host.monitor.submit(&frame(100), None).unwrap();
    host.monitor.submit(&frame(101), None).unwrap();
    host.pass(20);
    let uploads = host.rig.script.uploads();
    assert!(contains(&uploads[1].body, &frame(101)));
    // This one is 31 s old when it could be sent.
    let wall = host.wall_ms();
    host.monitor
        .submit(&frame(102), Some(wall - 12_000))
        .unwrap();
    host.mark();
    host.pass(40);
    assert_eq!(host.rig.script.uploads().len(), 2);
    assert!(!host.times(Kind::FrameWanted).is_empty());
}

#[test]
fn im_07_the_frame_is_copied_at_submit() {
    let mut host = Host::new(vec![created(), ok()]);
    host.camera = Camera::Off;
    let mut buffer = frame(1);
    host.monitor.submit(&buffer, None).unwrap();
    buffer.fill(0);
    host.pass(2);
    assert!(contains(&host.rig.script.uploads()[0].body, &frame(1)));
}

#[test]
fn submit_says_what_is_wrong_with_a_frame() {
    let mut host = Host::new(vec![
        created(),
        reply(400, &error_body("OE_IMAGE_DECODE_FAILED")),
        ok(),
    ]);
    let submit = |host: &Host, bytes: &[u8], at| status_of(host.monitor.submit(bytes, at));
    assert_eq!(submit(&host, b"<html>", None), Status::NotJpeg);
    assert_eq!(submit(&host, b"", None), Status::Argument);
    let mut large = vec![0; 6_291_457];
    large[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    assert_eq!(submit(&host, &large, None), Status::ImageTooLarge);
    let old = host.wall_ms() - 31_000;
    assert_eq!(submit(&host, &frame(1), Some(old)), Status::StaleFrame);
    host.camera = Camera::Off;
    assert_eq!(submit(&host, &frame(1), None), Status::Ok);
    host.pass(1);
    assert_eq!(host.errors(), [Status::ImageRejected]);
    assert_eq!(submit(&host, &frame(1), None), Status::ImageRejected);
    assert_eq!(submit(&host, &frame(2), None), Status::Ok);
    host.pass(25);
    assert_eq!(host.rig.script.uploads().len(), 2);
    assert_eq!(host.count(Kind::Recovered), 1);
}

#[test]
fn li_03_a_print_paused_for_ten_hours() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    host.pass(10);
    host.monitor.pause().unwrap();
    host.mark();
    host.monitor.submit(&frame(50), None).unwrap();
    host.pass(36_000);
    assert!(host.log.is_empty(), "nothing is asked, nothing is told");
    let before = host.wall_ms();
    host.monitor.resume().unwrap();
    let from_before = host.monitor.submit(&frame(51), Some(before - 1));
    assert_eq!(status_of(from_before), Status::StaleFrame);
    host.pass(2);
    let uploads = host.rig.script.uploads();
    assert_eq!(uploads.len(), 2);
    assert!(!contains(&uploads[1].body, &frame(50)));
    assert_eq!(host.rig.script.creates(), 1, "the context was kept");
}

#[test]
fn resuming_waits_for_the_rest_of_the_interval() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    host.pass(5);
    host.monitor.pause().unwrap();
    host.pass(5);
    host.monitor.resume().unwrap();
    host.pass(30);
    assert_eq!(host.times(Kind::Result), [0, 20, 40]);
}

#[test]
fn pu_06_a_pause_is_told_once_whether_the_host_managed_or_not() {
    let steps = vec![
        created(),
        verdict(PAUSE),
        verdict(PAUSE),
        verdict(PAUSE),
        verdict("good"),
        verdict(PAUSE),
    ];
    let mut host = Host::new(steps);
    host.pass(85);
    assert_eq!(host.times(Kind::Pause), [0, 80]);
    assert_eq!(host.times(Kind::Warning), [0], "within 300 s of the last");
    assert_eq!(host.count(Kind::Result), 5, "the flags stay visible");
    let suggested = host.outcomes().iter().filter(|o| o.pause_suggested).count();
    assert_eq!(suggested, 4);
}

#[test]
fn pu_07_a_muted_print_raises_no_edge_but_reports() {
    let mut steps = vec![created()];
    steps.extend((0..5).map(|_| verdict(PAUSE)));
    let mut host = Host::new(steps);
    host.monitor.mute(true).unwrap();
    host.pass(50);
    assert_eq!(host.count(Kind::Pause) + host.count(Kind::Warning), 0);
    assert_eq!(host.count(Kind::Result), 3);
    let edges = flags::WARNING_EDGE | flags::PAUSE_EDGE;
    assert!(
        host.outcomes()
            .iter()
            .all(|o| o.flags & edges == 0 && o.pause_suggested)
    );
    // Cleared by the next print, and by the user.
    host.monitor.mute(false).unwrap();
    host.pass(20);
    assert_eq!(host.count(Kind::Pause), 1);
}

#[test]
fn pu_08_a_renewed_context_does_not_pause_again() {
    let mut host = Host::new(vec![
        created(),
        verdict(PAUSE),
        reply(500, GONE), // primary: switch
        reply(500, GONE), // fallback: lost
        created(),
        verdict(PAUSE),
        verdict("good"),
        verdict(PAUSE),
    ]);
    host.pass(200);
    assert_eq!(host.rig.script.creates(), 2);
    assert_eq!(host.errors(), [Status::Server, Status::ContextLost]);
    assert_eq!(host.count(Kind::ContextRenewed), 1);
    assert_eq!(
        host.count(Kind::Pause),
        2,
        "once before, once after a clear result"
    );
    assert_eq!(host.count(Kind::Recovered), 1);
}

#[test]
fn pu_10_paused_by_someone_else_there_is_no_own_edge() {
    let mut host = Host::new(vec![created(), verdict(PAUSE), verdict(PAUSE)]);
    host.reads = false;
    host.camera = Camera::Off;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    // The edge is in the queue; the firmware was faster.
    host.monitor.pause().unwrap();
    host.reads = true;
    host.pass(1);
    let outcome = host.outcomes()[0];
    assert_eq!(host.count(Kind::Pause) + host.count(Kind::Warning), 0);
    assert_eq!(outcome.flags & (flags::WARNING_EDGE | flags::PAUSE_EDGE), 0);
    assert!(outcome.pause_suggested);
    // It goes on and still fails: of that the host has not heard yet.
    host.camera = Camera::On;
    host.monitor.resume().unwrap();
    host.pass(25);
    assert_eq!(host.count(Kind::Pause), 1);
}

#[test]
fn an_edge_of_which_the_host_has_read_is_not_raised_again_after_a_pause() {
    let mut host = Host::new(vec![created(), verdict(PAUSE), verdict(PAUSE)]);
    host.pass(1);
    assert_eq!(host.count(Kind::Pause), 1);
    host.monitor.pause().unwrap();
    host.pass(60);
    host.monitor.resume().unwrap();
    host.pass(25);
    assert_eq!((host.count(Kind::Pause), host.count(Kind::Result)), (1, 3));
}

#[test]
fn a_verdict_in_flight_when_the_print_is_paused_raises_no_edge() {
    for resumed in [false, true] {
        let gate = std::sync::Arc::new(Gate::default());
        let gated = Step::Gated(gate.clone(), Box::new(verdict(PAUSE)));
        let mut host = Host::new(vec![created(), gated, verdict(PAUSE)]);
        host.monitor.submit(&frame(0), None).unwrap();
        let client = host.rig.client.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || client.turn_monitors());
            gate.wait_until_reached();
            host.monitor.pause().unwrap();
            if resumed {
                host.monitor.resume().unwrap();
            }
            gate.open();
        });
        host.pass(1);
        assert_eq!((host.count(Kind::Result), host.count(Kind::Pause)), (1, 0));
        if resumed {
            host.pass(25);
            assert_eq!(host.count(Kind::Pause), 1, "a fresh frame says so too");
        }
    }
}

#[test]
fn pu_05_li_02_a_verdict_of_a_stopped_print_is_dropped() {
    let gate = std::sync::Arc::new(Gate::default());
    let gated = Step::Gated(gate.clone(), Box::new(verdict(PAUSE)));
    let mut host = Host::new(vec![created(), gated]);
    host.monitor.submit(&frame(0), None).unwrap();
    let client = host.rig.client.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || client.turn_monitors());
        gate.wait_until_reached();
        let begun = std::time::Instant::now();
        host.monitor.stop();
        assert!(begun.elapsed() < Duration::from_secs(2));
        gate.open();
    });
    host.pass(60);
    assert!(host.log.is_empty(), "{:?}", host.log);
    assert_eq!(host.rig.script.uploads().len(), 1);
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
fn im_10_a_camera_that_is_away_for_half_an_hour() {
    let mut host = Host::new(vec![created(), ok(), ok()]);
    host.pass(1);
    host.camera = Camera::Off;
    host.mark();
    host.pass(1_800);
    assert_eq!(host.rig.script.uploads().len(), 1, "nothing was sent");
    assert_eq!(
        host.times(Kind::CameraStalled),
        [77],
        "60 s after it was asked, once"
    );
    assert_eq!(host.errors(), []);
    let info = host.monitor.info().unwrap();
    assert_eq!((info.using_fallback, info.failures_in_a_row), (false, 0));
    host.camera = Camera::On;
    host.mark();
    host.pass(15);
    assert_eq!(host.count(Kind::CameraBack), 1);
    assert_eq!(host.count(Kind::Result), 1, "at once: it is long due");
    assert!(host.rig.script.uploads()[1].url == PRIMARY);
}

#[test]
fn a_camera_that_repeats_itself_is_said_to_have_stalled() {
    let mut steps = vec![created()];
    steps.extend((0..7).map(|_| verdict(PAUSE)));
    let mut host = Host::new(steps);
    host.camera = Camera::Frozen;
    host.pass(85);
    assert_eq!(
        host.times(Kind::CameraStalled),
        [40],
        "the third time, once"
    );
    assert_eq!(host.count(Kind::Pause), 1, "repeated bytes are no evidence");
    host.camera = Camera::On;
    host.pass(20);
    assert_eq!(host.count(Kind::CameraBack), 1);
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
fn an_edge_that_was_not_read_before_the_save_rises_again() {
    let mut host = Host::new(vec![created(), verdict(PAUSE), verdict(PAUSE)]);
    host.reads = false;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    // The result is read and saved; the host is killed before it reads of the pause.
    let event = host
        .rig
        .client
        .next_event(Some(Duration::ZERO))
        .unwrap()
        .unwrap();
    let event = match event.kind {
        Kind::FrameWanted => host
            .rig
            .client
            .next_event(Some(Duration::ZERO))
            .unwrap()
            .unwrap(),
        _ => event,
    };
    assert_eq!(event.kind, Kind::Result);
    let saved = host.monitor.save().unwrap();
    host.monitor.stop();
    host.reads = true;
    host.restart(&saved);
    host.pass(30);
    assert_eq!(host.count(Kind::Pause), 1);
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

fn no() -> Confidence {
    Confidence::default()
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}
