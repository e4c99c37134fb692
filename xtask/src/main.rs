//! What a contributor runs that is not `cargo test`: `cargo xtask TASK`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks there"
)]

mod abi;
mod archive;
mod bench;
mod check;
mod command;
mod demo;
mod draw;
mod errors;
mod eval;
mod fuzz;
mod generated;
mod header;
mod neon;
mod notices;
mod package;
mod release;
mod sanitize;
mod schedules;
mod toolchain;

use std::process::ExitCode;

use sanitize::Sanitizer;

const USAGE: &str = "usage: cargo xtask TASK

daily
  check              before a push: format, lints, header and errors, the tests of core; no tool to install
  demo [OPTION...] [FOLDER]  a C program watches a print that fails, no network; `demo --help` says more
  header [--check]   write include/oe_process.h, or compare it with what would be written
  errors [--check]   write docs/errors.md, or compare it with what would be written
  notices [--check]  write docs/third-party-notices.txt, or compare it with what would be written
  abi [--check]      write tests/abi/oe_process.abi, or compare the library with it; needs abigail-tools
  archive FILE       the static library with no global names but the header's

release
  dist [TARGET...]   archives in target/dist, with the engine and -lite (or only one: --full, --lite); fetches a
                     compiler, zig and the rest into target/toolchain
  types [TARGET...]  the compiler reads what is written for these targets, and makes nothing
  looks [TARGET...]  the instructions of a look on each target, under qemu: where the engine goes; needs qemu-user
  install [TARGET...] the C tests with what is in these archives, natively or under qemu; pkg-config, CMake
  deb TARGET...      Debian packages from these archives' parts, of the service and of the agent; needs lintian
  wheel [TARGET...]  Python wheels from these archives' parts; the native one is installed and tested
  npm                the Node package with all libraries that dist built; it is installed and tested
  chroot             the README's install lines with these packages in a fresh Debian; needs root and debootstrap
  reproduce TARGET   dist twice, the second time from nothing: the same bytes
  platforms [TARGET...] dist, install, deb and wheel, and for all targets npm and chroot; writes the rows of
                     docs/PLATFORMS.md
  release-check      whether what is here may be given away as a version

long
  eval PICTURES [OPTION...]  how well the engine sees a folder of labelled pictures; `eval` alone says more
  bench [--short] [ONE]  what a call costs against libcurl and others; needs valgrind, strace and the peers' libraries
  bench looks        what a look of the engine takes, against ONNX Runtime; needs valgrind, binutils
  bench capacity     what oe-process-server bears by prints, and with contexts and restart in its place what many contexts
                     take, and what a kill costs prints of the library; needs Python
  neon               the engine's network on aarch64, under qemu; needs the cross compiler
  fuzz SECONDS [ONE] each fuzz target (or one) for so long; needs nightly and cargo-fuzz
  asan SECONDS       the C tests and a stress of so long with the address sanitizer; needs nightly
  tsan SECONDS       the same with the thread sanitizer; needs nightly, and fetches Debian's rustc
  schedules COUNT    what threads do at once, in so many orders for each test";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["check"] => check::run(),
        ["demo", words @ ..] => demo::run(words),
        ["header"] => header::run(false),
        ["header", "--check"] => header::run(true),
        ["errors"] => errors::run(false),
        ["errors", "--check"] => errors::run(true),
        ["bench"] => bench::run(bench::Length::LONG, ""),
        ["bench", "--short"] => bench::run(bench::Length::SHORT, ""),
        ["bench", "--short", only] => bench::run(bench::Length::SHORT, only),
        ["bench", "looks"] => bench::looks::run(),
        ["bench", "capacity"] => bench::service::capacity(),
        ["bench", "contexts"] => bench::service::contexts(),
        ["bench", "restart"] => bench::service::restart(),
        ["bench", only] => bench::run(bench::Length::LONG, only),
        ["eval", words @ ..] => eval::run(words),
        ["neon"] => neon::run(),
        ["notices"] => notices::run(false),
        ["notices", "--check"] => notices::run(true),
        ["dist", targets @ ..] => package::run(targets),
        ["types", targets @ ..] => package::types(targets),
        ["deb", targets @ ..] => package::debian(targets),
        ["chroot"] => package::chroot::run(),
        ["wheel", targets @ ..] => package::wheels(targets),
        ["platforms", targets @ ..] => package::platforms::run(targets),
        ["looks", targets @ ..] => package::looks::run(targets),
        ["reproduce", target] => package::reproduce(target),
        ["release-check"] => release::check(),
        ["npm"] => package::npm(),
        ["install", targets @ ..] => package::install(targets),
        ["archive", file] => archive::run(file),
        ["abi"] => abi::run(false),
        ["abi", "--check"] => abi::run(true),
        ["fuzz", seconds] => fuzz::run(seconds, None),
        ["fuzz", seconds, one] => fuzz::run(seconds, Some(one)),
        ["asan", seconds] => sanitize::run(Sanitizer::Address, seconds),
        ["schedules", count] => schedules::run(count),
        ["tsan", seconds] => sanitize::run(Sanitizer::Thread, seconds),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
