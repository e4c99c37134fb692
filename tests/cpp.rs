//! `oe_process.hpp`: every standard from C++11 on, with and without exceptions, against a service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use oe_server::{Config, Running};
use oe_test_support::library::{has_tool, release_dir, root, run, scratch};

const WARNINGS: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-pedantic",
    "-Werror",
    "-Wshadow",
    "-Wconversion",
];
const NO_EXCEPTIONS: &[&str] = &["-DOE_NO_EXCEPTIONS", "-fno-exceptions", "-fno-rtti"];
/// The header finds out by itself.
const UNTOLD: &[&str] = &["-fno-exceptions"];
/// The host wants none although the compiler has them.
const UNWANTED: &[&str] = &["-DOE_NO_EXCEPTIONS"];

/// Whether there is a compiler to try it with.
fn has_compiler() -> bool {
    has_tool("g++", "apt-get install g++")
}

fn service(script: &str) -> Running {
    Running::start(Config::scripted(script).unwrap()).unwrap()
}

fn compiler(standard: &str, flags: &[&str]) -> Command {
    let mut command = Command::new("g++");
    command
        .arg(format!("-std={standard}"))
        .args(WARNINGS)
        .args(flags);
    command.arg("-I").arg(root().join("include"));
    command
}

fn succeeds(command: &mut Command) {
    let output = command.output().expect("apt-get install g++");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{errors}");
}

fn program(name: &str, sources: &[&Path], standard: &str, flags: &[&str]) -> PathBuf {
    let lib = release_dir();
    let out = scratch("cpp").join(name);
    let mut command = compiler(standard, flags);
    command
        .args(["-g", "-O1"])
        .args(sources)
        .arg("-o")
        .arg(&out);
    command.arg("-L").arg(lib).arg("-loe_process");
    succeeds(command.arg(format!("-Wl,-rpath,{}", lib.display())));
    out
}

fn tests() -> [PathBuf; 2] {
    ["all.cpp", "other.cpp"].map(|name| root().join("tests/cpp").join(name))
}

#[test]
fn the_header_is_clean_in_every_standard() {
    if !has_compiler() {
        return;
    }
    for standard in ["c++11", "c++14", "c++17", "c++20", "c++2b"] {
        for flags in [&[][..], NO_EXCEPTIONS, UNTOLD, UNWANTED] {
            for source in tests() {
                let mut command = compiler(standard, flags);
                succeeds(command.arg("-fsyntax-only").arg(source));
            }
        }
    }
}

#[test]
fn it_covers_every_function_of_the_c_header() {
    let words = |name: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(root().join("include").join(name)).unwrap();
        let called = text.split('(').filter_map(|part| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            part.rsplit(|c| !is_name(c)).next().map(str::to_owned)
        });
        called
            .chain(text.split(['<', '>', ',', ' ', '\n']).map(str::to_owned))
            .collect()
    };
    let header = std::fs::read_to_string(root().join("include/oe_process.h")).unwrap();
    let declared: BTreeSet<&str> = header
        .lines()
        .filter(|line| line.starts_with("OE_API "))
        .filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next())
        .collect();
    assert!(declared.len() > 60, "{declared:?}");
    let used = words("oe_process.hpp");
    // What people read is for people: C++ has its own way to a quality's text.
    let missing: Vec<_> = declared
        .iter()
        .filter(|name| !used.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn handles_events_and_exceptions_against_a_service() {
    if !has_compiler() {
        return;
    }
    for (name, standard, flags) in [
        ("all-11", "c++11", &[][..]),
        ("all-20", "c++20", &[][..]),
        ("all-no-exceptions", "c++11", NO_EXCEPTIONS),
        ("all-untold", "c++11", UNTOLD),
    ] {
        let [all, other] = tests();
        let service = service("{}");
        let mut command = Command::new(program(name, &[&all, &other], standard, flags));
        command
            .arg(service.base_url())
            .arg(root().join("demo/frames/frame-01.jpg"));
        let output = run(&mut command, Duration::from_secs(60));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{name}: {text}"
        );
    }
}

/// One program of two units, one of which has no exceptions: the linker may take the body of a
/// function from either, and a log function that throws must do no harm with any of them.
#[test]
fn units_with_and_without_exceptions_in_either_order() {
    if !has_compiler() {
        return;
    }
    let (dir, lib) = (scratch("cpp-mixed"), release_dir());
    let object = |name: &str, flags: &[&str], nth: usize| {
        let out = dir.join(format!("{name}-{nth}.o"));
        let source = root().join("tests/cpp").join(name);
        // Not optimised: what could be merged is not inlined.
        let mut command = compiler("c++17", flags);
        succeeds(command.args(["-O0", "-c", "-o"]).arg(&out).arg(source));
        out
    };
    for (nth, flags) in [NO_EXCEPTIONS, UNTOLD, UNWANTED].into_iter().enumerate() {
        let with = object("throws.cpp", &[], nth);
        let without = object("quiet.cpp", flags, nth);
        for (order, units) in [[&with, &without], [&without, &with]].iter().enumerate() {
            let out = dir.join(format!("mixed-{nth}-{order}"));
            let mut link = Command::new("g++");
            link.args(*units).arg("-o").arg(&out).arg("-L").arg(lib);
            link.arg("-loe_process");
            succeeds(link.arg(format!("-Wl,-rpath,{}", lib.display())));
            let output = run(&mut Command::new(&out), Duration::from_secs(60));
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && errors.is_empty(),
                "{flags:?}, order {order}: {:?}\n{text}{errors}",
                output.status
            );
        }
    }
}

/// From C++17 on a status that nobody looks at is a warning, whichever call it is of.
#[test]
fn a_status_that_is_dropped_is_a_warning() {
    if !has_compiler() {
        return;
    }
    let source = root().join("tests/cpp/discarded.cpp");
    let text = std::fs::read_to_string(&source).unwrap();
    let calls =
        |line: &&str| line.ends_with(");") && line.contains('.') && line.starts_with("    ");
    let dropped = text.lines().filter(calls).count();
    let header = std::fs::read_to_string(root().join("include/oe_process.hpp")).unwrap();
    for line in header.lines().filter(|line| line.starts_with("    ")) {
        let Some((before, rest)) = line.split_once("status ") else {
            continue;
        };
        let name = rest.split('(').next().unwrap();
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        // What fills is each handle's own; the others are members of what users have.
        if before
            .trim()
            .trim_start_matches("OE_HPP_NODISCARD")
            .is_empty()
            && rest.contains('(')
            && is_name
            && name != "fill"
        {
            assert!(text.contains(&format!(".{name}(")), "{name} is not tried");
        }
    }
    for (standard, expected) in [("c++11", 0), ("c++17", dropped), ("c++2b", dropped)] {
        let mut command = compiler(standard, &["-Wno-error", "-fsyntax-only"]);
        let output = command.arg(&source).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let warnings = errors.matches("[-Wunused-result]").count();
        assert_eq!(warnings, expected, "{standard}\n{errors}");
    }
    assert!(dropped > 45, "{dropped}");
}

#[test]
fn nothing_is_lost_or_freed_twice() {
    if !has_compiler() || !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    let [all, other] = tests();
    let service = service("{}");
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
    command.arg("--errors-for-leak-kinds=definite");
    command.arg(program("all-valgrind", &[&all, &other], "c++11", &[]));
    command
        .arg(service.base_url())
        .arg(root().join("demo/frames/frame-01.jpg"));
    let output = run(&mut command, Duration::from_secs(120));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_example_pauses_a_failing_print() {
    if !has_compiler() {
        return;
    }
    let example = root().join("examples-c/monitor.cpp");
    let service = service("{\"quality\":1,\"warning\":true,\"pause\":true}\n");
    let dir = scratch("cpp-example");
    let (marker, state) = (dir.join("paused"), dir.join("state"));
    drop((std::fs::remove_file(&marker), std::fs::remove_file(&state)));
    let example = program("monitor-cpp", &[&example], "c++11", &[]);
    let watch = |command: &str| {
        let mut watch = Command::new(&example);
        watch.args(["--endpoint", &service.base_url()]);
        watch.arg(root().join("demo/frames/frame-01.jpg"));
        watch
            .arg(command)
            .arg(&state)
            .env("OE_API_KEY", "SECRETKEY");
        watch
    };
    let command = format!("echo x >> {}; kill -TERM $PPID", marker.display());
    let output = run(&mut watch(&command), Duration::from_secs(60));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{text}"
    );
    assert!(
        text.contains("quality 1: print failure\nwarning\npause\n"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "x\n");
    assert!(!std::fs::read_to_string(&state).unwrap().contains("SECRET"));
    // Refused from the start: an exception ends it.
    let output = run(
        watch("true").env("OE_API_KEY", "a\nb"),
        Duration::from_secs(20),
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.starts_with("OE_ERR_ARGUMENT: "),
        "{errors}"
    );
}
