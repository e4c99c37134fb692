//! The built library against its header: exports, SONAME, size, languages.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::process::Command;

use oe_core::error::TABLE;
use oe_test_support::library::{release_dir, root, scratch};

fn header() -> String {
    std::fs::read_to_string(root().join("include/oe_process.h")).unwrap()
}

/// Names that are declared as functions: `OE_API` lines up to the next semicolon.
fn declared(header: &str) -> BTreeSet<String> {
    let code: String = header
        .split("/*")
        .map(|part| part.split("*/").nth(1).unwrap_or(""))
        .collect();
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '('));
    words
        .filter_map(|word| word.split_once('(').map(|(name, _)| name.to_owned()))
        .filter(|name| name.starts_with("oe_"))
        .collect()
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("apt-get install binutils gcc g++");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn exports_are_what_the_header_declares_and_nothing_else() {
    let so = release_dir().join("liboe_process.so");
    let symbols = output(Command::new("nm").args(["-D", "--defined-only"]).arg(so));
    let exported: BTreeSet<String> = symbols
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .map(str::to_owned)
        .collect();
    assert!(exported.len() > 40);
    assert_eq!(exported, declared(&header()));
}

#[test]
fn the_header_names_every_status_with_its_number() {
    let header: String = header().split_whitespace().collect::<Vec<_>>().join(" ");
    for row in TABLE {
        let line = format!("{} = {}", row.name, row.status.code());
        let ends = [",", " "].map(|end| header.contains(&format!("{line}{end}")));
        assert!(ends.contains(&true), "{line}");
    }
}

#[test]
fn soname_nodelete_and_size() {
    let so = release_dir().join("liboe_process.so");
    let dynamic = output(Command::new("readelf").args(["-d", "-W"]).arg(&so));
    assert!(dynamic.contains("[liboe_process.so.0]") && dynamic.contains("NODELETE"));
    let stripped = scratch("artifact").join("stripped.so");
    output(Command::new("strip").arg("-o").arg(&stripped).arg(&so));
    let size = std::fs::metadata(&stripped).unwrap().len();
    println!("stripped: {size} bytes");
    // Engine and model inside.
    assert!(size <= 6_600_000, "{size}");
}

#[test]
fn the_header_is_clean_in_every_language_of_its_floor() {
    let dir = scratch("header");
    let text = "#include <oe_process.h>\n#include <oe_process.h>\n\
        int main(void) { oe_error e = OE_ERROR_INIT; oe_result r = OE_RESULT_INIT; \
        oe_usage u = OE_USAGE_INIT; oe_info i = OE_INFO_INIT; \
        return (int)(e.struct_size + r.struct_size + u.struct_size + i.struct_size) == 0; }\n";
    for (compiler, ext, standards) in [
        ("gcc", "c", ["c99", "c11", "c2x"]),
        ("g++", "cpp", ["c++11", "c++17", "c++20"]),
    ] {
        let source = dir.join("twice").with_extension(ext);
        std::fs::write(&source, text).unwrap();
        for standard in standards {
            let mut command = Command::new(compiler);
            command.arg(format!("-std={standard}"));
            command.args([
                "-Wall",
                "-Wextra",
                "-pedantic",
                "-Werror",
                "-fsyntax-only",
                "-I",
            ]);
            output(command.arg(root().join("include")).arg(&source));
        }
    }
}

#[test]
fn the_manual_s_program_is_minimal_c() {
    let program = std::fs::read_to_string(root().join("examples-c/minimal.c")).unwrap();
    assert!(program.lines().count() <= 25);
    let header = header();
    for line in program.lines() {
        assert!(header.contains(&format!(" *   {line}")), "{line}");
    }
}
