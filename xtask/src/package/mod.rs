//! What users install: an archive for each target, the same bytes every time it is made.

mod agent;
mod build;
mod check;
pub mod chroot;
mod contents;
mod debian;
mod install;
mod languages;
pub mod looks;
pub mod platforms;
mod sbom;
mod services;
mod target;
mod windows;

use std::path::PathBuf;

use crate::generated::root;
use target::{asked, named};

/// Where everything goes.
pub fn folder() -> PathBuf {
    root().join("target/dist")
}

/// Makes the archives of these targets; of all, when none is named.
pub fn run(names: &[&str]) -> Result<(), String> {
    for (target, variant) in asked(names)? {
        println!("{}{} ...", target.name, variant.note());
        let built = build::library(target, variant)?;
        let staged = contents::stage(target, variant, &built)?;
        check::staged(target, variant, &staged)?;
        println!("  {}", contents::pack(target, &staged)?.display());
    }
    contents::sums()
}

/// Has the compiler read the library for these targets, which takes a fraction of making it.
pub fn types(names: &[&str]) -> Result<(), String> {
    for (target, variant) in asked(names)? {
        println!("{}{} ...", target.name, variant.note());
        build::check(target, variant)?;
    }
    Ok(())
}

/// Uses the archives that are there as their users do.
pub fn install(names: &[&str]) -> Result<(), String> {
    for (target, variant) in asked(names)? {
        println!("{}{} ...", target.name, variant.note());
        install::run(target, variant)?;
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
    let parts = target.variants().iter();
    let parts = parts.map(|variant| build::parts(target, *variant));
    let made = [folder().join("build").join(target.triple)];
    for made in made.into_iter().chain(parts) {
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
