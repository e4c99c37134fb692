//! Nothing to see: pictures of dark rooms, drawn as sensors make them, and dim scenes that are to be
//! judged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use oe_engine::{Blind, Budget, blindness};
use oe_test_support::Random;
use oe_test_support::jpeg::Jpeg;

fn blind(jpeg: &[u8]) -> Option<Blind> {
    blindness(jpeg, &[], &Budget::new(32_000_000)).unwrap()
}

/// A sensor's picture: what it says of each pixel in three colours.
struct Sensor {
    width: usize,
    height: usize,
    rgb: Vec<[f64; 3]>,
}

/// How a sensor sees.
#[derive(Clone, Copy, Debug)]
struct Camera {
    width: usize,
    height: usize,
    /// The deviation of its noise, of 255.
    noise: f64,
    /// What it makes of black.
    black: f64,
    /// Where red is in each two by two pixels; 4 is a camera without colours.
    bayer: usize,
    /// How much brighter red and blue are made.
    balance: [f64; 3],
    /// Noise of whole columns and rows, a glow at a corner, pixels that are stuck.
    flaws: usize,
    /// Whether it smooths what it sees.
    smooths: bool,
    /// The step of its JPEG's coefficients.
    step: u8,
}

fn chance(random: &mut Random) -> f64 {
    random.below(1 << 24) as f64 / f64::from(1 << 24)
}

/// About a normal deviation of 1.
fn normal(random: &mut Random) -> f64 {
    (0..6).map(|_| chance(random) - 0.5).sum::<f64>() * 1.414
}

impl Camera {
    fn draw(random: &mut Random) -> Camera {
        let sizes = [(160, 120), (320, 240), (320, 180), (400, 300), (480, 270)];
        let (width, height) = sizes[random.below(5) as usize];
        Camera {
            width,
            height,
            noise: 0.2 * 60_f64.powf(chance(random)),
            black: [0.0, 4.0, 16.0, 30.0][random.below(4) as usize],
            bayer: random.below(5) as usize,
            balance: [1.0 + chance(random), 1.0, 1.0 + 1.3 * chance(random)],
            flaws: random.below(8) as usize,
            smooths: random.below(3) == 0,
            step: [2, 6, 14, 24, 40][random.below(5) as usize],
        }
    }

    /// What it sees of a scene: light from 0 to 255 at a place from 0 to 1.
    fn see(&self, random: &mut Random, scene: &dyn Fn(f64, f64) -> f64) -> Sensor {
        let (w, h) = (self.width, self.height);
        let columns: Vec<f64> = (0..w).map(|_| normal(random)).collect();
        let rows: Vec<f64> = (0..h).map(|_| normal(random)).collect();
        let flaw = |n: usize| f64::from(self.flaws >> n & 1 == 1);
        let raw: Vec<f64> = (0..w * h)
            .map(|n| {
                let (x, y) = (n % w, n / w);
                let (across, down) = (x as f64 / w as f64, y as f64 / h as f64);
                let lines = 0.2 * self.noise * flaw(0) * (columns[x] + rows[y]);
                let glow = 6.0 * flaw(1) * (-(across * across + down * down) / 0.1).exp();
                let stuck = flaw(2) * f64::from(random.below(20_000) == 0) * 200.0;
                let light = scene(across, down) + self.noise * normal(random);
                self.black + light + lines + glow + stuck
            })
            .collect();
        let rgb = (0..w * h)
            .map(|n| self.colours(&raw, n % w, n / w))
            .collect();
        let mut sensor = Sensor {
            width: w,
            height: h,
            rgb,
        };
        if self.smooths {
            sensor.smooth();
        }
        sensor
    }

    /// The colours at a pixel: of its neighbours, where it has not that colour itself.
    fn colours(&self, raw: &[f64], x: usize, y: usize) -> [f64; 3] {
        let (w, h) = (self.width, self.height);
        if self.bayer == 4 {
            return [raw[y * w + x].clamp(0.0, 255.0); 3];
        }
        let colour = |x: usize, y: usize| match ((x + self.bayer) % 2, (y + self.bayer / 2) % 2) {
            (0, 0) => 0,
            (1, 1) => 2,
            _ => 1,
        };
        let (mut sums, mut counts) = ([0.0; 3], [0.0; 3]);
        for row in y.saturating_sub(1)..(y + 2).min(h) {
            for column in x.saturating_sub(1)..(x + 2).min(w) {
                let weight = if (column, row) == (x, y) { 4.0 } else { 1.0 };
                sums[colour(column, row)] += weight * raw[row * w + column];
                counts[colour(column, row)] += weight;
            }
        }
        [0, 1, 2].map(|n| (sums[n] / counts[n] * self.balance[n]).clamp(0.0, 255.0))
    }
}

impl Sensor {
    fn smooth(&mut self) {
        let before = self.rgb.clone();
        for y in 1..self.height - 1 {
            for x in 1..self.width - 1 {
                let around = (0..9).map(|n| before[(y + n / 3 - 1) * self.width + x + n % 3 - 1]);
                let sum = around.fold([0.0; 3], |sum, next| [0, 1, 2].map(|n| sum[n] + next[n]));
                self.rgb[y * self.width + x] = sum.map(|sum| sum / 9.0);
            }
        }
    }

    fn jpeg(&self, step: u8) -> Vec<u8> {
        let value = |part: usize, x: f64, y: f64| {
            let [r, g, b] = self.rgb[y as usize * self.width + x as usize];
            let light = 0.299 * r + 0.587 * g + 0.114 * b;
            [
                light,
                128.0 + (b - light) * 0.564,
                128.0 + (r - light) * 0.713,
            ][part]
        };
        let jpeg = Jpeg {
            width: self.width,
            height: self.height,
            sampling: &[(2, 2), (1, 1), (1, 1)],
            step,
            restart: 0,
            apart: false,
            value: &value,
        };
        jpeg.encode()
    }
}

#[test]
fn a_dark_room_is_nothing_whatever_the_camera() {
    let mut random = Random(0x5EED_0FDA_4B00_0001);
    let mut reasons = [0; 3];
    let mut missed = Vec::new();
    for n in 0..420 {
        let camera = Camera::draw(&mut random);
        let seen = camera.see(&mut random, &|_, _| 0.0);
        match blind(&seen.jpeg(camera.step)) {
            Some(Blind::Dark) => reasons[0] += 1,
            Some(Blind::OneColour) => reasons[1] += 1,
            Some(Blind::Noise) => reasons[2] += 1,
            other => missed.push((n, other, camera)),
        }
    }
    assert!(missed.is_empty(), "{} of 420: {missed:#?}", missed.len());
    assert!(reasons[0] > 50 && reasons[2] > 50, "{reasons:?}");
}

/// A box on a bed before a wall, at an eighth of daylight and less noise than light.
#[test]
fn dim_scenes_are_judged_in_colour_and_in_infrared_grey() {
    let mut random = Random(0x5EED_0FDA_4B00_0002);
    for n in 0..60 {
        let mut camera = Camera::draw(&mut random);
        camera.noise = camera.noise.min(3.0);
        camera.step = camera.step.min(14);
        if n % 2 == 0 {
            camera.bayer = 4;
        }
        let (left, top) = (
            0.2 + 0.3 * chance(&mut random),
            0.2 + 0.3 * chance(&mut random),
        );
        let scene = |x: f64, y: f64| match (left..left + 0.35).contains(&x) {
            _ if y > 0.8 => 22.0,
            true if y > top => 14.0 + 8.0 * (y * 90.0).sin().abs(),
            _ => 4.0,
        };
        let seen = camera.see(&mut random, &scene);
        assert_eq!(blind(&seen.jpeg(camera.step)), None, "{n}: {camera:?}");
    }
}

/// The pictures that the project has: its own print, and noise from a lamp that went off.
#[test]
fn the_projects_own_pictures_are_told_apart() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for n in 1..=12 {
        let frame = std::fs::read(root.join(format!("demo/frames/frame-{n:02}.jpg"))).unwrap();
        assert_eq!(blind(&frame), None, "{n}");
    }
    for (name, reason) in [
        ("lamp-off-noise-0.jpg", Some(Blind::Noise)),
        ("black.jpg", Some(Blind::Dark)),
        ("flat.jpg", Some(Blind::OneColour)),
        ("grey.jpg", None),
        ("uvc422.jpg", None),
    ] {
        let picture = std::fs::read(root.join("engine/tests/pictures").join(name)).unwrap();
        assert_eq!(blind(&picture), reason, "{name}");
    }
}
