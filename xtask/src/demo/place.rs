//! Where the chart goes: beside the pictures, if that can be, and never over a file of anyone else's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::draw::SOFTWARE;

/// The chart's name.
pub const NAME: &str = "oe-process-chart.png";

/// Writes the chart into the folder of the pictures, or else into the other; gives its path.
pub fn write(pictures: &Path, other: &Path, png: &[u8]) -> Result<PathBuf, String> {
    let chart = pictures.join(NAME);
    let why_not = match replaceable(&chart) {
        true => match replace(&chart, png) {
            Ok(()) => return Ok(chart),
            Err(why) => why.to_string(),
        },
        false => "there is another file of that name".to_owned(),
    };
    println!("\nthe chart does not go to {}: {why_not}", chart.display());
    fs::create_dir_all(other).map_err(|why| format!("{}: {why}", other.display()))?;
    let chart = other.join(NAME);
    replace(&chart, png).map_err(|why| format!("{}: {why}", chart.display()))?;
    Ok(chart)
}

/// Whether there is nothing, or a chart of ours.
fn replaceable(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(found) if !found.is_file() => false,
        Ok(_) => fs::read(path).is_ok_and(|bytes| is_ours(&bytes)),
    }
}

fn is_ours(bytes: &[u8]) -> bool {
    let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info();
    reader.is_ok_and(|reader| {
        let mut texts = reader.info().uncompressed_latin1_text.iter();
        texts.any(|text| text.keyword == "Software" && text.text == SOFTWARE)
    })
}

/// Whole or not at all.
fn replace(path: &Path, png: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension(format!("png.{}", std::process::id()));
    let done = fs::write(&new, png).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        drop(fs::remove_file(&new));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Canvas;

    #[test]
    fn a_chart_is_replaced_and_nothing_else() {
        let here = std::env::temp_dir().join(format!("oe-process-place-{}", std::process::id()));
        let (pictures, other) = (here.join("pictures"), here.join("other"));
        fs::create_dir_all(&pictures).unwrap();
        let [first, second] = [10, 20].map(|side| Canvas::new(side, side).png().unwrap());
        let beside = pictures.join(NAME);
        for png in [&first, &second] {
            assert_eq!(write(&pictures, &other, png).unwrap(), beside);
            assert_eq!(&fs::read(&beside).unwrap(), png);
        }
        // A picture of the user's, which happens to have that name.
        let mut theirs = Vec::new();
        let mut writer = png::Encoder::new(&mut theirs, 1, 1).write_header().unwrap();
        writer.write_image_data(&[7]).unwrap();
        writer.finish().unwrap();
        for bytes in [&theirs[..], b"notes"] {
            fs::write(&beside, bytes).unwrap();
            assert_eq!(write(&pictures, &other, &first).unwrap(), other.join(NAME));
            assert_eq!(fs::read(&beside).unwrap(), bytes);
        }
        assert_eq!(fs::read(other.join(NAME)).unwrap(), first);
        assert_eq!(fs::read_dir(&pictures).unwrap().count(), 1);
        fs::remove_dir_all(here).unwrap();
    }
}
