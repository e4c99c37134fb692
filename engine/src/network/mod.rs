//! The network's forward pass: EfficientNet-Lite0 with a head that also says where. 32-bit floats, one
//! thread, no dependencies; 8-bit weights are used where they lie.
//!
//! The expanded channels of an inverted residual (expand, depthwise, project) are by far the largest
//! tensors. They are never whole: a block is run a group of channels and a band of rows at a time
//! (`block.rs`), which keeps them in the processor's cache, and the working memory under 4 MB.

mod block;
mod head;
#[allow(unsafe_code, reason = "the only file of this crate that has any")]
mod kernels;
mod layout;
#[cfg(test)]
mod reference;
mod stem;
#[cfg(test)]
mod tests;
mod work;

use std::fmt;

use kernels::Kernels;
use layout::Conv;
pub use layout::Layout;
use work::{Product, Unpack};

/// No smaller pictures are looked at: one cell is left of this.
pub const SMALLEST: usize = 32;
/// No larger ones: memory and time grow with the square.
pub const LARGEST: usize = 1_024;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It was told to stop.
    Stopped,
    /// The picture is not of the size that was said, or that size is not possible.
    Size,
    /// No cell of the map was to be counted.
    NoCells,
    /// The sums left the range of numbers: the weights are no network's.
    NoNumber,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoAnswer::Stopped => "it was stopped",
            NoAnswer::Size => "the picture has another size",
            NoAnswer::NoCells => "no part of the picture counts",
            NoAnswer::NoNumber => "the network gave no number",
        })
    }
}

/// One picture to run the network on.
pub struct Input<'a> {
    /// Three bytes a pixel, row by row.
    pub rgb: &'a [u8],
    /// Pixels of a side, from [`SMALLEST`] to [`LARGEST`].
    pub size: usize,
    /// Whether a cell of the map counts, row by row; empty: all do.
    pub counted: &'a [bool],
    /// Asked between bands of rows, every 15 million instructions at most.
    pub stop: &'a dyn Fn() -> bool,
}

/// Cells of the map in a row, for a picture with a side of so many pixels.
pub const fn cells(size: usize) -> usize {
    size.div_ceil(32)
}

/// Buffers that are used again with the next picture. They grow to what a picture takes: 2.9 MB for 320
/// pixels.
#[derive(Default)]
pub struct Scratch {
    /// What the last block gave, and what this one gives.
    here: Vec<f32>,
    there: Vec<f32>,
    /// Some rows of some expanded channels, with margins.
    band: Vec<f32>,
    /// What a depthwise convolution made of them.
    deep: Vec<f32>,
    /// The pixels under each pixel of a row of the stem.
    taps: Vec<f32>,
    /// Unpacked weights of a group, and the scale and bias of a convolution.
    expand: Vec<f32>,
    depthwise: Vec<f32>,
    project: Vec<f32>,
    scale: Vec<f32>,
    expand_bias: Vec<f32>,
    depthwise_bias: Vec<f32>,
    /// The evidence of each cell, as logits.
    pub map: Vec<f32>,
}

impl Scratch {
    /// What it takes, in bytes.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let all = [
            &self.here,
            &self.there,
            &self.band,
            &self.deep,
            &self.taps,
            &self.expand,
            &self.depthwise,
            &self.project,
            &self.scale,
            &self.expand_bias,
            &self.depthwise_bias,
            &self.map,
        ];
        all.iter().map(|buffer| buffer.capacity() * 4).sum()
    }
}

/// Makes a buffer at least so long. What is in it means nothing.
fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.reserve_exact(len - buffer.len());
        buffer.resize(len, 0.0);
    }
}

/// A network, ready to run.
pub struct Network {
    layout: Layout,
    kernels: &'static Kernels,
}

impl Network {
    /// With the quickest kernels that this processor can run.
    pub fn new(layout: Layout) -> Network {
        Network {
            layout,
            kernels: kernels::best(),
        }
    }

    /// The kinds of kernels that this processor can run, the quickest first.
    pub fn kinds() -> Vec<&'static str> {
        kernels::all().iter().map(|kind| kind.name).collect()
    }

    /// With the kernels of a kind, when this processor can run them.
    pub fn with_kind(self, name: &str) -> Option<Network> {
        let kernels = kernels::all().into_iter().find(|kind| kind.name == name)?;
        Some(Network { kernels, ..self })
    }

    /// The logit of a picture; what each cell says is in `scratch.map` then.
    pub fn run(&self, input: &Input, scratch: &mut Scratch) -> Result<f32, NoAnswer> {
        let Input { rgb, size, .. } = *input;
        let all = cells(size) * cells(size);
        let possible = (SMALLEST..=LARGEST).contains(&size) && rgb.len() == size * size * 3;
        if !possible || !(input.counted.is_empty() || input.counted.len() == all) {
            return Err(NoAnswer::Size);
        }
        let mut side = size.div_ceil(2);
        let mut picture = Some((rgb, size));
        for block in &self.layout.blocks {
            self.block(block, picture.take(), side, scratch, input.stop)?;
            side = side.div_ceil(block.stride);
        }
        self.head(input, scratch)
    }

    /// Channels as they lie in memory: padded to whole vectors.
    fn padded(&self, channels: usize) -> usize {
        channels.next_multiple_of(self.kernels.lanes)
    }

    /// Some rows and columns of a convolution's weights as floats, panel after panel.
    fn unpack(
        &self,
        conv: &Conv,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        panel: usize,
        scale: &mut Vec<f32>,
        to: &mut Vec<f32>,
    ) {
        let padded = self.padded(columns.len());
        grow(to, rows.len() * padded);
        self.layout.floats(conv.scale, columns.clone(), scale);
        self.kernels.unpack(Unpack {
            stored: self.layout.rows(conv, rows.clone()),
            rows: rows.len(),
            columns: conv.outputs,
            first: columns.start,
            count: columns.len(),
            padded,
            panel,
            scale,
            to,
        });
    }
}
