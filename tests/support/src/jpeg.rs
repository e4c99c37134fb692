//! A JPEG encoder that can do what cameras do and ordinary encoders do not: any sampling, a scan for
//! each component, restart markers, any end. Plain, and slow.

use std::f64::consts::PI;

/// A picture to be encoded.
pub struct Jpeg<'a> {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Sampling factors of each component, across and down.
    pub sampling: &'a [(usize, usize)],
    /// The step of all coefficients: 1 is the best quality.
    pub step: u8,
    /// MCUs between restart markers; 0 is none.
    pub restart: usize,
    /// Whether each component has a scan of its own.
    pub apart: bool,
    /// The value (0 to 255) of a component at a place in pixels.
    pub value: &'a dyn Fn(usize, f64, f64) -> f64,
}

/// Bits on their way into a scan.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    window: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        for n in (0..bits).rev() {
            self.window = self.window << 1 | (value >> n & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.window as u8);
                if self.window as u8 == 0xFF {
                    self.bytes.push(0);
                }
                (self.window, self.count) = (0, 0);
            }
        }
    }

    fn pad(&mut self) {
        while self.count > 0 {
            self.put(1, 1);
        }
    }

    /// A symbol: each has a code of nine bits, the last symbol nothing but zeros.
    fn symbol(&mut self, zeros: u32, size: u32) {
        self.put(254 - (zeros << 4 | size), 9);
    }

    fn number(&mut self, value: i32, size: u32) {
        let bits = if value < 0 {
            value + (1 << size) - 1
        } else {
            value
        };
        self.put(bits as u32, size);
    }
}

fn size_of(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

/// The order of coefficients: from corner to corner.
fn zigzag() -> Vec<usize> {
    let mut places: Vec<usize> = (0..64).collect();
    places.sort_by_key(|place| {
        let (y, x) = (place / 8, place % 8);
        let along = if (x + y) % 2 == 0 { x } else { y };
        (x + y, along)
    });
    places
}

impl Jpeg<'_> {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8];
        segment(&mut file, 0xDB, &[&[0][..], &[self.step; 64]].concat());
        let mut frame = vec![8];
        frame.extend((self.height as u16).to_be_bytes());
        frame.extend((self.width as u16).to_be_bytes());
        frame.push(self.sampling.len() as u8);
        for (n, (h, v)) in self.sampling.iter().enumerate() {
            frame.extend([n as u8 + 1, (h << 4 | v) as u8, 0]);
        }
        segment(&mut file, 0xC1, &frame);
        for class in [0x00, 0x10] {
            let mut table = vec![class, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0];
            table.extend((0..255).rev());
            segment(&mut file, 0xC4, &table);
        }
        segment(&mut file, 0xDD, &(self.restart as u16).to_be_bytes());
        let all: Vec<usize> = (0..self.sampling.len()).collect();
        if self.apart || all.len() == 1 {
            for part in all {
                self.scan(&mut file, &[part]);
            }
        } else {
            self.scan(&mut file, &all);
        }
        file.extend([0xFF, 0xD9]);
        file
    }

    fn most(&self) -> (usize, usize) {
        let most = |of: fn(&(usize, usize)) -> usize| self.sampling.iter().map(of).max();
        (most(|s| s.0).unwrap_or(1), most(|s| s.1).unwrap_or(1))
    }

    fn scan(&self, file: &mut Vec<u8>, parts: &[usize]) {
        let mut head = vec![parts.len() as u8];
        for part in parts {
            head.extend([*part as u8 + 1, 0]);
        }
        head.extend([0, 63, 0]);
        segment(file, 0xDA, &head);
        let (most_h, most_v) = self.most();
        let (mut wide, mut high) = (
            self.width.div_ceil(8 * most_h),
            self.height.div_ceil(8 * most_v),
        );
        if let [only] = parts {
            let (h, v) = self.sampling[*only];
            wide = (self.width * h).div_ceil(most_h).div_ceil(8);
            high = (self.height * v).div_ceil(most_v).div_ceil(8);
        }
        let order = zigzag();
        let mut bits = Bits::default();
        let mut last = vec![0; self.sampling.len()];
        for mcu in 0..wide * high {
            if self.restart > 0 && mcu > 0 && mcu % self.restart == 0 {
                bits.pad();
                bits.bytes
                    .extend([0xFF, 0xD0 + (mcu / self.restart - 1) as u8 % 8]);
                last.fill(0);
            }
            let (column, row) = (mcu % wide, mcu / wide);
            for part in parts {
                let (h, v) = if parts.len() == 1 {
                    (1, 1)
                } else {
                    self.sampling[*part]
                };
                for n in 0..h * v {
                    let block = self.block(*part, column * h + n % h, row * v + n / h);
                    put(&mut bits, &block, &mut last[*part], &order);
                }
            }
        }
        bits.pad();
        file.extend(bits.bytes);
    }

    /// The coefficients of a block.
    fn block(&self, part: usize, column: usize, row: usize) -> [i32; 64] {
        let (most_h, most_v) = self.most();
        let (h, v) = self.sampling[part];
        let place = |at: usize, own: usize, most: usize| {
            (at as f64 + 0.5) * (most as f64 / own as f64) - 0.5
        };
        let mut samples = [0.0; 64];
        for (n, sample) in samples.iter_mut().enumerate() {
            let x = place(column * 8 + n % 8, h, most_h).min(self.width as f64 - 1.0);
            let y = place(row * 8 + n / 8, v, most_v).min(self.height as f64 - 1.0);
            *sample = (self.value)(part, x, y).round().clamp(0.0, 255.0) - 128.0;
        }
        let wave = |at: usize, n: usize| {
            let scale = if n == 0 { 0.125_f64.sqrt() } else { 0.5 };
            scale * ((2 * at + 1) as f64 * n as f64 * PI / 16.0).cos()
        };
        let mut waves = [0.0; 64];
        for (n, to) in waves.iter_mut().enumerate() {
            *to = wave(n % 8, n / 8);
        }
        let sum = |of: &dyn Fn(usize) -> f64| (0..8).map(of).sum::<f64>();
        let mut across = [0.0; 64];
        for (n, to) in across.iter_mut().enumerate() {
            *to = sum(&|x| samples[n / 8 * 8 + x] * waves[n % 8 * 8 + x]);
        }
        let mut block = [0; 64];
        for (n, to) in block.iter_mut().enumerate() {
            let value = sum(&|y| across[y * 8 + n % 8] * waves[n / 8 * 8 + y]);
            *to = (value / f64::from(self.step)).round() as i32;
        }
        block
    }
}

fn put(bits: &mut Bits, block: &[i32; 64], last: &mut i32, order: &[usize]) {
    let difference = block[0] - *last;
    *last = block[0];
    bits.symbol(0, size_of(difference));
    bits.number(difference, size_of(difference));
    let mut zeros = 0;
    for place in &order[1..] {
        let value = block[*place];
        if value == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            bits.symbol(15, 0);
            zeros -= 16;
        }
        bits.symbol(zeros, size_of(value));
        bits.number(value, size_of(value));
        zeros = 0;
    }
    if zeros > 0 {
        bits.symbol(0, 0);
    }
}

fn segment(file: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend((bytes.len() as u16 + 2).to_be_bytes());
    file.extend(bytes);
}
