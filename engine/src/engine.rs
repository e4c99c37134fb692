//! One picture, looked at.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use oe_picture::{Budget, Picture, PictureError, is_there};

use crate::BUILT_IN;
use crate::blind::{self, Blind};
use crate::model::{Model, ModelError};
use crate::network::{Input, Network, NoAnswer, Scratch, cells};
use crate::place::{Cells, Kept, Region};
use crate::thumbnail::Thumbnail;

/// Looks that are over leave their buffers (3 MB) to at most so many that are to come.
const KEPT: usize = 4;

/// What the network takes for a pixel of its square, in bytes, and a little more.
const FOR_A_PIXEL: usize = 32;

/// What one picture says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Log odds that it shows a failure rather than a fine print.
    pub failure: f64,
    /// Why there is nothing to see, if there is not; `failure` means nothing then.
    pub blind: Option<Blind>,
    /// What its pixels are known by: the same again is a camera that froze.
    pub pixels: u64,
}

/// What one picture says, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What the whole picture says.
    pub look: Evidence,
    /// Where it looks most like a failure: none where nothing looks more like one than not.
    pub place: Option<Region>,
    /// What each part of it says.
    pub cells: Cells,
    /// How bright it is, and where.
    pub thumbnail: Thumbnail,
}

/// How a picture is to be looked at.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What is never looked at: a spool, another printer.
    pub ignore: &'a [Region],
    /// What decoding takes its memory from.
    pub budget: &'a Budget,
    /// Asked every 20 million instructions or more often; true ends the look.
    pub stop: &'a dyn Fn() -> bool,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Ask {
            ignore: &[],
            budget: Budget::process(),
            stop: &|| false,
        }
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("ignore", &self.ignore)
            .finish_non_exhaustive()
    }
}

/// Why there is no opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookError {
    /// The picture's fault: it cannot be decoded, or is too large.
    Picture(PictureError),
    /// The model's fault: it gave no number.
    Model(ModelError),
    /// The system has not so many bytes now.
    Memory(usize),
    /// It was told to stop.
    Stopped,
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookError::Picture(why) => why.fmt(f),
            LookError::Model(why) => why.fmt(f),
            LookError::Memory(bytes) => write!(f, "there is no memory of {bytes} bytes"),
            LookError::Stopped => f.write_str("the look was stopped"),
        }
    }
}

impl std::error::Error for LookError {}

impl From<PictureError> for LookError {
    fn from(why: PictureError) -> Self {
        match why {
            PictureError::NoMemory(bytes) => LookError::Memory(bytes),
            PictureError::Stopped => LookError::Stopped,
            why => LookError::Picture(why),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.name()).finish()
    }
}

/// Looks at pictures. One serves all threads; a look takes the calling thread and no other.
pub struct Engine {
    model: Model,
    /// Buffers of looks that are over.
    idle: Mutex<Vec<Scratch>>,
}

impl Engine {
    /// With the model that is compiled in.
    ///
    /// # Errors
    /// None, unless this build is damaged.
    pub fn new() -> Result<Engine, ModelError> {
        Engine::with_model(BUILT_IN)
    }

    /// With the bytes of a model file, which are used where they lie.
    ///
    /// # Errors
    /// It is of another kind or version, cut off or damaged.
    pub fn with_model(file: impl Into<Cow<'static, [u8]>>) -> Result<Engine, ModelError> {
        Ok(Engine {
            model: Model::read(file.into())?,
            idle: Mutex::default(),
        })
    }

    /// The kinds of code that this processor can run the network with, the quickest first: that is
    /// the one that is used.
    #[must_use]
    pub fn kinds() -> Vec<&'static str> {
        Network::kinds()
    }

    /// With another of [`kinds`](Engine::kinds), to measure and to test. The answers are the same but
    /// for rounding. None when this processor cannot run it.
    #[must_use]
    pub fn with_kind(self, kind: &str) -> Option<Engine> {
        let Model { head, network } = self.model;
        let network = network.with_kind(kind)?;
        Some(Engine {
            model: Model { head, network },
            idle: self.idle,
        })
    }

    /// The model's name and version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model.head.name
    }

    /// The checksum of the model's weights, eight hexadecimal digits: two models of one name differ in it.
    #[must_use]
    pub fn checksum(&self) -> &str {
        &self.model.head.crc32
    }

    /// The side of the squares that it looks at, in pixels.
    #[must_use]
    pub fn size(&self) -> usize {
        self.model.head.size as usize
    }

    /// The evidence of fine prints on average (log odds), for [`Filter::update`](crate::Filter::update).
    #[must_use]
    pub fn mean_log_odds(&self) -> f64 {
        self.model.head.usual
    }

    /// Looks at a JPEG.
    ///
    /// # Errors
    /// As [`observe`](Engine::observe), but for the stop.
    pub fn look(&self, jpeg: &[u8]) -> Result<Evidence, LookError> {
        self.observe(jpeg, &Ask::default()).map(|seen| seen.look)
    }

    /// Looks at a JPEG, and says where.
    ///
    /// # Errors
    /// The picture cannot be decoded, has more than 50 million pixels or takes more than the budget;
    /// the model gave no number; there is no memory; or the look was stopped.
    pub fn observe(&self, jpeg: &[u8], ask: &Ask) -> Result<Observation, LookError> {
        let picture = self.decode(jpeg, ask)?;
        let rounding = blind::rounding(&picture);
        self.observe_rounded(picture.square, picture.pixels, rounding, ask)
    }

    /// The square that the network gets of a JPEG, three bytes a pixel, and what the whole picture is
    /// known by.
    ///
    /// # Errors
    /// The picture cannot be decoded or has more than 50 million pixels; or it was stopped.
    pub fn square(&self, jpeg: &[u8], ask: &Ask) -> Result<(Vec<u8>, u64), LookError> {
        let picture = self.decode(jpeg, ask)?;
        Ok((picture.square, picture.pixels))
    }

    fn decode(&self, jpeg: &[u8], ask: &Ask) -> Result<Picture, LookError> {
        if (ask.stop)() {
            return Err(LookError::Stopped);
        }
        Ok(Picture::decode(jpeg, self.size(), ask.budget, ask.stop)?)
    }

    /// Looks at a picture that is squashed to a square already: [`size`](Engine::size) times as many
    /// pixels, three bytes each. `pixels` is what the whole picture is known by.
    ///
    /// # Errors
    /// The square has another size; the model gave no number; or the look was stopped.
    pub fn observe_square(
        &self,
        square: Vec<u8>,
        pixels: u64,
        ask: &Ask,
    ) -> Result<Observation, LookError> {
        self.observe_rounded(square, pixels, 0.0, ask)
    }

    fn observe_rounded(
        &self,
        square: Vec<u8>,
        pixels: u64,
        rounding: f32,
        ask: &Ask,
    ) -> Result<Observation, LookError> {
        let size = self.size();
        let side = cells(size);
        let kept = Kept::new(square, size, side, ask.ignore);
        let ignored = |x, y| ask.ignore.iter().any(|region| region.has(x, y, size));
        let thumbnail = Thumbnail::of(&kept.rgb, size);
        if let Some(blind) = blind::look(&kept.rgb, size, rounding, &ignored) {
            return Ok(nothing(blind, pixels, thumbnail));
        }
        let input = Input {
            rgb: &kept.rgb,
            size,
            counted: &kept.counted,
            stop: ask.stop,
        };
        let mut scratch = self.scratch()?;
        let answer = self.model.network.run(&input, &mut scratch);
        let calibration = &self.model.head.calibration;
        let counts = |cell: usize| kept.counted.get(cell).copied().unwrap_or(true);
        let says = |(cell, logit): (usize, &f32)| counts(cell).then(|| calibration.of_cell(*logit));
        let odds = scratch.map.iter().enumerate().map(says).collect();
        self.put_back(scratch);
        let logit = match answer {
            Ok(logit) => logit,
            Err(NoAnswer::Stopped) => return Err(LookError::Stopped),
            Err(NoAnswer::NoCells) => return Ok(nothing(Blind::Ignored, pixels, thumbnail)),
            Err(why) => return Err(LookError::Model(ModelError(why.to_string()))),
        };
        let cells = Cells { side, odds };
        Ok(Observation {
            look: Evidence {
                failure: calibration.evidence(logit),
                blind: None,
                pixels,
            },
            place: cells.place(),
            cells,
            thumbnail,
        })
    }

    fn scratch(&self) -> Result<Scratch, LookError> {
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.pop()
        };
        let bytes = self.size() * self.size() * FOR_A_PIXEL;
        match kept {
            Some(scratch) => Ok(scratch),
            None if is_there(bytes) => Ok(Scratch::default()),
            None => Err(LookError::Memory(bytes)),
        }
    }

    fn put_back(&self, scratch: Scratch) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(scratch);
        }
    }
}

/// There is nothing to see.
fn nothing(blind: Blind, pixels: u64, thumbnail: Thumbnail) -> Observation {
    Observation {
        look: Evidence {
            failure: 0.0,
            blind: Some(blind),
            pixels,
        },
        place: None,
        cells: Cells::default(),
        thumbnail,
    }
}
