//! Pictures as a camera would have sent them: noise on the pixels, and a small baseline encoder, as
//! ITU-T T.81 has it, without subsampling.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Every coefficient is divided by this: noise of a few parts of 255 survives.
const STEP: f32 = 6.0;

/// Red, green and blue.
pub struct Pixels {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Pixels {
    /// Of a good JPEG.
    pub fn decode(jpeg: &[u8]) -> Pixels {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(jpeg, options);
        let rgb = decoder.decode().unwrap();
        let (width, height) = decoder.dimensions().unwrap();
        Pixels { width, height, rgb }
    }

    /// Half as wide and half as high, each pixel the mean of four.
    pub fn halved(&self) -> Pixels {
        let (width, height) = (self.width / 2, self.height / 2);
        let row = 3 * self.width;
        let mut rgb = Vec::with_capacity(3 * width * height);
        for at in (0..height).flat_map(|y| (0..width).map(move |x| 2 * y * row + 6 * x)) {
            for at in at..at + 3 {
                let four = [at, at + 3, at + row, at + row + 3];
                let sum: u32 = four.iter().map(|at| u32::from(self.rgb[*at])).sum();
                rgb.push(((sum + 2) / 4) as u8);
            }
        }
        Pixels { width, height, rgb }
    }

    /// The same with noise on every value, the same for the same seed.
    pub fn with_noise(&self, seed: u64, sigma: f64) -> Pixels {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let rgb = self.rgb.iter().map(|value| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Four even numbers of 0 to 65,535 add up to nearly a bell: that of its middle and spread.
            let sum: u64 = (0..4).map(|n| state >> (16 * n) & 0xFFFF).sum();
            let bell = (sum as f64 - 131_070.0) / 37_837.0;
            (f64::from(*value) + bell * sigma).round().clamp(0.0, 255.0) as u8
        });
        Pixels {
            rgb: rgb.collect(),
            ..*self
        }
    }

    /// As a baseline JPEG.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        out.extend([STEP as u8; 64]);
        let size = [self.height, self.width].map(|side| (side as u16).to_be_bytes());
        out.extend([0xFF, 0xC0, 0, 17, 8]);
        out.extend(size.concat());
        out.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        for (class, lengths, symbols) in [(0x00, DC_LENGTHS, dc()), (0x10, AC_LENGTHS, ac())] {
            let len = (19 + symbols.len()) as u16;
            out.extend([0xFF, 0xC4]);
            out.extend(len.to_be_bytes());
            out.push(class);
            out.extend(lengths);
            out.extend(symbols);
        }
        out.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
        Scan::new().write(self, &mut out);
        out.extend([0xFF, 0xD9]);
        out
    }

    /// One of Y, Cb and Cr less 128 at a place; beyond the edge the edge goes on.
    fn channel(&self, channel: usize, x: usize, y: usize) -> f32 {
        let at = 3 * (y.min(self.height - 1) * self.width + x.min(self.width - 1));
        let [r, g, b] = [0, 1, 2].map(|n| f32::from(self.rgb[at + n]));
        match channel {
            0 => 0.299 * r + 0.587 * g + 0.114 * b - 128.0,
            1 => -0.168_736 * r - 0.331_264 * g + 0.5 * b,
            _ => 0.5 * r - 0.418_688 * g - 0.081_312 * b,
        }
    }
}

/// All sizes of 0 to 11 bits, each in a code of four bits.
const DC_LENGTHS: [u8; 16] = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The end of a block in a code of two bits, and every run with every size in one of eight.
const AC_LENGTHS: [u8; 16] = [0, 1, 0, 0, 0, 0, 0, 161, 0, 0, 0, 0, 0, 0, 0, 0];

fn dc() -> Vec<u8> {
    (0..12).collect()
}

/// The end of a block, sixteen zeros, and a size of 1 to 10 bits after 0 to 15 zeros.
fn ac() -> Vec<u8> {
    let sizes = (0..16).flat_map(|run| (1..=10).map(move |size| run << 4 | size));
    [0x00, 0xF0].into_iter().chain(sizes).collect()
}

/// The coded part.
struct Scan {
    cosines: [[f32; 8]; 8],
    /// Which row and column of a block is written when.
    order: [(usize, usize); 64],
    bits: u64,
    count: u32,
}

impl Scan {
    fn new() -> Scan {
        let cosine = |u: usize, x: usize| {
            let scale = if u == 0 { FRAC_1_SQRT_2 } else { 1.0 } / 2.0;
            (scale * ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos()) as f32
        };
        let mut order = std::array::from_fn(|n| (n / 8, n % 8));
        // Diagonals, every other one upwards.
        order.sort_by_key(|(y, x)| (x + y, if (x + y) % 2 == 0 { *x } else { *y }));
        Scan {
            order,
            cosines: std::array::from_fn(|u| std::array::from_fn(|x| cosine(u, x))),
            bits: 0,
            count: 0,
        }
    }

    fn write(mut self, pixels: &Pixels, out: &mut Vec<u8>) {
        let mut last = [0; 3];
        for top in (0..pixels.height).step_by(8) {
            for left in (0..pixels.width).step_by(8) {
                for (channel, last) in last.iter_mut().enumerate() {
                    let block: [[f32; 8]; 8] = std::array::from_fn(|y| {
                        std::array::from_fn(|x| pixels.channel(channel, left + x, top + y))
                    });
                    let coefficients = self.transform(&block);
                    self.block(&coefficients, last, out);
                }
            }
        }
        self.put(0x7F, 7, out);
    }

    /// The cosine transform, divided by the step and in the order in which it is written.
    fn transform(&self, block: &[[f32; 8]; 8]) -> [i32; 64] {
        // Turned over, so that doing it twice does both directions. Plain loops: it is not optimised.
        let along = |rows: &[[f32; 8]; 8]| -> [[f32; 8]; 8] {
            let mut turned = [[0.0; 8]; 8];
            for (y, row) in rows.iter().enumerate() {
                for (u, cosines) in self.cosines.iter().enumerate() {
                    let mut sum = 0.0;
                    for x in 0..8 {
                        sum += row[x] * cosines[x];
                    }
                    turned[u][y] = sum;
                }
            }
            turned
        };
        let both = along(&along(block));
        self.order.map(|(y, x)| (both[y][x] / STEP).round() as i32)
    }

    fn block(&mut self, coefficients: &[i32; 64], last: &mut i32, out: &mut Vec<u8>) {
        let [dc, ac @ ..] = coefficients;
        let change = dc - std::mem::replace(last, *dc);
        let size = size(change);
        self.put(size, 4, out);
        self.value(change, size, out);
        let mut zeros = 0;
        for value in ac {
            if *value == 0 {
                zeros += 1;
                continue;
            }
            for _ in 0..zeros / 16 {
                self.code(1, out);
            }
            let size = self::size(*value);
            self.code(2 + zeros % 16 * 10 + size - 1, out);
            self.value(*value, size, out);
            zeros = 0;
        }
        if zeros > 0 {
            self.code(0, out);
        }
    }

    /// The n-th symbol of [`ac`]: "00", then eight bits from 01000000 on.
    fn code(&mut self, n: u32, out: &mut Vec<u8>) {
        match n {
            0 => self.put(0, 2, out),
            n => self.put(0x40 + n - 1, 8, out),
        }
    }

    /// A number in so many bits; a negative one is one less.
    fn value(&mut self, value: i32, size: u32, out: &mut Vec<u8>) {
        let value = if value < 0 { value - 1 } else { value };
        self.put(value as u32 & ((1 << size) - 1), size, out);
    }

    fn put(&mut self, bits: u32, count: u32, out: &mut Vec<u8>) {
        self.bits = self.bits << count | u64::from(bits);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.bits >> self.count) as u8;
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
        }
    }
}

/// The bits that a number takes.
fn size(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}
