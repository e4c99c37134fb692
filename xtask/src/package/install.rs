//! The archives in the hands of their users: unpacked somewhere, found by pkg-config and CMake, and
//! what was built with them run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents;
use super::services::Services;
use super::target::{Runner, System, Target, Variant};
use super::{build, folder};
use crate::command::output;
use crate::generated::root;

const TOOLS: &str = "apt-get install pkg-config cmake g++";
const EMBEDDED: &str = "tests/install/embedded.c";
const WINE: &str = "apt-get install wine64";

/// An unpacked archive.
struct Installed {
    target: Target,
    variant: Variant,
    prefix: PathBuf,
    programs: PathBuf,
}

/// Which of the two libraries a program has.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Shared,
    Static,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Shared => "shared",
            Kind::Static => "static",
        }
    }
}

/// Compiles programs with what is in a target's archive, shared and static, and runs them against
/// the service: natively, under qemu or under Wine.
pub fn run(target: Target, variant: Variant) -> Result<(), String> {
    let installed = Installed::unpack(target, variant)?;
    if target.runner == Runner::None {
        for kind in installed.kinds() {
            for source in ["tests/install/host.c", EMBEDDED] {
                installed.compile(source, *kind)?;
                println!("  {source}, {}: linked", kind.name());
            }
        }
        println!("  nothing here runs its programs");
        return Ok(());
    }
    let services = Services::start(&installed.programs)?;
    for kind in installed.kinds() {
        installed.tests(*kind, &services)?;
        installed.embedded(*kind)?;
    }
    if variant != target.fullest() {
        return Ok(());
    }
    installed.watch(&services)?;
    match target.runner {
        Runner::Native if target.system != System::Musl => installed.cmake(&services),
        Runner::Wine => installed.msvc(),
        _ => Ok(()),
    }
}

impl Installed {
    fn unpack(target: Target, variant: Variant) -> Result<Installed, String> {
        let name = contents::name(target, variant);
        let place = folder().join("installed");
        drop(fs::remove_dir_all(place.join(&name)));
        let programs = place.join("programs").join(&name);
        fs::create_dir_all(&programs).map_err(|why| why.to_string())?;
        let mut unpack = match target.is_windows() {
            true => {
                let mut unzip = Command::new("unzip");
                unzip.arg("-q").arg(folder().join(format!("{name}.zip")));
                unzip.arg("-d").arg(&place);
                unzip
            }
            false => {
                let mut tar = Command::new("tar");
                tar.arg("-xzf").arg(folder().join(format!("{name}.tar.gz")));
                tar.arg("-C").arg(&place);
                tar
            }
        };
        let hint = "cargo xtask dist first; apt-get install tar unzip";
        output("unpacking", hint, &mut unpack)?;
        let installed = Installed {
            target,
            variant,
            prefix: place.join(name),
            programs,
        };
        if target.runner == Runner::Wine {
            installed.prepare_wine()?;
        }
        Ok(installed)
    }

    /// zig has no musl to load a program with, only one to link into it; and where this machine
    /// has no musl of the target, nobody has.
    fn kinds(&self) -> &'static [Kind] {
        match (self.target.system, self.target.runner) {
            (System::Musl, Runner::Qemu(_)) => &[Kind::Static],
            _ if !self.target.has_static() => &[Kind::Shared],
            _ => &[Kind::Shared, Kind::Static],
        }
    }

    fn tests(&self, kind: Kind, services: &Services) -> Result<(), String> {
        let frame = root().join("demo/frames/frame-01.jpg");
        let mut sources = vec!["tests/c/abi.c", "tests/install/host.c"];
        if !self.target.is_windows() {
            sources.push("tests/c/monitor.c");
        }
        for source in sources {
            let program = self.compile(source, kind)?;
            let mut run = self.runner(&program);
            run.arg(services.http());
            match source {
                "tests/install/host.c" => run.arg(services.https()).arg(&services.ca).arg(&frame),
                _ => run.arg(&frame).arg("emulated"),
            };
            output(source, &self.run_hint(), &mut run)?;
            println!("  {source}, {}: passed", kind.name());
        }
        Ok(())
    }

    /// Plays the demo's print for the engine, without a network and a key; where there is none, choosing
    /// it says so.
    fn embedded(&self, kind: Kind) -> Result<(), String> {
        let program = self.compile(EMBEDDED, kind)?;
        let mut run = self.runner(&program);
        run.arg(root().join("demo/frames"));
        run.arg(match self.variant {
            Variant::Full => "1",
            Variant::Lite => "0",
        });
        output(EMBEDDED, &self.run_hint(), &mut run)?;
        println!("  {EMBEDDED}, {}: passed", kind.name());
        Ok(())
    }

    /// The example that a newcomer begins with, over two pictures.
    fn watch(&self, services: &Services) -> Result<(), String> {
        let frames = self.programs.join("frames");
        fs::create_dir_all(&frames).map_err(|why| why.to_string())?;
        for name in ["frame-01.jpg", "frame-02.jpg"] {
            let from = root().join("demo/frames").join(name);
            fs::copy(from, frames.join(name)).map_err(|why| why.to_string())?;
        }
        let kind = self.kinds()[0];
        let program = self.compile("examples-c/watch.c", kind)?;
        for url in [services.http(), services.https()] {
            let mut run = self.runner(&program);
            run.env("OE_API_KEY", "k");
            run.args(["--endpoint", &url, "--replay", "--interval", "5", "--ca"]);
            run.arg(&services.ca).arg(&frames);
            let printed = output("watch", &self.run_hint(), &mut run)?;
            if printed.matches("quality  8").count() != 2 {
                return Err(format!("watch {url}: {printed}"));
            }
            println!("  examples-c/watch.c, {}, {url}: two verdicts", kind.name());
        }
        Ok(())
    }

    /// The target's C compiler. For a static program with musl it is zig's: gcc's unwinder is
    /// compiled for the C library that is gcc's own, here glibc.
    fn cc(&self, kind: Kind) -> Result<Command, String> {
        if self.links_with_zig(kind) {
            let mut cc = build::zig_cc(self.target)?;
            cc.arg("-static");
            return Ok(cc);
        }
        Ok(match self.target.system {
            System::Musl => Command::new("musl-gcc"),
            _ => Command::new(format!("{}gcc", self.target.tools)),
        })
    }

    fn links_with_zig(&self, kind: Kind) -> bool {
        self.target.system == System::Musl && kind == Kind::Static
    }

    /// With the flags that pkg-config gives, and nothing else.
    fn compile(&self, source: &str, kind: Kind) -> Result<PathBuf, String> {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.args(["--cflags", "--libs"]);
        pkg_config
            .args((kind == Kind::Static).then_some("--static"))
            .arg("oe_process");
        pkg_config.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig"));
        let flags = output("pkg-config", TOOLS, &mut pkg_config)?;
        let stem = Path::new(source).file_stem().unwrap_or_default();
        let end = if self.target.is_windows() { ".exe" } else { "" };
        let name = format!("{}-{}{end}", stem.to_string_lossy(), kind.name());
        let program = self.programs.join(name);
        let mut cc = self.cc(kind)?;
        cc.args(["-std=c11", "-O1", "-D_GNU_SOURCE", "-o"])
            .arg(&program);
        cc.arg(root().join(source));
        for flag in flags.split_whitespace() {
            match flag {
                // The linker would take the shared one, which stands beside it.
                "-loe_process" if kind == Kind::Static => {
                    cc.arg(self.prefix.join("lib/liboe_process.a"))
                }
                // zig's name for the same.
                "-lgcc_eh" if self.links_with_zig(kind) => cc.arg("-lunwind"),
                flag => cc.arg(flag),
            };
        }
        output(source, &self.target.hint(), &mut cc)?;
        Ok(program)
    }

    fn run_hint(&self) -> String {
        match self.target.runner {
            Runner::Wine => WINE.to_owned(),
            Runner::Qemu(_) => "apt-get install qemu-user-static".to_owned(),
            Runner::Native | Runner::None => self.target.hint(),
        }
    }

    fn runner(&self, program: &Path) -> Command {
        let libraries = self.prefix.join("lib");
        match self.target.runner {
            Runner::Native | Runner::None => {
                let mut run = Command::new(program);
                run.env("LD_LIBRARY_PATH", libraries);
                run
            }
            Runner::Qemu(machine) => {
                let mut run = Command::new(format!("qemu-{machine}-static"));
                let sysroot = self.target.tools.trim_end_matches('-');
                run.args(["-L", &format!("/usr/{sysroot}"), "-E"]);
                run.arg(format!("LD_LIBRARY_PATH={}", libraries.display()));
                run.arg(program);
                run
            }
            Runner::Wine => {
                let mut run = self.wine();
                run.arg(program);
                run
            }
        }
    }

    fn wine(&self) -> Command {
        // Debian's package has it, but not in the path.
        let debian = Path::new("/usr/lib/wine/wine64");
        let program = if debian.exists() {
            debian
        } else {
            Path::new("wine")
        };
        let mut wine = Command::new(program);
        // A Windows of its own, which asks nobody for anything.
        wine.env("WINEPREFIX", folder().join("wine"));
        wine.env("WINEDEBUG", "-all");
        wine.env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        wine
    }

    /// The DLL goes beside the programs, as it would in an installer, and what Wine lacks too.
    fn prepare_wine(&self) -> Result<(), String> {
        let dll = self.prefix.join("bin/oe_process.dll");
        fs::copy(dll, self.programs.join("oe_process.dll")).map_err(|why| why.to_string())?;
        let mut gcc = Command::new(format!("{}gcc", self.target.tools));
        gcc.args(["-shared", "-o"])
            .arg(self.programs.join("bcryptprimitives.dll"))
            .arg(root().join("tests/install/shim.c"))
            .args(["-ladvapi32", "-Wl,--kill-at"]);
        output("shim.c", &self.target.hint(), &mut gcc)?;
        let mut boot = self.wine();
        output("wineboot", WINE, boot.args(["wineboot", "--init"])).map(drop)
    }

    /// A program that Microsoft's linker would make, by clang and lld-link.
    fn msvc(&self) -> Result<(), String> {
        let clang_and_lld = "apt-get install clang lld";
        let object = self.programs.join("msvc.obj");
        let mut clang = Command::new("clang");
        clang.args(["--target=x86_64-pc-windows-msvc", "-ffreestanding"]);
        clang.args(["-O1", "-I"]).arg(self.prefix.join("include"));
        clang.arg("-c").arg(root().join("tests/install/msvc.c"));
        output("clang", clang_and_lld, clang.arg("-o").arg(&object))?;
        let program = self.programs.join("msvc.exe");
        let mingw = Path::new("/usr").join(self.target.tools.trim_end_matches('-'));
        let mut link = Command::new("lld-link");
        link.args(["/entry:start", "/subsystem:console", "/nodefaultlib"]);
        link.arg(&object)
            .arg(self.prefix.join("lib/oe_process.lib"));
        // Microsoft's are not to be had here; these name the same DLLs.
        for library in ["libkernel32.a", "libmsvcrt.a"] {
            link.arg(mingw.join("lib").join(library));
        }
        link.arg(format!("/out:{}", program.display()));
        output("lld-link", clang_and_lld, &mut link)?;
        output("msvc.exe", WINE, &mut self.runner(&program))?;
        println!("  tests/install/msvc.c, clang and lld-link: passed");
        Ok(())
    }

    /// CMake's users, in C and in C++.
    fn cmake(&self, services: &Services) -> Result<(), String> {
        let build = self.programs.join("cmake");
        drop(fs::remove_dir_all(&build));
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(root().join("tests/install"));
        configure.arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", self.prefix.display()));
        let examples = self.prefix.join("share/oe-process/examples-c");
        configure.arg(format!("-DEXAMPLES={}", examples.display()));
        output("cmake", TOOLS, &mut configure)?;
        let mut make = Command::new("cmake");
        output("cmake --build", TOOLS, make.arg("--build").arg(&build))?;
        for name in ["host-shared", "host-static"] {
            let mut run = Command::new(build.join(name));
            run.args([services.http(), services.https()])
                .arg(&services.ca)
                .arg(root().join("demo/frames/frame-01.jpg"));
            output(name, TOOLS, &mut run)?;
            println!("  CMake, {name}: passed");
        }
        // Without arguments it says what it lacks; that it says so, it was linked and loaded for.
        let run = Command::new(build.join("cpp")).output();
        let run = run.map_err(|why| format!("cpp: {why}"))?;
        match run.status.code() {
            Some(0..=2) => println!("  CMake, C++: passed"),
            _ => return Err(format!("cpp: {run:?}")),
        }
        Ok(())
    }
}
