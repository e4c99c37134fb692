//! The frame: how large a picture is, and how its components lie in it.

use crate::MOST_PIXELS;
use crate::error::{PictureError, damaged, wrong};

/// One plane of samples: brightness, a colour difference, an ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Component {
    pub(crate) id: u8,
    /// Blocks of it in an MCU, across and down.
    pub(crate) h: usize,
    pub(crate) v: usize,
    /// Which quantisation table.
    pub(crate) table: usize,
    /// Its samples, across and down.
    pub(crate) wide: usize,
    pub(crate) high: usize,
    /// Its blocks in whole MCUs, across and down.
    pub(crate) blocks_wide: usize,
    pub(crate) blocks_high: usize,
}

impl Component {
    /// The blocks that hold samples of it: what a scan of it alone has.
    pub(crate) fn own_blocks(&self) -> (usize, usize) {
        (self.wide.div_ceil(8), self.high.div_ceil(8))
    }

    /// Samples in a row of a strip.
    pub(crate) fn stride(&self) -> usize {
        self.blocks_wide * 8
    }
}

/// How large a picture is, and what of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) progressive: bool,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// The most blocks of a component in an MCU, across and down.
    pub(crate) most_h: usize,
    pub(crate) most_v: usize,
    pub(crate) mcus_wide: usize,
    pub(crate) mcus_high: usize,
    pub(crate) components: Vec<Component>,
}

impl Frame {
    /// From what its segment holds.
    pub(crate) fn read(segment: &[u8], progressive: bool) -> Result<Frame, PictureError> {
        let [bits, h1, h0, w1, w0, count, parts @ ..] = segment else {
            return damaged("its frame header is cut off");
        };
        if *bits != 8 {
            return wrong(format!(
                "it has {bits} bits a sample, and only 8 are understood"
            ));
        }
        let height = usize::from(u16::from_be_bytes([*h1, *h0]));
        let width = usize::from(u16::from_be_bytes([*w1, *w0]));
        if height == 0 {
            return wrong("its height stands after the picture (DNL), which is not understood");
        }
        if width == 0 {
            return damaged("its width is 0");
        }
        if width * height > MOST_PIXELS {
            return Err(PictureError::TooManyPixels(width * height));
        }
        if !matches!(count, 1 | 3 | 4) {
            return wrong(format!(
                "it has {count} components: 1, 3 and 4 are understood"
            ));
        }
        let (parts, _) = parts.as_chunks::<3>();
        let Some(parts) = parts.get(..usize::from(*count)) else {
            return damaged("its frame header is cut off");
        };
        Frame::lay_out(progressive, width, height, parts)
    }

    fn lay_out(
        progressive: bool,
        width: usize,
        height: usize,
        parts: &[[u8; 3]],
    ) -> Result<Frame, PictureError> {
        let factors = |part: &[u8; 3]| (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        let most = |of: fn((usize, usize)) -> usize| parts.iter().map(factors).map(of).max();
        let most_h = most(|(h, _)| h).unwrap_or(1);
        let most_v = most(|(_, v)| v).unwrap_or(1);
        let possible = |part| {
            let (h, v) = factors(part);
            (1..=4).contains(&h) && (1..=4).contains(&v) && part[2] < 4
        };
        if !parts.iter().all(possible) {
            return damaged("its sampling or its tables are not possible");
        }
        let mut frame = Frame {
            progressive,
            width,
            height,
            most_h,
            most_v,
            mcus_wide: width.div_ceil(8 * most_h),
            mcus_high: height.div_ceil(8 * most_v),
            components: Vec::new(),
        };
        for part in parts {
            let (h, v) = factors(part);
            if frame.components.iter().any(|known| known.id == part[0]) {
                return damaged("two components have the same number");
            }
            frame.components.push(Component {
                id: part[0],
                h,
                v,
                table: usize::from(part[2]),
                wide: (width * h).div_ceil(most_h),
                high: (height * v).div_ceil(most_v),
                blocks_wide: frame.mcus_wide * h,
                blocks_high: frame.mcus_high * v,
            });
        }
        // A picture of one component is a row of blocks, whatever its sampling says.
        if let [only] = &mut *frame.components {
            (only.h, only.v, frame.most_h, frame.most_v) = (1, 1, 1, 1);
            (frame.mcus_wide, frame.mcus_high) = (width.div_ceil(8), height.div_ceil(8));
            (only.blocks_wide, only.blocks_high) = (frame.mcus_wide, frame.mcus_high);
            (only.wide, only.high) = (width, height);
        }
        Ok(frame)
    }

    /// The bytes that all coefficients take, which a progressive picture needs at once.
    pub(crate) fn coefficient_bytes(&self) -> usize {
        let blocks = |part: &Component| part.blocks_wide * part.blocks_high;
        self.components.iter().map(blocks).sum::<usize>() * 64 * size_of::<i16>()
    }

    /// The bytes of one row of MCUs in samples.
    pub(crate) fn strip_bytes(&self) -> usize {
        let strip = |part: &Component| part.stride() * part.v * 8;
        self.components.iter().map(strip).sum()
    }
}

/// The kinds that JPEG has and this decoder has not.
pub(crate) fn not_understood(code: u8) -> &'static str {
    match code {
        0xC3 | 0xCB => "it is lossless JPEG, which is not understood",
        0xC9 | 0xCA => "it is arithmetic-coded, which is not understood",
        _ => "it is hierarchical JPEG, which is not understood",
    }
}
