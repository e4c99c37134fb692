//! `oe-moonraker` for a target, to be linked with Debian's libcurl and cJSON there.
//!
//! Neither is needed here for another processor: a linker wants no more of a shared library than its name and its symbols, so
//! it is given libraries that have just these.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder;
use super::target::Target;
use crate::command::output;
use crate::generated::root;

const TOOLS: &str = "apt-get install gcc libcurl4-openssl-dev libcjson-dev";

/// A library of Debian's: its name, its SONAME, what its functions begin with, one of its headers.
const LIBRARIES: [(&str, &str, &str, &str); 2] = [
    ("curl", "libcurl.so.4", "curl_", "curl/curl.h"),
    ("cjson", "libcjson.so.1", "cJSON_", "cjson/cJSON.h"),
];

const COMPILE: [&str; 7] = [
    "-O2",
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-fstack-protector-strong",
    "-D_FORTIFY_SOURCE=2",
    "-fPIE",
];
const LINK: [&str; 4] = ["-pie", "-s", "-Wl,-z,relro,-z,now", "-Wl,--as-needed"];

/// Builds it against this shared library.
pub fn program(target: Target, library: &Path) -> Result<PathBuf, String> {
    let here = folder().join("agent").join(target.name);
    drop(fs::remove_dir_all(&here));
    fs::create_dir_all(&here).map_err(|why| format!("{}: {why}", here.display()))?;
    let to = here.join("liboe_process.so");
    fs::copy(library, to).map_err(|why| format!("{}: {why}", library.display()))?;
    compile(target, &here)?;
    let undefined = undefined(target, &here)?;
    for (name, soname, prefix, _) in LIBRARIES {
        let names = undefined.iter().filter(|name| name.starts_with(prefix));
        let text: String = names
            .map(|name| format!("void {name}(void) {{}}\n"))
            .collect();
        stand_in(target, &here, name, soname, &text)?;
    }
    let program = here.join("oe-moonraker");
    let mut gcc = gcc(target, &here);
    gcc.args(LINK).args(objects(&here)?).arg("-o").arg(&program);
    gcc.args(["-L.", "-loe_process", "-lcurl", "-lcjson", "-pthread"]);
    output("gcc", target.packages, &mut gcc)?;
    Ok(program)
}

fn gcc(target: Target, here: &Path) -> Command {
    let mut gcc = Command::new(format!("{}gcc", target.tools));
    gcc.current_dir(here);
    gcc
}

fn compile(target: Target, here: &Path) -> Result<(), String> {
    // The headers are the same for every processor, and lie where compilers of others do not look.
    for (_, _, _, header) in LIBRARIES {
        let folder = header.split('/').next().unwrap_or_default();
        let found = ["/usr/include", "/usr/include/x86_64-linux-gnu"]
            .map(|place| Path::new(place).join(folder))
            .into_iter()
            .find(|place| place.exists())
            .ok_or_else(|| format!("{header}: {TOOLS}"))?;
        std::os::unix::fs::symlink(found, here.join(folder)).map_err(|why| why.to_string())?;
    }
    let sources = files(&root().join("moonraker"), "c")?;
    let mut gcc = gcc(target, here);
    gcc.arg("-c").args(COMPILE).args(sources);
    gcc.arg("-I.").arg("-I").arg(root().join("include"));
    output("gcc", target.packages, &mut gcc).map(drop)
}

fn objects(here: &Path) -> Result<Vec<PathBuf>, String> {
    files(here, "o")
}

/// In order, so that the program is the same each time.
fn files(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == kind))
        .collect();
    paths.sort();
    Ok(paths)
}

/// What the objects want of others.
fn undefined(target: Target, here: &Path) -> Result<Vec<String>, String> {
    let mut nm = Command::new(format!("{}nm", target.tools));
    nm.args(["--undefined-only", "--format=posix"]);
    let text = output("nm", "binutils", nm.args(objects(here)?))?;
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn stand_in(
    target: Target,
    here: &Path,
    name: &str,
    soname: &str,
    text: &str,
) -> Result<(), String> {
    let source = format!("{name}.c");
    fs::write(here.join(&source), text).map_err(|why| why.to_string())?;
    let mut gcc = gcc(target, here);
    gcc.args(["-shared", "-fPIC", &source, "-o", &format!("lib{name}.so")]);
    gcc.arg(format!("-Wl,-soname,{soname}"));
    output("gcc", target.packages, &mut gcc).map(drop)
}
