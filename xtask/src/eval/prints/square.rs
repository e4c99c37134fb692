//! What may be done to a square picture.

use super::chance::Chance;

/// A square picture, three bytes a pixel.
pub struct Square {
    pub side: usize,
    pub rgb: Vec<u8>,
}

impl Square {
    pub fn by_camera(&mut self, camera: &mut Chance, moment: &mut Chance) {
        let mirrored = camera.between(0.0, 1.0) < 0.5;
        let gain = camera.between(0.7, 1.3);
        let gamma = camera.between(0.8, 1.25);
        let noise = camera.between(1.0, 7.0);
        let colours = [0; 3].map(|_| gain * camera.between(0.93, 1.07));
        self.in_moment(&colours, gamma, noise, mirrored, moment);
    }

    pub fn in_moment(
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

    pub fn door(&mut self, moment: &mut Chance) {
        self.exposed(&[1.25; 3], 1.0, 2.0, moment);
        let edge = moment.between(0.35, 0.55);
        self.cover([0.0, 0.0, edge, 1.0], [150, 148, 140], moment);
    }

    pub fn moved(&mut self, moment: &mut Chance) {
        let (dx, dy) = (moment.between(0.05, 0.2), moment.between(0.05, 0.2));
        self.taken_from(dx, dy, 0.78, false);
    }

    /// Light times this, and noise.
    pub fn exposed(&mut self, gains: &[f64; 3], gamma: f64, noise: f64, moment: &mut Chance) {
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
    pub fn taken_from(&mut self, dx: f64, dy: f64, part: f64, mirrored: bool) {
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
    pub fn draw(&mut self, within: impl Fn(f64, f64) -> Option<[f64; 3]>) {
        let side = self.side;
        for (n, pixel) in self.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let place = |n: usize| (n as f64 + 0.5) / side as f64;
            if let Some(colour) = within(place(n % side), place(n / side)) {
                *pixel = colour.map(|value| value.round().clamp(0.0, 255.0) as u8);
            }
        }
    }

    /// A flat thing with a slope of light.
    pub fn cover(
        &mut self,
        [left, top, right, bottom]: [f64; 4],
        ink: [u8; 3],
        moment: &mut Chance,
    ) {
        let slope = moment.between(-60.0, 60.0);
        self.draw(|x, y| {
            let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
            inside.then(|| ink.map(|value| f64::from(value) + slope * (y - 0.5)))
        });
    }

    /// A dark block with ribs, a bright edge, and a nozzle below.
    pub fn head(&mut self, [left, top, right, bottom]: [f64; 4], moment: &mut Chance) {
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
    pub fn parked(&mut self, make: u8, scene: &mut Chance) {
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

    pub fn no_signal(&mut self, n: u8) {
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
    pub fn hand(&mut self, n: u8, moment: &mut Chance) {
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
