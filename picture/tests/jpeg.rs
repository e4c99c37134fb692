//! Every kind of JPEG that cameras send: read rightly, or refused by a text that says why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::cell::Cell;
use std::path::Path;

use oe_picture::{Budget, Picture, PictureError};
use oe_test_support::jpeg::Jpeg;

fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/pictures");
    std::fs::read(folder.join(name)).unwrap()
}

fn decode(jpeg: &[u8], side: usize) -> Result<Picture, PictureError> {
    Picture::decode(jpeg, side, &Budget::new(32_000_000), &|| false)
}

fn refusal(jpeg: &[u8]) -> String {
    match decode(jpeg, 32) {
        Err(PictureError::Undecodable(why)) => why,
        other => panic!("{:?}", other.map(|picture| (picture.width, picture.height))),
    }
}

/// What another decoder (libjpeg-turbo, Pillow's resampling) makes of each file as four by four
/// pixels.
#[test]
fn pictures_are_what_another_decoder_makes_of_them() {
    let expected = String::from_utf8(file("expected.csv")).unwrap();
    for line in expected.lines() {
        let (name, hex) = line.split_once(',').unwrap();
        let square = decode(&file(name), 4).unwrap().square;
        let right = (0..48).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap());
        for (got, right) in square.iter().zip(right) {
            assert!(got.abs_diff(right) <= 2, "{name}: {square:?} {hex}");
        }
    }
    assert!(expected.lines().count() > 12);
}

/// Hills of brightness and of both colours, each of its own width.
fn hills(part: usize, x: f64, y: f64) -> f64 {
    let (across, down) = [(17.0, 23.0), (41.0, 29.0), (33.0, 53.0)][part];
    128.0 + 50.0 * (x / across).sin() + 40.0 * (y / down).cos()
}

fn rgb(x: f64, y: f64) -> [f64; 3] {
    let [light, cb, cr] = [0, 1, 2].map(|part| hills(part, x, y));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let green = light - 0.344_136 * cb - 0.714_136 * cr;
    [light + 1.402 * cr, green, light + 1.772 * cb].map(|value| value.clamp(0.0, 255.0))
}

/// How far a decoded picture is from the hills, on average, at its inner pixels.
fn off(jpeg: &[u8], width: usize, height: usize) -> f64 {
    let side = 40;
    let square = decode(jpeg, side).unwrap().square;
    let (mut sum, mut count) = (0.0, 0.0);
    for n in 0..side * side {
        let (x, y) = (n % side, n / side);
        if !(3..side - 3).contains(&x) || !(3..side - 3).contains(&y) {
            continue;
        }
        let place = |at: usize, of: usize| (at as f64 + 0.5) * of as f64 / side as f64 - 0.5;
        let right = rgb(place(x, width), place(y, height));
        for (colour, right) in right.iter().enumerate() {
            sum += (f64::from(square[n * 3 + colour]) - right).abs();
            count += 1.0;
        }
    }
    sum / count
}

/// All samplings with up to four blocks each way of brightness and of colour, the two colours alike
/// and unlike, together and apart: those that others refuse are right too.
#[test]
fn every_sampling_is_decoded_rightly() {
    let factors: Vec<(usize, usize)> = (0..16).map(|n| (1 + n % 4, 1 + n / 4)).collect();
    let (width, height) = (143, 101);
    let mut layouts = 0;
    for light in &factors {
        for (n, colour) in factors.iter().enumerate() {
            let other = if n % 3 == 0 { (1, 2) } else { *colour };
            let jpeg = Jpeg {
                width,
                height,
                sampling: &[*light, *colour, other],
                step: 2,
                restart: 0,
                apart: n % 2 == 1,
                value: &hills,
            };
            let off = off(&jpeg.encode(), width, height);
            assert!(off < 3.5, "{light:?} {colour:?} {other:?}: {off}");
            layouts += 1;
        }
    }
    assert_eq!(layouts, 256);
}

fn hilly(restart: usize, apart: bool) -> Vec<u8> {
    let jpeg = Jpeg {
        width: 320,
        height: 240,
        sampling: &[(2, 2), (1, 1), (1, 1)],
        step: 4,
        restart,
        apart,
        value: &|part, x, y| hills(part, x, y) + 9.0 * (x * 2.1 + y).sin(),
    };
    jpeg.encode()
}

/// Where the data of the (last) scan begin.
fn data(jpeg: &[u8]) -> usize {
    let scan = jpeg
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    scan + 2 + usize::from(jpeg[scan + 3])
}

#[test]
fn a_little_may_be_missing_at_the_end_and_much_may_not() {
    let whole = hilly(0, false);
    let square = |jpeg: &[u8]| decode(jpeg, 32).unwrap().square;
    let right = square(&whole);
    let end = whole.len() - 2;
    let endings: [&[u8]; 6] = [
        b"",
        &[0; 700],
        b"\r\n--boundary",
        &[0xFF],
        &[0xFF, 0xD8, 0xFF, 0xE0],
        &[0xFF; 40],
    ];
    for ending in endings {
        assert_eq!(
            square(&[&whole[..end], ending].concat()),
            right,
            "{ending:?}"
        );
    }
    let (from, close) = (data(&whole), |a: &[u8], b: &[u8]| {
        a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 6).count() * 100 / a.len()
    });
    for percent in 1..100 {
        let cut = from + (end - from) * percent / 100;
        for ending in [&b""[..], &[0; 3_000], &[0xFF, 0xD9], &[0, 0, 0xFF, 0xD9]] {
            let result = decode(&[&whole[..cut], ending].concat(), 32);
            match (percent, result) {
                // The data lie evenly over the picture: about so many rows are there.
                (93.., Ok(picture)) => assert!(close(&picture.square, &right) < 10, "{percent}"),
                (..=87, Err(PictureError::Undecodable(why))) => {
                    assert!(why.contains("cut off"), "{percent}: {why}");
                }
                (88..=92, _) => {}
                (_, result) => panic!("{percent} {ending:?}: {:?}", result.err()),
            }
        }
    }
}

#[test]
fn scans_apart_and_progressive_pictures_may_be_cut_as_little() {
    for whole in [
        hilly(0, true),
        file("progressive.jpg"),
        file("restart-progressive.jpg"),
    ] {
        assert!(decode(&whole, 32).is_ok());
        let end = whole.len() - 2;
        assert!(decode(&whole[..end], 32).is_ok());
        assert!(decode(&whole[..end - 10], 32).is_ok());
        let last = data(&whole);
        for cut in [last - 1, last + 1, last + (end - last) / 2] {
            assert!(refusal(&whole[..cut]).contains("cut off"), "{cut}");
        }
    }
}

#[test]
fn what_is_missing_in_the_middle_is_found_out() {
    let whole = hilly(20, false);
    assert!(decode(&whole, 32).is_ok());
    let marks: Vec<usize> = (data(&whole)..whole.len() - 2)
        .filter(|at| whole[*at] == 0xFF && whole[at + 1] & 0xF8 == 0xD0)
        .collect();
    assert_eq!(marks.len(), 14);
    let without = |from: usize, to: usize| [&whole[..from], &whole[to..]].concat();
    for lost in 1..8 {
        // Whole intervals with their markers; half of two, with those between; a marker alone.
        let (a, b) = (marks[3], marks[3 + lost]);
        assert!(refusal(&without(a, b)).contains("damaged"), "{lost}");
        assert!(
            refusal(&without(a - 60, b - 60)).contains("damaged"),
            "{lost}"
        );
    }
    assert!(refusal(&without(marks[5], marks[5] + 2)).contains("damaged"));
    let mut zeroed = whole.clone();
    zeroed[marks[4] - 80..marks[6] + 50].fill(0);
    assert!(refusal(&zeroed).contains("damaged"));
    // A packet without a restart marker near it.
    let plain = hilly(0, false);
    let mut found = 0;
    for n in 1..20 {
        let at = data(&plain) + n * 600;
        found += usize::from(decode(&[&plain[..at], &plain[at + 400..]].concat(), 32).is_err());
    }
    assert!(found >= 10, "{found} of 19");
}

#[test]
fn what_stands_between_segments_does_not_matter() {
    let whole = file("uvc422.jpg");
    let right = decode(&whole, 32).unwrap();
    let mut app = vec![0xFF, 0xE2, 0xFF, 0xFF];
    app.extend([0xD9; 65_533]);
    // A picture within EXIF, with an end of its own.
    let mut thumbnail = vec![0xFF, 0xE1, 0x40, 0x00];
    thumbnail.extend(file("colour.jpg").iter().cycle().take(0x3FFE));
    for stuff in [vec![0x12, 0x34], vec![0xFF; 9], app.repeat(60), thumbnail] {
        let mut jpeg = whole.clone();
        jpeg.splice(2..2, stuff);
        let got = decode(&jpeg, 32).unwrap();
        assert_eq!(
            (got.square, got.pixels),
            (right.square.clone(), right.pixels)
        );
    }
}

/// A bright corner, where each orientation puts it.
#[test]
fn exif_says_which_way_is_up() {
    let corner = |part: usize, x: f64, y: f64| match part {
        0 if x < 60.0 && y < 40.0 => 220.0,
        0 => 40.0,
        _ => 128.0,
    };
    let plain = Jpeg {
        width: 120,
        height: 80,
        sampling: &[(1, 1); 3],
        step: 4,
        restart: 0,
        apart: false,
        value: &corner,
    };
    let plain = plain.encode();
    // Left above, right above, right below, left below: by the standard's figures.
    let corners = [0, 1, 2, 3, 0, 1, 2, 3];
    for (orientation, right) in (1_u8..=8).zip(corners) {
        let mut jpeg = plain.clone();
        let mut exif =
            b"\xFF\xE1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        jpeg.splice(2..2, exif);
        let picture = decode(&jpeg, 20).unwrap();
        assert_eq!(picture.sideways, orientation >= 5);
        let square = picture.square;
        let at = [(5, 5), (14, 5), (14, 14), (5, 14)].map(|(x, y)| square[(y * 20 + x) * 3]);
        for (n, light) in at.iter().enumerate() {
            assert_eq!(*light > 128, n == right, "{orientation}: {at:?}");
        }
    }
}

#[test]
fn what_is_not_understood_says_so() {
    assert!(refusal(&file("arithmetic.jpg")).contains("arithmetic"));
    let mut jpeg = hilly(0, false);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC1])
        .unwrap();
    jpeg[frame + 9] = 2;
    assert!(refusal(&jpeg).contains("2 components"));
    jpeg[frame + 5..frame + 7].fill(0);
    assert!(refusal(&jpeg).contains("DNL"));
    jpeg[frame + 4] = 12;
    assert!(refusal(&jpeg).contains("12 bits"));
}

#[test]
fn memory_is_known_from_the_header_and_bounded() {
    let bomb = file("50mp-flat-progressive.jpg");
    let small = decode(&bomb, 320).unwrap_err();
    let PictureError::TooMuchMemory { needed, budget } = small else {
        panic!("{small:?}");
    };
    assert!(
        budget == 32_000_000 && (150_000_000..160_000_000).contains(&needed),
        "{needed}"
    );
    let large = Budget::new(needed);
    let picture = Picture::decode(&bomb, 320, &large, &|| false).unwrap();
    assert!(picture.width * picture.height > 49_000_000 && large.taken() == 0);
    // The same size, not progressive: strips, in a fortieth.
    let mut wide = hilly(0, false);
    let frame = wide
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC1])
        .unwrap();
    wide[frame + 5..frame + 9].copy_from_slice(&[0x1B, 0x58, 0x1B, 0x58]);
    let cut = Picture::decode(&wide, 320, &Budget::new(4_000_000), &|| false).unwrap_err();
    assert!(cut.to_string().contains("cut off"), "{cut}");
}

#[test]
fn decoding_can_be_stopped_at_any_time() {
    for jpeg in [hilly(0, false), hilly(0, true), file("progressive.jpg")] {
        let asked = Cell::new(0);
        let count = || {
            asked.set(asked.get() + 1);
            false
        };
        Picture::decode(&jpeg, 32, &Budget::new(32_000_000), &count).unwrap();
        let all = asked.get();
        assert!(all > 8, "{all}");
        for at in (0..all).step_by(1 + all / 100) {
            let left = Cell::new(at);
            let stop = || left.replace(left.get().wrapping_sub(1)) == 0;
            let result = Picture::decode(&jpeg, 32, &Budget::new(32_000_000), &stop);
            assert_eq!(result.err(), Some(PictureError::Stopped), "{at} of {all}");
        }
    }
}
