//! Why there is nothing to look at.

use std::fmt;

use crate::MOST_PIXELS;

/// Why a picture is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureError {
    /// It is not a JPEG, it is damaged or cut off, or it is of a kind that is not understood
    /// (docs/JPEG.md); the text says which.
    Undecodable(String),
    /// It has more pixels than are decoded.
    TooManyPixels(usize),
    /// Decoding it takes more memory than all pictures together may have.
    TooMuchMemory {
        /// What it takes, in bytes, by its header.
        needed: usize,
        /// What all pictures together may have, in bytes.
        budget: usize,
    },
    /// Not the picture's fault: the system has not so many bytes now.
    NoMemory(usize),
    /// Not the picture's fault: the caller's flag said to stop.
    Stopped,
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PictureError::Undecodable(why) => write!(f, "the picture cannot be decoded: {why}"),
            PictureError::TooManyPixels(count) => {
                write!(f, "the picture has {count} pixels, over {MOST_PIXELS}")
            }
            PictureError::TooMuchMemory { needed, budget } => write!(
                f,
                "the picture takes {needed} bytes to decode, over the {budget} of all pictures"
            ),
            PictureError::NoMemory(bytes) => write!(f, "there is no memory of {bytes} bytes"),
            PictureError::Stopped => f.write_str("the look was stopped"),
        }
    }
}

impl std::error::Error for PictureError {}

/// A picture that cannot be decoded, and why.
pub(crate) fn wrong<T>(why: impl Into<String>) -> Result<T, PictureError> {
    Err(PictureError::Undecodable(why.into()))
}

/// A picture whose bytes contradict themselves.
pub(crate) fn damaged<T>(how: &str) -> Result<T, PictureError> {
    wrong(format!("it is damaged: {how}"))
}
