//! The programs that are compared: how they are built, run and counted.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::Server;
use crate::command::output;
use crate::generated::root;

/// Who does the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// This library, through its C ABI.
    Oe,
    /// libcurl and cJSON, one handle for all calls.
    Curl,
    /// A new handle for every call.
    CurlEach,
    /// A handle for every printer.
    CurlPrinters,
    /// A socket and OpenSSL.
    Floor,
    /// cpp-httplib and cJSON.
    Httplib,
    /// Python and requests.
    Requests,
}

impl Peer {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Oe => "oe-process",
            Peer::Curl => "libcurl",
            Peer::CurlEach => "libcurl, handle per call",
            Peer::CurlPrinters => "libcurl, handle per printer",
            Peer::Floor => "floor",
            Peer::Httplib => "cpp-httplib",
            Peer::Requests => "requests",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Peer::Oe => "oe",
            Peer::Curl | Peer::CurlEach | Peer::CurlPrinters => "curl",
            Peer::Floor => "floor",
            Peer::Httplib => "httplib",
            Peer::Requests => "requests_peer.py",
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Peer::CurlEach => "each",
            Peer::CurlPrinters => "printers",
            _ => "keep",
        }
    }
}

const LIBRARIES: &str = "apt-get install gcc g++ libcurl4-openssl-dev libcjson-dev libssl-dev libcpp-httplib-dev python3-requests";

/// The built programs.
pub struct Peers {
    folder: PathBuf,
    /// Where the library is.
    release: PathBuf,
}

/// One run of a peer.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub server: &'a Server,
    pub image: &'a Path,
    pub ca: &'a Path,
    pub threads: usize,
    /// Between calls: at most so long, or exactly that if it is negative.
    pub pause_ms: isize,
}

/// What a peer said of itself.
pub struct Report(HashMap<String, f64>);

impl Report {
    fn parse(text: &str) -> Report {
        let pairs = text
            .split_whitespace()
            .filter_map(|word| word.split_once('='));
        Report(
            pairs
                .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
                .collect(),
        )
    }

    /// A figure; 0 when there is none.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

impl Peers {
    /// Builds the library and all programs.
    pub fn build() -> Result<Peers, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root().join("target"), PathBuf::from);
        let (folder, release) = (target.join("bench"), target.join("release"));
        fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--quiet", "--locked"]);
        cargo.args(["--package", "oe-process"]).current_dir(root());
        output("cargo build", "rustup", &mut cargo)?;
        let peers = Peers {
            folder,
            release: release.clone(),
        };
        link_soname(&release)?;
        peers.compile("gcc", "oe", "oe.c", &peers.ours())?;
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        peers.compile("gcc", "curl", "curl.c", &words("-lcurl -lcjson"))?;
        peers.compile("gcc", "floor", "floor.c", &words("-lssl -lcrypto"))?;
        let httplib = words("-lcpp-httplib -lssl -lcrypto -lcjson");
        peers.compile("g++", "httplib", "httplib.cpp", &httplib)?;
        peers.compile("gcc", "count.so", "count.c", &words("-shared -fPIC -ldl"))?;
        Ok(peers)
    }

    fn ours(&self) -> [String; 4] {
        let release = self.release.display();
        [
            format!("-I{}", root().join("include").display()),
            format!("-L{release}"),
            "-loe_process".to_owned(),
            format!("-Wl,-rpath,{release}"),
        ]
    }

    /// The example that watches a farm.
    pub fn farm(&self) -> Result<PathBuf, String> {
        self.compile("gcc", "farm", "../examples-c/farm.c", &self.ours())?;
        Ok(self.folder.join("farm"))
    }

    fn compile(&self, compiler: &str, to: &str, from: &str, more: &[String]) -> Result<(), String> {
        let mut cc = Command::new(compiler);
        cc.args(["-O2", "-Wall", "-Wextra", "-o"])
            .arg(self.folder.join(to));
        cc.arg(root().join("benches").join(from)).args(more);
        output(from, LIBRARIES, cc.arg("-lpthread")).map(drop)
    }

    /// Where the programs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs it as it is, and checks what the server saw.
    pub fn plain(&self, peer: Peer, run: Run<'_>, calls: usize) -> Result<Report, String> {
        self.measured(peer, run, calls, false)
    }

    /// The same with what it allocates.
    pub fn counted(&self, peer: Peer, run: Run<'_>, calls: usize) -> Result<Report, String> {
        self.measured(peer, run, calls, true)
    }

    fn measured(
        &self,
        peer: Peer,
        run: Run<'_>,
        calls: usize,
        count: bool,
    ) -> Result<Report, String> {
        run.server.reset();
        let mut command = match peer {
            Peer::Requests => {
                let mut python = Command::new("/usr/bin/python3");
                python.arg(root().join("benches/requests_peer.py"));
                python
            }
            _ => {
                let mut program = Command::new(self.folder.join(peer.program()));
                if count {
                    program.env("LD_PRELOAD", self.folder.join("count.so"));
                }
                program
            }
        };
        arguments(&mut command, run, calls, peer.mode());
        let report = Report::parse(&output(peer.name(), LIBRARIES, &mut command)?);
        let made = run.server.uploads()?;
        let lost = report.get("lost") as usize;
        if made + lost < calls {
            return Err(format!("{}: {made} of {calls} images came", peer.name()));
        }
        Ok(report)
    }

    /// What one call takes of something that a tool counts over a whole run: two lengths, and what
    /// is spent on making contexts taken off.
    fn per_call(
        &self,
        peer: Peer,
        run: Run<'_>,
        (few, many): (usize, usize),
        count: impl Fn(&dyn Fn(&mut Command)) -> Result<f64, String>,
    ) -> Result<f64, String> {
        let of = |calls: usize, mode: &str| {
            run.server.reset();
            let counted = count(&|command| {
                command.arg(self.folder.join(peer.program()));
                arguments(command, run, calls, mode);
            })?;
            run.server.uploads()?;
            Ok::<f64, String>(counted)
        };
        let mut all = of(many, peer.mode())? - of(few, peer.mode())?;
        if peer == Peer::Oe {
            all -= of(many, "create")? - of(few, "create")?;
        }
        Ok(all / (many - few) as f64)
    }

    /// Instructions of one call, by callgrind. What copies with `rep movsb` would be counted byte
    /// by byte, so glibc is told not to.
    pub fn instructions(
        &self,
        peer: Peer,
        run: Run<'_>,
        lengths: (usize, usize),
    ) -> Result<f64, String> {
        self.per_call(peer, run, lengths, |arguments| {
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
            valgrind.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM");
            arguments(&mut valgrind);
            let run = valgrind.output();
            let run = run.map_err(|why| format!("valgrind: {why} (apt-get install valgrind)"))?;
            let text = String::from_utf8_lossy(&run.stderr);
            let counted = text
                .lines()
                .find_map(|line| line.split_once("Collected : "));
            match counted.and_then(|(_, number)| number.trim().parse().ok()) {
                Some(number) if run.status.success() => Ok(number),
                _ => Err(format!("{}: {text}", peer.name())),
            }
        })
    }

    /// System calls of one call, by strace.
    pub fn syscalls(
        &self,
        peer: Peer,
        run: Run<'_>,
        lengths: (usize, usize),
    ) -> Result<f64, String> {
        let table = self.folder.join("strace.txt");
        self.per_call(peer, run, lengths, |arguments| {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-c", "-o"]).arg(&table);
            arguments(&mut strace);
            output("strace", "apt-get install strace", &mut strace)?;
            let text = fs::read_to_string(&table).map_err(|why| why.to_string())?;
            let last = text.lines().rfind(|line| line.ends_with("total"));
            let total = last.and_then(|line| line.split_whitespace().nth(3));
            let total = total.and_then(|word| word.parse().ok());
            total.ok_or_else(|| format!("strace printed\n{text}"))
        })
    }
}

fn arguments(command: &mut Command, run: Run<'_>, calls: usize, mode: &str) {
    command.arg(run.server.url()).arg(run.ca).arg(run.image);
    command.args([&calls.to_string(), mode]);
    command.args([&run.threads.to_string(), &run.pause_ms.to_string()]);
}

/// Programs ask for the SONAME; installing makes this link, a build folder lacks it.
fn link_soname(release: &Path) -> Result<(), String> {
    let link = release.join("liboe_process.so.0");
    match link.exists() {
        true => Ok(()),
        false => {
            std::os::unix::fs::symlink("liboe_process.so", &link).map_err(|why| why.to_string())
        }
    }
}
