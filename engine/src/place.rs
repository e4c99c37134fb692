//! Where in a picture: what is left out of a look, and what a look found.

/// A rectangle of the picture as it is shown (upright), in thousandths of its width and height. What
/// is outside of the picture does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// From the left edge of the picture to that of the region.
    pub left: u16,
    /// From the top edge of the picture to that of the region.
    pub top: u16,
    /// How wide it is.
    pub width: u16,
    /// How high it is.
    pub height: u16,
}

impl Region {
    /// Whether it has the middle of a pixel, of a square with a side of so many.
    pub(crate) fn has(self, x: usize, y: usize, size: usize) -> bool {
        let within = |start: u16, length: u16, at: usize| {
            let (start, end) = (usize::from(start), usize::from(start) + usize::from(length));
            (start * 2 * size..end * 2 * size).contains(&((2 * at + 1) * 1_000))
        };
        within(self.left, self.width, x) && within(self.top, self.height, y)
    }
}

/// What each part of a picture says: a grid over the whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    /// Cells in a row, and rows; 0 when there was nothing to see.
    pub side: usize,
    /// Log odds that a failure is there, row by row from the top left; none where it was left out.
    pub odds: Vec<Option<f64>>,
}

impl Cells {
    /// The smallest region around the largest group of neighbours that look more like a failure than
    /// not.
    #[must_use]
    pub fn place(&self) -> Option<Region> {
        let mut left: Vec<Option<f64>> = self.odds.clone();
        let mut groups = Vec::new();
        for cell in 0..left.len() {
            let group = self.group(&mut left, cell);
            if !group.is_empty() {
                groups.push(group);
            }
        }
        let sum = |group: &[usize]| {
            group
                .iter()
                .filter_map(|cell| self.odds[*cell])
                .sum::<f64>()
        };
        let largest = groups.iter().max_by(|a, b| {
            let (first, second) = (sum(a), sum(b));
            a.len().cmp(&b.len()).then(first.total_cmp(&second))
        })?;
        let (left, width) = self.span(largest.iter().map(|cell| cell % self.side))?;
        let (top, height) = self.span(largest.iter().map(|cell| cell / self.side))?;
        Some(Region {
            left,
            top,
            width,
            height,
        })
    }

    /// Takes a cell and all that it is connected with, corners too, when it looks like a failure.
    fn group(&self, left: &mut [Option<f64>], cell: usize) -> Vec<usize> {
        let (mut group, mut next) = (Vec::new(), vec![cell]);
        while let Some(cell) = next.pop() {
            let odds = left.get_mut(cell).and_then(Option::take);
            if odds.is_none_or(|odds| odds <= 0.0) {
                continue;
            }
            group.push(cell);
            let around = |at: usize| at.saturating_sub(1)..self.side.min(at + 2);
            let rows = around(cell / self.side);
            next.extend(
                rows.flat_map(|y| around(cell % self.side).map(move |x| (y, x)))
                    .map(|(y, x)| y * self.side + x),
            );
        }
        group
    }

    /// From the first to the last, in thousandths: where it starts, and how long it is.
    fn span(&self, of: impl Iterator<Item = usize> + Clone) -> Option<(u16, u16)> {
        let (first, last) = (of.clone().min()?, of.max()?);
        let thousandths = |cell: usize| u16::try_from(cell * 1_000 / self.side).ok();
        let start = thousandths(first)?;
        Some((start, thousandths(last + 1)? - start))
    }
}

/// A square picture without what is to be ignored.
pub struct Kept {
    /// Three bytes a pixel; what is ignored is grey, as the network takes what is outside of a picture.
    pub rgb: Vec<u8>,
    /// Whether each cell counts: those of which less than half is ignored. Empty when all do.
    pub counted: Vec<bool>,
}

/// What a pixel outside of a picture is for the network.
const OUTSIDE: [u8; 3] = [127; 3];

impl Kept {
    /// Leaves out regions of a square with a side of `size`, of which a row has `cells`.
    pub fn new(mut rgb: Vec<u8>, size: usize, cells: usize, ignore: &[Region]) -> Kept {
        if ignore.is_empty() {
            return Kept {
                rgb,
                counted: Vec::new(),
            };
        }
        let (mut all, mut ignored) = (vec![0_usize; cells * cells], vec![0_usize; cells * cells]);
        for (n, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let (x, y) = (n % size, n / size);
            let cell = y * cells / size * cells + x * cells / size;
            all[cell] += 1;
            if ignore.iter().any(|region| region.has(x, y, size)) {
                ignored[cell] += 1;
                *pixel = OUTSIDE;
            }
        }
        let both = all.iter().zip(&ignored);
        let counted = both.map(|(all, ignored)| ignored * 2 < *all).collect();
        Kept { rgb, counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: [&str; 4]) -> Cells {
        let odds = |sign: char| match sign {
            '.' => Some(-2.0),
            '#' => Some(1.0),
            '*' => Some(3.0),
            _ => None,
        };
        Cells {
            side: 4,
            odds: rows.iter().flat_map(|row| row.chars()).map(odds).collect(),
        }
    }

    fn region(left: u16, top: u16, width: u16, height: u16) -> Option<Region> {
        Some(Region {
            left,
            top,
            width,
            height,
        })
    }

    #[test]
    fn the_place_is_the_largest_group() {
        assert_eq!(cells(["....", "....", "....", "...."]).place(), None);
        assert_eq!(
            cells(["....", ".#..", "....", "...."]).place(),
            region(250, 250, 250, 250)
        );
        // Corners connect; a larger group beats a surer one; of two as large the surer.
        assert_eq!(
            cells(["#..*", ".#..", "..#.", "...."]).place(),
            region(0, 0, 750, 750)
        );
        assert_eq!(
            cells(["#..*", "....", "....", "...."]).place(),
            region(750, 0, 250, 250)
        );
        // Rows do not wrap around, and what was left out does not connect.
        assert_eq!(
            cells(["...#", "#...", "#...", "...."]).place(),
            region(0, 250, 250, 500)
        );
        assert_eq!(
            cells(["##  ", "  ##", "   #", "...."]).place(),
            region(0, 0, 1000, 750)
        );
        assert_eq!(
            cells(["##. ", "    ", "   #", "..##"]).place(),
            region(500, 500, 500, 500)
        );
        assert_eq!(Cells::default().place(), None);
    }

    #[test]
    fn a_region_leaves_out_pixels_and_cells() {
        let ignore = |left, top, width, height| {
            let regions: Vec<Region> = region(left, top, width, height).into_iter().collect();
            Kept::new(vec![9; 64 * 64 * 3], 64, 2, &regions)
        };
        let kept = ignore(0, 0, 500, 1000);
        assert_eq!(kept.counted, [false, true, false, true]);
        assert_eq!(
            (kept.rgb[0], kept.rgb[31 * 3], kept.rgb[32 * 3]),
            (127, 127, 9)
        );
        // Less than half of a cell, and half.
        assert_eq!(ignore(0, 0, 500, 240).counted, [true; 4]);
        assert_eq!(ignore(0, 0, 500, 250).counted, [false, true, true, true]);
        assert_eq!(ignore(900, 900, u16::MAX, u16::MAX).counted, [true; 4]);
        assert_eq!(ignore(0, 0, 1000, 1000).counted, [false; 4]);
        assert!(ignore(0, 0, 0, 0).counted.iter().all(|counts| *counts));
        assert_eq!(Kept::new(vec![9; 12], 2, 1, &[]).rgb, vec![9; 12]);
    }
}
