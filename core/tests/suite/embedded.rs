//! The embedded backend over an engine that follows a script: what a look makes of a print, what is
//! saved, what ends it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::*;
use oe_core::account::config::Options;
use oe_core::backend::embedded::Turns;
use oe_core::client::Client;
use oe_core::engine::{Engine, Look, LookError, Opinion, Seen, Setup};
use oe_core::error::{Due, Error, Status};
use oe_core::monitor::Kind;
use oe_core::platform::clock::{Clock, Spawn, World};
use oe_core::rules::confidence::Confidence;
use oe_core::rules::region::Region;
use oe_core::session::Session;
use oe_core::session::outcome::{Outcome, flags};
use oe_core::session::print_options::PrintOptions;

/// What the engine does with a picture.
#[derive(Clone)]
enum Act {
    /// The flags of its opinion.
    Say(bool, bool),
    Nothing,
    Fail(LookError),
    /// Looks for so long that it is stopped; each time that it asks, so much time has passed.
    Hang(Duration),
    /// Says that all is well once the gate is open.
    Gated(Arc<Gate>),
    Panic,
}

/// What it was asked.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    at: Duration,
    belief: Option<String>,
    levels: (Option<u8>, Option<u8>),
    ignore: Vec<Region>,
}

struct Scripted {
    model: &'static str,
    acts: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<Asked>>,
    clock: Arc<FakeClock>,
}

impl Engine for Scripted {
    fn model(&self) -> &str {
        self.model
    }

    fn accepts(&self, belief: &str) -> bool {
        belief.starts_with("belief ")
    }

    fn look(&self, look: &Look<'_>) -> Result<Seen, LookError> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Asked {
                at: look.at,
                belief: look.belief.map(str::to_owned),
                levels: (look.warning.level(), look.pause.level()),
                ignore: look.ignore.to_vec(),
            });
            asked.len()
        };
        let act = self.acts.lock().unwrap().pop_front();
        let (warning, pause) = match act.unwrap_or(Act::Say(false, false)) {
            Act::Say(warning, pause) => (warning, pause),
            Act::Nothing => return Ok(Seen::Nothing),
            Act::Fail(why) => return Err(why),
            Act::Hang(step) => {
                while !(look.stop)() {
                    self.clock.advance(step);
                    std::thread::yield_now();
                }
                return Err(LookError::Stopped);
            }
            Act::Gated(gate) => {
                gate.reach_and_wait();
                (false, false)
            }
            Act::Panic => panic!("a bug"),
        };
        Ok(Seen::Opinion(Opinion {
            quality: if warning { 2 } else { 9 },
            score: if warning { 80 } else { 4 },
            warning,
            pause,
            faster: false,
            place: warning.then(place),
            belief: format!("belief {number}"),
        }))
    }
}

fn place() -> Region {
    Region::new(100, 200, 300, 400).unwrap()
}

/// A client over a scripted engine.
struct Eyes {
    clock: Arc<FakeClock>,
    engine: Arc<Scripted>,
    client: Arc<Client>,
}

struct NoThreads;

impl Spawn for NoThreads {
    fn spawn(&self, _: &'static str, _: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        Ok(())
    }
}

impl Eyes {
    fn new(acts: &[Act]) -> Eyes {
        Eyes::with("model 1", Arc::new(FakeClock::new()), 1, acts, |_| {})
    }

    fn with(
        model: &'static str,
        clock: Arc<FakeClock>,
        at_once: usize,
        acts: &[Act],
        set: impl FnOnce(&mut Options),
    ) -> Eyes {
        let engine = Arc::new(Scripted {
            model,
            acts: Mutex::new(acts.iter().cloned().collect()),
            asked: Mutex::default(),
            clock: Arc::clone(&clock),
        });
        let mut options = Options::default();
        options.set_backend(1).unwrap();
        set(&mut options);
        let world = World {
            clock: Arc::clone(&clock) as _,
            spawn: Arc::new(NoThreads),
            ..World::default()
        };
        let turns = Arc::new(Turns::new(at_once));
        let load = |setup: Setup| {
            assert_eq!(setup, Setup::default());
            Ok(Arc::clone(&engine) as Arc<dyn Engine>)
        };
        let client = Client::with_engine(&options, world, turns, load).unwrap();
        Eyes {
            clock,
            engine,
            client,
        }
    }

    fn print(&self, options: PrintOptions) -> Arc<Session> {
        self.client.create_context_with(options).unwrap()
    }

    fn printing(acts: &[Act]) -> (Eyes, Arc<Session>) {
        let eyes = Eyes::new(acts);
        let session = eyes.print(PrintOptions::default());
        (eyes, session)
    }

    fn asked(&self) -> Vec<Asked> {
        self.engine.asked.lock().unwrap().clone()
    }

    /// The next picture, when it is due.
    fn next(&self, session: &Session) -> Result<Outcome, Error> {
        self.clock.advance(wait_of(session));
        session.process(&frame(self.asked().len()), None)
    }
}

#[test]
fn it_needs_no_key_and_has_no_account() {
    let (eyes, session) = Eyes::printing(&[]);
    let outcome = session.process(&frame(0), None).unwrap();
    assert_eq!((outcome.print_quality, outcome.score), (9, 4));
    assert_eq!(
        (
            outcome.minimum_interval_sec,
            outcome.recommended_interval_sec
        ),
        (5, 20)
    );
    assert_eq!(outcome.flags, flags::EMBEDDED);
    assert_eq!(outcome.next_due_ms, 20_000);
    assert_eq!(status_of(eyes.client.check_key()), Status::Unsupported);
    assert_eq!(status_of(session.renew()), Status::Unsupported);
    assert!(!session.info().using_fallback);
    let usage = eyes.client.usage();
    assert_eq!((usage.bytes_sent, usage.bytes_received), (0, 0));
    assert_eq!((usage.creates, usage.processed, usage.failed), (1, 1, 0));
}

/// What is set beside it for the service is not looked at, but a refused setter still counts.
#[test]
fn what_the_service_needs_is_ignored_unless_it_was_refused() {
    let eyes = Eyes::with("m", Arc::new(FakeClock::new()), 1, &[], |options| {
        options.set_endpoint(Some("http://127.0.0.1:1")).unwrap();
        options.set_proxy(Some("http://127.0.0.1:1")).unwrap();
    });
    assert!(eyes.client.create_due() == Due::In(Duration::ZERO));
    let client = |set: fn(&mut Options), load: Result<(), &str>| {
        let mut options = Options::default();
        options.set_backend(1).unwrap();
        set(&mut options);
        let engine = Arc::clone(&eyes.engine);
        let turns = Arc::new(Turns::new(1));
        let made = Client::with_engine(&options, World::default(), turns, |_| {
            load.map_err(str::to_owned)?;
            Ok(engine as Arc<dyn Engine>)
        });
        made.map(drop).unwrap_err()
    };
    let refused = |options: &mut Options| {
        let wrong = Err(Error::local(Status::Argument));
        options.note(oe_core::account::config::Setting::ApiKey, &wrong);
    };
    assert_eq!(client(refused, Ok(())).status, Status::Argument);
    let error = client(|_| {}, Err("the model file is cut off"));
    assert_eq!(error.status, Status::Model);
    assert_eq!(error.text, "the model file is cut off");
    let missing = |options: &mut Options| options.set_model_file(Some("/nowhere/m")).unwrap();
    let error = client(missing, Ok(()));
    assert_eq!(error.status, Status::Model);
    assert!(error.text.contains("not found"), "{}", error.text);
}

/// How each look ends: the status, when the next is due, and what is counted.
#[test]
fn each_outcome_has_its_status_and_its_wait() {
    let hang = Act::Hang(Duration::from_secs(1));
    let picture = Act::Fail(LookError::Picture("it is cut off".into()));
    let model = Act::Fail(LookError::Model("it gave no number".into()));
    let memory = Act::Fail(LookError::Resources("no memory".into()));
    for (act, status, row, words) in [
        (Act::Say(true, true), Status::Ok, false, ""),
        (Act::Nothing, Status::Blind, false, "nothing to judge"),
        (picture, Status::ImageRejected, false, "it is cut off"),
        (model, Status::Model, true, "it gave no number"),
        (memory, Status::Resources, true, "no memory"),
        (hang, Status::Timeout, true, "deadline"),
    ] {
        let acts = vec![act; 8];
        let (eyes, session) = Eyes::printing(&acts);
        let mut waits = Vec::new();
        for n in 0..8 {
            let result = eyes.next(&session);
            if let Err(error) = &result {
                assert!(error.text.contains(words), "{}", error.text);
                assert!(!error.text.contains("host"), "{}", error.text);
            }
            assert_eq!(status_of(result), status, "{n}");
            assert_eq!(session.info().last_status, status);
            waits.push(wait_of(&session).as_secs());
        }
        let info = session.info();
        assert!(!info.using_fallback, "{status:?} switches nothing");
        assert_eq!(eyes.client.usage().latched, None);
        let failed = status.is_error();
        assert_eq!(eyes.client.usage().failed, if failed { 8 } else { 0 });
        assert_eq!(waits[0], if row { waits[0].clamp(20, 24) } else { 20 });
        let grows = row || status == Status::ImageRejected;
        assert_eq!(waits[7] >= 240, grows, "{status:?}: {waits:?}");
        assert!(waits[7] <= 360, "{status:?}: {waits:?}");
        // The next good one ends it.
        eyes.next(&session).unwrap();
        assert_eq!(wait_of(&session), Duration::from_secs(20));
        assert_eq!(session.info().failures_in_a_row, 0);
    }
}

#[test]
fn nothing_to_judge_ends_a_row_of_failures_and_leaves_what_was_believed() {
    let model = Act::Fail(LookError::Model("x".into()));
    let acts = [
        Act::Say(true, false),
        model.clone(),
        model,
        Act::Nothing,
        Act::Say(true, false),
    ];
    let (eyes, session) = Eyes::printing(&acts);
    session.set_interval_sec(7).unwrap();
    assert_eq!(eyes.next(&session).unwrap().flags & 3, flags::WARNING_EDGE);
    for _ in 0..2 {
        assert_eq!(status_of(eyes.next(&session)), Status::Model);
    }
    assert_eq!(session.info().failures_in_a_row, 2);
    assert_eq!(status_of(eyes.next(&session)), Status::Blind);
    assert_eq!(session.info().failures_in_a_row, 0);
    assert_eq!(session.info().last_quality, 2, "as before");
    assert_eq!(wait_of(&session).as_secs(), 7, "the host's interval");
    let outcome = eyes.next(&session).unwrap();
    assert_eq!(outcome.flags & flags::WARNING_EDGE, 0, "the same episode");
    let beliefs: Vec<_> = eyes.asked().into_iter().map(|asked| asked.belief).collect();
    let first = Some("belief 1".to_owned());
    assert_eq!(beliefs[0], None);
    assert!(beliefs[1..].iter().all(|belief| *belief == first));
}

/// The deadline holds while it looks, and while it waits for its turn.
#[test]
fn the_timeout_bounds_waiting_and_looking() {
    let set = |options: &mut Options| options.set_timeout_ms(30_000).unwrap();
    let clock = Arc::new(FakeClock::new());
    let step = Duration::from_millis(250);
    let eyes = Eyes::with("m", Arc::clone(&clock), 1, &[Act::Hang(step)], set);
    let session = eyes.print(PrintOptions::default());
    let before = clock.now();
    let error = session.process(&frame(0), None).unwrap_err();
    assert_eq!(error.status, Status::Timeout);
    assert_eq!(clock.now() - before, Duration::from_secs(30));

    let gate = Arc::new(Gate::default());
    let acts = [Act::Gated(Arc::clone(&gate))];
    let eyes = Eyes::with("m", Arc::clone(&clock), 1, &acts, set);
    let (one, other) = (
        eyes.print(PrintOptions::default()),
        eyes.print(PrintOptions::default()),
    );
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| status_of(one.process(&frame(0), None)));
        gate.wait_until_reached();
        let waiting = scope.spawn(|| status_of(other.process(&frame(1), None)));
        while other.info().calls == 0 {
            std::thread::yield_now();
        }
        // The deadline was set before or is set after this; the clock goes on until it has passed.
        while !waiting.is_finished() {
            clock.advance_secs(1);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(waiting.join().unwrap(), Status::Timeout);
        assert_eq!(eyes.asked().len(), 1, "it never was its turn");
        gate.open();
        assert_eq!(looking.join().unwrap(), Status::Ok);
    });
    // Whoever waited in vain holds nobody up.
    eyes.next(&one).unwrap();
    eyes.next(&other).unwrap();
}

/// As many at once as there are processors, and no more.
#[test]
fn so_many_look_at_once() {
    let gates: Vec<_> = (0..3).map(|_| Arc::new(Gate::default())).collect();
    let acts: Vec<_> = gates.iter().cloned().map(Act::Gated).collect();
    let eyes = Eyes::with("m", Arc::new(FakeClock::new()), 2, &acts, |_| {});
    let prints: Vec<_> = (0..3)
        .map(|_| eyes.print(PrintOptions::default()))
        .collect();
    std::thread::scope(|scope| {
        for (n, print) in prints.iter().enumerate() {
            scope.spawn(move || print.process(&frame(n), None).unwrap());
        }
        gates[0].wait_until_reached();
        gates[1].wait_until_reached();
        std::thread::sleep(Duration::from_millis(120));
        assert_eq!(eyes.asked().len(), 2);
        gates[1].open();
        gates[2].wait_until_reached();
        gates[0].open();
        gates[2].open();
    });
    assert_eq!(eyes.asked().len(), 3);
}

/// Whoever was cancelled while it waited had no turn, and gives none back.
#[test]
fn a_wait_in_vain_adds_no_turn() {
    let gate = Arc::new(Gate::default());
    let acts = [Act::Gated(Arc::clone(&gate))];
    let eyes = Eyes::with("m", Arc::new(FakeClock::new()), 1, &acts, |_| {});
    let prints: Vec<_> = (0..3)
        .map(|_| eyes.print(PrintOptions::default()))
        .collect();
    std::thread::scope(|scope| {
        let begin = |n: usize| {
            let print = &prints[n];
            let call = scope.spawn(move || status_of(print.process(&frame(n), None)));
            while print.info().calls == 0 {
                std::thread::yield_now();
            }
            call
        };
        let looking = begin(0);
        gate.wait_until_reached();
        let cancelled = begin(1);
        prints[1].cancel();
        assert_eq!(cancelled.join().unwrap(), Status::Cancelled);
        let waiting = begin(2);
        std::thread::sleep(Duration::from_millis(120));
        let began = eyes.asked().len();
        gate.open();
        assert_eq!(looking.join().unwrap(), Status::Ok);
        assert_eq!(waiting.join().unwrap(), Status::Ok);
        assert_eq!(began, 1, "two look at once");
    });
}

/// A picture that the engine refuses was an attempt: an error, and the next verdict its end.
#[test]
fn a_monitor_tells_of_a_picture_that_the_engine_refused() {
    let eyes = Eyes::new(&[Act::Fail(LookError::Picture("it is cut off".into()))]);
    let unset = Confidence::default();
    let monitor = eyes.client.start_monitor(unset, unset, 1).unwrap();
    let mut told = Vec::new();
    for second in 0..30 {
        monitor.submit(&frame(second), None).unwrap();
        eyes.client.turn_monitors();
        while let Some(event) = eyes.client.next_event(Some(Duration::ZERO)).unwrap() {
            if event.kind != Kind::FrameWanted {
                told.push((event.kind, event.status));
            }
        }
        eyes.clock.advance_secs(1);
    }
    let expected = [
        (Kind::Error, Status::ImageRejected),
        (Kind::Recovered, Status::Ok),
        (Kind::Result, Status::Ok),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_cancel_and_a_free_end_a_look() {
    // No time passes: only the cancel ends it.
    let hang = Act::Hang(Duration::ZERO);
    for end in [Session::cancel, Session::close] {
        let (eyes, session) = Eyes::printing(std::slice::from_ref(&hang));
        std::thread::scope(|scope| {
            let call = scope.spawn(|| status_of(session.process(&frame(0), None)));
            while eyes.asked().is_empty() {
                std::thread::yield_now();
            }
            end(&session);
            assert_eq!(call.join().unwrap(), Status::Cancelled);
        });
        assert_eq!(wait_of(&session), Duration::ZERO, "nothing was sent");
    }
}

#[test]
fn a_bug_of_the_engine_frees_the_print_and_the_turn() {
    let (eyes, session) = Eyes::printing(&[Act::Panic]);
    let call = || session.process(&frame(0), None);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    assert!(ended.is_err());
    assert_eq!(session.info().last_status, Status::Panic);
    eyes.next(&session).unwrap();
}

/// With which model, and on which clock, a text is read again.
#[test]
fn what_is_believed_survives_a_restart_and_no_other_model() {
    let (eyes, session) = Eyes::printing(&[Act::Say(true, true)]);
    eyes.next(&session).unwrap();
    let saved = session.save();
    assert!(saved.len() < 8 * 1024 && saved.is_ascii());
    eyes.clock.advance_secs(100);
    for (model, belief) in [("model 1", Some("belief 1")), ("model 2", None)] {
        let acts = [Act::Say(true, true)];
        let again = Eyes::with(model, Arc::clone(&eyes.clock), 1, &acts, |_| {});
        let session = again.client.restore(&saved).unwrap();
        assert_eq!(session.info().calls, 1);
        let outcome = again.next(&session).unwrap();
        let asked = &again.asked()[0];
        assert_eq!(asked.belief.as_deref(), belief, "{model}");
        assert!(asked.at >= Duration::from_secs(100), "time went on");
        assert_eq!(outcome.flags & 3, 0, "the episode goes on");
    }
}

#[test]
fn texts_that_are_damaged_or_of_the_service_are_refused() {
    let (eyes, session) = Eyes::printing(&[]);
    eyes.next(&session).unwrap();
    let saved = session.save();
    let (rig, of_service) = Rig::printing(vec![]);
    let refused = |text: &str| status_of(eyes.client.restore(text));
    assert_eq!(refused(&of_service.save()), Status::Argument);
    assert_eq!(status_of(rig.client.restore(&saved)), Status::Argument);
    for (what, with) in [
        ("belief 1", "believe 1"),
        ("\"belief 1\"", "7"),
        ("\"warning_level\":0", "\"warning_level\":6"),
        ("\"model 1\"", "null"),
        ("}", ""),
    ] {
        assert!(saved.contains(what));
        assert_eq!(
            refused(&saved.replacen(what, with, 1)),
            Status::Argument,
            "{what}"
        );
    }
    let long = saved.replacen("belief 1", &format!("belief {}", "1".repeat(4_096)), 1);
    assert_eq!(refused(&long), Status::Argument);
    // What is not the embedded engine's is not taken over.
    let elsewhere = saved.replacen("\"using_fallback\":false", "\"using_fallback\":true", 1);
    assert_ne!(elsewhere, saved);
    let session = eyes.client.restore(&elsewhere).unwrap();
    let outcome = eyes.next(&session).unwrap();
    assert_eq!(outcome.flags, flags::EMBEDDED);
}

fn regions(of: &[[u16; 4]]) -> Vec<Region> {
    let region = |[x, y, width, height]: &[u16; 4]| Region::new(*x, *y, *width, *height).unwrap();
    of.iter().map(region).collect()
}

#[test]
fn levels_and_regions_go_with_every_look_and_are_saved() {
    let eyes = Eyes::new(&[]);
    let options = PrintOptions {
        warning: Confidence::new(2).unwrap(),
        pause: Confidence::new(5).unwrap(),
        interval_sec: 60,
        ignore: regions(&[[0, 0, 100, 1000], [900, 900, 100, 100]]),
        replay: false,
    };
    let session = eyes.print(options.clone());
    eyes.next(&session).unwrap();
    assert_eq!(wait_of(&session).as_secs(), 60);
    let again = eyes.client.restore(&session.save()).unwrap();
    eyes.next(&again).unwrap();
    assert_eq!(wait_of(&again).as_secs(), 60);
    for asked in eyes.asked() {
        assert_eq!(asked.levels, (Some(2), Some(5)));
        assert_eq!(asked.ignore, options.ignore);
    }
    let saved = session.save();
    for (from, to) in [
        ("[0,0,100,1000]", "[0,0,0,1000]"),
        ("[0,0,100,1000]", "[0,0,1000,1000]"),
    ] {
        assert!(saved.contains(from));
        let damaged = saved.replacen(from, to, 1);
        assert_eq!(status_of(eyes.client.restore(&damaged)), Status::Argument);
    }
    let refused = |options| status_of(eyes.client.create_context_with(options));
    let of = |ignore: &[[u16; 4]]| PrintOptions {
        ignore: regions(ignore),
        ..PrintOptions::default()
    };
    assert_eq!(refused(of(&[[0, 0, 1000, 1000]])), Status::Argument);
    assert_eq!(refused(of(&[[1, 0, 1, 1]; 9])), Status::Argument);
    let late = PrintOptions {
        interval_sec: 1_209_601,
        ..PrintOptions::default()
    };
    assert_eq!(refused(late), Status::Argument);
}

#[test]
fn the_service_has_no_regions_and_plays_nothing() {
    let rig = Rig::new(vec![]);
    let replay = PrintOptions {
        replay: true,
        ..PrintOptions::default()
    };
    let ignore = PrintOptions {
        ignore: regions(&[[0, 0, 1, 1]]),
        ..PrintOptions::default()
    };
    for options in [replay, ignore] {
        let made = rig.client.create_context_with(options);
        assert_eq!(status_of(made), Status::Unsupported);
    }
    assert!(rig.script.seen().is_empty());
}

#[test]
fn edges_rise_once_and_not_from_repeated_or_old_pictures() {
    let bad = Act::Say(true, true);
    let good = Act::Say(false, false);
    let acts = [
        bad.clone(),
        bad.clone(),
        good,
        bad.clone(),
        bad.clone(),
        bad,
    ];
    let (eyes, session) = Eyes::printing(&acts);
    let both = flags::WARNING_EDGE | flags::PAUSE_EDGE;
    let edges = |outcome: &Outcome| outcome.flags & both;
    let first = eyes.next(&session).unwrap();
    assert_eq!((edges(&first), first.place), (both, Some(place())));
    assert_eq!(edges(&eyes.next(&session).unwrap()), 0);
    let fine = eyes.next(&session).unwrap();
    assert_eq!((edges(&fine), fine.place), (0, None));
    eyes.clock.advance_secs(300);
    // The same bytes as those of the fine one.
    let repeated = session.process(&frame(2), None).unwrap();
    assert_eq!(repeated.flags, flags::EMBEDDED | flags::REPEATED_FRAME);
    eyes.clock.advance(wait_of(&session));
    let old = eyes.clock.wall_ms() - 31_000;
    let stale = session.process(&frame(50), Some(old));
    assert_eq!(status_of(stale), Status::StaleFrame);
    // From the future: as from now.
    let future = eyes.clock.wall_ms() + 100_000;
    let outcome = session.process(&frame(51), Some(future)).unwrap();
    assert_eq!((edges(&outcome), outcome.frame_age_ms), (both, 0));
}

/// When each picture was taken is told on a clock that never goes back.
#[test]
fn the_engine_is_told_when_a_picture_was_taken() {
    let (eyes, session) = Eyes::printing(&[]);
    let at = |age_ms: i64| {
        eyes.clock.advance(wait_of(&session));
        let taken = eyes.clock.wall_ms() - age_ms;
        session
            .process(&frame(eyes.asked().len()), Some(taken))
            .unwrap();
    };
    at(0);
    at(5_000);
    at(29_000);
    eyes.clock.suspend(Duration::from_secs(1_000));
    at(0);
    let told: Vec<_> = eyes
        .asked()
        .iter()
        .map(|asked| asked.at.as_secs())
        .collect();
    assert_eq!(told, [0, 15, 15, 1_060]);
}

const HOUR: i64 = 3_600_000;

#[test]
fn a_recording_is_played_at_its_own_pace() {
    let fails = Act::Fail(LookError::Model("x".into()));
    let good = Act::Say(false, false);
    let eyes = Eyes::new(&[good.clone(), good.clone(), good.clone(), fails]);
    let session = eyes.print(PrintOptions {
        replay: true,
        ..PrintOptions::default()
    });
    let started = 1_600_000_000_000;
    let play = |session: &Session, ms: i64| {
        let result = session.process(&frame(ms as usize), Some(started + ms));
        assert_eq!(session.due(), Due::In(Duration::ZERO));
        session.wait_due().unwrap();
        result
    };
    for (ms, status) in [
        (0, Status::Ok),
        (1, Status::NotDue),
        (19_999, Status::NotDue),
        (20_000, Status::Ok),
        (19_999, Status::Argument),
        (20_000, Status::NotDue),
        (HOUR, Status::Ok),
        (HOUR + 20_000, Status::Model),
        (HOUR + 39_000, Status::NotDue),
    ] {
        let result = play(&session, ms);
        if let Ok(outcome) = &result {
            assert_eq!(outcome.frame_age_ms, 0, "a recording is as old as it is");
            assert_eq!(outcome.flags, flags::EMBEDDED);
            assert_eq!(
                outcome.next_due_ms, 20_000,
                "until the next of its pictures"
            );
        }
        assert_eq!(status_of(result), status, "{ms}");
    }
    // The clock of the device stood still all the time; it may go on, too.
    eyes.clock.advance_secs(7);
    let saved = session.save();
    let again = eyes.client.restore(&saved).unwrap();
    assert_eq!(status_of(play(&again, HOUR + 19_999)), Status::Argument);
    assert_eq!(status_of(play(&again, HOUR + 20_001)), Status::NotDue);
    assert_eq!(status_of(play(&again, 2 * HOUR)), Status::Ok);
    let told: Vec<_> = eyes
        .asked()
        .iter()
        .map(|asked| asked.at.as_millis())
        .collect();
    let hour = HOUR as u128;
    let since = |ms: u128| 1_600_000_000_000 + ms;
    assert_eq!(
        told,
        [
            since(0),
            since(20_000),
            since(hour),
            since(hour + 20_000),
            since(2 * hour)
        ]
    );
}

/// Warnings of a recording are 300 s apart on its own clock.
#[test]
fn a_recording_s_edges_follow_its_clock() {
    let (bad, good) = (Act::Say(true, false), Act::Say(false, false));
    let eyes = Eyes::new(&[bad.clone(), good.clone(), bad.clone(), good, bad]);
    let session = eyes.print(PrintOptions {
        replay: true,
        ..PrintOptions::default()
    });
    let edges = [0, 100, 200, 300, 400].map(|sec: i64| {
        let captured = 1_600_000_000_000 + sec * 1_000;
        let outcome = session
            .process(&frame(sec as usize), Some(captured))
            .unwrap();
        outcome.flags & flags::WARNING_EDGE
    });
    assert_eq!(edges, [1, 0, 0, 0, 1]);
}

/// A print lives 14 days; a monitor then gives it up, as there is nobody to renew it at.
#[test]
fn a_print_of_14_days_is_over() {
    let (eyes, session) = Eyes::printing(&[]);
    let unset = Confidence::default();
    let monitor = eyes.client.start_monitor(unset, unset, 5).unwrap();
    monitor.submit(&frame(0), None).unwrap();
    eyes.client.turn_monitors();
    let event = |wanted: Kind| {
        let mut events = Vec::new();
        while let Some(event) = eyes.client.next_event(Some(Duration::ZERO)).unwrap() {
            events.push(event);
        }
        let found = events.iter().find(|event| event.kind == wanted);
        found.cloned().unwrap_or_else(|| panic!("{events:?}"))
    };
    let outcome = event(Kind::Result).outcome.unwrap();
    assert_eq!(outcome.flags, flags::EMBEDDED);
    eyes.clock.advance_secs(14 * 24 * 3_600 + 1);
    assert_eq!(
        status_of(session.process(&frame(1), None)),
        Status::ContextLost
    );
    assert_eq!(session.due(), Due::Never);
    eyes.client.turn_monitors();
    let stopped = event(Kind::Stopped);
    assert_eq!((stopped.status, stopped.tag), (Status::ContextLost, 5));
    assert_eq!(status_of(monitor.info()), Status::Closed);
    assert_eq!(eyes.client.usage().creates, 2, "nothing was renewed");
}

/// Regions go with a monitor too, also when it is saved before its print has begun; a recording does not.
#[test]
fn a_monitor_has_regions_and_plays_no_recording() {
    let ignore = regions(&[[0, 0, 100, 1000]]);
    let options = PrintOptions {
        ignore: ignore.clone(),
        ..PrintOptions::default()
    };
    let eyes = Eyes::new(&[]);
    let monitor = eyes.client.start_monitor_with(options, 1).unwrap();
    let early = monitor.save().unwrap();
    let look = |monitor: &oe_core::monitor::Monitor| {
        monitor.submit(&frame(eyes.asked().len()), None).unwrap();
        eyes.clock.advance_secs(30);
        monitor
            .submit(&frame(eyes.asked().len() + 50), None)
            .unwrap();
        eyes.client.turn_monitors();
    };
    look(&monitor);
    let late = monitor.save().unwrap();
    monitor.stop();
    for text in [&early, &late] {
        let again = eyes.client.start_saved_monitor(text, 1).unwrap();
        look(&again);
        again.stop();
    }
    let asked = eyes.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.ignore == ignore));
    assert_eq!(asked[2].belief.as_deref(), Some("belief 1"));

    let rig = Rig::new(vec![]);
    for text in [&early, &late] {
        let refused = rig.client.start_saved_monitor(text, 1);
        assert_eq!(status_of(refused), Status::Argument);
    }
    let replay = PrintOptions {
        replay: true,
        ..PrintOptions::default()
    };
    let refused = eyes.client.start_monitor_with(replay.clone(), 1);
    assert_eq!(status_of(refused), Status::Argument);
    let recording = eyes.print(replay).save();
    let refused = eyes.client.start_saved_monitor(&recording, 1);
    assert_eq!(status_of(refused), Status::Argument);
}

/// Levels that change count from the next picture on, and a monitor renews for them at a service only.
#[test]
fn levels_change_while_it_prints() {
    let (eyes, session) = Eyes::printing(&[]);
    eyes.next(&session).unwrap();
    let level = |level| Confidence::new(level).unwrap();
    session.set_confidence(level(1), level(5));
    eyes.next(&session).unwrap();
    let told: Vec<_> = eyes.asked().iter().map(|asked| asked.levels).collect();
    assert_eq!(told, [(None, None), (Some(1), Some(5))]);
    assert_eq!(eyes.asked()[1].belief.as_deref(), Some("belief 1"), "kept");

    let unset = Confidence::default();
    let monitor = eyes.client.start_monitor(unset, unset, 1).unwrap();
    monitor.submit(&frame(7), None).unwrap();
    eyes.client.turn_monitors();
    let creates = eyes.client.usage().creates;
    monitor.set_confidence(level(2), level(2)).unwrap();
    eyes.clock.advance_secs(20);
    monitor.submit(&frame(8), None).unwrap();
    eyes.client.turn_monitors();
    let last = eyes.asked().pop().unwrap();
    assert_eq!(last.levels, (Some(2), Some(2)));
    assert_eq!(eyes.client.usage().creates, creates);
}

/// A monitor's text says whose it is, also before its print has begun; those of before 0.2 do not, and
/// are the service's.
#[test]
fn a_monitor_s_text_is_of_one_backend_from_the_start() {
    let (eyes, rig) = (Eyes::new(&[]), Rig::new(vec![]));
    let unset = Confidence::default();
    let begin = |client: &Client| client.start_monitor(unset, unset, 1).unwrap();
    let of_engine = begin(&eyes.client).save().unwrap();
    let of_service = begin(&rig.client).save().unwrap();
    let refused = |client: &Client, text: &str| {
        let error = client.start_saved_monitor(text, 2).unwrap_err();
        assert!(error.text.contains("of this backend"), "{}", error.text);
        assert_eq!(error.status, Status::Argument);
    };
    refused(&rig.client, &of_engine);
    refused(&eyes.client, &of_service);
    eyes.client.start_saved_monitor(&of_engine, 2).unwrap();
    rig.client.start_saved_monitor(&of_service, 2).unwrap();
    // As 0.1.0 wrote it.
    let old = r#"oe-monitor-1 {"warning_level":0,"pause_level":0,"host_sec":null,"muted":false,"context":null}"#;
    rig.client.start_saved_monitor(old, 3).unwrap();
    refused(&eyes.client, old);
}

/// A minute of pictures with nothing to see: told once, with no result and no error, and its end too.
#[test]
fn im_05_a_monitor_of_a_dark_room_says_that_nobody_watches() {
    let eyes = Eyes::new(&[Act::Nothing, Act::Nothing, Act::Nothing, Act::Nothing]);
    let unset = Confidence::default();
    let monitor = eyes.client.start_monitor(unset, unset, 1).unwrap();
    let mut told = Vec::new();
    for second in 0..100 {
        monitor.submit(&frame(second), None).unwrap();
        eyes.client.turn_monitors();
        while let Some(event) = eyes.client.next_event(Some(Duration::ZERO)).unwrap() {
            if event.kind != Kind::FrameWanted {
                told.push((second, event.kind, event.status));
            }
        }
        eyes.clock.advance_secs(1);
    }
    let kinds: Vec<_> = told
        .iter()
        .map(|(_, kind, status)| (*kind, *status))
        .collect();
    assert_eq!(kinds[0], (Kind::CameraStalled, Status::Blind), "{told:?}");
    assert!((60..70).contains(&told[0].0), "{told:?}");
    assert_eq!(
        kinds[1..],
        [(Kind::CameraBack, Status::Ok), (Kind::Result, Status::Ok)]
    );
    let info = monitor.info().unwrap();
    assert_eq!((info.last_quality, info.calls), (9, 5));
}
