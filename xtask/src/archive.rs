//! The static library as it is given away: one object with what the header's functions need, and
//! no global name but theirs. As cargo leaves it, it is four times as large, and does not link
//! beside another static library from Rust, which has the same `rust_eh_personality`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::output;
use crate::generated::{read, root};

const BINUTILS: &str = "apt-get install binutils";

/// Makes `to` from `from`. `tools` is what the target's binutils begin with: nothing for one's own,
/// "aarch64-linux-gnu-" for that.
pub fn reduce(from: &Path, to: &Path, tools: &str) -> Result<(), String> {
    let tool = |name: &str| Command::new(format!("{tools}{name}"));
    let exports = read("tests/abi/symbols.txt")?;
    let list = to.with_extension("symbols");
    fs::write(&list, &exports).map_err(|why| format!("{}: {why}", list.display()))?;
    // The name of the one member is part of the archive.
    let object = to.with_file_name("oe_process.o");
    let mut ld = tool("ld");
    ld.args(["-r", "--force-group-allocation", "--gc-sections"]);
    for name in exports.split_whitespace() {
        ld.args(["-u", name]);
    }
    ld.arg("-T").arg(root().join("xtask/src/archive.ld"));
    output("ld", BINUTILS, ld.arg("-o").arg(&object).arg(from))?;
    let mut objcopy = tool("objcopy");
    // The bitcode is for link-time optimisation, which was done.
    objcopy.args(["-R", ".llvmbc", "-R", ".llvmcmd", "--strip-unneeded"]);
    objcopy.arg(format!("--keep-global-symbols={}", list.display()));
    output("objcopy", BINUTILS, objcopy.arg(&object))?;
    drop(fs::remove_file(to));
    let mut ar = tool("ar");
    // D: no times and owners, so that two runs give the same bytes.
    output("ar", BINUTILS, ar.arg("crsD").arg(to).arg(&object))?;
    for left in [&list, &object] {
        fs::remove_file(left).map_err(|why| format!("{}: {why}", left.display()))?;
    }
    Ok(())
}

/// The name by which two static libraries from Rust get in each other's way, and what it becomes.
pub const PERSONALITY: &str = "rust_eh_personality=oe_process_eh_personality";

/// Makes `to` from `from` where [`reduce`] cannot: its objects as they are, without debug
/// information and bitcode, and with a personality of their own. MIPS's linker cannot allot the
/// entries of the global offset table any more once the sections were joined.
pub fn rename(from: &Path, to: &Path, tools: &str) -> Result<(), String> {
    let mut objcopy = Command::new(format!("{tools}objcopy"));
    objcopy.args(["-D", "--strip-debug", "-R", ".llvmbc", "-R", ".llvmcmd"]);
    // What MIPS's debuggers unwind by; it would be 0.1 MB of the shared library.
    objcopy.args(["-R", ".pdr"]);
    objcopy.args(["--redefine-sym", PERSONALITY]);
    output("objcopy", BINUTILS, objcopy.arg(from).arg(to)).map(drop)
}

/// The same for the library of a release build of this machine.
pub fn run(to: &str) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "oe-process",
    ]);
    output("cargo build", "rustup", cargo.current_dir(root()))?;
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), Into::into);
    reduce(&target.join("release/liboe_process.a"), Path::new(to), "")?;
    let size = fs::metadata(to)
        .map_err(|why| format!("{to}: {why}"))?
        .len();
    println!("{to}: {size} bytes");
    Ok(())
}
