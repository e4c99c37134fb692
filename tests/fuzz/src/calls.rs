//! Calls in any order, over any answers, at any time: the promises that must hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oe_core::client::Client;
use oe_core::monitor::{Kind, Monitor};
use oe_core::rules::confidence::Confidence;
use oe_core::session::Session;
use oe_core::session::outcome::flags;

use crate::world::World;

/// The shortest wait between two calls of a context.
const FLOOR: Duration = Duration::from_secs(5);
/// And after one that brought no verdict.
const FAILURE_FLOOR: Duration = Duration::from_secs(20);

struct Host {
    world: Arc<World>,
    client: Arc<Client>,
    context: Option<Arc<Session>>,
    monitor: Option<Arc<Monitor>>,
    tag: u64,
    frames: u32,
    /// A pause edge rose, and no clear verdict came since.
    paused: bool,
}

/// The first byte says how many of the rest are answers; then come operations.
pub fn calls(data: &[u8]) {
    let _ = uploads_of(data);
}

/// The same; says how many frames were sent.
#[must_use]
pub fn uploads_of(data: &[u8]) -> usize {
    let Some((&count, rest)) = data.split_first() else {
        return 0;
    };
    let (answers, operations) = rest.split_at(rest.len().min(count.into()));
    let world = World::new(answers.to_vec());
    let mut host = Host {
        client: world.client(),
        world,
        context: None,
        monitor: None,
        tag: 0,
        frames: 0,
        paused: false,
    };
    for operation in operations.iter().take(400) {
        let latched = host.client.usage().latched.is_some();
        host.world.set_latched(latched);
        host.perform(*operation);
    }
    host.watched_in_the_end();
    check(&host.world)
}

impl Host {
    fn frame(&mut self, operation: u8) -> Vec<u8> {
        // Now and then the same bytes again.
        self.frames += u32::from(!operation.is_multiple_of(5));
        let mut frame = vec![0xFF, 0xD8, 0xFF];
        frame.extend(self.frames.to_le_bytes());
        frame
    }

    fn perform(&mut self, operation: u8) {
        let unset = Confidence::default();
        let seconds = u64::from(operation >> 4);
        match operation % 16 {
            0 => self.world.advance(Duration::from_secs(seconds)),
            1 => self.world.advance(Duration::from_secs(seconds * 60)),
            2 => self
                .world
                .jump_wall(i64::from(operation) * 1_000_000 - 128_000_000),
            3 => {
                self.paused = false;
                self.context = self.client.create_context(unset, unset).ok();
            }
            4..7 => self.process(operation),
            7 => {
                if let Some(context) = &self.context {
                    drop(context.renew());
                    context.cancel();
                    drop(context.set_interval_sec(seconds as u32));
                }
            }
            8 => {
                // Saved and restored: the old one is gone.
                if let Some(context) = self.context.take() {
                    let saved = context.save();
                    context.close();
                    self.context = self.client.restore(&saved).ok();
                }
            }
            9 => {
                self.client.clear_latch();
                self.world.set_latched(false);
            }
            10 => drop(self.client.check_key()),
            11 => {
                self.tag += 1;
                self.monitor = self.client.start_monitor(unset, unset, self.tag).ok();
            }
            12..15 => self.turn(operation),
            _ => self.command(operation),
        }
    }

    fn process(&mut self, operation: u8) {
        let frame = self.frame(operation);
        let captured = operation.is_multiple_of(7).then_some(1_793_000_000_000);
        let Some(context) = &self.context else {
            return;
        };
        if let Ok(outcome) = context.process(&frame, captured) {
            self.judge(
                outcome.flags,
                outcome.warning_suggested,
                outcome.pause_suggested,
            );
        }
    }

    /// Never two pauses in one episode, never one from stale or repeated frames.
    fn judge(&mut self, bits: u32, warning: bool, pause: bool) {
        let stale = bits & (flags::LATE | flags::REPEATED_FRAME) != 0;
        if bits & flags::PAUSE_EDGE != 0 {
            assert!(
                !self.paused && pause && !stale,
                "a second pause, or one without reason"
            );
            self.paused = true;
        }
        if !warning && !pause && !stale {
            self.paused = false;
        }
    }

    fn turn(&mut self, operation: u8) {
        if let Some(monitor) = self.monitor.clone() {
            let frame = self.frame(operation);
            drop(monitor.submit(&frame, None));
        }
        self.client.turn_monitors();
        let mut told = HashMap::<(u64, i32), u32>::new();
        while let Ok(Some(event)) = self.client.next_event(Some(Duration::ZERO)) {
            *told.entry((event.tag, event.kind as i32)).or_default() += 1;
            assert_eq!(event.tag, self.tag, "an event of a monitor that is gone");
            let has_verdict = matches!(event.kind, Kind::Result | Kind::Warning | Kind::Pause);
            assert_eq!(event.outcome.is_some(), has_verdict);
            let has_error = matches!(event.kind, Kind::Error | Kind::Latched | Kind::Stopped);
            assert_eq!(event.error.is_some(), has_error);
        }
        assert!(
            told.values().all(|count| *count == 1),
            "two unread of a kind"
        );
    }

    /// Whatever came before: when the account is mended, the print goes on and frames come, they are
    /// sent.
    fn watched_in_the_end(&mut self) {
        let Some(monitor) = self.monitor.clone() else {
            return;
        };
        drop(monitor.resume());
        if monitor.info().is_err() {
            // Stopped.
            return;
        }
        let before = self.world.requests();
        self.world.all_well();
        // Three renewals an hour are the most, then one waits.
        for step in 0..2_000 {
            self.client.clear_latch();
            self.world.set_latched(false);
            self.turn(12 + step as u8 % 3);
            if self.world.uploads_since(before) > 1 {
                return;
            }
            self.world.advance(Duration::from_secs(5));
        }
        panic!("a print that is never watched");
    }

    fn command(&mut self, operation: u8) {
        let Some(monitor) = &self.monitor else {
            return;
        };
        match operation >> 4 {
            0 => drop(monitor.pause()),
            1 => drop(monitor.resume()),
            2 => drop(monitor.mute(true)),
            3 => drop(monitor.mute(false)),
            4 => drop(monitor.set_interval_sec(u32::from(operation))),
            5 => monitor.stop(),
            6 => {
                if let Ok(saved) = monitor.save() {
                    monitor.stop();
                    self.tag += 1;
                    self.monitor = self.client.start_saved_monitor(&saved, self.tag).ok();
                }
            }
            7 => self.monitor = None,
            8 => self.world.set_refuses(true),
            9 => self.world.set_refuses(false),
            _ => drop(monitor.info()),
        }
    }
}

/// What must hold of everything that was sent; says how many frames were.
fn check(world: &World) -> usize {
    let mut uploads = 0;
    let mut last = HashMap::<String, (Duration, bool)>::new();
    let mut fallback = HashMap::<String, bool>::new();
    for seen in world.seen() {
        let Some((kind, id)) = seen.url.rsplit_once('/') else {
            continue;
        };
        if id == "createcontext" {
            continue;
        }
        assert!(
            !seen.latched_before,
            "a frame was sent while the client was latched"
        );
        uploads += 1;
        // Contexts are told apart by their number, whichever URL is used.
        if let Some((ended, normal)) = last.insert(id.to_owned(), (seen.ended, seen.normal)) {
            let gap = seen.began.saturating_sub(ended);
            let least = if normal { FLOOR } else { FAILURE_FLOOR };
            assert!(gap >= least, "early: {gap:?} instead of {least:?}");
        }
        let on_fallback = kind.ends_with("/f");
        let before = fallback.entry(id.to_owned()).or_default();
        assert!(on_fallback || !*before, "back from the fallback");
        *before = on_fallback;
    }
    uploads
}
