//! The library for a target: Debian's compiler with its standard library built anew, zig as the
//! linker, which knows the symbols of every old C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{GLIBC, Target, folder};
use crate::command::output;
use crate::generated::root;
use crate::{archive, toolchain};

/// From PyPI, with their versions: another linker may write other bytes.
const ZIG: [&str; 2] = ["ziglang==0.15.2", "cargo-zigbuild==0.24.0"];

/// The two libraries of a target.
pub struct Built {
    pub shared: PathBuf,
    pub archive: PathBuf,
}

fn zig() -> Result<PathBuf, String> {
    let place = root().join("target/toolchain/zig-0.15.2");
    if !place.join("bin/cargo-zigbuild").exists() {
        println!("  fetching {} ...", ZIG.join(" and "));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]);
        pip.arg(&place).args(ZIG);
        output("pip install", "apt-get install python3-pip", &mut pip).map_err(|why| {
            format!("{why}\na pinned version may have gone: xtask/src/dist/build.rs has the pins")
        })?;
    }
    Ok(place)
}

/// Paths of this machine must not be in what is given away.
fn remap() -> String {
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
    flags.join(" ")
}

/// Builds both.
pub fn library(target: Target) -> Result<Built, String> {
    let zig = zig()?;
    let mut cargo = toolchain::cargo()?;
    let path = std::env::var("PATH").unwrap_or_default();
    cargo.env("PATH", format!("{}:{path}", zig.join("bin").display()));
    cargo.env("PYTHONPATH", &zig);
    cargo.env("RUSTFLAGS", remap());
    cargo.env("CARGO_TARGET_DIR", folder().join("build"));
    cargo.args(["zigbuild", "--release", "--locked", "--quiet"]);
    cargo.args(["--package", "oe-process", toolchain::BUILD_STD]);
    cargo.args(["--target", &format!("{}.{GLIBC}", target.triple)]);
    output("cargo zigbuild", "rustup", &mut cargo)?;
    let release = folder().join("build").join(target.triple).join("release");
    let parts = folder().join("parts").join(target.name);
    fs::create_dir_all(&parts).map_err(|why| why.to_string())?;
    let built = Built {
        shared: parts.join("liboe_process.so"),
        archive: parts.join("liboe_process.a"),
    };
    let mut strip = Command::new(format!("{}strip", target.tools));
    strip.arg("-o").arg(&built.shared);
    let hint = format!("apt-get install {}", target.package);
    output("strip", &hint, strip.arg(release.join("liboe_process.so")))?;
    let from = release.join("liboe_process.a");
    archive::reduce(&from, &built.archive, target.tools)?;
    Ok(built)
}
