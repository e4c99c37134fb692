//! `examples-c/watch.c`, compiled against the library that is here, and run.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::generated::root;

fn target() -> PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or(root().join("target"), Into::into)
}

/// Where the demo puts what it makes.
pub fn folder() -> PathBuf {
    target().join("demo")
}

/// The program, of this run alone: several may run at a time.
pub struct Watch {
    here: PathBuf,
}

impl Watch {
    /// Builds the library and the program.
    pub fn build() -> Result<Watch, String> {
        println!("building the library ...");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .args(["build", "--release", "--quiet", "--package", "oe-process"])
            .current_dir(root());
        done("cargo build", build.arg("--target-dir").arg(target()))?;
        let here = folder().join(std::process::id().to_string());
        fs::create_dir_all(&here).map_err(|why| format!("{}: {why}", here.display()))?;
        let watch = Watch { here };

        println!("compiling examples-c/watch.c ...");
        let release = target().join("release");
        let release = fs::canonicalize(&release).unwrap_or(release);
        link_soname(&release)?;
        let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
        cc.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-pedantic", "-I"]);
        cc.arg(root().join("include"));
        cc.arg(root().join("examples-c/watch.c"));
        cc.arg("-o").arg(watch.file("watch"));
        cc.arg("-L").arg(&release);
        cc.args(["-loe_process", "-lpthread"]);
        cc.arg(format!("-Wl,-rpath,{}", release.display()));
        done("cc (apt-get install gcc libc6-dev)", &mut cc)?;
        Ok(watch)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.here.join(name)
    }

    /// Watches with the engine in the library; gives the table of what it saw.
    pub fn embedded(&self, pictures: &Path, interval: u32) -> Result<String, String> {
        self.run(&["--engine", "embedded"], pictures, interval)
    }

    /// The same, asking a service.
    pub fn asking(&self, url: &str, pictures: &Path, pace: u32) -> Result<String, String> {
        let service = ["--engine", "service", "--endpoint", url];
        self.run(&service, pictures, pace)
    }

    fn run(&self, engine: &[&str], pictures: &Path, interval: u32) -> Result<String, String> {
        let table = self.file("table.csv");
        let mut watch = Command::new(self.file("watch"));
        watch.args(engine).args(["--replay", "--interval"]);
        watch.arg(interval.to_string()).arg("--table").arg(&table);
        let warned = "echo '          >> the user would be told now'";
        let paused = "echo '          >> the print would be paused now'";
        watch.args(["--on-warning", warned, "--on-pause", paused]);
        // A folder whose name begins with a dash is no option.
        watch.arg(fs::canonicalize(pictures).unwrap_or_else(|_| pictures.to_owned()));
        done("watch", watch.env_remove("OE_API_KEY"))?;
        let bytes = fs::read(&table).map_err(|why| format!("{}: {why}", table.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.here));
    }
}

fn done(what: &str, command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|why| format!("{what}: {why}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{what} ended with {status}")),
    }
}

/// Programs ask for the SONAME; installing makes this link, a build folder lacks it.
fn link_soname(release: &Path) -> Result<(), String> {
    let link = release.join("liboe_process.so.0");
    #[cfg(unix)]
    match std::os::unix::fs::symlink(OsStr::new("liboe_process.so"), &link) {
        Err(why) if !link.exists() => return Err(format!("{}: {why}", link.display())),
        _ => {}
    }
    Ok(())
}
