//! What a look of the embedded engine takes, and its parts: `cargo xtask bench looks`.
//!
//! Times are of the processor, not of the clock on the wall, and taken in turns; where another program
//! has the processor they still vary, so what is held to a bar is a ratio or a count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::table::{self, number, row};
use super::{Figure, bars, machine, median};
use crate::command::output;
use crate::generated::root;

/// A picture of 1280x720.
const FRAME: &str = "demo/frames/frame-11.jpg";
const MODEL: &str = "engine/model/oe-vision.model";
/// Turns in which times are taken, and rounds of each.
const TURNS: usize = 5;
const ROUNDS: u64 = 20;
/// After so many looks memory is read.
const LOOKS: u64 = 50;

/// What a program printed: names and numbers.
type Report = BTreeMap<String, f64>;

struct Looks {
    parts: PathBuf,
    /// Python with ONNX Runtime, and the model for it.
    peer: Option<(PathBuf, PathBuf)>,
}

/// Prints the tables.
pub fn run() -> Result<(), String> {
    let release = build(&["parts", "linked", "bare"])?;
    let peer = match peer() {
        Ok(peer) => Some(peer),
        Err(why) => {
            println!("without ONNX Runtime: {why}");
            None
        }
    };
    let looks = Looks {
        parts: release.join("parts"),
        peer,
    };
    println!("{}", machine());
    let mut figures = Vec::new();
    looks.times(&mut figures)?;
    looks.instructions()?;
    looks.memory(&mut figures)?;
    sizes(&release, &mut figures)?;
    bars(&figures);
    Ok(())
}

/// Builds examples of the engine; gives the folder they are in.
fn build(examples: &[&str]) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--locked"]);
    cargo.args(["--package", "oe-process-engine"]);
    for example in examples {
        cargo.args(["--example", example]);
    }
    output("cargo build", "rustup", cargo.current_dir(root()))?;
    Ok(root().join("target/release/examples"))
}

/// A Python that has ONNX Runtime, fetched from PyPI if need be, and the model with 32-bit weights.
fn peer() -> Result<(PathBuf, PathBuf), String> {
    const PACKAGES: [&str; 3] = ["onnxruntime==1.32.0", "onnx==1.23.2", "numpy"];
    let folder = root().join("target/onnxruntime");
    let python = folder.join("bin/python");
    let has = || {
        let mut probe = Command::new(&python);
        probe.args(["-c", "import onnx, onnxruntime"]);
        output("python", "", &mut probe).is_ok()
    };
    if !has() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        output("python3 -m venv", "apt-get install python3-venv", &mut venv)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES);
        output("pip install onnxruntime", "it needs a network", &mut pip)?;
    }
    let onnx = folder.join("oe-vision.onnx");
    let mut convert = Command::new(&python);
    convert.arg(root().join("model/onnx_of.py"));
    convert.arg(root().join(MODEL)).arg(&onnx);
    output("model/onnx_of.py", "", &mut convert)?;
    Ok((python, onnx))
}

fn read(text: &str) -> Report {
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs
        .filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?)))
        .collect()
}

fn get(report: &Report, name: &str) -> Result<f64, String> {
    let value = report.get(name).copied();
    value.ok_or_else(|| format!("{name}: this system does not say"))
}

impl Looks {
    fn part(&self, part: &str, kind: &str, rounds: u64) -> Command {
        let mut program = Command::new(&self.parts);
        program.args([part, kind, "320", &rounds.to_string()]);
        program.arg(root().join(FRAME));
        program
    }

    fn report(&self, part: &str, kind: &str, rounds: u64) -> Result<Report, String> {
        let text = output("parts", "", &mut self.part(part, kind, rounds))?;
        Ok(read(&text))
    }

    fn peer_report(&self) -> Result<Option<Report>, String> {
        let Some((python, onnx)) = &self.peer else {
            return Ok(None);
        };
        let mut peer = Command::new(python);
        peer.arg(root().join("benches/onnxruntime_peer.py"));
        peer.arg(onnx).arg(ROUNDS.to_string());
        let text = output("ONNX Runtime", "", &mut peer)?;
        Ok(Some(read(&text)))
    }

    /// Processor time of each part and kind of code, in turns.
    fn times(&self, figures: &mut Vec<Figure>) -> Result<(), String> {
        let kinds = oe_engine::Engine::kinds();
        let mut all: Vec<(String, &str, &str)> = Vec::new();
        for part in ["decode", "square", "look", "filter"] {
            let what = match part {
                "decode" => "JPEG decoded alone",
                "square" => "decoded, fingerprinted, resized",
                "look" => "a look: JPEG to evidence",
                _ => "the filter",
            };
            all.push((what.to_owned(), part, "best"));
        }
        for kind in &kinds {
            all.push((format!("the network, {kind}"), "network", kind));
        }
        let mut times = vec![(Vec::new(), Vec::new()); all.len()];
        let (mut peer, mut ratios, mut to_decode, mut loads) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let mut turn = Vec::new();
            for ((_, part, kind), (least, middle)) in all.iter().zip(&mut times) {
                let rounds = if *kind == "plain" { 3 } else { ROUNDS };
                let report = self.report(part, kind, rounds)?;
                least.push(get(&report, "least_ns")? / 1e6);
                middle.push(get(&report, "median_ns")? / 1e6);
                loads.push(get(&report, "load_ns")? / 1e6);
                turn.push(get(&report, "median_ns")? / 1e6);
            }
            to_decode.push(turn[2] / turn[0]);
            if let Some(report) = self.peer_report()? {
                let theirs = get(&report, "median_ns")? / 1e6;
                ratios.push(turn[4] / theirs);
                peer.push((get(&report, "least_ns")? / 1e6, theirs));
            }
        }
        let mut rows = vec![row([
            "processor time, ms, 1280x720, one thread",
            "least",
            "median",
        ])];
        let least = |times: &[f64]| times.iter().copied().fold(f64::MAX, f64::min);
        for ((what, ..), (small, middle)) in all.iter().zip(&times) {
            let cells = [what, &number(least(small)), &number(median(middle.clone()))];
            rows.push(row(cells.map(|cell| cell.as_str())));
        }
        if !peer.is_empty() {
            let (small, middle): (Vec<f64>, Vec<f64>) = peer.into_iter().unzip();
            let cells = [number(least(&small)), number(median(middle))];
            rows.push(row(["ONNX Runtime, 32-bit weights", &cells[0], &cells[1]]));
        }
        rows.push(row([
            "load",
            &number(least(&loads)),
            &number(median(loads.clone())),
        ]));
        table::print("A look and its parts", &rows);
        if !ratios.is_empty() && kinds.first() == Some(&"avx512") {
            figures.push(figure("network to ONNX Runtime", median(ratios), 1.25, 0.9));
        }
        figures.push(figure(
            "a look to decoding alone",
            median(to_decode),
            6.0,
            4.0,
        ));
        Ok(())
    }

    /// By callgrind, which knows no AVX-512: the best there is AVX2.
    fn instructions(&self) -> Result<(), String> {
        let mut rows = vec![row([
            "instructions (AVX2 where there is a choice)",
            "million",
        ])];
        for part in ["decode", "square", "network", "look", "filter"] {
            let counted = |rounds: u64| {
                let mut valgrind = Command::new("valgrind");
                valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
                let program = self.part(part, "best", rounds);
                valgrind.arg(program.get_program()).args(program.get_args());
                let run = valgrind
                    .output()
                    .map_err(|why| format!("valgrind: {why} (apt-get install valgrind)"))?;
                let text = String::from_utf8_lossy(&run.stderr).into_owned();
                let line = text.lines().find(|line| line.contains("Collected"));
                let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
                count.ok_or(text)
            };
            let each = (counted(2)? - counted(1)?) / 1e6;
            rows.push(row([part, &number(each)]));
        }
        table::print("Instructions of one round, 1280x720", &rows);
        Ok(())
    }

    fn memory(&self, figures: &mut Vec<Figure>) -> Result<(), String> {
        let mut rows = vec![row([
            "KB",
            "before it",
            "growth through load and 50 rounds",
            "with pages of files, the model's too",
        ])];
        for part in ["decode", "square", "network", "look"] {
            let report = self.report(part, "best", LOOKS)?;
            let (own, all) = (
                get(&report, "anon_growth_kb")?,
                get(&report, "all_growth_kb")?,
            );
            let before = get(&report, "anon_kb")?;
            rows.push(row([part, &number(before), &number(own), &number(all)]));
            if part == "look" {
                figures.push(figure(
                    "memory growth, without the model (MB)",
                    own / 1e3,
                    6.0,
                    3.5,
                ));
                figures.push(figure(
                    "memory growth, with its pages (MB)",
                    all / 1e3,
                    10.0,
                    7.0,
                ));
            }
        }
        table::print("Memory of a process", &rows);
        Ok(())
    }
}

/// What the engine adds to a library.
fn sizes(release: &Path, figures: &mut Vec<Figure>) -> Result<(), String> {
    let stripped = |name: &str| {
        let from = release.join(format!("lib{name}.so"));
        let to = release.join(format!("{name}.stripped"));
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(&to).arg(&from);
        output("strip", "apt-get install binutils", &mut strip)?;
        let size = std::fs::metadata(&to).map_err(|why| format!("{}: {why}", to.display()))?;
        Ok::<f64, String>(size.len() as f64)
    };
    let model = root().join(MODEL);
    let model = std::fs::metadata(&model)
        .map_err(|why| why.to_string())?
        .len() as f64;
    let (with, without) = (stripped("linked")?, stripped("bare")?);
    let code = (with - without - model) / 1e3;
    let mut rows = vec![row(["KB", ""])];
    for (what, bytes) in [
        ("a library with the engine and nothing else, stripped", with),
        ("one with nothing", without),
        ("the model", model),
    ] {
        rows.push(row([what, &number(bytes / 1e3)]));
    }
    rows.push(row(["code and tables that the engine adds", &number(code)]));
    table::print("Sizes", &rows);
    figures.push(figure("code added to a library (KB)", code, 300.0, 120.0));
    Ok(())
}

fn figure(name: &'static str, measured: f64, must: f64, aim: f64) -> Figure {
    Figure {
        name,
        measured,
        must,
        aim,
    }
}
