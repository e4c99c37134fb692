//! The main job, for everyone to see: a C program watches a print that fails.
//!
//! Builds the library, compiles `examples-c/watch.c` against its header and lets it watch the demo's
//! frames, or a folder of one's own, with the engine that is in the library: no key, no network, no
//! server. With `--server` it asks `oe-process-server` on a loopback port instead. What was seen
//! becomes a chart beside the frames.

mod chart;
mod place;
mod program;
mod service;
mod table;
mod thumbnail;

use std::fs;
use std::path::{Path, PathBuf};

use crate::generated::root;
use program::Watch;
use table::Row;
use thumbnail::Thumbnail;

const USAGE: &str = "usage: cargo demo [-- [--server] [--interval SEC] [FOLDER]]

FOLDER has pictures (JPEG) of a print, in the order of their names; the demo's own if it is not given.

  --server        ask oe-process-server, started on this machine, instead of the engine in the library;
                  one picture every 5 s, which is as fast as the library calls
  --interval SEC  seconds of the print from one picture to the next: 20, of the demo's own 60";

/// The demo's own pictures.
const FRAMES: &str = "demo/frames";
/// How far apart they are, in seconds of the print,
const THEIRS: u32 = 60;
/// and pictures of which nothing is known: the library's usual interval.
const USUAL: u32 = 20;

/// What is asked for.
struct Asked {
    folder: PathBuf,
    /// Whether it is the demo's own.
    own: bool,
    server: bool,
    interval: u32,
}

impl Asked {
    /// None when only the usage is.
    fn read(words: &[&str]) -> Result<Option<Asked>, String> {
        let (mut folder, mut server, mut interval) = (None, false, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                // What `cargo demo` passes on, too.
                "--" => {}
                "--help" | "-h" => return Ok(None),
                "--server" => server = true,
                "--interval" => {
                    let seconds = words.next().and_then(|word| word.parse::<u32>().ok());
                    let right = seconds.filter(|seconds| (5..=86_400).contains(seconds));
                    interval = Some(right.ok_or("--interval takes 5 to 86400 seconds")?);
                }
                word if word.starts_with('-') || folder.is_some() => return Err(USAGE.to_owned()),
                path => folder = Some(PathBuf::from(path)),
            }
        }
        let own = folder.is_none();
        let usual = if own { THEIRS } else { USUAL };
        Ok(Some(Asked {
            folder: folder.unwrap_or_else(|| root().join(FRAMES)),
            own,
            server,
            interval: interval.unwrap_or(usual),
        }))
    }
}

/// Runs the demo. An error when something is not there, and when the demo's own print does not bring
/// one warning and one pause.
pub fn run(words: &[&str]) -> Result<(), String> {
    let Some(asked) = Asked::read(words)? else {
        println!("{USAGE}");
        return Ok(());
    };
    // Before anything is built, which takes a while.
    let count = pictures(&asked.folder)?;
    let watch = Watch::build()?;
    let rows = watched(&asked, &watch, count)?;
    tell(&rows);
    draw(&asked, &rows)?;
    match asked.own {
        true => as_it_should_be(&rows),
        false => Ok(()),
    }
}

/// How many pictures a folder has.
fn pictures(folder: &Path) -> Result<usize, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if folder.exists() => return Err(format!("{}: {why}", folder.display())),
        Err(_) => return Err(format!("{}: no such folder", folder.display())),
    };
    let is_picture = |name: &str| {
        let ends = [".jpg", ".jpeg", ".JPG", ".JPEG"];
        !name.starts_with('.') && ends.iter().any(|end| name.ends_with(end))
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    match names
        .filter(|name| is_picture(&name.to_string_lossy()))
        .count()
    {
        0 => Err(format!("{}: no JPEG in it", folder.display())),
        count => Ok(count),
    }
}

/// Lets the program watch; gives what it saw.
fn watched(asked: &Asked, watch: &Watch, count: usize) -> Result<Vec<Row>, String> {
    let folder = asked.folder.display();
    let interval = asked.interval;
    if !asked.server {
        println!(
            "watching the {count} pictures of {folder}, taken {interval} s apart, with the engine in the library\n"
        );
        return table::parse(&watch.embedded(&asked.folder, interval)?, 1.0);
    }
    let speed = f64::from(interval) / f64::from(service::PACE);
    let service = service::start(speed)?;
    let url = service.base_url();
    println!(
        "watching the {count} pictures of {folder} at {url}, one every {} s for {interval} s of the print\n",
        service::PACE
    );
    let table = watch.asking(&url, &asked.folder, service::PACE);
    service.stop();
    table::parse(&table?, speed)
}

/// A time of the print.
fn clock(second: f64) -> String {
    let n = second.round() as u64;
    match n / 3_600 {
        0 => format!("{}:{:02}", n / 60, n % 60),
        hours => format!("{hours}:{:02}:{:02}", n / 60 % 60, n % 60),
    }
}

/// What the user would have been told, and when.
fn tell(rows: &[Row]) {
    println!("\nwhat the user would have been told:");
    let mut told = 0;
    for row in rows {
        let Some(seen) = &row.seen else { continue };
        for (rose, what) in [
            (seen.warns, "warning: the print may be failing"),
            (seen.pauses, "the print has failed, and is paused"),
        ] {
            if rose {
                told += 1;
                println!("  {:>7}  {what} ({})", clock(row.second), row.picture);
            }
        }
    }
    if told == 0 {
        println!("  nothing");
    }
}

/// Draws what was seen, and says where the chart is.
fn draw(asked: &Asked, rows: &[Row]) -> Result<(), String> {
    let thumbnail = |row: &Row| Thumbnail::of(&fs::read(asked.folder.join(&row.picture)).ok()?);
    let thumbnails: Vec<_> = rows.iter().map(thumbnail).collect();
    let name = asked.folder.file_name().unwrap_or_default();
    let who = match asked.server {
        true => "oe-process-server",
        false => "the engine in the library",
    };
    let title = format!("{}, watched by {who}", name.to_string_lossy());
    let png = chart::draw(&chart::Watched {
        title: &title,
        rows,
        thumbnails: &thumbnails,
        thresholds: oe_engine::Levels::default().thresholds(),
    })?;
    let chart = place::write(&asked.folder, &program::folder(), &png)?;
    println!("\nchart: {}", chart.display());
    Ok(())
}

/// The demo's own print fails, and that is seen.
fn as_it_should_be(rows: &[Row]) -> Result<(), String> {
    let seen: Vec<_> = rows.iter().filter_map(|row| row.seen.as_ref()).collect();
    let count = |what: fn(&table::Seen) -> bool| seen.iter().filter(|seen| what(seen)).count();
    let found = (
        seen.len(),
        count(|seen| seen.warns),
        count(|seen| seen.pauses),
    );
    if found != (12, 1, 1) {
        return Err(format!(
            "verdicts, warnings, pauses: {found:?}, not (12, 1, 1)"
        ));
    }
    println!("12 verdicts, one warning, one pause: as it should be.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood_or_refused() {
        let asked = Asked::read(&[]).unwrap().unwrap();
        assert!(asked.own && !asked.server && asked.interval == THEIRS);
        assert!(asked.folder.ends_with(FRAMES));
        let asked = Asked::read(&["--", "--server", "there"]).unwrap().unwrap();
        assert!(!asked.own && asked.server && asked.interval == USUAL);
        let asked = Asked::read(&["--interval", "7", "x"]).unwrap().unwrap();
        assert_eq!((asked.interval, asked.folder), (7, PathBuf::from("x")));
        assert!(Asked::read(&["--help"]).unwrap().is_none());
        for wrong in [
            &["--interval", "4"][..],
            &["--interval"],
            &["--fast"],
            &["a", "b"],
        ] {
            assert!(Asked::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_are_as_on_a_clock() {
        let said = [0.0, 59.6, 605.0, 3_661.0].map(clock);
        assert_eq!(said, ["0:00", "1:00", "10:05", "1:01:01"]);
    }
}
