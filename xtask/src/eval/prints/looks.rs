//! What the engine sees in each view of each picture, kept in a file: a look is made once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oe_engine::{Ask, Cells, Engine, Thumbnail};

use super::super::{read_bytes, said};
use super::views::{self, View};

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Log odds of a failure; none when there was nothing to see.
    pub evidence: Option<f64>,
    /// The same of each part, to hundredths.
    pub cells: Cells,
    /// How bright it is, and where.
    pub thumbnail: Thumbnail,
}

/// A picture to look at.
pub struct Wanted<'a> {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is known by.
    pub file: &'a str,
    pub scene: &'a str,
    pub views: Vec<View>,
}

/// All looks, by file and view.
pub type Looks = BTreeMap<(String, String), Look>;

/// Looks that are needed and not in the file are made and added to it. A file of another model is begun
/// anew.
pub fn all(engine: &Engine, wanted: &[Wanted], path: &Path) -> Result<Looks, String> {
    let head = format!("{} views-2\n", engine.name());
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut known = Looks::new();
    if text.starts_with(&head) {
        // A run that was cut off may have left half a line.
        known.extend(text.lines().skip(1).filter_map(parse));
    } else {
        fs::write(path, &head).map_err(|why| said(path, &why))?;
    }
    let missing = |one: &&Wanted| one.views.iter().any(|view| !has(&known, one.file, *view));
    let open: Vec<&Wanted> = wanted.iter().filter(missing).collect();
    let file = OpenOptions::new().append(true).open(path);
    let file = Mutex::new(file.map_err(|why| said(path, &why))?);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(one) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let done = views_of(engine, one, &known).and_then(|lines| {
                        let mut file = file.lock().map_err(|why| why.to_string())?;
                        file.write_all(lines.as_bytes())
                            .map_err(|why| said(path, &why))
                    });
                    if let (Err(why), Ok(mut failed)) = (done, failed.lock()) {
                        *failed = Some(why);
                        return;
                    }
                }
            });
        }
    });
    if let Some(why) = failed.into_inner().ok().flatten() {
        return Err(why);
    }
    let text = fs::read_to_string(path).map_err(|why| said(path, &why))?;
    known.extend(text.lines().skip(1).filter_map(parse));
    Ok(known)
}

fn has(known: &Looks, file: &str, view: View) -> bool {
    known.contains_key(&(file.to_owned(), view.name()))
}

/// The lines of a picture's views that are not known.
fn views_of(engine: &Engine, one: &Wanted, known: &Looks) -> Result<String, String> {
    let ask = Ask::default();
    let why = |why: &dyn std::fmt::Display| format!("{}: {why}", one.path.display());
    let jpeg = read_bytes(&one.path)?;
    let (square, pixels) = engine.square(&jpeg, &ask).map_err(|e| why(&e))?;
    // A damaged file may have been written over by a better line: the last counts.
    let mut lines = "\n".to_owned();
    for view in one
        .views
        .iter()
        .filter(|view| !has(known, one.file, **view))
    {
        let square = views::seen(square.clone(), engine.size(), *view, one.scene, one.file);
        let told = engine.observe_square(square, pixels, &ask);
        let told = told.map_err(|e| why(&e))?;
        let evidence = match told.look.blind {
            Some(blind) => format!("{blind:?}"),
            None => format!("{:.4}", told.look.failure),
        };
        let thumbnail = String::from(told.thumbnail);
        let _ = write!(
            lines,
            "{},{},{evidence},{thumbnail},",
            one.file,
            view.name()
        );
        for odds in &told.cells.odds {
            let _ = write!(lines, "{:.0} ", odds.unwrap_or(f64::NAN) * 100.0);
        }
        lines.push_str(";\n");
    }
    Ok(lines)
}

/// A line, when it is whole.
fn parse(line: &str) -> Option<((String, String), Look)> {
    let mut parts = line
        .strip_suffix(" ;")
        .or(line.strip_suffix(";"))?
        .split(',');
    let (file, view) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let evidence = parts.next()?.parse().ok();
    let thumbnail = Thumbnail::try_from(parts.next()?.to_owned()).ok()?;
    let cells = parts.next()?.split_whitespace();
    let odds: Vec<Option<f64>> = cells
        .map(|cell| cell.parse::<f64>().ok().filter(|odds| odds.is_finite()))
        .map(|odds| odds.map(|odds| odds / 100.0))
        .collect();
    let side = odds.len().isqrt();
    let look = Look {
        evidence,
        cells: Cells { side, odds },
        thumbnail,
    };
    (side * side == look.cells.odds.len()).then_some(((file, view), look))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_half_of_one_is_not() {
        let bright = "64".repeat(64);
        let line = format!("a.jpg,camera-1,-2.5000,{bright},-250 -100 NaN 30 ;");
        let ((file, view), look) = parse(&line).unwrap();
        assert_eq!((file.as_str(), view.as_str()), ("a.jpg", "camera-1"));
        assert_eq!((look.evidence, look.cells.side), (Some(-2.5), 2));
        assert_eq!(look.cells.odds[2..], [None, Some(0.3)]);
        assert_eq!(look.thumbnail.0, [100; 64]);
        let blind = parse(&format!("a.jpg,dark,Dark,{bright},;")).unwrap().1;
        assert_eq!((blind.evidence, blind.cells.side), (None, 0));
        assert_eq!(parse(&line[..line.len() - 5]), None);
        assert_eq!(parse("a.jpg,camera-1,-2.5000,-250 -100 NaN 30 ;"), None);
        assert_eq!(parse(""), None);
    }
}
