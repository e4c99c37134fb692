//! What must be true of a library before it is packed.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::package::VERSION;
use super::{GLIBC, Target};
use crate::command::output;
use crate::generated::{read, root};

/// Bytes that the stripped library may have, and the static one.
const MOST: [u64; 2] = [2_200_000, 4_000_000];

/// Exports, SONAME, the C library that it needs, size, and no path of this machine.
pub fn staged(target: Target, staged: &Path) -> Result<(), String> {
    let lib = staged.join("lib");
    let shared = lib.join(format!("liboe_process.so.{VERSION}"));
    let fixed = lib.join("liboe_process.a");
    let tool = |name: &str, arguments: &[&str], file: &Path| {
        let mut command = Command::new(format!("{}{name}", target.tools));
        let hint = format!("apt-get install {}", target.package);
        output(name, &hint, command.args(arguments).arg(file))
    };
    let wanted = read("tests/abi/symbols.txt")?;
    for (file, arguments) in [
        (&shared, ["-D", "--defined-only"]),
        (&fixed, ["-g", "--defined-only"]),
    ] {
        let symbols = tool("nm", &arguments, file)?;
        let names: Vec<&str> = symbols
            .lines()
            .filter_map(|line| line.split(' ').nth(2))
            .collect();
        if names != wanted.lines().collect::<Vec<_>>() {
            return Err(format!("{}: exports {names:?}", file.display()));
        }
    }
    let dynamic = tool("readelf", &["-d", "-W"], &shared)?;
    if !dynamic.contains("[liboe_process.so.0]") || !dynamic.contains("NODELETE") {
        return Err(format!("{}\n{dynamic}", shared.display()));
    }
    let newest = newest_glibc(&tool("readelf", &["-V", "-W"], &shared)?);
    if newest > version(GLIBC) {
        return Err(format!("{}: needs glibc {newest:?}", shared.display()));
    }
    for (file, most) in [(&shared, MOST[0]), (&fixed, MOST[1])] {
        let bytes = fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
        println!("  {}: {} bytes", file.display(), bytes.len());
        if bytes.len() as u64 > most {
            return Err(format!("{}: over {most} bytes", file.display()));
        }
        for path in [root(), std::env::home_dir().unwrap_or_default()] {
            let path = path.to_string_lossy().into_owned() + "/";
            if path.len() > 2 && holds(&bytes, path.as_bytes()) {
                return Err(format!("{}: {path} is in it", file.display()));
            }
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn version(text: &str) -> Vec<u32> {
    text.split('.')
        .map(|part| part.parse().unwrap_or(u32::MAX))
        .collect()
}

fn newest_glibc(text: &str) -> Vec<u32> {
    let words = text.split_whitespace();
    let versions = words.filter_map(|word| word.strip_prefix("GLIBC_"));
    versions.map(version).max().unwrap_or_default()
}
