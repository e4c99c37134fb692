//! Debian packages: the library, what compiles against it, the service, and the agent of Klipper hosts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents::{Place, VERSION, filled};
use super::target::{Target, Variant};
use super::{agent, build, check, folder};
use crate::command::output;
use crate::generated::{read, root};

const TOOLS: &str = "apt-get install dpkg-dev lintian";
const MAINTAINER: &str = "The oe-process authors <maintainers@oe-process.example>";

const FULL: &str = "liboe-process0";
const LITE: &str = "liboe-process0-lite";
const WITH: &str = "\
 \x20This package has the shared library, with an engine that looks at\n \
 pictures on this machine, without a service and without a network.";
const WITHOUT: &str = "\
 \x20This package has the shared library without the engine that looks at\n \
 pictures on this machine: a third of the size.";

/// Of the changelog's last entry, which every file's time is cut to.
const RELEASED: (&str, &str) = ("Tue, 24 Nov 2026 00:00:00 +0000", "1795478400");

/// What a package is made of.
struct Package<'a> {
    name: &'a str,
    architecture: &'a str,
    section: &'a str,
    depends: String,
    description: &'a str,
    staged: PathBuf,
}

/// Debian's name of a target's processor, and the folder of its libraries; none for a target that
/// Debian has no port for.
pub fn architecture(target: Target) -> Option<(&'static str, &'static str)> {
    match target.name {
        "x86_64-linux-gnu" => Some(("amd64", "x86_64-linux-gnu")),
        "aarch64-linux-gnu" => Some(("arm64", "aarch64-linux-gnu")),
        "armv7-linux-gnueabihf" => Some(("armhf", "arm-linux-gnueabihf")),
        _ => None,
    }
}

/// Makes a target's packages from what `dist` built, and has lintian look at them.
pub fn run(target: Target) -> Result<(), String> {
    let (architecture, multiarch) = architecture(target)
        .ok_or_else(|| format!("{}: Debian has no packages of it", target.name))?;
    let libdir = format!("/usr/lib/{multiarch}");
    let server = build::server(target)?;
    check::glibc(target, &server)?;
    let made = [
        library(target, Variant::Full, architecture, &libdir)?,
        library(target, Variant::Lite, architecture, &libdir)?,
        development(target, architecture, &libdir)?,
        service(architecture, &server)?,
        klipper_agent(target, architecture)?,
    ];
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error,warning", "--allow-root"]);
    let printed = output("lintian", TOOLS, lintian.args(&made))?;
    println!("{printed}  lintian: clean");
    Ok(())
}

/// The shared library. The lite one takes the other's place: what asks for that runs with it too.
fn library(
    target: Target,
    variant: Variant,
    architecture: &str,
    libdir: &str,
) -> Result<PathBuf, String> {
    let (name, title, more) = match variant {
        Variant::Full => (FULL, "", WITH),
        Variant::Lite => (LITE, ", without an engine", WITHOUT),
    };
    let description = format!(
        "watches 3D prints for the programs that run printers{title}\n \
         Looks at snapshots of a running print, or has the Gadget Process API of\n \
         OctoEverywhere or a service of one's own look, and says what is seen: a\n \
         quality, when to warn the user, when to pause the print, and when to come\n \
         again. It keeps the pace and acts on nothing that is in doubt.\n \
         .\n{more}",
    );
    let package = Package::new(name, architecture, "libs", "libc6 (>= 2.17)", &description)?;
    let real = format!("liboe_process.so.{VERSION}");
    package.copy(
        &build::parts(target, variant).join("liboe_process.so"),
        libdir,
        &real,
        0o644,
    )?;
    package.link(&real, libdir, "liboe_process.so.0")?;
    if variant == Variant::Lite {
        // lintian wants a library's package called after its SONAME: that name is the full one's.
        let lines = format!("{LITE}: package-name-doesnt-match-sonames liboe-process0\n");
        package.write(&lines, "/usr/share/lintian/overrides", LITE)?;
    }
    package.control("shlibs", "liboe_process 0 liboe-process0\n")?;
    package.control("triggers", "activate-noawait ldconfig\n")?;
    let names = read("tests/abi/symbols.txt")?;
    let mut symbols = "liboe_process.so.0 liboe-process0 #MINVER#\n".to_owned();
    for name in names.lines() {
        symbols += &format!(" {name}@Base {VERSION}\n");
    }
    package.control("symbols", &symbols)?;
    package.build()
}

fn development(target: Target, architecture: &str, libdir: &str) -> Result<PathBuf, String> {
    let package = Package::new(
        "liboe-process-dev",
        architecture,
        "libdevel",
        &format!("liboe-process0 (= {VERSION})"),
        "watches 3D prints - development files\n \
         Header for C and C++, static library, pkg-config and CMake files and\n \
         examples of liboe-process0, which gives snapshots of a running print to\n \
         the Gadget Process API and says when to warn and when to pause.",
    )?;
    for header in ["oe_process.h", "oe_process.hpp"] {
        let from = root().join("include").join(header);
        package.copy(&from, "/usr/include", header, 0o644)?;
    }
    let archive = build::parts(target, Variant::Full).join("liboe_process.a");
    package.copy(&archive, libdir, "liboe_process.a", 0o644)?;
    package.link("liboe_process.so.0", libdir, "liboe_process.so")?;
    let place = Place::debian(libdir);
    for (name, under) in [
        ("oe_process.pc", "pkgconfig"),
        ("oe_process-config.cmake", "cmake/oe_process"),
        ("oe_process-config-version.cmake", "cmake/oe_process"),
    ] {
        let text = filled(target, name, &place)?;
        package.write(&text, &format!("{libdir}/{under}"), name)?;
    }
    let examples = "/usr/share/doc/liboe-process-dev/examples";
    let here = root().join("examples-c");
    let entries = fs::read_dir(&here).map_err(|why| format!("{}: {why}", here.display()))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        package.copy(&entry.path(), examples, &name, 0o644)?;
    }
    let frame = root().join("demo/frames/frame-01.jpg");
    package.copy(&frame, examples, "frame.jpg", 0o644)?;
    package.build()
}

fn service(architecture: &str, program: &Path) -> Result<PathBuf, String> {
    let name = "oe-process-server";
    let package = Package::new(
        name,
        architecture,
        "net",
        "libc6 (>= 2.17), init-system-helpers (>= 1.54)",
        "self-hosted service that looks at pictures of 3D prints\n \
         Speaks the wire of OctoEverywhere's Gadget Process API: clients send\n \
         snapshots of running prints and are told a quality, whether to warn the\n \
         user, whether to pause the print, and when to come again.\n \
         .\n \
         Installed, it listens on this machine's port 8674.",
    )?;
    let files = root().join("server/packaging");
    let unit = "oe-process-server.service";
    let mut security = Command::new("systemd-analyze");
    // Of 100: nothing that it can do without is within its reach.
    security.args(["security", "--offline=true", "--threshold=15"]);
    output(
        "systemd-analyze",
        "apt-get install systemd",
        security.arg(files.join(unit)),
    )?;
    package.copy(program, "/usr/bin", name, 0o755)?;
    package.copy(&files.join(unit), "/lib/systemd/system", unit, 0o644)?;
    let options = files.join("oe-process-server.default");
    package.copy(&options, "/etc/default", name, 0o644)?;
    let page = read("server/packaging/oe-process-server.8")?;
    package.write(&page, "/usr/share/man/man8", "oe-process-server.8")?;
    package.compress("usr/share/man/man8/oe-process-server.8")?;
    package.control("conffiles", "/etc/default/oe-process-server\n")?;
    for script in ["postinst", "prerm", "postrm"] {
        let text = read(&format!("xtask/src/package/debian/{script}"))?;
        package.control(script, &text)?;
        let to = package.staged.join("DEBIAN").join(script);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(to, mode).map_err(|why| why.to_string())?;
    }
    package.build()
}

/// The agent of Klipper hosts, for Debian 12's C library.
fn klipper_agent(target: Target, architecture: &str) -> Result<PathBuf, String> {
    let name = "oe-moonraker";
    let package = Package::new(
        name,
        architecture,
        "utils",
        &format!(
            "liboe-process0 (= {VERSION}), libc6 (>= 2.34), libcurl4 (>= 7.66), libcjson1 (>= 1.7.13)"
        ),
        "watches the prints of Klipper printers\n \
         Follows the prints of a printer's Moonraker, takes pictures from its camera\n \
         and looks at them on the machine itself, without a network or a key. Warns\n \
         on the printer's console and display, and runs the printer's own PAUSE when\n \
         a print fails.",
    )?;
    let files = root().join("moonraker");
    let unit = "oe-moonraker@.service";
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=20"]);
    output(
        "systemd-analyze",
        "apt-get install systemd",
        security.arg(files.join(unit)),
    )?;
    package.copy(
        &agent::program(
            target,
            &build::parts(target, Variant::Full).join("liboe_process.so"),
        )?,
        "/usr/bin",
        name,
        0o755,
    )?;
    package.copy(&files.join(unit), "/lib/systemd/system", unit, 0o644)?;
    let examples = "/usr/share/doc/oe-moonraker/examples";
    for sample in ["oe_process.cfg", "oe_process_macros.cfg"] {
        package.copy(&files.join(sample), examples, sample, 0o644)?;
    }
    let page = read("moonraker/oe-moonraker.1")?;
    package.write(&page, "/usr/share/man/man1", "oe-moonraker.1")?;
    package.compress("usr/share/man/man1/oe-moonraker.1")?;
    package.build()
}

impl<'a> Package<'a> {
    fn new(
        name: &'a str,
        architecture: &'a str,
        section: &'a str,
        depends: &str,
        description: &'a str,
    ) -> Result<Package<'a>, String> {
        let staged = folder().join("debian").join(architecture).join(name);
        drop(fs::remove_dir_all(&staged));
        let package = Package {
            name,
            architecture,
            section,
            depends: depends.to_owned(),
            description,
            staged,
        };
        let doc = format!("/usr/share/doc/{name}");
        package.write(&copyright()?, &doc, "copyright")?;
        let notices = read(match section {
            "net" => "docs/third-party-notices-server.txt",
            _ => "docs/third-party-notices.txt",
        })?;
        package.write(&notices, &doc, "third-party-notices.txt")?;
        package.compress(&format!("usr/share/doc/{name}/third-party-notices.txt"))?;
        if name != LITE {
            package.write(&read("NOTICE")?, &doc, "NOTICE")?;
        }
        let (date, _) = RELEASED;
        let log = format!(
            "oe-process ({VERSION}) unstable; urgency=medium\n\n  * See \
             https://keepachangelog.com and CHANGELOG.md of the sources.\n\n -- {MAINTAINER}  {date}\n"
        );
        package.write(&log, &doc, "changelog")?;
        package.compress(&format!("usr/share/doc/{name}/changelog"))?;
        Ok(package)
    }

    fn place(&self, under: &str, name: &str) -> Result<PathBuf, String> {
        let place = self.staged.join(under.trim_start_matches('/'));
        fs::create_dir_all(&place).map_err(|why| format!("{}: {why}", place.display()))?;
        Ok(place.join(name))
    }

    fn copy(&self, from: &Path, under: &str, name: &str, mode: u32) -> Result<(), String> {
        let to = self.place(under, name)?;
        fs::copy(from, &to).map_err(|why| format!("{}: {why}", from.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).map_err(|why| why.to_string())
    }

    fn write(&self, text: &str, under: &str, name: &str) -> Result<(), String> {
        let to = self.place(under, name)?;
        fs::write(&to, text).map_err(|why| format!("{}: {why}", to.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).map_err(|why| why.to_string())
    }

    fn link(&self, target: &str, under: &str, name: &str) -> Result<(), String> {
        symlink(target, self.place(under, name)?).map_err(|why| why.to_string())
    }

    fn compress(&self, path: &str) -> Result<(), String> {
        let mut gzip = Command::new("gzip");
        output("gzip", TOOLS, gzip.arg("-9n").arg(self.staged.join(path))).map(drop)
    }

    fn control(&self, name: &str, text: &str) -> Result<(), String> {
        self.write(text, "DEBIAN", name)
    }

    /// The package, the same bytes each time.
    fn build(&self) -> Result<PathBuf, String> {
        check::no_paths(&self.staged)?;
        let mut sums = Command::new("sh");
        sums.args([
            "-c",
            "find usr lib -type f 2>/dev/null | LC_ALL=C sort | xargs md5sum",
        ]);
        let sums = output("md5sum", TOOLS, sums.current_dir(&self.staged))?;
        self.control("md5sums", &sums)?;
        let mut du = Command::new("du");
        du.args(["-sk", "--exclude=DEBIAN"]).arg(&self.staged);
        let size = output("du", TOOLS, &mut du)?;
        let size = size.split_whitespace().next().unwrap_or_default();
        let shared = match self.section {
            "libs" | "libdevel" => "Multi-Arch: same\n",
            _ => "",
        };
        let place = match self.name == LITE {
            true => {
                format!("Provides: {FULL} (= {VERSION})\nConflicts: {FULL}\nReplaces: {FULL}\n")
            }
            false => String::new(),
        };
        let text = format!(
            "Package: {}\nSource: oe-process\nVersion: {VERSION}\nArchitecture: {}\nMaintainer: {MAINTAINER}\n\
             Installed-Size: {size}\nDepends: {}\n{place}Section: {}\nPriority: optional\n{shared}Description: {}\n",
            self.name, self.architecture, self.depends, self.section, self.description
        );
        self.control("control", &text)?;
        let file = format!("{}_{VERSION}_{}.deb", self.name, self.architecture);
        let to = folder().join(file);
        let mut dpkg = Command::new("dpkg-deb");
        dpkg.env("SOURCE_DATE_EPOCH", RELEASED.1);
        dpkg.args(["--root-owner-group", "-Zxz", "--build"]);
        output("dpkg-deb", TOOLS, dpkg.arg(&self.staged).arg(&to))?;
        println!("  {}", to.display());
        Ok(to)
    }
}

/// In Debian's form.
fn copyright() -> Result<String, String> {
    let mit = read("LICENSE-MIT")?;
    let lines = mit.lines().map(|line| match line.trim() {
        "" => " .".to_owned(),
        line => format!(" {line}"),
    });
    Ok(format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: oe-process\n\
         Source: the sources that come with this release\n\
         Comment: The licences of what is linked into the binaries are in\n \
         third-party-notices.txt.gz beside this file.\n\n\
         Files: *\nCopyright: 2026 The oe-process authors\nLicense: MIT or Apache-2.0\n\n\
         License: MIT\n{}\n\n\
         License: Apache-2.0\n On Debian systems, the full text of the Apache License, Version 2.0,\n \
         is in /usr/share/common-licenses/Apache-2.0.\n",
        lines.collect::<Vec<_>>().join("\n"),
    ))
}
