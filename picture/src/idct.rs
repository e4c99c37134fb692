//! From a block's coefficients to its samples: the inverse cosine transform, by Arai, Agui and
//! Nakajima, in 32-bit floats.
//!
//! Written as loops over eight columns, so that compilers use vector instructions: every processor
//! that has floats has some for them, and not all have them for 32-bit products of whole numbers.

use crate::picture::byte;

/// The place of each coefficient, counted along the zigzag, in a block, which lies column by column.
pub(crate) const ZIGZAG: [u8; 64] = [
    0, 8, 1, 2, 9, 16, 24, 17, 10, 3, 4, 11, 18, 25, 32, 40, 33, 26, 19, 12, 5, 6, 13, 20, 27, 34,
    41, 48, 56, 49, 42, 35, 28, 21, 14, 7, 15, 22, 29, 36, 43, 50, 57, 58, 51, 44, 37, 30, 23, 31,
    38, 45, 52, 59, 60, 53, 46, 39, 47, 54, 61, 62, 55, 63,
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

    /// The samples of a block, row by row.
    pub(crate) fn samples(&self, block: &[i16; 64]) -> [u8; 64] {
        let mut values = [0.0; 64];
        for n in 0..64 {
            values[n] = f32::from(block[n]) * self.0[n];
        }
        along(&mut values);
        let mut rows = [0.0; 64];
        for y in 0..8 {
            for x in 0..8 {
                rows[y * 8 + x] = values[x * 8 + y];
            }
        }
        along(&mut rows);
        rows.map(|value| byte(value + 128.0))
    }

    /// The one value of a block that has no coefficient but the first.
    #[inline]
    pub(crate) fn flat(&self, first: i16) -> u8 {
        byte(f32::from(first) * self.0[0] + 128.0)
    }
}

/// The transform down each of eight columns.
#[inline(always)]
fn along(v: &mut [f32; 64]) {
    for n in 0..8 {
        let r = |row: usize| v[row * 8 + n];
        let (even_sum, even_gap) = (r(0) + r(4), r(0) - r(4));
        let outer = r(2) + r(6);
        let inner = (r(2) - r(6)) * std::f32::consts::SQRT_2 - outer;
        let (e0, e3) = (even_sum + outer, even_sum - outer);
        let (e1, e2) = (even_gap + inner, even_gap - inner);

        let (z13, z10) = (r(5) + r(3), r(5) - r(3));
        let (z11, z12) = (r(1) + r(7), r(1) - r(7));
        let o7 = z11 + z13;
        let twice = (z11 - z13) * std::f32::consts::SQRT_2;
        let z5 = (z10 + z12) * 1.847_759_1;
        let o6 = z5 - z10 * 2.613_126 - o7;
        let o5 = twice - o6;
        let o4 = z5 - z12 * 1.082_392_2 - o5;
        v[n] = e0 + o7;
        v[8 + n] = e1 + o6;
        v[16 + n] = e2 + o5;
        v[24 + n] = e3 + o4;
        v[32 + n] = e3 - o4;
        v[40 + n] = e2 - o5;
        v[48 + n] = e1 - o6;
        v[56 + n] = e0 - o7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array::from_fn;

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
                    sum += c(u) * c(v) * natural[u * 8 + v] * wave(x, u) * wave(y, v);
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
