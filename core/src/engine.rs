//! What looks at pictures on this device.
//!
//! The embedded backend knows only this trait: core has no pixels and no network of neurons. The C
//! ABI brings the real engine, tests script their own.

use std::time::Duration;

use crate::rules::confidence::Confidence;
use crate::rules::region::Region;

/// The longest text of a belief, in bytes.
pub const MAX_BELIEF: usize = 4 * 1024;

/// One picture to look at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The picture.
    pub jpeg: &'a [u8],
    /// Parts of it that are not judged.
    pub ignore: &'a [Region],
    /// When it was taken, on a clock of its print that never goes back.
    pub at: Duration,
    /// How certain it must be before the user is warned.
    pub warning: Confidence,
    /// How certain it must be before the print should be paused.
    pub pause: Confidence,
    /// What was believed of the print after the last picture; none of a new print.
    pub belief: Option<&'a str>,
    /// Asked many times a second while it looks; true ends the look.
    pub stop: &'a dyn Fn() -> bool,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The picture shows nothing to judge.
    Nothing,
    /// What is believed of the print now.
    Opinion(Opinion),
}

/// What is said of a print after a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// 1 (failed) to 10 (perfect).
    pub quality: u8,
    /// 0 (perfect) to 100 (failed).
    pub score: u8,
    /// Tell the user.
    pub warning: bool,
    /// Pause the print.
    pub pause: bool,
    /// Look again soon: it is getting worse.
    pub faster: bool,
    /// Where in the picture it looks failed, if that is one place.
    pub place: Option<Region>,
    /// What is believed now, to be given back with the next picture: at most [`MAX_BELIEF`] bytes
    /// of ASCII.
    pub belief: String,
}

/// Why there is no opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookError {
    /// It was told to stop.
    Stopped,
    /// The picture cannot be decoded, or is too large; the text says why.
    Picture(String),
    /// The model gives no answer.
    Model(String),
    /// There is no memory for it.
    Resources(String),
}

/// What a client sets up its engine with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The bytes of a model file; without one it is the built-in model.
    pub model: Option<Vec<u8>>,
    /// The bytes that the looks of this client may take together to decode their pictures; without a
    /// number they share what all such clients of the process have.
    pub picture_memory: Option<usize>,
}

/// Looks at pictures, one a call, on the calling thread. One serves all prints.
pub trait Engine: Send + Sync {
    /// What its model is known by: a belief under one model is none under another.
    fn model(&self) -> &str;

    /// Whether a text from outside is a belief that this engine could have given.
    fn accepts(&self, belief: &str) -> bool;

    /// Looks at one picture.
    ///
    /// # Errors
    /// There is no opinion, and what was believed is as before.
    fn look(&self, look: &Look<'_>) -> Result<Seen, LookError>;
}
