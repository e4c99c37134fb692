//! Pictures whose blocks come whole, one row of MCUs after the other: decoded in strips, so that
//! memory grows with the width alone.
//!
//! Where each component has a scan of its own, all scans are read side by side.

use crate::error::{PictureError, damaged, wrong};
use crate::frame::{Component, Frame};
use crate::header::{Header, Next, ScanHead};
use crate::idct::{Scales, ZIGZAG};
use crate::scan::{Part, Scan};
use crate::strip::{Rows, Strip};

/// Decodes all rows into `rows`. Returns the share that was there, of the component with the least.
pub(crate) fn decode<'a>(
    header: &mut Header<'a>,
    first: ScanHead,
    frame: &Frame,
    rows: &mut Rows,
    stop: &dyn Fn() -> bool,
) -> Result<f64, PictureError> {
    let mut strips = Vec::new();
    let mut scans = Vec::new();
    for scan in collect(header, first, frame, stop)? {
        let scales: Vec<Scales> = scan.1;
        scans.push((scan.0, scales));
    }
    for part in &frame.components {
        strips.push(Strip::new(part));
    }
    for row in 0..frame.mcus_high {
        for (scan, scales) in &mut scans {
            match scan.parts.len() {
                1 => alone(scan, scales, frame, row, &mut strips, stop)?,
                _ => together(scan, scales, frame, row, &mut strips, stop)?,
            }
        }
        rows.take(frame, row, &strips, stop)?;
    }
    let mut least = 1.0_f64;
    for (scan, _) in &scans {
        scan.close()?;
        least = least.min(scan.done as f64 / mcus(scan, frame) as f64);
    }
    Ok(least)
}

/// How many MCUs a scan has when it is whole.
pub(crate) fn mcus(scan: &Scan<'_>, frame: &Frame) -> usize {
    match &*scan.parts {
        [only] => {
            let (wide, high) = frame.components[only.index].own_blocks();
            wide * high
        }
        _ => frame.mcus_wide * frame.mcus_high,
    }
}

/// A scan, and what the coefficients of each of its parts are multiplied with.
type Scaled<'a> = (Scan<'a>, Vec<Scales>);

/// The scans that together have every component.
fn collect<'a>(
    header: &mut Header<'a>,
    first: ScanHead,
    frame: &Frame,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Scaled<'a>>, PictureError> {
    let mut scans = Vec::new();
    let mut known = vec![false; frame.components.len()];
    let mut head = first;
    loop {
        let mut scales = Vec::new();
        for (index, ..) in &head.parts {
            if std::mem::replace(&mut known[*index], true) {
                return damaged("a component comes twice");
            }
            let table = header.quant[frame.components[*index].table];
            scales.push(Scales::new(&table.unwrap_or([1; 64])));
        }
        header.at = head.at;
        scans.push((Scan::new(header, frame, head)?, scales));
        if known.iter().all(|known| *known) {
            return Ok(scans);
        }
        header.pass_over_data();
        head = match header.next(stop)? {
            Next::Scan(head) => head,
            Next::End { .. } => return wrong("it is cut off: some of its scans are missing"),
        };
    }
}

/// A row of MCUs that have blocks of several components.
fn together(
    scan: &mut Scan<'_>,
    scales: &[Scales],
    frame: &Frame,
    row: usize,
    strips: &mut [Strip],
    stop: &dyn Fn() -> bool,
) -> Result<(), PictureError> {
    let mut block = [0; 64];
    for across in 0..frame.mcus_wide {
        let there = scan.mcu(stop, |scan| {
            for (part, scales) in scan.parts.iter_mut().zip(scales) {
                let Component { h, v, .. } = frame.components[part.index];
                for n in 0..h * v {
                    let (down, right) = (n / h, n % h);
                    let flat = read(&mut scan.bits, part, &mut block)?;
                    let strip = &mut strips[part.index];
                    strip.paint(scales, &mut block, flat, across * h + right, down);
                }
            }
            Ok(())
        })?;
        if !there {
            for part in &scan.parts {
                let Component { h, v, .. } = frame.components[part.index];
                strips[part.index].continue_down(0, v * 8, across * h * 8);
            }
            break;
        }
    }
    debug_assert!(scan.cut || scan.done == (row + 1) * frame.mcus_wide);
    Ok(())
}

/// The rows of blocks of one component that lie in a row of the frame's MCUs.
fn alone(
    scan: &mut Scan<'_>,
    scales: &[Scales],
    frame: &Frame,
    row: usize,
    strips: &mut [Strip],
    stop: &dyn Fn() -> bool,
) -> Result<(), PictureError> {
    let index = scan.parts[0].index;
    let part = &frame.components[index];
    let (wide, high) = part.own_blocks();
    let mut block = [0; 64];
    for down in 0..part.v.min(high.saturating_sub(row * part.v)) {
        for across in 0..wide {
            let there = scan.mcu(stop, |scan| {
                let flat = read(&mut scan.bits, &mut scan.parts[0], &mut block)?;
                strips[index].paint(&scales[0], &mut block, flat, across, down);
                Ok(())
            })?;
            if !there {
                strips[index].continue_down(down * 8, 8, across * 8);
                break;
            }
        }
    }
    Ok(())
}

/// Reads a block. Says whether it has no coefficient but the first.
#[inline(always)]
fn read(
    bits: &mut crate::bits::Bits<'_>,
    part: &mut Part,
    block: &mut [i16; 64],
) -> Result<bool, PictureError> {
    bits.need();
    let size = u32::from(part.dc.symbol(bits)?);
    if size > 11 {
        return damaged("a difference of brightness is too large");
    }
    part.last += bits.signed(size);
    if part.last.abs() > part.limit {
        return damaged("its brightness is out of bounds");
    }
    block[0] = part.last as i16;
    let ac = &*part.ac;
    let mut at = 1;
    let mut flat = true;
    while at < 64 {
        bits.need();
        let (value, zeros) = match ac.coefficient(bits) {
            Some(found) => found,
            None => {
                let symbol = ac.symbol(bits)?;
                let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
                match (zeros, size) {
                    (0, 0) => break,
                    (15, 0) => {
                        at += 16;
                        continue;
                    }
                    (_, 1..=11) => (bits.signed(size) as i16, zeros),
                    _ => return damaged("a coefficient is too large"),
                }
            }
        };
        at += usize::from(zeros);
        let Some(place) = ZIGZAG.get(at) else {
            return damaged("a block has too many coefficients");
        };
        block[usize::from(*place & 63)] = value;
        flat = false;
        at += 1;
    }
    match at > 64 {
        true => damaged("a block has too many coefficients"),
        false => Ok(flat),
    }
}
