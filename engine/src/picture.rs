//! From a JPEG to what the model takes, and what is known of a picture without a model.

use std::fmt;
use std::hash::Hasher;

use fast_image_resize as fir;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// More pixels than any camera at a printer has. Looked at before memory is asked for.
pub const MOST_PIXELS: usize = 50_000_000;

/// A picture is dark when its brightest tenth is below this (of 255),
const DARK: u8 = 24;
/// or when it is all of one brightness, within this.
const FLAT: u8 = 6;

/// Why there is nothing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureError {
    /// It is not a JPEG, or it is damaged or cut off.
    Undecodable(String),
    /// It has more pixels than are decoded.
    TooManyPixels(usize),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PictureError::Undecodable(why) => write!(f, "the picture cannot be decoded: {why}"),
            PictureError::TooManyPixels(count) => {
                write!(f, "the picture has {count} pixels, over {MOST_PIXELS}")
            }
        }
    }
}

impl std::error::Error for PictureError {}

/// A decoded picture: three bytes a pixel.
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Decodes grey, colour and CMYK pictures, progressive ones too.
    pub fn decode(jpeg: &[u8]) -> Result<Picture, PictureError> {
        let undecodable = |why: String| PictureError::Undecodable(why);
        if !has_end(jpeg) {
            return Err(undecodable("it is cut off".to_owned()));
        }
        let options = DecoderOptions::new_safe()
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .set_strict_mode(true)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(jpeg, options);
        decoder
            .decode_headers()
            .map_err(|why| undecodable(why.to_string()))?;
        let (width, height) = decoder
            .dimensions()
            .ok_or_else(|| undecodable("no size".to_owned()))?;
        if width * height > MOST_PIXELS {
            return Err(PictureError::TooManyPixels(width * height));
        }
        let decoded = decoder
            .decode()
            .map_err(|why| undecodable(why.to_string()))?;
        let rgb = match decoder.get_output_colorspace() {
            Some(ColorSpace::CMYK | ColorSpace::YCCK) => from_cmyk(&decoded),
            Some(ColorSpace::Luma) => decoded.iter().flat_map(|grey| [*grey; 3]).collect(),
            _ => decoded,
        };
        let (Ok(wide), Ok(high)) = (u32::try_from(width), u32::try_from(height)) else {
            return Err(PictureError::TooManyPixels(width * height));
        };
        if rgb.len() != width * height * 3 {
            return Err(undecodable("another number of colours".to_owned()));
        }
        Ok(Picture {
            width: wide,
            height: high,
            rgb,
        })
    }

    /// The picture squashed to a square, as the model was trained.
    pub fn square(&self, size: u32) -> Result<Vec<u8>, PictureError> {
        let failed = |why: String| PictureError::Undecodable(why);
        let from =
            fir::images::ImageRef::new(self.width, self.height, &self.rgb, fir::PixelType::U8x3)
                .map_err(|why| failed(why.to_string()))?;
        let mut to = fir::images::Image::new(size, size, fir::PixelType::U8x3);
        let how = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Bilinear));
        fir::Resizer::new()
            .resize(&from, &mut to, &how)
            .map_err(|why| failed(why.to_string()))?;
        Ok(to.into_vec())
    }

    /// What the pixels are known by: equal for equal pixels only.
    pub fn pixels(&self) -> u64 {
        // Its key is fixed, so that it can be saved; another release of Rust may have another hash, and
        // then one frozen picture goes unnoticed.
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write_u32(self.width);
        hasher.write(&self.rgb);
        hasher.finish()
    }
}

/// Printers' ink as JPEG stores it, which is inverted.
fn from_cmyk(inks: &[u8]) -> Vec<u8> {
    let (pixels, _) = inks.as_chunks::<4>();
    let light = |ink: u8, key: u8| (u32::from(ink) * u32::from(key) / 255) as u8;
    pixels
        .iter()
        .flat_map(|[c, m, y, k]| [light(*c, *k), light(*m, *k), light(*y, *k)])
        .collect()
}

/// Whether the end of the image is there. The decoder paints what is missing grey, of which there
/// must be no opinion.
fn has_end(jpeg: &[u8]) -> bool {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    // Up to the first scan: a thumbnail within has an end of its own.
    while let [0xFF, marker, after @ ..] = rest {
        match (marker, after) {
            (0xFF, _) => rest = &rest[1..],
            (0xDA, _) => return after.windows(2).any(|pair| pair == [0xFF, 0xD9]),
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = after.get(length..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}

/// Whether there is nothing to see: lamp off, lens cap, a lost signal in one colour.
pub fn is_dark(rgb: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for pixel in rgb.chunks_exact(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        let grey = (r * 77 + g * 150 + b * 29) >> 8;
        counts[grey as usize & 255] += 1;
    }
    let total: u32 = counts.iter().sum();
    let share = |from: u8| counts[usize::from(from)..].iter().sum::<u32>();
    let tenth = total / 10;
    if share(DARK) < tenth {
        return true;
    }
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    last - first < usize::from(FLAT)
}
