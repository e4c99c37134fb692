//! What users install: an archive for each target, the same bytes every time it is made.

mod build;
mod check;
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
    },
    Target {
        name: "aarch64-linux-gnu",
        triple: "aarch64-unknown-linux-gnu",
        tools: "aarch64-linux-gnu-",
        package: "binutils-aarch64-linux-gnu",
    },
    Target {
        name: "armv7-linux-gnueabihf",
        triple: "armv7-unknown-linux-gnueabihf",
        tools: "arm-linux-gnueabihf-",
        package: "binutils-arm-linux-gnueabihf",
    },
];

/// Where everything goes.
pub fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Makes the archives of these targets; of all, when none is named.
pub fn run(names: &[&str]) -> Result<(), String> {
    let known = |name: &&str| {
        let found = TARGETS.iter().find(|target| target.name == *name);
        found.copied().ok_or_else(|| {
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            format!("{name}: not one of {}", all.join(", "))
        })
    };
    let targets = match names {
        [] => TARGETS.to_vec(),
        names => names.iter().map(known).collect::<Result<_, _>>()?,
    };
    for target in targets {
        println!("{} ...", target.name);
        let built = build::library(target)?;
        let staged = package::stage(target, &built)?;
        check::staged(target, &staged)?;
        println!("  {}", package::pack(&staged)?.display());
    }
    package::sums()
}
