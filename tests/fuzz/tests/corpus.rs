//! Every fuzz target over what is kept in `fuzz/corpus`, over changed copies of it, and over noise: the
//! same bytes each time, on stable Rust. Finding more is `cargo xtask fuzz`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::Path;

use oe_fuzz::{TARGETS, uploads_of, verdicts_of};
use oe_test_support::Random;

/// At most this many bytes of noise.
fn noise(random: &mut Random, most: u64) -> Vec<u8> {
    let len = random.below(most);
    random.bytes(len)
}

/// A copy with a few bytes changed, cut or doubled.
fn changed(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1) as u64) as usize;
        match random.below(4) {
            _ if bytes.is_empty() => bytes = noise(random, 50),
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.below(256) as u8),
            2 => bytes.extend_from_within(at..),
            _ => bytes[at] = random.below(256) as u8,
        }
    }
    bytes
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
        // One that speaks over sockets takes its time.
        let rounds = if *name == "peers" { 300 } else { 3_000 };
        for n in 0..rounds {
            let bytes = match n % 3 {
                0 => noise(&mut random, 400),
                _ => changed(&mut random, &seeds[n % seeds.len()]),
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

#[test]
fn the_embedded_prints_get_as_far_as_verdicts_and_pauses() {
    let seen: Vec<_> = corpus("embedded")
        .iter()
        .map(|seed| verdicts_of(seed))
        .collect();
    let sum = seen
        .iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(sum.0 > 100 && sum.1 > 10, "{seen:?}");
}
