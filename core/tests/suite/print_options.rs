//! What is set for one print: its interval, its levels and when the service hears of them, and what
//! only the embedded engine does.

use crate::common::*;
use crate::host::*;
use oe_core::error::Status;
use oe_core::monitor::Kind;
use oe_core::rules::confidence::Confidence;
use oe_core::rules::region::Region;
use oe_core::session::print_options::PrintOptions;
use oe_core::transport::Failure;

fn level(level: i32) -> Confidence {
    Confidence::new(level).unwrap()
}

/// The bodies of the creates so far.
fn creates(rig: &Rig) -> Vec<String> {
    let seen = rig.script.seen();
    let creates = seen
        .iter()
        .filter(|seen| seen.url.ends_with("createcontext"));
    creates
        .map(|seen| String::from_utf8(seen.body.clone()).unwrap())
        .collect()
}

const TWO_FIVE: &str = r#"{"WarningConfidenceLevel":2,"PauseConfidenceLevel":5}"#;

fn two_five() -> PrintOptions {
    PrintOptions {
        warning: level(2),
        pause: level(5),
        ..PrintOptions::default()
    }
}

#[test]
fn a_print_of_its_own_interval_and_levels() {
    let rig = Rig::with(vec![reply(200, CREATE_BODY), ok()], |options| {
        options.set_interval_sec(60).unwrap();
    });
    let options = PrintOptions {
        interval_sec: 45,
        ..two_five()
    };
    let session = rig.client.create_context_with(options).unwrap();
    assert_eq!(creates(&rig), [TWO_FIVE]);
    rig.next(&session).unwrap();
    assert_eq!(rig.secs_until_due(&session), 45);
    let restored = rig.client.restore(&session.save()).unwrap();
    rig.script.push(ok());
    rig.next(&restored).unwrap();
    assert_eq!(rig.secs_until_due(&restored), 45, "saved with the print");
}

#[test]
fn what_the_service_cannot_do_is_refused_and_nothing_is_sent() {
    let rig = Rig::new(vec![]);
    let left = Region::new(0, 0, 500, 1_000).unwrap();
    let right = Region::new(500, 0, 500, 1_000).unwrap();
    let with = |ignore: &[Region], replay, interval_sec| PrintOptions {
        ignore: ignore.to_vec(),
        replay,
        interval_sec,
        ..PrintOptions::default()
    };
    for (options, of_context, of_monitor) in [
        (
            with(&[left], false, 0),
            Status::Unsupported,
            Status::Unsupported,
        ),
        (with(&[], true, 0), Status::Unsupported, Status::Argument),
        (
            with(&[left, right], false, 0),
            Status::Argument,
            Status::Argument,
        ),
        (
            with(&[left; 9], false, 0),
            Status::Argument,
            Status::Argument,
        ),
        (
            with(&[], false, 1_209_601),
            Status::Argument,
            Status::Argument,
        ),
    ] {
        let made = rig.client.create_context_with(options.clone());
        assert_eq!(status_of(made), of_context, "{options:?}");
        let made = rig.client.start_monitor_with(options.clone(), 1);
        assert_eq!(status_of(made), of_monitor, "{options:?}");
    }
    assert!(rig.script.seen().is_empty());
}

#[test]
fn new_levels_cause_no_create_and_go_with_the_next() {
    let (rig, session) = Rig::printing(vec![ok(), reply(200, CREATE_BODY), ok()]);
    session.set_confidence(level(2), level(5));
    rig.next(&session).unwrap();
    assert_eq!(creates(&rig), ["{}"]);
    session.renew().unwrap();
    assert_eq!(creates(&rig), ["{}", TWO_FIVE]);
    rig.next(&session).unwrap();
    assert_eq!(rig.script.creates(), 2);
}

#[test]
fn new_levels_are_saved_before_the_service_has_heard_of_them() {
    let (rig, session) = Rig::printing(vec![]);
    session.set_confidence(level(2), level(5));
    let restored = rig.client.restore(&session.save()).unwrap();
    rig.script.push(reply(200, CREATE_BODY));
    restored.renew().unwrap();
    assert_eq!(creates(&rig), ["{}", TWO_FIVE]);
}

#[test]
fn a_monitor_renews_for_new_levels_and_only_then() {
    let mut host = Host::new(vec![created(), ok(), created(), ok()]);
    host.pass(5);
    host.monitor.set_confidence(level(2), level(5)).unwrap();
    host.pass(60);
    assert_eq!(creates(&host.rig), ["{}", TWO_FIVE]);
    assert_eq!(host.count(Kind::ContextRenewed), 1);
    assert_eq!(host.errors(), []);
    assert!(host.count(Kind::Result) >= 3, "it goes on in between");
    // The same again changes nothing.
    host.monitor.set_confidence(level(2), level(5)).unwrap();
    host.pass(60);
    assert_eq!(host.rig.script.creates(), 2);
}

#[test]
fn a_monitor_renews_for_new_levels_three_times_an_hour() {
    let mut host = Host::new(vec![]);
    host.pass(5);
    for n in 0..10 {
        host.monitor
            .set_confidence(level(1 + n % 5), level(3))
            .unwrap();
        host.pass(30);
    }
    assert_eq!(host.rig.script.creates(), 1 + 3);
    host.pass(3_600);
    let bodies = creates(&host.rig);
    assert_eq!(
        bodies.len(),
        1 + 3 + 1,
        "the last ones, when the hour allows"
    );
    let last = r#"{"WarningConfidenceLevel":5,"PauseConfidenceLevel":3}"#;
    assert_eq!(bodies.last().unwrap(), last);
    assert_eq!(host.errors(), []);
}

#[test]
fn levels_that_are_set_while_a_create_is_in_flight_are_not_lost() {
    let mut host = Host::new(vec![fail(Failure::Io), created()]);
    host.pass(1);
    assert_eq!(host.errors(), [Status::Io]);
    host.monitor.set_confidence(level(2), level(5)).unwrap();
    host.pass(60);
    assert_eq!(creates(&host.rig), ["{}", TWO_FIVE], "no renewal is needed");
    assert_eq!(host.count(Kind::ContextRenewed), 0);
}

#[test]
fn a_monitor_goes_on_with_its_new_levels_after_a_restart() {
    let mut host = Host::new(vec![created(), ok()]);
    host.pass(5);
    host.monitor.pause().unwrap();
    host.monitor.set_confidence(level(2), level(5)).unwrap();
    host.pass(60);
    assert_eq!(host.rig.script.creates(), 1, "not while it is paused");
    let saved = host.monitor.save().unwrap();
    host.monitor.stop();
    assert_eq!(
        status_of(host.monitor.set_confidence(level(1), level(1))),
        Status::Closed
    );
    host.restart(&saved);
    host.pass(60);
    assert_eq!(creates(&host.rig), ["{}", TWO_FIVE]);
}

#[test]
fn a_monitor_has_an_interval_of_its_own() {
    let host = Host::new(vec![]);
    let options = PrintOptions {
        interval_sec: 120,
        ..two_five()
    };
    host.monitor.stop();
    let mut host = host;
    host.monitor = host.rig.client.start_monitor_with(options, TAG).unwrap();
    host.mark();
    host.pass(300);
    assert_eq!(host.times(Kind::Result).len(), 3);
    assert_eq!(creates(&host.rig), [TWO_FIVE]);
}
