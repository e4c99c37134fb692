//! The library for those who never see C: a wheel for each platform, and one npm package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oe_server::{Config, Running};

use super::contents::VERSION;
use super::target::{Runner, TARGETS, Target, Variant};
use super::{build, check, folder};
use crate::command::output;
use crate::generated::root;

const PYTHON: &str = "apt-get install python3-pip python3-venv";
const NODE: &str = "apt-get install nodejs npm";

/// Pinned: another version may write another archive.
const WHEEL: &str = "wheel==0.46.1";

/// Good, good, then a warning, then a failure.
const SCRIPT: &str = r#"{"quality":9,"score":4}
{"quality":9,"score":4}
{"quality":3,"score":60,"warning":true}
{"quality":1,"score":95,"warning":true,"pause":true}"#;

/// What pip calls a platform; none where pip has no name.
fn wheel_tag(target: Target) -> Option<&'static str> {
    match target.name {
        "x86_64-linux-gnu" => Some("manylinux2014_x86_64"),
        "aarch64-linux-gnu" => Some("manylinux2014_aarch64"),
        "armv7-linux-gnueabihf" => Some("manylinux2014_armv7l"),
        "x86_64-linux-musl" => Some("musllinux_1_2_x86_64"),
        "aarch64-linux-musl" => Some("musllinux_1_2_aarch64"),
        "x86_64-windows" => Some("win_amd64"),
        "i686-windows" => Some("win32"),
        _ => None,
    }
}

/// What Node calls it: process.platform, process.arch, and whether it is musl.
fn node_folder(target: Target) -> Option<&'static str> {
    match target.name {
        "x86_64-linux-gnu" => Some("linux-x64"),
        "aarch64-linux-gnu" => Some("linux-arm64"),
        "armv7-linux-gnueabihf" => Some("linux-arm"),
        "x86_64-linux-musl" => Some("linux-x64-musl"),
        "aarch64-linux-musl" => Some("linux-arm64-musl"),
        "x86_64-windows" => Some("win32-x64"),
        "i686-windows" => Some("win32-ia32"),
        _ => None,
    }
}

fn library(target: Target) -> &'static str {
    match target.is_windows() {
        true => "oe_process.dll",
        false => "liboe_process.so",
    }
}

/// With the engine, where the target has it.
fn built(target: Target) -> PathBuf {
    build::parts(target, target.fullest()).join(library(target))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("{}: {why}", from.display());
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(failed)?;
    fs::copy(from, to).map(drop).map_err(failed)
}

fn licences(to: &Path, variant: Variant) -> Result<(), String> {
    let model = (variant == Variant::Full).then_some("NOTICE");
    let all = [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "docs/third-party-notices.txt",
    ];
    for file in all.into_iter().chain(model) {
        let from = root().join(file);
        copy(&from, &to.join(from.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// A package's files in Python, and the one that says that they have types; nothing that lies about.
fn modules(package: &Path) -> Result<Vec<PathBuf>, String> {
    let read = fs::read_dir(package).map_err(|why| format!("{}: {why}", package.display()))?;
    let is_ours = |path: &PathBuf| {
        path.extension()
            .is_some_and(|end| end == "py" || end == "typed")
    };
    let mut found: Vec<_> = read
        .flatten()
        .map(|entry| entry.path())
        .filter(is_ours)
        .collect();
    found.sort();
    Ok(found)
}

/// Makes a target's wheel from what `dist` built; says so where there is none to make.
pub fn wheel(target: Target) -> Result<(), String> {
    let Some(tag) = wheel_tag(target) else {
        println!("  pip has no name for this platform");
        return Ok(());
    };
    let staged = folder().join("python").join(target.name);
    drop(fs::remove_dir_all(&staged));
    let here = root().join("python");
    for file in ["pyproject.toml", "README.md"] {
        copy(&here.join(file), &staged.join(file))?;
    }
    for module in modules(&here.join("oe_process"))? {
        let name = Path::new("oe_process").join(module.file_name().unwrap_or_default());
        copy(&module, &staged.join(name))?;
    }
    copy(
        &built(target),
        &staged.join("oe_process").join(library(target)),
    )?;
    licences(&staged.join("licenses"), target.fullest())?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        "out",
        ".",
    ]);
    pip.current_dir(&staged);
    // 2020-01-01, for the times in the zip.
    pip.env("SOURCE_DATE_EPOCH", "1577836800");
    output("pip wheel", PYTHON, &mut pip)?;
    let wheel = wheel_tool()?;
    let mut tags = Command::new("python3");
    tags.env("PYTHONPATH", &wheel)
        .env("SOURCE_DATE_EPOCH", "1577836800");
    tags.args(["-m", "wheel", "tags", "--remove", "--python-tag", "py3"]);
    tags.args(["--abi-tag", "none", "--platform-tag", tag]);
    tags.arg(format!("out/oe_process-{VERSION}-py3-none-any.whl"));
    output("wheel tags", PYTHON, tags.current_dir(&staged))?;
    let name = format!("oe_process-{VERSION}-py3-none-{tag}.whl");
    copy(&staged.join("out").join(&name), &folder().join(&name))?;
    println!("  {}", folder().join(&name).display());
    if target.runner == Runner::Native && target.name.ends_with("gnu") {
        try_wheel(&folder().join(name))?;
    }
    Ok(())
}

fn wheel_tool() -> Result<PathBuf, String> {
    let place = root().join("target/toolchain").join(WHEEL);
    if !place.exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", WHEEL, "--target"]);
        output("pip install", PYTHON, pip.arg(&place))?;
    }
    Ok(place)
}

fn service() -> Result<Running, String> {
    Running::start(Config::scripted(SCRIPT)?)
}

fn environment(command: &mut Command, service: &Running) {
    command
        .env("OE_TEST_ENDPOINT", service.base_url())
        .env("OE_TEST_FRAME", root().join("demo/frames/frame-01.jpg"))
        .env("OE_TEST_SYMBOLS", root().join("tests/abi/symbols.txt"))
        .env_remove("OE_PROCESS_LIBRARY");
}

/// Installs it in a fresh environment and runs its tests there.
fn try_wheel(wheel: &Path) -> Result<(), String> {
    let place = folder().join("installed/venv");
    drop(fs::remove_dir_all(&place));
    let mut venv = Command::new("python3");
    output("venv", PYTHON, venv.args(["-m", "venv"]).arg(&place))?;
    let python = place.join("bin/python");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "mypy==1.18.2"]);
    output("pip install", PYTHON, install.arg(wheel))?;
    let mut types = Command::new(&python);
    types.args(["-m", "mypy", "--strict", "-p", "oe_process"]);
    output("mypy", PYTHON, types.current_dir(&place))?;
    let service = service()?;
    let mut tests = Command::new(&python);
    tests.arg(root().join("python/tests/test_oe_process.py"));
    environment(&mut tests, &service);
    output("the wheel's tests", PYTHON, tests.current_dir(&place))?;
    println!("  installed and tested in a fresh environment, types checked");
    Ok(())
}

/// Makes the npm package with the libraries of all targets that `dist` built.
pub fn npm() -> Result<(), String> {
    let staged = folder().join("npm");
    drop(fs::remove_dir_all(&staged));
    let here = root().join("node");
    for file in [
        "package.json",
        "index.js",
        "log.js",
        "log-thread.js",
        "native.js",
        "index.d.ts",
        "README.md",
    ] {
        copy(&here.join(file), &staged.join(file))?;
    }
    licences(&staged.join("licenses"), Variant::Full)?;
    for target in TARGETS {
        let (Some(name), true) = (node_folder(*target), built(*target).exists()) else {
            println!("  without {}", target.name);
            continue;
        };
        let to = staged.join("lib").join(name).join(library(*target));
        copy(&built(*target), &to)?;
    }
    check::no_paths(&staged)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", "--pack-destination"])
        .arg(folder());
    output("npm pack", NODE, pack.current_dir(&staged))?;
    let package = folder().join(format!("oe-process-{VERSION}.tgz"));
    println!("  {}", package.display());
    try_npm(&package)
}

/// Installs it in an empty project and runs its tests there.
fn try_npm(package: &Path) -> Result<(), String> {
    let place = folder().join("installed/node");
    drop(fs::remove_dir_all(&place));
    fs::create_dir_all(&place).map_err(|why| why.to_string())?;
    fs::write(place.join("package.json"), "{ \"private\": true }\n")
        .map_err(|why| why.to_string())?;
    let mut install = Command::new("npm");
    install.args(["install", "--silent", "--no-audit", "--no-fund"]);
    install
        .args(["typescript@5.9.3", "@types/node@20"])
        .arg(package);
    output("npm install", NODE, install.current_dir(&place))?;
    let types = "import { Client, EventKind, Result } from 'oe-process';\n\
        export async function first(client: Client): Promise<Result | null> {\n\
        for await (const event of client) if (event.kind === EventKind.RESULT) return event.result;\n\
        return null;\n}\n";
    fs::write(place.join("types.ts"), types).map_err(|why| why.to_string())?;
    let mut tsc = Command::new("npx");
    tsc.args(["tsc", "--noEmit", "--strict", "--target", "es2022"]);
    tsc.args(["--module", "node16", "types.ts"]);
    output("tsc", NODE, tsc.current_dir(&place))?;
    copy(
        &root().join("node/test/oe_process.test.js"),
        &place.join("oe_process.test.js"),
    )?;
    let service = service()?;
    let mut tests = Command::new("node");
    tests.args(["--test", "oe_process.test.js"]);
    environment(&mut tests, &service);
    output("the package's tests", NODE, tests.current_dir(&place))?;
    println!("  installed and tested in an empty project, types checked");
    Ok(())
}
