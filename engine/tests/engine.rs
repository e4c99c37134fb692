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

use oe_engine::{Ask, BUILT_IN, Engine, LookError, PictureError, Region};

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
    assert!(colour.blind.is_none());
    for name in ["progressive.jpg", "cmyk.jpg"] {
        let look = ENGINE.look(&picture(name)).unwrap();
        let apart = (look.failure - colour.failure).abs();
        assert!(
            look.blind.is_none() && apart < 1.0,
            "{name}: {look:?} {colour:?}"
        );
    }
    assert!(ENGINE.look(&picture("grey.jpg")).unwrap().blind.is_none());
}

#[test]
fn there_is_no_opinion_on_nothing() {
    for name in ["black.jpg", "flat.jpg"] {
        assert!(
            ENGINE.look(&picture(name)).unwrap().blind.is_some(),
            "{name}"
        );
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
        let refused = matches!(
            result,
            Err(LookError::Picture(PictureError::Undecodable(_)))
        );
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
    let many = PictureError::TooManyPixels(65_535 * 65_535);
    assert_eq!(refused, Err(LookError::Picture(many)));
}

#[test]
fn a_model_file_is_checked() {
    let why = |file: &[u8]| Engine::with_model(file.to_vec()).err().unwrap().to_string();
    let changed = |from: &str, to: &str| {
        let at = BUILT_IN
            .windows(from.len())
            .position(|part| part == from.as_bytes())
            .unwrap();
        assert_eq!(from.len(), to.len());
        let mut file = BUILT_IN.to_vec();
        file[at..at + to.len()].copy_from_slice(to.as_bytes());
        why(&file)
    };
    assert!(why(b"GIF89a").contains("another kind"));
    assert!(why(b"OEMODEL1....").contains("another version"));
    for cut in [8, 9, 12, 13, 100, 320] {
        assert!(
            why(&BUILT_IN[..cut]).contains("cut off"),
            "{cut}: {}",
            why(&BUILT_IN[..cut])
        );
    }
    assert!(why(&BUILT_IN[..BUILT_IN.len() - 1]).contains("checksum"));
    for at in [400, 100_000, BUILT_IN.len() - 1] {
        let mut bent = BUILT_IN.to_vec();
        bent[at] ^= 1;
        assert!(why(&bent).contains("checksum"), "{at}");
    }
    let mut long = BUILT_IN.to_vec();
    long[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(why(&long).contains("head is too long"));
    assert!(changed("-lite0-map", "-lite4-map").contains("efficientnet-lite4-map"));
    assert!(changed("\"size\": 320", "\"size\":  31").contains("not possible"));
    for (from, to) in [
        ("\"scale\": ", "\"scale\":-"),
        ("\"map_scale\": ", "\"map_scale\":-"),
        ("\"least\": -", "\"least\":  "),
        ("\"most\": ", "\"most\":-"),
    ] {
        assert!(changed(from, to).contains("calibration"), "{to}");
    }
    assert!(changed("\"usual\"", "\"usuaX\"").contains("usual"));
    assert!(BUILT_IN.len() <= 3_700_000, "{}", BUILT_IN.len());
}

/// Weights that are no numbers, or of another network, with a checksum that is right.
#[test]
fn weights_are_checked() {
    let weights = weights_of(BUILT_IN);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = BUILT_IN.to_vec();
        change(&mut file);
        Engine::with_model(signed(file))
    };
    assert!(with(&|_| ()).is_ok());
    let why = |change: &dyn Fn(&mut Vec<u8>)| with(change).err().unwrap().to_string();
    let nan =
        |file: &mut Vec<u8>| file[weights..weights + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(why(&nan).contains("no number"));
    for cut in [1, 8, 5_000, 1_000_000] {
        assert!(
            why(&|file| file.truncate(file.len() - cut)).contains("cut off"),
            "{cut}"
        );
    }
    assert!(why(&|file| file.push(0)).contains("longer"));
}

/// Where the weights begin.
fn weights_of(file: &[u8]) -> usize {
    let length = u32::from_le_bytes(file[8..12].try_into().unwrap());
    (12 + length as usize).next_multiple_of(64)
}

/// With the checksum that its weights have.
fn signed(mut file: Vec<u8>) -> Vec<u8> {
    let key = b"\"crc32\": \"";
    let at = file
        .windows(key.len())
        .position(|part| part == key)
        .unwrap()
        + key.len();
    let sum = format!("{:08x}", plain_crc32(&file[weights_of(&file)..]));
    file[at..at + 8].copy_from_slice(sum.as_bytes());
    file
}

fn plain_crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(u32::MAX, byte)
}

/// The demo's print: well at first, the first loose strands in the sixth picture, a tangle at the end.
/// None of its pictures was trained on.
#[test]
fn the_demo_print_is_seen_to_fail() {
    let evidence: Vec<f64> = frames()
        .iter()
        .map(|jpeg| ENGINE.look(jpeg).unwrap().failure)
        .collect();
    let worst = evidence[..5].iter().copied().fold(f64::MIN, f64::max);
    let least = evidence[8..].iter().copied().fold(f64::MAX, f64::min);
    assert!(worst < -1.0 && least > 0.0, "{evidence:?}");
}

fn observe(jpeg: &[u8], ignore: &[Region]) -> oe_engine::Observation {
    let ask = Ask {
        ignore,
        ..Ask::default()
    };
    ENGINE.observe(jpeg, &ask).unwrap()
}

fn region(left: u16, top: u16, width: u16, height: u16) -> Region {
    Region {
        left,
        top,
        width,
        height,
    }
}

/// The vase of the demo stands a little left of the middle; its tangle with it.
#[test]
fn the_place_is_where_the_tangle_is() {
    for jpeg in &frames()[8..] {
        let seen = observe(jpeg, &[]);
        let place = seen.place.unwrap();
        let (right, bottom) = (place.left + place.width, place.top + place.height);
        assert!(
            place.left >= 100 && right <= 900 && bottom <= 1_000,
            "{place:?}"
        );
        let middle = (place.left + place.width / 2, place.top + place.height / 2);
        assert!(
            (350..=600).contains(&middle.0) && (400..=750).contains(&middle.1),
            "{place:?}"
        );
        assert_eq!((seen.cells.side, seen.cells.odds.len()), (10, 100));
    }
    for jpeg in &frames()[..3] {
        let seen = observe(jpeg, &[]);
        assert_eq!(seen.place, None);
        assert!(
            seen.cells
                .odds
                .iter()
                .all(|odds| odds.is_some_and(|odds| odds < 0.0))
        );
    }
}

/// The tangle alone is ignored; then all that is around it.
#[test]
fn what_is_ignored_never_counts_and_the_rest_does() {
    let tangle = &frames()[8];
    let inside = [region(300, 250, 320, 650)];
    let seen = observe(tangle, &inside);
    assert!(seen.look.failure < -1.0 && seen.place.is_none(), "{seen:?}");
    let left_out = seen.cells.odds.iter().filter(|odds| odds.is_none());
    assert_eq!(left_out.count(), 3 * 7);
    let around = [
        region(0, 0, 200, 1_000),
        region(700, 0, 300, 1_000),
        region(0, 0, 1_000, 150),
    ];
    let seen = observe(tangle, &around);
    assert!(seen.look.failure > 2.0, "{seen:?}");
    let place = seen.place.unwrap();
    assert!(
        place.left >= 200 && place.left + place.width <= 700 && place.top >= 100,
        "{place:?}"
    );
    // A fine print stays one, whatever is left out of it.
    for left in [0, 200, 400, 600] {
        let seen = observe(&frames()[0], &[region(left, 100, 350, 600)]);
        assert!(seen.look.failure < -1.0, "{left}: {seen:?}");
    }
}

#[test]
fn where_all_is_ignored_there_is_nothing_to_see() {
    let tangle = &frames()[11];
    for all in [
        vec![region(0, 0, 1_000, 1_000)],
        vec![region(0, 0, 500, 1_000), region(500, 0, u16::MAX, 1_000)],
        // A little of the picture is left, and no cell.
        vec![region(20, 20, 960, 960)],
    ] {
        let seen = observe(tangle, &all);
        assert!(
            seen.look.blind.is_some() && seen.place.is_none(),
            "{seen:?}"
        );
        assert!(seen.cells.odds.is_empty());
    }
}

/// Whenever it is told so; and the next look is as ever.
#[test]
fn a_look_can_be_stopped() {
    let jpeg = &frames()[0];
    let asked = std::cell::Cell::new(0);
    let count = || {
        asked.set(asked.get() + 1);
        false
    };
    let whole = ENGINE.observe(
        jpeg,
        &Ask {
            stop: &count,
            ..Ask::default()
        },
    );
    let all = asked.get();
    assert!(all > 100, "{all}");
    for after in [0, 1, 10, all / 2, all - 1] {
        asked.set(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > after
        };
        let ask = Ask {
            stop: &stop,
            ..Ask::default()
        };
        assert_eq!(ENGINE.observe(jpeg, &ask), Err(LookError::Stopped));
        assert_eq!(
            asked.get(),
            after + 1,
            "it goes on after it was told to stop"
        );
    }
    assert_eq!(ENGINE.observe(jpeg, &Ask::default()), whole);
}

/// A model that is no network's: its sums are larger than numbers.
#[test]
fn what_the_model_cannot_is_not_the_pictures_fault() {
    let engine = Engine::with_model(broken_model()).unwrap();
    let refused = engine.look(&frames()[0]);
    assert!(matches!(refused, Err(LookError::Model(_))), "{refused:?}");
    let refused = engine.look(b"no picture");
    assert!(matches!(refused, Err(LookError::Picture(_))), "{refused:?}");
}

/// The built-in one with biases of the head as large as they get.
fn broken_model() -> Vec<u8> {
    let mut file = BUILT_IN.to_vec();
    let end = file.len() - 8;
    for bias in file[end..].chunks_exact_mut(4) {
        bias.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    signed(file)
}
