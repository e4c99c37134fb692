//! From a picture to what the first convolution takes.

use super::grow;
use super::layout::TAPS;

/// The 27 values under each pixel of a row of the stem, which has half the picture's pixels; zero is
/// outside of the picture.
pub fn gather(rgb: &[u8], size: usize, y: usize, taps: &mut Vec<f32>) {
    let width = size.div_ceil(2);
    grow(taps, width * TAPS);
    let pixels = &mut taps.as_chunks_mut::<TAPS>().0[..width];
    for ky in 0..3 {
        let lines = pixels.iter_mut().map(|taps| &mut taps[ky * 9..][..9]);
        let Some(line) = (2 * y + ky).checked_sub(1).filter(|line| *line < size) else {
            lines.for_each(|to| to.fill(0.0));
            continue;
        };
        let from = &rgb[line * size * 3..][..size * 3];
        for (x, to) in lines.enumerate() {
            // Three pixels, of which the first and the last may be outside.
            let start = (6 * x).saturating_sub(3);
            let seen = &from[start..from.len().min(6 * x + 6)];
            let left = if x == 0 { 3 } else { 0 };
            if seen.len() < 9 {
                to.fill(0.0);
            }
            for (to, value) in to[left..].iter_mut().zip(seen) {
                *to = normal(*value);
            }
        }
    }
}

/// As the network was trained.
pub fn normal(value: u8) -> f32 {
    (f32::from(value) - 127.0) / 128.0
}
