//! Every fuzz target over what is kept in `fuzz/corpus`, over changed copies of it, and over noise: the
//! same bytes each time, on stable Rust. Finding more is `cargo xtask fuzz`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::Path;

use oe_fuzz::{TARGETS, uploads_of};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most);
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    /// A copy with a few bytes changed, cut or doubled.
    fn changed(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(4) {
                _ if bytes.is_empty() => bytes = self.noise(50),
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.below(256) as u8),
                2 => {
                    let again = bytes[at..].to_vec();
                    bytes.extend(again);
                }
                _ => bytes[at] = self.below(256) as u8,
            }
        }
        bytes
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|_| panic!("{}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[test]
fn no_target_is_broken_by_what_is_known_or_by_noise() {
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name} has no corpus");
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for seed in &seeds {
            target(seed);
        }
        for n in 0..3_000 {
            let bytes = match n % 3 {
                0 => random.noise(400),
                _ => random.changed(&seeds[n % seeds.len()]),
            };
            target(&bytes);
        }
    }
}

/// A target that never gets anywhere finds nothing.
#[test]
fn the_calls_get_as_far_as_sending_frames() {
    let uploads: Vec<usize> = corpus("calls")
        .iter()
        .map(|seed| uploads_of(seed))
        .collect();
    assert!(uploads.iter().all(|count| *count > 0), "{uploads:?}");
    assert!(uploads.iter().sum::<usize>() > 20, "{uploads:?}");
}
