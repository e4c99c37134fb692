//! From a block's coefficients to its samples: the inverse cosine transform, by Arai, Agui and
//! Nakajima, in 32-bit floats.
//!
//! Written over rows of eight so that compilers use vector instructions, which every processor with
//! floats has, and 32-bit products of whole numbers not.

use std::array::from_fn;
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy)]
struct Row([f32; 8]);

impl Add for Row {
    type Output = Row;
    #[inline(always)]
    fn add(self, other: Row) -> Row {
        Row(from_fn(|n| self.0[n] + other.0[n]))
    }
}

impl Sub for Row {
    type Output = Row;
    #[inline(always)]
    fn sub(self, other: Row) -> Row {
        Row(from_fn(|n| self.0[n] - other.0[n]))
    }
}

impl Mul<f32> for Row {
    type Output = Row;
    #[inline(always)]
    fn mul(self, by: f32) -> Row {
        Row(from_fn(|n| self.0[n] * by))
    }
}

/// The place of each coefficient, counted along the zigzag, in the block.
pub(crate) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What each coefficient is multiplied with: the quantisation and the transform's own factors.
#[derive(Clone, Debug)]
pub(crate) struct Scales([f32; 64]);

impl Scales {
    /// From a quantisation table, which is in zigzag order.
    pub(crate) fn new(quantisation: &[u16; 64]) -> Scales {
        let factor = |n: usize| match n {
            0 => 1.0,
            // The square root of two times the cosine of n sixteenths of half a turn.
            _ => std::f64::consts::SQRT_2 * (n as f64 * std::f64::consts::PI / 16.0).cos(),
        };
        let mut scales = [0.0; 64];
        for (step, place) in quantisation.iter().zip(ZIGZAG) {
            let place = usize::from(place);
            let both = factor(place / 8) * factor(place % 8) / 8.0;
            scales[place] = (f64::from(*step) * both) as f32;
        }
        Scales(scales)
    }

    /// The samples of a block, whose coefficients lie row by row.
    #[inline]
    pub(crate) fn samples(&self, block: &[i16; 64]) -> [u8; 64] {
        let rows: [Row; 8] = from_fn(|row| {
            Row(from_fn(|n| {
                f32::from(block[row * 8 + n]) * self.0[row * 8 + n]
            }))
        });
        let across = turned(one_way(rows));
        let rows = turned(one_way(across));
        let mut samples = [0; 64];
        for (to, row) in samples.as_chunks_mut::<8>().0.iter_mut().zip(rows) {
            *to = row.0.map(sample);
        }
        samples
    }

    /// The one value of a block that has no coefficient but the first.
    #[inline]
    pub(crate) fn flat(&self, first: i16) -> u8 {
        sample(f32::from(first) * self.0[0])
    }
}

/// Rounded to the nearest, in bounds: a number this large has no places after the point.
#[inline(always)]
fn sample(value: f32) -> u8 {
    let value = value + 128.0;
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    (value + 12_582_912.0).to_bits() as u8
}

#[inline(always)]
fn turned(rows: [Row; 8]) -> [Row; 8] {
    from_fn(|row| Row(from_fn(|n| rows[n].0[row])))
}

/// The transform down the eight columns.
#[inline(always)]
fn one_way(r: [Row; 8]) -> [Row; 8] {
    let (even_sum, even_gap) = (r[0] + r[4], r[0] - r[4]);
    let outer = r[2] + r[6];
    let inner = (r[2] - r[6]) * std::f32::consts::SQRT_2 - outer;
    let (e0, e3) = (even_sum + outer, even_sum - outer);
    let (e1, e2) = (even_gap + inner, even_gap - inner);

    let (z13, z10) = (r[5] + r[3], r[5] - r[3]);
    let (z11, z12) = (r[1] + r[7], r[1] - r[7]);
    let o7 = z11 + z13;
    let twice = (z11 - z13) * std::f32::consts::SQRT_2;
    let z5 = (z10 + z12) * 1.847_759_1;
    let o6 = z5 - z10 * 2.613_126 - o7;
    let o5 = twice - o6;
    let o4 = z5 - z12 * 1.082_392_2 - o5;
    [
        e0 + o7,
        e1 + o6,
        e2 + o5,
        e3 + o4,
        e3 - o4,
        e2 - o5,
        e1 - o6,
        e0 - o7,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform as the standard writes it.
    fn plainly(block: &[i16; 64], steps: &[u16; 64]) -> [f64; 64] {
        let mut natural = [0.0; 64];
        for (step, place) in steps.iter().zip(ZIGZAG) {
            let place = usize::from(place);
            natural[place] = f64::from(block[place]) * f64::from(*step);
        }
        let c = |n: usize| if n == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let wave = |at: usize, n: usize| {
            ((2 * at + 1) as f64 * n as f64 * std::f64::consts::PI / 16.0).cos()
        };
        from_fn(|at| {
            let (y, x) = (at / 8, at % 8);
            let mut sum = 0.0;
            for v in 0..8 {
                for u in 0..8 {
                    sum += c(u) * c(v) * natural[v * 8 + u] * wave(x, u) * wave(y, v);
                }
            }
            (sum / 4.0 + 128.0).clamp(0.0, 255.0)
        })
    }

    #[test]
    fn it_is_the_transform_of_the_standard() {
        let mut seed = 1_u32;
        let mut random = move |most: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as i32 % most
        };
        for round in 0..300 {
            let steps: [u16; 64] = from_fn(|_| 1 + random(40) as u16);
            let mut block = [0; 64];
            for _ in 0..=round % 20 {
                block[random(64) as usize] = (random(61) - 30) as i16;
            }
            let scales = Scales::new(&steps);
            for (got, right) in scales.samples(&block).iter().zip(plainly(&block, &steps)) {
                assert!((f64::from(*got) - right).abs() < 0.51, "{got} {right}");
            }
            let mut flat = [0; 64];
            flat[0] = block[0];
            assert_eq!(scales.samples(&flat), [scales.flat(flat[0]); 64]);
        }
    }

    #[test]
    fn the_largest_coefficients_stay_in_bounds() {
        let scales = Scales::new(&[u16::MAX; 64]);
        for value in [i16::MAX, i16::MIN] {
            scales.samples(&[value; 64]);
            assert_eq!(scales.flat(value), if value > 0 { 255 } else { 0 });
        }
    }
}
