//! From a plane of samples, row by row, to the small square that the network takes.
//!
//! The filter is the one that pictures were made small with for training: cubic (a = -1/2), as wide
//! as the picture is shrunk. A component of fewer samples than the picture has pixels is stretched the
//! way that decoders do it (by twice: three quarters of the nearest sample and one of the next; else
//! the nearest), and the filter's weights have that in them. Rows are added up downwards as they come, so that only those are kept
//! that an unfinished row of the square needs; a finished row is then shrunk across.

use std::collections::VecDeque;

use crate::error::PictureError;

/// Weights come in groups that fit a vector register.
const LANES: usize = 4;

/// From so many samples on, a row is so much work for each row of the square that the stop flag is read
/// every time.
const WIDE: usize = 4_096;

fn stopped(wide: bool, stop: &dyn Fn() -> bool) -> Result<(), PictureError> {
    match wide && stop() {
        true => Err(PictureError::Stopped),
        false => Ok(()),
    }
}

/// What one sample of the square is made of.
struct Span {
    first: usize,
    weights: Vec<f32>,
}

impl Span {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// One component of a picture, on its way to a square.
pub(crate) struct Resampler {
    across: Vec<Span>,
    down: Vec<Span>,
    /// Rows of the square that are begun, from `finished` on.
    begun: VecDeque<Vec<f32>>,
    spare: Vec<Vec<f32>>,
    finished: usize,
    row: usize,
    square: Vec<f32>,
    /// The row that was taken last, as numbers.
    floats: Vec<f32>,
}

/// How the samples of a component lie along one side of a picture.
#[derive(Clone, Copy)]
pub(crate) struct Along {
    /// The pixels of that side.
    pub(crate) pixels: usize,
    /// The component's samples.
    pub(crate) samples: usize,
    /// Its sampling factor, and the largest of all components.
    pub(crate) factor: (usize, usize),
}

impl Along {
    fn doubled(self) -> bool {
        self.factor.0 * 2 == self.factor.1
    }

    fn equal(self) -> bool {
        self.factor.0 == self.factor.1
    }

    /// The samples that a pixel is made of, in quarters.
    fn made_of(self, pixel: usize, smoothly: bool) -> [(usize, f64); 2] {
        let last = self.samples - 1;
        let (own, most) = self.factor;
        let nearest = ((2 * pixel + 1) * own / (2 * most)).min(last);
        if !(smoothly && self.doubled()) {
            return [(nearest, 4.0), (nearest, 0.0)];
        }
        let next = match pixel % 2 {
            0 => nearest.saturating_sub(1),
            _ => (nearest + 1).min(last),
        };
        [(nearest, 3.0), (next, 1.0)]
    }
}

impl Resampler {
    /// For a component whose samples lie so across and down.
    pub(crate) fn new(wide: Along, high: Along, side: usize) -> Resampler {
        let smoothly = |other: Along| other.equal() || other.doubled();
        let mut across = spans(wide, smoothly(high), side);
        for span in &mut across {
            let whole = span.weights.len().next_multiple_of(LANES);
            span.weights.resize(whole, 0.0);
        }
        // So that no group of weights reaches beyond the row.
        let padded = across.iter().map(Span::end).max().unwrap_or(0);
        Resampler {
            across,
            down: spans(high, smoothly(wide), side),
            begun: VecDeque::new(),
            spare: Vec::new(),
            finished: 0,
            row: 0,
            square: Vec::with_capacity(side * side),
            floats: vec![0.0; padded.max(wide.samples).next_multiple_of(LANES)],
        }
    }

    /// What it takes, in bytes.
    pub(crate) fn cost(wide: Along, high: Along, side: usize) -> usize {
        let step = |along: Along| along.pixels as f64 / side as f64;
        let taps = |along: Along| (4.0 * step(along).max(1.0)) as usize + LANES + 2;
        // A sample is stretched over four pixels at most, and those next to them.
        let reach = 4.0 * step(high).max(1.0) + 10.0;
        let rows = ((reach / step(high)) as usize + 4).min(side) * (wide.samples + 3 * LANES);
        let weights = side * (taps(wide) + taps(high));
        (rows + weights + side * side) * size_of::<f32>()
    }

    /// Takes the next row.
    pub(crate) fn take(
        &mut self,
        samples: &[u8],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), PictureError> {
        let (groups, last) = samples.as_chunks::<LANES>();
        let (floats, _) = self.floats.as_chunks_mut::<LANES>();
        for (floats, samples) in floats.iter_mut().zip(groups) {
            *floats = samples.map(f32::from);
        }
        if let Some(floats) = floats.get_mut(groups.len()) {
            for (float, sample) in floats.iter_mut().zip(last) {
                *float = f32::from(*sample);
            }
        }
        for (n, span) in self.down.iter().enumerate().skip(self.finished) {
            if span.first > self.row {
                break;
            }
            stopped(samples.len() > WIDE, stop)?;
            if n - self.finished == self.begun.len() {
                let mut fresh = self.spare.pop().unwrap_or_default();
                fresh.clear();
                fresh.resize(self.floats.len(), 0.0);
                self.begun.push_back(fresh);
            }
            let weight = span.weights.get(self.row - span.first);
            let sums = &mut self.begun[n - self.finished];
            add(sums, &self.floats, weight.copied().unwrap_or(0.0));
        }
        self.row += 1;
        while self.finished < self.down.len() && self.down[self.finished].end() <= self.row {
            let Some(sums) = self.begun.pop_front() else {
                break;
            };
            for span in &self.across {
                self.square
                    .push(weighed(&sums[span.first..], &span.weights));
            }
            self.spare.push(sums);
            self.finished += 1;
        }
        Ok(())
    }

    /// The square, when all rows were taken.
    pub(crate) fn into_square(self) -> Vec<f32> {
        self.square
    }
}

/// A function of its own, and one plain loop: compilers then know that the two do not overlap, and
/// use vectors.
#[inline(never)]
fn add(sums: &mut [f32], samples: &[f32], weight: f32) {
    for (sum, sample) in sums.iter_mut().zip(samples) {
        *sum += sample * weight;
    }
}

#[inline(never)]
fn weighed(samples: &[f32], weights: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let groups = samples.as_chunks::<LANES>().0;
    for (samples, weights) in groups.iter().zip(weights.as_chunks::<LANES>().0) {
        for n in 0..LANES {
            sums[n] += samples[n] * weights[n];
        }
    }
    sums.iter().sum()
}

/// The weights of a component's samples for each of `side` samples of the square.
fn spans(along: Along, smoothly: bool, side: usize) -> Vec<Span> {
    let step = along.pixels as f64 / side as f64;
    let stretch = step.max(1.0);
    let span = |n: usize| {
        let centre = (n as f64 + 0.5) * step;
        let first = (centre - 2.0 * stretch + 0.5).max(0.0) as usize;
        let first = first.min(along.pixels - 1);
        let end = ((centre + 2.0 * stretch + 0.5) as usize).clamp(first + 1, along.pixels);
        let weight = |at: usize| cubic((at as f64 + 0.5 - centre) / stretch);
        let sum: f64 = (first..end).map(weight).sum();
        let sum = if sum == 0.0 { 1.0 } else { sum };
        let reach = |pixel: usize| along.made_of(pixel, smoothly).map(|(sample, _)| sample);
        let from = reach(first).into_iter().min().unwrap_or(0);
        let to = reach(end - 1).into_iter().max().unwrap_or(0) + 1;
        let mut weights = vec![0.0; to - from];
        for pixel in first..end {
            for (sample, quarters) in along.made_of(pixel, smoothly) {
                if let Some(to) = weights.get_mut(sample - from) {
                    *to += (weight(pixel) / sum * quarters / 4.0) as f32;
                }
            }
        }
        Span {
            first: from,
            weights,
        }
    };
    (0..side).map(span).collect()
}

/// Keys' cubic with a = -1/2.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    match x {
        _ if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        _ if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(wide: usize, high: usize, side: usize, of: impl Fn(usize, usize) -> u8) -> Vec<f32> {
        let along = |samples| Along {
            pixels: samples,
            samples,
            factor: (1, 1),
        };
        let mut plane = Resampler::new(along(wide), along(high), side);
        let mut most = 0;
        for y in 0..high {
            let row: Vec<u8> = (0..wide).map(|x| of(x, y)).collect();
            plane.take(&row, &|| false).unwrap();
            most = most.max((plane.begun.len() + plane.spare.len() + 1) * plane.floats.len());
        }
        assert_eq!(plane.square.len(), side * side, "{wide}x{high} to {side}");
        let weights = |spans: &[Span]| spans.iter().map(|s| s.weights.capacity()).sum::<usize>();
        let all = most + weights(&plane.across) + weights(&plane.down) + side * side;
        let cost = Resampler::cost(along(wide), along(high), side);
        assert!(
            all * 4 <= cost,
            "{wide}x{high} to {side}: {} of {cost}",
            all * 4
        );
        plane.into_square()
    }

    #[test]
    fn one_colour_stays_one_colour_at_any_size() {
        for (wide, high, side) in [
            (1, 1, 8),
            (3, 700, 16),
            (640, 2, 320),
            (33, 31, 32),
            (8, 8, 8),
        ] {
            for sample in square(wide, high, side, |_, _| 77) {
                assert!(
                    (sample - 77.0).abs() < 1e-3,
                    "{wide}x{high} to {side}: {sample}"
                );
            }
        }
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let of = |x: usize, y: usize| (x * 31 + y * 17) as u8;
        for (n, sample) in square(16, 16, 16, of).iter().enumerate() {
            assert!((sample - f32::from(of(n % 16, n / 16))).abs() < 1e-3);
        }
    }

    /// A slope is the same slope at another size, but for the edges.
    #[test]
    fn places_stay_where_they_are() {
        for (wide, high) in [(64, 48), (10, 12), (100, 333)] {
            let side = 20;
            let slope = |x: usize, y: usize, wide: usize, high: usize| {
                100.0 * ((x as f32 + 0.5) / wide as f32 + (y as f32 + 0.5) / high as f32)
            };
            let of = |x: usize, y: usize| slope(x, y, wide, high).round() as u8;
            let all = square(wide, high, side, of);
            for y in 4..side - 4 {
                for x in 4..side - 4 {
                    let (right, off) = (slope(x, y, side, side), 0.7);
                    let got = all[y * side + x];
                    assert!((got - right).abs() <= off, "{wide}x{high}: {got} {right}");
                }
            }
        }
    }
}
