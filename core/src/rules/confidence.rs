//! How certain the judge has to be before it speaks.

use crate::error::{Error, refuse};

/// A confidence level: 1 (acts soonest) to 5 (only when most certain), or unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confidence(Option<u8>);

impl Confidence {
    /// From the C ABI's number, where 0 is unset.
    ///
    /// # Errors
    /// Outside 0 to 5.
    pub fn new(level: i32) -> Result<Confidence, Error> {
        match level {
            0 => Ok(Confidence(None)),
            1..=5 => Ok(Confidence(u8::try_from(level).ok())),
            _ => Err(refuse(
                "a confidence level is not within 1 to 5, or 0 for the default",
            )),
        }
    }

    /// The level, if one is set.
    #[must_use]
    pub fn level(self) -> Option<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn cr_07_levels_outside_one_to_five_are_refused() {
        for level in [6, -1, i32::MAX, i32::MIN] {
            assert_eq!(Confidence::new(level).unwrap_err().status, Status::Argument);
        }
        assert_eq!(Confidence::new(0).unwrap().level(), None);
        assert_eq!(Confidence::new(5).unwrap().level(), Some(5));
    }
}
