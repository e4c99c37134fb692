//! JPEGs of any length: a frame of the demo, filled up with comments that no compression shrinks.

/// `frame` with comment segments behind its first marker, until it has `len` bytes.
pub fn padded(frame: &[u8], len: usize) -> Vec<u8> {
    /// The most that a segment holds, its two bytes of length included.
    const MOST: usize = 65_535;
    let mut image = frame[..2].to_vec();
    let mut missing = len.saturating_sub(frame.len());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while missing >= 4 {
        let segment = missing.min(MOST + 2);
        // What is left must hold a segment, or be nothing.
        let segment = match missing - segment {
            1..=3 => segment - 4,
            _ => segment,
        };
        image.extend([0xFF, 0xFE]);
        image.extend(((segment - 2) as u16).to_be_bytes());
        for _ in 4..segment {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            image.push((state >> 32) as u8);
        }
        missing -= segment;
    }
    image.extend_from_slice(&frame[2..]);
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_met_and_the_frame_is_there() {
        let frame = [0xFF, 0xD8, 0xFF, 0xD9];
        for len in [8, 100, 65_537 + 4, 65_538 + 4, 65_540 + 4, 200_000] {
            let image = padded(&frame, len);
            assert_eq!(image.len(), len);
            assert!(image.starts_with(&[0xFF, 0xD8, 0xFF, 0xFE]) && image.ends_with(&[0xFF, 0xD9]));
        }
    }
}
