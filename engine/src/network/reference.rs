//! The network once more, as plainly as it can be written and in 64-bit floats: what the kernels, the
//! bands and the groups must come to.

use super::layout::{Conv, FEATURES, Layout};
use super::{Input, cells};

/// Channels-last; square.
struct Tensor {
    side: usize,
    channels: usize,
    values: Vec<f64>,
}

impl Tensor {
    /// Zero outside.
    fn at(&self, y: isize, x: isize, channel: usize) -> f64 {
        let side = 0..self.side as isize;
        match side.contains(&y) && side.contains(&x) {
            true => self.values[(y as usize * self.side + x as usize) * self.channels + channel],
            false => 0.0,
        }
    }
}

fn floats(layout: &Layout, start: usize, count: usize) -> Vec<f64> {
    let mut to = Vec::new();
    layout.floats(start, 0..count, &mut to);
    to.into_iter().map(f64::from).collect()
}

/// A convolution of `kernel` x `kernel`; where `inputs` are more than its taps, of all colours or
/// channels, else of one.
fn conv(layout: &Layout, c: &Conv, from: &Tensor, kernel: usize, stride: usize) -> Tensor {
    let (scale, bias) = (
        floats(layout, c.scale, c.outputs),
        floats(layout, c.bias, c.outputs),
    );
    let stored = layout.rows(c, 0..c.inputs);
    let each = c.inputs / (kernel * kernel); // channels that an output sees
    let margin = (kernel / 2) as isize;
    let side = from.side.div_ceil(stride);
    let mut values = Vec::with_capacity(side * side * c.outputs);
    for (y, x) in (0..side * side).map(|n| (n / side, n % side)) {
        for n in 0..c.outputs {
            let mut sum = 0.0;
            for tap in 0..kernel * kernel {
                let from_y = (y * stride + tap / kernel) as isize - margin;
                let from_x = (x * stride + tap % kernel) as isize - margin;
                for channel in 0..each {
                    let weight = stored[(tap * each + channel) * c.outputs + n].cast_signed();
                    let seen = match from.channels == each {
                        true => from.at(from_y, from_x, channel),
                        false => from.at(from_y, from_x, n),
                    };
                    sum += f64::from(weight) * seen;
                }
            }
            values.push(sum * scale[n] + bias[n]);
        }
    }
    Tensor {
        side,
        channels: c.outputs,
        values,
    }
}

fn relu6(mut tensor: Tensor) -> Tensor {
    for value in &mut tensor.values {
        *value = value.clamp(0.0, 6.0);
    }
    tensor
}

/// The logit, and the map.
pub fn run(layout: &Layout, input: &Input) -> (f64, Vec<f64>) {
    let values = input.rgb.iter().map(|v| (f64::from(*v) - 127.0) / 128.0);
    let mut here = Tensor {
        side: input.size,
        channels: 3,
        values: values.collect(),
    };
    for (n, b) in layout.blocks.iter().enumerate() {
        let (kernel, stride) = if n == 0 { (3, 2) } else { (1, 1) };
        let wide = relu6(conv(layout, &b.expand, &here, kernel, stride));
        let deep = relu6(conv(layout, &b.depthwise, &wide, b.kernel, b.stride));
        let mut next = conv(layout, &b.project, &deep, 1, 1);
        if b.skips {
            let around = next.values.iter_mut().zip(&here.values);
            around.for_each(|(to, from)| *to += from);
        }
        here = next;
    }
    let features = relu6(conv(layout, &layout.last, &here, 1, 1));
    assert_eq!(features.side, cells(input.size));
    let (map, mean) = (
        floats(layout, layout.map, FEATURES),
        floats(layout, layout.mean, FEATURES),
    );
    let says = |weights: &[f64], pixel: &[f64]| {
        let both = weights.iter().zip(pixel);
        both.map(|(a, b)| a * b).sum::<f64>()
    };
    let pixels = || features.values.chunks(FEATURES);
    let logits: Vec<f64> = pixels()
        .map(|pixel| says(&map, pixel) + f64::from(layout.map_bias))
        .collect();
    let counts = |n: usize| input.counted.is_empty() || input.counted[n];
    let counted = (0..logits.len()).filter(|n| counts(*n));
    let count = counted.clone().count() as f64;
    let sum: f64 = counted.clone().map(|n| (2.0 * logits[n]).exp()).sum();
    let means: f64 = pixels()
        .enumerate()
        .filter(|(n, _)| counts(*n))
        .map(|(_, pixel)| says(&mean, pixel))
        .sum();
    let answer = sum.ln() / 2.0 - count.ln() / 4.0 + means / count + f64::from(layout.mean_bias);
    (answer, logits)
}
