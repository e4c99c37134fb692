//! What the tests share: a peer that follows a script to the byte, certificates of every kind of
//! wrong, the built library and programs compiled against it.

pub mod certs;
pub mod library;
pub mod peer;

/// Bytes that begin and end like a JPEG, of exactly this length (at least 5), different for each
/// seed.
#[must_use]
pub fn fake_jpeg(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes: Vec<u8> = (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    bytes[..3].copy_from_slice(&[0xFF, 0xD8, 0xFF]);
    bytes[len - 2..].copy_from_slice(&[0xFF, 0xD9]);
    bytes
}

/// A verdict in edition B: call again after 5 s at least, 20 s by default.
pub const P200: &str = r#"{"NextProcessIntervalSec":{"Minimum":5,"Recommended":20},"FasterInspectionSuggested":false,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false,"Score":5}"#;

/// The answer to Create Context of a service at `base_url`.
#[must_use]
pub fn create_body(base_url: &str) -> String {
    format!(
        r#"{{"ContextId":"CTX1","ProcessRequestUrl":"{base_url}/p/CTX1","FallbackProcessRequestUrl":"{base_url}/f/CTX1"}}"#
    )
}
