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
    /// By this camera in another moment.
    Later(u8, u8),
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
    /// One of so many parts of the light is left, with noise that is new in each moment.
    Lamp(u8, u8),
    /// A head of another make is parked over the print, in each moment under a light that flickers.
    Parked(u8, u8),
    /// The lens is covered.
    Covered,
    /// What a device sends that has no picture: blue, colour bars, text on grey.
    NoSignal(u8),
    /// A dark door from the other side.
    Shut,
    /// The camera hangs much nearer.
    Nearer,
    /// A door and a camera that hangs elsewhere, in moments of a print that goes on.
    DoorAndPrint(u8),
    MovedAndPrint(u8),
    /// One of so many parts of the light is left, in moments of a print that goes on.
    LampAndPrint(u8, u8),
}

impl View {
    /// How many cameras there are.
    pub const CAMERAS: u8 = 10;
    /// Moments of a picture that is shown over and over.
    pub const MOMENTS: u8 = 5;
    /// All that is no camera.
    pub const DISTURBANCES: [View; 35] = [
        View::Hand(0),
        View::Hand(1),
        View::Hand(2),
        View::Door,
        View::Dim,
        View::Dark,
        View::Moved,
        View::Head,
        View::Lamp(4, 0),
        View::Lamp(4, 1),
        View::Lamp(8, 0),
        View::Lamp(8, 1),
        View::Lamp(16, 0),
        View::Lamp(16, 1),
        View::Lamp(100, 0),
        View::Parked(0, 0),
        View::Parked(0, 1),
        View::Parked(1, 0),
        View::Parked(1, 1),
        View::Parked(2, 0),
        View::Parked(2, 1),
        View::Covered,
        View::NoSignal(0),
        View::NoSignal(1),
        View::NoSignal(2),
        View::Shut,
        View::Nearer,
        View::DoorAndPrint(0),
        View::DoorAndPrint(1),
        View::MovedAndPrint(0),
        View::MovedAndPrint(1),
        View::LampAndPrint(4, 0),
        View::LampAndPrint(4, 1),
        View::LampAndPrint(8, 0),
        View::LampAndPrint(8, 1),
    ];

    /// A picture of a camera in one of its moments.
    pub fn moment(self, n: usize) -> View {
        match (self, n % usize::from(View::MOMENTS)) {
            (View::Camera(camera), n @ 1..) => View::Later(camera, n as u8),
            _ => self,
        }
    }

    /// A short name, for a file.
    pub fn name(self) -> String {
        match self {
            View::Camera(n) => format!("camera-{n}"),
            View::Later(n, moment) => format!("camera-{n}-{moment}"),
            View::Hand(n) => format!("hand-{n}"),
            View::Door => "door".to_owned(),
            View::Dim => "dim".to_owned(),
            View::Dark => "dark".to_owned(),
            View::Moved => "moved".to_owned(),
            View::Head => "head".to_owned(),
            View::Lamp(parts, moment) => format!("lamp-{parts}-{moment}"),
            View::Parked(make, moment) => format!("parked-{make}-{moment}"),
            View::Covered => "covered".to_owned(),
            View::NoSignal(n) => format!("no-signal-{n}"),
            View::Shut => "shut".to_owned(),
            View::Nearer => "nearer".to_owned(),
            View::DoorAndPrint(n) => format!("door-and-print-{n}"),
            View::MovedAndPrint(n) => format!("moved-and-print-{n}"),
            View::LampAndPrint(parts, n) => format!("lamp-{parts}-and-print-{n}"),
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
        View::Later(0, _) => square.in_moment(&[1.0; 3], 1.0, 1.0, false, &mut moment),
        View::Later(n, _) => square.by_camera(&mut Chance::new(scene, u64::from(n)), &mut moment),
        View::Hand(n) => square.hand(n, &mut moment),
        View::Door => square.door(&mut moment),
        View::DoorAndPrint(_) => {
            square.in_moment(&[1.0; 3], 1.0, 1.0, false, &mut moment);
            square.door(&mut Chance::new(file, 7 + u64::from(code(View::Door))));
        }
        View::Dim => square.exposed(&[0.12; 3], 1.0, 3.0, &mut moment),
        View::Dark => square.exposed(&[0.008; 3], 1.0, 1.0, &mut moment),
        View::Moved => square.moved(&mut moment),
        View::MovedAndPrint(_) => {
            square.moved(&mut Chance::new(file, 7 + u64::from(code(View::Moved))));
            square.in_moment(&[1.0; 3], 1.0, 1.0, false, &mut moment);
        }
        View::Head => {
            let (x, y) = (moment.between(0.2, 0.4), moment.between(0.1, 0.3));
            square.head([x, 0.0, x + 0.35, y + 0.35], &mut moment);
        }
        View::Lamp(parts, _) => {
            let left = 1.0 / f64::from(parts);
            let noise = if parts < 100 { 2.5 } else { 1.5 };
            square.exposed(&[left, left * 0.9, left * 0.8], 1.0, noise, &mut moment);
        }
        View::Parked(make, _) => {
            square.parked(make, &mut Chance::new(file, 300 + u64::from(make)));
            let light = moment.between(0.96, 1.04);
            square.exposed(&[light; 3], 1.0, 2.0, &mut moment);
        }
        View::LampAndPrint(parts, _) => {
            square.in_moment(&[1.0; 3], 1.0, 1.0, false, &mut moment);
            square.exposed(&[1.0 / f64::from(parts); 3], 1.0, 2.5, &mut moment);
        }
        View::Covered => square.exposed(&[0.0; 3], 1.0, 2.0, &mut moment),
        View::NoSignal(n) => square.no_signal(n),
        View::Shut => {
            let edge = moment.between(0.4, 0.7);
            square.cover([edge, 0.0, 1.0, 1.0], [70, 72, 78], &mut moment);
            square.exposed(&[0.85; 3], 1.0, 2.0, &mut moment);
        }
        View::Nearer => {
            let (dx, dy) = (moment.between(0.1, 0.35), moment.between(0.1, 0.35));
            square.taken_from(dx, dy, 0.6, false);
        }
    }
    square.rgb
}

fn code(view: View) -> u16 {
    let of = |first: u16, n: u8| first + u16::from(n);
    match view {
        View::Camera(n) => of(0, n),
        View::Later(n, moment) => of(2_000 + 10 * u16::from(n), moment),
        View::Hand(n) => of(100, n),
        View::Door => 110,
        View::Dim => 111,
        View::Dark => 112,
        View::Moved => 113,
        View::Head => 114,
        View::Covered => 115,
        View::Shut => 116,
        View::Nearer => 117,
        View::DoorAndPrint(n) => of(200, n),
        View::MovedAndPrint(n) => of(210, n),
        View::LampAndPrint(parts, moment) => of(3_000 + 10 * u16::from(parts), moment),
        View::NoSignal(n) => of(120, n),
        View::Parked(make, moment) => of(130 + 10 * u16::from(make), moment),
        View::Lamp(parts, moment) => of(1_000 + 10 * u16::from(parts), moment),
    }
}

impl Square {
    fn by_camera(&mut self, camera: &mut Chance, moment: &mut Chance) {
        let mirrored = camera.between(0.0, 1.0) < 0.5;
        let gain = camera.between(0.7, 1.3);
        let gamma = camera.between(0.8, 1.25);
        let noise = camera.between(1.0, 7.0);
        let colours = [0; 3].map(|_| gain * camera.between(0.93, 1.07));
        self.in_moment(&colours, gamma, noise, mirrored, moment);
    }

    fn in_moment(
        &mut self,
        colours: &[f64; 3],
        gamma: f64,
        noise: f64,
        mirrored: bool,
        moment: &mut Chance,
    ) {
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

    fn door(&mut self, moment: &mut Chance) {
        self.exposed(&[1.25; 3], 1.0, 2.0, moment);
        let edge = moment.between(0.35, 0.55);
        self.cover([0.0, 0.0, edge, 1.0], [150, 148, 140], moment);
    }

    fn moved(&mut self, moment: &mut Chance) {
        let (dx, dy) = (moment.between(0.05, 0.2), moment.between(0.05, 0.2));
        self.taken_from(dx, dy, 0.78, false);
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

    /// A head of one of three makes: a round pale one, a bar over the whole width, a large block that is
    /// darker below.
    fn parked(&mut self, make: u8, scene: &mut Chance) {
        let (x, y) = (scene.between(0.3, 0.7), scene.between(0.25, 0.6));
        let (tone, size) = (scene.between(0.7, 1.3), scene.between(0.9, 1.2));
        self.draw(|px, py| match make {
            0 => {
                let from = ((px - x) / 0.16).hypot((py - y) / 0.22) / size;
                let shade = 190.0 - 60.0 * from * from;
                (from < 1.0).then_some([shade * tone * 0.8; 3])
            }
            1 => {
                let from = (py - y).abs() / (0.09 * size);
                let bolt = (px * 40.0).sin().abs() < 0.15;
                let shade = if bolt { 60.0 } else { 150.0 };
                (from < 1.0).then_some([shade * tone, shade * tone, shade * tone * 1.1])
            }
            _ => {
                let inside = (px - x).abs() < 0.25 * size && py < y + 0.1;
                let shade = 110.0 - 90.0 * py / (y + 0.1);
                let fan = (px - x).hypot(py - y / 2.0);
                let shade = if fan < 0.1 { 20.0 + 300.0 * fan } else { shade };
                inside.then_some([shade * tone; 3])
            }
        });
    }

    fn no_signal(&mut self, n: u8) {
        const BARS: [[f64; 3]; 7] = [
            [192.0, 192.0, 192.0],
            [192.0, 192.0, 0.0],
            [0.0, 192.0, 192.0],
            [0.0, 192.0, 0.0],
            [192.0, 0.0, 192.0],
            [192.0, 0.0, 0.0],
            [0.0, 0.0, 192.0],
        ];
        self.draw(|x, y| {
            let text = (0.3..0.7).contains(&x) && (0.46..0.54).contains(&y);
            let stroke = (x * 130.0).sin() > 0.2 && (y * 90.0).sin() > -0.6;
            match n {
                0 => Some([0.0, 0.0, 255.0]),
                1 => BARS.get((x * 7.0) as usize).copied(),
                _ if text && stroke => Some([255.0; 3]),
                _ => Some([110.0; 3]),
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
        let codes: Vec<u16> = View::DISTURBANCES.into_iter().map(code).collect();
        for (n, one) in codes.iter().enumerate() {
            assert!(!codes[..n].contains(one), "{n}");
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
