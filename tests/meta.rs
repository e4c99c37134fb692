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

#[test]
fn every_status_is_the_outcome_of_some_test() {
    let tests = all(&["core/tests", "tests"], &[".rs", ".c", ".cpp"]);
    let mut missing = vec![];
    for row in TABLE {
        let variant = format!("Status::{:?}", row.status);
        let told = tests.contains(&variant) || tests.contains(&format!(", {})", row.name));
        if !told {
            missing.push(row.name);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The ids that a test's name begins with: `fn er_01_er_02_what_it_shows`, `fn er_01_to_04_what_it_shows`.
fn ids_of(name: &str) -> Vec<String> {
    let mut words = name.split('_');
    let mut ids: Vec<(String, u32)> = vec![];
    while let (Some(area), Some(number)) = (words.next(), words.next()) {
        let letters = area.len() == 2 && area.bytes().all(|byte| byte.is_ascii_lowercase());
        let (true, 2, Ok(number)) = (letters, number.len(), number.parse::<u32>()) else {
            break;
        };
        match ids.last().cloned() {
            Some((before, first)) if area == "to" => {
                ids.extend((first + 1..=number).map(|number| (before.clone(), number)));
            }
            _ => ids.push((area.to_uppercase(), number)),
        }
    }
    let text = |(area, number)| format!("{area}-{number:02}");
    ids.into_iter().map(text).collect()
}

/// What each id must keep is said in one sentence; those that are not here say so, and why.
#[test]
fn every_id_in_a_test_s_name_is_in_the_list_and_the_other_way_round() {
    let list = read(&root().join("tests/meta/scenarios.txt"));
    let (mut tried, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    let mut sentences = BTreeSet::new();
    for line in list.lines() {
        let (id, sentence) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        assert_eq!(ids_of(&id.to_lowercase().replace('-', "_")), [id], "{line}");
        let words = sentence.split(' ').count();
        assert!(words > 4 && sentence.ends_with('.'), "no sentence: {line}");
        assert!(!sentence.contains(". "), "more than one: {line}");
        assert!(line.len() < 180, "{line}");
        assert!(sentences.insert(sentence), "said twice: {line}");
        let into = match sentence.starts_with("Not here: ") {
            true => &mut left_out,
            false => &mut tried,
        };
        assert!(into.insert(id.to_owned()), "{line}");
    }
    let mut named = BTreeSet::new();
    for folder in ["core", "engine", "server", "src", "tests", "xtask"] {
        for file in files(&root().join(folder), &[".rs"]) {
            let text = read(&file);
            // Right after the attribute, perhaps with others between: a function that is a test.
            for part in text.split("#[test]").skip(1) {
                let name = part.split_once("fn ").unwrap().1.split('(').next().unwrap();
                named.extend(ids_of(name));
            }
        }
    }
    assert!(tried.len() >= 150 && left_out.is_disjoint(&tried));
    let without_a_test: Vec<_> = tried.difference(&named).collect();
    let without_a_sentence: Vec<_> = named.difference(&tried).collect();
    assert!(without_a_test.is_empty(), "no test: {without_a_test:?}");
    assert!(
        without_a_sentence.is_empty(),
        "not listed: {without_a_sentence:?}"
    );
}

/// The comment lists, with "A to B" for all between, exactly the statuses of which the function says 1.
#[test]
fn the_list_of_what_may_be_tried_again_is_that_of_the_table() {
    let header = read(&root().join("include/oe_process.h"));
    let (before, _) = header
        .split_once("oe_status_is_retryable(oe_status status)")
        .unwrap();
    let comment = before.rsplit("/**").next().unwrap();
    let plain: String = comment.replace(" * ", " ").replace(['\n', ','], " ");
    let (_, list) = plain.split_once("These are: ").unwrap();
    let list = list.split(". ").next().unwrap();
    let mut listed = BTreeSet::new();
    let mut words = list.split_whitespace().peekable();
    let code = |name: &str| {
        let row = TABLE
            .iter()
            .find(|row| row.name == name.trim_end_matches('.'));
        row.unwrap_or_else(|| panic!("{name} in the comment"))
            .status
            .code()
    };
    while let Some(word) = words.next() {
        let first = code(word);
        let last = match words.next_if_eq(&"to") {
            Some(_) => code(words.next().unwrap()),
            None => first,
        };
        listed.extend(
            TABLE
                .iter()
                .map(|row| row.status.code())
                .filter(|code| (last..=first).contains(code)),
        );
    }
    let may = TABLE.iter().filter(|row| row.retryable);
    assert_eq!(listed, may.map(|row| row.status.code()).collect());
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

/// Whatever the owner sets as the project's address, all say the same, and there is a place to report to.
#[test]
fn the_manifests_name_one_address_and_there_is_a_place_to_report_to() {
    let mut found = vec![];
    for (path, before) in [
        ("Cargo.toml", ["\nrepository = \"", "\nhomepage = \""]),
        (
            "python/pyproject.toml",
            ["\nRepository = \"", "\nHomepage = \""],
        ),
        (
            "node/package.json",
            ["\"repository\": \"", "\"homepage\": \""],
        ),
    ] {
        let text = read(&root().join(path));
        for mark in before {
            let (_, rest) = text
                .split_once(mark)
                .unwrap_or_else(|| panic!("{path}: {mark}"));
            found.push(rest.split('"').next().unwrap().to_owned());
        }
    }
    assert!(found[0].starts_with("https://"), "{found:?}");
    assert!(
        found.iter().all(|address| *address == found[0]),
        "{found:?}"
    );
    for page in ["SECURITY.md", "CONTRIBUTING.md"] {
        assert!(read(&root().join(page)).contains(&found[0]), "{page}");
    }
    let contributing = read(&root().join("CONTRIBUTING.md"));
    let first = contributing.split("```").nth(1).unwrap();
    let commands: Vec<_> = first.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(commands.iter().all(|command| command.starts_with("cargo ")));
    // They are what a landing begins with.
    let landing = read(&root().join(".ci/run")).replace(" --locked", "");
    for command in commands {
        assert!(landing.contains(&format!("step {command}\n")), "{command}");
    }
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
