//! Monitors and their edges: told once, and not of a print that is paused, muted or over. Catalogue
//! areas `pause-action` and `lifecycle`.

use std::time::Duration;

use crate::common::*;
use crate::host::*;
use oe_core::error::Status;
use oe_core::monitor::Kind;
use oe_core::platform::log::{Level, Log, LogSink};
use oe_core::session::outcome::flags;

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

/// Reads events, without an answer, until one of this kind was read.
fn read_up_to(host: &mut Host, kind: Kind) {
    loop {
        let next = host.rig.client.next_event(Some(Duration::ZERO));
        if next.unwrap().unwrap().kind == kind {
            return;
        }
    }
}

#[test]
fn an_edge_whose_event_nobody_read_rises_again_after_a_pause_or_a_mute() {
    let both = flags::WARNING_EDGE | flags::PAUSE_EDGE;
    // Read up to this event: warnings and pauses that come again, and the flags of the result.
    let table = [
        (None, 1, 1, both),
        (Some(Kind::Result), 1, 1, 0),
        (Some(Kind::Warning), 0, 1, 0),
        (Some(Kind::Pause), 0, 0, 0),
    ];
    for (read, warnings, pauses, flags) in table {
        for mute in [false, true] {
            let mut host = Host::new((0..4).map(|_| verdict(PAUSE)).collect());
            host.rig.script.push_front(created());
            host.reads = false;
            host.monitor.submit(&frame(0), None).unwrap();
            host.pass(1);
            if let Some(kind) = read {
                read_up_to(&mut host, kind);
            }
            match mute {
                true => host.monitor.mute(true).unwrap(),
                false => host.monitor.pause().unwrap(),
            }
            host.reads = true;
            host.pass(4);
            match mute {
                true => host.monitor.mute(false).unwrap(),
                false => host.monitor.resume().unwrap(),
            }
            host.mark();
            host.pass(50);
            let case = format!("read up to {read:?}, muted {mute}");
            let counts = (host.count(Kind::Warning), host.count(Kind::Pause));
            assert_eq!(counts, (warnings, pauses), "{case}");
            let outcomes = host.outcomes();
            assert!(outcomes.len() >= 2, "{case}");
            assert_eq!(outcomes[0].flags & both, flags, "{case}");
            assert!(outcomes[1..].iter().all(|o| o.flags & both == 0), "{case}");
            assert!(outcomes[0].warning_suggested && outcomes[0].pause_suggested);
        }
    }
}

#[test]
fn an_edge_that_rose_again_as_an_event_alone_is_one_of_its_episode_only() {
    let steps = ["pause", "pause", "pause", "good", "pause", "pause"];
    let mut host = Host::new(steps.map(verdict).to_vec());
    host.rig.script.push_front(created());
    host.reads = false;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    // Twice: the second time there is no flag to read.
    for _ in 0..2 {
        read_up_to(&mut host, Kind::Result);
        host.monitor.pause().unwrap();
        host.monitor.resume().unwrap();
        host.monitor
            .submit(&frame(host.rig.script.seen().len()), None)
            .unwrap();
        host.pass(20);
    }
    host.mark();
    host.reads = true;
    host.pass(65);
    let told: Vec<_> = host
        .outcomes()
        .iter()
        .map(|o| o.flags & flags::PAUSE_EDGE)
        .collect();
    assert_eq!(told, [0, 0, flags::PAUSE_EDGE, 0], "{:?}", host.log);
    assert_eq!(host.times(Kind::Pause).len(), 2);
}

#[test]
fn a_warning_that_nobody_read_before_the_save_holds_back_none() {
    for (read, at) in [
        (None, 20),
        (Some(Kind::Result), 20),
        (Some(Kind::Warning), 299),
    ] {
        // The episode ends with the second verdict; the third begins another.
        let steps = ["warning", "good"].map(verdict).to_vec();
        let mut host = Host::new(steps);
        *host.rig.script.otherwise.lock().unwrap() = Some(verdict("warning"));
        host.rig.script.push_front(created());
        host.reads = false;
        host.monitor.submit(&frame(0), None).unwrap();
        host.pass(1);
        if let Some(kind) = read {
            read_up_to(&mut host, kind);
        }
        let saved = host.monitor.save().unwrap();
        host.monitor.stop();
        host.reads = true;
        host.restart(&saved);
        host.pass(330);
        let warnings = host.times(Kind::Warning);
        let first = warnings.first().copied();
        let near = first.is_some_and(|first| (at..=at + 41).contains(&first));
        assert!(near, "read up to {read:?}: {warnings:?}");
    }
}

/// Does something when a verdict was judged, but is not queued yet.
struct OnVerdict(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl LogSink for OnVerdict {
    fn line(&self, _: Level, text: &str) {
        if !text.starts_with("verdict") {
            return;
        }
        let act = self.0.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

/// A print whose first verdict says pause, and the place of what is done when it was judged.
fn on_verdict() -> (Host, std::sync::Arc<OnVerdict>) {
    let sink = std::sync::Arc::new(OnVerdict(std::sync::Mutex::default()));
    let log = Log::new(Level::Info, sink.clone());
    let steps = vec![created(), verdict(PAUSE), verdict(PAUSE)];
    (Host::with(steps, |options| options.set_log(log)), sink)
}

#[test]
fn a_save_between_a_verdict_and_its_events_holds_no_edge() {
    let (mut host, sink) = on_verdict();
    let saved = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (monitor, text) = (std::sync::Arc::downgrade(&host.monitor), saved.clone());
    *sink.0.lock().unwrap() = Some(Box::new(move || {
        *text.lock().unwrap() = Some(monitor.upgrade().unwrap().save().unwrap());
    }));
    host.reads = false;
    host.monitor.submit(&frame(0), None).unwrap();
    host.pass(1);
    host.monitor.stop();
    host.reads = true;
    let saved = saved.lock().unwrap().take().unwrap();
    host.restart(&saved);
    host.pass(30);
    assert_eq!((host.count(Kind::Warning), host.count(Kind::Pause)), (1, 1));
}

#[test]
fn an_edge_that_a_panic_lost_rises_again() {
    let (mut host, sink) = on_verdict();
    *sink.0.lock().unwrap() = Some(Box::new(|| panic!("a bug")));
    host.contains_panics = true;
    host.pass(50);
    assert_eq!(host.errors(), [Status::Panic]);
    assert_eq!((host.count(Kind::Warning), host.count(Kind::Pause)), (1, 1));
}
