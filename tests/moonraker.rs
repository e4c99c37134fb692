//! The example for Klipper hosts against stand-ins for Moonraker and a webcam, and a real service. What the program
//! that people install has beyond it is in `moonraker_agent.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile, has_headers, root, run};
use oe_test_support::moonraker::{Camera, Mode, Printer};
use oe_test_support::peer::Peer;
use oe_test_support::program::Program;

const FAILING: &str = "{}\n{\"quality\":1,\"warning\":true,\"pause\":true}\n";
const FAILED: &str = "{\"quality\":1,\"warning\":true,\"pause\":true}\n";

/// Whether the example can be built here.
fn can_build() -> bool {
    let how = "apt-get install libcurl4-openssl-dev libcjson-dev";
    has_headers(&["curl/curl.h", "cjson/cJSON.h"], how)
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = root().join("examples-c/moonraker.c");
        // The libraries stand before the program that needs them.
        let flags = ["-Wl,--no-as-needed", "-lcurl", "-lcjson"];
        compile(&source, Link::Shared, &flags)
    })
}

/// A Klipper host: its printer, its camera, and a service.
struct Klipper {
    printer: Printer,
    camera: Camera,
    service: Running,
}

impl Klipper {
    fn new(script: &str) -> Klipper {
        let camera = Camera::start(&root().join("demo/frames"));
        let printer = Printer::start();
        let webcam = format!(
            r#"{{"name": "off", "enabled": false, "snapshot_url": "/"}}, {{"name": "bed", "snapshot_url": "{}"}}"#,
            camera.url()
        );
        printer.set(|job| job.webcams = webcam);
        Klipper {
            printer,
            camera,
            service: Running::start(Config::scripted(script).unwrap()).unwrap(),
        }
    }

    fn agent(&self, more: &[&str]) -> Program {
        let endpoint = self.service.base_url();
        self.agent_at(&endpoint, more)
    }

    fn agent_at(&self, endpoint: &str, more: &[&str]) -> Program {
        let moonraker = self.printer.url();
        let mut command = Command::new(program());
        command
            .args(["--moonraker", &moonraker, "--endpoint", endpoint])
            .args(more)
            .env("MOONRAKER_API_KEY", "MOONSECRET")
            // What is at home is asked directly.
            .env("http_proxy", "http://127.0.0.1:9");
        Program::start(&mut command)
    }

    fn uploads(&self) -> usize {
        self.service.stats().calls().len()
    }
}

fn nap(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn a_failing_print_is_paused_once_and_nothing_is_sent_while_it_is() {
    if !can_build() {
        return;
    }
    let host = Klipper::new(FAILING);
    let agent = host.agent(&[]);
    nap(1_500);
    assert_eq!(host.camera.served(), 0, "no print");
    host.printer.print("benchy.gcode");
    agent.wait_for("the printer was told to pause", 1);
    agent.wait_for("paused", 1);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len()), (1, 1), "{job:?}");
    let before = (host.uploads(), host.camera.served());
    nap(7_000);
    let then = (host.uploads(), host.camera.served());
    assert_eq!(then, before, "nothing while it is paused");
    // The user looks at it and goes on: the same episode is not told again.
    host.printer.resume();
    agent.wait_for("quality", 4);
    assert_eq!(host.printer.job().pauses, 1);
    host.printer.end("complete");
    agent.wait_for("benchy.gcode: complete", 1);
    host.printer.print("benchy.gcode");
    agent.wait_for("told to pause", 2);
    assert_eq!(host.service.stats().creates(), 2);
    agent.kill();
}

#[test]
fn pu_06_a_pause_is_tried_again_until_the_alarm_is_over() {
    if !can_build() {
        return;
    }
    let host = Klipper::new(&format!("{FAILED}{FAILED}{{}}\n"));
    host.printer.set(|job| job.refused_pauses = u32::MAX);
    host.printer.print("gear.gcode");
    let agent = host.agent(&[]);
    agent.wait_for("quality", 3);
    nap(1_000);
    let tried = host.printer.job().pauses;
    assert!(tried > 4, "{tried} in ten seconds");
    nap(3_000);
    assert_eq!(host.printer.job().pauses, tried);
    agent.kill();
}

#[test]
fn notify_only_and_a_printer_that_cannot_pause() {
    if !can_build() {
        return;
    }
    let host = Klipper::new(FAILED);
    host.printer.print("cube.gcode");
    let agent = host.agent(&["--notify-only", "yes"]);
    agent.wait_for("not paused: --notify-only", 1);
    agent.wait_for("quality", 2);
    assert_eq!(host.printer.job().pauses, 0);
    agent.kill();

    let host = Klipper::new(FAILED);
    host.printer.set(|job| job.missing = vec!["pause_resume"]);
    host.printer.print("cube.gcode");
    let agent = host.agent(&[]);
    agent.wait_for("[pause_resume] is missing", 1);
    agent.wait_for("pausing failed", 1);
    agent.wait_for("quality", 2);
    assert_eq!(host.printer.job().pauses, 0);
    assert_eq!(agent.count("pausing failed"), 1);
    agent.kill();
}

#[test]
fn im_08_cameras_of_every_kind_of_trouble_and_back() {
    if !can_build() {
        return;
    }
    let trouble = [
        (Mode::NotFound, "camera: HTTP 404"),
        (Mode::Page, "FF D8 FF"),
        (Mode::Empty, "camera: HTTP 200, 0 bytes"),
        (Mode::Closed, "camera: HTTP 0"),
        (Mode::TooLarge, "camera: HTTP 200"),
        (Mode::EmptyStream, "camera: HTTP 200"),
        (Mode::Slow, "camera: HTTP 200"),
        (Mode::Digest, "camera: HTTP 401"),
    ];
    std::thread::scope(|scope| {
        for (mode, words) in trouble {
            scope.spawn(move || {
                let host = Klipper::new("{}");
                host.printer.print("cube.gcode");
                host.camera.set(mode);
                let agent = host.agent(&["--timeout", "2"]);
                agent.wait_for("camera: ", 1);
                assert!(agent.text().contains(words), "{mode:?}: {}", agent.text());
                assert_eq!(host.uploads(), 0, "{mode:?}");
                host.camera.set(Mode::Snapshot);
                agent.wait_for("quality", 1);
                agent.kill();
            });
        }
    });
}

#[test]
fn im_09_what_is_sent_is_one_picture_to_the_byte() {
    if !can_build() {
        return;
    }
    // Which picture, and how much of its end is not sent.
    let cases = [
        (Mode::Snapshot, 0, 0),
        (Mode::EmptyFirst, 1, 0),
        (Mode::Stream, 0, 0),
        (Mode::OddStream, 0, 0),
        (Mode::EndlessStream, 0, 2),
        (Mode::Digest, 0, 0),
    ];
    std::thread::scope(|scope| {
        for (mode, nth, less) in cases {
            scope.spawn(move || {
                let (host, service) = (Klipper::new("{}"), Peer::recorder());
                host.camera.set(mode);
                host.printer.print("cube.gcode");
                let camera = host.camera.url().replace("://", "://eye:secret@");
                let agent = host.agent_at(&service.base_url(), &["--camera", &camera]);
                agent.wait_for("quality", 1);
                let sent = service.seen().last().unwrap().body.clone();
                let mut picture = host.camera.picture(nth);
                picture.truncate(picture.len() - less);
                let at = sent.windows(picture.len()).position(|part| part == picture);
                let at = at.unwrap_or_else(|| panic!("{mode:?}: another picture was sent"));
                let behind = &sent[at + picture.len()..];
                assert!(behind.starts_with(b"\r\n--"), "{mode:?}: nothing after it");
                agent.kill();
            });
        }
    });
}

#[test]
fn moonraker_may_restart_and_nothing_is_sent_while_klipper_is_gone() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("{}");
    host.printer.set(|job| job.key = Some("MOONSECRET".into()));
    host.printer.print("cube.gcode");
    let agent = host.agent(&[]);
    agent.wait_for("quality", 1);
    host.printer.vanish();
    agent.wait_for("Moonraker: HTTP 0", 1);
    agent.wait_for("quality", 2);
    host.printer.set(|job| job.restarting = true);
    host.printer.come_back();
    agent.wait_for("Moonraker: HTTP 503: Klipper is gone", 1);
    nap(500);
    let before = (host.uploads(), host.camera.served());
    nap(7_000);
    assert_eq!((host.uploads(), host.camera.served()), before);
    host.printer.set(|job| {
        job.restarting = false;
        job.key = Some("ANOTHER".into());
    });
    agent.wait_for("Moonraker: HTTP 401: set MOONRAKER_API_KEY", 1);
    host.printer.set(|job| job.key = None);
    agent.wait_for("resumed", 1);
    agent.wait_for("quality", 3);
    assert_eq!(agent.count("watching"), 1);
    assert!(!agent.text().contains("MOONSECRET"));
    agent.kill();
}

#[test]
fn options_that_cannot_be_are_refused() {
    if !can_build() {
        return;
    }
    let output = |args: &[&str]| {
        let mut command = Command::new(program());
        run(command.args(args), Duration::from_secs(60))
    };
    let help = output(&["--help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"usage: "));
    for args in [
        &["--engine", "both"][..],
        &["--engine", "service"],
        &["--camera"],
        &["--moonraker", "printer.local"],
        &["--other", "x"],
    ] {
        assert_eq!(output(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn by_default_the_engine_inside_looks() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("{}");
    host.printer.print("cube.gcode");
    let mut command = Command::new(program());
    command.args(["--moonraker", &host.printer.url()]);
    command.env("OE_API_KEY", "SECRETKEY");
    let agent = Program::start(&mut command);
    agent.wait_for("quality", 1);
    assert_eq!(host.service.stats().creates(), 0);
    agent.kill();
}
