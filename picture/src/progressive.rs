//! Pictures that come blurred first and sharper with each scan: all coefficients are kept until the
//! last scan is read.

use crate::bits::Bits;
use crate::error::{PictureError, damaged, wrong};
use crate::frame::Frame;
use crate::header::{Header, Next, ScanHead};
use crate::huffman::Huffman;
use crate::idct::{Scales, ZIGZAG};
use crate::scan::{Part, Scan};
use crate::sequential::mcus;
use crate::strip::{Rows, Strip};

/// More scans than any camera's picture has. Each costs time however short it is.
const MOST_SCANS: usize = 100;
/// No scan had this coefficient yet.
const UNKNOWN: u8 = u8::MAX;

/// The coefficients of one component, block after block.
struct Plane {
    coefficients: Vec<i16>,
    /// By how many bits each coefficient is still short.
    missing: [u8; 64],
    scales: Option<Scales>,
}

/// Decodes all rows into `rows`. Returns the share that was there, of the scan with the least.
pub(crate) fn decode(
    header: &mut Header<'_>,
    first: ScanHead,
    frame: &Frame,
    rows: &mut Rows,
    stop: &dyn Fn() -> bool,
) -> Result<f64, PictureError> {
    let mut planes = Vec::new();
    for part in &frame.components {
        planes.push(Plane {
            coefficients: vec![0; part.blocks_wide * part.blocks_high * 64],
            missing: [UNKNOWN; 64],
            scales: None,
        });
    }
    let mut least = 1.0_f64;
    let mut head = first;
    let mut scans = 0;
    let marked = loop {
        scans += 1;
        if scans > MOST_SCANS {
            return wrong(format!("it has more than {MOST_SCANS} scans"));
        }
        for (index, ..) in &head.parts {
            note(&mut planes[*index], &head)?;
            let table = header.quant[frame.components[*index].table];
            let scales = || table.map(|table| Scales::new(&table));
            planes[*index].scales = planes[*index].scales.take().or_else(scales);
        }
        let mut scan = Scan::new(header, frame, head)?;
        read(&mut scan, frame, &mut planes, stop)?;
        header.at = scan.close()?;
        least = least.min(scan.done as f64 / mcus(&scan, frame) as f64);
        head = match header.next(stop)? {
            Next::Scan(head) => head,
            Next::End { marked } => break marked,
        };
    };
    let complete = |plane: &Plane| plane.missing == [0; 64];
    let begun = |plane: &Plane| plane.missing[0] != UNKNOWN;
    if !planes.iter().all(begun) || !marked && !planes.iter().all(complete) {
        return wrong("it is cut off: some of its scans are missing");
    }
    paint(frame, &planes, rows, stop)?;
    Ok(least)
}

/// Notes what a scan brings, which must fit what came before.
fn note(plane: &mut Plane, head: &ScanHead) -> Result<(), PictureError> {
    let (first, last) = head.band;
    let (before, now) = head.shifts;
    if first > 0 && plane.missing[0] == UNKNOWN {
        return damaged("a scan comes before what it adds to");
    }
    for missing in &mut plane.missing[first..=last] {
        let fits = match *missing {
            UNKNOWN => before == 0,
            missing => before == u32::from(missing) && before > 0,
        };
        if !fits {
            return damaged("a scan comes before what it adds to");
        }
        *missing = now as u8;
    }
    Ok(())
}

/// Reads one scan.
fn read(
    scan: &mut Scan<'_>,
    frame: &Frame,
    planes: &mut [Plane],
    stop: &dyn Fn() -> bool,
) -> Result<(), PictureError> {
    if let [only] = &*scan.parts {
        let (index, part) = (only.index, &frame.components[only.index]);
        let (wide, high) = part.own_blocks();
        let (blocks, _) = planes[index].coefficients.as_chunks_mut::<64>();
        for row in blocks.chunks_mut(part.blocks_wide).take(high) {
            for block in &mut row[..wide] {
                if !scan.mcu(stop, |scan| one(scan, 0, block))? {
                    return Ok(());
                }
            }
        }
        return Ok(());
    }
    for n in 0..frame.mcus_wide * frame.mcus_high {
        let (row, across) = (n / frame.mcus_wide, n % frame.mcus_wide);
        let there = scan.mcu(stop, |scan| {
            for which in 0..scan.parts.len() {
                let index = scan.parts[which].index;
                let part = &frame.components[index];
                let (blocks, _) = planes[index].coefficients.as_chunks_mut::<64>();
                for n in 0..part.h * part.v {
                    let (down, right) = (row * part.v + n / part.h, across * part.h + n % part.h);
                    one(scan, which, &mut blocks[down * part.blocks_wide + right])?;
                }
            }
            Ok(())
        })?;
        if !there {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads what a scan has of one block.
#[inline(always)]
fn one(scan: &mut Scan<'_>, which: usize, block: &mut [i16; 64]) -> Result<(), PictureError> {
    let part = &mut scan.parts[which];
    let (first, last) = scan.head.band;
    let (before, now) = scan.head.shifts;
    match (first, before) {
        (0, 0) => first_dc(&mut scan.bits, part, now, block),
        (0, _) => {
            block[0] |= i16::from(scan.bits.bit()) << now;
            Ok(())
        }
        (_, 0) => {
            let (bits, ended) = (&mut scan.bits, &mut scan.ended_blocks);
            first_ac(bits, &part.ac, ended, (first, last), now, block)
        }
        _ => {
            let (bits, ended) = (&mut scan.bits, &mut scan.ended_blocks);
            more_ac(bits, &part.ac, ended, (first, last), now, block)
        }
    }
}

fn first_dc(
    bits: &mut Bits<'_>,
    part: &mut Part,
    now: u32,
    block: &mut [i16; 64],
) -> Result<(), PictureError> {
    bits.need();
    let size = u32::from(part.dc.symbol(bits)?);
    if size > 11 {
        return damaged("a difference of brightness is too large");
    }
    part.last += bits.signed(size);
    if part.last.abs() << now > part.limit + (1 << now) {
        return damaged("its brightness is out of bounds");
    }
    block[0] = (part.last << now) as i16;
    Ok(())
}

/// How many blocks, this one too, end here.
fn run(bits: &mut Bits<'_>, zeros: u8) -> u32 {
    bits.need();
    (1 << zeros) + bits.take(u32::from(zeros))
}

fn first_ac(
    bits: &mut Bits<'_>,
    table: &Huffman,
    ended: &mut u32,
    (first, last): (usize, usize),
    now: u32,
    block: &mut [i16; 64],
) -> Result<(), PictureError> {
    if *ended > 0 {
        *ended -= 1;
        return Ok(());
    }
    let mut at = first;
    while at <= last {
        bits.need();
        let symbol = table.symbol(bits)?;
        let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => {
                at += 16;
                continue;
            }
            (_, 0) => {
                *ended = run(bits, zeros) - 1;
                return Ok(());
            }
            (_, 12..) => return damaged("a coefficient is too large"),
            _ => {}
        }
        at += usize::from(zeros);
        if at > last {
            return damaged("a block has too many coefficients");
        }
        block[usize::from(ZIGZAG[at] & 63)] = (bits.signed(size) << now) as i16;
        at += 1;
    }
    Ok(())
}

/// Adds one bit to coefficients that are known, and finds those that were zero without it.
fn more_ac(
    bits: &mut Bits<'_>,
    table: &Huffman,
    ended: &mut u32,
    (first, last): (usize, usize),
    now: u32,
    block: &mut [i16; 64],
) -> Result<(), PictureError> {
    let mut at = first;
    while at <= last && *ended == 0 {
        bits.need();
        let symbol = table.symbol(bits)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        let mut value = 0;
        match (zeros, size) {
            (15, 0) => {}
            (_, 0) => {
                *ended = run(bits, zeros);
                break;
            }
            (_, 1) => value = if bits.bit() { 1 << now } else { -1 << now },
            _ => return damaged("a coefficient is too large"),
        }
        loop {
            if at > last {
                return match value {
                    0 => Ok(()),
                    _ => damaged("a block has too many coefficients"),
                };
            }
            let known = &mut block[usize::from(ZIGZAG[at] & 63)];
            at += 1;
            if *known != 0 {
                refine(bits, known, now);
            } else if zeros == 0 {
                *known = value;
                break;
            } else {
                zeros -= 1;
            }
        }
    }
    if *ended > 0 {
        for place in &ZIGZAG[at..=last] {
            let known = &mut block[usize::from(*place & 63)];
            if *known != 0 {
                refine(bits, known, now);
            }
        }
        *ended -= 1;
    }
    Ok(())
}

#[inline(always)]
fn refine(bits: &mut Bits<'_>, known: &mut i16, now: u32) {
    let bit = 1_i16 << now;
    if bits.bit() && *known & bit == 0 {
        *known = known.wrapping_add(if *known > 0 { bit } else { -bit });
    }
}

/// From coefficients to rows of samples.
fn paint(
    frame: &Frame,
    planes: &[Plane],
    rows: &mut Rows,
    stop: &dyn Fn() -> bool,
) -> Result<(), PictureError> {
    let mut strips: Vec<Strip> = frame.components.iter().map(Strip::new).collect();
    for row in 0..frame.mcus_high {
        for (index, part) in frame.components.iter().enumerate() {
            let (blocks, _) = planes[index].coefficients.as_chunks::<64>();
            let Some(scales) = &planes[index].scales else {
                return wrong("a quantisation table is missing");
            };
            for down in 0..part.v {
                if stop() {
                    return Err(PictureError::Stopped);
                }
                let from = (row * part.v + down) * part.blocks_wide;
                for (across, block) in blocks[from..][..part.blocks_wide].iter().enumerate() {
                    let flat = block[1..].iter().all(|value| *value == 0);
                    strips[index].paint(scales, &mut block.clone(), flat, across, down);
                }
            }
        }
        rows.take(frame, row, &strips, stop)?;
    }
    Ok(())
}
