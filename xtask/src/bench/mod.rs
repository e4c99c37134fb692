//! What a call costs, against what a host author would use instead: `cargo xtask bench`.
//!
//! Counts (instructions, system calls, allocations, descriptors, threads) hardly vary; times do on a
//! busy machine, so that peers take turns and ratios are taken within a turn.

mod images;
pub mod looks;
mod parts;
mod peers;
mod server;
pub mod service;
pub mod table;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use peers::{Peer, Peers, Run};
use server::{After, Server};
use table::{number, row};

use crate::command::output;

/// An image of the usual size.
const USUAL: usize = 300 * 1024;
const SIZES: [(&str, usize); 3] = [
    ("130 KB", 130_000),
    ("300 KiB", USUAL),
    ("6 MiB", 6 * 1024 * 1024),
];

/// How long it all may take.
#[derive(Clone, Copy)]
pub struct Length {
    /// Calls of the shorter and the longer run that are counted.
    counted: (usize, usize),
    /// Turns in which CPU time is compared.
    turns: usize,
    /// Calls in each of them.
    calls: usize,
    /// Calls into connections that the server closes.
    idle: usize,
}

impl Length {
    pub const SHORT: Length = Length {
        counted: (5, 25),
        turns: 5,
        calls: 100,
        idle: 1_000,
    };
    pub const LONG: Length = Length {
        counted: (10, 110),
        turns: 15,
        calls: 300,
        idle: 10_000,
    };
}

/// The programs, and the files they are given.
struct Bench {
    peers: Peers,
    length: Length,
    images: Vec<PathBuf>,
    /// What the bars are compared with, as it is measured.
    figures: RefCell<Vec<Figure>>,
}

/// A figure that has a bar.
struct Figure {
    name: &'static str,
    measured: f64,
    must: f64,
    aim: f64,
}

/// Measures all, or the tables whose name has `only` in it.
pub fn run(length: Length, only: &str) -> Result<(), String> {
    let peers = Peers::build()?;
    let mut images = Vec::new();
    for (name, len) in SIZES {
        let path = peers.folder().join(format!("{name}.jpg").replace(' ', ""));
        let image = images::padded(&oe_test_support::tiny_jpeg(), len);
        fs::write(&path, image).map_err(|why| format!("{}: {why}", path.display()))?;
        images.push(path);
    }
    println!("{}", machine());
    let bench = Bench {
        peers,
        length,
        images,
        figures: RefCell::default(),
    };
    type Part = fn(&Bench) -> Result<(), String>;
    let parts: [(&str, Part); 8] = [
        ("keep-alive", Bench::keep_alive),
        ("reconnect", Bench::reconnect),
        ("first", Bench::first),
        ("idle", Bench::idle),
        ("sizes", Bench::sizes),
        ("farm", Bench::farm),
        ("growth", Bench::growth),
        ("monitors", Bench::monitors),
    ];
    for (name, part) in parts {
        if name.contains(only) {
            part(&bench)?;
        }
    }
    bars(&bench.figures.borrow());
    Ok(())
}

/// Where and with what it was measured.
fn machine() -> String {
    let line = |program: &str, arguments: &[&str]| {
        let text = output(program, "", Command::new(program).args(arguments));
        let text = text.unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} ({cores} cores); Linux {}; {}; libcurl {}; {}; {}",
        model.map_or("unknown", |(_, model)| model),
        line("uname", &["-r"]),
        line("rustc", &["--version"]),
        line("curl-config", &["--version"]).trim_start_matches("libcurl "),
        line("openssl", &["version"]),
        line("valgrind", &["--version"]),
    )
}

/// Middle of the values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn scheme(tls: bool) -> &'static str {
    if tls { "HTTPS" } else { "HTTP" }
}

impl Bench {
    fn server(&self, size: usize, tls: bool, after: After) -> Result<(Server, PathBuf), String> {
        let image = fs::read(&self.images[size]).map_err(|why| why.to_string())?;
        let server = Server::start(&image, tls, after)?;
        let ca = self.peers.folder().join("ca.pem");
        fs::write(&ca, &server.ca_pem).map_err(|why| why.to_string())?;
        Ok((server, ca))
    }

    fn run<'a>(&'a self, size: usize, server: &'a Server, ca: &'a Path) -> Run<'a> {
        Run {
            server,
            image: &self.images[size],
            ca: if server.ca_pem.is_empty() {
                Path::new("")
            } else {
                ca
            },
            threads: 1,
            pause_ms: 0,
        }
    }

    fn judge(&self, name: &'static str, measured: f64, must: f64, aim: f64) {
        self.figures.borrow_mut().push(Figure {
            name,
            measured,
            must,
            aim,
        });
    }

    /// CPU time of a call, as a ratio to libcurl's, in turns.
    fn cpu(&self, peers: &[Peer], run: Run<'_>, calls: usize) -> Result<Vec<(f64, f64)>, String> {
        let mut times = vec![Vec::new(); peers.len()];
        let mut ratios = vec![Vec::new(); peers.len()];
        for _ in 0..self.length.turns {
            let base = self.peers.plain(Peer::Curl, run, calls)?.get("cpu_us") / (calls - 1) as f64;
            for (n, peer) in peers.iter().enumerate() {
                let report = self.peers.plain(*peer, run, calls)?;
                let time = report.get("cpu_us") / (calls - 1) as f64;
                times[n].push(time);
                ratios[n].push(time / base);
            }
        }
        let both = times.into_iter().zip(ratios);
        Ok(both
            .map(|(time, ratio)| (median(time), median(ratio)))
            .collect())
    }
}

/// The figures against their bars.
fn bars(figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    let mut rows = vec![row(["figure", "measured", "must", "aim", ""])];
    for figure in figures {
        let verdict = match figure.measured {
            measured if measured <= figure.aim => "aim met",
            measured if measured <= figure.must => "met",
            _ => "NOT met",
        };
        rows.push(vec![
            figure.name.to_owned(),
            number(figure.measured),
            number(figure.must),
            number(figure.aim),
            verdict.to_owned(),
        ]);
    }
    table::print("Bars", &rows);
}
