//! The C tests under a sanitizer: the library is built with it and linked into C programs. One of
//! them has an error planted on purpose, which must be found.

use std::path::{Path, PathBuf};
use std::process::Command;

use oe_server::reply::Edition;
use oe_server::{Config, Running};

use crate::command::{NIGHTLY, nightly, output};
use crate::generated::root;
use crate::toolchain;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What is looked for.
#[derive(Clone, Copy, PartialEq)]
pub enum Sanitizer {
    /// Reads and writes out of bounds or after a free; leaks.
    Address,
    /// Accesses that no lock or atomic orders. It has to see every one of them, so the standard
    /// library is built with it too.
    Thread,
}

impl Sanitizer {
    fn short(self) -> &'static str {
        match self {
            Sanitizer::Address => "asan",
            Sanitizer::Thread => "tsan",
        }
    }

    /// A program with an error, and what the report must have in it.
    fn planted(self) -> (&'static str, &'static str) {
        match self {
            Sanitizer::Address => ("tests/sanitize/overread.c", "heap-buffer-overflow"),
            Sanitizer::Thread => ("tests/sanitize/race.c", "ThreadSanitizer: data race"),
        }
    }

    fn folder(self) -> PathBuf {
        root().join("target").join(self.short())
    }

    fn cargo(self) -> Result<Command, String> {
        let mut cargo = match self {
            Sanitizer::Address => {
                let mut cargo = nightly("cargo");
                cargo.arg("build").env("RUSTFLAGS", "-Zsanitizer=address");
                cargo
            }
            Sanitizer::Thread => {
                let mut cargo = toolchain::cargo()?;
                cargo.args(["build", toolchain::BUILD_STD]);
                // Debian's compiler comes without the runtime; nightly's is linked below.
                cargo.env("RUSTFLAGS", "-Zsanitizer=thread -Zexternal-clangrt");
                cargo
            }
        };
        cargo.args(["--quiet", "--locked", "--package", "oe-process"]);
        cargo.args(["--target", TARGET]);
        cargo.env("CARGO_TARGET_DIR", self.folder());
        cargo.current_dir(root());
        Ok(cargo)
    }

    fn runtime(self) -> Result<PathBuf, String> {
        let mut rustc = nightly("rustc");
        rustc.args(["--print", "sysroot"]);
        let sysroot = output("rustc +nightly", NIGHTLY, &mut rustc)?;
        let runtime = Path::new(sysroot.trim())
            .join("lib/rustlib")
            .join(TARGET)
            .join(format!("lib/librustc-nightly_rt.{}.a", self.short()));
        match runtime.exists() {
            true => Ok(runtime),
            false => Err(format!("{} is missing ({NIGHTLY})", runtime.display())),
        }
    }
}

/// The library with a sanitizer in it.
struct Built {
    sanitizer: Sanitizer,
    library: PathBuf,
    runtime: PathBuf,
}

impl Built {
    fn new(sanitizer: Sanitizer) -> Result<Built, String> {
        output("cargo build", NIGHTLY, &mut sanitizer.cargo()?)?;
        Ok(Built {
            sanitizer,
            library: sanitizer
                .folder()
                .join(TARGET)
                .join("debug/liboe_process.a"),
            runtime: sanitizer.runtime()?,
        })
    }

    /// A C program, ready to run. It is itself compiled as ever: what is looked at is the library,
    /// and every allocation and lock, as the runtime takes the place of libc's functions.
    fn program(&self, name: &str) -> Result<Command, String> {
        let source = root().join(name);
        let stem = source.file_stem().unwrap_or_default();
        let out = self.sanitizer.folder().join(stem);
        let mut cc = Command::new("gcc");
        cc.args(["-std=gnu11", "-g", "-O1", "-I"]);
        cc.arg(root().join("include")).arg(&source);
        cc.arg("-o").arg(&out).arg(&self.library);
        cc.arg("-Wl,--whole-archive").arg(&self.runtime);
        cc.args(["-Wl,--no-whole-archive", "-rdynamic", "-lstdc++"]);
        cc.args(["-lpthread", "-ldl", "-lm"]);
        output(name, "apt-get install gcc", &mut cc)?;
        Ok(Command::new(out))
    }

    fn find_the_planted_error(&self) -> Result<(), String> {
        let (name, expected) = self.sanitizer.planted();
        let run = self.program(name)?.output();
        let found = run.map_err(|why| why.to_string())?;
        let report = String::from_utf8_lossy(&found.stderr);
        if found.status.success() || !report.contains(expected) {
            let what = "the planted error was not found: the sanitizer is off";
            return Err(format!("{what}\n{report}"));
        }
        println!("  the error planted in {name} is found");
        Ok(())
    }

    /// Runs a program; any report is an error.
    fn run(&self, name: &str, arguments: &[&str], leaks: bool) -> Result<(), String> {
        println!("  {name}");
        let mut run = self.program(name)?;
        run.args(arguments);
        run.env("ASAN_OPTIONS", format!("detect_leaks={}", u8::from(leaks)));
        // A child that a threaded process forked may make threads of its own.
        run.env("TSAN_OPTIONS", "die_after_fork=0");
        output(name, "was it built?", &mut run).map(drop)
    }
}

/// The engine's network with every kind of kernel that this processor can run: the only loops of ours
/// with pointers in them.
fn kernels() -> Result<(), String> {
    println!("  the kernels of the network");
    let mut cargo = nightly("cargo");
    cargo.args(["test", "--quiet", "--locked", "--target", TARGET]);
    cargo.args(["--package", "oe-process-engine", "--lib", "network"]);
    cargo.env("RUSTFLAGS", "-Zsanitizer=address");
    cargo.env("CARGO_TARGET_DIR", Sanitizer::Address.folder());
    let tests = output("cargo test", NIGHTLY, cargo.current_dir(root()))?;
    match tests.contains("0 failed") && !tests.contains(" 0 passed") {
        true => Ok(()),
        false => Err(format!("the tests of the network did not run\n{tests}")),
    }
}

/// Runs the C tests, and a stress of `seconds`, under a sanitizer.
pub fn run(sanitizer: Sanitizer, seconds: &str) -> Result<(), String> {
    println!("building for {} ...", sanitizer.short());
    if sanitizer == Sanitizer::Address {
        kernels()?;
    }
    let built = Built::new(sanitizer)?;
    built.find_the_planted_error()?;
    let service = Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    })?;
    let url = service.base_url();
    let frame = root().join("demo/frames/frame-01.jpg");
    let frame = frame.to_str().unwrap_or_default();
    for name in ["tests/c/abi.c", "tests/c/monitor.c"] {
        // A fork leaves behind what its threads held: that is no leak of anybody's.
        built.run(name, &[&url, frame, "sanitizer"], false)?;
    }
    built.run("tests/sanitize/stress.c", &[&url, seconds, frame], true)
}
