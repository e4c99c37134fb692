//! One scan's data: its bits, its tables, its restart markers, and where and how it ends.

use std::rc::Rc;

use crate::bits::Bits;
use crate::error::{PictureError, damaged, wrong};
use crate::frame::Frame;
use crate::header::{Header, RawTable, ScanHead};
use crate::huffman::{Huffman, standard};

/// Bytes left over before a marker, other than padding, that are taken for a mistake of the camera;
/// more are a sign that something before them was lost or changed.
const MOST_UNUSED: usize = 8;
/// A run of zero bytes this long holds no pixels, unless the tables say so.
const ZERO_RUN: usize = 32;
/// The stop flag is read each time after so many MCUs, of 40 blocks at most as a rule.
const MCUS_BETWEEN_LOOKS: usize = 128;

/// One component in a scan.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Which component of the frame.
    pub(crate) index: usize,
    pub(crate) dc: Rc<Huffman>,
    pub(crate) ac: Rc<Huffman>,
    /// The first coefficient of the last block.
    pub(crate) last: i32,
    /// What a first coefficient can be at most.
    pub(crate) limit: i32,
}

/// A scan that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Scan<'a> {
    pub(crate) bits: Bits<'a>,
    pub(crate) parts: Vec<Part>,
    pub(crate) head: ScanHead,
    /// Blocks that end at once, of a progressive scan.
    pub(crate) ended_blocks: u32,
    data: &'a [u8],
    restart: usize,
    until_restart: usize,
    next_restart: u8,
    /// A gap of zeros in the middle of the file: what is missing there is not just cut off.
    gap: bool,
    /// No more data, and `done` MCUs were there.
    pub(crate) cut: bool,
    pub(crate) done: usize,
}

impl<'a> Scan<'a> {
    /// A scan with the tables that were read before it.
    pub(crate) fn new(
        header: &Header<'a>,
        frame: &Frame,
        head: ScanHead,
    ) -> Result<Scan<'a>, PictureError> {
        let none = Rc::new(Huffman::new(&[0; 16], &[])?);
        let (first, last) = head.band;
        let mut parts = Vec::new();
        for (index, dc, ac) in &head.parts {
            let needs_dc = first == 0 && head.shifts.0 == 0;
            let step = header.quant[frame.components[*index].table];
            let Some(step) = step else {
                return wrong("a quantisation table is missing");
            };
            parts.push(Part {
                index: *index,
                dc: match needs_dc {
                    true => table(&header.dc, *dc, false, frame.progressive)?,
                    false => Rc::clone(&none),
                },
                ac: match last > 0 {
                    true => table(&header.ac, *ac, true, frame.progressive)?,
                    false => Rc::clone(&none),
                },
                last: 0,
                // What eight bits of brightness come to, and a quarter more for careless cameras.
                limit: 1_280 / i32::from(step[0].max(1)) + 1,
            });
        }
        let mut scan = Scan {
            bits: Bits::new(header.data, head.at),
            parts,
            ended_blocks: 0,
            data: header.data,
            restart: header.restart,
            until_restart: header.restart,
            next_restart: 0,
            gap: false,
            cut: false,
            done: 0,
            head,
        };
        scan.leave_out_padding(frame.progressive || scan.zeros_are_pixels());
        scan.bits = Bits::new(scan.data, scan.head.at);
        Ok(scan)
    }

    /// Whether a run of zero bytes may be pixels all the same: flat blocks with short codes.
    fn zeros_are_pixels(&self) -> bool {
        let flat = |part: &Part| {
            let dc = part.dc.of_zeros().is_none_or(|size| size == 0);
            let ac = part.ac.of_zeros().is_none_or(|symbol| symbol & 15 == 0);
            dc && ac
        };
        self.head.shifts.0 != 0 || self.parts.iter().all(flat)
    }

    /// Ends the data where zeros begin: cameras with buffers of one size pad with them, and what was
    /// lost on the way is sometimes filled with them. One zero can be the last code's end.
    fn leave_out_padding(&mut self, only_at_the_end: bool) {
        let rest = self.data.get(self.head.at..).unwrap_or_default();
        let begins = |at: usize| at - rest[..at].iter().rev().take_while(|b| **b == 0).count();
        let mut from = begins(rest.len());
        if only_at_the_end && rest.len() - from < ZERO_RUN {
            return;
        }
        // A run that is long enough has one of these whole.
        let (chunks, _) = rest.as_chunks::<{ ZERO_RUN / 2 }>();
        for (n, chunk) in chunks.iter().enumerate().filter(|_| !only_at_the_end) {
            let at = n * ZERO_RUN / 2;
            if at >= from || *chunk != [0; ZERO_RUN / 2] {
                continue;
            }
            let run = begins(at);
            let end = at + rest[at..].iter().take_while(|b| **b == 0).count();
            if end - run >= ZERO_RUN {
                self.gap = !matches!(rest[end..], [] | [0xFF, 0xD8 | 0xD9, ..]);
                from = run;
                break;
            }
        }
        self.data = &self.data[..self.data.len().min(self.head.at + from + 1)];
    }

    /// Reads the next MCU with `decode`. Says false where the data have ended.
    #[inline(always)]
    pub(crate) fn mcu(
        &mut self,
        stop: &dyn Fn() -> bool,
        decode: impl FnOnce(&mut Self) -> Result<(), PictureError>,
    ) -> Result<bool, PictureError> {
        if self.cut {
            return Ok(false);
        }
        if self.done.is_multiple_of(MCUS_BETWEEN_LOOKS) && stop() {
            return Err(PictureError::Stopped);
        }
        if self.restart > 0 && self.until_restart == 0 && !self.begin_again()? {
            return Ok(false);
        }
        let decoded = decode(self);
        // What is wrong with the last bytes is that there are no more: one can be padding.
        if self.bits.ran_out() || decoded.is_err() && self.bits.near_end() {
            self.ran_out()?;
            return Ok(false);
        }
        decoded?;
        self.done += 1;
        self.until_restart = self.until_restart.wrapping_sub(1);
        Ok(true)
    }

    /// Passes over a restart marker.
    #[inline(never)]
    fn begin_again(&mut self) -> Result<bool, PictureError> {
        let (at, unused) = self.bits.end();
        if unused > MOST_UNUSED {
            return damaged("there are data left over where a restart marker should be");
        }
        if self.data.get(at + 1) != Some(&(0xD0 + self.next_restart)) {
            self.ran_out()?;
            return Ok(false);
        }
        self.bits = Bits::new(self.data, at + 2);
        self.until_restart = self.restart;
        self.next_restart = (self.next_restart + 1) % 8;
        self.ended_blocks = 0;
        for part in &mut self.parts {
            part.last = 0;
        }
        Ok(true)
    }

    /// There are no more data here: the picture is cut off, or something in its middle is missing.
    #[inline(never)]
    fn ran_out(&mut self) -> Result<(), PictureError> {
        let (at, _) = self.bits.end();
        match self.data.get(at + 1) {
            _ if self.gap => damaged("there is nothing but zeros in its middle"),
            None | Some(0xD8 | 0xD9) => {
                self.cut = true;
                Ok(())
            }
            Some(0xD0..=0xD7) => damaged("something at a restart marker is missing"),
            Some(_) => damaged("there is a marker in its middle"),
        }
    }

    /// After the last MCU: where the next segment is to be looked for.
    pub(crate) fn close(&self) -> Result<usize, PictureError> {
        let (at, unused) = self.bits.end();
        let marked = !matches!(self.data.get(at + 1), None | Some(0xD8));
        if unused > MOST_UNUSED && marked && !self.cut {
            return damaged("there are more data than pixels");
        }
        Ok(at)
    }
}

/// The table of this number, or the standard's where the picture brings none of its own.
fn table(
    tables: &[Option<RawTable>; 4],
    number: usize,
    ac: bool,
    progressive: bool,
) -> Result<Rc<Huffman>, PictureError> {
    let table = match &tables[number] {
        Some(raw) => Huffman::new(&raw.lengths, &raw.values)?,
        None if number < 2 && !progressive => standard(ac, number == 1)?,
        None => return wrong("a Huffman table is missing"),
    };
    Ok(Rc::new(table))
}
