//! Plumbing: the checksum of an image, with the widest registers that the processor has.

/// The same as [`oe_core::platform::digest::checksum`], at a third of its instructions where it matters.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just been asked for what this function needs.
        return unsafe { avx2::checksum(bytes) };
    }
    oe_core::platform::digest::checksum(bytes)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi64, _mm256_loadu_si256, _mm256_setzero_si256, _mm256_storeu_si256,
    };

    use oe_core::platform::digest::{BLOCK, LANES, Sums};

    /// Blocks that are added in one turn of the loop.
    const GROUP: usize = 8;

    #[target_feature(enable = "avx2")]
    pub(super) fn checksum(bytes: &[u8]) -> u64 {
        let (groups, rest) = bytes.as_chunks::<{ GROUP * BLOCK }>();
        let [mut low, mut high] = [_mm256_setzero_si256(); 2];
        let [mut low_sums, mut high_sums] = [low, high];
        for group in groups {
            let words = group.as_ptr().cast::<__m256i>();
            // SAFETY: a group of blocks is twice as many registers long; they need not be aligned.
            let at = |n| unsafe { _mm256_loadu_si256(words.add(n)) };
            // Written out, as the loop's own instructions are a quarter of those of one block.
            macro_rules! add {
                ($($block:literal)*) => {$(
                    low = _mm256_add_epi64(low, at(2 * $block));
                    low_sums = _mm256_add_epi64(low_sums, low);
                    high = _mm256_add_epi64(high, at(2 * $block + 1));
                    high_sums = _mm256_add_epi64(high_sums, high);
                )*};
            }
            add!(0 1 2 3 4 5 6 7);
        }
        let mut sums = Sums {
            sums: store([low, high]),
            sums_of_sums: store([low_sums, high_sums]),
        };
        let (last, rest) = rest.as_chunks();
        last.iter().for_each(|block| sums.add(block));
        sums.finish(rest)
    }

    #[target_feature(enable = "avx2")]
    fn store(registers: [__m256i; 2]) -> [u64; LANES] {
        let mut words = [0_u64; LANES];
        let (first, second) = words.split_at_mut(LANES / 2);
        // SAFETY: each half is as long as a register; it need not be aligned.
        unsafe {
            _mm256_storeu_si256(first.as_mut_ptr().cast(), registers[0]);
            _mm256_storeu_si256(second.as_mut_ptr().cast(), registers[1]);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_ways_give_one_sum() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| ((n * n) >> 7) as u8).collect();
        for len in [0, 1, 63, 64, 65, 511, 512, 513, 1_024, 1_087, 9_999] {
            let bytes = &bytes[..len];
            assert_eq!(
                super::checksum(bytes),
                oe_core::platform::digest::checksum(bytes)
            );
        }
    }
}
