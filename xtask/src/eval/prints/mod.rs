//! How well whole prints are watched: `cargo xtask eval --prints PICTURES`.

mod chance;
mod chart;
mod disturbed;
mod figures;
mod looks;
mod play;
mod report;
mod square;
mod timelapse;
mod views;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{self, Entry};
use super::{look, read, said};
use looks::Wanted;
use play::Album;
use report::{Prints, Report};
use timelapse::TimeLapse;
use views::View;

/// The folder of pictures that no model was trained on, from the folder of pictures on.
const NEVER_TRAINED_ON: &str = "val/";

/// A scene: its pictures in the order of the manifest.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub name: String,
    pub source: String,
    pub fine: Vec<String>,
    pub failed: Vec<String>,
}

/// Plays prints with the pictures of a folder, and says what was told: the time-lapses, where its manifest
/// says when each picture was taken; otherwise prints that are put together.
pub fn run(folder: &Path, out: &Path) -> Result<(), String> {
    fs::create_dir_all(out).map_err(|why| said(out, &why))?;
    let path = folder.join("manifest.csv");
    let found =
        timelapse::of(entries(&path)?).map_err(|why| format!("{}: {why}", path.display()))?;
    if found.is_empty() {
        return run_together(folder, out);
    }
    run_timelapses(&found, folder, out)
}

/// Looks at all frames of time-lapses, by each camera, and plays them as they were taken.
fn run_timelapses(found: &[TimeLapse], folder: &Path, out: &Path) -> Result<(), String> {
    let engine = look::engine(None)?;
    let wanted = timelapse::wanted(found, folder);
    let looks = looks::all(&engine, &wanted, &out.join("looks.csv"))?;
    let album = Album { looks: &looks };
    let prints = timelapse::prints(&album, found);
    let report = Report::of(engine.name(), &prints, engine.mean_log_odds());
    report.print();
    timelapse::print_each(&prints, engine.mean_log_odds());
    write(&report, out)
}

/// Looks at all views of all pictures, plays prints with them, and says what was told.
fn run_together(folder: &Path, out: &Path) -> Result<(), String> {
    let mut scenes = BTreeMap::new();
    add(&mut scenes, folder, "")?;
    if folder.join(NEVER_TRAINED_ON).join("manifest.csv").exists() {
        add(&mut scenes, folder, NEVER_TRAINED_ON)?;
    }
    let scenes: Vec<Scene> = scenes.into_values().collect();
    let engine = look::engine(None)?;
    let wanted = wanted(&scenes, folder);
    let looks = looks::all(&engine, &wanted, &out.join("looks.csv"))?;
    let album = Album { looks: &looks };
    let prints = Prints {
        passing: play::passing(&album, &scenes),
        held: play::held(&album, &scenes),
        onsets: play::onsets(&album, &scenes),
        strangers: play::strangers(&album, &scenes),
        disturbed: disturbed::all(&album, &scenes),
    };
    let report = Report::of(engine.name(), &prints, engine.mean_log_odds());
    report.print();
    write(&report, out)
}

fn write(report: &Report, out: &Path) -> Result<(), String> {
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|why| said(&path, &why))
    };
    write("prints.json", report.json().as_bytes())?;
    write("prints.png", &chart::draw(report)?)?;
    println!("\nwritten to {}", out.display());
    Ok(())
}

fn entries(path: &Path) -> Result<Vec<Entry>, String> {
    manifest::parse(&read(path)?).map_err(|why| format!("{}: {why}", path.display()))
}

/// Adds the scenes of a manifest; its files are named from the folder of pictures on.
fn add(scenes: &mut BTreeMap<String, Scene>, folder: &Path, under: &str) -> Result<(), String> {
    let path = folder.join(under).join("manifest.csv");
    for entry in entries(&path)?
        .iter()
        .filter(|entry| !entry.is_presentation())
    {
        let name = format!("{under}{}", entry.group);
        let scene = scenes.entry(name.clone()).or_insert_with(|| Scene {
            name,
            source: entry.source.clone(),
            ..Scene::default()
        });
        let file = format!("{under}{}", entry.file);
        side(scene, entry).push(file);
    }
    Ok(())
}

fn side<'a>(scene: &'a mut Scene, entry: &Entry) -> &'a mut Vec<String> {
    if entry.failed {
        &mut scene.failed
    } else {
        &mut scene.fine
    }
}

/// Every camera's view of fine pictures, of what failed in scenes that have both, and of what was never
/// trained on; disturbances of the first fine picture of a scene.
fn wanted<'a>(scenes: &'a [Scene], folder: &Path) -> Vec<Wanted<'a>> {
    let cameras = || (0..View::CAMERAS).map(View::Camera);
    let mut wanted = Vec::new();
    let used = |scene: &&Scene| !scene.fine.is_empty() || scene.name.starts_with(NEVER_TRAINED_ON);
    for scene in scenes.iter().filter(used) {
        for (n, file) in scene.fine.iter().chain(&scene.failed).enumerate() {
            let disturbed = View::DISTURBANCES
                .into_iter()
                .filter(|_| n == 0 && !scene.fine.is_empty());
            let failed = scene.failed.contains(file);
            let list = if failed { &scene.failed } else { &scene.fine };
            let repeated = list.len() < usize::from(View::MOMENTS);
            let onset = !scene.fine.is_empty() && !scene.failed.is_empty();
            let moments = cameras()
                .filter(|view| failed || onset || *view == View::Camera(0))
                .flat_map(|view| (1..usize::from(View::MOMENTS)).map(move |n| view.moment(n)))
                .filter(|view| repeated || n == 0 && matches!(view, View::Later(0, _)));
            wanted.push(Wanted {
                path: PathBuf::from(folder).join(file),
                file,
                scene: &scene.name,
                views: cameras().chain(moments).chain(disturbed).collect(),
            });
        }
    }
    wanted
}
