//! What a part of a look takes, for `cargo xtask bench looks` and tests that count instructions:
//! parts PART KIND SIZE COUNT FILE.jpg
//!
//! PART is decode, square, network, look or filter; KIND a kind of code (`best`, or another of
//! `Engine::kinds`); SIZE the side of the squares that the network gets. It prints what the last of
//! COUNT rounds came to, and processor time and memory where the system says them.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::hint::black_box;
use std::time::Duration;

use oe_engine::{Ask, BUILT_IN, Engine, Evidence, Filter, Levels};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, kind, size, count, file] = arguments.as_slice() else {
        return Err("parts PART KIND SIZE COUNT FILE.jpg".into());
    };
    let (size, count): (usize, u64) = (size.parse()?, count.parse()?);
    let jpeg = std::fs::read(file)?;
    let (before, at_start) = (cpu_ns(), memory());
    let engine = engine(kind, size)?;
    let loaded = cpu_ns().zip(before).map(|(now, before)| now - before);
    let mut watch = Filter::new(Levels::default());
    let square = || engine.square(&jpeg, &Ask::default());
    let squared = match part.as_str() {
        "network" => square()?.0,
        _ => Vec::new(),
    };
    let (mut times, mut result) = (Vec::new(), 0.0);
    for n in 0..count {
        let copy = squared.clone();
        let start = cpu_ns();
        result = match part.as_str() {
            "decode" => decode(&jpeg)? as f64,
            "square" => square()?.0.len() as f64,
            "network" => {
                engine
                    .observe_square(copy, n, &Ask::default())?
                    .look
                    .failure
            }
            "look" => {
                engine
                    .observe(black_box(&jpeg), &Ask::default())?
                    .look
                    .failure
            }
            "filter" => {
                let look = Evidence {
                    failure: -2.0,
                    blind: None,
                    pixels: n,
                };
                f64::from(
                    watch
                        .update(Duration::from_secs(20 * n), &look, engine.mean_log_odds())
                        .score,
                )
            }
            _ => return Err("no such part".into()),
        };
        times.extend(cpu_ns().zip(start).map(|(now, start)| now - start));
    }
    println!("result {result:.5}");
    times.sort_unstable();
    let middle = times.get(times.len() / 2);
    if let (Some(least), Some(middle), Some(loaded)) = (times.first(), middle, loaded) {
        println!("load_ns {loaded}\nleast_ns {least}\nmedian_ns {middle}");
    }
    if let (Some(before), Some(after)) = (at_start, memory()) {
        for (name, before, after) in [("anon", before.0, after.0), ("all", before.1, after.1)] {
            println!(
                "{name}_kb {before}\n{name}_growth_kb {}",
                after.saturating_sub(before)
            );
        }
    }
    Ok(())
}

/// The built-in model; for another size its head says so.
fn engine(kind: &str, size: usize) -> Result<Engine> {
    let engine = match size {
        320 => Engine::new()?,
        _ => {
            let mut file = BUILT_IN.to_vec();
            let head = b"\"size\": 320";
            let at = file.windows(head.len()).position(|part| part == head);
            let at = at.ok_or("a model of another size")?;
            file[at..at + head.len()].copy_from_slice(format!("\"size\": {size:3}").as_bytes());
            Engine::with_model(file)?
        }
    };
    match kind {
        "best" => Ok(engine),
        _ => Ok(engine
            .with_kind(kind)
            .ok_or("this processor cannot do that")?),
    }
}

/// Whole, with a decoder that others use: the engine's makes squares only.
fn decode(jpeg: &[u8]) -> Result<usize> {
    Ok(zune_jpeg::JpegDecoder::new(jpeg).decode()?.len())
}

/// What this thread has had of a processor, on Linux.
#[cfg(target_os = "linux")]
fn cpu_ns() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).ok()
}

#[cfg(not(target_os = "linux"))]
fn cpu_ns() -> Option<u64> {
    None
}

/// Memory that is this process's own, and with the pages of files, in KB, by Linux.
fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some((field("RssAnon:")?, field("VmRSS:")?))
}
