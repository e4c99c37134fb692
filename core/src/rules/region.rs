//! Parts of a picture: where a failure is, and what is not to be looked at.

use crate::error::{Error, refuse};

/// A whole picture, in the unit of a [`Region`].
pub const WHOLE: u16 = 1_000;
/// The most regions of a print that are left out.
pub const MAX_REGIONS: usize = 8;

/// A rectangle in thousandths of the width and height of the picture as it is shown (upright), from
/// its top left corner. It lies within the picture and is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

impl Region {
    /// # Errors
    /// `Argument` when it is empty or reaches out of the picture.
    pub fn new(x: u16, y: u16, width: u16, height: u16) -> Result<Region, Error> {
        let fits = |start: u16, length: u16| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= WHOLE)
        };
        if !fits(x, width) || !fits(y, height) {
            return Err(refuse(
                "a region is empty or reaches out of the picture, which is 1000 by 1000",
            ));
        }
        Ok(Region {
            x,
            y,
            width,
            height,
        })
    }

    /// From the left edge of the picture to that of the region.
    #[must_use]
    pub fn x(self) -> u16 {
        self.x
    }

    /// From the top edge of the picture to that of the region.
    #[must_use]
    pub fn y(self) -> u16 {
        self.y
    }

    /// How wide it is.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// How high it is.
    #[must_use]
    pub fn height(self) -> u16 {
        self.height
    }

    fn has(self, x: u16, y: u16) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }
}

/// Whether these leave nothing of the picture to look at.
#[must_use]
pub fn cover_everything(regions: &[Region]) -> bool {
    // What is left out changes at their edges only: it is enough to look at the first point after
    // each.
    let edges = |start: fn(&Region) -> u16, length: fn(&Region) -> u16| {
        let ends = regions.iter().map(move |one| start(one) + length(one));
        let mut edges: Vec<u16> = ends.filter(|end| *end < WHOLE).collect();
        edges.push(0);
        edges
    };
    let columns = edges(|one| one.x, |one| one.width);
    let rows = edges(|one| one.y, |one| one.height);
    let covered = |x: u16, y: u16| regions.iter().any(|one| one.has(x, y));
    columns.iter().all(|x| rows.iter().all(|y| covered(*x, *y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn region(x: u16, y: u16, width: u16, height: u16) -> Region {
        Region::new(x, y, width, height).unwrap()
    }

    #[test]
    fn regions_lie_within_the_picture_and_are_not_empty() {
        for (x, y, width, height) in [
            (0, 0, 0, 10),
            (0, 0, 10, 0),
            (991, 0, 10, 10),
            (0, 991, 10, 10),
            (0, 0, 1_001, 10),
            (65_535, 0, 1, 1),
            (0, 65_535, 1, 65_535),
        ] {
            let refused = Region::new(x, y, width, height).unwrap_err();
            assert_eq!(refused.status, Status::Argument);
        }
        let corner = region(990, 999, 10, 1);
        assert_eq!((corner.x(), corner.y()), (990, 999));
        assert_eq!((corner.width(), corner.height()), (10, 1));
    }

    #[test]
    fn everything_is_covered_by_one_or_by_several() {
        assert!(!cover_everything(&[]));
        assert!(cover_everything(&[region(0, 0, 1_000, 1_000)]));
        assert!(!cover_everything(&[region(0, 0, 999, 1_000)]));
        assert!(!cover_everything(&[region(1, 0, 999, 1_000)]));
        let (left, right) = (region(0, 0, 500, 1_000), region(500, 0, 500, 1_000));
        assert!(cover_everything(&[right, left]));
        assert!(!cover_everything(&[left, region(501, 0, 499, 1_000)]));
        let frame = [
            region(0, 0, 1_000, 400),
            region(0, 600, 1_000, 400),
            region(0, 0, 400, 1_000),
            region(600, 0, 400, 1_000),
        ];
        assert!(!cover_everything(&frame), "its middle is open");
        let with_middle = [&frame[..], &[region(400, 400, 200, 200)]].concat();
        assert!(cover_everything(&with_middle));
    }

    /// Against looking at every point of coarse pictures.
    #[test]
    fn covering_is_what_looking_everywhere_finds() {
        let mut state = 7_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::try_from((state >> 16) % below).unwrap()
        };
        let mut whole = 0;
        for _ in 0..3_000 {
            let mut side = || {
                let start = random(4);
                let length = 1 + random(u32::from(4 - start));
                (start * 250, length * 250)
            };
            let regions: Vec<Region> = (0..6)
                .map(|_| {
                    let ((x, width), (y, height)) = (side(), side());
                    region(x, y, width, height)
                })
                .collect();
            let points = (0..16_u16).map(|n| (n % 4 * 250 + 125, n / 4 * 250 + 125));
            let mut seen = points.map(|(x, y)| regions.iter().any(|one| one.has(x, y)));
            let expected = seen.all(|covered| covered);
            assert_eq!(cover_everything(&regions), expected, "{regions:?}");
            whole += u32::from(expected);
        }
        assert!(whole > 20, "{whole}");
    }
}
