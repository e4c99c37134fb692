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
    Client::with_engine(options, thread::world(), embedded::turns(), embedded::load)
}

#[cfg(feature = "embedded")]
mod embedded {
    use std::sync::{Arc, OnceLock};

    use oe_core::backend::embedded::Turns;
    use oe_core::engine::{Engine, Look, LookError, Opinion, Seen};
    use oe_core::rules::confidence::Confidence;
    use oe_core::rules::region::Region;
    use oe_engine::{Ask, Filter, Levels};

    /// From this score on a place is told.
    const PLACE_FROM: u8 = 50;
    /// The most that is kept of a model's name, in bytes.
    const MAX_NAME: usize = 64;

    /// How many may look at once, in this process: as many as there are processors.
    pub(super) fn turns() -> Arc<Turns> {
        static TURNS: OnceLock<Arc<Turns>> = OnceLock::new();
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Arc::clone(TURNS.get_or_init(|| Arc::new(Turns::new(processors()))))
    }

    /// The engine with the built-in model, which all clients share.
    fn built_in() -> Result<Arc<Eyes>, String> {
        static BUILT_IN: OnceLock<Result<Arc<Eyes>, String>> = OnceLock::new();
        let made = || {
            oe_engine::Engine::new()
                .map(Eyes::new)
                .map_err(|why| why.to_string())
        };
        BUILT_IN.get_or_init(made).clone()
    }

    /// The engine with the model of a file, or with the built-in one.
    pub(super) fn load(file: Option<Vec<u8>>) -> Result<Arc<dyn Engine>, String> {
        let Some(file) = file else {
            return Ok(built_in()?);
        };
        let engine = oe_engine::Engine::with_model(file).map_err(|why| why.to_string())?;
        Ok(Eyes::new(engine))
    }

    /// The built-in model: its name and version.
    pub(crate) fn model() -> Option<String> {
        let name = |eyes: Arc<Eyes>| plain(eyes.engine.name());
        Some(built_in().map_or_else(|_| "damaged".to_owned(), name))
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

    struct Eyes {
        engine: oe_engine::Engine,
        model: String,
    }

    impl Eyes {
        fn new(engine: oe_engine::Engine) -> Arc<Eyes> {
            Arc::new(Eyes {
                model: format!("{} {}", plain(engine.name()), engine.checksum()),
                engine,
            })
        }
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
            let ask = Ask {
                ignore: &ignore,
                stop: look.stop,
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
        }
    }
}

#[cfg(all(test, feature = "embedded", not(oe_schedules)))]
mod tests;
