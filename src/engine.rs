//! Plumbing: the engine in this library, where it was built in, behind core's trait.

use std::sync::Arc;

use oe_core::account::config::Options;
use oe_core::client::Client;
use oe_core::error::Error;

use crate::thread;

#[cfg(feature = "embedded")]
pub(crate) use embedded::model;

/// A client of the backend that the options name.
#[cfg(not(feature = "embedded"))]
pub(crate) fn client(options: &Options) -> Result<Arc<Client>, Error> {
    Client::new(options, thread::world())
}

/// The built-in model: its name and version.
#[cfg(not(feature = "embedded"))]
pub(crate) fn model() -> Option<String> {
    None
}

/// A client of the backend that the options name.
#[cfg(feature = "embedded")]
pub(crate) fn client(options: &Options) -> Result<Arc<Client>, Error> {
    let shared = embedded::shared();
    let turns = Arc::clone(&shared.turns);
    Client::with_engine(options, thread::world(), turns, |setup| shared.load(setup))
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::sync::{Arc, OnceLock};

    use oe_core::backend::embedded::Turns;
    use oe_core::engine::{Engine, Look, LookError, Opinion, Seen, Setup};
    use oe_core::rules::confidence::Confidence;
    use oe_core::rules::region::Region;
    use oe_engine::{Ask, Budget, DEFAULT_BUDGET, Filter, Levels};

    use crate::guard;
    use crate::per_process::PerProcess;

    /// From this score on a place is told.
    const PLACE_FROM: u8 = 50;
    /// The most that is kept of a model's name, in bytes.
    const MAX_NAME: usize = 64;

    /// What the embedded clients of a process share. A look that was going on in the parent when it
    /// forked goes on there alone: it takes no turn and no memory of the child's.
    pub(super) struct Shared {
        /// How many may look at once: as many as there are processors.
        pub(super) turns: Arc<Turns>,
        /// What decoding pictures takes, of all clients that have set nothing else.
        budget: Arc<Budget>,
        /// With the built-in model.
        engine: OnceLock<Result<Arc<oe_engine::Engine>, String>>,
    }

    pub(super) fn shared() -> &'static Shared {
        static SHARED: PerProcess<Shared> = PerProcess::new();
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        SHARED.get(|_| Shared {
            turns: Arc::new(Turns::new(processors())),
            budget: Arc::new(Budget::new(DEFAULT_BUDGET)),
            engine: OnceLock::new(),
        })
    }

    impl Shared {
        fn built_in(&self) -> Result<Arc<oe_engine::Engine>, String> {
            let made = || {
                oe_engine::Engine::new()
                    .map(Arc::new)
                    .map_err(|why| why.to_string())
            };
            self.engine.get_or_init(made).clone()
        }

        /// The engine of a client.
        pub(super) fn load(&self, setup: Setup) -> Result<Arc<dyn Engine>, String> {
            let engine = match setup.model {
                None => self.built_in()?,
                Some(file) => {
                    Arc::new(oe_engine::Engine::with_model(file).map_err(|why| why.to_string())?)
                }
            };
            let own = setup
                .picture_memory
                .map(|bytes| Arc::new(Budget::new(bytes)));
            Ok(Arc::new(Eyes {
                model: format!("{} {}", plain(engine.name()), engine.checksum()),
                budget: own.unwrap_or_else(|| Arc::clone(&self.budget)),
                engine,
            }))
        }
    }

    /// The built-in model: its name and version.
    pub(crate) fn model() -> Option<String> {
        let name = |engine: Arc<oe_engine::Engine>| plain(engine.name());
        Some(
            shared()
                .built_in()
                .map_or_else(|_| "damaged".to_owned(), name),
        )
    }

    /// A model's name as it may stand in a line or a saved text.
    fn plain(name: &str) -> String {
        let one = |c: char| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        };
        name.chars().take(MAX_NAME).map(one).collect()
    }

    /// The engine of one client.
    struct Eyes {
        engine: Arc<oe_engine::Engine>,
        model: String,
        budget: Arc<Budget>,
    }

    fn levels(warning: Confidence, pause: Confidence) -> Levels {
        let unset = Levels::default();
        Levels {
            warning: warning.level().unwrap_or(unset.warning),
            pause: pause.level().unwrap_or(unset.pause),
        }
    }

    impl Engine for Eyes {
        fn model(&self) -> &str {
            &self.model
        }

        fn accepts(&self, belief: &str) -> bool {
            read(belief).is_some()
        }

        fn look(&self, look: &Look<'_>) -> Result<Seen, LookError> {
            let region = |part: &Region| oe_engine::Region {
                left: part.x(),
                top: part.y(),
                width: part.width(),
                height: part.height(),
            };
            let ignore: Vec<_> = look.ignore.iter().map(region).collect();
            let stop = || {
                guard::strike_in_look();
                (look.stop)()
            };
            let ask = Ask {
                ignore: &ignore,
                budget: &self.budget,
                stop: &stop,
            };
            let seen = self.engine.observe(look.jpeg, &ask).map_err(failed)?;
            if seen.look.blind.is_some() {
                return Ok(Seen::Nothing);
            }
            let levels = levels(look.warning, look.pause);
            let mut filter = look.belief.and_then(read).unwrap_or(Filter::new(levels));
            filter.set_levels(levels);
            let said = filter.observe(look.at, &seen, self.engine.mean_log_odds());
            let place = seen.place.filter(|_| said.score >= PLACE_FROM);
            Ok(Seen::Opinion(Opinion {
                quality: said.quality,
                score: said.score,
                warning: said.warning,
                pause: said.pause,
                faster: said.faster,
                place: place.and_then(region_of),
                belief: serde_json::to_string(&filter)
                    .map_err(|why| LookError::Resources(why.to_string()))?,
            }))
        }
    }

    fn region_of(place: oe_engine::Region) -> Option<Region> {
        Region::new(place.left, place.top, place.width, place.height).ok()
    }

    fn read(belief: &str) -> Option<Filter> {
        serde_json::from_str(belief).ok()
    }

    fn failed(why: oe_engine::LookError) -> LookError {
        match why {
            oe_engine::LookError::Stopped => LookError::Stopped,
            oe_engine::LookError::Picture(why) => LookError::Picture(why.to_string()),
            oe_engine::LookError::Model(why) => LookError::Model(why.to_string()),
            why @ oe_engine::LookError::Memory(_) => LookError::Resources(why.to_string()),
        }
    }
}

#[cfg(all(test, feature = "embedded", not(oe_schedules)))]
mod tests;
