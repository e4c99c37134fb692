mod view;

use super::*;
use crate::blind::Blind;
use crate::{Cells, Thumbnail};

const USUAL: f64 = -3.0;

fn look(failure: f64, pixels: u64) -> Evidence {
    Evidence {
        failure,
        blind: None,
        pixels,
    }
}

/// Ten good minutes, then failure; the delays of quality, warning and pause behind it.
fn delays(levels: Levels, pace: u64) -> [Option<u64>; 3] {
    let mut watch = Filter::new(levels);
    let mut seen = [None; 3];
    for n in 0..(1_200 / pace) {
        let at = n * pace;
        let evidence = if at < 600 { -3.0 } else { 4.0 };
        let opinion = watch.update(Duration::from_secs(at), &look(evidence, n), USUAL);
        if at < 600 {
            assert!(
                opinion.quality >= 9 && !opinion.warning,
                "{at} s {opinion:?}"
            );
            continue;
        }
        let told = [opinion.quality <= 3, opinion.warning, opinion.pause];
        for (first, told) in seen.iter_mut().zip(told) {
            if told && first.is_none() {
                *first = Some(at);
            }
        }
    }
    seen
}

/// From the moment that quality has fallen, as the service documents it.
#[test]
fn it_warns_after_30_to_80_s_and_pauses_after_60_to_120_s() {
    let [quality, warning, pause] = delays(Levels::default(), 20).map(Option::unwrap);
    assert!(
        (30..=80).contains(&(warning - quality)),
        "{warning} {quality}"
    );
    assert!((60..=120).contains(&(pause - quality)), "{pause} {quality}");
    assert!(quality - 600 <= 60, "{quality}");
}

#[test]
fn it_is_sooner_at_level_1_and_later_at_level_5() {
    let all: Vec<_> = (1..=5)
        .map(|level| {
            let levels = Levels {
                warning: level,
                pause: level,
            };
            delays(levels, 20).map(Option::unwrap)
        })
        .collect();
    for pair in all.windows(2) {
        assert!(
            pair[0][1] <= pair[1][1] && pair[0][2] <= pair[1][2],
            "{all:?}"
        );
    }
    assert!(all[0][1] < all[2][1] && all[2][1] < all[4][1], "{all:?}");
    assert!(all[0][2] < all[4][2], "{all:?}");
}

/// The pace changes the delays by no more than a factor of 1.5, counted from the failure on and, but
/// for the wait for the next picture, from the fall of quality on.
#[test]
fn it_says_the_same_at_another_pace() {
    let [quality, warning, pause] = delays(Levels::default(), 20).map(Option::unwrap);
    let usual = [warning, pause].map(|at| (at - 600, at - quality));
    for pace in [5, 10, 30, 60] {
        let [quality, warning, pause] = delays(Levels::default(), pace).map(Option::unwrap);
        let told = [warning, pause].map(|at| (at - 600, at - quality));
        for (told, usual) in told.iter().zip(usual) {
            let near = |told: u64, usual: u64, spare: u64| {
                2 * told <= 3 * usual + 2 * spare && 2 * usual <= 3 * told + 2 * spare
            };
            assert!(near(told.0, usual.0, 0), "{pace}: {told:?} {usual:?}");
            assert!(near(told.1, usual.1, pace), "{pace}: {told:?} {usual:?}");
        }
    }
}

/// A hand before the camera for 15 s, every two minutes of three hours.
#[test]
fn disturbances_are_not_failures() {
    let mut watch = Filter::new(Levels::default());
    for n in 0..540_u64 {
        let evidence = if n % 6 == 0 { 2.5 } else { -2.5 };
        let opinion = watch.update(Duration::from_secs(n * 20), &look(evidence, n), USUAL);
        assert!(!opinion.warning && !opinion.pause, "{n}: {opinion:?}");
    }
}

#[test]
fn dark_and_frozen_pictures_change_nothing() {
    let mut watch = Filter::new(Levels::default());
    let first = watch.update(Duration::from_secs(0), &look(2.5, 1), USUAL);
    assert!(first.counted);
    for n in 1..100 {
        let frozen = watch.update(Duration::from_secs(n * 20), &look(2.5, 1), USUAL);
        let night = Evidence {
            blind: Some(Blind::Dark),
            ..look(2.5, n + 1)
        };
        let dark = watch.update(Duration::from_secs(n * 20 + 5), &night, USUAL);
        for opinion in [frozen, dark] {
            assert!(!opinion.counted && !opinion.faster, "{opinion:?}");
            assert_eq!(
                (opinion.quality, opinion.score),
                (first.quality, first.score)
            );
        }
    }
}

/// A camera whose pictures always look a little suspicious is learned; a tangle that is there
/// from the first picture on is not.
#[test]
fn the_baseline_explains_a_camera_and_never_a_tangle() {
    let mut odd = Filter::new(Levels::default());
    let mut worst = 10;
    for n in 0..180_u64 {
        let evidence = if n < 20 { -0.5 } else { 0.4 };
        let opinion = odd.update(Duration::from_secs(n * 20), &look(evidence, n), USUAL);
        worst = worst.min(opinion.quality);
        assert!(!opinion.warning, "{n}: {opinion:?}");
    }
    assert!(worst > 3, "{worst}");
    let mut tangled = Filter::new(Levels::default());
    let told =
        (0..12_u64).map(|n| tangled.update(Duration::from_secs(n * 20), &look(2.5, n), USUAL));
    assert!(told.last().unwrap().pause);
}

/// What a camera may explain is little, and nothing of what is seen clearly.
#[test]
fn the_baseline_takes_off_at_most_half_and_nothing_above_one() {
    let mut baseline = Baseline::default();
    (0..20).for_each(|_| baseline.learn(-0.1, USUAL));
    assert!(baseline.shift(USUAL) > 0.4);
    let mut before = f64::MIN;
    for n in -400..=400 {
        let evidence = f64::from(n) / 100.0;
        let left = baseline.left_of(evidence, USUAL);
        assert!(left <= evidence && left >= evidence - 0.5, "{evidence}");
        assert!(evidence < 1.0 || left >= evidence, "{evidence}: {left}");
        assert!(left > before, "{evidence}: {left} {before}");
        before = left;
    }
}

/// Pictures that look a little worse than usual, and then a failure that the model is not very
/// sure of.
#[test]
fn a_failure_that_begins_slowly_is_told() {
    for pace in [5, 20, 40] {
        let mut watch = Filter::new(Levels::default());
        let mut last = None;
        for n in 0..42_u64 {
            let evidence = if n < 12 { USUAL + 1.5 } else { 1.1 };
            let at = Duration::from_secs(n * pace);
            last = Some(watch.update(at, &look(evidence, n), USUAL));
        }
        let last = last.unwrap();
        assert!(
            last.warning && last.pause && last.quality == 1,
            "{pace}: {last:?}"
        );
    }
}

#[test]
fn quality_falls_as_the_belief_rises_and_an_hour_without_pictures_forgets() {
    let mut watch = Filter::new(Levels::default());
    let mut last = 10;
    for n in 0..10_u64 {
        let opinion = watch.update(Duration::from_secs(n * 20), &look(2.0, n), USUAL);
        assert!(opinion.quality <= last, "{opinion:?}");
        last = opinion.quality;
    }
    assert_eq!(last, 1);
    let later = watch.update(Duration::from_secs(20_000), &look(-2.0, 99), USUAL);
    assert!(later.quality > 5, "{later:?}");
}

#[test]
fn what_was_believed_goes_on_after_a_restart() {
    let mut watch = Filter::new(Levels::default());
    for n in 0..3_u64 {
        watch.update(Duration::from_secs(n * 20), &look(2.0, n), USUAL);
    }
    let text = serde_json::to_string(&watch).unwrap();
    let mut again: Filter = serde_json::from_str(&text).unwrap();
    let next = look(2.0, 3);
    assert_eq!(
        watch.update(Duration::from_secs(60), &next, USUAL),
        again.update(Duration::from_secs(60), &next, USUAL)
    );
}

/// A picture with so much evidence, of which these cells (of ten by ten) look like a failure.
fn seen(failure: f64, pixels: u64, cells: &[usize]) -> Observation {
    let odds = |cell| if cells.contains(&cell) { 2.0 } else { -3.0 };
    let cells = Cells {
        side: 10,
        odds: (0..100).map(|cell| Some(odds(cell))).collect(),
    };
    // A print that goes on moves.
    let moves = |place: usize| {
        if (place as u64 + pixels % 7).is_multiple_of(7) {
            60
        } else {
            100
        }
    };
    Observation {
        look: look(failure, pixels),
        place: cells.place(),
        cells,
        // A print moves.
        thumbnail: Thumbnail(std::array::from_fn(moves)),
    }
}

/// What is told in the end when, after ten good minutes, each picture of ten more looks like a failure
/// in the next of these places; and how often a pause was asked for.
fn watched(pace: u64, places: &[&[usize]]) -> (Assessment, usize) {
    let mut watch = Filter::new(Levels::default());
    let mut told = Vec::new();
    for n in 0..1_200 / pace {
        let failing = n * pace >= 600;
        let (evidence, place) = match places.get(n as usize % places.len()) {
            Some(place) if failing => (3.0, *place),
            _ => (-2.8, &[] as &[usize]),
        };
        let at = Duration::from_secs(n * pace);
        told.push(watch.observe(at, &seen(evidence, n, place), USUAL));
    }
    let pauses = told.iter().filter(|told| told.pause).count();
    (told.pop().unwrap(), pauses)
}

#[test]
fn what_jumps_about_the_picture_pauses_nothing() {
    let corners: [&[usize]; 4] = [&[11, 12], &[18, 17], &[81, 82], &[88, 87]];
    for pace in [10, 20, 30, 60] {
        for places in [&corners[..], &corners[..3], &corners[..2]] {
            // Within a quarter of a minute a bed may have carried a tangle along.
            if pace == 10 && places.len() == 2 {
                continue;
            }
            let (_, pauses) = watched(pace, places);
            assert_eq!(pauses, 0, "{pace} s, {} places", places.len());
        }
    }
    let (last, _) = watched(20, &corners);
    assert!(last.quality <= 3, "{last:?}");
}

/// A tangle that lies still, that grows, that is hidden in part, that goes to and fro with the bed.
#[test]
fn what_stays_where_it_is_pauses_as_without_a_place() {
    let still: &[&[usize]] = &[&[44, 45]];
    let hidden: &[&[usize]] = &[&[43, 44, 45, 53, 54, 55], &[43, 53]];
    let carried: &[&[usize]] = &[&[34, 35], &[44, 45]];
    for pace in [5, 20, 60] {
        for places in [still, hidden, carried] {
            let (last, pauses) = watched(pace, places);
            assert!(last.pause && last.warning, "{pace} {places:?} {last:?}");
            let mut watch = Filter::new(Levels::default());
            let without = (0..1_200 / pace).filter(|n| {
                let evidence = if n * pace >= 600 { 3.0 } else { -2.8 };
                let at = Duration::from_secs(n * pace);
                watch.update(at, &look(evidence, *n), USUAL).pause
            });
            assert_eq!(pauses, without.count(), "{pace} {places:?}");
        }
    }
    let mut grows = Filter::new(Levels::default());
    let mut last = None;
    for n in 0..9_usize {
        let cells: Vec<usize> = (0..=n).map(|more| 40 + more).collect();
        let at = Duration::from_secs(20 * n as u64);
        last = Some(grows.observe(at, &seen(3.0, n as u64, &cells), USUAL));
    }
    assert!(last.unwrap().pause);
}

/// A failure that was being watched, and then nothing for hours: what comes next is judged anew.
#[test]
fn a_long_gap_is_no_time_in_which_a_print_failed() {
    for gap in [3_600, 20_000, 1_000_000] {
        for evidence in [-2.8, 3.0] {
            let mut watch = Filter::new(Levels::default());
            for n in 0..20_u64 {
                let at = Duration::from_secs(n * 20);
                watch.update(at, &look(evidence, n), USUAL);
            }
            let at = Duration::from_secs(400 + gap);
            let told = watch.update(at, &look(2.5, 99), USUAL);
            assert!(!told.pause, "{gap} {evidence} {told:?}");
            assert!(gap < 20_000 || !told.warning, "{gap} {evidence} {told:?}");
        }
    }
}

/// One picture, however sure, is no certainty; neither are three.
#[test]
fn level_5_is_only_when_certain() {
    let levels = Levels {
        warning: 5,
        pause: 5,
    };
    let mut watch = Filter::new(levels);
    for n in 0..4_u64 {
        let told = watch.update(Duration::from_secs(n * 20), &look(4.7, n), USUAL);
        assert!(!told.warning && !told.pause, "{n} {told:?}");
    }
    let [_, warning, pause] = delays(levels, 20).map(Option::unwrap);
    assert!(warning >= 700 && pause > warning, "{warning} {pause}");
}

#[test]
fn a_saved_filter_is_small_and_a_damaged_one_is_refused() {
    let mut watch = Filter::new(Levels::default());
    let all: Vec<usize> = (0..100).collect();
    for n in 0..60_u64 {
        let at = Duration::from_secs(1_700_000_000 + n * 20_000);
        watch.observe(at, &seen(3.0, u64::MAX - n, &all), USUAL);
    }
    let text = serde_json::to_string(&watch).unwrap();
    assert!(text.len() < 2_048, "{}", text.len());
    let good: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(serde_json::from_value::<Filter>(good.clone()).is_ok());
    for (part, value) in [
        ("/belief/0", serde_json::json!(1.5)),
        ("/belief/2", serde_json::json!(-0.1)),
        ("/belief/1", serde_json::json!(null)),
        ("/levels/pause", serde_json::json!(9)),
        ("/baseline/sum", serde_json::json!(1e300)),
        ("/places/agreement", serde_json::json!(2.0)),
        ("/places/seen", serde_json::json!(vec![0; 5_000])),
        ("/last", serde_json::json!(null)),
        ("/view/light", serde_json::json!(-1.0)),
        ("/view/shown", serde_json::json!("00")),
        ("/view/pictures", serde_json::json!(-1)),
        ("/view", serde_json::json!(null)),
    ] {
        let mut damaged = good.clone();
        *damaged.pointer_mut(part).unwrap() = value;
        assert!(serde_json::from_value::<Filter>(damaged).is_err(), "{part}");
    }
}

/// A camera that has never looked suspicious and now does, a little, is believed; one of which nothing is
/// known yet, and one that has always been odd, are not.
#[test]
fn a_quiet_camera_is_believed_sooner() {
    let end = |before: f64, count: u64| {
        let mut watch = Filter::new(Levels::default());
        let mut last = None;
        for n in 0..count + 9 {
            let evidence = if n < count { before } else { 0.0 };
            last = Some(watch.update(Duration::from_secs(n * 20), &look(evidence, n), USUAL));
        }
        last.unwrap()
    };
    assert!(end(USUAL, 15).warning, "{:?}", end(USUAL, 15));
    assert!(!end(USUAL, 0).warning && !end(-1.0, 15).warning);
    let mut quiet = Baseline::default();
    (0..20).for_each(|_| quiet.learn(USUAL, USUAL));
    let worth: Vec<f64> = (-400..=400)
        .map(|n| quiet.worth(f64::from(n) / 100.0, USUAL))
        .collect();
    assert!(worth.windows(2).all(|pair| pair[0] < pair[1]));
    assert!((quiet.worth(USUAL, USUAL) - USUAL).abs() < 1e-9);
}

/// A small tangle that is seen in every second picture is told; a hand in every sixth is not (above).
#[test]
fn what_is_seen_in_every_second_picture_is_told() {
    let mut watch = Filter::new(Levels::default());
    let mut told = Vec::new();
    for n in 0..30_u64 {
        let evidence = if n >= 15 && n % 2 == 1 { 2.7 } else { -2.8 };
        let at = Duration::from_secs(n * 20);
        told.push(watch.update(at, &look(evidence, n), USUAL).warning);
    }
    assert_eq!(told[..15], [false; 15]);
    assert!(told.iter().any(|told| *told), "{told:?}");
}
