//! Charts: lines, boxes, letters and pictures, as PNG.

mod canvas;
mod font;

pub use canvas::{Bounds, Canvas, Ink, SOFTWARE};
