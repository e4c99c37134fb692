//! The README's install lines, typed into a Debian that has a C compiler and nothing of ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::contents::VERSION;
use super::folder;
use crate::command::output;
use crate::generated::read;

const TOOLS: &str = "as root: apt-get install debootstrap";
/// The other is gone, and what needs it is not.
const SAME: &str =
    "! dpkg -s liboe-process0 >/dev/null 2>&1 && dpkg -s liboe-process-dev >/dev/null";
const ARCHITECTURE: &str = "amd64";

/// Makes the Debian, puts the packages beside, and types.
pub fn run() -> Result<(), String> {
    let here = folder().join("chroot");
    if !here.join("usr/bin/cc").exists() {
        println!("making a Debian ...");
        drop(fs::remove_dir_all(&here));
        let mut debootstrap = Command::new("debootstrap");
        debootstrap.args(["--variant=minbase", "--include=gcc,libc6-dev,pkg-config"]);
        debootstrap.arg("bookworm").arg(&here).arg(mirror()?);
        output("debootstrap", TOOLS, &mut debootstrap)?;
    }
    let place = here.join("root/install");
    drop(fs::remove_dir_all(&place));
    fs::create_dir_all(&place).map_err(|why| why.to_string())?;
    for name in [
        "liboe-process0",
        "liboe-process0-lite",
        "liboe-process-dev",
        "oe-process-server",
    ] {
        let file = format!("{name}_{VERSION}_{ARCHITECTURE}.deb");
        let from = folder().join(&file);
        fs::copy(&from, place.join(&file)).map_err(|why| {
            format!(
                "{}: {why} (cargo xtask deb x86_64-linux-gnu)",
                from.display()
            )
        })?;
    }
    let printed = typed(&here, &install_lines()?)?;
    println!("{printed}");
    // The picture is of a print that is well.
    let well = ["  quality  9 ", "  quality 10 "];
    match well.iter().any(|quality| printed.contains(quality)) {
        true => Ok(()),
        false => Err("no verdict, or another".to_owned()),
    }
}

/// Where this machine's packages come from.
fn mirror() -> Result<String, String> {
    let mut apt = Command::new("apt-get");
    apt.args(["indextargets", "--format", "$(REPO_URI)"]);
    apt.args(["Created-By: Packages", "Codename: bookworm"]);
    let text = output("apt-get indextargets", "Debian 12", &mut apt)?;
    let first = text.lines().next();
    first
        .map(str::to_owned)
        .ok_or_else(|| "apt-get indextargets: no Debian 12 among this machine's sources".to_owned())
}

/// The first block under the README's heading.
fn install_lines() -> Result<String, String> {
    let readme = read("README.md")?;
    let block = readme
        .split_once("## Install\n")
        .and_then(|(_, rest)| rest.split_once("```sh\n"))
        .and_then(|(_, rest)| rest.split_once("```"));
    let (lines, _) = block.ok_or("README.md: no block under Install")?;
    Ok(lines.to_owned())
}

/// Every line must succeed. What they start in the background ends with them, and what they
/// installed is taken away again, which must succeed too. Before that the lite library takes the other's place, and
/// what is compiled runs with it.
fn typed(here: &Path, lines: &str) -> Result<String, String> {
    let script = format!(
        "set -e\ncd /root/install\nexport DEBIAN_FRONTEND=noninteractive LC_ALL=C\n\
         trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{lines}\n\
         apt-get install -y -qq ./liboe-process0-lite_*.deb >/dev/null\n\
         {SAME} && ./watch --help >/dev/null\n\
         apt-get purge -y -qq liboe-process0-lite liboe-process-dev oe-process-server >/dev/null\n\
         [ ! -e /etc/default/oe-process-server ]\n"
    );
    let mut chroot = Command::new("chroot");
    chroot.arg(here).args(["bash", "-c", &script]);
    chroot.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    output("the README's install lines", TOOLS, &mut chroot)
}
