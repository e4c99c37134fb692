//! The model: a head that says what it takes and what its answer means, and a network's weights.
//!
//! `docs/MODEL_CARD.md` has the format. A file is checked once; its weights are used where they lie.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::network::{LARGEST, Layout, Network, SMALLEST};

/// Puts bytes at an address that is a multiple of 64, as the format has the weights within.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!("../model/oe-vision.model"));
/// The model that is compiled in.
pub const BUILT_IN: &[u8] = &ALIGNED.0;

const MAGIC: &[u8; 8] = b"OEMODEL2";
/// What the magic of every version begins with.
const FAMILY: &[u8] = b"OEMODEL";
/// A head is a few hundred bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// The weights begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;
/// The only architecture that there is code for.
const ARCHITECTURE: &str = "efficientnet-lite0-map";

/// Why a model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError(pub String);

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ModelError {}

/// What a model says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    /// Its name and version, for people.
    pub name: String,
    /// The side of its square input, in pixels.
    pub size: u32,
    /// What the network is.
    architecture: String,
    /// What its answers mean.
    pub calibration: Calibration,
    /// The log odds of fine prints on average.
    pub usual: f64,
    /// Of the weights, in hexadecimal: CRC-32 as in zlib and PNG.
    crc32: String,
}

/// What logits are multiplied with, and what is then added, to be log odds of a failure against a
/// fine print, at even odds of both.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Calibration {
    /// Of the answer and of the map.
    pub scale: f64,
    /// Of the answer.
    pub offset: f64,
    /// Of each cell of the map.
    pub map_offset: f64,
}

/// A network, ready to run.
pub struct Model {
    /// What it says of itself.
    pub head: Head,
    pub network: Network,
}

impl Model {
    /// Checks a model file, which takes a few milliseconds.
    pub fn read(file: Cow<'static, [u8]>) -> Result<Model, ModelError> {
        let wrong = |what: &str| ModelError(format!("the model {what}"));
        let rest = match file.strip_prefix(MAGIC) {
            Some(rest) => rest,
            None if file.starts_with(FAMILY) => return Err(wrong("file is of another version")),
            None => return Err(wrong("file is of another kind")),
        };
        let cut = || wrong("file is cut off");
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST_HEAD {
            return Err(wrong("file's head is too long"));
        }
        let head = rest.get(..length).ok_or_else(cut)?;
        let head: Head = serde_json::from_slice(head)
            .map_err(|why| ModelError(format!("the model's head: {why}")))?;
        let start = (MAGIC.len() + 4 + length).next_multiple_of(ALIGNMENT);
        let weights = file.get(start..).ok_or_else(cut)?;
        if head.architecture != ARCHITECTURE {
            let other = format!(
                "has the architecture {:?}, not {ARCHITECTURE:?}",
                head.architecture
            );
            return Err(wrong(&other));
        }
        if format!("{:08x}", crc32(weights)) != head.crc32 {
            return Err(wrong("file is damaged or cut off: its checksum is another"));
        }
        let Calibration {
            scale,
            offset,
            map_offset,
        } = head.calibration;
        let finite = [scale, offset, map_offset, head.usual]
            .iter()
            .all(|x| x.is_finite());
        if !finite || scale <= 0.0 {
            return Err(wrong("has a calibration that is none"));
        }
        if !(SMALLEST..=LARGEST).contains(&(head.size as usize)) {
            return Err(wrong("asks for an input that is not possible"));
        }
        let layout = Layout::read(file, start).map_err(wrong)?;
        Ok(Model {
            head,
            network: Network::new(layout),
        })
    }
}

/// CRC-32, eight bytes at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let tables = tables();
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut crc = u32::MAX;
    for eight in eights {
        let word = u64::from_le_bytes(*eight) ^ u64::from(crc);
        crc = (0..8).fold(0, |sum, n| {
            sum ^ tables[7 - n][(word >> (8 * n)) as usize & 255]
        });
    }
    for byte in rest {
        crc = crc >> 8 ^ tables[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

/// What a byte does to the sum, and the same with up to seven zeros behind it.
fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut n = 0;
    while n < 256 * 8 {
        let (table, byte) = (n / 256, n % 256);
        let mut crc = match table {
            0 => byte as u32,
            _ => tables[table - 1][byte],
        };
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        tables[table][byte] = crc;
        n += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the CRC catalogue, at every length around the eight.
    #[test]
    fn the_checksum_is_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"a"), 0xE8B7_BE43);
        assert_eq!(crc32(&[0; 32]), 0x190A_55AD);
    }

    #[test]
    fn the_weights_lie_aligned() {
        assert!(BUILT_IN.as_ptr().addr().is_multiple_of(ALIGNMENT));
    }
}
