//! The tree that is packed, and the archive.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Built;
use super::target::{Target, Variant};
use super::{folder, sbom, windows};
use crate::command::output;
use crate::generated::{read, root};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is copied as it is, and where to.
const FILES: &[(&str, &str)] = &[
    ("include/oe_process.h", "include"),
    ("include/oe_process.hpp", "include"),
    ("README.md", "share/doc/oe-process"),
    ("CHANGELOG.md", "share/doc/oe-process"),
    ("LICENSE-MIT", "share/doc/oe-process"),
    ("LICENSE-APACHE", "share/doc/oe-process"),
    ("docs/third-party-notices.txt", "share/doc/oe-process"),
    ("docs/ABI.md", "share/doc/oe-process/docs"),
    ("docs/EMBEDDING.md", "share/doc/oe-process/docs"),
    ("docs/LANGUAGES.md", "share/doc/oe-process/docs"),
    ("docs/POLICY.md", "share/doc/oe-process/docs"),
    ("docs/RELIABILITY.md", "share/doc/oe-process/docs"),
    ("docs/errors.md", "share/doc/oe-process/docs"),
];

/// What goes with the engine: whose pictures its model was trained on, and what it sees.
const OF_THE_ENGINE: &[(&str, &str)] = &[
    ("NOTICE", "share/doc/oe-process"),
    ("docs/MODEL_CARD.md", "share/doc/oe-process/docs"),
];

/// What is filled in.
const TEMPLATES: &[(&str, &str)] = &[
    ("oe_process.pc", "lib/pkgconfig"),
    ("oe_process-config.cmake", "lib/cmake/oe_process"),
    ("oe_process-config-version.cmake", "lib/cmake/oe_process"),
];

fn failed(path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    move |why| format!("{path}: {why}")
}

/// What an archive is called, but for its end.
pub fn name(target: Target, variant: Variant) -> String {
    format!("{}-{VERSION}-{}", variant.stem(), target.name)
}

/// Lays out what is packed.
pub fn stage(target: Target, variant: Variant, built: &Built) -> Result<PathBuf, String> {
    let staged = folder().join(name(target, variant));
    drop(fs::remove_dir_all(&staged));
    let place = |under: &str| {
        let place = staged.join(under);
        fs::create_dir_all(&place).map_err(failed(&place))?;
        Ok::<PathBuf, String>(place)
    };
    let more = match variant {
        Variant::Full => OF_THE_ENGINE,
        Variant::Lite => &[],
    };
    for (from, under) in FILES.iter().chain(more) {
        let name = Path::new(from).file_name().unwrap_or_default();
        let to = place(under)?.join(name);
        fs::copy(root().join(from), &to).map_err(failed(&root().join(from)))?;
    }
    for (name, under) in TEMPLATES {
        let to = place(under)?.join(name);
        fs::write(&to, filled(target, name, &Place::ARCHIVE)?).map_err(failed(&to))?;
    }
    let examples = place("share/oe-process/examples-c")?;
    let here = root().join("examples-c");
    for entry in fs::read_dir(&here).map_err(failed(&here))?.flatten() {
        if entry.path().is_file() {
            let to = examples.join(entry.file_name());
            fs::copy(entry.path(), &to).map_err(failed(&to))?;
        }
    }
    let sbom = place("share/oe-process")?.join("sbom.cdx.json");
    fs::write(&sbom, sbom::of(target, variant)?).map_err(failed(&sbom))?;
    let lib = place("lib")?;
    if target.has_static() {
        let to = lib.join("liboe_process.a");
        fs::copy(&built.archive, to).map_err(failed(&built.archive))?;
    }
    if target.is_windows() {
        let dll = place("bin")?.join("oe_process.dll");
        fs::copy(&built.shared, &dll).map_err(failed(&built.shared))?;
        windows::imports(target, &lib)?;
        return Ok(staged);
    }
    // The real file, the name that programs ask for, the name that linkers look for.
    let real = format!("liboe_process.so.{VERSION}");
    fs::copy(&built.shared, lib.join(&real)).map_err(failed(&built.shared))?;
    let soname = "liboe_process.so.0";
    symlink(&real, lib.join(soname)).map_err(failed(&lib))?;
    symlink(soname, lib.join("liboe_process.so")).map_err(failed(&lib))?;
    Ok(staged)
}

/// Where what is installed finds the rest of it.
pub struct Place {
    prefix: &'static str,
    libdir: String,
    /// From the folder of libraries to where `include` is.
    up: &'static str,
}

impl Place {
    /// Anywhere: everything is relative to where it was unpacked.
    const ARCHIVE: Place = Place {
        prefix: "${pcfiledir}/../..",
        libdir: String::new(),
        up: "..",
    };

    /// Debian's folders, with one for each architecture's libraries.
    pub fn debian(libdir: &str) -> Place {
        Place {
            prefix: "/usr",
            libdir: libdir.to_owned(),
            up: "../..",
        }
    }
}

/// A template with what it leaves open.
pub fn filled(target: Target, name: &str, place: &Place) -> Result<String, String> {
    let source = match (name, target.is_windows()) {
        ("oe_process-config.cmake", true) => "oe_process-config-windows.cmake",
        _ => name,
    };
    let libraries = target.libraries();
    let for_cmake = libraries.replace("-l", "").replace(' ', ";");
    let libdir = match place.libdir.as_str() {
        "" => "${prefix}/lib",
        libdir => libdir,
    };
    Ok(read(&format!("xtask/src/package/{source}"))?
        .replace("@VERSION@", VERSION)
        .replace("@PREFIX@", place.prefix)
        .replace("@LIBDIR@", libdir)
        .replace("@UP@", place.up)
        .replace("@LIBRARIES@", libraries)
        .replace("@CMAKE_LIBRARIES@", &for_cmake))
}

/// Packs it: no times, no owners, names in order.
pub fn pack(target: Target, staged: &Path) -> Result<PathBuf, String> {
    if target.is_windows() {
        return windows::pack(staged);
    }
    let name = staged.file_name().unwrap_or_default().to_string_lossy();
    let archive = folder().join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX", "--format=ustar"]);
    tar.args(["--use-compress-program=gzip -9n", "-cf"])
        .arg(&archive);
    tar.arg("-C").arg(folder()).arg(&*name);
    output("tar", "apt-get install tar", &mut tar)?;
    Ok(archive)
}

/// SHA256SUMS over all archives that are there.
pub fn sums() -> Result<(), String> {
    let entries = fs::read_dir(folder()).map_err(failed(&folder()))?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let given = [".tar.gz", ".zip", ".deb", ".whl", ".tgz"];
    let is_given = |name: &String| given.iter().any(|end| name.ends_with(end));
    let mut names: Vec<String> = names.filter(is_given).collect();
    names.sort();
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(&names).current_dir(folder());
    let text = output("sha256sum", "apt-get install coreutils", &mut sha256sum)?;
    print!("{text}");
    let to = folder().join("SHA256SUMS");
    fs::write(&to, text).map_err(failed(&to))
}
