//! Who judges a picture: the engine that is built in (feature `embedded`), or a script.
//!
//! The only module that knows whether the engine is there; what others need of it has one name in
//! both builds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oe_picture::{Budget, Picture, PictureError};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::health::Health;
use crate::limits::UploadPermit;
use crate::reply::{Problem, Refusal};
use crate::slots::{Slot, Slots};
use crate::verdicts::Verdict;

/// The side of the square that a picture is decoded to where nobody looks: the engine's, so that the
/// same pictures are refused.
const SIDE: usize = 320;

#[cfg(feature = "embedded")]
pub(crate) use embedded::Belief;
#[cfg(feature = "embedded")]
pub use embedded::Engine;
#[cfg(not(feature = "embedded"))]
pub(crate) use none::Belief;
#[cfg(not(feature = "embedded"))]
pub use none::Engine;

/// Confidence levels of a print, 1 (speaks soonest) to 5 (only when certain).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    pub(crate) warning: u8,
    pub(crate) pause: u8,
}

/// A picture, and its place among those in flight: both are given up together.
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) _permit: UploadPermit,
}

/// Judges the pictures of all prints.
pub(crate) struct Judge {
    engine: Option<Arc<Engine>>,
    script: Arc<Vec<Verdict>>,
    /// One picture is decoded at a time for each processor core.
    cores: Arc<Semaphore>,
    work: Arc<Work>,
    health: Arc<Health>,
    clock: Clock,
    /// Where the time of the prints begins.
    started: Instant,
    /// Seconds of a print in one of ours.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "a script has no time")
    )]
    speed: f64,
}

/// The pictures that are at work or wait for it, and the places of those to come.
struct Work {
    pictures: AtomicUsize,
    slots: Mutex<Slots>,
}

/// A picture that was let in; dropping it makes room.
pub(crate) struct Admission(Arc<Work>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.pictures.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When the next picture of a print is expected, and what its client is told, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appointment {
    pub(crate) slot: Slot,
    pub(crate) minimum: u32,
    pub(crate) recommended: u32,
}

impl Judge {
    pub(crate) fn new(
        engine: Option<Arc<Engine>>,
        script: Arc<Vec<Verdict>>,
        health: Arc<Health>,
        clock: Clock,
        speed: f64,
    ) -> Judge {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Judge {
            engine,
            script,
            cores: Arc::new(Semaphore::new(cores)),
            work: Arc::new(Work {
                pictures: AtomicUsize::new(0),
                slots: Mutex::new(Slots::new(cores)),
            }),
            health,
            started: clock.now(),
            clock,
            speed,
        }
    }

    /// The time since the start, by which slots and beliefs go.
    fn now(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.started)
    }

    /// Whether one more picture would be refused.
    pub(crate) fn is_full(&self) -> bool {
        let pictures = self.work.pictures.load(Ordering::Relaxed);
        !self.work.slots.lock().is_patient(pictures)
    }

    /// Lets a picture in whose print has this place, or none; or says when to come.
    pub(crate) fn admit(
        &self,
        slot: Option<Slot>,
        interval: u32,
    ) -> Result<Admission, Appointment> {
        let now = self.now();
        let mut slots = self.work.slots.lock();
        let pictures = self.work.pictures.load(Ordering::Relaxed);
        if slots.arrive(now, slot, pictures) {
            self.work.pictures.fetch_add(1, Ordering::Relaxed);
            return Ok(Admission(Arc::clone(&self.work)));
        }
        let slot = slots.book(now, interval);
        let told = slot.seconds_from(now);
        Err(Appointment {
            slot,
            minimum: told,
            recommended: told,
        })
    }

    /// The place of a print that has just been judged: after `recommended` seconds, or later where all
    /// before are taken; it may come after `minimum` where there is room.
    pub(crate) fn appoint(&self, minimum: u32, recommended: u32) -> Appointment {
        let now = self.now();
        let mut slots = self.work.slots.lock();
        let slot = slots.book(now, recommended);
        let told = slot.seconds_from(now);
        Appointment {
            slot,
            minimum: slots.minimum(now, minimum, slot),
            // Nobody has to wait who may come at once.
            recommended: if told > 1 { told } else { recommended },
        }
    }

    /// Whether verdicts come from looking, and not from a script.
    pub(crate) fn has_engine(&self) -> bool {
        self.engine.is_some()
    }

    /// The verdict on a picture, of a print's `number`-th call: the engine's, or that of the script.
    pub(crate) async fn judge(
        &self,
        image: Image,
        number: usize,
        belief: &Belief,
    ) -> Result<Verdict, Refusal> {
        match &self.engine {
            Some(engine) => self.look(engine, image, belief).await,
            None => {
                self.decode(image).await?;
                let scripted = self.script.get(number).or(self.script.last());
                Ok(scripted.cloned().unwrap_or_default())
            }
        }
    }

    /// Refuses what is no JPEG that can be decoded; on a thread that may take its time.
    async fn decode(&self, image: Image) -> Result<(), Problem> {
        let core = Arc::clone(&self.cores).acquire_owned().await;
        let core = core.map_err(|_| Problem::INTERNAL)?;
        let (health, work) = (Arc::clone(&self.health), Arc::clone(&self.work));
        let decoded = tokio::task::spawn_blocking(move || {
            let (working, start) = (health.working(), Instant::now());
            let result = Picture::decode(&image.bytes, SIDE, Budget::process(), &|| false);
            work.slots.lock().looked(start.elapsed());
            drop((core, working));
            result.map(drop).map_err(|why| match why {
                PictureError::NoMemory(_) => Problem::INTERNAL,
                _ => Problem::DECODE,
            })
        });
        decoded.await.map_err(|_| Problem::DECODE)?
    }
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use oe_engine::{Ask, LookError, Observation};
    use parking_lot::Mutex;
    use serde::{Deserialize, Serialize};

    use super::{Image, Judge, Levels, Problem, Refusal, Verdict};

    pub use oe_engine::Engine;

    /// From this score on a place is told.
    const PLACE_FROM: u8 = 50;

    /// What is believed of one print.
    #[derive(Debug)]
    pub(crate) struct Belief(Mutex<Believed>);

    #[derive(Debug)]
    struct Believed {
        filter: oe_engine::Filter,
        /// Whether a picture showed something to judge.
        seen: bool,
        /// The print's time at the last picture,
        last: Duration,
        /// and how far it is ahead of the service's, which begins anew with each start.
        ahead: Duration,
    }

    /// What outlives the process.
    #[derive(Serialize, Deserialize)]
    struct Text {
        filter: oe_engine::Filter,
        seen: bool,
        last: Duration,
    }

    impl Belief {
        pub(crate) fn new(levels: Levels) -> Belief {
            let filter = oe_engine::Filter::new(oe_engine::Levels {
                warning: levels.warning,
                pause: levels.pause,
            });
            Belief(Mutex::new(Believed {
                filter,
                seen: false,
                last: Duration::ZERO,
                ahead: Duration::ZERO,
            }))
        }

        /// What [`Belief::restored`] takes.
        pub(crate) fn text(&self) -> String {
            let believed = self.0.lock();
            let text = Text {
                filter: believed.filter.clone(),
                seen: believed.seen,
                last: believed.last,
            };
            serde_json::to_string(&text).unwrap_or_default()
        }

        /// What was believed `ago`, before the service was started. A text that is not understood is of a
        /// print of which nothing is known.
        pub(crate) fn restored(levels: Levels, text: &str, ago: Duration) -> Belief {
            let belief = Belief::new(levels);
            if let Ok(text) = serde_json::from_str::<Text>(text) {
                let mut believed = belief.0.lock();
                believed.filter = text.filter;
                believed.seen = text.seen;
                believed.last = text.last;
                believed.ahead = text.last.saturating_add(ago);
            }
            belief
        }

        /// Takes a picture in, and says what is believed now. One that shows nothing repeats the last
        /// belief, and suggests nothing.
        pub(super) fn observe(
            &self,
            at: Duration,
            observation: &Observation,
            usual: f64,
        ) -> Verdict {
            let mut believed = self.0.lock();
            let at = at.saturating_add(believed.ahead);
            believed.last = at;
            let said = believed.filter.observe(at, observation, usual);
            let blind = observation.look.blind.is_some();
            if blind && !believed.seen {
                return Verdict {
                    quality: 5,
                    score: 0,
                    blind,
                    ..Verdict::default()
                };
            }
            believed.seen = true;
            let place = observation.place.filter(|_| said.score >= PLACE_FROM);
            let place = place.map(|at| [at.left, at.top, at.width, at.height]);
            Verdict {
                quality: said.quality,
                score: said.score,
                warning: said.warning && !blind,
                pause: said.pause && !blind,
                faster: said.faster && !blind,
                place: place.filter(|_| !blind),
                blind,
                ..Verdict::default()
            }
        }
    }

    /// Ends the look of a call when that is dropped.
    #[derive(Default)]
    struct Gone(Arc<AtomicBool>);

    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Judge {
        /// Looks at the picture, and says what is believed of its print.
        pub(super) async fn look(
            &self,
            engine: &Arc<Engine>,
            image: Image,
            belief: &Belief,
        ) -> Result<Verdict, Refusal> {
            let at = self.now().mul_f64(self.speed);
            let core = Arc::clone(&self.cores).acquire_owned().await;
            let core = core.map_err(|_| Problem::INTERNAL)?;
            let (health, work) = (Arc::clone(&self.health), Arc::clone(&self.work));
            let looking = Arc::clone(engine);
            // A client that hangs up drops this call, and the guard with it.
            let gone = Gone::default();
            let stopped = Arc::clone(&gone.0);
            let looked = tokio::task::spawn_blocking(move || {
                let (working, start) = (health.working(), Instant::now());
                let ask = Ask {
                    stop: &|| stopped.load(Ordering::Relaxed),
                    ..Ask::default()
                };
                let seen = looking.observe(&image.bytes, &ask);
                if seen.is_ok() {
                    work.slots.lock().looked(start.elapsed());
                }
                drop((core, working));
                seen
            });
            let seen = looked.await.map_err(|_| Problem::INTERNAL)?;
            drop(gone);
            let seen = seen.map_err(|why| match why {
                LookError::Picture(_) => Problem::DECODE,
                LookError::Model(_) | LookError::Memory(_) | LookError::Stopped => {
                    Problem::INTERNAL
                }
            })?;
            Ok(belief.observe(at, &seen, engine.mean_log_odds()))
        }
    }
}

/// The same names in a build without the engine.
#[cfg(not(feature = "embedded"))]
mod none {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Image, Judge, Levels, Refusal, Verdict};

    /// Nobody can make one: this build has no engine.
    #[derive(Clone, Copy, Debug)]
    pub enum Engine {}

    /// A script believes what it says.
    #[derive(Debug)]
    pub(crate) struct Belief;

    impl Belief {
        pub(crate) fn new(_: Levels) -> Belief {
            Belief
        }

        #[allow(clippy::unused_self, reason = "as the other build has it")]
        pub(crate) fn text(&self) -> String {
            String::new()
        }

        pub(crate) fn restored(_: Levels, _: &str, _: Duration) -> Belief {
            Belief
        }
    }

    impl Judge {
        #[allow(clippy::unused_async, reason = "as the other build has it")]
        pub(super) async fn look(
            &self,
            engine: &Arc<Engine>,
            _: Image,
            _: &Belief,
        ) -> Result<Verdict, Refusal> {
            match **engine {}
        }
    }
}

#[cfg(all(test, feature = "embedded"))]
mod tests {
    use std::time::Duration;

    use oe_engine::{Ask, Engine};

    use super::{Belief, Levels};

    const FINE: [&[u8]; 2] = [
        include_bytes!("../../demo/frames/frame-01.jpg"),
        include_bytes!("../../demo/frames/frame-02.jpg"),
    ];
    const TANGLE: [&[u8]; 2] = [
        include_bytes!("../../demo/frames/frame-11.jpg"),
        include_bytes!("../../demo/frames/frame-12.jpg"),
    ];

    /// A place is told with a bad score, and with no other.
    #[test]
    fn a_tangle_has_a_place_and_a_fine_print_has_none() {
        let engine = Engine::new().unwrap();
        let last = |pictures: [&[u8]; 2]| {
            let belief = Belief::new(Levels {
                warning: 3,
                pause: 3,
            });
            let looks = (0..20).map(|n| {
                let picture = pictures[n % 2];
                let seen = engine.observe(picture, &Ask::default()).unwrap();
                let at = Duration::from_secs(20 * n as u64);
                belief.observe(at, &seen, engine.mean_log_odds())
            });
            looks.last().unwrap()
        };
        let fine = last(FINE);
        assert!(fine.score < 50 && fine.place.is_none(), "{fine:?}");
        let tangle = last(TANGLE);
        assert!(tangle.score >= 50 && tangle.warning, "{tangle:?}");
        let [x, y, width, height] = tangle.place.unwrap();
        assert!(width > 0 && x + width <= 1_000, "{tangle:?}");
        assert!(height > 0 && y + height <= 1_000, "{tangle:?}");
    }
}
