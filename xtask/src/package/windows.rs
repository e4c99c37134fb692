//! What Windows has besides a DLL: import libraries for two families of compilers, a list of what
//! is exported, a static library for MinGW-w64, and a zip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;
use super::target::Target;
use crate::archive;
use crate::command::output;
use crate::generated::read;

/// The function of Windows for which MinGW-w64 has no import library.
const MISSING: &str = "LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng\n";

fn machine(target: Target) -> &'static str {
    match target.triple.starts_with("x86_64") {
        true => "i386:x86-64",
        false => "i386",
    }
}

/// `llvm-dlltool`: unlike that of binutils, it writes the short form that Microsoft's linker
/// reads, and the same bytes each time.
fn import_library(target: Target, def: &Path, to: &Path) -> Result<(), String> {
    let mut dlltool = Command::new("llvm-dlltool");
    dlltool.args(["-m", machine(target), "-d"]).arg(def);
    dlltool.arg("-l").arg(to);
    output("llvm-dlltool", "apt-get install llvm", &mut dlltool).map(drop)
}

/// The static library as it is given away: cargo's, without debug information, without its import
/// libraries for the whole of Windows (MinGW-w64 has those) and with a personality of its own, so
/// that it links beside another static library from Rust.
///
/// It is not joined to one object as it is elsewhere: what `ld -r` makes of the sections of COFF
/// links, and crashes.
pub fn static_library(target: Target, from: &Path, to: &Path) -> Result<(), String> {
    let tool = |name: &str| Command::new(format!("{}{name}", target.tools));
    let hint = target.hint();
    let code = to.with_file_name("code.a");
    let missing = to.with_file_name("missing.a");
    let def = to.with_file_name("missing.def");
    let failed = |why: std::io::Error| why.to_string();
    fs::copy(from, &code).map_err(failed)?;
    let members = output("ar t", &hint, tool("ar").arg("t").arg(&code))?;
    let imports: Vec<&str> = members
        .lines()
        .filter(|name| name.contains(".dll"))
        .collect();
    let delete = to.with_file_name("imports");
    // In a file of their own: there are more than a command line takes. Each stands there as often
    // as it is in the archive.
    fs::write(&delete, imports.join("\n")).map_err(failed)?;
    let mut ar = tool("ar");
    ar.arg("dD")
        .arg(&code)
        .arg(format!("@{}", delete.display()));
    output("ar d", &hint, &mut ar)?;
    let renamed = to.with_file_name("renamed.a");
    archive::rename(&code, &renamed, target.tools)?;
    fs::write(&def, MISSING).map_err(failed)?;
    // The long form of binutils: an archive of both forms is of none that the linker knows. Its
    // names are made from the file's, so that must not have a folder in it.
    let mut dlltool = tool("dlltool");
    dlltool.args(["--temp-prefix", "oe_process", "--deterministic-libraries"]);
    dlltool.args(["--kill-at", "-d", "missing.def", "-l", "missing.a"]);
    dlltool.current_dir(to.parent().unwrap_or(to));
    output("dlltool", &hint, &mut dlltool)?;
    drop(fs::remove_file(to));
    let script = format!(
        "CREATE {}\nADDLIB {}\nADDLIB {}\nSAVE\nEND\n",
        to.display(),
        renamed.display(),
        missing.display()
    );
    let mut ar = tool("ar");
    ar.arg("-M").stdin(Stdio::piped());
    let file = to.with_file_name("join.mri");
    fs::write(&file, script).map_err(failed)?;
    ar.stdin(fs::File::open(&file).map_err(failed)?);
    output("ar -M", &hint, &mut ar)?;
    for left in [&code, &renamed, &missing, &def, &delete, &file] {
        fs::remove_file(left).map_err(failed)?;
    }
    Ok(())
}

/// Writes the .def file and both import libraries.
pub fn imports(target: Target, lib: &Path) -> Result<(), String> {
    let names = read("tests/abi/symbols.txt")?;
    let def = lib.join("oe_process.def");
    let text = format!("LIBRARY oe_process.dll\nEXPORTS\n{names}");
    fs::write(&def, text.replace('\n', "\r\n")).map_err(|why| why.to_string())?;
    // MinGW's linker reads either form; each family looks for a name of its own.
    import_library(target, &def, &lib.join("liboe_process.dll.a"))?;
    import_library(target, &def, &lib.join("oe_process.lib"))
}

/// Packs the tree: no times, no owners, names in order.
pub fn pack(staged: &Path) -> Result<PathBuf, String> {
    let name = staged.file_name().unwrap_or_default().to_string_lossy();
    let archive = folder().join(format!("{name}.zip"));
    drop(fs::remove_file(&archive));
    let script = format!(
        "find '{name}' -exec touch -h -d 1980-01-01T00:00:00Z {{}} + && \
         find '{name}' -exec chmod u=rwX,go=rX {{}} + && \
         find '{name}' -type f | LC_ALL=C sort | zip -q -X -9 -@ '{name}.zip'"
    );
    let mut sh = Command::new("sh");
    sh.args(["-c", &script])
        .current_dir(folder())
        .env("TZ", "UTC");
    output("zip", "apt-get install zip", &mut sh)?;
    Ok(archive)
}
