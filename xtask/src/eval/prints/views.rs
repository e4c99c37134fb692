//! A picture as another camera would have sent it, a moment later; and with something before it.
//!
//! All of it is done to the square that the network is given. A camera (its exposure, colours, noise, which
//! way round it hangs) is the same for all pictures of a scene; flicker, drift of the exposure, a shake and
//! the tool head are new in each.

use super::chance::Chance;
use super::square::Square;

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
