//! What a host sets for one print.

use crate::rules::confidence::Confidence;
use crate::rules::region::Region;

/// The options of one print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// How certain it must be before the user is warned.
    pub warning: Confidence,
    /// How certain it must be before the print should be paused.
    pub pause: Confidence,
    /// The print's own interval in seconds; 0 is the client's.
    pub interval_sec: u32,
    /// Parts of the picture that are never judged; the embedded engine's only.
    pub ignore: Vec<Region>,
    /// A recording is played: capture times are the clock; the embedded engine's only.
    pub replay: bool,
}
