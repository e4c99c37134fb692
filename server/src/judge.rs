//! Who judges a picture: the engine that is built in (feature `embedded`), or a script.
//!
//! The only module that knows whether the engine is there; what others need of it has one name in
//! both builds.

use std::sync::Arc;

use oe_picture::{Budget, Picture};
use tokio::sync::Semaphore;

use crate::reply::Problem;
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

/// Judges the pictures of all prints.
pub(crate) struct Judge {
    engine: Option<Arc<Engine>>,
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "nobody waits to be looked at")
    )]
    queue: InferenceQueue,
    script: Arc<Vec<Verdict>>,
    /// One picture is decoded at a time for each processor core.
    cores: Arc<Semaphore>,
    /// The shortest delay in seconds, when few pictures wait.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "a script has its own")
    )]
    minimum: u32,
    /// Seconds of a print in one of ours.
    #[cfg_attr(
        not(feature = "embedded"),
        expect(dead_code, reason = "a script has no time")
    )]
    speed: f64,
}

impl Judge {
    pub(crate) fn new(
        engine: Option<Arc<Engine>>,
        script: Arc<Vec<Verdict>>,
        minimum: u32,
        speed: f64,
    ) -> Judge {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Judge {
            engine,
            queue: InferenceQueue::new(cores),
            script,
            cores: Arc::new(Semaphore::new(cores)),
            minimum,
            speed,
        }
    }

    /// Whether verdicts come from looking, and not from a script.
    pub(crate) fn has_engine(&self) -> bool {
        self.engine.is_some()
    }

    /// The verdict on a picture, of a print's `number`-th call: the engine's, or that of the script.
    pub(crate) async fn judge(
        &self,
        image: Vec<u8>,
        number: usize,
        belief: &Belief,
    ) -> Result<Verdict, Problem> {
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
    async fn decode(&self, image: Vec<u8>) -> Result<(), Problem> {
        let core = Arc::clone(&self.cores).acquire_owned().await;
        let core = core.map_err(|_| Problem::THROTTLED)?;
        let decoded = tokio::task::spawn_blocking(move || {
            let result = Picture::decode(&image, SIDE, Budget::process(), &|| false);
            drop(core);
            result.map(drop).map_err(|_| Problem::DECODE)
        });
        decoded.await.map_err(|_| Problem::DECODE)?
    }
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use oe_engine::{Ask, LookError};
    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::{Judge, Levels, Problem, Verdict};

    pub use oe_engine::Engine;

    /// Pictures that may wait for each processor core. At 15 ms each the last waits a quarter of a
    /// second.
    const QUEUE: usize = 16;

    /// What is believed of one print.
    #[derive(Debug)]
    pub(crate) struct Belief(Mutex<oe_engine::Filter>);

    impl Belief {
        pub(crate) fn new(levels: Levels) -> Belief {
            Belief(Mutex::new(oe_engine::Filter::new(oe_engine::Levels {
                warning: levels.warning,
                pause: levels.pause,
            })))
        }

        fn see(
            &self,
            at: Duration,
            look: &oe_engine::Evidence,
            usual: f64,
        ) -> oe_engine::Assessment {
            self.0.lock().update(at, look, usual)
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
            image: Vec<u8>,
            belief: &Belief,
        ) -> Result<Verdict, Problem> {
            let place = self.queue.places.try_acquire();
            let _place = place.map_err(|_| Problem::THROTTLED)?;
            let at = self.queue.started.elapsed().mul_f64(self.speed);
            let core = Arc::clone(&self.cores).acquire_owned().await;
            let core = core.map_err(|_| Problem::THROTTLED)?;
            let looking = Arc::clone(engine);
            // A client that hangs up drops this call, and the guard with it.
            let gone = Gone::default();
            let stopped = Arc::clone(&gone.0);
            let looked = tokio::task::spawn_blocking(move || {
                let ask = Ask {
                    stop: &|| stopped.load(Ordering::Relaxed),
                    ..Ask::default()
                };
                let seen = looking.observe(&image, &ask);
                drop(core);
                seen
            });
            let seen = looked.await.map_err(|_| Problem::INTERNAL)?;
            drop(gone);
            let seen = seen.map_err(|why| match why {
                LookError::Picture(_) => Problem::DECODE,
                LookError::Model(_) | LookError::Stopped => Problem::INTERNAL,
            })?;
            let opinion = belief.see(at, &seen.look, engine.mean_log_odds());
            Ok(Verdict {
                quality: opinion.quality,
                score: opinion.score,
                warning: opinion.warning,
                pause: opinion.pause,
                faster: opinion.faster,
                minimum: Some(self.minimum * self.queue.load()),
                ..Verdict::default()
            })
        }
    }
}

/// The same names in a build without the engine.
#[cfg(not(feature = "embedded"))]
mod none {
    use std::sync::Arc;

    use super::{Judge, Levels, Problem, Verdict};

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
    }

    impl Judge {
        #[allow(clippy::unused_async, reason = "as the other build has it")]
        pub(super) async fn look(
            &self,
            engine: &Arc<Engine>,
            _: Vec<u8>,
            _: &Belief,
        ) -> Result<Verdict, Problem> {
            match **engine {}
        }
    }
}
