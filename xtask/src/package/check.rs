//! What must be true of a library before it is packed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents::VERSION;
use super::target::{System, Target, Variant};
use crate::command::output;
use crate::generated::{read, root};

/// Bytes that the lite library may have, stripped, and the static one, joined and not.
const MOST: [u64; 3] = [2_300_000, 4_000_000, 5_500_000];
/// Bytes of the engine and its model in any of them.
const ENGINE: u64 = 4_300_000;

/// What the engine cannot be without.
const MODEL: &str = "engine/model/oe-vision.model";

/// What a shared library may ask for: parts of the C library.
const NEEDED: &[&str] = &[
    "libc.so",
    "libpthread.so",
    "libdl.so",
    "libm.so",
    "ld-linux",
    "ld.so.1",
];

/// The DLLs that every Windows since 8 has.
const DLLS: &[&str] = &[
    "kernel32.dll",
    "ntdll.dll",
    "msvcrt.dll",
    "advapi32.dll",
    "ws2_32.dll",
    "userenv.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "crypt32.dll",
    "api-ms-win-core-synch-l1-2-0.dll",
];

/// A staged tree that is looked at.
struct Staged<'a> {
    target: Target,
    variant: Variant,
    folder: &'a Path,
}

/// Exports, what is needed at run time, size, the engine or none, licences, and no path of this machine.
pub fn staged(target: Target, variant: Variant, folder: &Path) -> Result<(), String> {
    let staged = Staged {
        target,
        variant,
        folder,
    };
    match target.is_windows() {
        true => staged.dll()?,
        false => staged.shared_object()?,
    }
    staged.sizes()?;
    staged.model()?;
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "third-party-notices.txt"] {
        let path = folder.join("share/doc/oe-process").join(file);
        if !path.exists() {
            return Err(format!("{} is missing", path.display()));
        }
    }
    no_paths(folder)
}

impl Staged<'_> {
    fn shared(&self) -> PathBuf {
        match self.target.is_windows() {
            true => self.folder.join("bin/oe_process.dll"),
            false => self.folder.join(format!("lib/liboe_process.so.{VERSION}")),
        }
    }

    fn archive(&self) -> PathBuf {
        self.folder.join("lib/liboe_process.a")
    }

    fn tool(&self, name: &str, arguments: &[&str], file: &Path) -> Result<String, String> {
        let mut command = Command::new(format!("{}{name}", self.target.tools));
        command.args(arguments).arg(file);
        output(name, &self.target.hint(), &mut command)
    }

    fn exports(&self, file: &Path, names: &[&str]) -> Result<(), String> {
        match names == read("tests/abi/symbols.txt")?.lines().collect::<Vec<_>>() {
            true => Ok(()),
            false => Err(format!("{}: exports {names:?}", file.display())),
        }
    }

    /// Of a static library with its objects as they were: it links beside another from Rust.
    fn no_personality(&self, file: &Path, names: &[&str]) -> Result<(), String> {
        match names.contains(&"rust_eh_personality") {
            true => Err(format!("{}: rust_eh_personality", file.display())),
            false => Ok(()),
        }
    }

    fn shared_object(&self) -> Result<(), String> {
        let shared = self.shared();
        for (file, arguments) in [
            (&shared, ["-D", "--defined-only"]),
            (&self.archive(), ["-g", "--defined-only"]),
        ] {
            let symbols = self.tool("nm", &arguments, file)?;
            let names: Vec<&str> = symbols
                .lines()
                .filter_map(|line| line.split(' ').nth(2))
                .collect();
            match file == &shared || self.target.joins() {
                true => self.exports(file, &names)?,
                false => self.no_personality(file, &names)?,
            }
        }
        let dynamic = self.tool("readelf", &["-d", "-W"], &shared)?;
        let lacks = |what: &str| !dynamic.contains(what);
        if lacks("[liboe_process.so.0]") || lacks("NODELETE") {
            return Err(format!("{}\n{dynamic}", shared.display()));
        }
        for line in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
            if !NEEDED.iter().any(|name| line.contains(&format!("[{name}"))) {
                return Err(format!("{}: {line}", shared.display()));
            }
        }
        glibc(self.target, &shared)
    }

    fn dll(&self) -> Result<(), String> {
        let shared = self.shared();
        let text = self.tool("objdump", &["-p"], &shared)?;
        // "[   0] +base[   1] 0000 oe_build_info", after the head of the table of names.
        let (_, table) = text
            .split_once("[Ordinal/Name Pointer] Table")
            .ok_or_else(|| format!("{}: exports nothing", shared.display()))?;
        let names: Vec<&str> = table
            .lines()
            .skip(1)
            .take_while(|line| line.trim_start().starts_with('['))
            .filter_map(|line| line.split_whitespace().last())
            .collect();
        self.exports(&shared, &names)?;
        if self.target.has_static() {
            let symbols = self.tool("nm", &["-g", "--defined-only"], &self.archive())?;
            let names: Vec<&str> = symbols.split_whitespace().collect();
            self.no_personality(&self.archive(), &names)?;
        }
        for line in text.lines() {
            let Some(name) = line.trim().strip_prefix("DLL Name: ") else {
                continue;
            };
            if !DLLS.contains(&name.to_lowercase().as_str()) {
                return Err(format!("{}: needs {name}", shared.display()));
            }
        }
        Ok(())
    }

    fn sizes(&self) -> Result<(), String> {
        let engine = match self.variant {
            Variant::Full => ENGINE,
            Variant::Lite => 0,
        };
        let archive = MOST[if self.target.joins() { 1 } else { 2 }];
        let shared = MOST[0] + self.target.more();
        let both = [
            (self.shared(), engine + shared),
            (self.archive(), engine + archive),
        ];
        let count = if self.target.has_static() { 2 } else { 1 };
        for (file, most) in both.into_iter().take(count) {
            let len = fs::metadata(&file)
                .map_err(|why| format!("{}: {why}", file.display()))?
                .len();
            println!("  {}: {len} bytes", file.display());
            if len > most {
                return Err(format!("{}: over {most} bytes", file.display()));
            }
        }
        Ok(())
    }

    /// The model is where it should be, with the notice of what it was made from, and nowhere else.
    fn model(&self) -> Result<(), String> {
        let full = self.variant == Variant::Full;
        let model = fs::read(root().join(MODEL)).map_err(|why| format!("{MODEL}: {why}"))?;
        let head = model.get(..256).ok_or("a model that is no model")?;
        let libraries = [self.shared(), self.archive()];
        let count = if self.target.has_static() { 2 } else { 1 };
        for file in libraries.iter().take(count) {
            let bytes = fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
            if holds(&bytes, head) != full {
                return Err(format!("{}: model inside: {}", file.display(), !full));
            }
        }
        match self.folder.join("share/doc/oe-process/NOTICE").exists() == full {
            true => Ok(()),
            false => Err(format!("{}: NOTICE: {}", self.folder.display(), !full)),
        }
    }
}

/// A program or library asks for no newer glibc than its target has; for none, where that is musl.
pub fn glibc(target: Target, file: &Path) -> Result<(), String> {
    let mut readelf = Command::new(format!("{}readelf", target.tools));
    readelf.args(["-V", "-W"]).arg(file);
    let newest = newest_glibc(&output("readelf", &target.hint(), &mut readelf)?);
    let allowed = match target.system {
        System::Gnu(oldest) => version(oldest),
        System::Musl | System::Windows => Vec::new(),
    };
    println!("  needs glibc {newest:?}");
    match newest <= allowed {
        true => Ok(()),
        false => Err(format!("{}: needs glibc {newest:?}", file.display())),
    }
}

/// No file of a tree holds a path of this machine.
pub fn no_paths(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            no_paths(&path)?;
            continue;
        }
        let bytes = fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        for here in [root(), std::env::home_dir().unwrap_or_default()] {
            let here = here.to_string_lossy().into_owned() + "/";
            if here.len() > 2 && holds(&bytes, here.as_bytes()) {
                return Err(format!("{}: {here} is in it", path.display()));
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
