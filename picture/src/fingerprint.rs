//! What a picture's pixels are known by: a camera that froze sends the same again.

/// Two sums over words of eight bytes, each step of which can be undone: equal pictures have equal
/// sums, and others almost never. No secret hangs on it.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint {
    sums: [u64; 4],
}

const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Fingerprint {
    pub(crate) fn new(width: usize, height: usize) -> Fingerprint {
        let size = (width as u64) << 32 | height as u64;
        Fingerprint {
            sums: [size, 1, 2, 3],
        }
    }

    /// Takes a row of samples.
    pub(crate) fn take(&mut self, samples: &[u8]) {
        let (chunks, rest) = samples.as_chunks::<32>();
        for chunk in chunks {
            let (words, _) = chunk.as_chunks::<8>();
            for (sum, word) in self.sums.iter_mut().zip(words) {
                *sum = mixed(*sum, u64::from_le_bytes(*word));
            }
        }
        let mut last = [0; 8];
        for piece in rest.chunks(8) {
            last[..piece.len()].copy_from_slice(piece);
            self.sums[0] = mixed(self.sums[0], u64::from_le_bytes(last));
        }
    }

    /// The number.
    pub(crate) fn number(&self) -> u64 {
        self.sums.iter().fold(ODD, |sum, next| mixed(sum, *next))
    }
}

#[inline(always)]
fn mixed(sum: u64, word: u64) -> u64 {
    let sum = (sum ^ word).wrapping_mul(ODD);
    sum ^ sum >> 29
}
