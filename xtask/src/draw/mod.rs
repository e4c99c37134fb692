//! Charts: lines, boxes, letters and pictures, as PNG.

mod canvas;
mod font;

#[cfg(test)]
pub use canvas::tests::read;
pub use canvas::{Bounds, Canvas, Ink, SOFTWARE};
