//! Fine prints that something disturbs.

use super::Scene;
use super::play::{Album, LONG, Print, print};
use super::views::View;

/// Pictures of a hand: a minute.
const SHORT: usize = 3;
/// Pictures of an hour.
const HOUR: usize = 180;

/// The kind of a print that is disturbed by nothing: what is told of it is not told of a disturbance.
pub const UNDISTURBED: &str = "nothing, 10 min";
/// The kind whose camera sends the same picture from then on.
const FROZEN: &str = "frozen picture, 10 min";

/// A disturbance: these views of a scene's first picture, over and over to so many, and whether it is over
/// then.
struct Kind {
    name: &'static str,
    views: Vec<View>,
    count: usize,
    over: bool,
}

/// A fine print of each scene with each disturbance.
pub fn all<'a>(album: &Album<'a>, scenes: &'a [Scene]) -> Vec<Print<'a>> {
    let kinds: Vec<Kind> = [first(), lamps(), heads(), others()]
        .into_iter()
        .flatten()
        .collect();
    let mut prints = Vec::new();
    for scene in scenes {
        let Some(first) = scene.fine.first() else {
            continue;
        };
        let fine = || album.cycle(&scene.fine, View::Camera(0), LONG);
        for kind in &kinds {
            let mut frames = fine();
            let start = frames.len();
            let shown = kind.views.iter().cycle().take(kind.count);
            frames.extend(shown.filter_map(|view| album.get(first, *view)));
            if kind.over {
                frames.extend(fine());
            }
            let mut print = print(kind.name, scene, frames, None);
            print.frozen = (kind.name == FROZEN).then_some(start);
            prints.push(print);
        }
    }
    prints
}

fn passes(name: &'static str, views: &[View], count: usize) -> Kind {
    Kind {
        name,
        views: views.to_vec(),
        count,
        over: true,
    }
}

fn stays(name: &'static str, views: &[View]) -> Kind {
    Kind {
        over: false,
        ..passes(name, views, 2 * LONG)
    }
}

/// Those that the rules of the filter were made with.
fn first() -> Vec<Kind> {
    let moments = [0, 1, 2, 3, 4].map(|n| View::Camera(0).moment(n));
    vec![
        stays(UNDISTURBED, &moments),
        passes("a hand, a minute", &[0, 1, 2].map(View::Hand), SHORT),
        passes("an open door, 5 min", &[View::Door], LONG),
        passes("lamp off, some light, 5 min", &[View::Dim], LONG),
        passes("lamp off, dark, 5 min", &[View::Dark], LONG),
        stays("camera moved for good", &[View::Moved]),
        passes("head parked, 5 min", &[View::Head], LONG),
        stays(FROZEN, &[View::Camera(0)]),
    ]
}

/// Lamps that leave a part of the light.
fn lamps() -> Vec<Kind> {
    let left = |parts| [0, 1].map(|moment| View::Lamp(parts, moment));
    let going_on = |parts| [0, 1].map(|moment| View::LampAndPrint(parts, moment));
    vec![
        passes("a quarter of the light, 5 min", &left(4), LONG),
        passes("an eighth, 5 min", &left(8), LONG),
        passes("a sixteenth, 5 min", &left(16), LONG),
        passes("a hundredth, 5 min", &[View::Lamp(100, 0)], LONG),
        passes("an eighth, an hour", &left(8), HOUR),
        passes("a quarter, printing goes on, 5 min", &going_on(4), LONG),
        passes("an eighth, printing goes on, 5 min", &going_on(8), LONG),
        passes("an eighth, printing goes on, an hour", &going_on(8), HOUR),
    ]
}

/// Heads of other makes.
fn heads() -> Vec<Kind> {
    let parked = |make| [0, 1].map(|moment| View::Parked(make, moment));
    vec![
        passes("round head parked, 5 min", &parked(0), LONG),
        passes("bar parked, 5 min", &parked(1), LONG),
        passes("large head parked, 5 min", &parked(2), LONG),
        passes("large head parked, an hour", &parked(2), HOUR),
    ]
}

/// No picture, and other doors and places of the camera.
fn others() -> Vec<Kind> {
    let door = [0, 1].map(View::DoorAndPrint);
    let moved = [0, 1].map(View::MovedAndPrint);
    vec![
        passes("lens covered, 5 min", &[View::Covered], LONG),
        passes("no signal: blue, 5 min", &[View::NoSignal(0)], LONG),
        passes("no signal: bars, 5 min", &[View::NoSignal(1)], LONG),
        passes("no signal: text on grey, 5 min", &[View::NoSignal(2)], LONG),
        passes("dark door, 5 min", &[View::Shut], LONG),
        stays("camera moved nearer for good", &[View::Nearer]),
        passes("an open door, printing goes on, 5 min", &door, LONG),
        stays("camera moved for good, printing goes on", &moved),
    ]
}
