//! The archives in the hands of their users: unpacked somewhere, and found by pkg-config and CMake.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oe_server::reply::Edition;
use oe_server::{Config, Running};

use super::package::VERSION;
use super::{Target, folder};
use crate::command::output;
use crate::generated::root;

const TOOLS: &str = "apt-get install pkg-config cmake g++";

/// An unpacked archive.
struct Installed {
    target: Target,
    prefix: PathBuf,
    programs: PathBuf,
}

/// Compiles the C tests with what is in a target's archive, shared and static, and runs them
/// against the service: natively or under qemu.
pub fn run(target: Target) -> Result<(), String> {
    let installed = Installed::unpack(target)?;
    let service = Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        ..Config::default()
    })?;
    for source in ["tests/c/abi.c", "tests/c/monitor.c"] {
        for fixed in [false, true] {
            let program = installed.compile(source, fixed)?;
            let mut run = installed.runner(&program);
            run.arg(service.base_url());
            run.arg(root().join("demo/frames/frame-01.jpg"))
                .arg("emulated");
            output(source, "apt-get install qemu-user-static", &mut run)?;
            let how = if fixed { "static" } else { "shared" };
            println!("  {source}, {how}: passed");
        }
    }
    match target.is_native() {
        true => installed.cmake(&service.base_url()),
        false => Ok(()),
    }
}

impl Installed {
    fn unpack(target: Target) -> Result<Installed, String> {
        let name = format!("oe-process-{VERSION}-{}", target.name);
        let archive = folder().join(format!("{name}.tar.gz"));
        let place = folder().join("installed");
        drop(fs::remove_dir_all(place.join(&name)));
        let programs = place.join("programs").join(target.name);
        fs::create_dir_all(&programs).map_err(|why| why.to_string())?;
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive).arg("-C").arg(&place);
        output("tar", "cargo xtask dist first", &mut tar)?;
        Ok(Installed {
            target,
            prefix: place.join(name),
            programs,
        })
    }

    /// With the flags that pkg-config gives, and nothing else.
    fn compile(&self, source: &str, fixed: bool) -> Result<PathBuf, String> {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.args(["--cflags", "--libs"]);
        pkg_config
            .args(fixed.then_some("--static"))
            .arg("oe_process");
        pkg_config.env("PKG_CONFIG_PATH", self.prefix.join("lib/pkgconfig"));
        let flags = output("pkg-config", TOOLS, &mut pkg_config)?;
        let stem = Path::new(source).file_stem().unwrap_or_default();
        let kind = if fixed { "static" } else { "shared" };
        let program = self
            .programs
            .join(format!("{}-{kind}", stem.to_string_lossy()));
        let mut cc = Command::new(format!("{}gcc", self.target.tools));
        cc.args(["-std=c11", "-O1", "-D_GNU_SOURCE", "-o"])
            .arg(&program);
        cc.arg(root().join(source));
        for flag in flags.split_whitespace() {
            match flag {
                // The linker would take the shared one, which stands beside it.
                "-loe_process" if fixed => cc.arg("-l:liboe_process.a"),
                flag => cc.arg(flag),
            };
        }
        let hint = format!(
            "apt-get install {}",
            self.target.package.replace("binutils", "gcc")
        );
        output(source, &hint, &mut cc)?;
        Ok(program)
    }

    fn runner(&self, program: &Path) -> Command {
        let libraries = self.prefix.join("lib");
        if self.target.is_native() {
            let mut run = Command::new(program);
            run.env("LD_LIBRARY_PATH", libraries);
            return run;
        }
        let mut qemu = Command::new(format!("qemu-{}-static", self.target.qemu));
        qemu.args([
            "-L",
            &format!("/usr/{}", self.target.tools.trim_end_matches('-')),
        ]);
        qemu.arg("-E")
            .arg(format!("LD_LIBRARY_PATH={}", libraries.display()));
        qemu.arg(program);
        qemu
    }

    /// A project that knows no more than where the archive was unpacked.
    fn cmake(&self, url: &str) -> Result<(), String> {
        let project = self.programs.join("project");
        fs::create_dir_all(&project).map_err(|why| why.to_string())?;
        let lists = "cmake_minimum_required(VERSION 3.13)\nproject(consumer C CXX)\n\
            find_package(oe_process 0.1 REQUIRED)\n\
            add_executable(shared ${EXAMPLES}/minimal.c)\n\
            target_link_libraries(shared oe_process::oe_process)\n\
            add_executable(fixed ${EXAMPLES}/minimal.c)\n\
            target_link_libraries(fixed oe_process::static)\n\
            add_executable(cpp ${EXAMPLES}/monitor.cpp)\n\
            target_link_libraries(cpp oe_process::oe_process)\n";
        fs::write(project.join("CMakeLists.txt"), lists).map_err(|why| why.to_string())?;
        let build = project.join("build");
        drop(fs::remove_dir_all(&build));
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(&project).arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", self.prefix.display()));
        let examples = self.prefix.join("share/oe-process/examples-c");
        configure.arg(format!("-DEXAMPLES={}", examples.display()));
        output("cmake", TOOLS, &mut configure)?;
        output(
            "cmake --build",
            TOOLS,
            Command::new("cmake").arg("--build").arg(&build),
        )?;
        for name in ["shared", "fixed", "cpp"] {
            // Without arguments each says what it lacks; that it says so, it was loaded for.
            let run = Command::new(build.join(name))
                .env("OE_ENDPOINT", url)
                .output();
            let run = run.map_err(|why| format!("{name}: {why}"))?;
            if run.status.code().is_none_or(|code| code > 2) {
                return Err(format!("{name}: {run:?}"));
            }
            println!("  CMake, {name}: passed");
        }
        Ok(())
    }
}
