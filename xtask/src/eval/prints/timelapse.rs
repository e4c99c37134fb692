//! Prints of which every frame and the moment of the failure are known: recorded or rendered whole.

use std::path::Path;

use super::looks::{Look, Wanted};
use super::play::{Album, Filtered, Print, Told, play};
use super::report::{LEVEL, Prints};
use super::views::View;
use crate::bench::table;
use crate::eval::manifest::Entry;

/// A print, frame by frame.
#[derive(Debug, PartialEq)]
pub struct TimeLapse {
    pub name: String,
    /// Of failure; of a fine print, what makes it hard.
    pub kind: String,
    pub files: Vec<String>,
    /// When each frame was taken.
    pub seconds: Vec<u64>,
    /// The first frame that shows the failure.
    pub onset: Option<usize>,
}

/// The time-lapses of a manifest, one for each group; none when no entry says when it was taken.
pub fn of(entries: Vec<Entry>) -> Result<Vec<TimeLapse>, String> {
    let mut found: Vec<TimeLapse> = Vec::new();
    if entries.iter().all(|entry| entry.seconds.is_none()) {
        return Ok(found);
    }
    for entry in entries {
        let wrong = |what: &str| Err(format!("{}: {what}", entry.file));
        let Some(at) = entry.seconds else {
            return wrong("says no seconds, and others do");
        };
        let place = found.iter().position(|one| one.name == entry.group);
        let n = place.unwrap_or(found.len());
        if place.is_none() {
            found.push(TimeLapse {
                name: entry.group,
                kind: entry.kind,
                files: Vec::new(),
                seconds: Vec::new(),
                onset: None,
            });
        }
        let one = &mut found[n];
        if one.seconds.last().is_some_and(|last| *last >= at) {
            return wrong("is not later than the frame before it");
        }
        match (entry.failed, one.onset) {
            (true, None) => one.onset = Some(one.files.len()),
            (false, Some(_)) => return wrong("is fine after a failure"),
            _ => {}
        }
        one.files.push(entry.file);
        one.seconds.push(at);
    }
    Ok(found)
}

fn cameras() -> impl Iterator<Item = View> {
    (0..View::CAMERAS).map(View::Camera)
}

/// Every camera's view of every frame.
pub fn wanted<'a>(found: &'a [TimeLapse], folder: &Path) -> Vec<Wanted<'a>> {
    let frames = found
        .iter()
        .flat_map(|one| one.files.iter().map(move |file| (one, file)));
    let wanted = frames.map(|(one, file)| Wanted {
        path: folder.join(file),
        file,
        scene: &one.name,
        views: cameras().collect(),
    });
    wanted.collect()
}

/// Each by each camera, the one that changes nothing first.
pub fn prints<'a>(album: &Album<'a>, found: &'a [TimeLapse]) -> Prints<'a> {
    let mut prints = Prints::default();
    for one in found {
        for view in cameras() {
            let print = Print {
                kind: one.kind.clone(),
                scene: &one.name,
                frames: album.each(&one.files, view),
                seconds: one.seconds.clone(),
                onset: one.onset,
                frozen: None,
            };
            match one.onset {
                Some(_) => prints.onsets.push(print),
                None => prints.passing.push(print),
            }
        }
    }
    prints
}

/// A row for each print, as it was taken: by the camera that changes nothing.
pub fn print_each(prints: &Prints, usual: f64) {
    let mut rows = vec![table::row([
        "",
        "kind",
        "frames",
        "evidence, fine",
        "failed",
        "over 0 after, s",
        "warned after, s",
        "paused after, s",
    ])];
    let all = prints.onsets.iter().chain(&prints.passing);
    for print in all.step_by(usize::from(View::CAMERAS)) {
        let told = play(print, &mut Filtered::new(LEVEL, usual));
        let onset = print.onset.unwrap_or(print.frames.len());
        let (fine, failed) = print.frames.split_at(onset);
        let over = failed.iter().position(|look| look.evidence > Some(0.0));
        let over = over.map(|n| print.seconds[onset + n] - print.seconds[onset]);
        rows.push(vec![
            print.scene.to_owned(),
            print.kind.clone(),
            print.frames.len().to_string(),
            mean(fine),
            mean(failed),
            over.map_or_else(|| "-".to_owned(), |over| over.to_string()),
            cell(&told, 0),
            cell(&told, 1),
        ]);
    }
    table::print(&format!("Each print as it was taken: level {LEVEL}"), &rows);
}

/// The mean of what was seen, if anything was.
fn mean(looks: &[&Look]) -> String {
    let seen: Vec<f64> = looks.iter().filter_map(|look| look.evidence).collect();
    match seen.len() {
        0 => "-".to_owned(),
        count => format!("{:+.1}", seen.iter().sum::<f64>() / count as f64),
    }
}

/// What was told: before there was a failure, so many seconds after it began, or nothing.
fn cell(told: &Told, which: usize) -> String {
    match (told.alarms[which], told.delay[which]) {
        (0, Some(delay)) => format!("{delay:.0}"),
        (0, None) => "-".to_owned(),
        _ => "wrongly".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use oe_engine::Ask;

    use super::*;
    use crate::eval::manifest;
    use crate::generated::root;

    fn read(rows: &str) -> Result<Vec<TimeLapse>, String> {
        let text = format!("file,failure,group,set,kind,seconds\n{rows}");
        of(manifest::parse(&text).unwrap())
    }

    #[test]
    fn frames_are_put_into_prints_and_the_first_failed_one_is_the_onset() {
        let found = read(
            "a1,0,a,r,blob,0\nb1,0,b,r,wisps,0\na2,0,a,r,blob,20\na3,1,a,r,blob,35\n\
             a4,1,a,r,blob,60\nb2,0,b,r,wisps,20\n",
        )
        .unwrap();
        let row = |one: &TimeLapse| (one.name.clone(), one.kind.clone(), one.onset);
        let expected = [("r/a", "blob", Some(2)), ("r/b", "wisps", None)];
        let expected =
            expected.map(|(name, kind, onset)| (name.to_owned(), kind.to_owned(), onset));
        assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected);
        assert_eq!(found[0].files, ["a1", "a2", "a3", "a4"]);
        assert_eq!(found[0].seconds, [0, 20, 35, 60]);
        // Pictures without a time are no time-lapses.
        assert_eq!(read("a1,0,a,r,blob,\na2,1,a,r,blob,\n"), Ok(Vec::new()));
    }

    #[test]
    fn frames_that_make_no_print_are_refused() {
        for (rows, why) in [
            ("a1,0,a,r,,0\na2,0,a,r,,\n", "a2: says no seconds"),
            ("a1,0,a,r,,20\na2,0,a,r,,20\n", "a2: is not later"),
            ("a1,1,a,r,,0\na2,0,a,r,,20\n", "a2: is fine after"),
        ] {
            let told = read(rows).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn what_was_told_is_a_word_or_a_delay() {
        for (alarms, delay, expected) in [
            (0, None, "-"),
            (0, Some(60.0), "60"),
            (1, None, "wrongly"),
            (2, Some(0.0), "wrongly"),
        ] {
            let told = Told {
                alarms: [alarms, 0],
                delay: [delay, None],
            };
            assert_eq!(
                (cell(&told, 0).as_str(), cell(&told, 1).as_str()),
                (expected, "-")
            );
        }
    }

    #[test]
    fn the_rendered_sample_is_read_and_its_failures_have_a_place() {
        let folder = root().join("demo/prints/sample");
        let text = fs::read_to_string(folder.join("manifest.csv")).unwrap();
        let entries = manifest::parse(&text).unwrap();
        let engine = crate::eval::look::engine(None).unwrap();
        for entry in &entries {
            assert_eq!(entry.boxes.len(), usize::from(entry.failed), "{entry:?}");
            let jpeg = fs::read(folder.join(&entry.file)).unwrap();
            engine.square(&jpeg, &Ask::default()).unwrap();
        }
        let found = of(entries).unwrap();
        let row = |one: &TimeLapse| (one.name.clone(), one.seconds.clone(), one.onset);
        let expected = [
            ("rendered/tangle-on-vase", vec![260, 280, 380, 660], Some(1)),
            ("rendered/supports", vec![0, 60, 140, 220], None),
        ];
        let expected = expected.map(|(name, at, onset)| (name.to_owned(), at, onset));
        assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected);
    }
}
