//! Tests about the tests and the words: nothing is exported, promised or claimed that nobody tries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use oe_core::error::TABLE;
use oe_test_support::library::{Link, compile, release_dir, root, scratch};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The files below a folder whose names end so; build folders are passed over.
fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, ends));
        } else if ends.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn all(folders: &[&str], ends: &[&str]) -> String {
    let found = folders
        .iter()
        .flat_map(|folder| files(&root().join(folder), ends));
    found.map(|path| read(&path)).collect()
}

fn functions() -> BTreeSet<String> {
    let header = read(&root().join("include/oe_process.h"));
    let lines = header.lines().filter(|line| line.starts_with("OE_API "));
    let names = lines.map(|line| line.split('(').next().unwrap());
    names
        .map(|text| text.rsplit([' ', '*']).next().unwrap().to_owned())
        .collect()
}

fn lacks(text: &str, what: impl Fn(&str) -> String) -> Vec<String> {
    let missing = functions()
        .into_iter()
        .filter(|name| !text.contains(&what(name)));
    missing.collect()
}

#[test]
fn every_function_is_called_by_a_c_test() {
    let tests = all(&["tests/c"], &[".c"]);
    let missing = lacks(&tests, |name| format!("{name}("));
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_function_is_named_in_the_docs() {
    let docs = all(&["docs"], &[".md"]);
    let missing = lacks(&docs, |name| format!("`{name}`"));
    assert!(missing.is_empty(), "{missing:?}");
}

/// The model's comes with the embedded engine.
const NOT_YET: &[&str] = &["OE_ERR_MODEL"];

#[test]
fn every_status_is_the_outcome_of_some_test() {
    let tests = all(&["core/tests", "tests"], &[".rs", ".c", ".cpp"]);
    let mut missing = vec![];
    for row in TABLE {
        let variant = format!("Status::{:?}", row.status);
        let told = tests.contains(&variant) || tests.contains(&format!(", {})", row.name));
        if !told && !NOT_YET.contains(&row.name) {
            missing.push(row.name);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_scenario_has_a_test_or_a_reason() {
    let list = read(&root().join("tests/meta/scenarios.txt"));
    let tests = all(&["core", "server", "src", "tests"], &[".rs", ".c"]).to_lowercase();
    let mut unclaimed = vec![];
    for line in list.lines() {
        let (id, reason) = line.split_once(": ").unwrap_or((line, ""));
        let in_a_name = id.to_lowercase().replace('-', "_");
        if tests.contains(&in_a_name) != reason.is_empty() {
            unclaimed.push(line);
        }
    }
    assert!(list.lines().count() >= 154);
    assert!(unclaimed.is_empty(), "neither, or both: {unclaimed:?}");
}

/// The blocks of one language in all pages, and where they stand.
fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let mark = format!("```{language}\n");
    let mut found = vec![];
    for page in files(&root(), &[".md"]) {
        let text = read(&page);
        for part in text.split(&mark).skip(1) {
            found.push((page.clone(), part.split("```").next().unwrap().to_owned()));
        }
    }
    found
}

#[test]
fn programs_in_the_pages_compile() {
    let blocks = blocks("c");
    assert!(!blocks.is_empty());
    for (n, (page, text)) in blocks.iter().enumerate() {
        let source = scratch("pages").join(format!("block-{n}.c"));
        std::fs::write(&source, text).unwrap();
        let program = compile(&source, Link::Shared, &["-Wno-pedantic"]);
        assert!(program.exists(), "{}", page.display());
    }
}

#[test]
fn the_readme_shows_minimal_c_and_its_link_lines_work() {
    let readme = read(&root().join("README.md"));
    let program = read(&root().join("examples-c/minimal.c"));
    assert!(readme.contains(&format!("```c\n{program}```")));
    let (_, linking) = readme.split_once("## Linking").unwrap();
    let block = linking.split("```").nth(1).unwrap();
    let mut lines = 0;
    for line in block.lines().filter(|line| line.starts_with("cc ")) {
        let folder = scratch("readme");
        let command = line
            .split(" #")
            .next()
            .unwrap()
            .replace("cc app.c", &format!("cc app.c -o {lines}"))
            .replace(
                "-I include",
                &format!("-I {}", root().join("include").display()),
            )
            .replace("$PWD/target/release", "target/release")
            .replace("target/release", &release_dir().display().to_string());
        std::fs::write(folder.join("app.c"), &program).unwrap();
        let mut shell = Command::new("sh");
        let output = shell
            .args(["-c", &command])
            .current_dir(&folder)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{errors}");
        lines += 1;
    }
    assert_eq!(lines, 2);
}

/// Every file that a page links to is there.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut checked = 0;
    for page in files(&root(), &[".md"]) {
        let text = read(&page);
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {target}", page.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}
