//! The C tests with the address sanitizer: the library built with it on nightly, and linked into C
//! programs of which one has a planted error, which must be found.

use std::path::{Path, PathBuf};
use std::process::Command;

use oe_server::reply::Edition;
use oe_server::{Config, Running};

use crate::command::{NIGHTLY, nightly, output};
use crate::generated::root;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The static library with the sanitizer, and the sanitizer's runtime.
fn build() -> Result<(PathBuf, PathBuf), String> {
    let target_dir = root().join("target/asan");
    let mut cargo = nightly("cargo");
    cargo.args([
        "build",
        "--quiet",
        "--package",
        "oe-process",
        "--target",
        TARGET,
    ]);
    cargo.env("RUSTFLAGS", "-Zsanitizer=address");
    cargo.env("CARGO_TARGET_DIR", &target_dir);
    output("cargo +nightly build", NIGHTLY, cargo.current_dir(root()))?;
    let mut rustc = nightly("rustc");
    let sysroot = output(
        "rustc +nightly",
        NIGHTLY,
        rustc.args(["--print", "sysroot"]),
    )?;
    let runtime = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib/librustc-nightly_rt.asan.a");
    let library = target_dir.join(TARGET).join("debug/liboe_process.a");
    match runtime.exists() {
        true => Ok((library, runtime)),
        false => Err(format!("{} is missing", runtime.display())),
    }
}

fn program(name: &str, (library, runtime): &(PathBuf, PathBuf)) -> Result<PathBuf, String> {
    let source = root().join(name);
    let stem = source.file_stem().unwrap_or_default().to_os_string();
    let out = root().join("target/asan").join(stem);
    let mut cc = Command::new("gcc");
    cc.args(["-std=gnu11", "-g", "-O1", "-I"]);
    cc.arg(root().join("include"))
        .arg(&source)
        .arg("-o")
        .arg(&out)
        .arg(library);
    // Rust's own runtime, whole. The program itself is compiled as ever: what is looked at is the
    // library, and every allocation, as the runtime takes the place of malloc.
    cc.arg("-Wl,--whole-archive").arg(runtime);
    cc.args([
        "-Wl,--no-whole-archive",
        "-rdynamic",
        "-lstdc++",
        "-lpthread",
        "-ldl",
        "-lm",
    ]);
    output(name, "apt-get install gcc", &mut cc)?;
    Ok(out)
}

/// Runs the C tests, and a stress of `seconds`, under the sanitizer.
pub fn run(seconds: &str) -> Result<(), String> {
    println!("building with the address sanitizer ...");
    let built = build()?;
    let planted = program("tests/sanitize/planted.c", &built)?;
    let found = Command::new(&planted)
        .output()
        .map_err(|why| why.to_string())?;
    let report = String::from_utf8_lossy(&found.stderr);
    if found.status.success() || !report.contains("heap-buffer-overflow") {
        return Err(format!(
            "the planted error was not found: the sanitizer is off\n{report}"
        ));
    }
    println!("  the planted error is found");
    let service = Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    })?;
    let frame = root().join("demo/frames/frame-01.jpg");
    for name in ["tests/c/abi.c", "tests/c/monitor.c"] {
        println!("  {name}");
        let program = program(name, &built)?;
        // A fork leaves behind what its threads held: that is no leak of anybody's.
        let mut run = Command::new(program);
        run.arg(service.base_url()).arg(&frame).arg("sanitizer");
        output(
            name,
            "was it built?",
            run.env("ASAN_OPTIONS", "detect_leaks=0"),
        )?;
    }
    println!("  tests/sanitize/stress.c for {seconds} s");
    let stress = program("tests/sanitize/stress.c", &built)?;
    let mut run = Command::new(stress);
    run.arg(service.base_url()).arg(seconds);
    output(
        "stress",
        "was it built?",
        run.env("ASAN_OPTIONS", "detect_leaks=1"),
    )
    .map(drop)
}
