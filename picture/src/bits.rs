//! Reading the bits between two markers.

/// Bits of one scan. Where the data end (a marker, or the end of the file), zeros follow, and
/// [`Bits::ran_out`] says that some of them were used.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, the first of them on top.
    window: u64,
    /// How many of the window's bits count.
    count: u32,
    /// How many bits were made up, all of them at the window's end.
    made_up: u32,
}

impl<'a> Bits<'a> {
    /// Bits from `at` on.
    pub(crate) fn new(data: &'a [u8], at: usize) -> Bits<'a> {
        Bits {
            data,
            at,
            window: 0,
            count: 0,
            made_up: 0,
        }
    }

    /// Has at least 56 bits in the window.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        if let Some(next) = self.data.get(self.at..).and_then(|d| d.first_chunk::<8>()) {
            let next = u64::from_be_bytes(*next);
            // Whether one of the eight bytes is 0xFF: a zero in the inverse.
            let zeros = (!next).wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080;
            if zeros == 0 {
                self.window |= next >> self.count;
                self.at += ((63 - self.count) >> 3) as usize;
                self.count |= 56;
                return;
            }
        }
        self.refill_slowly();
    }

    #[inline(never)]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                (Some(0xFF), _) | (None, _) => {
                    self.made_up += 8;
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Has at least 32 bits in the window.
    #[inline(always)]
    pub(crate) fn need(&mut self) {
        if self.count < 32 {
            self.refill();
        }
    }

    /// The next `bits` (1 to 16), which stay.
    #[inline(always)]
    pub(crate) fn peek(&self, bits: u32) -> usize {
        (self.window >> (64 - bits)) as usize
    }

    /// Passes over bits that the window has.
    #[inline(always)]
    pub(crate) fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.count -= bits;
    }

    /// The next `bits` (0 to 16).
    #[inline(always)]
    pub(crate) fn take(&mut self, bits: u32) -> u32 {
        // Two shifts, since one by 64 is not allowed.
        let value = (self.window >> 1) >> (63 - bits);
        self.skip(bits);
        value as u32
    }

    /// One bit, whatever the window has.
    #[inline(always)]
    pub(crate) fn bit(&mut self) -> bool {
        if self.count == 0 {
            self.refill();
        }
        self.take(1) == 1
    }

    /// A number of `size` bits (0 to 15), as JPEG writes signed numbers.
    #[inline(always)]
    pub(crate) fn signed(&mut self, size: u32) -> i32 {
        let value = self.take(size) as i32;
        signed(value, size)
    }

    /// Whether bits were used that are not there.
    #[inline(always)]
    pub(crate) fn ran_out(&self) -> bool {
        self.made_up > self.count
    }

    /// Whether the data end within the next few bytes.
    pub(crate) fn near_end(&mut self) -> bool {
        self.need();
        self.made_up > 0 || self.data.len() - self.at < 2
    }

    /// Where the data end, and how many whole bytes before that were not used, of those that are not
    /// padding. From here on only [`Bits::new`] makes sense.
    pub(crate) fn end(&self) -> (usize, usize) {
        let mut unused = 0;
        let real = self.count.saturating_sub(self.made_up) / 8;
        for n in 0..real {
            let byte = (self.window << (self.count % 8)) >> (56 - 8 * n) & 0xFF;
            unused += usize::from(byte != 0 && byte != 0xFF);
        }
        let mut at = self.at;
        while let Some(byte) = self.data.get(at) {
            match (byte, self.data.get(at + 1)) {
                (0xFF, Some(0)) => at += 2,
                (0xFF, Some(0xFF)) => at += 1,
                (0xFF, _) => break,
                (byte, _) => {
                    unused += usize::from(*byte != 0);
                    at += 1;
                }
            }
        }
        (at, unused)
    }
}

/// The signed number that `size` bits stand for.
#[inline(always)]
pub(crate) fn signed(value: i32, size: u32) -> i32 {
    let half = (1 << size) >> 1;
    if value < half {
        value - (1 << size) + 1
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_in_order_through_stuffing_and_end_in_zeros() {
        let mut data = vec![0b1010_0101, 0xFF, 0x00, 0x0F];
        data.extend([0x11; 20]);
        data.extend([0xFF, 0xD9, 0x33]);
        let mut bits = Bits::new(&data, 0);
        let mut read = |n| {
            bits.need();
            bits.take(n)
        };
        assert_eq!([read(3), read(5), read(8), read(8)], [5, 5, 0xFF, 0x0F]);
        for _ in 0..20 {
            assert_eq!(read(8), 0x11);
        }
        assert!(!bits.ran_out());
        assert_eq!(bits.end(), (24, 0));
        bits.need();
        assert_eq!((bits.take(1), bits.ran_out()), (0, true));
    }

    #[test]
    fn what_is_left_over_is_counted() {
        let data = [1, 2, 3, 4, 5, 0xFF, 0x00, 0, 0, 6, 7, 8, 9, 10, 0xFF, 0xD9];
        let mut bits = Bits::new(&data, 0);
        bits.need();
        bits.skip(12);
        // 3, 4, 5, 6, 7, 8, 9 and 10: not the byte that was begun, and no padding.
        assert_eq!(bits.end(), (14, 8));
    }

    #[test]
    fn signed_numbers_are_those_of_the_standard() {
        let expected = [
            (0, 0, 0),
            (0, 1, -1),
            (1, 1, 1),
            (0, 3, -7),
            (3, 3, -4),
            (4, 3, 4),
        ];
        for (value, size, number) in expected {
            assert_eq!(signed(value, size), number);
        }
    }
}
