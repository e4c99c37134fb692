//! What the kernels are told to do, and where.

/// Where the pixels of a picture lie in a buffer that may have margins. In floats.
#[derive(Clone, Copy)]
pub struct Place {
    /// Pixels in a row.
    pub width: usize,
    /// From a row to the next.
    pub row: usize,
    /// From a pixel to the next.
    pub pixel: usize,
    /// Before the first pixel.
    pub start: usize,
}

impl Place {
    /// One pixel after the other, without margins.
    pub const fn dense(pixel: usize) -> Place {
        Place {
            width: usize::MAX,
            row: 0,
            pixel,
            start: 0,
        }
    }

    /// Whether a buffer of `len` has a run of `run` floats at each of so many pixels.
    pub fn fits(&self, pixels: usize, run: usize, len: usize) -> bool {
        let Some(last) = pixels.checked_sub(1) else {
            return false;
        };
        // Offsets grow from pixel to pixel: then the last one is the largest.
        let grows = last < self.width
            || (self.width > 0
                && (self.width - 1)
                    .checked_mul(self.pixel)
                    .is_some_and(|row| row <= self.row));
        let end = || {
            let rows = (last / self.width).checked_mul(self.row)?;
            let across = (last % self.width).checked_mul(self.pixel)?;
            let at = self.start.checked_add(rows)?.checked_add(across)?;
            at.checked_add(run)
        };
        grows && end().is_some_and(|end| end <= len)
    }

    /// From the first pixel on.
    pub fn walk(self) -> Walk {
        Walk {
            place: self,
            x: 0,
            row: self.start,
            at: self.start,
        }
    }
}

/// One pixel after the other, without a division.
pub struct Walk {
    place: Place,
    x: usize,
    row: usize,
    /// The pixel's offset, in floats.
    pub at: usize,
}

impl Walk {
    /// To the next pixel.
    #[inline(always)]
    pub fn step(&mut self) {
        self.x += 1;
        self.at += self.place.pixel;
        if self.x == self.place.width {
            (self.x, self.row) = (0, self.row + self.place.row);
            self.at = self.row;
        }
    }
}

/// What a product starts from, and what becomes of it.
#[derive(Clone, Copy)]
pub enum Onto<'a> {
    /// Starts from a bias for each channel; then ReLU6.
    Relu6(&'a [f32]),
    /// Is added to what is there.
    Sum,
}

/// `to[pixel][n] = from[pixel][0..inputs] x weights[0..inputs][n]`, for `outputs` channels.
pub struct Product<'a> {
    /// The pixels that are read.
    pub from: &'a [f32],
    pub from_at: Place,
    /// As [`Unpack`] writes them.
    pub weights: &'a [f32],
    pub inputs: usize,
    /// A multiple of the kind's lanes.
    pub outputs: usize,
    /// The pixels that are written.
    pub to: &'a mut [f32],
    pub to_at: Place,
    pub pixels: usize,
    pub onto: Onto<'a>,
}

/// One row of a depthwise convolution, then ReLU6. The rows have margins of `kernel / 2` pixels.
pub struct Depthwise<'a> {
    /// The first of the `kernel` rows under this one, from its margin on.
    pub rows: &'a [f32],
    /// From a row to the next, in floats.
    pub row: usize,
    /// A multiple of the kind's lanes.
    pub channels: usize,
    /// 3 or 5.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    /// `kernel` x `kernel` x `channels`.
    pub weights: &'a [f32],
    pub bias: &'a [f32],
    pub to: &'a mut [f32],
    /// Pixels of the row that is written.
    pub width: usize,
}

/// Some columns of 8-bit weights, as floats times their scale, panel after panel: within a panel one
/// row after the other. What pads the last panel is zero.
pub struct Unpack<'a> {
    /// `rows` x `columns`, two's complement.
    pub stored: &'a [u8],
    pub rows: usize,
    pub columns: usize,
    /// The first column that is wanted, and how many are.
    pub first: usize,
    pub count: usize,
    /// How many are written: a multiple of the kind's lanes.
    pub padded: usize,
    /// Columns of a panel: a multiple of the kind's lanes.
    pub panel: usize,
    /// Of the columns that are wanted.
    pub scale: &'a [f32],
    pub to: &'a mut [f32],
}
