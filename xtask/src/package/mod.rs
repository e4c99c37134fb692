//! What users install: an archive for each target, the same bytes every time it is made.

mod agent;
mod build;
mod check;
pub mod chroot;
mod contents;
mod debian;
mod install;
mod languages;
pub mod platforms;
mod sbom;
mod services;
mod target;
mod windows;

use std::path::PathBuf;

use crate::generated::root;
use target::named;

/// Where everything goes.
pub fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Makes the archives of these targets; of all, when none is named.
pub fn run(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        let built = build::library(target)?;
        let staged = contents::stage(target, &built)?;
        check::staged(target, &staged)?;
        println!("  {}", contents::pack(target, &staged)?.display());
    }
    contents::sums()
}

/// Uses the archives that are there as their users do.
pub fn install(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        install::run(target)?;
    }
    Ok(())
}

/// Makes Debian packages from what `dist` built.
pub fn debian(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        debian::run(target)?;
    }
    contents::sums()
}

/// Makes wheels from what `dist` built, and has the native one try itself.
pub fn wheels(names: &[&str]) -> Result<(), String> {
    for target in named(names)? {
        println!("{} ...", target.name);
        languages::wheel(target)?;
    }
    contents::sums()
}

/// Makes the npm package from what `dist` built, and has it try itself.
pub fn npm() -> Result<(), String> {
    languages::npm()?;
    contents::sums()
}

/// Builds a target again from nothing and compares the bytes of its archive with those of before.
pub fn reproduce(name: &str) -> Result<(), String> {
    let target = named(&[name])?[0];
    let sums = || -> Result<Vec<String>, String> {
        let text = crate::generated::read("target/dist/SHA256SUMS")?;
        let mine = format!("-{}.", target.name);
        let lines = text.lines().filter(|line| line.contains(&mine));
        Ok(lines.map(str::to_owned).collect())
    };
    run(&[name])?;
    let before = sums()?;
    for made in [
        folder().join("build").join(target.triple),
        folder().join("parts").join(target.name),
    ] {
        std::fs::remove_dir_all(&made).map_err(|why| format!("{}: {why}", made.display()))?;
    }
    run(&[name])?;
    match before == sums()? {
        true => {
            println!("the same bytes");
            Ok(())
        }
        false => Err(format!("{before:?} became {:?}", sums()?)),
    }
}
