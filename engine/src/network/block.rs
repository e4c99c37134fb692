//! One inverted residual: expand, depthwise, project.
//!
//! For each group of channels: unpack its weights; then, for each band of rows, expand the rows that
//! are new, convolve, and add the group's share of the projection to what the block gives. That
//! started as the bias and, where there is a way around, what went in.

use super::layout::Block;
use super::stem::gather;
use super::work::{Depthwise, Onto, Place};
use super::{Network, NoAnswer, Product, Scratch, grow};

/// Channels of a group at most.
const GROUP: usize = 96;
/// Every expanded layer but the first has a multiple of so many.
const GROUPS_OF: usize = 48;
/// Floats of the expanded rows of a band at most: 256 KiB.
const BAND: usize = 64 << 10;
/// Floats of what is convolved before it is projected, unless a row has more: 64 KiB.
const DEEP: usize = 16 << 10;

/// The picture's three bytes a pixel, and its side.
type Picture<'a> = Option<(&'a [u8], usize)>;

/// A block's sizes, in pixels, channels and floats.
struct Shape {
    side: usize,
    out_side: usize,
    /// Pixels around the expanded rows that are zero.
    margin: usize,
    /// Channels of a group.
    group: usize,
    /// Floats of an expanded row, with its margins.
    row: usize,
    /// Rows out of a band, and expanded rows that it holds.
    rows: usize,
    held: usize,
    /// Channels of a pixel that goes in, and out, padded.
    into: usize,
    out: usize,
}

impl Shape {
    fn new(network: &Network, b: &Block, side: usize) -> Shape {
        let wide = b.depthwise.outputs;
        let groups = (1..=GROUP / GROUPS_OF).map(|n| n * GROUPS_OF);
        let group = groups.filter(|group| wide.is_multiple_of(*group)).max();
        let group = group.unwrap_or(wide);
        let (out_side, margin) = (side.div_ceil(b.stride), b.kernel / 2);
        let row = (side + 2 * margin) * group;
        let rows = (BAND / row).saturating_sub(b.kernel - b.stride) / b.stride;
        let rows = rows.clamp(1, out_side);
        Shape {
            side,
            out_side,
            margin,
            group,
            row,
            rows,
            held: (rows - 1) * b.stride + b.kernel,
            into: network.padded(b.expand.inputs),
            out: network.padded(b.project.outputs),
        }
    }
}

/// The rows of a band.
struct Band {
    /// The first row out, and how many.
    y: usize,
    count: usize,
    /// Expanded rows that are or were in the band before, and after.
    ready: usize,
    end: usize,
}

impl Network {
    /// One block, from `s.here` or the picture to `s.here`.
    pub(super) fn block(
        &self,
        b: &Block,
        picture: Picture,
        side: usize,
        s: &mut Scratch,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), NoAnswer> {
        let shape = Shape::new(self, b, side);
        self.begin(b, &shape, s);
        for first in (0..b.depthwise.outputs).step_by(shape.group) {
            self.unpack_group(b, first..first + shape.group, s);
            let mut ready = 0;
            for y in (0..shape.out_side).step_by(shape.rows) {
                let count = shape.rows.min(shape.out_side - y);
                let last = (y + count - 1) * b.stride + b.kernel - shape.margin;
                let band = Band {
                    y,
                    count,
                    ready,
                    end: last.min(side),
                };
                ready = band.end;
                if stop() {
                    return Err(NoAnswer::Stopped);
                }
                self.expand(b, &shape, &band, picture, s);
                self.convolve(b, &shape, &band, s, stop)?;
            }
        }
        std::mem::swap(&mut s.here, &mut s.there);
        Ok(())
    }

    /// What the sums of `s.there` start from.
    fn begin(&self, b: &Block, shape: &Shape, s: &mut Scratch) {
        let pixels = shape.out_side * shape.out_side;
        let outputs = b.project.outputs;
        let bias = &mut s.scale;
        self.layout.floats(b.project.bias, 0..outputs, bias);
        grow(&mut s.there, pixels * shape.out);
        let out = s.there[..pixels * shape.out].chunks_exact_mut(shape.out);
        for (n, pixel) in out.enumerate() {
            let (real, padding) = pixel.split_at_mut(outputs);
            padding.fill(0.0);
            real.copy_from_slice(bias);
            if b.skips {
                for (to, from) in real.iter_mut().zip(&s.here[n * shape.into..]) {
                    *to += from;
                }
            }
        }
        grow(&mut s.band, shape.held * shape.row);
        s.band[..shape.held * shape.row].fill(0.0); // the margins stay so
    }

    fn unpack_group(&self, b: &Block, channels: std::ops::Range<usize>, s: &mut Scratch) {
        let panel = self.kernels.panel;
        let (taps, of) = (b.kernel * b.kernel, || channels.clone());
        let scale = &mut s.scale;
        self.unpack(
            &b.expand,
            0..b.expand.inputs,
            of(),
            panel,
            scale,
            &mut s.expand,
        );
        self.unpack(
            &b.depthwise,
            0..taps,
            of(),
            channels.len(),
            scale,
            &mut s.depthwise,
        );
        let outputs = 0..b.project.outputs;
        self.unpack(&b.project, of(), outputs, panel, scale, &mut s.project);
        let (expand, depthwise) = (b.expand.bias, b.depthwise.bias);
        self.layout.floats(expand, of(), &mut s.expand_bias);
        self.layout.floats(depthwise, of(), &mut s.depthwise_bias);
    }

    /// Makes the rows of the band that are new. Row 0 of it is row `y * stride - margin` of the
    /// expanded picture.
    fn expand(&self, b: &Block, shape: &Shape, band: &Band, picture: Picture, s: &mut Scratch) {
        let (row, top) = (shape.row, band.y * b.stride);
        match band.y {
            0 => s.band[..shape.margin * row].fill(0.0),
            _ => {
                let moved = shape.rows * b.stride;
                s.band.copy_within(moved * row..shape.held * row, 0);
            }
        }
        // Rows below the picture.
        let below = band.end + shape.margin - top;
        s.band[below * row..shape.held * row].fill(0.0);
        let place = |ready: usize| Place {
            width: shape.side,
            row,
            pixel: shape.group,
            start: (ready + shape.margin - top) * row + shape.margin * shape.group,
        };
        let mut product = |from: &[f32], pixel: usize, ready: usize, rows: usize| {
            self.kernels.product(Product {
                from,
                from_at: Place::dense(pixel),
                weights: &s.expand,
                inputs: b.expand.inputs,
                outputs: shape.group,
                to: &mut s.band,
                to_at: place(ready),
                pixels: rows * shape.side,
                onto: Onto::Relu6(&s.expand_bias),
            });
        };
        match picture {
            Some((rgb, size)) => {
                for y in band.ready..band.end {
                    gather(rgb, size, y, &mut s.taps);
                    product(&s.taps, b.expand.inputs, y, 1);
                }
            }
            None if band.end > band.ready => {
                let from = &s.here[band.ready * shape.side * shape.into..];
                product(from, shape.into, band.ready, band.end - band.ready);
            }
            None => {}
        }
    }

    /// Convolves the band and adds it to the projection, some rows at a time.
    fn convolve(
        &self,
        b: &Block,
        shape: &Shape,
        band: &Band,
        s: &mut Scratch,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), NoAnswer> {
        let across = shape.out_side * shape.group;
        let rows = (DEEP / across).clamp(1, band.count);
        grow(&mut s.deep, rows * across);
        for first in (0..band.count).step_by(rows) {
            let count = rows.min(band.count - first);
            for (n, to) in s.deep.chunks_exact_mut(across).take(count).enumerate() {
                self.kernels.depthwise(Depthwise {
                    rows: &s.band[(first + n) * b.stride * shape.row..],
                    row: shape.row,
                    channels: shape.group,
                    kernel: b.kernel,
                    stride: b.stride,
                    weights: &s.depthwise,
                    bias: &s.depthwise_bias,
                    to,
                    width: shape.out_side,
                });
            }
            if stop() {
                return Err(NoAnswer::Stopped);
            }
            self.kernels.product(Product {
                from: &s.deep,
                from_at: Place::dense(shape.group),
                weights: &s.project,
                inputs: shape.group,
                outputs: shape.out,
                to: &mut s.there,
                to_at: Place {
                    start: (band.y + first) * shape.out_side * shape.out,
                    ..Place::dense(shape.out)
                },
                pixels: count * shape.out_side,
                onto: Onto::Sum,
            });
        }
        Ok(())
    }
}
