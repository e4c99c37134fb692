//! What a call costs, against what a host author would use instead: `cargo xtask bench`.
//!
//! Counts (instructions, system calls, allocations, descriptors, threads) hardly vary; times do on a
//! busy machine, so that peers take turns and ratios are taken within a turn.

mod images;
mod peers;
mod server;
mod table;

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
    bench.bars();
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

    fn keep_alive(&self) -> Result<(), String> {
        let peers = [
            Peer::Floor,
            Peer::Oe,
            Peer::Curl,
            Peer::CurlEach,
            Peer::Httplib,
            Peer::Requests,
        ];
        for tls in [true, false] {
            let (server, ca) = self.server(1, tls, After::Keep)?;
            let run = self.run(1, &server, &ca);
            let cpu = self.cpu(&peers, run, self.length.calls)?;
            let mut rows = vec![row([
                "peer",
                "instructions (k)",
                "to libcurl",
                "CPU (us)",
                "to libcurl",
                "syscalls",
                "allocated (KB)",
                "peak heap (KB)",
                "RSS (MB)",
                "fds",
                "threads",
            ])];
            let mut counts = Vec::new();
            for peer in peers {
                // Python takes minutes under valgrind; its CPU time says enough.
                let counted = match peer {
                    Peer::Requests => 0.0,
                    _ => self.peers.instructions(peer, run, self.length.counted)?,
                };
                let syscalls = match peer {
                    Peer::Requests => 0.0,
                    _ => self.peers.syscalls(peer, run, self.length.counted)?,
                };
                counts.push((counted, syscalls));
            }
            let base = counts[2].0;
            for (n, peer) in peers.into_iter().enumerate() {
                let (counted, syscalls) = counts[n];
                let plain = self.peers.plain(peer, run, self.length.calls)?;
                let heap = self.peers.counted(peer, run, self.length.calls)?;
                let (time, ratio) = cpu[n];
                let shown = |value: f64| {
                    if value == 0.0 {
                        "–".to_owned()
                    } else {
                        number(value)
                    }
                };
                rows.push(vec![
                    peer.name().to_owned(),
                    shown(counted / 1_000.0),
                    shown(counted / base),
                    number(time),
                    number(ratio),
                    shown(syscalls.round()),
                    shown(heap.get("bytes") / (self.length.calls - 1) as f64 / 1_000.0),
                    shown(heap.get("peak") / 1_000.0),
                    number(plain.get("rss_kb") / 1_000.0),
                    number(plain.get("fds")),
                    number(plain.get("threads")),
                ]);
                if peer == Peer::Oe {
                    let rss = self
                        .peers
                        .plain(Peer::Curl, run, self.length.calls)?
                        .get("rss_kb");
                    let rss = plain.get("rss_kb") / rss;
                    match tls {
                        true => {
                            self.judge(
                                "HTTPS keep-alive, instructions",
                                counted / base,
                                0.86,
                                0.74,
                            );
                            self.judge("HTTPS keep-alive, CPU", ratio, 0.75, 0.36);
                            self.judge("HTTPS, system calls", syscalls.round(), 27.0, 9.0);
                            self.judge("RSS, to libcurl", rss, 0.42, 0.33);
                        }
                        false => {
                            self.judge("HTTP keep-alive, instructions", counted / base, 0.46, 0.06);
                            self.judge("HTTP, system calls", syscalls.round(), 27.0, 9.0);
                        }
                    }
                }
            }
            table::print(
                &format!("{}, kept connection, 300 KiB, per call", scheme(tls)),
                &rows,
            );
        }
        Ok(())
    }

    fn reconnect(&self) -> Result<(), String> {
        let (server, ca) = self.server(1, true, After::Close)?;
        let run = self.run(1, &server, &ca);
        let mut rows = vec![row(["peer", "instructions (k)", "to libcurl"])];
        let base = self
            .peers
            .instructions(Peer::Curl, run, self.length.counted)?;
        for peer in [Peer::Floor, Peer::Oe, Peer::Curl, Peer::CurlEach] {
            let counted = self.peers.instructions(peer, run, self.length.counted)?;
            rows.push(vec![
                peer.name().to_owned(),
                number(counted / 1_000.0),
                number(counted / base),
            ]);
            if peer == Peer::Oe {
                self.judge(
                    "HTTPS, new connection (resumed), instructions",
                    counted / base,
                    0.45,
                    0.40,
                );
            }
        }
        table::print("HTTPS, a new connection for every call, 300 KiB", &rows);
        Ok(())
    }

    /// libcurl reads the system's bundle by default, this library has its roots compiled in.
    fn first(&self) -> Result<(), String> {
        let (server, ca) = self.server(1, true, After::Keep)?;
        let system = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
        let bundle = self.peers.folder().join("bundle.pem");
        let all = format!("{}\n{system}", server.ca_pem);
        fs::write(&bundle, all).map_err(|why| why.to_string())?;
        let mut rows = vec![row(["peer", "authorities", "CPU (ms)", "time (ms)"])];
        let mut found = Vec::new();
        for (peer, name, ca) in [
            (Peer::Oe, "one", &ca),
            (Peer::Curl, "one", &ca),
            (Peer::Floor, "one", &ca),
            (Peer::Oe, "the system's", &bundle),
            (Peer::Curl, "the system's", &bundle),
            (Peer::Requests, "one", &ca),
        ] {
            let run = self.run(1, &server, ca);
            let mut reports = Vec::new();
            for _ in 0..self.length.turns {
                reports.push(self.peers.plain(peer, run, 2)?);
            }
            let of = |name: &str| median(reports.iter().map(|report| report.get(name)).collect());
            found.push(of("first_cpu_us"));
            rows.push(vec![
                peer.name().to_owned(),
                name.to_owned(),
                number(of("first_cpu_us") / 1_000.0),
                number(of("first_us") / 1_000.0),
            ]);
        }
        table::print(
            "From the start of the process to the first verdict, HTTPS",
            &rows,
        );
        self.judge("CPU to the first verdict", found[0] / found[4], 0.10, 0.04);
        Ok(())
    }

    /// Connections that are closed before the next call, and while it may be on its way: that race
    /// nobody can win who does not send a picture twice.
    fn idle(&self) -> Result<(), String> {
        let mut rows = vec![row(["closed", "over", "calls", "oe-process", "libcurl"])];
        let mut lost = 0.0;
        for (when, most, pause_ms, calls) in [
            (
                "after 0 to 5 ms, calls after 18 ms",
                5,
                -18,
                self.length.idle,
            ),
            ("after 0 to 20 ms, calls after 0 to 30 ms", 20, 30, 1_000),
        ] {
            for tls in [true, false] {
                let (server, ca) = self.server(0, tls, After::Idle(most))?;
                let run = Run {
                    pause_ms,
                    ..self.run(0, &server, &ca)
                };
                // cpp-httplib ends of SIGPIPE here.
                let ours = self.peers.plain(Peer::Oe, run, calls)?.get("lost");
                let theirs = self.peers.plain(Peer::Curl, run, calls)?.get("lost");
                lost += if pause_ms < 0 { ours } else { 0.0 };
                let counts = [calls as f64, ours, theirs].map(|count| format!("{count:.0}"));
                let mut cells = row([when, scheme(tls)]);
                cells.extend(counts);
                rows.push(cells);
            }
        }
        table::print(
            "Calls lost when the server closes idle connections, 130 KB",
            &rows,
        );
        self.judge("calls lost to connections that were closed", lost, 0.0, 0.0);
        Ok(())
    }

    fn sizes(&self) -> Result<(), String> {
        let mut peak = 0.0_f64;
        for tls in [true, false] {
            let mut rows = vec![row([
                "image",
                "floor (k)",
                "oe-process (k)",
                "libcurl (k)",
                "peak heap (KB)",
                "libcurl's (KB)",
            ])];
            for (size, (name, _)) in SIZES.iter().enumerate() {
                let (server, ca) = self.server(size, tls, After::Keep)?;
                let run = self.run(size, &server, &ca);
                let lengths = (3, 13);
                let counted = |peer| self.peers.instructions(peer, run, lengths);
                let heap = |peer| {
                    Ok::<f64, String>(self.peers.counted(peer, run, 20)?.get("peak") / 1_000.0)
                };
                let ours = heap(Peer::Oe)?;
                peak = peak.max(ours);
                rows.push(vec![
                    (*name).to_owned(),
                    number(counted(Peer::Floor)? / 1_000.0),
                    number(counted(Peer::Oe)? / 1_000.0),
                    number(counted(Peer::Curl)? / 1_000.0),
                    number(ours),
                    number(heap(Peer::Curl)?),
                ]);
            }
            table::print(
                &format!("{}: instructions of a call, and heap, by size", scheme(tls)),
                &rows,
            );
        }
        self.judge("peak heap over idle, any image (KB)", peak, 130.0, 18.0);
        Ok(())
    }

    fn farm(&self) -> Result<(), String> {
        let (server, ca) = self.server(1, true, After::Keep)?;
        let run = Run {
            threads: 16,
            ..self.run(1, &server, &ca)
        };
        let mut rows = vec![row([
            "peer",
            "RSS (MB)",
            "fds",
            "threads beside the 16",
            "CPU (ms) per 1,000 calls",
        ])];
        let mut found = Vec::new();
        for peer in [Peer::Oe, Peer::Curl, Peer::CurlPrinters] {
            let report = self.peers.plain(peer, run, 1_001)?;
            found.push(report.get("rss_kb"));
            // The threads have ended; only the one that counts is left.
            let own = report.get("threads") - 1.0;
            rows.push(vec![
                peer.name().to_owned(),
                number(report.get("rss_kb") / 1_000.0),
                number(report.get("fds")),
                number(own),
                number(report.get("cpu_us") / 1_000.0),
            ]);
            if peer == Peer::Oe {
                self.judge(
                    "descriptors at 1,000 contexts, 16 calls in flight",
                    report.get("fds"),
                    24.0,
                    24.0,
                );
                self.judge("threads of its own at 1,000 contexts", own, 0.0, 0.0);
            }
        }
        self.judge(
            "RSS, 1,000 contexts, to a handle per thread",
            found[0] / found[1],
            0.5,
            0.2,
        );
        table::print("1,000 printers over 16 threads, HTTPS, 300 KiB", &rows);
        Ok(())
    }

    fn growth(&self) -> Result<(), String> {
        let (server, ca) = self.server(1, true, After::Keep)?;
        let run = self.run(1, &server, &ca);
        let mut rows = vec![row(["printers", "CPU (us) per call", "RSS (MB)", "fds"])];
        for printers in [2, 10, 100, 1_000] {
            let report = self.peers.plain(Peer::Oe, run, printers)?;
            rows.push(vec![
                printers.to_string(),
                number(report.get("cpu_us") / (printers - 1) as f64),
                number(report.get("rss_kb") / 1_000.0),
                number(report.get("fds")),
            ]);
        }
        table::print(
            "How it grows with printers: contexts of one client, one thread, HTTPS",
            &rows,
        );
        Ok(())
    }

    /// The example that watches a farm says itself what that takes.
    fn monitors(&self) -> Result<(), String> {
        let (server, _) = self.server(0, false, After::Keep)?;
        server.expect_numbers();
        let folder = self.peers.folder().join("frames");
        fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        fs::copy(&self.images[0], folder.join("frame.jpg")).map_err(|why| why.to_string())?;
        println!("\n### 1,000 monitors, 4 workers, 5 to 14 s apart, HTTP, 130 KB\n");
        let mut farm = Command::new(self.peers.farm()?);
        farm.args(["--endpoint", server.url(), "--printers", "1000"]);
        farm.args(["--interval", "5", "--calls", "4000", "--bench"]);
        farm.env("OE_API_KEY", "bench-key").arg(folder);
        let text = output("farm", "", &mut farm)?;
        server.uploads()?;
        for line in text.lines() {
            println!("    {line}");
        }
        Ok(())
    }

    fn bars(&self) {
        if self.figures.borrow().is_empty() {
            return;
        }
        let mut rows = vec![row(["figure", "measured", "must", "aim", ""])];
        for figure in self.figures.borrow().iter() {
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
}
