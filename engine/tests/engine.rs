//! The engine with the model that is built in: pictures of every kind, damage of every kind, and
//! prints from their first picture to the last.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use oe_engine::{BUILT_IN, Engine, PictureError};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn picture(name: &str) -> Vec<u8> {
    std::fs::read(root().join("engine/tests/pictures").join(name)).unwrap()
}

fn frames() -> Vec<Vec<u8>> {
    (1..=12)
        .map(|n| std::fs::read(root().join(format!("demo/frames/frame-{n:02}.jpg"))).unwrap())
        .collect()
}

#[test]
fn every_kind_of_jpeg_says_the_same() {
    let colour = ENGINE.look(&picture("colour.jpg")).unwrap();
    assert!(!colour.dark);
    for name in ["progressive.jpg", "cmyk.jpg"] {
        let look = ENGINE.look(&picture(name)).unwrap();
        let apart = (look.failure - colour.failure).abs();
        assert!(!look.dark && apart < 1.0, "{name}: {look:?} {colour:?}");
    }
    assert!(!ENGINE.look(&picture("grey.jpg")).unwrap().dark);
}

#[test]
fn there_is_no_opinion_on_nothing() {
    for name in ["black.jpg", "flat.jpg"] {
        assert!(ENGINE.look(&picture(name)).unwrap().dark, "{name}");
    }
}

/// A comment in the file makes other bytes, and the same pixels.
#[test]
fn a_frozen_camera_is_known_by_its_pixels() {
    let frames = frames();
    let mut commented = frames[0].clone();
    commented.splice(2..2, [0xFF, 0xFE, 0, 4, b'o', b'e']);
    let [one, same, other] =
        [&frames[0], &commented, &frames[1]].map(|jpeg| ENGINE.look(jpeg).unwrap().pixels);
    assert_eq!(one, same);
    assert_ne!(one, other);
}

#[test]
fn damage_is_refused_and_never_costs_memory() {
    let good = picture("colour.jpg");
    for cut in [0, 1, 2, 20, 200, good.len() / 2, good.len() * 9 / 10] {
        let result = ENGINE.look(&good[..cut]);
        let refused = matches!(result, Err(PictureError::Undecodable(_)));
        assert!(refused, "{cut}: {result:?}");
    }
    for seed in 0..40_usize {
        let mut bad = good.clone();
        for n in 0..8 {
            let at = (seed * 7_919 + n * 104_729) % bad.len();
            bad[at] = bad[at].wrapping_add((seed + n) as u8 | 1);
        }
        // Whatever comes of it, it comes without a panic.
        drop(ENGINE.look(&bad));
    }
    let mut bomb = good;
    let at = bomb
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    bomb[at + 5..at + 9].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    let refused = ENGINE.look(&bomb);
    assert_eq!(refused, Err(PictureError::TooManyPixels(65_535 * 65_535)));
}

#[test]
fn a_model_file_is_checked() {
    let why = |file: &[u8]| Engine::with_model(file).err().unwrap().to_string();
    assert!(why(b"GIF89a").contains("another kind"));
    assert!(why(&BUILT_IN[..9]).contains("cut off"));
    assert!(why(&BUILT_IN[..BUILT_IN.len() - 1]).contains("checksum"));
    let mut bent = BUILT_IN.to_vec();
    *bent.last_mut().unwrap() ^= 1;
    assert!(why(&bent).contains("checksum"));
    assert!(BUILT_IN.len() <= 5_000_000, "{}", BUILT_IN.len());
}

/// The demo's print: well at first, a tangle at the end. None of its pictures was trained on.
#[test]
fn the_demo_print_is_seen_to_fail() {
    let evidence: Vec<f64> = frames()
        .iter()
        .map(|jpeg| ENGINE.look(jpeg).unwrap().failure)
        .collect();
    let worst = evidence[..8].iter().copied().fold(f64::MIN, f64::max);
    let least = evidence[8..].iter().copied().fold(f64::MAX, f64::min);
    assert!(worst < -1.0 && least > 0.0, "{evidence:?}");
}
