//! The tables, each from its own runs.

use std::fs;
use std::process::Command;

use super::peers::{Peer, Run};
use super::server::After;
use super::table::{self, number, row};
use super::{Bench, SIZES, median, scheme};
use crate::command::output;

/// Those who keep their connection.
const KEPT: [Peer; 6] = [
    Peer::Floor,
    Peer::Oe,
    Peer::Curl,
    Peer::CurlEach,
    Peer::Httplib,
    Peer::Requests,
];

/// What a call of a peer costs; 0 where it was not counted.
struct Cost {
    instructions: f64,
    syscalls: f64,
    /// In us, and as a ratio to libcurl's.
    cpu: (f64, f64),
    /// Bytes asked for.
    allocated: f64,
    /// Bytes held at most over what is held between calls.
    peak: f64,
    rss_kb: f64,
    fds: f64,
    threads: f64,
}

impl Cost {
    fn cells(&self, peer: Peer, libcurl: &Cost) -> Vec<String> {
        let counted = |value: f64| match value {
            0.0 => "–".to_owned(),
            value => number(value),
        };
        vec![
            peer.name().to_owned(),
            counted(self.instructions / 1_000.0),
            counted(self.instructions / libcurl.instructions),
            number(self.cpu.0),
            number(self.cpu.1),
            counted(self.syscalls.round()),
            counted(self.allocated / 1_000.0),
            counted(self.peak / 1_000.0),
            number(self.rss_kb / 1_000.0),
            number(self.fds),
            number(self.threads),
        ]
    }
}

impl Bench {
    pub(super) fn keep_alive(&self) -> Result<(), String> {
        for tls in [true, false] {
            let (server, ca) = self.server(1, tls, After::Keep)?;
            let run = self.run(1, &server, &ca);
            let times = self.cpu(&KEPT, run, self.length.calls)?;
            let mut costs = Vec::new();
            for (peer, cpu) in KEPT.into_iter().zip(times) {
                costs.push(self.cost(peer, run, cpu)?);
            }
            let [_, ours, libcurl, ..] = &costs[..] else {
                continue;
            };
            self.judge_kept(tls, ours, libcurl);
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
            let lines = KEPT.into_iter().zip(&costs);
            rows.extend(lines.map(|(peer, cost)| cost.cells(peer, libcurl)));
            let title = format!("{}, kept connection, 300 KiB, per call", scheme(tls));
            table::print(&title, &rows);
        }
        Ok(())
    }

    fn cost(&self, peer: Peer, run: Run<'_>, cpu: (f64, f64)) -> Result<Cost, String> {
        // Python takes minutes under valgrind; its CPU time says enough.
        let counted = peer != Peer::Requests;
        let lengths = self.length.counted;
        let plain = self.peers.plain(peer, run, self.length.calls)?;
        let heap = self.peers.counted(peer, run, self.length.calls)?;
        Ok(Cost {
            instructions: match counted {
                true => self.peers.instructions(peer, run, lengths)?,
                false => 0.0,
            },
            syscalls: match counted {
                true => self.peers.syscalls(peer, run, lengths)?,
                false => 0.0,
            },
            cpu,
            allocated: heap.get("bytes") / (self.length.calls - 1) as f64,
            peak: heap.get("peak"),
            rss_kb: plain.get("rss_kb"),
            fds: plain.get("fds"),
            threads: plain.get("threads"),
        })
    }

    fn judge_kept(&self, tls: bool, ours: &Cost, libcurl: &Cost) {
        let instructions = ours.instructions / libcurl.instructions;
        let syscalls = ours.syscalls.round();
        if !tls {
            self.judge("HTTP keep-alive, instructions", instructions, 0.46, 0.06);
            self.judge("HTTP, system calls", syscalls, 27.0, 9.0);
            return;
        }
        let rss = ours.rss_kb / libcurl.rss_kb;
        self.judge("HTTPS keep-alive, instructions", instructions, 0.86, 0.74);
        self.judge("HTTPS keep-alive, CPU", ours.cpu.1, 0.75, 0.36);
        self.judge("HTTPS, system calls", syscalls, 27.0, 9.0);
        self.judge("RSS, to libcurl", rss, 0.42, 0.33);
    }

    pub(super) fn reconnect(&self) -> Result<(), String> {
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
    pub(super) fn first(&self) -> Result<(), String> {
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
    pub(super) fn idle(&self) -> Result<(), String> {
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

    pub(super) fn sizes(&self) -> Result<(), String> {
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

    pub(super) fn farm(&self) -> Result<(), String> {
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

    pub(super) fn growth(&self) -> Result<(), String> {
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
    pub(super) fn monitors(&self) -> Result<(), String> {
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
}
