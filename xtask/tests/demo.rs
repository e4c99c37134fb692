//! `cargo demo` as a newcomer runs it: the C program over the demo's own frames and over other
//! folders, and the chart beside them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHART: &str = "oe-process-chart.png";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder with these of the demo's frames.
fn frames(name: &str, numbers: std::ops::RangeInclusive<u32>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    for number in numbers {
        let file = format!("frame-{number:02}.jpg");
        fs::copy(root().join("demo/frames").join(&file), folder.join(&file)).unwrap();
    }
    folder
}

/// Runs it; gives whether it succeeded, and what it said.
fn demo(arguments: &[&str]) -> (bool, String) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_xtask"));
    demo.arg("demo").args(arguments).env_remove("OE_API_KEY");
    // There is no network but what is on this machine.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        demo.env(proxy, "http://127.0.0.1:1");
    }
    let output = demo.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn of(folder: &Path, more: &[&str]) -> String {
    let (good, said) = demo(&[more, &[folder.to_str().unwrap()]].concat());
    assert!(good, "{said}");
    let chart = folder.join(CHART);
    assert!(
        said.contains(&format!("chart: {}", chart.display())),
        "{said}"
    );
    said
}

/// Width, height and dots of a chart.
fn chart(folder: &Path) -> (u32, u32, Vec<u8>) {
    let file = fs::read(folder.join(CHART)).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file))
        .read_info()
        .unwrap();
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut dots).unwrap();
    (info.width, info.height, dots)
}

/// The print fails and that is said: falling quality, one warning, one pause, where, and a chart.
#[test]
fn a_failing_print_is_told_of_and_drawn() {
    let folder = frames("demo-all", 1..=12);
    let said = of(&folder, &["--", "--interval", "60"]);
    let count = |what: &str| said.matches(what).count();
    assert_eq!(
        ["  quality ", "[WARN NOW]", "[PAUSE NOW]"].map(count),
        [12, 1, 1],
        "{said}"
    );
    assert!(
        said.contains("middle (20-70 % across, 30-80 % down)"),
        "{said}"
    );
    assert!(
        said.contains(" 9:00  warning: the print may be failing (frame-10.jpg)"),
        "{said}"
    );
    assert!(
        said.contains("10:00  the print has failed, and is paused (frame-11.jpg)"),
        "{said}"
    );
    let whole = chart(&folder);
    assert_eq!((whole.0, whole.1), (1_280, 864));

    // As far apart as they look at first sight: nobody would have been told to pause.
    let said = of(&folder, &[]);
    assert!(!said.contains("[PAUSE NOW]"), "{said}");
    let faster = chart(&folder);
    assert_eq!((faster.0, faster.1), (1_280, 864));
    assert_ne!(whole.2, faster.2);
}

/// Another folder, with what is no picture in it; a fine print is told as one.
#[test]
fn a_folder_of_one_s_own_is_watched_and_what_is_broken_passed_over() {
    let folder = frames("demo-own", 1..=4);
    let whole = fs::read(folder.join("frame-02.jpg")).unwrap();
    fs::write(folder.join("frame-02a.jpg"), &whole[..2_000]).unwrap();
    fs::write(folder.join("frame-02b.jpg"), "no picture").unwrap();
    fs::write(folder.join("notes.txt"), "no picture").unwrap();
    let said = of(&folder, &[]);
    assert_eq!(said.matches("  quality ").count(), 4, "{said}");
    assert!(
        said.contains("frame-02a.jpg: OE_ERR_IMAGE_REJECTED"),
        "{said}"
    );
    assert!(said.contains("frame-02b.jpg: OE_ERR_NOT_JPEG"), "{said}");
    assert!(
        said.contains("would have been told:\n  nothing\n"),
        "{said}"
    );
    let first = chart(&folder);
    assert_eq!((first.0, first.1), (1_280, 714));
    fs::remove_file(folder.join("frame-02a.jpg")).unwrap();
    of(&folder, &[]);
    assert_ne!(
        first.2,
        chart(&folder).2,
        "the chart is that of what is there now"
    );
}

#[test]
fn what_cannot_be_watched_is_an_error_at_once() {
    let empty = frames("demo-empty", 1..=1);
    fs::rename(empty.join("frame-01.jpg"), empty.join("frame-01.txt")).unwrap();
    let none = empty.join("none");
    for (arguments, why) in [
        (&[empty.to_str().unwrap()][..], "no JPEG in it"),
        (&[none.to_str().unwrap()], "no such folder"),
        (&["--interval", "1"], "5 to 86400 seconds"),
        (&["--fast"], "usage: cargo demo"),
    ] {
        let (good, said) = demo(arguments);
        assert!(!good && said.contains(why), "{arguments:?}: {said}");
        assert!(!said.contains("building"), "{said}");
    }
}

/// The same by the service, at its own pace: the same verdicts, within what seconds of delay make.
#[test]
fn the_service_sees_the_same() {
    let folder = frames("demo-server", 7..=12);
    let said = of(&folder, &["--server", "--interval", "60"]);
    assert!(
        said.contains("6 pictures") && said.contains("http://127.0.0.1:"),
        "{said}"
    );
    let count = |what: &str| said.matches(what).count();
    assert_eq!(
        ["  quality ", "[WARN NOW]", "[PAUSE NOW]"].map(count),
        [6, 1, 1],
        "{said}"
    );
    assert_eq!(chart(&folder).0, 1_280);
}
