//! A picture's brightness from place to place, very small: enough to tell that the lamp went off or that
//! something large stands in the way.

use serde::{Deserialize, Serialize};

/// Places in a row, and rows.
const SIDE: usize = 8;
/// Places in all.
pub(crate) const PLACES: usize = SIDE * SIDE;

/// The mean brightness (0 to 255) of each of 8 x 8 places, row by row from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbnail(pub [u8; PLACES]);

impl Thumbnail {
    /// Of a square with a side of `size`, three bytes a pixel.
    pub(crate) fn of(rgb: &[u8], size: usize) -> Thumbnail {
        let (mut sums, mut counts) = ([0_u64; PLACES], [0_u64; PLACES]);
        for (n, [r, g, b]) in rgb.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (n % size, n / size);
            let place = (y * SIDE / size * SIDE + x * SIDE / size).min(PLACES - 1);
            sums[place] += u64::from(*r) * 77 + u64::from(*g) * 150 + u64::from(*b) * 29;
            counts[place] += 256;
        }
        let mean = |n: usize| (sums[n] / counts[n].max(1)) as u8;
        Thumbnail(std::array::from_fn(mean))
    }
}

/// Two hexadecimal digits for each place.
impl From<Thumbnail> for String {
    fn from(thumbnail: Thumbnail) -> String {
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
        let digits = |n: &u8| [digit(n >> 4), digit(n & 15)];
        thumbnail.0.iter().flat_map(digits).collect()
    }
}

impl TryFrom<String> for Thumbnail {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Thumbnail, &'static str> {
        const NONE: &str = "a thumbnail that is not 64 bytes in hexadecimal digits";
        let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
        let digits = digits.filter(|all| all.len() == 2 * PLACES).ok_or(NONE)?;
        let mut places = [0; PLACES];
        for (place, [high, low]) in places.iter_mut().zip(digits.as_chunks::<2>().0) {
            *place = high << 4 | low;
        }
        Ok(Thumbnail(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_where_they_are_and_text_brings_them_back() {
        let size = 320;
        let pixel = |n: usize| {
            let (x, y) = (n % size, n / size);
            [if x < 40 && y >= 280 { 200_u8 } else { 10 }; 3]
        };
        let rgb: Vec<u8> = (0..size * size).flat_map(pixel).collect();
        let thumbnail = Thumbnail::of(&rgb, size);
        let mut expected = [10; PLACES];
        expected[56] = 200;
        assert_eq!(thumbnail.0, expected);
        let text = serde_json::to_string(&thumbnail).unwrap();
        assert_eq!(text.len(), 2 + 2 * PLACES);
        assert_eq!(serde_json::from_str::<Thumbnail>(&text).unwrap(), thumbnail);
        for bad in [
            "\"\"",
            "\"zz\"",
            &text.replace("c8", "c"),
            &text.replace("c8", "éé"),
            "7",
        ] {
            assert!(serde_json::from_str::<Thumbnail>(bad).is_err(), "{bad}");
        }
    }
}
