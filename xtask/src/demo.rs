//! The main job, for everyone to see: a C program watches a print that fails.
//!
//! Builds the library, compiles `examples-c/watch.c` against its header, starts the service on a
//! loopback port and runs the program over the demo frames at the real pace. No key, no network.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use oe_server::reply::Edition;
use oe_server::{Config, Running, verdicts};

fn done(what: &str, command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|why| format!("{what}: {why}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{what} ended with {status}"))
    }
}

/// Programs ask for the SONAME; installing makes this link, a build folder lacks it.
fn link_soname(release: &Path) -> Result<(), String> {
    let link = release.join("liboe_process.so.0");
    #[cfg(unix)]
    if !link.exists() {
        std::os::unix::fs::symlink("liboe_process.so", &link)
            .map_err(|why| format!("{}: {why}", link.display()))?;
    }
    Ok(())
}

fn start_service(root: &Path) -> Result<Running, String> {
    let script = root.join("demo/verdicts.jsonl");
    let text =
        std::fs::read_to_string(&script).map_err(|why| format!("{}: {why}", script.display()))?;
    Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        recommended: 20,
        verdicts: Arc::new(verdicts::parse(&text)?),
        ..Config::default()
    })
}

/// Runs the demo; an error when the warning or the pause was not raised exactly once.
pub fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("no workspace")?;
    println!("building the library ...");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = std::env::var("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let mut build = Command::new(cargo);
    build
        .args(["build", "--release", "--quiet", "--package", "oe-process"])
        .current_dir(root);
    done("cargo build", build.arg("--target-dir").arg(&target))?;

    println!("compiling examples-c/watch.c ...");
    let release = target.join("release");
    link_soname(&release)?;
    let program = release.join("watch-demo");
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-pedantic"]);
    cc.arg("-I")
        .arg(root.join("include"))
        .arg(root.join("examples-c/watch.c"));
    cc.arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(&release)
        .args(["-loe_process", "-lpthread"]);
    done("cc", cc.arg(format!("-Wl,-rpath,{}", release.display())))?;

    let service = start_service(root)?;
    let frames = root.join("demo/frames");
    println!(
        "watching the 12 frames of demo/frames at {}, one every 5 s\n",
        service.base_url()
    );
    let output = Command::new(&program)
        .args([
            "--endpoint",
            &service.base_url(),
            "--interval",
            "5",
            "--replay",
        ])
        .args([
            "--on-warning",
            "echo '          >> the user would be told now'",
        ])
        .args([
            "--on-pause",
            "echo '          >> the print would be paused now'",
        ])
        .arg(&frames)
        .env("OE_API_KEY", "demo-key")
        .stderr(Stdio::inherit())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(show)
        .map_err(|why| format!("watch: {why}"))?;
    service.stop();
    let count = |what: &str| output.lines().filter(|line| line.contains(what)).count();
    match (count("quality"), count("told now"), count("paused now")) {
        (12, 1, 1) => println!("\n12 verdicts, one warning, one pause: as it should be."),
        found => {
            return Err(format!(
                "verdicts, warnings, pauses: {found:?}, not (12, 1, 1)"
            ));
        }
    }
    Ok(())
}

/// Passes a program's lines on as they come, and keeps them.
fn show(mut child: std::process::Child) -> std::io::Result<String> {
    use std::io::{BufRead, BufReader};
    let mut kept = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    let status = child.wait()?;
    if status.success() {
        Ok(kept)
    } else {
        Err(std::io::Error::other(status.to_string()))
    }
}
