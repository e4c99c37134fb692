//! Huffman tables: read, checked, and made quick to look up.

use crate::bits::{Bits, signed};
use crate::error::{PictureError, damaged, wrong};

/// Bits that one look-up decides; longer codes are rare.
const QUICK: u32 = 10;

/// A table of codes.
#[derive(Clone, Debug)]
pub(crate) struct Huffman {
    /// By the next bits: the symbol and the length of its code; length 0 is a longer code.
    symbols: Vec<(u8, u8)>,
    /// By the next bits, where they hold a whole coefficient: its value, the zeros before it, and all
    /// its bits; 0 bits is none.
    coefficients: Vec<(i16, u8, u8)>,
    values: Vec<u8>,
    /// By length: one more than the last code, in 16 bits.
    ends: [u32; 17],
    /// By length: what a code is to be added to find its value.
    offsets: [i32; 17],
}

impl Huffman {
    /// From how many codes there are of each length, and their symbols in order.
    pub(crate) fn new(lengths: &[u8; 16], values: &[u8]) -> Result<Huffman, PictureError> {
        let mut table = Huffman {
            symbols: vec![(0, 0); 1 << QUICK],
            coefficients: vec![(0, 0, 0); 1 << QUICK],
            values: values.to_vec(),
            ends: [0; 17],
            offsets: [0; 17],
        };
        let (mut code, mut n) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let many = u32::from(lengths[length as usize - 1]);
            table.offsets[length as usize] = n as i32 - code as i32;
            if code + many > 1 << length || n + many as usize > values.len() {
                return wrong("a Huffman table has too many codes");
            }
            for symbol in &values[n..n + many as usize] {
                if length <= QUICK {
                    let from = (code << (QUICK - length)) as usize;
                    let to = from + (1 << (QUICK - length));
                    table.symbols[from..to].fill((*symbol, length as u8));
                }
                code += 1;
                n += 1;
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        table.find_coefficients();
        Ok(table)
    }

    /// Codes that are short enough to be looked up along with the number after them.
    fn find_coefficients(&mut self) {
        for (next, (symbol, length)) in self.symbols.iter().enumerate() {
            let (length, size) = (u32::from(*length), u32::from(symbol & 15));
            if length == 0 || size == 0 || length + size > QUICK {
                continue;
            }
            let number = (next >> (QUICK - length - size)) as i32 & ((1 << size) - 1);
            let value = signed(number, size) as i16;
            self.coefficients[next] = (value, symbol >> 4, (length + size) as u8);
        }
    }

    /// The next symbol; the window has at least 16 bits.
    #[inline(always)]
    pub(crate) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, PictureError> {
        let (symbol, length) = self.symbols[bits.peek(QUICK)];
        if length > 0 {
            bits.skip(u32::from(length));
            return Ok(symbol);
        }
        self.long_symbol(bits)
    }

    /// The coefficient that the next bits hold whole, as value and zeros before it.
    #[inline(always)]
    pub(crate) fn coefficient(&self, bits: &mut Bits<'_>) -> Option<(i16, u8)> {
        let (value, zeros, length) = self.coefficients[bits.peek(QUICK)];
        if length == 0 {
            return None;
        }
        bits.skip(u32::from(length));
        Some((value, zeros))
    }

    #[inline(never)]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u8, PictureError> {
        let next = bits.peek(16) as u32;
        for length in QUICK + 1..=16 {
            if next < self.ends[length as usize] {
                let code = (next >> (16 - length)) as i32;
                let at = code + self.offsets[length as usize];
                let symbol = usize::try_from(at).ok().and_then(|at| self.values.get(at));
                if let Some(symbol) = symbol {
                    bits.skip(length);
                    return Ok(*symbol);
                }
            }
        }
        damaged("a code is in no Huffman table")
    }

    /// The symbol whose code is nothing but zeros: what a run of zero bytes says.
    pub(crate) fn of_zeros(&self) -> Option<u8> {
        self.values.first().copied()
    }
}

/// The tables of the JPEG standard (K.3 to K.6), which pictures from webcams leave out: for
/// brightness and for colour, `dc` then `ac`.
pub(crate) fn standard(ac: bool, colour: bool) -> Result<Huffman, PictureError> {
    match (ac, colour) {
        (false, false) => Huffman::new(&DC_LENGTHS[0], &DC_VALUES),
        (false, true) => Huffman::new(&DC_LENGTHS[1], &DC_VALUES),
        (true, false) => Huffman::new(&AC_LENGTHS[0], &AC_VALUES[0]),
        (true, true) => Huffman::new(&AC_LENGTHS[1], &AC_VALUES[1]),
    }
}

const DC_LENGTHS: [[u8; 16]; 2] = [
    [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
];
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_LENGTHS: [[u8; 16]; 2] = [
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D],
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
];
#[rustfmt::skip]
const AC_VALUES: [[u8; 162]; 2] = [
    [
        0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
        0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72,
        0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37,
        0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
        0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83,
        0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3,
        0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
        0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
        0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
    ],
    [
        0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
        0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1,
        0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36,
        0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
        0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A,
        0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
        0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA,
        0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
        0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
    ],
];
