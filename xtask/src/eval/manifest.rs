//! Which pictures there are, and what is known of them.

/// In which sets another class of boxes than 0 is the tangle.
const TANGLE: [(&str, &str); 2] = [("pr", "1"), ("pd", "1")];

/// A picture with a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its path, from the folder of pictures.
    pub file: String,
    /// Whether a tangle is in view.
    pub failed: bool,
    /// Where it is from: each source weighs the same.
    pub source: String,
    /// Pictures of one video or scene; unique among sources.
    pub group: String,
    /// What is known of how it was labelled.
    pub kind: String,
    /// Where the tangles are: left, top, right, bottom, in shares of the picture.
    pub boxes: Vec<[f64; 4]>,
    /// When it was taken, in seconds from some moment of its group; None: not a frame of a time-lapse.
    pub seconds: Option<u64>,
}

impl Entry {
    /// A finished print, a hand, an end card: no print in progress, and no false alarm.
    pub fn is_presentation(&self) -> bool {
        self.kind == "presentation"
    }
}

/// The pictures with a label. Cells have no commas and no quotes.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| names.iter().position(|found| *found == name);
    let needed = |name: &str| column(name).ok_or_else(|| format!("no column {name:?}"));
    let (file, failure, group) = (needed("file")?, needed("failure")?, needed("group")?);
    let (set, kind, boxes) = (column("set"), column("kind"), column("boxes"));
    let seconds = column("seconds");
    let mut entries = Vec::new();
    for (n, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let wrong = |what: &str| format!("line {}: {what}", n + 2);
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() != names.len() || line.contains('"') {
            return Err(wrong("as many cells as columns, without quotes"));
        }
        let failed = match cells[failure] {
            "" => continue,
            "0" => false,
            "1" => true,
            _ => return Err(wrong("failure is 1, 0 or empty")),
        };
        let cell = |column: Option<usize>| column.map(|column| cells[column]).unwrap_or_default();
        let file = cells[file];
        let folder = file.split_once('/').map_or("all", |(folder, _)| folder);
        let source = set.map_or(folder, |column| cells[column]);
        let boxes =
            boxes_of(cell(boxes), source).ok_or_else(|| wrong("boxes are class:x:y:w:h"))?;
        let seconds = match cell(seconds) {
            "" => None,
            cell => Some(
                cell.parse()
                    .map_err(|_| wrong("seconds are a whole number"))?,
            ),
        };
        entries.push(Entry {
            file: file.to_owned(),
            failed,
            source: source.to_owned(),
            group: format!("{source}/{}", cells[group]),
            kind: cell(kind).to_owned(),
            boxes: if failed { boxes } else { Vec::new() },
            seconds,
        });
    }
    Ok(entries)
}

fn boxes_of(cell: &str, source: &str) -> Option<Vec<[f64; 4]>> {
    let tangle = TANGLE.iter().find(|(set, _)| *set == source);
    let tangle = tangle.map_or("0", |(_, class)| class);
    let mut found = Vec::new();
    for one in cell.split(' ').filter(|one| !one.is_empty()) {
        let (class, rest) = one.split_once(':')?;
        let numbers: Result<Vec<f64>, _> = rest.split(':').map(str::parse).collect();
        let [x, y, w, h] = numbers.ok()?.try_into().ok()?;
        if class == tangle {
            found.push([x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read() {
        let text = "file,failure,group,kind,boxes\n\
            pr/1.jpg,1,A,spaghetti,4:.1:.1:.1:.1 1:0.5:0.5:0.5:0.25\n\
            wf/2.jpg,0,A,presentation,\nwf/3.jpg,,B,,\n";
        let found = parse(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].boxes, [[0.25, 0.375, 0.75, 0.625]]);
        assert_eq!(
            (found[0].source.as_str(), found[0].group.as_str()),
            ("pr", "pr/A")
        );
        assert!(found[1].is_presentation() && found[1].group != found[0].group);
        let sets = parse("file,failure,set,group\n0.jpg,1,HK,G\n").unwrap();
        assert_eq!((sets[0].source.as_str(), sets[0].failed), ("HK", true));
        let timed = parse("file,failure,group,seconds\n0.jpg,1,G,40\n1.jpg,1,G,\n").unwrap();
        assert_eq!((timed[0].seconds, timed[1].seconds), (Some(40), None));
    }

    #[test]
    fn a_wrong_manifest_is_refused_with_its_line() {
        for (text, why) in [
            ("file,failure\n", "group"),
            ("file,failure,group\na,1,g\nb,2,g\n", "line 3: failure"),
            ("file,failure,group\na,1\n", "line 2: as many"),
            ("file,failure,group,boxes\na,1,g,0:1:1:1\n", "line 2: boxes"),
            ("file,failure,group,seconds\na,1,g,-1\n", "line 2: seconds"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
