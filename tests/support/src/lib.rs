//! What the tests share: a peer that follows a script to the byte, certificates of every kind of
//! wrong, the built library and programs compiled against it.

pub mod certs;
pub mod jpeg;
pub mod library;
pub mod moonraker;
pub mod peer;
pub mod program;
pub mod storm;

/// Numbers that look drawn, the same for the same seed (xorshift). The seed must not be 0.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// One below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    /// This many bytes.
    pub fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// Bytes that begin and end like a JPEG, of exactly this length (at least 5), different for each
/// seed.
#[must_use]
pub fn fake_jpeg(len: usize, seed: u64) -> Vec<u8> {
    let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Random(seed).bytes(len as u64);
    bytes[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    bytes[len - 2..].copy_from_slice(&[0xFF, 0xD9]);
    bytes
}

/// A whole JPEG, of one gray block of 8x8: the smallest thing that a service can look at.
#[must_use]
pub fn tiny_jpeg() -> Vec<u8> {
    // A table of one symbol, 0, with the code "0"; the image is that code twice.
    let table = |class: u8| {
        let counts = [1; 1].into_iter().chain([0; 15]);
        let head = [0xFF, 0xC4, 0, 20, class];
        head.into_iter()
            .chain(counts)
            .chain([0])
            .collect::<Vec<u8>>()
    };
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
    bytes.extend([1; 64]);
    bytes.extend([0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    bytes.extend(table(0x00));
    bytes.extend(table(0x10));
    bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x3F, 0xFF, 0xD9]);
    bytes
}

/// A verdict in edition B: call again after 5 s at least, 20 s by default.
pub const P200: &str = r#"{"NextProcessIntervalSec":{"Minimum":5,"Recommended":20},"FasterInspectionSuggested":false,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false,"Score":5}"#;

/// What is both a context and a verdict, of a peer whose address `BASE_URL` stands for.
pub const CONTEXT_AND_VERDICT: &str = r#"{"ContextId":"C","ProcessRequestUrl":"BASE_URL/p","FallbackProcessRequestUrl":"BASE_URL/f","NextProcessIntervalSec":20,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false}"#;

/// The answer to Create Context of a service at `base_url`.
#[must_use]
pub fn create_body(base_url: &str) -> String {
    format!(
        r#"{{"ContextId":"CTX1","ProcessRequestUrl":"{base_url}/p/CTX1","FallbackProcessRequestUrl":"{base_url}/f/CTX1"}}"#
    )
}
