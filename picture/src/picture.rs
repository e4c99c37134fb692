//! A picture, ready to be looked at.

use crate::budget::{Budget, is_there};
use crate::error::{PictureError, wrong};
use crate::exif;
use crate::frame::Frame;
use crate::header::{Header, Next};
use crate::strip::Rows;
use crate::{progressive, sequential};

/// What must be there of a picture's rows that is cut off.
const ENOUGH: f64 = 0.9;

/// What a decoder takes beside what grows with the picture: its tables, its stack.
const ALWAYS: usize = 100_000;

/// A decoded picture, made small.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its width in the file, in pixels, before it is turned upright.
    pub width: usize,
    /// Its height in the file, in pixels.
    pub height: usize,
    /// Whether it is turned by a quarter to be upright.
    pub sideways: bool,
    /// The whole picture squashed to a square and turned upright: RGB, row by row.
    pub square: Vec<u8>,
    /// How many blocks its brightness has in the file,
    pub blocks: usize,
    /// and to what the mean of each is rounded, of 255.
    pub step: f32,
    /// What its pixels are known by: equal for equal pixels, and almost never for others.
    pub pixels: u64,
}

impl Picture {
    /// Decodes a JPEG to a square of `side` pixels.
    ///
    /// Takes its memory from `budget`, and waits until there is enough. `stop` is asked while it
    /// waits and after at most some ten million instructions each; `true` ends the work.
    ///
    /// # Errors
    /// The file is no JPEG, or damaged; less than nine tenths of its rows are there; it is of a kind
    /// that is not understood, has more than [`MOST_PIXELS`](crate::MOST_PIXELS), or takes more than
    /// the whole budget; the system has not so much; or it was stopped.
    pub fn decode(
        jpeg: &[u8],
        side: usize,
        budget: &Budget,
        stop: &dyn Fn() -> bool,
    ) -> Result<Picture, PictureError> {
        let mut header = Header::new(jpeg)?;
        let first = match header.next(stop)? {
            Next::Scan(head) => head,
            Next::End { .. } => return wrong("it is cut off: there is nothing but its header"),
        };
        let Some(frame) = header.frame.clone() else {
            return wrong("it has no frame");
        };
        let side = side.max(1);
        let cost = cost(&frame, side);
        let _share = budget.take(cost, stop)?;
        if !is_there(cost) {
            return Err(PictureError::NoMemory(cost));
        }
        let mut rows = Rows::new(&frame, side);
        let there = match frame.progressive {
            true => progressive::decode(&mut header, first, &frame, &mut rows, stop)?,
            false => sequential::decode(&mut header, first, &frame, &mut rows, stop)?,
        };
        if there < ENOUGH {
            let percent = (there * 100.0) as u32;
            return wrong(format!("it is cut off: {percent} % of it is there"));
        }
        let light = frame.components.first();
        let (wide, high) = light.map_or((0, 0), |part| part.own_blocks());
        let step = light.and_then(|part| header.quant[part.table]);
        let planes = rows.planes.into_iter().map(|plane| plane.into_square());
        let square = coloured(&planes.collect::<Vec<_>>(), Colours::of(&header, &frame));
        Ok(Picture {
            width: frame.width,
            height: frame.height,
            sideways: header
                .orientation
                .is_some_and(|orientation| orientation >= 5),
            square: match header.orientation {
                None | Some(1) => square,
                Some(orientation) => exif::upright(&square, side, orientation),
            },
            blocks: wide * high,
            step: step.map_or(0.0, |table| f32::from(table[0]) / 8.0),
            pixels: rows.fingerprint.number(),
        })
    }
}

/// The memory that decoding takes, in bytes, by the header.
fn cost(frame: &Frame, side: usize) -> usize {
    let whole = match frame.progressive {
        true => frame.coefficient_bytes(),
        false => 0,
    };
    // The square itself, and once more while it is turned.
    ALWAYS + whole + Rows::cost(frame, side) + side * side * 6
}

/// What a picture's components are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Grey,
    Rgb,
    YCbCr,
    /// Inks, as Adobe's programs store them: 255 is none.
    Cmyk,
    /// The same, the first three as brightness and colour differences.
    Ycck,
}

impl Colours {
    fn of(header: &Header<'_>, frame: &Frame) -> Colours {
        let ids: Vec<u8> = frame.components.iter().map(|part| part.id).collect();
        match (ids.len(), header.adobe) {
            (1, _) => Colours::Grey,
            (3, _) if header.jfif => Colours::YCbCr,
            (3, Some(0)) => Colours::Rgb,
            (3, None) if ids == *b"RGB" => Colours::Rgb,
            (3, _) => Colours::YCbCr,
            (_, Some(transform)) if transform != 0 => Colours::Ycck,
            _ => Colours::Cmyk,
        }
    }
}

/// From planes to pixels of three bytes.
fn coloured(planes: &[Vec<f32>], colours: Colours) -> Vec<u8> {
    let (grey, none) = (Vec::new(), Vec::new());
    let plane = |n: usize| planes.get(n).unwrap_or(&none);
    let (first, inks) = (planes.first().unwrap_or(&grey), plane(3));
    let mut pixels = vec![0; first.len() * 3];
    let (to, _) = pixels.as_chunks_mut::<3>();
    match colours {
        Colours::Grey => {
            for (pixel, light) in to.iter_mut().zip(first) {
                *pixel = [byte(*light); 3];
            }
        }
        Colours::Rgb | Colours::Cmyk => {
            let all = first.iter().zip(plane(1)).zip(plane(2));
            for (pixel, ((r, g), b)) in to.iter_mut().zip(all) {
                *pixel = [*r, *g, *b].map(byte);
            }
        }
        Colours::YCbCr | Colours::Ycck => {
            let all = first.iter().zip(plane(1)).zip(plane(2));
            for (pixel, ((y, cb), cr)) in to.iter_mut().zip(all) {
                let (cb, cr) = (cb - 128.0, cr - 128.0);
                let green = y - 0.344_136 * cb - 0.714_136 * cr;
                *pixel = [y + 1.402 * cr, green, y + 1.772 * cb].map(byte);
            }
        }
    }
    for (pixel, ink) in to.iter_mut().zip(inks) {
        let ink = u32::from(byte(*ink));
        *pixel = pixel.map(|light| (u32::from(light) * ink / 255) as u8);
    }
    pixels
}

/// Rounded to the nearest, in bounds.
#[inline(always)]
pub(crate) fn byte(value: f32) -> u8 {
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    // A number this large has no places after the point.
    (value + 12_582_912.0).to_bits() as u8
}
