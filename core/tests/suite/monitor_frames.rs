//! Monitors and their frames: when one is asked for, which one is sent, what a camera does. Catalogue
//! area `image-input`.

use std::time::Duration;

use crate::common::*;
use crate::host::*;
use oe_core::error::Status;
use oe_core::monitor::Kind;
use oe_core::session::outcome::flags;
use oe_core::transport::Failure;

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
    assert_eq!(stalls(&host), [Status::NoEvent], "none came");
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
    assert_eq!(stalls(&host), [Status::Ok]);
    assert_eq!(host.count(Kind::Pause), 1, "repeated bytes are no evidence");
    host.camera = Camera::On;
    host.pass(20);
    assert_eq!(host.count(Kind::CameraBack), 1);
}

#[test]
fn a_frame_from_before_a_sleep_is_not_sent() {
    for (sleeps, sent) in [(0, true), (10, true), (60, false), (36_000, false)] {
        let mut host = Host::new(vec![created(), ok(), verdict(PAUSE)]);
        host.pass(10);
        host.camera = Camera::Off;
        host.monitor.submit(&frame(7), None).unwrap();
        host.rig.clock.suspend(Duration::from_secs(sleeps));
        host.mark();
        host.pass(15);
        assert_eq!(host.rig.script.uploads().len() == 2, sent, "{sleeps}");
        assert_eq!(host.count(Kind::Pause), usize::from(sent), "{sleeps}");
        assert!(
            sent || host.count(Kind::FrameWanted) > 0,
            "another is wanted"
        );
    }
}

#[test]
fn a_frame_without_a_time_is_not_late_because_of_its_own_upload() {
    // Milliseconds before the submit, or none; how long it waits there, how long the answer takes,
    // how long the device sleeps meanwhile. Whether it is late.
    for (stated, waits, takes, sleeps, late) in [
        (None, 0, 50, 0, false),
        (None, 15, 25, 0, false),
        (None, 15, 5, 20, true),
        (None, 0, 5, 3_600, true),
        (Some(0), 0, 50, 0, true),
        (Some(0), 15, 25, 0, true),
        (Some(5_000), 15, 5, 0, false),
    ] {
        let gate = std::sync::Arc::new(Gate::default());
        let gated = Step::Gated(gate.clone(), Box::new(verdict(PAUSE)));
        let mut host = Host::new(vec![created(), ok(), gated]);
        host.camera = Camera::Off;
        host.monitor.submit(&frame(0), None).unwrap();
        host.pass(0);
        host.rig.clock.advance_secs(20 - waits);
        let captured = stated.map(|ms: i64| host.wall_ms() - ms);
        host.monitor.submit(&frame(1), captured).unwrap();
        host.rig.clock.advance_secs(waits);
        let client = host.rig.client.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || client.turn_monitors());
            gate.wait_until_reached();
            host.rig.clock.advance_secs(takes);
            host.rig.clock.suspend(Duration::from_secs(sleeps));
            gate.open();
        });
        host.read();
        let case = format!("stated {stated:?}, waits {waits}, takes {takes}, sleeps {sleeps}");
        let outcome = *host.outcomes().last().unwrap();
        assert_eq!(outcome.flags & flags::LATE != 0, late, "{case}");
        assert_eq!(host.count(Kind::Pause), usize::from(!late), "{case}");
        let age = waits + takes + sleeps;
        let stated = u64::try_from(stated.unwrap_or(0)).unwrap();
        assert_eq!(
            u64::from(outcome.frame_age_ms),
            age * 1_000 + stated,
            "{case}"
        );
    }
}

#[test]
fn a_frame_from_before_the_print_went_on_is_refused_also_after_a_sleep() {
    // With no maximum age, its age alone does not tell.
    for (age, taken) in [(3_630, false), (3_590, true), (0, true)] {
        let mut host = Host::with(vec![created(), ok()], |options| {
            options.set_max_frame_age_ms(0).unwrap();
        });
        host.camera = Camera::Off;
        host.monitor.pause().unwrap();
        host.monitor.resume().unwrap();
        host.rig.clock.suspend(Duration::from_secs(3_600));
        host.pass(10);
        let captured = Some(host.wall_ms() - age * 1_000);
        let status = status_of(host.monitor.submit(&frame(1), captured));
        let expected = if taken {
            Status::Ok
        } else {
            Status::StaleFrame
        };
        assert_eq!(status, expected, "{age} s old");
    }
}

#[test]
fn the_age_of_an_event_counts_time_asleep() {
    let mut host = Host::new(vec![created(), verdict(PAUSE)]);
    host.reads = false;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    host.rig.clock.suspend(Duration::from_secs(600));
    host.reads = true;
    host.camera = Camera::Off;
    host.read();
    let pause = host.log.iter().find(|read| read.event.kind == Kind::Pause);
    let age = pause.unwrap().event.age.as_secs();
    assert!((600..=602).contains(&age), "{age}");
}

/// With which statuses the camera was said to have stalled.
fn stalls(host: &Host) -> Vec<Status> {
    let of_kind = |read: &&Read| read.event.kind == Kind::CameraStalled;
    let stalls = host.log.iter().filter(of_kind);
    stalls
        .map(|read| {
            assert!(read.event.error.is_none() && read.event.outcome.is_none());
            read.event.status
        })
        .collect()
}

fn undecodable() -> Step {
    reply(400, &error_body("OE_IMAGE_DECODE_FAILED"))
}

fn large() -> Vec<u8> {
    let mut bytes = vec![0; 6_291_457];
    bytes[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    bytes
}

#[test]
fn a_camera_whose_frames_are_refused_here_has_stalled() {
    // What it gives when it is asked for the n-th time, and why it is said to have stalled.
    let table: [(Gives, Option<Status>); 6] = [
        (|_| (b"<html>".to_vec(), None), Some(Status::NotJpeg)),
        (|_| (vec![], None), Some(Status::Argument)),
        (|_| (large(), None), Some(Status::ImageTooLarge)),
        (|n| (frame(n), Some(60_000)), Some(Status::StaleFrame)),
        // The last one says why.
        (
            |n| match n % 2 {
                0 => (vec![], None),
                _ => (b"GIF89a".to_vec(), None),
            },
            Some(Status::NotJpeg),
        ),
        // Those in between are of use.
        (
            |n| match n % 4 {
                3 => (frame(n), None),
                _ => (b"<html>".to_vec(), None),
            },
            None,
        ),
    ];
    for (n, (gives, status)) in table.into_iter().enumerate() {
        let mut host = Host::new(vec![created(), ok()]);
        host.pass(1);
        host.gives = Some(gives);
        host.pass(300);
        let Some(status) = status else {
            assert_eq!(stalls(&host), [], "case {n}");
            continue;
        };
        assert_eq!(stalls(&host), [status], "case {n}: once");
        let told = host.times(Kind::CameraStalled);
        assert_eq!(told, [78], "case {n}: asked first at 18");
        assert_eq!(host.rig.script.uploads().len(), 1, "case {n}");
        assert_eq!(host.errors(), [], "case {n}: nothing was tried");
        // With the first frame that is taken over it is back.
        host.gives = Some(|n| (frame(n), None));
        host.mark();
        host.pass(30);
        assert_eq!(host.count(Kind::CameraBack), 1, "case {n}");
        assert!(host.count(Kind::Result) >= 1, "case {n}");
        assert_eq!(stalls(&host), [], "case {n}");
    }
}

#[test]
fn a_camera_whose_frames_the_service_refuses_has_stalled() {
    let limited = || reply(429, &error_body("OE_CONTEXT_RATE_LIMITED"));
    let slow = || reply(200, &p200(300, 300, false, false, false));
    let (bad, large) = (undecodable, || reply(413, ""));
    let four = |step: &dyn Fn() -> Step| (0..4).map(|_| step()).collect::<Vec<_>>();
    let mut many = vec![];
    for _ in 0..4 {
        many.extend([bad(), bad(), bad(), ok()]);
    }
    // What the service says of the frames, and the call with which the camera has stalled.
    let table = [
        (four(&bad), Some((3, Status::ImageRejected))),
        (four(&large), Some((3, Status::ImageTooLarge))),
        (
            vec![bad(), large(), bad(), large()],
            Some((3, Status::ImageTooLarge)),
        ),
        // At long intervals two are enough, and they must be two.
        (vec![slow(), bad(), bad()], Some((2, Status::ImageRejected))),
        (vec![slow(), bad(), ok()], None),
        // No answer says nothing; another answer ends the row.
        (
            vec![bad(), fail(Failure::Connect), bad(), bad()],
            Some((3, Status::ImageRejected)),
        ),
        (vec![bad(), bad(), bad(), limited(), bad(), ok()], None),
        (vec![bad(), bad(), bad(), reply(408, ""), bad(), ok()], None),
        (many, None),
    ];
    for (n, (steps, stalled)) in table.into_iter().enumerate() {
        let mut host = Host::new(steps);
        host.rig.script.push_front(created());
        host.pass(900);
        let Some((call, status)) = stalled else {
            assert_eq!(stalls(&host), [], "case {n}");
            assert_eq!(host.count(Kind::CameraBack), 0, "case {n}");
            continue;
        };
        assert_eq!(stalls(&host), [status], "case {n}");
        let uploads = host.rig.script.uploads();
        let told = host.precise(Kind::CameraStalled)[0];
        assert_eq!(told, uploads[call].at - uploads[0].at, "case {n}");
        // Back with the first verdict, and not with a frame that may be no better.
        let back = host.times(Kind::CameraBack);
        let results = host.times(Kind::Result);
        let first = results.iter().find(|at| **at > told.as_secs());
        assert_eq!(back, [*first.unwrap()], "case {n}");
    }
}

#[test]
fn a_frozen_camera_whose_picture_cannot_be_decoded_has_stalled() {
    let mut host = Host::new(vec![created(), undecodable()]);
    host.camera = Camera::Off;
    host.gives = Some(|_| (frame(5), None));
    host.pass(120);
    assert_eq!(stalls(&host), [Status::ImageRejected]);
    assert_eq!(host.rig.script.uploads().len(), 1, "not sent again");
    assert_eq!(host.count(Kind::CameraBack), 0);
    host.gives = Some(|n| (frame(n), None));
    host.mark();
    host.pass(15);
    assert_eq!(
        (host.count(Kind::CameraBack), host.count(Kind::Result)),
        (1, 1)
    );
}

#[test]
fn refused_frames_of_a_print_that_is_paused_or_blocked_count_for_nothing() {
    let mut host = Host::new(vec![created(), ok()]);
    host.pass(1);
    host.camera = Camera::Off;
    let refuse = |host: &mut Host, times: usize| {
        for _ in 0..times {
            assert!(host.monitor.submit(b"<html>", None).is_err());
            host.pass(10);
        }
    };
    host.monitor.pause().unwrap();
    refuse(&mut host, 10);
    host.monitor.resume().unwrap();
    refuse(&mut host, 4);
    assert_eq!(stalls(&host), []);
    // A pause in the middle: what was before it does not count either.
    host.monitor.pause().unwrap();
    host.monitor.resume().unwrap();
    refuse(&mut host, 5);
    assert_eq!(stalls(&host), []);
    refuse(&mut host, 3);
    assert_eq!(stalls(&host), [Status::NotJpeg]);
}

#[test]
fn a_host_whose_frames_wait_for_long_has_no_stalled_camera() {
    let slow = reply(200, &p200(300, 300, false, false, false));
    let mut host = Host::new(vec![created(), slow]);
    host.camera = Camera::Off;
    host.monitor.submit(&frame(0), None).unwrap();
    for n in 1..7 {
        host.pass(41);
        host.monitor.submit(&frame(n), None).unwrap();
    }
    assert_eq!(stalls(&host), [], "they became old here");
}

#[test]
fn one_frame_that_is_refused_is_none() {
    let mut host = Host::new(vec![created(), ok()]);
    host.pass(1);
    host.camera = Camera::Off;
    host.pass(18);
    assert_eq!(
        status_of(host.monitor.submit(b"<html>", None)),
        Status::NotJpeg
    );
    host.pass(100);
    assert_eq!(stalls(&host), [Status::NoEvent]);
}
