//! The library for a target: Debian's compiler with its standard library built anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder;
use super::target::{Linker, System, Target, Variant};
use super::windows;
use crate::command::output;
use crate::generated::{read, root};
use crate::{archive, toolchain};

/// From PyPI, with their versions: another linker may write other bytes.
const ZIG: [&str; 2] = ["ziglang==0.15.2", "cargo-zigbuild==0.24.0"];

/// The two libraries of a target.
pub struct Built {
    pub shared: PathBuf,
    pub archive: PathBuf,
}

/// Where zig is, fetched if need be.
pub fn zig() -> Result<PathBuf, String> {
    let place = root().join("target/toolchain/zig-0.15.2");
    if !place.join("bin/cargo-zigbuild").exists() {
        println!("  fetching {} ...", ZIG.join(" and "));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]);
        pip.arg(&place).args(ZIG);
        output("pip install", "apt-get install python3-pip", &mut pip).map_err(|why| {
            format!(
                "{why}\na pinned version may have gone: xtask/src/package/build.rs has the pins"
            )
        })?;
    }
    Ok(place)
}

/// Paths of this machine must not be in what is given away.
fn flags(target: Target) -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = Vec::new();
    let mut map = |from: &Path, to: &str| {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    };
    map(&root(), "/oe-process");
    map(&root().join("target/toolchain"), "/toolchain");
    if let Some(home) = home {
        map(&home, "/cargo");
    }
    if target.system == System::Musl {
        // A shared library takes the C library of its host, not one of its own.
        flags.push("-Ctarget-feature=-crt-static".to_owned());
    }
    flags.join(" ")
}

/// `cargo build` or `cargo check`, for this target.
fn cargo(target: Target, verb: &str) -> Result<Command, String> {
    let mut cargo = toolchain::cargo()?;
    match target.linker {
        Linker::Zig => {
            let zig = zig()?;
            let path = std::env::var("PATH").unwrap_or_default();
            cargo.env("PATH", format!("{}:{path}", zig.join("bin").display()));
            cargo.env("PYTHONPATH", &zig);
            cargo.arg(format!("zig{verb}"));
        }
        Linker::Gcc => {
            let triple = target.triple.replace('-', "_").to_uppercase();
            let gcc = format!("{}gcc", target.tools);
            cargo.env(format!("CARGO_TARGET_{triple}_LINKER"), gcc);
            cargo.arg(verb);
        }
    }
    if target.triple == "i686-pc-windows-gnu" {
        startup_objects(target.triple)?;
    }
    cargo
        .arg("--target")
        .arg(match (target.linker, target.system) {
            (Linker::Zig, System::Gnu(oldest)) => format!("{}.{oldest}", target.triple),
            _ => target.triple.to_owned(),
        });
    cargo.env("RUSTFLAGS", flags(target));
    cargo.env("CARGO_TARGET_DIR", folder().join("build"));
    cargo.args(["--release", "--locked", "--quiet", toolchain::BUILD_STD]);
    Ok(cargo)
}

/// What registers the unwinder's tables on 32-bit Windows. rustup brings these objects with the
/// target's standard library; here they are compiled from Debian's copy of the same sources.
fn startup_objects(triple: &str) -> Result<(), String> {
    let rustc = toolchain::rustc()?;
    let mut print = Command::new(&rustc);
    let sysroot = output("rustc", "rustup", print.args(["--print", "sysroot"]))?;
    let sysroot = Path::new(sysroot.trim());
    let to = sysroot.join("lib/rustlib").join(triple).join("lib");
    fs::create_dir_all(&to).map_err(|why| why.to_string())?;
    for name in ["rsbegin", "rsend"] {
        let source = format!("library/rtstartup/{name}.rs");
        let mut compile = Command::new(&rustc);
        compile.env("RUSTC_BOOTSTRAP", "1");
        compile.args(["--crate-type", "rlib", "--emit", "obj", "--target", triple]);
        compile.arg("-o").arg(to.join(format!("{name}.o")));
        compile.arg(toolchain::source(&source)?);
        output(&source, "rustup", &mut compile)?;
    }
    Ok(())
}

/// The C compiler that links for a target. gcc's musl target would be its own glibc.
fn linker(target: Target) -> Result<Command, String> {
    match target.linker {
        Linker::Gcc => Ok(Command::new(format!("{}gcc", target.tools))),
        Linker::Zig => zig_cc(target),
    }
}

/// zig's C compiler for a target.
pub fn zig_cc(target: Target) -> Result<Command, String> {
    let mut cc = Command::new("python3");
    cc.env("PYTHONPATH", zig()?);
    cc.args(["-m", "ziglang", "cc", "-target", target.zig()]);
    Ok(cc)
}

/// The shared library from the static one, with the header's functions and nothing else. Where ring
/// has no assembly for a processor, it has functions in Rust with C names, which a `cdylib` exports.
fn relink(target: Target, archive: &Path) -> Result<PathBuf, String> {
    let to = archive.with_file_name("liboe_process.linked.so");
    let script = archive.with_file_name("exports.map");
    let exports = read("tests/abi/symbols.txt")?.replace('\n', ";");
    let text = format!("{{ global: {exports} local: *; }};\n");
    fs::write(&script, text).map_err(|why| format!("{}: {why}", script.display()))?;
    let mut cc = linker(target)?;
    cc.args(["-shared", "-Wl,--gc-sections"]);
    cc.arg("-Wl,-soname,liboe_process.so.0,-z,nodelete,-z,now,-z,relro");
    cc.arg(format!("-Wl,--version-script={}", script.display()));
    for name in exports.split(';').filter(|name| !name.is_empty()) {
        cc.arg(format!("-Wl,-u,{name}"));
    }
    cc.arg(archive);
    match target.linker {
        Linker::Gcc => cc.arg("-static-libgcc").args(target.libraries().split(' ')),
        Linker::Zig => cc.arg("-lunwind"),
    };
    output("linking", &target.hint(), cc.arg("-o").arg(&to))?;
    Ok(to)
}

/// What is built in. 32-bit ARM's NEON intrinsics are not stable; this compiler opens them as it opens
/// the building of a standard library, and the processor is asked before they are used.
fn features(target: Target, variant: Variant) -> &'static [&'static str] {
    match variant {
        Variant::Lite => &["--no-default-features"],
        Variant::Full if target.triple.starts_with("armv7-") => {
            &["--features", "oe-process-engine/arm-neon"]
        }
        Variant::Full => &[],
    }
}

/// Where the libraries of a target lie, ready to be packed.
pub fn parts(target: Target, variant: Variant) -> PathBuf {
    let name = match variant {
        Variant::Full => target.name.to_owned(),
        Variant::Lite => format!("{}-lite", target.name),
    };
    folder().join("parts").join(name)
}

/// Has the compiler read the library for a target, with everything that is written for that alone.
pub fn check(target: Target, variant: Variant) -> Result<(), String> {
    let mut cargo = cargo(target, "check")?;
    cargo.args(["--package", "oe-process"]);
    cargo.args(features(target, variant));
    output("cargo check", &target.hint(), &mut cargo).map(drop)
}

/// Has cargo build both libraries, and says where.
pub fn compile(target: Target, variant: Variant) -> Result<PathBuf, String> {
    let mut cargo = cargo(target, "build")?;
    cargo.args(["--package", "oe-process"]);
    cargo.args(features(target, variant));
    output("cargo build", &target.hint(), &mut cargo)?;
    Ok(folder().join("build").join(target.triple).join("release"))
}

/// Builds both and makes them ready to be packed.
pub fn library(target: Target, variant: Variant) -> Result<Built, String> {
    let release = compile(target, variant)?;
    let parts = parts(target, variant);
    fs::create_dir_all(&parts).map_err(|why| why.to_string())?;
    let name = match target.is_windows() {
        true => "oe_process.dll",
        false => "liboe_process.so",
    };
    let built = Built {
        shared: parts.join(name),
        archive: parts.join("liboe_process.a"),
    };
    let from = release.join("liboe_process.a");
    let mut linked = release.join(name);
    match (target.is_windows(), target.joins()) {
        (true, _) if target.has_static() => {
            windows::static_library(target, &from, &built.archive)?;
        }
        (true, _) => {}
        (false, true) => archive::reduce(&from, &built.archive, target.tools)?,
        (false, false) => {
            archive::rename(&from, &built.archive, target.tools)?;
            linked = relink(target, &built.archive)?;
        }
    }
    let mut strip = Command::new(format!("{}strip", target.tools));
    // -p: the time in a DLL's header stays what the linker wrote, which is none.
    strip.arg("-p").arg("-o").arg(&built.shared).arg(linked);
    output("strip", &target.hint(), &mut strip)?;
    Ok(built)
}

/// Builds the service for a target and gives the program, stripped.
pub fn server(target: Target) -> Result<PathBuf, String> {
    let mut cargo = cargo(target, "build")?;
    cargo.args(["--package", "oe-process-server"]);
    cargo.args(features(target, Variant::Full));
    output("cargo build", &target.hint(), &mut cargo)?;
    let release = folder().join("build").join(target.triple).join("release");
    let to = parts(target, Variant::Full);
    fs::create_dir_all(&to).map_err(|why| why.to_string())?;
    let to = to.join("oe-process-server");
    let mut strip = Command::new(format!("{}strip", target.tools));
    strip
        .arg("-o")
        .arg(&to)
        .arg(release.join("oe-process-server"));
    output("strip", &target.hint(), &mut strip)?;
    Ok(to)
}
