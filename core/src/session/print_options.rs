//! What a host sets for one print.

use crate::error::{Error, refuse};
use crate::rules::confidence::Confidence;
use crate::rules::pacing::check_interval;
use crate::rules::region::{MAX_REGIONS, Region, cover_everything};

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

impl PrintOptions {
    /// # Errors
    /// `Argument` for an interval above 14 days, for more than [`MAX_REGIONS`] and for regions that leave
    /// nothing of the picture.
    pub fn check(&self) -> Result<(), Error> {
        check_interval(self.interval_sec)?;
        if self.ignore.len() > MAX_REGIONS {
            return Err(refuse("more than 8 regions are to be ignored"));
        }
        if cover_everything(&self.ignore) {
            return Err(refuse(
                "the regions to be ignored leave nothing of the picture",
            ));
        }
        Ok(())
    }

    /// Whether it asks for what only the embedded engine does.
    pub(crate) fn is_for_engine(&self) -> bool {
        self.replay || !self.ignore.is_empty()
    }
}
