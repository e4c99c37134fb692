//! What users install: an archive for each target, the same bytes every time it is made.

mod build;
mod check;
mod install;
mod package;
mod sbom;

use std::path::PathBuf;

use crate::generated::root;

/// A machine that the library is given away for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// In the archive's name.
    pub name: &'static str,
    /// What rustc calls it.
    pub triple: &'static str,
    /// What its binutils begin with.
    pub tools: &'static str,
    /// The package that has them.
    pub package: &'static str,
    /// What qemu calls it.
    pub qemu: &'static str,
}

impl Target {
    /// Whether its programs run here as they are.
    pub fn is_native(self) -> bool {
        self.qemu == std::env::consts::ARCH
    }
}

/// The oldest C library that the Linux targets run with: that of CentOS 7 and of board images from
/// 2014 on.
pub const GLIBC: &str = "2.17";

const TARGETS: &[Target] = &[
    Target {
        name: "x86_64-linux-gnu",
        triple: "x86_64-unknown-linux-gnu",
        tools: "x86_64-linux-gnu-",
        package: "binutils-x86-64-linux-gnu",
        qemu: "x86_64",
    },
    Target {
        name: "aarch64-linux-gnu",
        triple: "aarch64-unknown-linux-gnu",
        tools: "aarch64-linux-gnu-",
        package: "binutils-aarch64-linux-gnu",
        qemu: "aarch64",
    },
    Target {
        name: "armv7-linux-gnueabihf",
        triple: "armv7-unknown-linux-gnueabihf",
        tools: "arm-linux-gnueabihf-",
        package: "binutils-arm-linux-gnueabihf",
        qemu: "arm",
    },
];

/// Where everything goes.
pub fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Those with these names; all, when none is named.
fn named(names: &[&str]) -> Result<Vec<Target>, String> {
    let known = |name: &&str| {
        let found = TARGETS.iter().find(|target| target.name == *name);
        found.copied().ok_or_else(|| {
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            format!("{name}: not one of {}", all.join(", "))
        })
    };
    match names {
        [] => Ok(TARGETS.to_vec()),
        names => names.iter().map(known).collect(),
    }
}

/// Makes the archives of these targets; of all, when none is named.
pub fn run(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        let built = build::library(target)?;
        let staged = package::stage(target, &built)?;
        check::staged(target, &staged)?;
        println!("  {}", package::pack(&staged)?.display());
    }
    package::sums()
}

/// Uses the archives that are there as their users do.
pub fn install(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        install::run(target)?;
    }
    Ok(())
}
