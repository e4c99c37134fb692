//! From any camera's JPEG to the small square that the engine looks at.
//!
//! One pass, row by row: entropy decoding, the inverse transform, and a resampler that shrinks each
//! component on its own, whatever its sampling, before colours are made of them. No plane of the
//! whole picture is ever in memory, except the coefficients of progressive pictures; what a picture
//! takes is known from its header, and comes out of a [`Budget`] that all of a process share.
//! docs/JPEG.md lists what is understood.

#![forbid(unsafe_code)]

mod bits;
mod budget;
mod error;
mod exif;
mod fingerprint;
mod frame;
mod header;
mod huffman;
mod idct;
mod picture;
mod progressive;
mod resample;
mod scan;
mod sequential;
mod strip;

pub use budget::{Budget, DEFAULT_BUDGET, is_there};
pub use error::PictureError;
pub use picture::Picture;

/// More pixels than any camera at a printer has.
pub const MOST_PIXELS: usize = 50_000_000;
