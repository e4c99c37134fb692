//! Small versions of the pictures that were watched.

use oe_picture::{Budget, Picture};

/// Dots of the square that a picture is made to before it is drawn.
const SIDE: usize = 240;

/// A picture, squashed to a square, and the shape that it had.
pub struct Thumbnail {
    pub square: Vec<[u8; 3]>,
    /// Its width against its height.
    pub aspect: f64,
}

impl Thumbnail {
    pub const SIDE: usize = SIDE;

    /// None when there is no such picture, or it cannot be decoded.
    pub fn of(jpeg: &[u8]) -> Option<Thumbnail> {
        let picture = Picture::decode(jpeg, SIDE, Budget::process(), &|| false).ok()?;
        let (pixels, _) = picture.square.as_chunks::<3>();
        let (width, height) = match picture.sideways {
            true => (picture.height, picture.width),
            false => (picture.width, picture.height),
        };
        Some(Thumbnail {
            square: pixels.to_vec(),
            aspect: (width.max(1) as f64 / height.max(1) as f64).clamp(0.2, 5.0),
        })
    }
}
