//! Where the weights lie in a model file, and what shape they have.

use std::borrow::Cow;
use std::ops::Range;

/// Expansion, channels out, blocks, stride of the first, kernel.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
];
/// Channels of the stem.
const STEM: usize = 32;
/// Of the stem: 3 x 3 pixels, 3 colours.
pub const TAPS: usize = 27;
/// Channels of the last convolution.
pub const FEATURES: usize = 1_280;

/// A convolution: a scale and a bias for each output, and 8-bit weights, (inputs, outputs) or
/// (taps, channels). Each is where it begins in the file.
#[derive(Clone, Copy)]
pub struct Conv {
    pub scale: usize,
    pub bias: usize,
    weights: usize,
    /// Inputs, or taps.
    pub inputs: usize,
    pub outputs: usize,
}

/// An inverted residual. The first has the stem in place of an expansion.
pub struct Block {
    pub expand: Conv,
    pub depthwise: Conv,
    pub project: Conv,
    pub kernel: usize,
    pub stride: usize,
    /// What goes in is added to what comes out.
    pub skips: bool,
}

/// Weights, used where they lie.
pub struct Layout {
    file: Cow<'static, [u8]>,
    pub blocks: Vec<Block>,
    pub last: Conv,
    /// Weights of the map's convolution and of the mean's, [`FEATURES`] each.
    pub map: usize,
    pub mean: usize,
    pub map_bias: f32,
    pub mean_bias: f32,
}

/// Goes through a file.
struct Cursor<'a> {
    file: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self, bytes: usize) -> Result<usize, &'static str> {
        let start = self.at;
        self.at = start
            .checked_add(bytes)
            .filter(|end| *end <= self.file.len())
            .ok_or("is cut off")?;
        Ok(start)
    }

    fn floats(&mut self, count: usize) -> Result<usize, &'static str> {
        let start = self.skip(count * 4)?;
        let finite = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).is_finite();
        match self.file[start..self.at]
            .as_chunks::<4>()
            .0
            .iter()
            .all(finite)
        {
            true => Ok(start),
            false => Err("has a scale, a bias or a weight that is no number"),
        }
    }

    fn conv(&mut self, inputs: usize, outputs: usize) -> Result<Conv, &'static str> {
        Ok(Conv {
            scale: self.floats(outputs)?,
            bias: self.floats(outputs)?,
            weights: self.skip(inputs * outputs)?,
            inputs,
            outputs,
        })
    }
}

impl Layout {
    /// Finds the weights, which begin at `start`. What is wrong is said as in "the model ...".
    pub fn read(file: Cow<'static, [u8]>, start: usize) -> Result<Layout, &'static str> {
        let mut cursor = Cursor {
            file: &file,
            at: start,
        };
        let mut before = Some(cursor.conv(TAPS, STEM)?);
        let (mut blocks, mut inputs) = (Vec::with_capacity(16), STEM);
        for (expansion, outputs, count, stride, kernel) in STAGES {
            for n in 0..count {
                let (wide, stride) = (inputs * expansion, if n == 0 { stride } else { 1 });
                blocks.push(Block {
                    expand: match before.take() {
                        Some(stem) => stem,
                        None => cursor.conv(inputs, wide)?,
                    },
                    depthwise: cursor.conv(kernel * kernel, wide)?,
                    project: cursor.conv(wide, outputs)?,
                    kernel,
                    stride,
                    skips: stride == 1 && inputs == outputs,
                });
                inputs = outputs;
            }
        }
        let last = cursor.conv(inputs, FEATURES)?;
        let (map, mean) = (cursor.floats(FEATURES)?, cursor.floats(FEATURES)?);
        let ends = cursor.floats(2)?;
        if cursor.at != file.len() {
            return Err("is longer than its architecture");
        }
        let mut layout = Layout {
            file,
            blocks,
            last,
            map,
            mean,
            map_bias: 0.0,
            mean_bias: 0.0,
        };
        (layout.map_bias, layout.mean_bias) = (layout.float(ends), layout.float(ends + 4));
        Ok(layout)
    }

    fn float(&self, at: usize) -> f32 {
        let bytes = self.file.get(at..).and_then(<[u8]>::first_chunk::<4>);
        bytes.map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
    }

    /// Copies some of the floats that begin at `start`.
    pub fn floats(&self, start: usize, which: Range<usize>, to: &mut Vec<f32>) {
        let bytes = &self.file[start + which.start * 4..start + which.end * 4];
        to.clear();
        to.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
    }

    /// Some rows of a convolution's weights.
    pub fn rows(&self, conv: &Conv, rows: Range<usize>) -> &[u8] {
        let at = |row| conv.weights + row * conv.outputs;
        &self.file[at(rows.start)..at(rows.end)]
    }
}
