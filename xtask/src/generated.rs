//! Files that are made from the sources and committed.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Reads a file of the repository.
pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|why| format!("{path}: {why}"))
}

/// Writes a generated file, or says how the committed one differs from it.
pub fn write_or_check(path: &str, task: &str, text: &str, check: bool) -> Result<(), String> {
    if !check {
        fs::write(root().join(path), text).map_err(|why| format!("{path}: {why}"))?;
        println!("{path}: {} lines", text.lines().count());
        return Ok(());
    }
    let committed = read(path)?;
    if committed == text {
        return Ok(());
    }
    let hint = format!("run `cargo xtask {task}` and look at what changed");
    Err(format!(
        "{path} is out of date: {}\n{hint}",
        first_difference(&committed, text)
    ))
}

fn first_difference(committed: &str, generated: &str) -> String {
    let (mut left, mut right) = (committed.lines(), generated.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |line: Option<&str>| line.unwrap_or("(end of file)").to_owned();
                return format!(
                    "line {number}\n  committed: {}\n  generated: {}",
                    show(a),
                    show(b)
                );
            }
        }
    }
    "only in line ends".to_owned()
}
