//! Fuzzing, with libFuzzer and the address sanitizer, of what reads bytes from elsewhere and of the
//! calls in any order.

use oe_fuzz::TARGETS;

use crate::command::{NIGHTLY, nightly};
use crate::generated::root;

/// Runs each target (or the one that is named) for so many seconds. What it finds is kept in
/// `target/fuzz`; an input that breaks a promise becomes a file of `fuzz/corpus` and a test.
pub fn run(seconds: &str, only: Option<&str>) -> Result<(), String> {
    let seconds: u32 = seconds.parse().map_err(|_| "how many seconds?")?;
    let found = root().join("target/fuzz");
    for (name, _) in TARGETS {
        if only.is_some_and(|only| only != *name) {
            continue;
        }
        let new = found.join(name);
        std::fs::create_dir_all(&new).map_err(|why| format!("{}: {why}", new.display()))?;
        println!("fuzzing {name} for {seconds} s ...");
        let mut fuzz = nightly("cargo");
        fuzz.args(["fuzz", "run", name]).arg(&new);
        fuzz.arg(root().join("fuzz/corpus").join(name));
        fuzz.args(["--", "-max_len=800", "-print_final_stats=1"]);
        fuzz.arg(format!("-max_total_time={seconds}"));
        let output = fuzz
            .current_dir(root())
            .env("CARGO_TARGET_DIR", found.join("build"))
            .output()
            .map_err(|why| format!("cargo fuzz: {why}"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!(
                "{text}\n{name}: {} (cargo install cargo-fuzz --locked; {NIGHTLY})",
                output.status
            ));
        }
        let done = text.lines().find(|line| line.contains("DONE"));
        println!("  {}", done.ok_or("it did not run")?);
    }
    Ok(())
}
