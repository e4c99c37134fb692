//! Samples of one row of MCUs, and what becomes of them.

use crate::error::PictureError;
use crate::fingerprint::Fingerprint;
use crate::frame::{Component, Frame};
use crate::idct::Scales;
use crate::resample::{Along, Resampler};

/// One component's samples in a row of MCUs.
pub(crate) struct Strip {
    samples: Vec<u8>,
    stride: usize,
}

impl Strip {
    /// A strip in middle grey.
    pub(crate) fn new(part: &Component) -> Strip {
        Strip {
            samples: vec![128; part.stride() * part.v * 8],
            stride: part.stride(),
        }
    }

    /// Puts a block's samples where it lies, counted in blocks, and clears it.
    #[inline(always)]
    pub(crate) fn paint(
        &mut self,
        scales: &Scales,
        block: &mut [i16; 64],
        flat: bool,
        across: usize,
        down: usize,
    ) {
        let samples = if flat {
            [scales.flat(block[0]); 64]
        } else {
            let samples = scales.samples(block);
            *block = [0; 64];
            samples
        };
        let from = down * 8 * self.stride + across * 8;
        for (row, eight) in samples.as_chunks::<8>().0.iter().enumerate() {
            let from = from + row * self.stride;
            if let Some(to) = self.samples.get_mut(from..from + 8) {
                to.copy_from_slice(eight);
            }
        }
    }

    /// Continues downwards, over `rows` rows from `row` on and right of `from`, what stands above;
    /// above the strip's first row is what its last row was before.
    pub(crate) fn continue_down(&mut self, row: usize, rows: usize, from: usize) {
        let last = self.samples.len() / self.stride;
        let above = (row + last - 1) % last;
        for row in row..(row + rows).min(last) {
            let source = above * self.stride;
            if above != row {
                let source = source + from..source + self.stride;
                self.samples.copy_within(source, row * self.stride + from);
            }
        }
    }

    fn row(&self, row: usize, wide: usize) -> &[u8] {
        &self.samples[row * self.stride..][..wide]
    }
}

/// How a component's samples lie across and down.
fn along(frame: &Frame, part: &Component) -> (Along, Along) {
    let across = Along {
        pixels: frame.width,
        samples: part.wide,
        factor: (part.h, frame.most_h),
    };
    let down = Along {
        pixels: frame.height,
        samples: part.high,
        factor: (part.v, frame.most_v),
    };
    (across, down)
}

/// Takes the rows of all components as they come: shrinks them, and notes what is to be known.
pub(crate) struct Rows {
    pub(crate) planes: Vec<Resampler>,
    pub(crate) fingerprint: Fingerprint,
}

impl Rows {
    /// For the rows of a frame, to be a square of this side.
    pub(crate) fn new(frame: &Frame, side: usize) -> Rows {
        let plane = |part: &Component| {
            let (wide, high) = along(frame, part);
            Resampler::new(wide, high, side)
        };
        Rows {
            planes: frame.components.iter().map(plane).collect(),
            fingerprint: Fingerprint::new(frame.width, frame.height),
        }
    }

    /// What [`Rows::new`] and a strip take, in bytes.
    pub(crate) fn cost(frame: &Frame, side: usize) -> usize {
        let plane = |part: &Component| {
            let (wide, high) = along(frame, part);
            Resampler::cost(wide, high, side)
        };
        frame.strip_bytes() + frame.components.iter().map(plane).sum::<usize>()
    }

    /// Takes a row of MCUs.
    pub(crate) fn take(
        &mut self,
        frame: &Frame,
        row: usize,
        strips: &[Strip],
        stop: &dyn Fn() -> bool,
    ) -> Result<(), PictureError> {
        for (index, part) in frame.components.iter().enumerate() {
            let first = row * part.v * 8;
            for line in 0..(part.v * 8).min(part.high.saturating_sub(first)) {
                let samples = strips[index].row(line, part.wide);
                self.fingerprint.take(samples);
                self.planes[index].take(samples, stop)?;
                if line % 8 == 0 && stop() {
                    return Err(PictureError::Stopped);
                }
            }
        }
        Ok(())
    }
}
