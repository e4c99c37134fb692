//! The demo's print as cameras send it: noisy, at several paces, over short and long times. It must
//! end in a warning and a pause, and there must be none before it begins to fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

mod jpeg;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use oe_engine::{Assessment, Engine, Evidence, Filter, Levels};

/// Frames of the print.
const FRAMES: usize = 12;
/// From here on strands are loose: whoever is warned from here on is warned rightly.
const FAILING: usize = 6;
/// Pictures of each frame that differ by nothing but the sensor's noise.
const NOISES: u64 = 4;
/// Which frames come first in the second test: fine ones, and the first loose strands.
const FIRST: std::ops::RangeInclusive<usize> = 1..=7;
/// How much one pixel's value is off, of 255, as a standard deviation: a webcam's indoors.
const SIGMA: f64 = 5.0;
/// How long the last frame stays in view, in seconds.
const HELD: u64 = 300;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// What the engine sees in each frame under each noise.
static LOOKS: LazyLock<Vec<Vec<Evidence>>> = LazyLock::new(|| {
    std::thread::scope(|scope| {
        let frames: Vec<_> = (1..=FRAMES)
            .map(|frame| scope.spawn(move || looks(frame)))
            .collect();
        frames
            .into_iter()
            .map(|frame| frame.join().unwrap())
            .collect()
    })
});

fn looks(frame: usize) -> Vec<Evidence> {
    let path = format!("../demo/frames/frame-{frame:02}.jpg");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let picture = jpeg::Pixels::decode(&std::fs::read(path).unwrap()).halved();
    (0..NOISES)
        .map(|seed| {
            let noisy = picture.with_noise(frame as u64 * 1_000 + seed, SIGMA);
            ENGINE.look(&noisy.encode()).unwrap()
        })
        .collect()
}

/// A camera that looks at the print.
struct Camera {
    watch: Filter,
    pace: u64,
    /// Pictures so far.
    taken: u64,
}

impl Camera {
    fn new(pace: u64) -> Camera {
        Camera {
            watch: Filter::new(Levels::default()),
            pace,
            taken: 0,
        }
    }

    /// Takes the next picture, of this frame.
    fn take(&mut self, frame: usize) -> Assessment {
        let noise = (self.taken % NOISES) as usize;
        let look = Evidence {
            // No two pictures of a living camera are the same.
            pixels: self.taken,
            ..LOOKS[frame - 1][noise]
        };
        assert!(look.blind.is_none(), "frame {frame}: {:?}", look.blind);
        let at = Duration::from_secs(self.taken * self.pace);
        self.taken += 1;
        self.watch.update(at, &look, ENGINE.mean_log_odds())
    }
}

#[test]
fn noise_makes_other_pictures_of_the_same() {
    for (n, looks) in LOOKS.iter().enumerate() {
        let spread = |pick: fn(f64, f64) -> f64| looks.iter().map(|look| look.failure).reduce(pick);
        let (least, most) = (spread(f64::min).unwrap(), spread(f64::max).unwrap());
        assert!(most - least < 3.0, "frame {}: {looks:?}", n + 1);
        for (k, look) in looks.iter().enumerate() {
            let again = looks[..k].iter().any(|other| other.pixels == look.pixels);
            assert!(!again, "frame {}: {looks:?}", n + 1);
        }
    }
}

#[test]
fn the_print_is_reported_at_every_pace() {
    for pace in [5, 20, 40] {
        for repeats in [1, 2, 5, 12, 30] {
            let mut camera = Camera::new(pace);
            for frame in 1..=FRAMES {
                for _ in 0..repeats {
                    let opinion = camera.take(frame);
                    let early = frame < FAILING && (opinion.warning || opinion.pause);
                    assert!(!early, "{pace} s, {repeats}: frame {frame}: {opinion:?}");
                }
            }
            let mut last = None;
            for _ in 0..HELD.div_ceil(pace) {
                last = Some(camera.take(FRAMES));
            }
            let last = last.unwrap();
            assert!(
                last.warning && last.pause && last.quality <= 2,
                "{pace} s, {repeats} of each: {last:?}"
            );
        }
    }
}

/// A few fine pictures that look a little worse than usual are learned as how this camera is; what
/// comes after them is judged all the same, whatever they were and however many.
#[test]
fn a_beginning_of_any_length_does_not_hide_the_end() {
    for pace in [5, 20, 40] {
        for first in FIRST {
            for before in [0, 5, 12, 30, 120] {
                let mut camera = Camera::new(pace);
                for _ in 0..before {
                    camera.take(first);
                }
                let mut last = None;
                for _ in 0..HELD.div_ceil(pace).max(30) {
                    last = Some(camera.take(FRAMES));
                }
                let last = last.unwrap();
                assert!(
                    last.warning && last.pause && last.quality == 1,
                    "{pace} s, {before} of frame {first} first: {last:?}"
                );
            }
        }
    }
}
