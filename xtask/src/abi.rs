//! The binary interface as a file: what a build with debug information says of its functions and
//! structures, compared with what is committed.

use std::path::Path;
use std::process::Command;

use crate::command::output;
use crate::generated::root;

const COMMITTED: &str = "tests/abi/oe_process.abi";

const HINT: &str = "apt-get install abigail-tools";

/// The description of a build whose only debug information is that of the C ABI's own crate.
fn described() -> Result<String, String> {
    let target = root().join("target/abi");
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--quiet",
        "--package",
        "oe-process",
        "--target-dir",
    ]);
    cargo.arg(&target).current_dir(root());
    for setting in [
        "profile.dev.debug=0",
        "profile.dev.package.oe-process.debug=2",
        "profile.dev.package.oe-process.codegen-units=1",
    ] {
        cargo.args(["--config", setting]);
    }
    cargo.env(
        "RUSTFLAGS",
        format!("--remap-path-prefix={}=.", root().display()),
    );
    output("cargo build", "is Rust installed?", &mut cargo)?;
    let mut abidw = Command::new("abidw");
    abidw.args([
        "--no-corpus-path",
        "--no-comp-dir-path",
        "--no-elf-needed",
        "--no-show-locs",
    ]);
    abidw.args(["--no-parameter-names", "--no-write-default-sizes"]);
    let text = output(
        "abidw",
        HINT,
        abidw.arg(target.join("debug/liboe_process.so")),
    )?;
    Ok(own_units(&text))
}

/// Without the compilation units of other crates, and without the name that the compiler gives to
/// ours.
fn own_units(text: &str) -> String {
    let mut kept = String::new();
    let mut inside_other = false;
    for line in text.lines() {
        if line.contains("<abi-instr ") {
            inside_other = !line.contains("path='src/");
        }
        if !inside_other {
            let ours = line
                .split_once("/@/")
                .filter(|_| line.contains("<abi-instr "));
            let line = match ours {
                Some((path, rest)) => {
                    let end = rest.find('\'').unwrap_or(0);
                    format!("{path}{}", &rest[end..])
                }
                None => line.to_owned(),
            };
            kept.push_str(&line);
            kept.push('\n');
        }
        if line.contains("</abi-instr>") {
            inside_other = false;
        }
    }
    kept
}

/// Counts of the summary's line: "Functions changes summary: 0 Removed, 1 Changed, 2 Added functions".
fn counts(report: &str) -> Result<(u32, u32, u32), String> {
    let summary = report
        .lines()
        .find(|line| line.starts_with("Functions changes summary:"));
    let Some(summary) = summary else {
        return match report.trim().is_empty() {
            true => Ok((0, 0, 0)),
            false => Err(report.to_owned()),
        };
    };
    let of = |word: &str| {
        let before = summary.split(word).next()?;
        before.split_whitespace().last()?.parse().ok()
    };
    match (of(" Removed"), of(" Changed"), of(" Added")) {
        (Some(removed), Some(changed), Some(added)) => Ok((removed, changed, added)),
        _ => Err(report.to_owned()),
    }
}

fn compare(before: &Path, now: &Path) -> Result<(), String> {
    let mut abidiff = Command::new("abidiff");
    let compared = abidiff.arg(before).arg(now).output();
    let compared = compared.map_err(|why| format!("abidiff: {why} ({HINT})"))?;
    let report = String::from_utf8_lossy(&compared.stdout).into_owned();
    // 1 and 2: it could not compare. 4 and 8: it found something, additions too.
    if compared.status.code().is_none_or(|code| code & 3 != 0) {
        return Err(format!(
            "abidiff: {}",
            String::from_utf8_lossy(&compared.stderr)
        ));
    }
    match counts(&report)? {
        (0, 0, 0) => Ok(()),
        (0, 0, added) => Err(format!(
            "{added} functions were added: `cargo xtask abi` writes {COMMITTED}"
        )),
        _ => Err(format!(
            "{report}\nthe binary interface changed for programs that are out there"
        )),
    }
}

/// Writes the description, or compares the build with it.
pub fn run(check: bool) -> Result<(), String> {
    let committed = root().join(COMMITTED);
    let text = described()?;
    if !check {
        std::fs::write(&committed, text).map_err(|why| why.to_string())?;
        println!("{COMMITTED}");
        return Ok(());
    }
    let now = root().join("target/abi/now.abi");
    std::fs::write(&now, text).map_err(|why| why.to_string())?;
    compare(&committed, &now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_counted() {
        let line =
            "Functions changes summary: 1 Removed, 2 Changed (3 filtered out), 4 Added functions\n";
        assert_eq!(counts(line), Ok((1, 2, 4)));
        assert_eq!(counts(""), Ok((0, 0, 0)));
        assert!(counts("something else").is_err());
    }

    #[test]
    fn other_crates_are_left_out() {
        let text = "<a>\n<abi-instr path='src/lib.rs/@/xyz' x='1'>\nours\n</abi-instr>\n\
            <abi-instr path='/other/@/z'>\ntheirs\n</abi-instr>\n</a>\n";
        assert_eq!(
            own_units(text),
            "<a>\n<abi-instr path='src/lib.rs' x='1'>\nours\n</abi-instr>\n</a>\n"
        );
    }
}
