//! What stands before and between the scans: segments, tables, the frame.

use crate::error::{PictureError, damaged, wrong};
use crate::exif;
use crate::frame::{self, Frame};

/// Bytes between two segments that belong to none: after more than this the picture has ended.
const MOST_STRAY: usize = 1 << 20;

/// The lengths of a Huffman table's codes and its symbols, as the file has them.
#[derive(Clone, Debug)]
pub(crate) struct RawTable {
    pub(crate) lengths: [u8; 16],
    pub(crate) values: Vec<u8>,
}

/// What a scan's header says.
#[derive(Clone, Debug)]
pub(crate) struct ScanHead {
    /// Which components of the frame, and their tables for DC and AC.
    pub(crate) parts: Vec<(usize, usize, usize)>,
    /// The first and the last coefficient, in zigzag order.
    pub(crate) band: (usize, usize),
    /// By how many bits the coefficients were shifted before, and are now; 0 before is a first scan.
    pub(crate) shifts: (u32, u32),
    /// Where its data begin.
    pub(crate) at: usize,
}

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Next {
    Scan(ScanHead),
    /// The marker of the end; the file's end, or the next picture's beginning.
    End {
        marked: bool,
    },
}

/// Reads segments, and keeps what they said.
pub(crate) struct Header<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) at: usize,
    pub(crate) quant: [Option<[u16; 64]>; 4],
    pub(crate) dc: [Option<RawTable>; 4],
    pub(crate) ac: [Option<RawTable>; 4],
    /// MCUs between restart markers; 0 is none.
    pub(crate) restart: usize,
    /// EXIF's, 1 to 8.
    pub(crate) orientation: Option<u8>,
    /// The colour transform that Adobe's segment names.
    pub(crate) adobe: Option<u8>,
    pub(crate) jfif: bool,
    pub(crate) frame: Option<Frame>,
}

/// A byte that follows 0xFF.
mod marker {
    pub(super) const SOF0: u8 = 0xC0;
    pub(super) const SOF1: u8 = 0xC1;
    pub(super) const SOF2: u8 = 0xC2;
    pub(super) const DHT: u8 = 0xC4;
    pub(super) const JPG: u8 = 0xC8;
    pub(super) const DAC: u8 = 0xCC;
    pub(super) const SOF15: u8 = 0xCF;
    pub(super) const RST0: u8 = 0xD0;
    pub(super) const RST7: u8 = 0xD7;
    pub(super) const SOI: u8 = 0xD8;
    pub(super) const EOI: u8 = 0xD9;
    pub(super) const SOS: u8 = 0xDA;
    pub(super) const DQT: u8 = 0xDB;
    pub(super) const DRI: u8 = 0xDD;
    pub(super) const APP0: u8 = 0xE0;
    pub(super) const APP1: u8 = 0xE1;
    pub(super) const APP14: u8 = 0xEE;
    pub(super) const TEM: u8 = 0x01;
}

impl<'a> Header<'a> {
    /// Of a file that begins as a JPEG.
    pub(crate) fn new(data: &'a [u8]) -> Result<Header<'a>, PictureError> {
        if !data.starts_with(&[0xFF, marker::SOI]) {
            return wrong("it is not a JPEG");
        }
        Ok(Header {
            data,
            at: 2,
            quant: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart: 0,
            orientation: None,
            adobe: None,
            jfif: false,
            frame: None,
        })
    }

    /// Reads on until a scan begins or the picture ends.
    pub(crate) fn next(&mut self, stop: &dyn Fn() -> bool) -> Result<Next, PictureError> {
        loop {
            if stop() {
                return Err(PictureError::Stopped);
            }
            let Some(code) = self.marker() else {
                return Ok(Next::End { marked: false });
            };
            match code {
                marker::EOI => return Ok(Next::End { marked: true }),
                // The camera's next picture, where this one's end is missing.
                marker::SOI if self.frame.is_some() => return Ok(Next::End { marked: false }),
                marker::SOI | marker::TEM | marker::RST0..=marker::RST7 => continue,
                _ => {}
            }
            let Some(segment) = self.segment() else {
                return Ok(Next::End { marked: false });
            };
            match code {
                marker::SOS => return self.scan(segment).map(Next::Scan),
                marker::SOF0 | marker::SOF1 | marker::SOF2 => {
                    if self.frame.is_some() {
                        return damaged("it has two frame headers");
                    }
                    self.frame = Some(Frame::read(segment, code == marker::SOF2)?);
                }
                marker::DHT => self.huffman(segment)?,
                marker::JPG | marker::DAC => {}
                marker::SOF0..=marker::SOF15 => return wrong(frame::not_understood(code)),
                marker::DQT => self.quantisation(segment)?,
                marker::DRI => match segment {
                    [high, low, ..] => {
                        self.restart = usize::from(u16::from_be_bytes([*high, *low]));
                    }
                    _ => return damaged("a restart interval is cut off"),
                },
                _ => self.app(code, segment),
            }
        }
    }

    /// What a program or a camera adds: the names of colours, which way is up.
    fn app(&mut self, code: u8, segment: &[u8]) {
        match code {
            marker::APP0 => self.jfif |= segment.starts_with(b"JFIF\0"),
            marker::APP1 => {
                if let Some(tiff) = segment.strip_prefix(b"Exif\0\0") {
                    self.orientation = self.orientation.or(exif::orientation(tiff));
                }
            }
            marker::APP14 => {
                if let [b'A', b'd', b'o', b'b', b'e', .., transform] =
                    segment.get(..12).unwrap_or_default()
                {
                    self.adobe = Some(*transform);
                }
            }
            _ => {}
        }
    }

    /// The next marker, if there is one. Bytes that belong to no segment are passed over.
    fn marker(&mut self) -> Option<u8> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let mut from = 0;
        loop {
            let near = rest
                .get(from..rest.len().min(MOST_STRAY))
                .unwrap_or_default();
            let Some(found) = near.iter().position(|byte| *byte == 0xFF) else {
                self.at = self.data.len();
                return None;
            };
            from += found + 1;
            match rest.get(from) {
                Some(0 | 0xFF) | None => {}
                Some(code) => {
                    self.at += from + 1;
                    return Some(*code);
                }
            }
        }
    }

    /// Goes from a scan's first data to the marker after them.
    pub(crate) fn pass_over_data(&mut self) {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let mut at = 0;
        while let Some(found) = rest[at..].iter().position(|byte| *byte == 0xFF) {
            at += found + 1;
            match rest.get(at) {
                Some(0 | marker::RST0..=marker::RST7) => {}
                _ => {
                    self.at += at - 1;
                    return;
                }
            }
        }
        self.at = self.data.len();
    }

    /// What a segment holds; none where the file ends within.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let rest = self.data.get(self.at..)?;
        let (length, _) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let segment = rest.get(2..length.max(2))?;
        self.at += length.max(2);
        Some(segment)
    }

    fn huffman(&mut self, mut rest: &'a [u8]) -> Result<(), PictureError> {
        while let Some((head, after)) = rest.split_first_chunk::<17>() {
            let [which, lengths @ ..] = *head;
            let many = lengths.iter().map(|length| usize::from(*length)).sum();
            let (Some(values), true) = (after.get(..many), many <= 256) else {
                return damaged("a Huffman table is cut off");
            };
            let slot = match which >> 4 {
                0 => self.dc.get_mut(usize::from(which & 15)),
                1 => self.ac.get_mut(usize::from(which & 15)),
                _ => None,
            };
            let Some(slot) = slot else {
                return damaged("a Huffman table has a number that is not possible");
            };
            *slot = Some(RawTable {
                lengths,
                values: values.to_vec(),
            });
            rest = &after[many..];
        }
        Ok(())
    }

    fn quantisation(&mut self, mut rest: &[u8]) -> Result<(), PictureError> {
        while let [which, after @ ..] = rest {
            let wide = which >> 4 != 0;
            let size = if wide { 128 } else { 64 };
            let (Some(bytes), Some(slot)) = (
                after.get(..size),
                self.quant.get_mut(usize::from(which & 15)),
            ) else {
                // Some cameras pad this segment.
                return match rest.iter().all(|byte| *byte == 0) {
                    true => Ok(()),
                    false => damaged("a quantisation table is cut off"),
                };
            };
            let mut table = [0; 64];
            for (n, value) in table.iter_mut().enumerate() {
                *value = match wide {
                    true => u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]]),
                    false => u16::from(bytes[n]),
                };
            }
            *slot = Some(table);
            rest = &after[size..];
        }
        Ok(())
    }

    fn scan(&self, segment: &[u8]) -> Result<ScanHead, PictureError> {
        let Some(frame) = &self.frame else {
            return damaged("a scan comes before the frame's header");
        };
        let count = usize::from(segment.first().copied().unwrap_or(0));
        let (Some(named), Some(tail)) = (
            segment.get(1..1 + 2 * count),
            segment.get(1 + 2 * count..4 + 2 * count),
        ) else {
            return damaged("a scan's header is cut off");
        };
        let mut parts: Vec<(usize, usize, usize)> = Vec::new();
        for [id, tables] in named.as_chunks::<2>().0 {
            let found = frame.components.iter().position(|part| part.id == *id);
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            match found {
                Some(at) if dc < 4 && ac < 4 && !parts.iter().any(|(known, ..)| *known == at) => {
                    parts.push((at, dc, ac));
                }
                _ => return damaged("a scan's header names what is not there"),
            }
        }
        let (first, last) = (usize::from(tail[0]), usize::from(tail[1]));
        let shifts = (u32::from(tail[2] >> 4), u32::from(tail[2] & 15));
        let head = ScanHead {
            parts,
            band: if frame.progressive {
                (first, last)
            } else {
                (0, 63)
            },
            shifts: if frame.progressive { shifts } else { (0, 0) },
            at: self.at,
        };
        let (first, last) = head.band;
        let dc_and_ac = first == 0 && last > 0 && frame.progressive;
        let many_with_ac = first > 0 && head.parts.len() > 1;
        let refines = head.shifts.0 != 0 && head.shifts.0 != head.shifts.1 + 1;
        if head.parts.is_empty() || first > last || last > 63 || dc_and_ac || many_with_ac {
            return damaged("a scan's header is not possible");
        }
        if refines || head.shifts.1 > 13 {
            return damaged("a scan's header is not possible");
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> String {
        let next = Header::new(bytes).and_then(|mut header| header.next(&|| false));
        next.err().map(|why| why.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(texts(b"GIF89a").contains("not a JPEG"));
        for (code, word) in [
            (0xC3, "lossless"),
            (0xC5, "hierarchical"),
            (0xC9, "arithmetic"),
            (0xCA, "arithmetic"),
            (0xCB, "lossless"),
            (0xCF, "hierarchical"),
        ] {
            let file = [0xFF, 0xD8, 0xFF, code, 0, 4, 8, 8];
            assert!(texts(&file).contains(word), "{code:x}: {}", texts(&file));
        }
        let file = [0xFF, 0xD8, 0xFF, 0xC1, 0, 11, 12, 0, 8, 0, 8, 1, 1, 0x11, 0];
        assert!(texts(&file).contains("12 bits"), "{}", texts(&file));
    }

    #[test]
    fn a_header_can_be_stopped() {
        let file = [0xFF, 0xD8, 0xFF, 0xFE, 0, 2];
        let next = Header::new(&file).unwrap().next(&|| true);
        assert_eq!(next.err(), Some(PictureError::Stopped));
    }
}
