//! The library as its users have it: built, linked to C programs, run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The folder of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("tests/support lies two below")
        .to_owned()
}

/// The folder that cargo builds into, found from where this program lies.
#[must_use]
pub fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("a path");
    let deps = exe
        .ancestors()
        .find(|path| path.ends_with("deps"))
        .expect("built by cargo");
    deps.ancestors()
        .nth(2)
        .expect("deps lies two below")
        .to_owned()
}

/// A folder of this name for what a test makes.
#[must_use]
pub fn scratch(name: &str) -> PathBuf {
    let dir = target_dir().join("test-programs").join(name);
    std::fs::create_dir_all(&dir).expect("a folder to work in");
    dir
}

/// The folder with the release build of `liboe_process.so` and `.a`, built now if need be.
pub fn release_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let target = target_dir();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet", "--package", "oe-process"]);
        cargo.arg("--target-dir").arg(&target).current_dir(root());
        let status = cargo.stdin(Stdio::null()).status().expect("cargo runs");
        assert!(status.success(), "the release build failed");
        let release = target.join("release");
        link_soname(&release);
        assert!(
            release.join("liboe_process.so.0").exists(),
            "the library is built"
        );
        release
    })
}

/// Programs ask for the SONAME; installing makes this link, a build folder lacks it.
pub fn link_soname(folder: &Path) {
    let link = folder.join("liboe_process.so.0");
    drop(std::os::unix::fs::symlink("liboe_process.so", link));
}

/// How a program gets at the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// `liboe_process.so`, found by its run path.
    Shared,
    /// `liboe_process.a`, whole inside the program.
    Static,
}

/// Compiles a C program with every warning an error, and gives its path.
#[must_use]
pub fn compile(source: &Path, link: Link, flags: &[&str]) -> PathBuf {
    compile_with(release_dir(), source, link, flags)
}

/// The same with the library in this folder.
#[must_use]
pub fn compile_with(lib: &Path, source: &Path, link: Link, flags: &[&str]) -> PathBuf {
    let name = source
        .file_stem()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    // Tests run side by side, and a program that runs cannot be written.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    let out = scratch("c").join(format!("{name}-{link:?}-{}-{nth}", std::process::id()));
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    cc.args([
        "-std=c11",
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-pedantic",
        "-Werror",
    ])
    .args(flags);
    cc.arg("-I")
        .arg(root().join("include"))
        .arg(source)
        .arg("-o")
        .arg(&out);
    match link {
        Link::Shared => {
            cc.arg("-L").arg(lib).arg("-loe_process");
            cc.arg(format!("-Wl,-rpath,{}", lib.display()));
        }
        Link::Static => {
            cc.arg(lib.join("liboe_process.a"));
        }
    }
    cc.args(["-lpthread", "-ldl", "-lm"]);
    let output = cc.output().expect("cc runs: install gcc");
    assert!(
        output.status.success(),
        "{} does not compile:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

/// Whether a tool is there. Without it a test may be skipped, but not when `CI=true`.
#[must_use]
pub fn has_tool(name: &str, how_to_install: &str) -> bool {
    let mut probe = Command::new(name);
    probe
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if probe.status().is_ok() {
        return true;
    }
    missing(name, how_to_install)
}

fn missing(what: &str, how_to_install: &str) -> bool {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{what} is missing: {how_to_install}"
    );
    // Not by `eprintln!`, which the test harness keeps to itself when a test passes.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    drop(writeln!(
        std::io::stderr(),
        "skipped: {test}: {what} is missing: {how_to_install}"
    ));
    false
}

/// Whether C headers are there; as [`has_tool`].
#[must_use]
pub fn has_headers(names: &[&str], how_to_install: &str) -> bool {
    let includes: String = names
        .iter()
        .map(|name| format!("#include <{name}>\n"))
        .collect();
    let source = scratch("headers").join("probe.c");
    std::fs::write(&source, includes).expect("a file");
    let mut cc = Command::new("cc");
    cc.arg("-fsyntax-only").arg(source).stderr(Stdio::null());
    if cc.status().is_ok_and(|status| status.success()) {
        return true;
    }
    missing(&names.join(", "), how_to_install)
}

/// Runs a program that must succeed and write nothing to stderr: what it says.
///
/// # Panics
/// It fails, writes to stderr, or takes too long.
pub fn run_quietly(command: &mut Command, at_most: Duration) -> String {
    let output = run(command, at_most);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{errors}",
        output.status
    );
    assert_eq!(errors, "", "nothing is ever written to stderr");
    text
}

/// Runs a command to its end, at most this long; its output is returned whole.
#[must_use]
pub fn run(command: &mut Command, at_most: Duration) -> Output {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Read on threads, so that a full pipe does not stop the program.
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                drop(pipe.read_to_end(&mut bytes));
            }
            bytes
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        if start.elapsed() > at_most {
            drop(child.kill());
            panic!("{command:?} did not end within {at_most:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let stdout = stdout.join().expect("no panic");
    Output {
        status,
        stdout,
        stderr: stderr.join().expect("no panic"),
    }
}
