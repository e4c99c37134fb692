//! One picture, looked at.

use crate::BUILT_IN;
use crate::model::{Model, ModelError};
use crate::picture::{Picture, PictureError, is_dark};

/// What one picture says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Log odds that it shows a failure rather than a fine print.
    pub failure: f64,
    /// There is nothing to see; `failure` means nothing then.
    pub dark: bool,
    /// What its pixels are known by: the same again is a camera that froze.
    pub pixels: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Engine").field(&self.name()).finish()
    }
}

/// Looks at pictures. One serves all threads; a look takes the calling thread and no other.
pub struct Engine {
    model: Model,
}

impl Engine {
    /// With the model that is compiled in.
    ///
    /// # Errors
    /// None, unless this build is damaged.
    pub fn new() -> Result<Engine, ModelError> {
        Engine::with_model(BUILT_IN)
    }

    /// With the bytes of a model file.
    ///
    /// # Errors
    /// It is of another kind, cut off, damaged, or its network cannot be run.
    pub fn with_model(file: &[u8]) -> Result<Engine, ModelError> {
        Model::read(file).map(|model| Engine { model })
    }

    /// The model's name and version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model.head.name
    }

    /// The evidence of fine prints on average (log odds), for [`Watch::see`](crate::Watch::see).
    #[must_use]
    pub fn usual(&self) -> f64 {
        self.model.head.usual
    }

    /// Looks at a JPEG.
    ///
    /// # Errors
    /// It cannot be decoded, or has more than 50 million pixels.
    pub fn look(&self, jpeg: &[u8]) -> Result<Look, PictureError> {
        let picture = Picture::decode(jpeg)?;
        let pixels = picture.pixels();
        let square = picture.square(self.model.head.size)?;
        if is_dark(&square) {
            return Ok(Look {
                failure: 0.0,
                dark: true,
                pixels,
            });
        }
        let failure = self
            .model
            .evidence(&square)
            .map_err(|why| PictureError::Undecodable(why.to_string()))?;
        Ok(Look {
            failure,
            dark: false,
            pixels,
        })
    }
}
