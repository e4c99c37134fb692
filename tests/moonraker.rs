//! The agent for Klipper hosts against stand-ins for Moonraker and a webcam, and a real service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use oe_server::reply::Edition;
use oe_server::{Config, Running, verdicts};
use oe_test_support::library::{has_headers, release_dir, root, scratch};
use oe_test_support::moonraker::{Camera, Mode, Printer};

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let (lib, out) = (release_dir(), scratch("c").join("moonraker"));
        let mut cc = Command::new("cc");
        cc.args([
            "-std=c11",
            "-g",
            "-O1",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ]);
        cc.arg("-I").arg(root().join("include"));
        cc.arg(root().join("examples-c/moonraker.c"))
            .arg("-o")
            .arg(&out);
        cc.arg("-L").arg(lib).arg("-loe_process");
        cc.arg(format!("-Wl,-rpath,{}", lib.display()));
        let output = cc.args(["-lcurl", "-lcjson"]).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        out
    })
}

/// Whether the agent can be built here.
fn can_build() -> bool {
    let how = "apt-get install libcurl4-openssl-dev libcjson-dev";
    has_headers(&["curl/curl.h", "cjson/cJSON.h"], how)
}

fn service(script: &str) -> Running {
    Running::start(Config {
        edition: Edition::B,
        minimum: 5,
        recommended: 5,
        verdicts: Arc::new(verdicts::parse(script).unwrap()),
        ..Config::default()
    })
    .unwrap()
}

/// A Klipper host: its printer, its camera, and a service.
struct Klipper {
    printer: Printer,
    camera: Camera,
    service: Running,
    state: PathBuf,
}

impl Klipper {
    fn new(name: &str, script: &str) -> Klipper {
        let state = scratch("moonraker").join(name);
        drop(std::fs::remove_file(&state));
        Klipper {
            printer: Printer::start(),
            camera: Camera::start(&root().join("demo/frames")),
            service: service(script),
            state,
        }
    }

    fn agent(&self) -> Agent {
        self.agent_with(&[])
    }

    fn agent_with(&self, more: &[&str]) -> Agent {
        let mut command = Command::new(program());
        command.args([
            "--moonraker",
            &self.printer.url(),
            "--camera",
            &self.camera.url(),
        ]);
        command.args(["--endpoint", &self.service.base_url(), "--interval", "5"]);
        command
            .args(["--poll-ms", "200", "--state"])
            .arg(&self.state)
            .args(more);
        command.env("OE_API_KEY", "SECRETKEY");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got) = stdout.read(&mut buffer) {
                if got == 0 {
                    return;
                }
                shared
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..got]));
            }
        });
        Agent { child, text }
    }

    fn uploads(&self) -> usize {
        self.service.stats().calls().len()
    }
}

struct Agent {
    child: Child,
    text: Arc<Mutex<String>>,
}

impl Agent {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.text()
            .lines()
            .filter(|line| line.starts_with(what))
            .count()
    }

    /// Waits until there are this many lines that begin so.
    fn wait_for(&self, what: &str, times: usize) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.count(what) < times {
            assert!(
                Instant::now() < until,
                "{times} times {what:?}:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&mut self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn kill(mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }

    /// Ends it as a system does, and looks at what it left.
    fn end(mut self) -> String {
        let begun = Instant::now();
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        let mut errors = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        assert!(status.success() && errors.is_empty(), "{status} {errors}");
        let text = self.text();
        assert!(!text.contains("SECRET"), "{text}");
        text
    }
}

const FAILING: &str = "{}\n{\"quality\":1,\"warning\":true,\"pause\":true}\n";

#[test]
fn a_failing_print_is_paused_once_and_nothing_is_sent_while_it_is() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("failing", FAILING);
    let agent = host.agent();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(host.service.stats().creates(), 0, "nothing prints");
    host.printer.print("benchy.gcode");
    agent.wait_for("paused", 1);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len()), (1, 1), "{job:?}");
    assert!(job.scripts[0].starts_with("M117"));
    assert_eq!(host.uploads(), 2);
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(host.uploads(), 2, "nothing while it is paused");
    // The user looks at it and goes on: the same episode is not told again.
    host.printer.print("benchy.gcode");
    agent.wait_for("quality", 4);
    assert_eq!(host.printer.job().pauses, 1);
    host.printer.set(|job| job.state = "complete".into());
    agent.wait_for("benchy.gcode: complete", 1);
    let uploads = host.uploads();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(host.uploads(), uploads, "the print has ended");
    assert!(!host.state.exists());
    // The next print of the same file is another one.
    host.printer.set(|job| job.printed_sec = 0.0);
    host.printer.print("benchy.gcode");
    agent.wait_for("paused", 2);
    assert_eq!(host.service.stats().creates(), 2);
    agent.end();
}

#[test]
fn li_11_killed_in_mid_print_it_goes_on_and_does_not_pause_again() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("killed", FAILING);
    host.printer.print("vase.gcode");
    let agent = host.agent();
    agent.wait_for("quality", 1);
    std::thread::sleep(Duration::from_millis(200));
    agent.kill();
    let agent = host.agent();
    agent.wait_for("the printer was told to pause", 1);
    agent.wait_for("paused", 1);
    assert!(agent.text().starts_with("going on with vase.gcode"));
    agent.kill();
    host.printer.print("vase.gcode");
    let agent = host.agent();
    agent.wait_for("quality", 2);
    assert_eq!(host.printer.job().pauses, 1);
    assert_eq!(
        host.service.stats().creates(),
        1,
        "one context through three lives"
    );
    let calls = host.service.stats().calls();
    for pair in calls.windows(2) {
        assert!(
            pair[1].0 - pair[0].1 >= Duration::from_secs(5),
            "never early"
        );
    }
    agent.end();
    assert!(host.state.exists(), "the print goes on");
    let saved = std::fs::read_to_string(&host.state).unwrap();
    assert!(saved.starts_with("vase.gcode\n") && !saved.contains("SECRET"));
}

#[test]
fn pu_06_a_pause_that_fails_is_tried_again_by_the_agent() {
    if !can_build() {
        return;
    }
    let host = Klipper::new(
        "refused",
        "{\"quality\":1,\"warning\":true,\"pause\":true}\n",
    );
    host.printer.set(|job| job.refused_pauses = 2);
    host.printer.print("gear.gcode");
    let agent = host.agent();
    agent.wait_for("paused", 1);
    assert_eq!(host.printer.job().pauses, 3);
    assert_eq!(agent.count("pausing failed"), 2);
    assert_eq!(agent.count("pause: the print is failing"), 1);
    agent.end();
}

#[test]
fn cameras_of_every_kind_of_trouble() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("camera", "{}");
    host.printer.print("cube.gcode");
    host.camera.set(Mode::NotFound);
    let agent = host.agent();
    agent.wait_for("camera: ", 1);
    assert_eq!(host.uploads(), 0);
    // The library asks again every ten seconds; each kind gets a turn.
    for mode in [Mode::Page, Mode::Closed] {
        let asked = host.camera.served();
        host.camera.set(mode);
        while host.camera.served() == asked {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(host.uploads(), 0, "{mode:?}");
    }
    host.camera.set(Mode::Snapshot);
    agent.wait_for("quality", 1);
    assert_eq!(agent.count("camera: pictures again"), 1);
    assert_eq!(host.service.stats().creates(), 1);
    agent.end();
}

#[test]
fn im_08_pictures_that_are_too_much_too_slow_or_nothing() {
    if !can_build() {
        return;
    }
    for mode in [Mode::TooLarge, Mode::Empty, Mode::Slow] {
        let host = Klipper::new(&format!("{mode:?}"), "{}");
        host.printer.print("cube.gcode");
        host.camera.set(mode);
        let agent = host.agent();
        agent.wait_for("camera: ", 1);
        assert_eq!(host.uploads(), 0, "{mode:?}");
        agent.end();
    }
}

#[test]
fn im_09_endless_streams_give_their_first_picture() {
    if !can_build() {
        return;
    }
    for mode in [Mode::Stream, Mode::OddStream] {
        let host = Klipper::new(&format!("{mode:?}"), "{}");
        host.printer.print("cube.gcode");
        host.camera.set(mode);
        let agent = host.agent();
        agent.wait_for("quality", 2);
        let text = agent.end();
        assert!(
            !text.contains("camera:") && !text.contains("error"),
            "{mode:?}: {text}"
        );
    }
}

#[test]
fn moonraker_may_be_away_for_a_while() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("away", "{}");
    host.printer.print("cube.gcode");
    let agent = host.agent();
    agent.wait_for("quality", 1);
    host.printer.set(|job| job.gone = true);
    agent.wait_for("Moonraker does not answer", 1);
    agent.wait_for("quality", 2);
    host.printer.set(|job| {
        job.gone = false;
        job.restarting = true;
    });
    std::thread::sleep(Duration::from_millis(600));
    host.printer.set(|job| job.restarting = false);
    agent.wait_for("Moonraker is back", 1);
    agent.wait_for("quality", 3);
    assert_eq!(host.service.stats().creates(), 1);
    assert_eq!(agent.count("Moonraker does not answer"), 1, "said once");
    agent.end();
}

#[test]
fn a_dry_run_touches_nothing() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("dry", "{\"quality\":1,\"warning\":true,\"pause\":true}\n");
    host.printer.print("cube.gcode");
    let agent = host.agent_with(&["--dry-run"]);
    agent.wait_for("pause (not done: --dry-run)", 1);
    std::thread::sleep(Duration::from_millis(500));
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len()), (0, 0));
    agent.end();
}
