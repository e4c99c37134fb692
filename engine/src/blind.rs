//! Whether there is anything to see in a picture, decided from its pixels alone: what a network says
//! of a black room is about its own training.
//!
//! What counts is structure: how far each part of a picture differs from those around it, beyond what
//! the noise within it explains. Light that falls off towards the corners, or a sensor that glows at
//! an edge, is none. docs/JPEG.md has the measurements that the limits come from.

use std::fmt;

use oe_picture::{Budget, Picture, PictureError};

use crate::place::Region;

/// Why there is nothing to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blind {
    /// The lamp is off, or the lens is covered.
    Dark,
    /// All of one colour.
    OneColour,
    /// Noise of a sensor in the dark, and nothing else.
    Noise,
    /// Flat areas of a few colours, as devices show that have no picture.
    NoSignal,
    /// All of it is to be ignored.
    Ignored,
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blind::Dark => "the picture is dark",
            Blind::OneColour => "the picture is of one colour",
            Blind::Noise => "the picture is noise",
            Blind::NoSignal => "the camera has no picture",
            Blind::Ignored => "all of the picture is ignored",
        })
    }
}

/// A tenth of the cells must differ by this (of 255) from the mean of those around them,
const LEAST_CONTRAST: f32 = 1.2;
/// and by so many times what noise alone would make of them: less where they differ by much, which no
/// sensor's noise in the dark does, down to what noise of any strength can make.
const TO_NOISE: (f32, f32, f32) = (2.4, 0.16, 1.25);
/// Of noise, a tenth lies further away than so many standard deviations; and a cell less the mean of
/// four has so many times the deviation of a cell.
const TENTH_OF_NOISE: f32 = 1.645 * 1.118;
/// A picture without structure is called dark when its brightest tenth is below this,
const DARK: f32 = 24.0;
/// and otherwise of one colour when its noise is below this.
const QUIET: f32 = 0.1;

/// Small squares across a picture, at least; each cell has four across and four down.
const SMALL: usize = 80;

/// The side of the square for [`blindness`].
const SIDE: usize = 320;

/// Whether there is nothing to see in a JPEG outside of `ignore`: what a look finds before it asks a
/// network, and without a model.
///
/// # Errors
/// It cannot be decoded.
pub fn blindness(
    jpeg: &[u8],
    ignore: &[Region],
    budget: &Budget,
) -> Result<Option<Blind>, PictureError> {
    let picture = Picture::decode(jpeg, SIDE, budget, &|| false)?;
    let ignored = |x, y| ignore.iter().any(|region| region.has(x, y, SIDE));
    Ok(look(&picture.square, SIDE, rounding(&picture), &ignored))
}

/// The deviation of a cell's brightness that comes of rounding in the file: of the means of so many
/// blocks, each rounded on its own.
pub fn rounding(picture: &Picture) -> f32 {
    let cells = (SMALL / 4 * SMALL / 4) as f32;
    let blocks = picture.blocks as f32 / cells;
    picture.step / 12_f32.sqrt() / blocks.max(1.0).sqrt()
}

/// Whether there is nothing to see in a square picture with a side of `size`, of three bytes a pixel.
/// `rounding` is what [`rounding`] says, or 0; `ignored` names pixels that do not count, by column and
/// row.
pub fn look(
    rgb: &[u8],
    size: usize,
    rounding: f32,
    ignored: &dyn Fn(usize, usize) -> bool,
) -> Option<Blind> {
    let step = (size / SMALL).max(1);
    let small = Grid::averages(rgb, size, step, ignored);
    let halves = small.halved();
    let cells = halves.halved();
    let mut values: Vec<f32> = cells.values.iter().copied().flatten().collect();
    if values.is_empty() {
        return Some(Blind::Ignored);
    }
    values.sort_by(f32::total_cmp);
    let bright = at(&values, 0.9);
    let contrast = at(&cells.contrasts(), 0.9);
    // A cell is the mean of sixteen small squares, or of four twice as large: where a JPEG has few
    // bits, its blocks are flat, and all noise is between them.
    let noise = (small.noise() / 4.0).max(halves.noise() / 2.0);
    // What is added is what rounding to whole numbers makes.
    let expected = noise.max(rounding) * TENTH_OF_NOISE + 0.05;
    let (times, less, least) = TO_NOISE;
    let times = (times - less * contrast).max(least);
    if contrast >= LEAST_CONTRAST && contrast >= times * expected {
        return has_no_signal(rgb, size, ignored).then_some(Blind::NoSignal);
    }
    Some(match (bright < DARK, noise < QUIET) {
        (true, true) => Blind::Dark,
        (false, true) => Blind::OneColour,
        (_, false) => Blind::Noise,
    })
}

/// The value that this share of sorted values is below.
fn at(sorted: &[f32], share: f32) -> f32 {
    let place = (sorted.len() as f32 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(0.0)
}

/// Brightness by place; none where something is ignored.
struct Grid {
    side: usize,
    values: Vec<Option<f32>>,
}

impl Grid {
    fn averages(
        rgb: &[u8],
        size: usize,
        step: usize,
        ignored: &dyn Fn(usize, usize) -> bool,
    ) -> Grid {
        let side = size / step;
        let (pixels, _) = rgb.as_chunks::<3>();
        let mut sums = vec![Some(0_u32); side * side];
        for (y, row) in pixels.chunks(size).enumerate().take(side * step) {
            for (x, pixel) in row.iter().enumerate().take(side * step) {
                let sum = &mut sums[y / step * side + x / step];
                *sum = sum.filter(|_| !ignored(x, y)).map(|sum| sum + grey(*pixel));
            }
        }
        let all = (step * step * 256) as f32;
        Grid {
            side,
            values: sums.iter().map(|s| s.map(|sum| sum as f32 / all)).collect(),
        }
    }

    fn get(&self, x: usize, y: usize) -> Option<f32> {
        self.values.get(y * self.side + x).copied().flatten()
    }

    /// Four places at a time.
    fn four(&self, x: usize, y: usize) -> Option<[f32; 4]> {
        let (a, b) = (self.get(x, y)?, self.get(x + 1, y)?);
        Some([a, b, self.get(x, y + 1)?, self.get(x + 1, y + 1)?])
    }

    fn halved(&self) -> Grid {
        let side = self.side / 2;
        let mean = |n: usize| self.four(n % side * 2, n / side * 2);
        let mean = |n: usize| mean(n).map(|four| four.iter().sum::<f32>() / 4.0);
        Grid {
            side,
            values: (0..side * side).map(mean).collect(),
        }
    }

    /// The standard deviation of noise from place to place: from the middle of how much each four
    /// differ crosswise, which edges and slopes hardly change.
    fn noise(&self) -> f32 {
        let last = self.side.saturating_sub(1);
        let places = (0..last * last).filter_map(|n| self.four(n % last, n / last));
        let mut crosswise: Vec<f32> = places.map(|[a, b, c, d]| (a - b - c + d).abs()).collect();
        crosswise.sort_by(f32::total_cmp);
        at(&crosswise, 0.5) / 0.6745 / 2.0
    }

    /// By how much each place differs from the mean of those beside it, sorted.
    fn contrasts(&self) -> Vec<f32> {
        let beside = |x: usize, y: usize| {
            let left = x.checked_sub(1).and_then(|x| self.get(x, y));
            let right = (x + 1 < self.side).then(|| self.get(x + 1, y)).flatten();
            let above = y.checked_sub(1).and_then(|y| self.get(x, y));
            [left, right, above, self.get(x, y + 1)]
        };
        let mut contrasts: Vec<f32> = (0..self.values.len())
            .filter_map(|n| {
                let beside = beside(n % self.side, n / self.side);
                let count = beside.iter().flatten().count();
                let mean = beside.iter().flatten().sum::<f32>() / count as f32;
                // At the edges a slope would look like a difference.
                (count == 4).then_some((self.values[n]? - mean).abs())
            })
            .collect();
        contrasts.sort_by(f32::total_cmp);
        contrasts
    }
}

/// The brightness of a pixel, times 256.
fn grey([r, g, b]: [u8; 3]) -> u32 {
    u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29
}

/// A tile is flat when no colour differs by more than this within,
const FLAT: u8 = 3;
/// counts when it is not as black or as white as a picture can be,
const DRAWN: std::ops::RangeInclusive<u32> = 20..=245;
/// and is vivid when its colours differ by this: a dim grey scene can be flat in a poor JPEG.
const VIVID: u8 = 48;

/// Whether most of a picture is flat tiles of a few vivid colours, to the number: colour bars, a blue
/// screen with a line of text. No camera sees such a thing: light and noise are never so even, save
/// where they are at an end of the scale.
fn has_no_signal(rgb: &[u8], size: usize, ignored: &dyn Fn(usize, usize) -> bool) -> bool {
    const TILE: usize = 8;
    let (pixels, _) = rgb.as_chunks::<3>();
    let side = size / TILE;
    let (mut all, mut vivid) = (0, 0);
    let mut colours: Vec<([u8; 3], usize)> = Vec::new();
    for n in 0..side * side {
        let (left, top) = (n % side * TILE, n / side * TILE);
        let (mut least, mut most) = ([u8::MAX; 3], [0; 3]);
        let mut counts = true;
        for place in 0..TILE * TILE {
            let (x, y) = (left + place % TILE, top + place / TILE);
            counts &= !ignored(x, y);
            for (colour, value) in pixels.get(y * size + x).into_iter().flatten().enumerate() {
                least[colour] = least[colour].min(*value);
                most[colour] = most[colour].max(*value);
            }
        }
        let flat = least
            .iter()
            .zip(most)
            .all(|(least, most)| most - least <= FLAT);
        let one_end =
            flat && !DRAWN.contains(&(grey(least) / 256)) && least[0].abs_diff(least[2]) < 16;
        if !counts || one_end {
            continue;
        }
        all += 1;
        if flat {
            let (low, high) = (least.iter().min(), least.iter().max());
            let spread = high.zip(low).map_or(0, |(high, low)| high - low);
            vivid += usize::from(spread >= VIVID);
            let same =
                |known: &[u8; 3]| known.iter().zip(least).all(|(a, b)| a.abs_diff(b) <= FLAT);
            match colours.iter_mut().find(|(known, _)| same(known)) {
                Some((_, count)) => *count += 1,
                None => colours.push((least, 1)),
            }
        }
    }
    colours.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let few: usize = colours.iter().take(12).map(|(_, count)| count).sum();
    vivid * 3 >= side * side && few * 4 >= all * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 320;

    fn square(of: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
        (0..SIZE * SIZE)
            .flat_map(|n| of(n % SIZE, n / SIZE))
            .collect()
    }

    fn seen(of: impl Fn(usize, usize) -> [u8; 3]) -> Option<Blind> {
        look(&square(of), SIZE, 0.0, &|_, _| false)
    }

    /// A number from 0 to 255 that hangs on a place and looks like chance.
    fn noise(x: usize, y: usize) -> usize {
        let n = (x * 73_856_093) ^ (y * 19_349_663);
        let n = (n ^ n >> 13).wrapping_mul(0x9E37_79B1);
        (n ^ n >> 15) >> 7 & 255
    }

    #[test]
    fn each_kind_of_nothing_has_its_name() {
        assert_eq!(seen(|_, _| [2; 3]), Some(Blind::Dark));
        assert_eq!(seen(|x, _| [(x / 40) as u8; 3]), Some(Blind::Dark));
        assert_eq!(seen(|_, _| [90, 140, 60]), Some(Blind::OneColour));
        assert_eq!(
            seen(|x, y| [(100 + x / 16 + y / 16) as u8; 3]),
            Some(Blind::OneColour)
        );
        assert_eq!(
            seen(|x, y| [(noise(x, y) / 4) as u8; 3]),
            Some(Blind::Noise)
        );
        assert_eq!(seen(|x, y| [noise(x, y) as u8; 3]), Some(Blind::Noise));
        let bars = |x: usize, _| match x / 46 {
            0 => [192, 192, 192],
            1 => [192, 192, 0],
            2 => [0, 192, 192],
            3 => [0, 192, 0],
            4 => [192, 0, 192],
            5 => [192, 0, 0],
            _ => [0, 0, 192],
        };
        assert_eq!(seen(bars), Some(Blind::NoSignal));
        let text = |x: usize, y: usize| match (100..220).contains(&x) && (150..170).contains(&y) {
            true if x % 8 < 4 => [250; 3],
            _ => [10, 20, 200],
        };
        assert_eq!(seen(text), Some(Blind::NoSignal));
    }

    #[test]
    fn a_dim_scene_is_judged_and_what_is_ignored_does_not_count() {
        // Something that stands in the picture, at a tenth of the light, with noise over it.
        let dim = |x: usize, y: usize| {
            let thing = (80..240).contains(&x) && (60..300).contains(&y);
            [(if thing { 22 } else { 6 } + noise(x, y) / 32) as u8; 3]
        };
        assert_eq!(seen(dim), None);
        let thing = |x: usize, y: usize| (80..240).contains(&x) && (60..300).contains(&y);
        assert_eq!(look(&square(dim), SIZE, 0.0, &thing), Some(Blind::Noise));
        assert_eq!(
            look(&square(dim), SIZE, 0.0, &|_, _| true),
            Some(Blind::Ignored)
        );
    }
}
