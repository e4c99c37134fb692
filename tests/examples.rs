//! The examples as a newcomer runs them: with the engine in the library unless told otherwise, with a
//! service when that is asked for, and with clear words when it cannot be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use oe_server::{Config, Running};
use oe_test_support::library::{
    Link, compile, has_headers, has_tool, release_dir, root, run, scratch,
};

const MINUTE: Duration = Duration::from_secs(60);
/// What a script answers to every picture.
const FAILED: &str = r#"{"quality":1,"score":95,"warning":true,"pause":true}"#;

fn service(script: &str) -> Running {
    Running::start(Config::scripted(script).unwrap()).unwrap()
}

fn source(name: &str) -> PathBuf {
    root().join("examples-c").join(name)
}

/// An example, compiled; none where a library that it takes is missing.
fn example(name: &str) -> Option<PathBuf> {
    match name {
        "moonraker" => {
            let packages = "apt-get install libcurl4-openssl-dev libcjson-dev";
            let there = has_headers(&["curl/curl.h", "cjson/cJSON.h"], packages);
            there.then(|| {
                compile(
                    &source("moonraker.c"),
                    Link::Shared,
                    &["-Wl,--no-as-needed", "-lcurl", "-lcjson"],
                )
            })
        }
        "monitor-cpp" => has_tool("g++", "apt-get install g++").then(cpp_example),
        name => Some(compile(
            &source(name).with_extension("c"),
            Link::Shared,
            &[],
        )),
    }
}

fn cpp_example() -> PathBuf {
    let out = scratch("examples").join(format!("monitor-cpp-{}", std::process::id()));
    if !out.exists() {
        let lib = release_dir();
        let mut compiler = Command::new("g++");
        compiler.args(["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror"]);
        compiler.arg("-I").arg(root().join("include"));
        compiler.arg(source("monitor.cpp")).arg("-o").arg(&out);
        compiler
            .arg("-L")
            .arg(lib)
            .args(["-loe_process", "-lpthread"]);
        compiler.arg(format!("-Wl,-rpath,{}", lib.display()));
        assert!(compiler.status().unwrap().success());
    }
    out
}

/// Without a key in the environment, whatever this test was started with.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("OE_API_KEY");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// A folder with these pictures of the demo.
fn frames(name: &str, numbers: std::ops::RangeInclusive<u32>) -> PathBuf {
    let folder = scratch("examples-frames").join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    for number in numbers {
        let file = format!("frame-{number:02}.jpg");
        std::fs::copy(root().join("demo/frames").join(&file), folder.join(&file)).unwrap();
    }
    folder
}

/// Runs a program that does not end by itself until it has said this; ends it then.
fn until(command: &mut Command, what: &str) -> String {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        said += &(line.unwrap() + "\n");
        if said.contains(what) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn each_says_who_looks_and_refuses_what_cannot_be() {
    for name in ["watch", "monitor", "farm", "moonraker", "monitor-cpp"] {
        let Some(program) = example(name) else {
            continue;
        };
        let help = run(command(&program).arg("--help"), MINUTE);
        assert!(help.status.success(), "{name}");
        assert!(text(&help.stdout).contains("--engine embedded"), "{name}");
        let refused = |args: &[&str], why: &str| {
            let more = match name {
                "moonraker" => &["--camera", "http://127.0.0.1:1/"][..],
                "monitor-cpp" => &["snapshot.jpg", "true"],
                _ => &["snapshot.jpg"],
            };
            let output = run(command(&program).args(args).args(more), MINUTE);
            assert_eq!(output.status.code(), Some(2), "{name} {args:?}");
            assert!(text(&output.stderr).contains(why), "{name}: {output:?}");
        };
        refused(&["--engine", "both"], "embedded or service");
        refused(&["--engine", "service"], "OE_API_KEY");
        let endpoint = ["--engine", "embedded", "--endpoint", "http://127.0.0.1:1"];
        refused(&endpoint, "--endpoint is for --engine service");
    }
}

/// The words for a library without the engine, from a stand-in that has none.
#[test]
fn a_library_without_the_engine_is_told_of() {
    let folder = scratch("examples-without");
    let program = r#"
        #include <stdio.h>
        #include "engine.h"
        int32_t oe_has(int32_t feature) { return feature != OE_FEATURE_EMBEDDED; }
        int main(void)
        {
            int32_t backend = -1;
            puts(engine_problem(NULL, NULL, &backend));
            return engine_problem(NULL, "http://127.0.0.1:1", &backend) || backend != OE_BACKEND_SERVICE;
        }"#;
    std::fs::write(folder.join("without.c"), program).unwrap();
    let examples = format!("-I{}", root().join("examples-c").display());
    let program = compile(&folder.join("without.c"), Link::Shared, &[&examples]);
    let output = run(&mut command(&program), MINUTE);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("built without the engine: use --engine service"),
        "{said}"
    );
}

/// No key, no address: the quality falls, one warning, one pause, and where.
#[test]
fn watch_sees_the_demo_s_print_fail() {
    let watch = example("watch").unwrap();
    let table = scratch("examples-table").join("table.csv");
    let mut program = command(&watch);
    program.args(["--replay", "--interval", "60", "--on-pause", "echo PAUSED"]);
    program
        .arg("--table")
        .arg(&table)
        .arg(root().join("demo/frames"));
    // A key that is there by chance changes nothing.
    let output = run(program.env("OE_API_KEY", "SECRETKEY"), MINUTE);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    let count = |what: &str| said.matches(what).count();
    assert_eq!(
        ["  quality ", "[WARN NOW]", "[PAUSE NOW]", "PAUSED"].map(count),
        [12, 1, 1, 1],
        "{said}"
    );
    assert!(said.find("[WARN NOW]") < said.find("[PAUSE NOW]"));
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("quality"))
        .collect();
    assert!(lines[0].starts_with("0:00:00") && lines[11].starts_with("0:11:00"));
    assert!(lines[..8].iter().all(|line| !line.contains("% across")));
    assert!(
        lines[11].contains("middle (20-70 % across, 30-80 % down)"),
        "{said}"
    );

    let table = std::fs::read_to_string(table).unwrap();
    let columns = |line: &str| -> Vec<i64> { line.split(',').flat_map(str::parse).collect() };
    let rows: Vec<Vec<i64>> = table.lines().skip(1).map(columns).collect();
    assert_eq!(rows.len(), 12, "{table}");
    assert_eq!((rows[0][0], rows[11][0]), (0, 660));
    assert!(rows[0][2] >= 9 && rows[11][2] <= 2, "{table}");
    for (column, edges) in [(6, 1), (7, 1)] {
        assert_eq!(rows.iter().map(|row| row[column]).sum::<i64>(), edges);
    }
    assert!(table.lines().nth(12).unwrap().ends_with(",frame-12.jpg"));
}

#[test]
fn a_replay_says_what_is_no_picture_and_goes_on() {
    let folder = frames("broken", 1..=3);
    let whole = std::fs::read(folder.join("frame-02.jpg")).unwrap();
    for (name, bytes) in [
        ("frame-02a.jpg", &whole[..whole.len() / 4]),
        ("frame-02b.jpg", b"no picture"),
        ("frame-02c.jpg", b""),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let watch = example("watch").unwrap();
    let complaints = [
        "frame-02a.jpg: OE_ERR_IMAGE",
        "frame-02b.jpg: OE_ERR_NOT_JPEG",
        "frame-02c.jpg: cannot",
    ];
    let service = service("{}");
    let endpoint = service.base_url();
    for more in [&[][..], &["--endpoint", &endpoint, "--interval", "5"]] {
        let output = run(
            command(&watch).arg("--replay").args(more).arg(&folder),
            MINUTE,
        );
        let said = words(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("  quality ").count(), 3, "{said}");
        for complaint in complaints {
            assert_eq!(said.matches(complaint).count(), 1, "{said}");
        }
    }
    let monitor = example("monitor").unwrap();
    let mut program = command(&monitor);
    let output = run(
        program.args(["--replay", "--interval", "5"]).arg(&folder),
        MINUTE,
    );
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.lines()
            .filter(|line| line.starts_with("quality "))
            .count(),
        3,
        "{said}"
    );
}

#[test]
fn a_replay_of_nothing_is_an_error() {
    let watch = example("watch").unwrap();
    let empty = frames("empty", 1..=1);
    std::fs::rename(empty.join("frame-01.jpg"), empty.join("notes.txt")).unwrap();
    for (path, why) in [
        (empty.clone(), "no JPEG in it"),
        (empty.join("none"), "no such folder"),
        (empty.join("notes.txt"), "no such folder"),
    ] {
        let output = run(command(&watch).arg("--replay").arg(path), MINUTE);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
}

#[test]
fn the_engine_looks_unless_a_service_is_asked_for() {
    let folder = frames("one", 1..=1);
    let picture = folder.join("frame-01.jpg");
    for (name, args, seen) in [
        ("watch", &["--replay"][..], "  quality 10 "),
        ("monitor", &["--replay", "--interval", "5"], "quality 10 ("),
        (
            "farm",
            &["--bench", "--printers", "2", "--calls", "2"],
            "calls=2 errors=0",
        ),
    ] {
        let program = example(name).unwrap();
        for engine in [&[][..], &["--engine", "embedded"]] {
            let output = run(
                command(&program).args(engine).args(args).arg(&folder),
                MINUTE,
            );
            assert!(output.status.success(), "{name}: {output:?}");
            assert!(words(&output).contains(seen), "{name}: {output:?}");
        }
        let service = service(FAILED);
        let mut program = command(&program);
        program.args(["--engine", "service", "--endpoint", &service.base_url()]);
        let output = run(program.args(args).arg(&folder), MINUTE);
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(!service.stats().calls().is_empty(), "{name}: {output:?}");
    }
    if let Some(program) = example("monitor-cpp") {
        let said = until(command(&program).arg(&picture).arg("true"), "quality");
        assert_eq!(said, "quality 10: perfect\n");
        let service = service(FAILED);
        let mut program = command(&program);
        program.args(["--engine", "service", "--endpoint", &service.base_url()]);
        let said = until(program.arg(&picture).arg("true"), "pause");
        assert!(said.starts_with("quality 1: print failure\n"), "{said}");
    }
}

/// The README's first program: nothing is needed, and one line turns it to the service.
#[test]
fn the_minimal_program_needs_nothing_and_one_line_turns_it() {
    let minimal = compile(&source("minimal.c"), Link::Shared, &[]);
    let picture = root().join("demo/frames/frame-01.jpg");
    let start = |program: &Path| {
        let mut start = Command::new(program);
        start.arg(&picture).env_remove("OE_API_KEY");
        start
    };
    assert_eq!(until(&mut start(&minimal), "\n"), "OE_OK: perfect\n");
    let service = service(FAILED);
    let asked = ["--engine", "service", &service.base_url()];
    let said = until(start(&minimal).args(asked), "pause the print now\n");
    assert_eq!(said, "OE_OK: print failure\npause the print now\n");
    assert_eq!(service.stats().calls().len(), 1);

    let program = std::fs::read_to_string(source("minimal.c")).unwrap();
    let service_line = program.replacen("= OE_BACKEND_EMBEDDED;", "= OE_BACKEND_SERVICE;", 1);
    assert_ne!(service_line, program);
    let turned = scratch("examples-turned").join("turned.c");
    std::fs::write(&turned, service_line).unwrap();
    let turned = compile(&turned, Link::Shared, &[]);
    let output = run(start(&turned).env("OE_API_KEY", "a\nb"), MINUTE);
    assert_eq!(
        output.status.code(),
        Some(1),
        "the key counts now: {output:?}"
    );
    let said = until(
        start(&turned).args(["-", "-", &service.base_url()]),
        "pause the print now",
    );
    assert!(said.starts_with("OE_OK: print failure\n"), "{said}");
}
