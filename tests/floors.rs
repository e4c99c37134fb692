//! The modules stand in floors: each imports only what stands below it (`docs/ARCHITECTURE.md`).
//!
//! The tables name the floors from the top. A module may use those that come after it in its list,
//! and nothing that comes before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A crate's source folder and its modules from the top floor to the ground.
const CRATES: &[(&str, &[&str])] = &[
    (
        "core/src",
        &[
            "client",
            "monitor",
            "session",
            "account",
            "backend",
            "http",
            "transport",
            "engine",
            "wire",
            "frame",
            "platform",
            "rules",
            "key",
            "error",
        ],
    ),
    (
        "src",
        &[
            "monitor",
            "process",
            "context",
            "client",
            "log",
            "options",
            "status",
            "version",
            "engine",
            "thread",
            "sink",
            "checksum",
            "windows",
            "abi",
            "handle",
            "per_process",
            "guard",
            "last_error",
            "text",
        ],
    ),
    (
        "server/src",
        &[
            "main",
            "args",
            "manager",
            "files",
            "server",
            "service",
            "route",
            "connections",
            "state",
            "contexts",
            "tls",
            "config",
            "store",
            "judge",
            "slots",
            "health",
            "keys",
            "limits",
            "multipart",
            "stats",
            "listen",
            "log",
            "reply",
            "verdicts",
            "account",
            "digest",
            "clock",
        ],
    ),
];

/// Rules that hold within a floor, so that they stay true of its parts: `rules` knows `error` alone.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("core/src", "rules", &["rules", "error"]),
    ("core/src", "wire", &["wire", "rules", "platform", "error"]),
    (
        "core/src",
        "transport",
        &["platform", "rules", "key", "error"],
    ),
    ("core/src", "engine", &["rules"]),
    ("server/src", "limits", &["limits", "reply", "account"]),
    ("server/src", "slots", &["slots"]),
    ("server/src", "store", &["store", "digest", "clock"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The module of the top level that a file belongs to; none for the crate's root.
fn floor_of(folder: &Path, file: &Path) -> Option<String> {
    let inside = file.strip_prefix(folder).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then(|| name.to_owned())
}

/// Every name that follows `crate::` in code, also within braces. Tests at the end of a file and
/// comments are not code.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let word = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for (at, mark) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + mark.len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(list) => {
                let (mut depth, mut item) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => drop(found.insert(word(&std::mem::take(&mut item)))),
                        c => item.push(c),
                    }
                }
                found.insert(word(&item));
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_run_down_only() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (folder, floors) in CRATES {
        let path = root().join(folder);
        let mut files = Vec::new();
        sources(&path, &mut files);
        for file in files {
            let Some(own) = floor_of(&path, &file) else {
                continue;
            };
            let text = std::fs::read_to_string(&file).unwrap();
            let at = floors.iter().position(|floor| *floor == own);
            let at = at.unwrap_or_else(|| panic!("{}: in no floor", file.display()));
            let only = ONLY
                .iter()
                .find(|(crate_, floor, _)| crate_ == folder && *floor == own);
            for other in imports(&text) {
                looked_at += 1;
                let Some(to) = floors.iter().position(|floor| *floor == other) else {
                    continue;
                };
                let allowed = only.is_none_or(|(.., list)| list.contains(&other.as_str()));
                if to < at || !allowed {
                    let shown = file.strip_prefix(root()).unwrap().display().to_string();
                    wrong.push(format!("{shown} imports {other}"));
                }
            }
        }
    }
    assert!(looked_at > 100, "the test reads the sources: {looked_at}");
    assert!(wrong.is_empty(), "these run up:\n{}", wrong.join("\n"));
}

#[test]
fn every_floor_is_drawn() {
    let page = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    for floor in CRATES[0].1 {
        assert!(page.contains(floor), "{floor} is not on the page");
    }
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let text = "use crate::a::B;\nuse crate::{c, d::{E, f}, g};\n// crate::no\n\
                fn x() { crate::h::y() }\npub(crate) fn z() {}\n\
                #[cfg(test)]\nmod tests { use crate::not; }";
    let names = imports(text);
    let expected = ["a", "c", "d", "g", "h"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(expected));
}
