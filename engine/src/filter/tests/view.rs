//! Views that change at a stroke, over evidence and brightness that are made up.

use super::*;

/// When the view changes, in seconds: a print was watched for ten minutes.
const CHANGE: u64 = 600;

/// What a camera shows of a print: a slope of light, and the head in one of the upper rows.
fn print(n: u64, light: f64) -> Thumbnail {
    let head = 8 + n * 5 % 16;
    let place = |place: usize| {
        let bright = if place as u64 == head || place as u64 == head + 1 {
            30.0
        } else {
            90.0 + place as f64
        };
        (bright * light).min(255.0) as u8
    };
    Thumbnail(std::array::from_fn(place))
}

/// A thing over a part of the picture, under a lamp that flickers by 4 %, with a little noise.
fn covered(n: u64, places: std::ops::Range<usize>) -> Thumbnail {
    let light = 1.0 + 0.04 * (n % 3) as f64;
    let Thumbnail(mut all) = print(0, light);
    for (place, bright) in all.iter_mut().enumerate() {
        if places.contains(&place) {
            *bright = (40.0 * light) as u8;
        }
        *bright += ((place as u64 * 7 + n * 3) % 2) as u8;
    }
    Thumbnail(all)
}

fn look_at(failure: f64, n: u64, thumbnail: Thumbnail) -> Observation {
    Observation {
        thumbnail,
        ..seen(failure, n, &[44, 45])
    }
}

/// When a warning and a pause were first told, in seconds, of what a camera shows and evidence says at
/// each picture, by its number and time.
fn told(
    (level, pace, end): (u8, u64, u64),
    of: impl Fn(u64, u64) -> (f64, Thumbnail),
) -> [Option<u64>; 2] {
    let levels = Levels {
        warning: level,
        pause: level,
    };
    let mut watch = Filter::new(levels);
    let mut first = [None; 2];
    for n in 0..end / pace {
        let at = n * pace;
        let (failure, thumbnail) = of(n, at);
        let told = watch.observe(
            Duration::from_secs(at),
            &look_at(failure, n, thumbnail),
            USUAL,
        );
        for (first, told) in first.iter_mut().zip([told.warning, told.pause]) {
            if told && first.is_none() {
                *first = Some(at);
            }
        }
    }
    first
}

/// The lamp goes off while the print goes on or stands, a head is parked, a door covers a part, the lens is covered
/// by something that is not black, a device shows text on grey: two hours of what looks like a tangle.
#[test]
fn a_view_that_changes_at_a_stroke_is_never_told() {
    type Shown = fn(u64) -> Thumbnail;
    let views: [(&str, Shown); 9] = [
        ("a quarter of the light", |n| print(n, 0.25)),
        ("an eighth of the light", |n| print(n, 0.125)),
        ("a sixteenth of the light", |n| print(n, 0.0625)),
        ("an eighth, the print stands", |_| print(3, 0.125)),
        ("a small head is parked", |n| covered(n, 20..22)),
        ("a head is parked", |n| covered(n, 10..30)),
        ("a door", |n| covered(n, 0..28)),
        ("the lens is covered", |n| covered(n, 0..64)),
        ("text on grey", |n| {
            let text = |place| if place / 8 == 4 { 130 } else { 110 };
            Thumbnail(std::array::from_fn(|place| text(place) + (n % 2) as u8))
        }),
    ];
    for (name, view) in views {
        for (level, pace) in [(1, 20), (3, 20), (1, 5), (3, 60), (5, 20)] {
            let shown = |n: u64, at: u64| match at < CHANGE {
                true => (-2.8, print(n, 1.0)),
                // Noise is new in each picture.
                false => (2.0 + 0.4 * (n % 3) as f64, view(n)),
            };
            let found = told((level, pace, CHANGE + 7_200), shown);
            assert_eq!(found, [None; 2], "{name}, level {level}, {pace} s");
        }
    }
}

/// Of pictures that stand still but for noise: another view of all is told as any failure, and so is what looks
/// clearly like one wherever it is. The rest waits until something moves.
#[test]
fn a_picture_that_stands_still_is_told_where_it_is_clear_or_all_new() {
    let other = |n: u64| {
        let bright = |place: u64| {
            if (place / 3).is_multiple_of(2) {
                30
            } else {
                190
            }
        };
        let noise = |place: u64| (place * 7 + n * 3) % 2;
        Thumbnail(std::array::from_fn(|at| {
            (bright(at as u64) + noise(at as u64)) as u8
        }))
    };
    let documented = [Some(30..=80), Some(60..=120)];
    for (name, evidence, whole, told_in) in [
        ("all new", 2.6, true, documented.clone()),
        ("a part, clear", 3.4, false, documented.clone()),
        ("a part, in doubt", 2.6, false, [None, None]),
    ] {
        let shown = |n: u64, at: u64| match at < CHANGE {
            true => (-2.8, print(n, 1.0)),
            false if whole => (evidence, other(n)),
            false => (evidence, covered(n, 10..30)),
        };
        let found = told((3, 20, CHANGE + 3_600), shown);
        for (found, expected) in found.into_iter().zip(told_in) {
            let after = found.map(|at| at - CHANGE);
            let right = match &expected {
                Some(range) => after.is_some_and(|after| range.contains(&after)),
                None => after.is_none(),
            };
            assert!(right, "{name}: {after:?}, not {expected:?}");
        }
    }
}

/// A print that goes on moves: it is told as if nothing were known of the view.
#[test]
fn a_tangle_in_a_print_that_goes_on_is_told_as_before() {
    for (level, pace) in [(1, 20), (3, 20), (5, 20), (3, 5), (3, 10), (3, 30), (3, 60)] {
        let of = |at: u64| if at < CHANGE { -3.0 } else { 4.0 };
        let found = told((level, pace, 1_200), |n, at| (of(at), print(n, 1.0)));
        let levels = Levels {
            warning: level,
            pause: level,
        };
        let [_, warning, pause] = delays(levels, pace);
        assert_eq!(found, [warning, pause], "level {level}, {pace} s");
    }
}

/// What is told of a tangle that begins so many seconds after the light changed, and when the latest.
#[test]
fn a_tangle_that_begins_when_the_light_changes_is_told() {
    // Seconds from the change to the tangle, and to when the light is back; the light that is left; seconds
    // from the tangle, or from when the light is back, to the warning and the pause.
    let rows = [
        (20, 7_200, 0.125, 0, [220, 300]),
        (40, 7_200, 0.125, 0, [160, 240]),
        (60, 7_200, 0.125, 0, [100, 140]),
        (600, 7_200, 0.125, 0, [100, 140]),
        (60, 7_200, 0.0625, 0, [100, 140]),
        (60, 7_200, 4.0, 0, [100, 140]),
        // With the very picture: it looks as if the light made it.
        (0, 600, 0.125, 600, [100, 140]),
        (0, 7_200, 4.0, 0, [780, 900]),
    ];
    for (from, back, light, counted, most) in rows {
        // A lamp that is switched on: the print was dim before.
        let usual = if light > 1.0 { 1.0 / light } else { 1.0 };
        let shown = |n: u64, at: u64| {
            let evidence = if at < CHANGE + from { -2.8 } else { 3.4 };
            let changed = (CHANGE..CHANGE + back).contains(&at);
            (
                evidence,
                print(n, if changed { usual * light } else { usual }),
            )
        };
        let found = told((3, 20, CHANGE + 3_600), shown);
        for (found, most) in found.into_iter().zip(most) {
            let after = found.map(|at| at - CHANGE - from - counted);
            assert!(
                after.is_some_and(|after| after <= most),
                "{from} {back} {light}: {after:?} {most}"
            );
        }
    }
}

/// A tangle that was there before nothing moved, or from the first picture on, or that grows where nothing else moves.
#[test]
fn a_tangle_that_was_seen_before_the_print_stood_is_told() {
    let stood = |n: u64, at: u64| match at {
        ..CHANGE => (-2.8, print(n, 1.0)),
        600..680 => (3.4, print(n, 1.0)),
        _ => (3.4, covered(n, 10..12)),
    };
    assert!(told((3, 20, 900), stood)[1].is_some());
    let from_the_first = |n: u64, _: u64| (3.4, covered(n, 10..12));
    assert!(told((3, 20, 180), from_the_first)[1].is_some());
    let grows = |n: u64, at: u64| {
        let size = at.saturating_sub(CHANGE) as usize / 20;
        let from = 40 - size.min(30);
        let evidence = if at < CHANGE { -2.8 } else { 3.4 };
        (
            evidence,
            covered(n, if size == 0 { 0..0 } else { from..41 }),
        )
    };
    let [warning, pause] = told((3, 20, 1_800), grows);
    assert!(warning.is_some() && pause.is_some());
}

/// After a gap nobody knows what the light did: a tangle in the dim picture after it is told.
#[test]
fn a_gap_explains_no_light() {
    let shown = |n: u64, at: u64| match at {
        ..CHANGE => (-2.8, print(n, 1.0)),
        _ => (3.4, print(n, 0.125)),
    };
    let mut watch = Filter::new(Levels::default());
    let mut last = None;
    for n in 0..50 {
        let at = n * 20 + if n < 30 { 0 } else { 3_600 };
        let (failure, thumbnail) = shown(n, n * 20);
        let seen = look_at(failure, n, thumbnail);
        last = Some(watch.observe(Duration::from_secs(at), &seen, USUAL));
    }
    assert!(last.unwrap().pause, "{last:?}");
}

#[test]
fn a_view_goes_on_after_a_restart() {
    let shown = |n: u64| match n {
        ..30 => (-2.8, print(n, 1.0)),
        _ => (3.4, print(n, 0.125)),
    };
    let mut watch = Filter::new(Levels::default());
    for n in 0..60 {
        let (failure, thumbnail) = shown(n);
        let text = serde_json::to_string(&watch).unwrap();
        let mut again: Filter = serde_json::from_str(&text).unwrap();
        let (at, seen) = (Duration::from_secs(n * 20), look_at(failure, n, thumbnail));
        assert_eq!(
            watch.observe(at, &seen, USUAL),
            again.observe(at, &seen, USUAL),
            "{n}"
        );
        assert!(text.len() < 2_048, "{}", text.len());
    }
}
