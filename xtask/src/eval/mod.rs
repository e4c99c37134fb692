//! How well the engine sees: `cargo xtask eval PICTURES`.
//!
//! The engine itself looks at each picture of a manifest; what it says is compared with the labels. Each
//! source weighs the same, intervals are by scene. Printed as tables, and written as JSON and a picture.

mod chart;
mod look;
mod manifest;
mod measure;
mod prints;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use crate::generated::root;

/// How the command is called.
pub const USAGE: &str = "usage: cargo xtask eval PICTURES [OPTION...]
       cargo xtask eval --prints PICTURES [--out FOLDER]

PICTURES is a folder with manifest.csv: columns file, failure (1, 0 or empty), group (scene), and, where known,
set (source; else the folder of the file), kind, boxes (class:x:y:w:h, middle and size in shares of the picture).

  --manifest FILE  another manifest of the same folder
  --model FILE     another model than the one compiled in
  --out FOLDER     where eval.json, eval.png and scores.csv go; target/eval if not given
  --squares        also writes squares.rgb: what the network was given, for model/check.py

With --prints whole prints are played: alarms on fine ones, delays after a failure begins. Where the manifest has a
column seconds (when a picture was taken), each group is a time-lapse, and its failure begins with its first failed
picture. Otherwise prints are put together from the pictures (those of PICTURES/val/manifest.csv too, where there is
one). prints.json, prints.png and looks.csv go to --out; looks that are in looks.csv are not made again.";

/// What is asked for.
struct Options {
    pictures: PathBuf,
    manifest: PathBuf,
    model: Option<PathBuf>,
    out: PathBuf,
    squares: bool,
    prints: bool,
}

impl Options {
    fn read(words: &[&str]) -> Result<Options, String> {
        let mut pictures = None;
        let (mut manifest, mut model, mut out) = (None, None, root().join("target/eval"));
        let (mut squares, mut prints, mut words) = (false, false, words.iter());
        while let Some(word) = words.next() {
            let mut file = || {
                let next = words
                    .next()
                    .ok_or_else(|| format!("{word} what?\n{USAGE}"))?;
                Ok::<_, String>(PathBuf::from(next))
            };
            match *word {
                "--manifest" => manifest = Some(file()?),
                "--model" => model = Some(file()?),
                "--out" => out = file()?,
                "--squares" => squares = true,
                "--prints" => prints = true,
                word if word.starts_with('-') || pictures.is_some() => return Err(USAGE.to_owned()),
                folder => pictures = Some(PathBuf::from(folder)),
            }
        }
        let pictures = pictures.ok_or(USAGE)?;
        let manifest = manifest.unwrap_or_else(|| pictures.join("manifest.csv"));
        Ok(Options {
            pictures,
            manifest,
            model,
            out,
            squares,
            prints,
        })
    }
}

/// Looks at all pictures, and says how well.
pub fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::read(words)?;
    if options.prints {
        return prints::run(&options.pictures, &options.out);
    }
    let text = read(&options.manifest)?;
    let entries =
        manifest::parse(&text).map_err(|why| format!("{}: {why}", options.manifest.display()))?;
    let engine = look::engine(options.model.as_deref())?;
    fs::create_dir_all(&options.out).map_err(|why| said(&options.out, &why))?;
    let squares = options.squares.then(|| options.out.join("squares.rgb"));
    let seen = look::all(&engine, &options.pictures, &entries, squares.as_deref())?;
    let report = report::Report::of(engine.name(), &entries, &seen);
    report.print();
    let write = |name: &str, bytes: &[u8]| {
        let path = options.out.join(name);
        fs::write(&path, bytes).map_err(|why| said(&path, &why))
    };
    write("eval.json", report.json().as_bytes())?;
    write("scores.csv", look::table(&entries, &seen).as_bytes())?;
    write("eval.png", &chart::draw(&report)?)?;
    println!("\nwritten to {}", options.out.display());
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|why| said(path, &why))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|why| said(path, &why))
}

fn said(path: &Path, why: &std::io::Error) -> String {
    format!("{}: {why}", path.display())
}
