//! A part of the picture.

use crate::error::{Error, refuse};

/// A rectangle of the upright picture, in thousandths of its width and height, from the top left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// From the left edge of the picture to that of the region.
    pub x: u16,
    /// From the top edge of the picture to that of the region.
    pub y: u16,
    /// How wide it is.
    pub width: u16,
    /// How high it is.
    pub height: u16,
}

/// The whole of a picture's width or height.
const WHOLE: u16 = 1_000;
/// The most regions of a print that are ignored.
pub const MAX_IGNORED: usize = 8;

impl Region {
    /// Whether it lies within the picture and has an area.
    fn is_inside(self) -> bool {
        let inside = |start: u16, length: u16| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= WHOLE)
        };
        inside(self.x, self.width) && inside(self.y, self.height)
    }

    fn covers(self, x: u16, y: u16) -> bool {
        let within = |start: u16, length: u16, at: u16| at >= start && at - start < length;
        within(self.x, self.width, x) && within(self.y, self.height, y)
    }
}

/// Checks what is to be ignored of a picture.
///
/// # Errors
/// `Argument` for more than [`MAX_IGNORED`], for one that leaves the picture or has no area, and when
/// together they leave nothing.
pub fn check_ignored(ignore: &[Region]) -> Result<(), Error> {
    if ignore.len() > MAX_IGNORED {
        return Err(refuse("more than 8 regions are to be ignored"));
    }
    if !ignore.iter().all(|region| region.is_inside()) {
        return Err(refuse(
            "a region to be ignored leaves the picture (1000 thousandths) or has no area",
        ));
    }
    // What is left, if anything is, begins at an edge of a region or of the picture.
    let edges = |start: fn(&Region) -> u16, length: fn(&Region) -> u16| -> Vec<u16> {
        let ends = ignore.iter().map(|region| start(region) + length(region));
        ends.filter(|end| *end < WHOLE).chain([0]).collect()
    };
    let rows = edges(|region| region.y, |region| region.height);
    let columns = edges(|region| region.x, |region| region.width);
    let ignored = |x: u16, y: u16| ignore.iter().any(|region| region.covers(x, y));
    let all = |y: &u16| columns.iter().all(|x| ignored(*x, *y));
    if !ignore.is_empty() && rows.iter().all(all) {
        return Err(refuse(
            "the regions to be ignored leave nothing of the picture",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(of: &[[u16; 4]]) -> Vec<Region> {
        let region = |[x, y, width, height]: &[u16; 4]| Region {
            x: *x,
            y: *y,
            width: *width,
            height: *height,
        };
        of.iter().map(region).collect()
    }

    #[test]
    fn regions_lie_inside_and_leave_something() {
        for good in [
            &[][..],
            &[[0, 0, 1, 1]],
            &[[0, 0, 999, 1000]],
            &[[999, 999, 1, 1]],
            &[[0, 0, 500, 1000], [500, 0, 500, 999]],
            &[[0, 0, 500, 500], [500, 500, 500, 500]],
            // All but a pixel in the middle, from four sides.
            &[
                [0, 0, 500, 1000],
                [501, 0, 499, 1000],
                [0, 0, 1000, 500],
                [0, 501, 1000, 499],
            ],
            &[[1, 1, 1, 1]; 8],
        ] {
            assert!(check_ignored(&regions(good)).is_ok(), "{good:?}");
        }
        for bad in [
            &[[0, 0, 0, 5]][..],
            &[[0, 0, 5, 0]],
            &[[1, 0, 1000, 5]],
            &[[0, 1, 5, 1000]],
            &[[u16::MAX, 0, u16::MAX, 5]],
            &[[0, 0, 1000, 1000]],
            &[[0, 0, 500, 1000], [500, 0, 500, 1000]],
            &[[0, 0, 500, 1000], [500, 0, 500, 1000], [10, 10, 10, 10]],
            &[[1, 1, 1, 1]; 9],
        ] {
            assert!(check_ignored(&regions(bad)).is_err(), "{bad:?}");
        }
    }
}
