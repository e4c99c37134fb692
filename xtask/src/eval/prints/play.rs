//! Prints put together from looks, and what is told while they are watched.

use std::time::Duration;

use oe_engine::{Blind, Cells, Evidence, Filter, Levels, Observation};

use super::Scene;
use super::looks::{Look, Looks};
use super::views::View;

/// Seconds from one picture to the next.
pub const PACE: u64 = 20;
/// Pictures before and after a failure begins, and of a lasting disturbance: five minutes.
pub const LONG: usize = 15;
/// Scenes with fewer fine pictures than this are put together, those of a source,
const FEW: usize = 10;
/// to prints of so many pictures.
const CHAIN: usize = 30;

/// A print that is watched.
#[derive(Clone, Debug)]
pub struct Print<'a> {
    /// What it is one of: a source, a kind of disturbance.
    pub kind: String,
    /// The scene that its pictures, or those of its failure, are of.
    pub scene: &'a str,
    pub frames: Vec<&'a Look>,
    /// When each was taken.
    pub seconds: Vec<u64>,
    /// The first picture that shows a failure.
    pub onset: Option<usize>,
    /// From here on the camera sends the same picture, if it ever does.
    pub frozen: Option<usize>,
}

/// All looks, by picture and view.
pub struct Album<'a> {
    pub looks: &'a Looks,
}

impl<'a> Album<'a> {
    pub fn get(&self, file: &str, view: View) -> Option<&'a Look> {
        self.looks.get(&(file.to_owned(), view.name()))
    }

    /// Each of these pictures by a camera.
    pub fn each(&self, files: &[String], view: View) -> Vec<&'a Look> {
        files
            .iter()
            .filter_map(|file| self.get(file, view))
            .collect()
    }

    /// These pictures by a camera, over and over to so many; few ones each time in another moment.
    pub fn cycle(&self, files: &[String], view: View, count: usize) -> Vec<&'a Look> {
        let moment = |n: usize| match files.len() < usize::from(View::MOMENTS) {
            true => view.moment(n / files.len()),
            false => view,
        };
        let files = files.iter().cycle().take(count).enumerate();
        files
            .filter_map(|(n, file)| self.get(file, moment(n)))
            .collect()
    }
}

/// Fine prints whose pictures pass one after the other, each print by one camera; each picture is there
/// once with each camera. Scenes of few pictures are put together.
pub fn passing<'a>(album: &Album<'a>, scenes: &'a [Scene]) -> Vec<Print<'a>> {
    let mut prints = Vec::new();
    let mut lists: Vec<(&Scene, Vec<&String>)> = Vec::new();
    for scene in scenes.iter().filter(|scene| !scene.fine.is_empty()) {
        let short = scene.fine.len() < FEW;
        match lists.iter_mut().find(|(first, files)| {
            short && first.fine.len() < FEW && first.source == scene.source && files.len() < CHAIN
        }) {
            Some((_, files)) => files.extend(&scene.fine),
            None => lists.push((scene, scene.fine.iter().collect())),
        }
    }
    for (scene, files) in lists {
        for n in 0..View::CAMERAS {
            let frames = files.iter();
            let frames = frames.filter_map(|file| album.get(file, View::Camera(n)));
            prints.push(print(&scene.source, scene, frames.collect(), None));
        }
    }
    prints
}

/// The same pictures, each held for ten looks, one print of each scene: a look that lasts.
pub fn held<'a>(album: &Album<'a>, scenes: &'a [Scene]) -> Vec<Print<'a>> {
    let fine = scenes.iter().filter(|scene| !scene.fine.is_empty());
    let prints = fine.map(|scene| {
        let cameras = || (0..View::CAMERAS).map(View::Camera);
        let of = |file: &String| {
            let file = file.clone();
            cameras().filter_map(move |view| album.get(&file, view))
        };
        let frames = scene.fine.iter().flat_map(of).collect();
        print(&scene.source, scene, frames, None)
    });
    prints.collect()
}

pub fn print<'a>(
    kind: &str,
    scene: &'a Scene,
    frames: Vec<&'a Look>,
    onset: Option<usize>,
) -> Print<'a> {
    Print {
        kind: kind.to_owned(),
        scene: &scene.name,
        seconds: (0..frames.len() as u64).map(|n| n * PACE).collect(),
        frames,
        onset,
        frozen: None,
    }
}

/// Fine pictures of a scene and then failed ones of the same, by each camera.
pub fn onsets<'a>(album: &Album<'a>, scenes: &'a [Scene]) -> Vec<Print<'a>> {
    let both = scenes
        .iter()
        .filter(|scene| !scene.fine.is_empty() && !scene.failed.is_empty());
    both.flat_map(|scene| failing(album, scene, &scene.fine))
        .collect()
}

/// Fine pictures of a source that was never trained on, and then a failed one of another of its scenes.
pub fn strangers<'a>(album: &Album<'a>, scenes: &'a [Scene]) -> Vec<Print<'a>> {
    let new = |scene: &&Scene| scene.name.starts_with(super::NEVER_TRAINED_ON);
    let failed = scenes.iter().filter(new).filter(|s| !s.failed.is_empty());
    let mut prints = Vec::new();
    for (n, scene) in failed.enumerate() {
        let others = scenes
            .iter()
            .filter(new)
            .filter(|s| s.source == scene.source);
        let fine: Vec<String> = others.flat_map(|other| other.fine.clone()).collect();
        if !fine.is_empty() {
            let from = n * LONG % fine.len();
            let fine: Vec<String> = fine.iter().cycle().skip(from).take(LONG).cloned().collect();
            prints.extend(failing(album, scene, &fine));
        }
    }
    prints
}

fn failing<'a>(album: &Album<'a>, scene: &'a Scene, fine: &[String]) -> Vec<Print<'a>> {
    let cameras = (0..View::CAMERAS).map(View::Camera);
    let prints = cameras.map(|view| {
        let mut frames = album.cycle(fine, view, LONG);
        let onset = frames.len();
        frames.extend(album.cycle(&scene.failed, view, LONG));
        print(&scene.source, scene, frames, Some(onset))
    });
    prints.collect()
}

/// What was told of one print, of warning (0) and pause (1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// How often it began to be told: before the onset, where there is one.
    pub alarms: [usize; 2],
    /// Seconds from the onset to when it was first told, if it was.
    pub delay: [Option<f64>; 2],
}

/// What watches a print.
pub trait Watcher {
    /// Whether to warn, and to pause, after a picture.
    fn take(&mut self, at: Duration, seen: &Observation) -> [bool; 2];
}

/// The engine's filter at a level.
pub struct Filtered(Filter, f64);

impl Filtered {
    pub fn new(level: u8, usual: f64) -> Filtered {
        let levels = Levels {
            warning: level,
            pause: level,
        };
        Filtered(Filter::new(levels), usual)
    }
}

impl Watcher for Filtered {
    fn take(&mut self, at: Duration, seen: &Observation) -> [bool; 2] {
        let told = self.0.observe(at, seen, self.1);
        [told.warning, told.pause]
    }
}

/// What it is measured against: the plain mean of the last pictures' evidence.
pub struct Average {
    last: Vec<f64>,
    over: f64,
}

impl Average {
    /// Pictures that are averaged: a minute and 20 s, as long as the filter takes to warn.
    const COUNT: usize = 4;

    /// Warns and pauses when the mean is over this.
    pub fn new(over: f64) -> Average {
        Average {
            last: Vec::new(),
            over,
        }
    }
}

impl Watcher for Average {
    fn take(&mut self, _: Duration, seen: &Observation) -> [bool; 2] {
        if seen.look.blind.is_none() {
            self.last.push(seen.look.failure);
            let more = self.last.len().saturating_sub(Average::COUNT);
            self.last.drain(..more);
        }
        let full = self.last.len() == Average::COUNT;
        let mean = self.last.iter().sum::<f64>() / Average::COUNT as f64;
        [full && mean > self.over; 2]
    }
}

/// Watches a print from its beginning to its end.
pub fn play(print: &Print, watcher: &mut dyn Watcher) -> Told {
    let (mut told, mut before) = (Told::default(), [false; 2]);
    let onset = print.onset.unwrap_or(usize::MAX);
    let since = print.onset.and_then(|onset| print.seconds.get(onset));
    let frames = print.frames.iter().zip(&print.seconds);
    for (n, (look, at)) in frames.enumerate() {
        // No two pictures of a living camera are the same.
        let pixels = print.frozen.map_or(n, |frozen| n.min(frozen)) as u64;
        let seen = Observation {
            look: Evidence {
                failure: look.evidence.unwrap_or(0.0),
                blind: look.evidence.is_none().then_some(Blind::Dark),
                pixels,
            },
            place: None,
            cells: Cells::clone(&look.cells),
            thumbnail: look.thumbnail,
        };
        let now = watcher.take(Duration::from_secs(*at), &seen);
        for which in 0..2 {
            if n < onset && now[which] && !before[which] {
                told.alarms[which] += 1;
            }
            if n >= onset && now[which] && told.delay[which].is_none() {
                told.delay[which] = since.map(|since| (at - since) as f64);
            }
        }
        before = now;
    }
    told
}

#[cfg(test)]
mod tests {
    use oe_engine::Thumbnail;

    use super::*;

    fn look(evidence: f64) -> Look {
        Look {
            evidence: Some(evidence),
            cells: Cells {
                side: 1,
                odds: vec![Some(evidence)],
            },
            thumbnail: Thumbnail([100; 64]),
        }
    }

    #[test]
    fn alarms_are_counted_before_the_onset_and_delays_after() {
        let (fine, failed) = (look(-2.8), look(3.4));
        // A print that goes on moves.
        let moved = Look {
            thumbnail: Thumbnail(std::array::from_fn(|n| 90 + (n % 2 * 20) as u8)),
            ..failed.clone()
        };
        let mut frames = vec![&fine; LONG];
        frames.extend([&failed, &moved].into_iter().cycle().take(LONG));
        let mut print = Print {
            kind: String::new(),
            scene: "",
            seconds: (0..frames.len() as u64).map(|n| n * PACE).collect(),
            frames,
            onset: Some(LONG),
            frozen: None,
        };
        let told = play(&print, &mut Filtered::new(3, -2.8));
        assert_eq!(told.alarms, [0, 0]);
        assert!(told.delay[0].unwrap() <= told.delay[1].unwrap(), "{told:?}");
        // Three of four pictures: (3 x 3.4 - 2.8) / 4 is over 1.5.
        let told = play(&print, &mut Average::new(1.5));
        assert_eq!(told.delay, [Some(40.0); 2]);
        print.onset = None;
        let told = play(&print, &mut Filtered::new(3, -2.8));
        assert_eq!((told.alarms, told.delay), ([1, 1], [None, None]));
        // At half the pace the same pictures take twice as long.
        print.onset = Some(LONG);
        print.seconds.iter_mut().for_each(|at| *at *= 2);
        let told = play(&print, &mut Average::new(1.5));
        assert_eq!(told.delay, [Some(80.0); 2]);
        print.onset = None;
        // The first failed picture is the last that counts.
        print.frozen = Some(LONG);
        let told = play(&print, &mut Filtered::new(3, -2.8));
        assert_eq!(told.alarms, [0, 0]);
    }

    #[test]
    fn few_pictures_are_put_together_and_many_are_a_print() {
        let scene = |name: &str, count: usize| Scene {
            name: name.to_owned(),
            source: "S".to_owned(),
            fine: (0..count).map(|n| format!("{name}{n}")).collect(),
            failed: Vec::new(),
        };
        let scenes = [scene("a", 1), scene("b", 12), scene("c", 2)];
        let files = scenes.iter().flat_map(|scene| &scene.fine);
        let views = |file: &String| {
            let file = file.clone();
            let cameras = (0..View::CAMERAS).map(View::Camera);
            cameras.map(move |view| ((file.clone(), view.name()), look(-2.8)))
        };
        let looks: Looks = files.flat_map(views).collect();
        let album = Album { looks: &looks };
        let lengths = |prints: Vec<Print>| -> Vec<usize> {
            prints.iter().map(|print| print.frames.len()).collect()
        };
        let cameras = usize::from(View::CAMERAS);
        let expected = [vec![3; cameras], vec![12; cameras]].concat();
        assert_eq!(lengths(passing(&album, &scenes)), expected);
        assert_eq!(lengths(held(&album, &scenes)), [10, 120, 20]);
        assert_eq!(onsets(&album, &scenes).len(), 0);
    }
}
