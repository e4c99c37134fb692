//! Every language's FFI as a host: programs of at most 40 lines watch a print with events, over the
//! built library, and where the language can read it, the shipped header.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use oe_server::{Config, Running};
use oe_test_support::library::{has_tool, release_dir, root, run, scratch, target_dir};

/// The version that is tested; what later ones change, nobody has looked at yet.
const KOFFI: &str = "koffi@3.3.4";

/// Good, then an error, whose text lies far inside a structure, then a warning, then a failure.
const SCRIPT: &str = r#"{"quality":9,"score":4}
{"error":"OE_IMAGE_DECODE_FAILED"}
{"quality":3,"score":60,"warning":true}
{"quality":1,"score":95,"warning":true,"pause":true}"#;
const LINES: &str = "quality 9 score 4
error: The image could not be decoded; the next frame may be fine. (HTTP 400)
quality 3 score 60
warning
quality 1 score 95
pause
";

fn program(name: &str) -> PathBuf {
    root().join("tests/ffi").join(name)
}

fn library() -> PathBuf {
    release_dir().join("liboe_process.so")
}

/// Runs a program with the arguments that all of them take, to its end.
fn watches(mut command: Command) {
    let service = Running::start(Config::scripted(SCRIPT).unwrap()).unwrap();
    command
        .arg(library())
        .arg(root().join("include/oe_process.h"))
        .arg(service.base_url())
        .arg(root().join("demo/frames"))
        .env("OE_API_KEY", "SECRETKEY");
    let output = run(&mut command, Duration::from_secs(90));
    let lines = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{:?}\n{lines}\n{errors}",
        output.status
    );
    assert_eq!((&*lines, &*errors), (LINES, ""));
    let calls = service.stats().calls();
    assert_eq!((calls.len(), service.stats().creates()), (3, 1));
    for pair in calls.windows(2) {
        assert!(
            pair[1].0 - pair[0].1 >= Duration::from_secs(5),
            "never early"
        );
    }
}

/// Builds something; it must succeed.
fn builds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&text)
    );
}

/// A Python that has cffi.
fn python() -> Option<&'static str> {
    let has_cffi = |python: &&str| {
        let probe = Command::new(python).args(["-c", "import cffi"]).output();
        probe.is_ok_and(|output| output.status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has_cffi);
    // Says so, or fails, as for any other tool that is missing.
    found.or_else(|| {
        has_tool("a python3 with cffi", "apt-get install python3-cffi").then_some("python3")
    })
}

fn python_watches(name: &str) {
    if let Some(python) = python() {
        let mut command = Command::new(python);
        command.arg(program(name));
        watches(command);
    }
}

#[test]
fn python_ctypes() {
    python_watches("watch_ctypes.py");
}

#[test]
fn python_cffi() {
    python_watches("watch_cffi.py");
}

#[test]
fn python_asyncio() {
    python_watches("watch_asyncio.py");
}

/// The folder of modules with koffi, installed now if need be; none without npm.
fn koffi() -> Option<PathBuf> {
    static INSTALLED: Mutex<()> = Mutex::new(());
    let _one = INSTALLED.lock().unwrap();
    if !has_tool("npm", "apt-get install nodejs npm") {
        return None;
    }
    let dir = scratch("koffi");
    if !dir.join("node_modules/koffi").exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--ignore-scripts", "--no-save"]);
        npm.args(["--no-audit", "--no-fund", "--prefix"]);
        builds(npm.arg(&dir).arg(KOFFI));
    }
    Some(dir.join("node_modules"))
}

#[test]
fn node_koffi() {
    let Some(modules) = koffi() else { return };
    let mut command = Command::new("node");
    command.arg(program("watch.js")).env("NODE_PATH", modules);
    watches(command);
}

/// The packages' own tests, over the sources; `cargo xtask wheel` and `npm` run them over what is installed.
mod packages {
    use super::*;

    /// Good, good, then a warning, then a failure.
    const SCRIPT: &str = r#"{"quality":9,"score":4}
{"quality":9,"score":4}
{"quality":3,"score":60,"warning":true}
{"quality":1,"score":95,"warning":true,"pause":true}"#;

    fn passes(mut command: Command) {
        let service = Running::start(Config::scripted(SCRIPT).unwrap()).unwrap();
        command
            .env("OE_TEST_ENDPOINT", service.base_url())
            .env("OE_TEST_FRAME", root().join("demo/frames/frame-01.jpg"))
            .env("OE_TEST_SYMBOLS", root().join("tests/abi/symbols.txt"))
            .env("OE_PROCESS_LIBRARY", library());
        let output = run(&mut command, Duration::from_secs(180));
        let lines = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{lines}\n{errors}");
    }

    #[test]
    fn python() {
        if has_tool("python3", "apt-get install python3") {
            let mut command = Command::new("python3");
            command
                .args(["-B", "-W", "error"])
                .arg(root().join("python/tests/test_oe_process.py"))
                .env("PYTHONPATH", root().join("python"));
            passes(command);
        }
    }

    #[test]
    fn node() {
        let Some(modules) = koffi() else { return };
        // As if it were installed; koffi is found by the path.
        let dir = scratch("node-package/node_modules");
        let link = dir.join("oe-process");
        drop(std::fs::remove_file(&link));
        std::os::unix::fs::symlink(root().join("node"), &link).unwrap();
        let test = dir.join("oe_process.test.js");
        std::fs::copy(root().join("node/test/oe_process.test.js"), &test).unwrap();
        let mut command = Command::new("node");
        command.arg("--test").arg(test).env("NODE_PATH", modules);
        passes(command);
    }
}

#[test]
fn luajit_ffi() {
    if has_tool("luajit", "apt-get install luajit") {
        let mut command = Command::new("luajit");
        command.arg(program("watch.lua"));
        watches(command);
    }
}

#[test]
fn csharp_mono() {
    if !has_tool("mcs", "apt-get install mono-mcs mono-runtime") {
        return;
    }
    let exe = scratch("ffi").join("Watch.exe");
    builds(
        Command::new("mcs")
            .args(["-unsafe", "-warnaserror"])
            .arg(format!("-out:{}", exe.display()))
            .arg(program("Watch.cs")),
    );
    let mut command = Command::new("mono");
    command.arg(exe).env("LD_LIBRARY_PATH", release_dir());
    watches(command);
}

#[test]
fn ruby_fiddle() {
    if has_tool("ruby", "apt-get install ruby") {
        let mut command = Command::new("ruby");
        command.arg(program("watch.rb"));
        watches(command);
    }
}

#[test]
fn go_cgo() {
    if !has_tool("go", "apt-get install golang-go") {
        return;
    }
    let (lib, out) = (
        release_dir().display().to_string(),
        scratch("ffi").join("watch-go"),
    );
    builds(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&out)
            .arg(program("watch.go"))
            .env(
                "CGO_CFLAGS",
                format!("-I{}", root().join("include").display()),
            )
            .env(
                "CGO_LDFLAGS",
                format!("-L{lib} -loe_process -Wl,-rpath,{lib}"),
            )
            .env("GOCACHE", scratch("go-cache")),
    );
    watches(Command::new(out));
}

#[test]
fn rust_libloading() {
    // `cargo test --test ffi` builds no examples.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "oe-process"]);
    cargo.args(["--example", "libloading_host", "--target-dir"]);
    builds(cargo.arg(target_dir()).current_dir(root()));
    let host = target_dir().join("debug/examples/libloading_host");
    watches(Command::new(host));
}

fn programs() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root().join("tests/ffi"))
        .unwrap()
        .flatten();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .map(|file| (name(&file.path()), read(&file.path())))
        .collect()
}

#[test]
fn each_is_at_most_forty_lines() {
    let programs = programs();
    assert_eq!(programs.len(), 9);
    for (name, text) in programs {
        assert!(text.lines().count() <= 40, "{name}");
        let longest = text.lines().map(str::len).max().unwrap();
        assert!(longest <= 145, "{name}: {longest}");
    }
}

/// What a program declares by hand is what the header says.
#[test]
fn numbers_written_by_hand_are_those_of_the_header() {
    let header = std::fs::read_to_string(root().join("include/oe_process.h")).unwrap();
    let of_header = |name: &str| {
        let (_, rest) = header.split_once(&format!(" {name} = "))?;
        rest.split([',', ' ', '\n']).next()?.parse::<i64>().ok()
    };
    let mut found = 0;
    for (name, text) in programs() {
        // "OE_X = 1", "OE_X: i32 = 1", and in Python's way "OE_X, OE_Y = 1, 2".
        for line in text.lines().filter(|line| line.contains(" = ")) {
            let (left, right) = line.split_once(" = ").unwrap();
            let numbers: Vec<Option<i64>> = right
                .split(',')
                .map(|word| word.trim().parse().ok())
                .collect();
            let names: Vec<&str> = left.split(',').map(str::trim).collect();
            if name.ends_with(".py") && names.len() == numbers.len() {
                for (name, number) in names.iter().zip(numbers) {
                    if name.starts_with("OE_") {
                        assert_eq!(of_header(name), number, "{name}");
                        found += 1;
                    }
                }
            }
        }
        for (at, _) in text.match_indices("OE_").filter(|_| !name.ends_with(".py")) {
            let word: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let rest = text[at + word.len()..].trim_start_matches(": i32");
            let Some(value) = rest.strip_prefix(" = ") else {
                continue;
            };
            let number: String = value.chars().take_while(char::is_ascii_digit).collect();
            if word == "OE_NEVER" {
                let hexadecimal = value.replace('_', "").to_uppercase();
                assert!(hexadecimal.starts_with("0XFFFFFFFF;"), "{name}: {value}");
                continue;
            }
            assert_eq!(of_header(&word), number.parse().ok(), "{name}: {word}");
            found += 1;
        }
    }
    assert!(found >= 4 * 6, "{found}");
}
