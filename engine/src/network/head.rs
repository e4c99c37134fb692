//! From the last block to an answer: features, a map of what each cell says, and one logit.

use super::layout::FEATURES;
use super::work::{Onto, Place};
use super::{Input, Network, NoAnswer, Product, Scratch, cells, grow};

/// Features that are made at a time.
const GROUP: usize = 80;
const _: () = assert!(FEATURES.is_multiple_of(GROUP));

impl Network {
    /// The last convolution, a group of features at a time; the map, and the mean's answer.
    pub(super) fn head(&self, input: &Input, s: &mut Scratch) -> Result<f32, NoAnswer> {
        let counts = |cell: usize| input.counted.get(cell).copied().unwrap_or(true);
        let pixels = cells(input.size) * cells(input.size);
        let counted = (0..pixels).filter(|cell| counts(*cell)).count();
        if counted == 0 {
            return Err(NoAnswer::NoCells);
        }
        s.map.clear();
        s.map.resize(pixels, self.layout.map_bias);
        let mut answer = self.layout.mean_bias;
        for first in (0..FEATURES).step_by(GROUP) {
            if (input.stop)() {
                return Err(NoAnswer::Stopped);
            }
            self.features(first, pixels, s);
            let of = first..first + GROUP;
            // The buffers of the convolutions are free here.
            let (map, mean) = (&mut s.scale, &mut s.depthwise);
            self.layout.floats(self.layout.map, of.clone(), map);
            self.layout.floats(self.layout.mean, of, mean);
            let mut sum = [0.0_f32; GROUP];
            let features = s.band.as_chunks::<GROUP>().0.iter().zip(&mut s.map);
            for (cell, (pixel, says)) in features.enumerate() {
                *says += dot(pixel, map);
                if counts(cell) {
                    for (sum, feature) in sum.iter_mut().zip(pixel) {
                        *sum += feature;
                    }
                }
            }
            answer += dot(&sum, mean) / counted as f32;
        }
        let said = s.map.iter().enumerate().filter(|(n, _)| counts(*n));
        answer += pooled(said.map(|(_, logit)| *logit));
        answer
            .is_finite()
            .then_some(answer)
            .ok_or(NoAnswer::NoNumber)
    }

    /// `GROUP` features of each pixel, into `s.band`.
    fn features(&self, first: usize, pixels: usize, s: &mut Scratch) {
        let last = self.layout.last;
        let of = first..first + GROUP;
        let panel = self.kernels.panel;
        self.unpack(
            &last,
            0..last.inputs,
            of.clone(),
            panel,
            &mut s.scale,
            &mut s.expand,
        );
        self.layout.floats(last.bias, of, &mut s.expand_bias);
        grow(&mut s.band, pixels * GROUP);
        self.kernels.product(Product {
            from: &s.here,
            from_at: Place::dense(self.padded(last.inputs)),
            weights: &s.expand,
            inputs: last.inputs,
            outputs: GROUP,
            to: &mut s.band,
            to_at: Place::dense(GROUP),
            pixels,
            onto: Onto::Relu6(&s.expand_bias),
        });
    }
}

/// Between the mean and the maximum of the map: a tangle is often small.
fn pooled(map: impl Iterator<Item = f32> + Clone) -> f32 {
    let count = map.clone().count() as f32;
    let top = map.clone().fold(f32::MIN, f32::max);
    let sum: f32 = map.map(|logit| ((logit - top) * 2.0).exp()).sum();
    top + sum.ln() / 2.0 - count.ln() / 4.0
}

/// In lanes, so that the compiler makes vectors of it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = [0.0_f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0) {
        for n in 0..16 {
            sum[n] += a[n] * b[n];
        }
    }
    sum.iter().sum()
}
