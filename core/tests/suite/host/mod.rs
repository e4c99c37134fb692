//! A host that watches through a monitor: lets time pass, reads events, answers with frames.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use oe_core::account::config::Options;
use oe_core::error::Status;
use oe_core::monitor::{Event, Kind, Monitor};
use oe_core::platform::clock::{Clock, Spawn};
use oe_core::rules::confidence::Confidence;
use oe_core::session::outcome::Outcome;

use crate::common::*;

pub const TAG: u64 = u64::MAX;

/// What the camera does when a frame is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Camera {
    On,
    Off,
    Frozen,
}

/// An event, and when it was read.
#[derive(Debug)]
pub struct Read {
    /// Whole seconds since the host began, or since the last mark.
    pub at: u64,
    pub exactly: Duration,
    pub event: Event,
}

/// What a camera gives when it is asked for the n-th time: the bytes, and their age in milliseconds
/// where that is stated.
pub type Gives = fn(usize) -> (Vec<u8>, Option<i64>);

pub struct Host {
    pub rig: Rig,
    pub monitor: Arc<Monitor>,
    others: Vec<(u64, std::sync::Weak<Monitor>)>,
    pub log: Vec<Read>,
    pub camera: Camera,
    /// Instead of what `camera` says. Whether it is taken over is nobody's concern.
    pub gives: Option<Gives>,
    pub reads: bool,
    pub contains_panics: bool,
    since: Duration,
    frames: usize,
    given: usize,
}

/// Starts no threads: the tests do their work.
struct NoThreads;

impl Spawn for NoThreads {
    fn spawn(&self, _: &'static str, _: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        Ok(())
    }
}

const STEP: Duration = Duration::from_millis(500);

impl Host {
    pub fn new(steps: Vec<Step>) -> Host {
        Host::with(steps, |_| {})
    }

    pub fn with(steps: Vec<Step>, set: impl FnOnce(&mut Options)) -> Host {
        let rig = Rig::on(steps, Arc::new(NoThreads), set);
        // When the script is used up, all is well.
        *rig.script.otherwise.lock().unwrap() = Some(reply(200, &both()));
        let unset = Confidence::default();
        let monitor = rig.client.start_monitor(unset, unset, TAG).unwrap();
        Host {
            since: rig.clock.now(),
            rig,
            monitor,
            others: vec![],
            log: vec![],
            camera: Camera::On,
            gives: None,
            reads: true,
            contains_panics: false,
            frames: 1_000,
            given: 0,
        }
    }

    /// Another print of the same client, whose frames come as those of the first.
    pub fn another(&mut self, tag: u64) -> Arc<Monitor> {
        let unset = Confidence::default();
        let monitor = self.rig.client.start_monitor(unset, unset, tag).unwrap();
        self.others.push((tag, Arc::downgrade(&monitor)));
        monitor
    }

    /// Forgets what was read; times count from here.
    pub fn mark(&mut self) {
        self.log.clear();
        self.since = self.rig.clock.now();
    }

    /// Starts again from what was saved.
    pub fn restart(&mut self, saved: &str) {
        self.monitor = self.rig.client.start_saved_monitor(saved, TAG).unwrap();
        self.since = self.rig.clock.now();
    }

    pub fn wall_ms(&self) -> i64 {
        self.rig.clock.wall_ms()
    }

    fn turn(&self) {
        let turn = || self.rig.client.turn_monitors();
        match self.contains_panics {
            true => drop(catch_unwind(AssertUnwindSafe(turn))),
            false => turn(),
        }
    }

    /// Lets time pass, half a second at a time.
    pub fn pass(&mut self, secs: u64) {
        self.turn();
        self.read();
        for _ in 0..secs * 2 {
            self.rig.clock.advance(STEP);
            self.turn();
            self.read();
        }
    }

    /// Reads all events there are, and answers.
    pub fn read(&mut self) {
        while self.reads {
            let Some(event) = self.rig.client.next_event(Some(Duration::ZERO)).unwrap() else {
                return;
            };
            if let Some(gives) = self.gives.filter(|_| event.kind == Kind::FrameWanted) {
                let (bytes, age) = gives(self.given);
                self.given += 1;
                let captured = age.map(|age| self.wall_ms() - age);
                drop(self.monitor.submit(&bytes, captured));
            } else if event.kind == Kind::FrameWanted && self.camera != Camera::Off {
                self.frames += usize::from(self.camera == Camera::On);
                let frame = frame(self.frames);
                let other = self.others.iter().find(|(tag, _)| *tag == event.tag);
                match other.map(|(_, monitor)| monitor.upgrade()) {
                    Some(None) => {}
                    Some(Some(other)) => other.submit(&frame, None).unwrap(),
                    None => self.monitor.submit(&frame, None).unwrap(),
                }
            }
            let exactly = self.rig.clock.now() - self.since;
            let at = exactly.as_secs();
            self.log.push(Read { at, exactly, event });
            self.turn();
        }
    }

    pub fn times(&self, kind: Kind) -> Vec<u64> {
        let of_kind = self.log.iter().filter(|read| read.event.kind == kind);
        of_kind.map(|read| read.at).collect()
    }

    pub fn precise(&self, kind: Kind) -> Vec<Duration> {
        let of_kind = self.log.iter().filter(|read| read.event.kind == kind);
        of_kind.map(|read| read.exactly).collect()
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.times(kind).len()
    }

    pub fn errors(&self) -> Vec<Status> {
        let errors = self
            .log
            .iter()
            .filter(|read| read.event.kind == Kind::Error);
        errors.map(|read| read.event.status).collect()
    }

    pub fn outcomes(&self) -> Vec<Outcome> {
        let results = self
            .log
            .iter()
            .filter(|read| read.event.kind == Kind::Result);
        results.filter_map(|read| read.event.outcome).collect()
    }
}

/// An answer that is a context and a verdict.
pub fn both() -> String {
    format!("{},{}", CREATE_BODY.trim_end_matches('}'), &P200[1..])
}

pub const PAUSE: &str = "pause";

/// A verdict: "good", "warning" or "pause".
pub fn verdict(kind: &str) -> Step {
    reply(200, &p200(5, 20, false, kind != "good", kind == PAUSE))
}

pub fn created() -> Step {
    reply(200, CREATE_BODY)
}

pub fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}
