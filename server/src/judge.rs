//! Who judges a picture: the engine that is built in (feature `embedded`), or a script.
//!
//! The only module that knows whether the engine is there; what others need of it has one name in
//! both builds.

use std::sync::Arc;

use oe_picture::{Budget, Picture, PictureError};
use tokio::sync::Semaphore;

use crate::health::Health;
use crate::limits::UploadPermit;
use crate::reply::{Problem, Refusal};
use crate::verdicts::Verdict;

/// The side of the square that a picture is decoded to where nobody looks: the engine's, so that the
/// same pictures are refused.
const SIDE: usize = 320;

#[cfg(feature = "embedded")]
pub use embedded::Engine;
#[cfg(feature = "embedded")]
pub(crate) use embedded::{Belief, InferenceQueue};
#[cfg(not(feature = "embedded"))]
pub use none::Engine;
#[cfg(not(feature = "embedded"))]
pub(crate) use none::{Belief, InferenceQueue};

/// Confidence levels of a print, 1 (speaks soonest) to 5 (only when certain).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "embedded"),
    expect(dead_code, reason = "a script is as sure as it says")
)]
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
    queue: InferenceQueue,
    script: Arc<Vec<Verdict>>,
    /// One picture is decoded at a time for each processor core.
    cores: Arc<Semaphore>,
    health: Arc<Health>,
    /// The shortest delay in seconds, when few pictures wait.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "a script has its own")
    )]
    minimum: u32,
}

impl Judge {
    pub(crate) fn new(
        engine: Option<Arc<Engine>>,
        script: Arc<Vec<Verdict>>,
        minimum: u32,
        health: Arc<Health>,
    ) -> Judge {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Judge {
            engine,
            queue: InferenceQueue::new(cores),
            script,
            cores: Arc::new(Semaphore::new(cores)),
            health,
            minimum,
        }
    }

    /// Whether one more picture would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.is_full()
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
        let health = Arc::clone(&self.health);
        let decoded = tokio::task::spawn_blocking(move || {
            let working = health.working();
            let result = Picture::decode(&image.bytes, SIDE, Budget::process(), &|| false);
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
    use tokio::sync::Semaphore;

    use super::{Image, Judge, Levels, Problem, Refusal, Verdict};
    use crate::limits::throttled;

    pub use oe_engine::Engine;

    /// From this score on a place is told.
    const PLACE_FROM: u8 = 50;

    /// Pictures that may wait for each processor core. At 15 ms each the last waits a quarter of a
    /// second.
    const QUEUE: usize = 16;

    /// What is believed of one print.
    #[derive(Debug)]
    pub(crate) struct Belief(Mutex<Believed>);

    #[derive(Debug)]
    struct Believed {
        filter: oe_engine::Filter,
        /// Whether a picture showed something to judge.
        seen: bool,
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
            }))
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

    /// Pictures that are looked at, or wait for it.
    pub(crate) struct InferenceQueue {
        places: Semaphore,
        longest: usize,
        /// Where the time of the prints begins.
        started: Instant,
    }

    impl InferenceQueue {
        pub(crate) fn new(cores: usize) -> InferenceQueue {
            InferenceQueue {
                places: Semaphore::new(cores * QUEUE),
                longest: cores * QUEUE,
                started: Instant::now(),
            }
        }

        pub(super) fn is_full(&self) -> bool {
            self.places.available_permits() == 0
        }

        /// By how much the shortest delay grows: twice from a quarter of the longest queue on, four
        /// times from half.
        fn load(&self) -> u32 {
            let waiting = self.longest - self.places.available_permits();
            match waiting * 4 / self.longest {
                0 => 1,
                1 => 2,
                _ => 4,
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
        /// Looks at the picture, and says what is believed of its print. Too many at once are
        /// refused; before that everybody is asked to come back later.
        pub(super) async fn look(
            &self,
            engine: &Arc<Engine>,
            image: Image,
            belief: &Belief,
        ) -> Result<Verdict, Refusal> {
            let place = self.queue.places.try_acquire();
            let _place = place.map_err(|_| throttled())?;
            let at = self.queue.started.elapsed();
            let core = Arc::clone(&self.cores).acquire_owned().await;
            let core = core.map_err(|_| Problem::INTERNAL)?;
            let health = Arc::clone(&self.health);
            let looking = Arc::clone(engine);
            // A client that hangs up drops this call, and the guard with it.
            let gone = Gone::default();
            let stopped = Arc::clone(&gone.0);
            let looked = tokio::task::spawn_blocking(move || {
                let working = health.working();
                let ask = Ask {
                    stop: &|| stopped.load(Ordering::Relaxed),
                    ..Ask::default()
                };
                let seen = looking.observe(&image.bytes, &ask);
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
            let minimum = self.minimum.saturating_mul(self.queue.load());
            Ok(Verdict {
                minimum: Some(minimum),
                ..belief.observe(at, &seen, engine.mean_log_odds())
            })
        }
    }
}

/// The same names in a build without the engine.
#[cfg(not(feature = "embedded"))]
mod none {
    use std::sync::Arc;

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
    }

    /// Nobody waits to be looked at.
    pub(crate) struct InferenceQueue;

    impl InferenceQueue {
        pub(crate) fn new(_: usize) -> InferenceQueue {
            InferenceQueue
        }

        #[allow(clippy::unused_self, reason = "as the other build has it")]
        pub(super) fn is_full(&self) -> bool {
            false
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
