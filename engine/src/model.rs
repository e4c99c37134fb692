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
    pub crc32: String,
}

/// What logits mean, at even odds of a failure and a fine print: multiplied with the scale, and the
/// offset added, they are log odds, of which no more is told than the pictures bear out that it was
/// measured with.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Calibration {
    /// Of the answer.
    scale: f64,
    offset: f64,
    /// Of each cell of the map, when it is the one that looks most like a failure.
    map_scale: f64,
    map_offset: f64,
    /// The least and the most that is told, in log odds.
    least: f64,
    most: f64,
}

impl Calibration {
    /// The log odds that the network's answer means.
    pub fn evidence(&self, logit: f32) -> f64 {
        (f64::from(logit) * self.scale + self.offset).clamp(self.least, self.most)
    }

    /// The log odds that a cell of the map means.
    pub fn of_cell(&self, logit: f32) -> f64 {
        (f64::from(logit) * self.map_scale + self.map_offset).clamp(self.least, self.most)
    }

    /// Whether it means anything: more of a logit is more of a failure, and both can be told.
    fn is_one(&self) -> bool {
        let scales = [self.scale, self.map_scale, -self.least, self.most];
        let all = scales.iter().chain([&self.offset, &self.map_offset]);
        all.into_iter().all(|x| x.is_finite()) && scales.iter().all(|x| *x > 0.0)
    }
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
        if !head.calibration.is_one() || !head.usual.is_finite() {
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

    /// A line with ends, and both the same at the ends.
    #[test]
    fn no_more_is_told_than_is_borne_out() {
        let calibration = Calibration {
            scale: 2.0,
            offset: -1.0,
            map_scale: 1.0,
            map_offset: -2.0,
            least: -3.0,
            most: 4.0,
        };
        assert!(calibration.is_one());
        let told = [-9.0, 0.0, 1.0, 9.0].map(|logit| calibration.evidence(logit));
        assert_eq!(told, [-3.0, -1.0, 1.0, 4.0]);
        let told = [-9.0, 0.0, 1.0, 9.0].map(|logit| calibration.of_cell(logit));
        assert_eq!(told, [-3.0, -2.0, -1.0, 4.0]);
        for wrong in [f64::NAN, f64::INFINITY] {
            let offset = wrong;
            assert!(
                !Calibration {
                    offset,
                    ..calibration
                }
                .is_one()
            );
        }
    }

    #[test]
    fn the_weights_lie_aligned() {
        assert!(BUILT_IN.as_ptr().addr().is_multiple_of(ALIGNMENT));
    }
}
