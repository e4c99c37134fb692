//! docs/third-party-notices.txt: whose code is in the library, and under which licence. Goes with
//! every binary that is given away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::output;
use crate::generated::{root, write_or_check};

/// A file of notices.
struct Notices {
    path: &'static str,
    /// The cargo package whose binary it goes with.
    package: &'static str,
    /// What the binary is called in it.
    name: &'static str,
}

const LIBRARY: &str = "oe-process";

const ALL: &[Notices] = &[
    Notices {
        path: "docs/third-party-notices.txt",
        package: LIBRARY,
        name: "liboe_process",
    },
    Notices {
        path: "docs/third-party-notices-server.txt",
        package: "oe-process-server",
        name: "oe-process-server",
    },
];

/// What packages bring besides their own code, which says nothing of it.
const BRING: &[(&str, &str)] = &[(
    "libsqlite3-sys",
    "brings SQLite, which is in the public domain: https://sqlite.org/copyright.html",
)];

/// What the library is built for; each has dependencies of its own.
const TARGETS: &[&str] = &[
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "armv7-unknown-linux-gnueabihf",
    "mipsel-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-musleabihf",
    "mipsel-unknown-linux-musl",
    "x86_64-pc-windows-gnu",
    "i686-pc-windows-gnu",
];

const HEAD: &str = "\
@NAME@ contains, besides our own code (MIT OR Apache-2.0), the Rust standard library
(MIT OR Apache-2.0, the Rust Project's contributors) and the packages below. Made by
`cargo xtask notices` from what these packages say of themselves.
";

/// Name and version.
pub type Id = (String, String);

pub struct Package {
    /// An SPDX expression.
    pub licence: String,
    home: String,
    folder: PathBuf,
}

/// Writes the notices, or compares them with what would be written.
pub fn run(check: bool) -> Result<(), String> {
    let known = known()?;
    for notices in ALL {
        one(notices, &known, check)?;
    }
    Ok(())
}

fn one(notices: &Notices, known: &BTreeMap<Id, Package>, check: bool) -> Result<(), String> {
    let mut linked = BTreeSet::new();
    for target in TARGETS {
        linked.extend(linked_into(notices.package, target)?);
    }
    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in &linked {
        let named = format!("{} {}", id.0, id.1);
        let package = known.get(id).ok_or_else(|| format!("{named}: unknown"))?;
        list.push_str(&format!(
            "{named}: {}\n    {}\n",
            package.licence, package.home
        ));
        for (_, brings) in BRING.iter().filter(|(name, _)| *name == id.0) {
            list.push_str(&format!("    {brings}\n"));
        }
        let found = licence_texts(package)?;
        if found.is_empty() {
            list.push_str("    (comes without a licence text of its own)\n");
        }
        for text in found {
            texts.entry(text).or_default().push(named.clone());
        }
    }
    let head = HEAD.replace("@NAME@", notices.name);
    let mut all = format!("{head}\n{list}");
    let mut texts: Vec<_> = texts.into_iter().map(|(text, of)| (of, text)).collect();
    texts.sort();
    for (of, text) in texts {
        all.push_str(&format!(
            "\n{}\n{}\n\n{text}\n",
            "-".repeat(72),
            of.join(", ")
        ));
    }
    write_or_check(notices.path, "notices", &all, check)
}

/// Every package of the lock file.
pub fn known() -> Result<BTreeMap<Id, Package>, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    let text = output("cargo metadata", "rustup", cargo.current_dir(root()))?;
    let all: Value = serde_json::from_str(&text).map_err(|why| why.to_string())?;
    let packages = all["packages"].as_array().into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |package: &Value| {
        let manifest = PathBuf::from(word(&package["manifest_path"]));
        let about = Package {
            licence: word(&package["license"]),
            home: word(&package["repository"]),
            folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
        };
        ((word(&package["name"]), word(&package["version"])), about)
    };
    Ok(packages.map(read).collect())
}

/// What is linked into the library for a target, our own packages apart.
pub fn linked_for(target: &str) -> Result<BTreeSet<Id>, String> {
    linked_into(LIBRARY, target)
}

fn linked_into(package: &str, target: &str) -> Result<BTreeSet<Id>, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--locked", "--package", package]);
    cargo.args(["--edges", "normal,no-proc-macro", "--prefix", "none"]);
    cargo.args(["--target", target, "--format", "{p}"]);
    let text = output("cargo tree", "rustup", cargo.current_dir(root()))?;
    let ids = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // Ours come from a folder.
        let ours = line.contains('/');
        (!ours).then(|| (name.to_owned(), version.to_owned()))
    });
    Ok(ids.collect())
}

/// The texts of a package's licences. Of "MIT OR something", the MIT text is enough.
fn licence_texts(package: &Package) -> Result<BTreeSet<String>, String> {
    let entries = fs::read_dir(&package.folder).map_err(|why| why.to_string())?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names.filter(|name| is_licence(name)).collect();
    let choice = package.licence.contains("MIT") && !package.licence.contains(" AND ");
    let mit = |name: &String| name.to_uppercase().contains("MIT");
    if choice && found.iter().any(mit) {
        found.retain(mit);
    }
    let read = |name: String| {
        let path = package.folder.join(name);
        let text = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        Ok(lines.join("\n").trim_matches('\n').to_owned())
    };
    found.into_iter().map(read).collect()
}

fn is_licence(name: &str) -> bool {
    let name = name.to_uppercase();
    [
        "LICENSE",
        "LICENCE",
        "COPYING",
        "COPYRIGHT",
        "NOTICE",
        "UNLICENSE",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}
