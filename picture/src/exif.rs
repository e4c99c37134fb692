//! EXIF: which way up the camera was.

/// The orientation (1 to 8) that the first directory of these TIFF bytes names.
pub(crate) fn orientation(tiff: &[u8]) -> Option<u8> {
    let little = match tiff.first_chunk::<4>()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk::<2>()?;
        Some(match little {
            true => u16::from_le_bytes(bytes),
            false => u16::from_be_bytes(bytes),
        })
    };
    let long = *tiff.get(4..)?.first_chunk::<4>()?;
    let directory = match little {
        true => u32::from_le_bytes(long),
        false => u32::from_be_bytes(long),
    } as usize;
    for n in 0..usize::from(short(directory)?) {
        // Twelve bytes each: the tag, its type (3 is a short), how many, and the value.
        let entry = directory.checked_add(2 + 12 * n)?;
        if short(entry)? == 0x0112 && short(entry + 2)? == 3 {
            let value = u8::try_from(short(entry + 8)?).ok()?;
            return (1..=8).contains(&value).then_some(value);
        }
    }
    None
}

/// A square picture the right way up.
pub(crate) fn upright(square: &[u8], size: usize, orientation: u8) -> Vec<u8> {
    let last = size - 1;
    let (pixels, _) = square.as_chunks::<3>();
    let mut turned = Vec::with_capacity(square.len());
    for y in 0..size {
        for x in 0..size {
            let (column, row) = match orientation {
                2 => (last - x, y),
                3 => (last - x, last - y),
                4 => (x, last - y),
                5 => (y, x),
                6 => (y, last - x),
                7 => (last - y, last - x),
                8 => (last - y, x),
                _ => (x, y),
            };
            turned.extend(pixels[row * size + column]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(little: bool, value: u16) -> Vec<u8> {
        let short = |n: u16| {
            if little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let long = |n: u32| {
            if little {
                n.to_le_bytes()
            } else {
                n.to_be_bytes()
            }
        };
        let mut bytes = if little { b"II*\0" } else { b"MM\0*" }.to_vec();
        bytes.extend(long(10));
        bytes.extend([0, 0]);
        bytes.extend(short(2));
        for (tag, what) in [(0x010F, 7), (0x0112, value)] {
            bytes.extend(short(tag));
            bytes.extend(short(3));
            bytes.extend(long(1));
            bytes.extend(short(what));
            bytes.extend([0, 0]);
        }
        bytes
    }

    #[test]
    fn the_orientation_is_read_in_both_byte_orders() {
        for little in [true, false] {
            assert_eq!(orientation(&tiff(little, 6)), Some(6));
            assert_eq!(orientation(&tiff(little, 9)), None);
            let whole = tiff(little, 3);
            for cut in 0..whole.len() - 2 {
                assert_eq!(orientation(&whole[..cut]), None, "{cut}");
            }
        }
        let mut far = tiff(false, 3);
        far[4..8].fill(0xFF);
        assert_eq!(orientation(&far), None);
    }

    /// By the standard: where the stored first row and first column are to be seen.
    #[test]
    fn every_orientation_is_turned_upright() {
        // 1 2 over 3 4, each pixel of three equal bytes.
        let stored: Vec<u8> = [1, 2, 3, 4].iter().flat_map(|n| [*n; 3]).collect();
        for (orientation, seen) in [
            (1, [1, 2, 3, 4]),
            (2, [2, 1, 4, 3]),
            (3, [4, 3, 2, 1]),
            (4, [3, 4, 1, 2]),
            (5, [1, 3, 2, 4]),
            (6, [3, 1, 4, 2]),
            (7, [4, 2, 3, 1]),
            (8, [2, 4, 1, 3]),
        ] {
            let turned: Vec<u8> = upright(&stored, 2, orientation)
                .into_iter()
                .step_by(3)
                .collect();
            assert_eq!(turned, seen, "{orientation}");
        }
    }
}
