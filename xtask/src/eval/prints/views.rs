//! A picture as another camera would have sent it, a moment later; and with something before it.
//!
//! All of it is done to the square that the network is given. A camera (its exposure, colours, noise, which
//! way round it hangs) is the same for all pictures of a scene; flicker, drift of the exposure, a shake and
//! the tool head are new in each.

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// By this camera; number 0 changes nothing.
    Camera(u8),
    /// A hand and its arm, in one of three places.
    Hand(u8),
    /// An open door: half of the picture is covered, the rest is brighter.
    Door,
    /// The lamp is off; a little light comes from elsewhere.
    Dim,
    /// The lamp is off, and there is no other.
    Dark,
    /// The camera hangs elsewhere.
    Moved,
    /// The tool head is parked over the print.
    Head,
}

impl View {
    /// How many cameras there are.
    pub const CAMERAS: u8 = 10;
    /// All that is no camera.
    pub const DISTURBANCES: [View; 8] = [
        View::Hand(0),
        View::Hand(1),
        View::Hand(2),
        View::Door,
        View::Dim,
        View::Dark,
        View::Moved,
        View::Head,
    ];

    /// A short name, for a file.
    pub fn name(self) -> String {
        match self {
            View::Camera(n) => format!("camera-{n}"),
            View::Hand(n) => format!("hand-{n}"),
            View::Door => "door".to_owned(),
            View::Dim => "dim".to_owned(),
            View::Dark => "dark".to_owned(),
            View::Moved => "moved".to_owned(),
            View::Head => "head".to_owned(),
        }
    }
}

/// Numbers that look like chance, the same for the same seed.
pub struct Chance(u64);

impl Chance {
    /// For a text and a number.
    pub fn new(text: &str, n: u64) -> Chance {
        let start = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xCBF2_9CE4_8422_2325;
        let hash = text.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Chance(hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// From low to high, all as likely.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below this, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    /// About normal: mean 0, deviation 1.
    fn bell(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|n| bits >> (16 * n) & 0xFFFF).sum();
        (sum as f64 - 131_070.0) / 37_837.0
    }
}

/// A square picture, three bytes a pixel.
struct Square {
    side: usize,
    rgb: Vec<u8>,
}

/// The square of a picture of a scene, seen so.
pub fn seen(rgb: Vec<u8>, side: usize, view: View, scene: &str, file: &str) -> Vec<u8> {
    let mut square = Square { side, rgb };
    let mut moment = Chance::new(file, 7 + u64::from(code(view)));
    match view {
        View::Camera(0) => {}
        View::Camera(n) => square.by_camera(&mut Chance::new(scene, u64::from(n)), &mut moment),
        View::Hand(n) => square.hand(n, &mut moment),
        View::Door => {
            square.exposed(&[1.25; 3], 1.0, 2.0, &mut moment);
            let edge = moment.between(0.35, 0.55);
            square.cover([0.0, 0.0, edge, 1.0], [150, 148, 140], &mut moment);
        }
        View::Dim => square.exposed(&[0.12; 3], 1.0, 3.0, &mut moment),
        View::Dark => square.exposed(&[0.008; 3], 1.0, 1.0, &mut moment),
        View::Moved => {
            let (dx, dy) = (moment.between(0.05, 0.2), moment.between(0.05, 0.2));
            square.taken_from(dx, dy, 0.78, false);
        }
        View::Head => {
            let (x, y) = (moment.between(0.2, 0.4), moment.between(0.1, 0.3));
            square.head([x, 0.0, x + 0.35, y + 0.35], &mut moment);
        }
    }
    square.rgb
}

fn code(view: View) -> u8 {
    match view {
        View::Camera(n) => n,
        View::Hand(n) => 100 + n,
        View::Door => 110,
        View::Dim => 111,
        View::Dark => 112,
        View::Moved => 113,
        View::Head => 114,
    }
}

impl Square {
    fn by_camera(&mut self, camera: &mut Chance, moment: &mut Chance) {
        let mirrored = camera.between(0.0, 1.0) < 0.5;
        let gain = camera.between(0.7, 1.3);
        let gamma = camera.between(0.8, 1.25);
        let noise = camera.between(1.0, 7.0);
        let colours = [0; 3].map(|_| gain * camera.between(0.93, 1.07));
        // A shake of up to 4 pixels, flicker of a lamp, and an exposure that drifts.
        let (dx, dy) = (moment.between(0.0, 0.0125), moment.between(0.0, 0.0125));
        let light = moment.between(0.96, 1.04) * moment.between(0.9, 1.1);
        self.taken_from(dx, dy, 0.9875, mirrored);
        self.exposed(&colours.map(|gain| gain * light), gamma, noise, moment);
        if moment.between(0.0, 1.0) < 0.25 {
            let (x, y) = (moment.between(0.0, 0.8), moment.between(0.1, 0.3));
            self.head([x, 0.0, x + 0.2, y], moment);
        }
    }

    /// Light times this, and noise.
    fn exposed(&mut self, gains: &[f64; 3], gamma: f64, noise: f64, moment: &mut Chance) {
        let light: Vec<f64> = (0..=u8::MAX)
            .map(|value| (f64::from(value) / 255.0).powf(gamma) * 255.0)
            .collect();
        for pixel in self.rgb.as_chunks_mut::<3>().0 {
            for (value, gain) in pixel.iter_mut().zip(gains) {
                let light = light.get(usize::from(*value)).copied().unwrap_or(255.0);
                let noisy = light * gain + noise * moment.bell();
                *value = noisy.round().clamp(0.0, 255.0) as u8;
            }
        }
    }

    /// Only a part of the picture, as large as the whole: from these shares of a side on.
    fn taken_from(&mut self, dx: f64, dy: f64, part: f64, mirrored: bool) {
        let side = self.side;
        let from = |n: usize, start: f64| {
            let at = (n as f64 * part + start * side as f64).round() as usize;
            at.min(side - 1)
        };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..side {
            for x in 0..side {
                let x = if mirrored { side - 1 - x } else { x };
                let at = 3 * (from(y, dy) * side + from(x, dx));
                rgb.extend(self.rgb.iter().skip(at).take(3));
            }
        }
        self.rgb = rgb;
    }

    /// Draws over what `within` says, of the place in shares of a side.
    fn draw(&mut self, within: impl Fn(f64, f64) -> Option<[f64; 3]>) {
        let side = self.side;
        for (n, pixel) in self.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let place = |n: usize| (n as f64 + 0.5) / side as f64;
            if let Some(colour) = within(place(n % side), place(n / side)) {
                *pixel = colour.map(|value| value.round().clamp(0.0, 255.0) as u8);
            }
        }
    }

    /// A flat thing with a slope of light.
    fn cover(&mut self, [left, top, right, bottom]: [f64; 4], ink: [u8; 3], moment: &mut Chance) {
        let slope = moment.between(-60.0, 60.0);
        self.draw(|x, y| {
            let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
            inside.then(|| ink.map(|value| f64::from(value) + slope * (y - 0.5)))
        });
    }

    /// A dark block with ribs, a bright edge, and a nozzle below.
    fn head(&mut self, [left, top, right, bottom]: [f64; 4], moment: &mut Chance) {
        let (dark, ribs) = (moment.between(25.0, 70.0), moment.between(40.0, 90.0));
        self.draw(|x, y| {
            let nozzle = (x - (left + right) / 2.0).abs() + (y - bottom).max(0.0) < 0.03;
            let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
            let rib = if (x * ribs).sin() > 0.7 { 35.0 } else { 0.0 };
            match (inside, nozzle && y >= bottom) {
                (true, _) => Some([dark + rib; 3]),
                (_, true) => Some([180.0, 150.0, 80.0]),
                _ => None,
            }
        });
    }

    /// An arm from an edge, four fingers at its end.
    fn hand(&mut self, n: u8, moment: &mut Chance) {
        let tone = moment.between(0.55, 1.0);
        let (x, y) = match n {
            0 => (0.45, 0.55),
            1 => (0.65, 0.4),
            _ => (0.3, 0.65),
        };
        let from = if n == 2 { (0.0, 1.1) } else { (1.1, 0.9) };
        let near = |x: f64, y: f64, a: (f64, f64), b: (f64, f64)| {
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let along = ((x - a.0) * dx + (y - a.1) * dy) / (dx * dx + dy * dy);
            let along = along.clamp(0.0, 1.0);
            (x - a.0 - along * dx).hypot(y - a.1 - along * dy)
        };
        let fingers = [-0.09, -0.03, 0.03, 0.09].map(|d| (x - 0.14, y + d - 0.06));
        self.draw(|px, py| {
            let arm = near(px, py, (x, y), from) / 0.09;
            let finger = fingers.map(|tip| near(px, py, (x, y), tip) / 0.022);
            let nearest = finger.into_iter().fold(arm, f64::min);
            let shade = tone * (1.0 - 0.35 * nearest * nearest);
            (nearest < 1.0).then_some([224.0 * shade, 172.0 * shade, 140.0 * shade])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Vec<u8> {
        (0..64 * 64 * 3).map(|n| (n / 97 % 200) as u8).collect()
    }

    #[test]
    fn a_view_is_the_same_each_time_and_another_for_each() {
        let all: Vec<Vec<u8>> = (0..View::CAMERAS)
            .map(View::Camera)
            .chain(View::DISTURBANCES)
            .map(|view| {
                let once = seen(picture(), 64, view, "scene", "file");
                assert_eq!(once, seen(picture(), 64, view, "scene", "file"));
                assert_eq!(once.len(), 64 * 64 * 3);
                once
            })
            .collect();
        assert_eq!(all[0], picture());
        for (n, one) in all.iter().enumerate() {
            assert!(!all[..n].contains(one), "{n}");
        }
    }

    #[test]
    fn a_dark_room_is_dark_and_chance_stays_within() {
        let dark = seen(picture(), 64, View::Dark, "scene", "file");
        assert!(dark.iter().all(|value| *value < 12));
        let mut chance = Chance::new("a", 1);
        let all: Vec<f64> = (0..1_000).map(|_| chance.between(2.0, 3.0)).collect();
        assert!(all.iter().all(|x| (2.0..3.0).contains(x)));
        let mean = all.iter().sum::<f64>() / 1_000.0;
        assert!((mean - 2.5).abs() < 0.05, "{mean}");
    }
}
