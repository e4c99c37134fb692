//! The real engine behind the client: the demo's print, played as a recording.
#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use std::path::Path;

use oe_core::error::Status;
use oe_core::platform::clock::World;
use oe_core::rules::confidence::Confidence;
use oe_core::rules::region::Region;
use oe_core::session::Session;
use oe_core::session::outcome::{Outcome, flags};
use oe_core::session::print_options::PrintOptions;

use super::*;

/// The demo's print, whose last pictures stay in view for a while.
const PRINT: [i64; 18] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 11, 12, 11, 12, 11, 12,
];
/// So many of them are fine; in the next, strands are loose.
const FINE: usize = 6;
/// The pace of the recording, in seconds.
const PACE: i64 = 20;
/// When it was recorded.
const STARTED: i64 = 1_700_000_000_000;

fn client() -> Arc<Client> {
    let mut options = Options::default();
    options.set_backend(1).unwrap();
    client_of(&options)
}

fn client_of(options: &Options) -> Arc<Client> {
    let shared = embedded::shared();
    let turns = Arc::clone(&shared.turns);
    Client::with_engine(options, World::default(), turns, |setup| shared.load(setup)).unwrap()
}

fn picture(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn frame(number: i64) -> Vec<u8> {
    picture(&format!("demo/frames/frame-{number:02}.jpg"))
}

fn replay() -> PrintOptions {
    PrintOptions {
        replay: true,
        ..PrintOptions::default()
    }
}

/// Plays these pictures of the print.
fn play(session: &Session, which: std::ops::Range<usize>) -> Vec<Outcome> {
    let play = |nth: usize| {
        let captured = STARTED + nth as i64 * PACE * 1_000;
        session.process(&frame(PRINT[nth]), Some(captured)).unwrap()
    };
    which.map(play).collect()
}

#[test]
fn the_demo_s_print_falls_warns_and_pauses() {
    let session = client().create_context_with(replay()).unwrap();
    let seen = play(&session, 0..PRINT.len());
    let told: Vec<_> = seen
        .iter()
        .map(|o| (o.print_quality, o.score, o.flags, o.place))
        .collect();
    let (fine, failing) = seen.split_at(FINE);
    for outcome in fine {
        assert!(outcome.print_quality >= 6, "{told:?}");
        assert_eq!(outcome.flags, flags::EMBEDDED, "{told:?}");
        assert_eq!(outcome.place, None, "{told:?}");
    }
    let last = failing.last().unwrap();
    assert!(last.print_quality <= 3 && last.score >= 50, "{told:?}");
    assert!(last.warning_suggested && last.pause_suggested, "{told:?}");
    assert!(last.place.is_some(), "{told:?}");
    for edge in [flags::WARNING_EDGE, flags::PAUSE_EDGE] {
        let rose = failing.iter().filter(|outcome| outcome.flags & edge != 0);
        assert_eq!(rose.count(), 1, "{told:?}");
    }
    assert!(
        seen.iter()
            .any(|outcome| outcome.faster_inspection_suggested)
    );
}

/// Saved in mid-print, it says what it would have said; with the model of a file too, if that is the same.
#[test]
fn a_print_goes_on_after_a_restart() {
    let (one, other) = (client(), client());
    let session = one.create_context_with(replay()).unwrap();
    play(&session, 0..11);
    let saved = session.save();
    assert!(saved.len() <= 8 * 1024, "{}", saved.len());
    let again = other.restore(&saved).unwrap();
    let both = [&session, &again].map(|session| play(session, 11..PRINT.len()));
    let told = |seen: &[Outcome]| -> Vec<_> {
        let one = |o: &Outcome| (o.print_quality, o.score, o.flags, o.place);
        seen.iter().map(one).collect()
    };
    assert_eq!(told(&both[0]), told(&both[1]));
    // A belief that cannot be.
    let at = saved.find("belief\\\":[").unwrap();
    let number = at + "belief\\\":[".len();
    let worse = format!("{}7{}", &saved[..number], &saved[number..]);
    assert_eq!(other.restore(&worse).unwrap_err().status, Status::Argument);
}

/// A region that is ignored is not where it looks failed.
#[test]
fn what_is_ignored_is_not_judged() {
    let all = client().create_context_with(replay()).unwrap();
    let seen = play(&all, 0..PRINT.len());
    let place = seen.last().unwrap().place.unwrap();
    let (x, y) = (place.x().saturating_sub(100), place.y().saturating_sub(100));
    let width = (place.width() + 200).min(1_000 - x);
    let height = (place.height() + 200).min(1_000 - y);
    let wide = Region::new(x, y, width, height).unwrap();
    let options = PrintOptions {
        ignore: vec![wide],
        ..replay()
    };
    let rest = client().create_context_with(options).unwrap();
    let last = *play(&rest, 0..PRINT.len()).last().unwrap();
    assert!(last.score < 50 && !last.warning_suggested, "{last:?}");
}

#[test]
fn pictures_of_nothing_and_no_pictures() {
    let session = client().create_context_with(replay()).unwrap();
    let look = |path: &str, sec: i64| {
        let result = session.process(&picture(path), Some(STARTED + sec * 1_000));
        result
            .map(|outcome| outcome.print_quality)
            .map_err(|error| (error.status, error.text))
    };
    let (status, text) = look("engine/tests/pictures/black.jpg", 0).unwrap_err();
    assert_eq!(status, Status::Blind, "{text}");
    assert_eq!(session.info().last_quality, 0, "never seen is not perfect");
    let (status, text) = look("engine/tests/pictures/arithmetic.jpg", 20).unwrap_err();
    assert_eq!(status, Status::ImageRejected);
    assert!(text.contains("While looking at the picture: "), "{text}");
    assert!(look("demo/frames/frame-01.jpg", 40).unwrap() >= 6);
}

/// What is believed stays when the levels change, and the next verdict is by the new ones.
#[test]
fn levels_count_from_the_next_verdict_on() {
    let level = |level| Confidence::new(level).unwrap();
    let warned = |change: bool| {
        let options = PrintOptions {
            warning: level(5),
            pause: level(5),
            ..replay()
        };
        let session = client().create_context_with(options).unwrap();
        let before = play(&session, 0..11);
        assert!(before.iter().all(|outcome| !outcome.warning_suggested));
        if change {
            session.set_confidence(level(1), level(5));
        }
        let next = play(&session, 11..12)[0];
        (next.print_quality, next.warning_suggested)
    };
    let (quality, at_five) = warned(false);
    assert_eq!((warned(true), at_five), ((quality, true), false));
}

/// A picture takes more than there is for one client, and not for another.
#[test]
fn a_client_has_the_picture_memory_that_it_was_given() {
    let look = |mb: u32| {
        let mut options = Options::default();
        options.set_backend(1).unwrap();
        options.set_picture_memory_mb(mb).unwrap();
        let session = client_of(&options).create_context_with(replay()).unwrap();
        let picture = picture("engine/tests/pictures/50mp-flat-progressive.jpg");
        session.process(&picture, Some(STARTED)).unwrap_err()
    };
    for (mb, budget) in [(0, "32000000"), (64, "64000000")] {
        let error = look(mb);
        assert_eq!(error.status, Status::ImageRejected);
        assert!(error.text.contains(budget), "{}", error.text);
    }
    assert_eq!(
        look(200).status,
        Status::Blind,
        "decoded, and of one colour"
    );
}
