//! Files that a host names: each is read to an end, whatever it is.
#![cfg(unix)]

use std::error::Error as _;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::http_rig::{authority, in_a_process_of_its_own};
use oe_core::account::config::Options;
use oe_core::error::{Error, Status};
use oe_core::http::Roots;
use oe_test_support::library::scratch;

/// A pipe that nobody writes to. Opening it waits until somebody does.
fn pipe(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    drop(std::fs::remove_file(&path));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    path
}

/// A good certificate, and so many bytes of nothing behind it that the file is this long.
fn certificate(path: &Path, len: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(authority().pem.as_bytes()).unwrap();
    if len > 0 {
        file.set_len(len).unwrap();
    }
}

fn set(path: &Path) -> Result<(), Error> {
    let start = Instant::now();
    let result = Options::default().set_ca_file(Some(path.to_str().unwrap()));
    assert!(start.elapsed() < Duration::from_secs(10), "{path:?}");
    result
}

#[test]
fn a_ca_file_is_a_regular_file_and_not_too_long() {
    let folder = scratch("files-ca");
    let at = |name: &str| folder.join(name);
    certificate(&at("good.pem"), 0);
    certificate(&at("longest.pem"), 4 << 20);
    certificate(&at("too-long.pem"), (4 << 20) + 1);
    certificate(&at("huge.pem"), 1 << 40);
    File::create(at("empty.pem")).unwrap();
    for good in ["good.pem", "longest.pem"] {
        set(&at(good)).unwrap();
    }
    for (path, words) in [
        (PathBuf::from("/dev/zero"), "not a regular file"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (pipe(&folder), "not a regular file"),
        (folder.clone(), "not a regular file"),
        (at("too-long.pem"), "longer than 4194304 bytes"),
        (at("huge.pem"), "longer than 4194304 bytes"),
        (at("empty.pem"), "no certificate"),
        (at("nowhere.pem"), "not found"),
    ] {
        let error = set(&path).unwrap_err();
        assert_eq!(error.status, Status::Argument, "{path:?}");
        assert!(error.text.contains(words), "{path:?}: {}", error.text);
        let name = path.to_str().unwrap();
        assert!(!error.text.contains(name), "no path: {}", error.text);
    }
    let missing = set(&at("nowhere.pem")).unwrap_err();
    let unread = missing.source().unwrap();
    let system = unread.source().unwrap().downcast_ref::<std::io::Error>();
    assert_eq!(system.unwrap().kind(), std::io::ErrorKind::NotFound);
}

/// One case a process: the environment is the process's.
#[test]
fn the_store_that_the_environment_names_has_the_same_limit() {
    let name = "the_store_that_the_environment_names_has_the_same_limit";
    let folder = scratch("files-store");
    let at = |name: &str| folder.join(name);
    let (long, many) = (at("long"), at("many"));
    for folder in [&long, &many] {
        std::fs::create_dir_all(folder).unwrap();
    }
    certificate(&at("good.pem"), 0);
    certificate(&long.join("a.pem"), 1 << 40);
    for n in 0..5 {
        certificate(&many.join(format!("{n}.pem")), 1 << 20);
    }
    drop(std::fs::remove_file(many.join("pipe")));
    for (case, file, folder, usable) in [
        ("good", Some(at("good.pem")), None, true),
        ("zero", Some("/dev/zero".into()), None, false),
        ("pipe", Some(pipe(&folder)), None, false),
        ("long", None, Some(long), false),
        ("many", None, Some(many), false),
    ] {
        let Some(here) = in_a_process_of_its_own(module_path!(), name, case) else {
            continue;
        };
        if here != case {
            continue;
        }
        for (name, value) in [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)] {
            match value {
                // SAFETY: this process has one thread that looks at its environment, this one.
                Some(value) => unsafe { std::env::set_var(name, value) },
                // SAFETY: as above.
                None => unsafe { std::env::remove_var(name) },
            }
        }
        let store = Roots::system();
        assert_eq!(store.is_ok(), usable, "{case}");
        if let Err(error) = store {
            assert!(error.text.contains("SSL_CERT_FILE"), "{}", error.text);
        }
        return;
    }
}
