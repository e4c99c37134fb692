//! The engine in the built library: from C, with no key and no network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails loudly"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use oe_test_support::jpeg::Jpeg;
use oe_test_support::library::{Link, compile, has_tool, root, run, run_quietly, scratch};

/// Runs the program to its end; it must find nothing wrong.
fn succeeds(mut command: Command, more: &[&str]) {
    let no_model = scratch("embedded").join("no.model");
    std::fs::write(&no_model, "this is no model").unwrap();
    command
        .arg(root().join("demo/frames/frame-01.jpg"))
        .arg(root().join("engine/tests/pictures/black.jpg"))
        .arg(no_model)
        .arg(root().join("demo/frames"))
        .args(more);
    run_quietly(&mut command, Duration::from_secs(300));
}

fn program(link: Link) -> Command {
    let source = root().join("tests/c/embedded.c");
    Command::new(compile(&source, link, &["-D_GNU_SOURCE"]))
}

#[test]
fn the_embedded_engine_from_c_linked_shared() {
    succeeds(program(Link::Shared), &[]);
}

#[test]
fn the_embedded_engine_from_c_linked_static() {
    succeeds(program(Link::Static), &[]);
}

#[test]
fn the_embedded_engine_from_c_under_valgrind() {
    if !has_tool("valgrind", "apt-get install valgrind") {
        return;
    }
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
    ]);
    valgrind.arg(program(Link::Shared).get_program());
    succeeds(valgrind, &["valgrind"]);
}

/// A picture of stripes as large as it says, or of one colour.
fn drawn(width: usize, height: usize, striped: bool) -> Vec<u8> {
    let value = |_: usize, x: f64, y: f64| match striped {
        true => 128.0 + 90.0 * (x / 11.0).sin() * (y / 7.0).cos(),
        false => 90.0,
    };
    let picture = Jpeg {
        width,
        height,
        sampling: &[(2, 2), (1, 1), (1, 1)],
        step: 4,
        restart: 0,
        apart: false,
        value: &value,
    };
    picture.encode()
}

/// A frame header of so many pixels, and nothing else of a picture.
fn says(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8];
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
    bytes
}

/// Pictures of every kind, each in a file that is named after the status that it gets.
fn pictures(folder: &Path) {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).unwrap();
    let put = |status: &str, name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(format!("{status}-{name}.jpg")), bytes).unwrap();
    };
    let read = |path: &str| std::fs::read(root().join(path)).unwrap();
    let frame = read("demo/frames/frame-01.jpg");
    let tests = std::fs::read_dir(root().join("engine/tests/pictures")).unwrap();
    for file in tests.map(|file| file.unwrap().path()) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let status = match name {
            "black" | "flat" | "lamp-off-noise-0" => "OE_BLIND",
            "arithmetic" | "50mp-flat-progressive" => "OE_ERR_IMAGE_REJECTED",
            _ => "OE_OK",
        };
        if file.extension().is_some_and(|end| end == "jpg") {
            put(status, name, &std::fs::read(&file).unwrap());
        }
    }
    put("OE_OK", "frame", &frame);
    put("OE_OK", "nearly-whole", &frame[..frame.len() * 96 / 100]);
    put("OE_OK", "trailing", &[&frame[..], &[0; 5_000]].concat());
    put("OE_OK", "drawn", &drawn(640, 480, true));
    put("OE_OK", "wide", &drawn(2_000, 16, true));
    put("OE_BLIND", "one-pixel", &drawn(1, 1, true));
    put("OE_BLIND", "tiny", &oe_test_support::tiny_jpeg());
    put("OE_BLIND", "one-colour", &drawn(640, 480, false));
    let rejected = "OE_ERR_IMAGE_REJECTED";
    put(rejected, "half", &frame[..frame.len() / 2]);
    put(rejected, "start", &frame[..4]);
    put(rejected, "noise", &oe_test_support::fake_jpeg(50_000, 7));
    put(rejected, "billions-of-pixels", &says(65_500, 65_500));
    put(rejected, "no-width", &says(0, 100));
    put(rejected, "no-height", &says(100, 0));
    put("OE_ERR_NOT_JPEG", "png", b"\x89PNG\r\n\x1a\n");
    put("OE_ERR_NOT_JPEG", "short", &frame[..2]);
    let large = [&frame[..], &vec![0; 6_291_457 - frame.len()]].concat();
    put("OE_ERR_IMAGE_TOO_LARGE", "large", &large);
    put("OE_OK", "as-large-as-may-be", &large[..6_291_456]);
}

/// What a host may do to it, sensibly or not.
fn odd(link: Link, wrapped: Option<Command>, contexts: &str) {
    let source = root().join("tests/c/embedded_odd.c");
    let program = compile(&source, link, &["-D_GNU_SOURCE"]);
    let mut command = wrapped.unwrap_or_else(|| Command::new(&program));
    if command.get_program() != program.as_os_str() {
        command.arg(&program);
    }
    let folder = scratch("embedded").join(format!("odd-{link:?}-{contexts}"));
    pictures(&folder.join("pictures"));
    command.arg(root().join("demo/frames/frame-01.jpg"));
    command.arg(folder.join("pictures")).arg(&folder);
    command
        .arg(contexts)
        .arg(root().join("engine/model/oe-vision.model"));
    run_quietly(&mut command, Duration::from_secs(300));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn im_06_odd_uses_of_the_embedded_engine_linked_shared() {
    odd(Link::Shared, None, "1000");
}

#[test]
fn odd_uses_of_the_embedded_engine_linked_static() {
    odd(Link::Static, None, "20");
}

/// On the real clock, which takes a minute and a half.
#[test]
fn im_05_a_minute_of_darkness_is_told_and_its_end_too() {
    let source = root().join("tests/c/embedded_dark.c");
    let mut command = Command::new(compile(&source, Link::Shared, &["-D_GNU_SOURCE"]));
    command.arg(root().join("demo/frames/frame-01.jpg"));
    command.arg(root().join("engine/tests/pictures/black.jpg"));
    command.arg(root().join("engine/tests/pictures/arithmetic.jpg"));
    let output = run(&mut command, Duration::from_secs(250));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{:?} {text}", output.status);
}

/// 16 MB for a print and 4 KB for each context besides.
#[test]
fn a_print_takes_little_memory() {
    let source = root().join("tests/c/embedded_memory.c");
    let mut command = Command::new(compile(&source, Link::Shared, &["-D_GNU_SOURCE"]));
    command.arg(root().join("demo/frames/frame-12.jpg"));
    let output = run(&mut command, Duration::from_secs(240));
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{:?} {text}", output.status);
}
