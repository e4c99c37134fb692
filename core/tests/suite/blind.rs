//! Answers that say the picture shows nothing to judge: no verdict, no error, and a camera that has
//! stalled when it goes on.

use crate::common::*;
use crate::host::*;
use oe_core::error::{Due, Status};
use oe_core::monitor::Kind;
use oe_core::session::outcome::flags;
use oe_core::transport::Failure;

/// What a service says that could see nothing: the last belief, and both flags false.
fn dark() -> Step {
    let body = p200(5, 30, false, false, false);
    reply(200, &body.replacen('{', "{\"Blind\":true,", 1))
}

fn stalls(host: &Host) -> Vec<Status> {
    let of_kind = |read: &&Read| read.event.kind == Kind::CameraStalled;
    let stalls = host.log.iter().filter(of_kind);
    stalls.map(|read| read.event.status).collect()
}

#[test]
fn a_blind_answer_is_no_verdict_and_no_failure() {
    let (rig, session) = Rig::printing(vec![ok(), fail(Failure::Io), dark(), ok()]);
    rig.next(&session).unwrap();
    assert_eq!(status_of(rig.next(&session)), Status::Io);
    assert_eq!(session.info().failures_in_a_row, 1);
    let error = rig.next(&session).unwrap_err();
    assert_eq!(error.status, Status::Blind);
    assert_eq!(error.retry_after, session.due());
    assert!(matches!(session.due(), Due::In(_)));
    assert_eq!(rig.secs_until_due(&session), 30, "the normal interval");
    let info = session.info();
    assert_eq!(info.failures_in_a_row, 0, "ends a row of failures");
    assert_eq!(info.last_status, Status::Blind);
    assert_eq!(info.last_quality, 8, "as it was believed before");
    let usage = rig.client.usage();
    assert_eq!((usage.processed, usage.failed), (2, 1));
    assert_eq!(session.last_error().unwrap().status, Status::Io);
    rig.next(&session).unwrap();
    assert_eq!(session.info().last_status, Status::Ok);
    assert!(status_of(rig.client.restore(&session.save())) == Status::Ok);
}

#[test]
fn a_blind_answer_neither_raises_nor_ends_an_episode() {
    let shouting = |blind: bool| {
        let body = p200(5, 20, false, true, true);
        match blind {
            true => reply(200, &body.replacen('{', "{\"Blind\":true,", 1)),
            false => reply(200, &body),
        }
    };
    let steps = vec![shouting(true), shouting(false), dark(), shouting(false)];
    let (rig, session) = Rig::printing(steps);
    assert_eq!(status_of(rig.next(&session)), Status::Blind);
    let both = flags::WARNING_EDGE | flags::PAUSE_EDGE;
    let first = rig.next(&session).unwrap();
    assert_eq!(first.flags & both, both, "not used up by what saw nothing");
    assert_eq!(status_of(rig.next(&session)), Status::Blind);
    let second = rig.next(&session).unwrap();
    assert_eq!(second.flags & both, 0, "the same episode");
}

#[test]
fn a_place_that_is_sent_is_handed_on() {
    let placed = P200.replacen('{', "{\"Place\":[10,20,300,400],", 1);
    let (rig, session) = Rig::printing(vec![reply(200, &placed), ok()]);
    let place = rig.next(&session).unwrap().place.unwrap();
    assert_eq!((place.x(), place.y()), (10, 20));
    assert_eq!((place.width(), place.height()), (300, 400));
    assert_eq!(rig.next(&session).unwrap().place, None);
}

#[test]
fn a_restored_print_remembers_that_it_was_blind() {
    let (rig, session) = Rig::printing(vec![dark()]);
    assert_eq!(status_of(rig.next(&session)), Status::Blind);
    let restored = rig.client.restore(&session.save()).unwrap();
    assert_eq!(restored.info().last_status, Status::Blind);
    assert_eq!(restored.info().last_quality, 0);
}

#[test]
fn a_monitor_makes_no_result_and_no_error_of_it() {
    let mut host = Host::new(vec![created(), fail(Failure::Io), dark(), ok()]);
    host.pass(30);
    assert_eq!(host.errors(), [Status::Io]);
    assert_eq!(host.count(Kind::Recovered), 1, "it was failing");
    assert_eq!(host.count(Kind::Result), 0);
    assert_eq!(host.monitor.info().unwrap().last_status, Status::Blind);
    host.pass(30);
    assert_eq!(host.count(Kind::Result), 1);
    assert_eq!(host.count(Kind::Recovered), 1, "told before");
    assert_eq!(stalls(&host), []);
    assert_eq!(host.count(Kind::CameraBack), 0, "one dark picture is none");
}

#[test]
fn a_minute_of_it_is_a_camera_that_has_stalled() {
    let mut host = Host::new(vec![created(), ok(), dark(), dark(), dark(), dark(), ok()]);
    host.pass(1);
    host.mark();
    // At 20, 50, 80 and 110 s, by the interval that comes with them.
    host.pass(78);
    assert_eq!(stalls(&host), []);
    host.pass(40);
    assert_eq!(stalls(&host), [Status::Blind], "once");
    assert_eq!(host.times(Kind::CameraStalled), [79]);
    assert_eq!((host.errors(), host.count(Kind::Result)), (vec![], 0));
    host.pass(25);
    assert_eq!(host.count(Kind::CameraBack), 1);
    assert_eq!(host.count(Kind::Result), 1);
}
