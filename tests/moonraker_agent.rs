//! `oe-moonraker`, the agent that Klipper hosts install, against stand-ins for Moonraker and a webcam.
//! `moonraker/stand/` has scenarios with the real ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use oe_server::{Config, Running};
use oe_test_support::library::{
    Link, compile, has_headers, has_tool, release_dir, root, run, scratch,
};
use oe_test_support::moonraker::{Camera, Mode, Printer};
use oe_test_support::peer::Peer;
use oe_test_support::program::Program;

const FAILING: &str = "{}\n{\"quality\":1,\"warning\":true,\"pause\":true}\n";
const FAILED: &str = "{\"quality\":1,\"warning\":true,\"pause\":true}\n";

/// Whether the agent can be built here.
fn can_build() -> bool {
    let how = "apt-get install libcurl4-openssl-dev libcjson-dev";
    has_headers(&["curl/curl.h", "cjson/cJSON.h"], how)
}

/// The agent as its Makefile builds it, every warning an error.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let out = scratch("oe-moonraker").join(std::process::id().to_string());
        let mut make = Command::new("make");
        make.arg("--directory")
            .arg(root().join("moonraker"))
            .arg(format!("OUT={}", out.display()))
            .arg(format!("LIBDIR={}", release_dir().display()))
            .arg("CFLAGS=-O2 -g -std=c11 -Wall -Wextra -pedantic -Werror");
        let made = run(&mut make, Duration::from_secs(180));
        assert!(made.status.success(), "{made:?}");
        out
    })
}

/// A Klipper host: its printer, its camera, its folder.
struct Klipper {
    printer: Printer,
    camera: Camera,
    folder: PathBuf,
}

impl Klipper {
    fn new(name: &str) -> Klipper {
        let folder = scratch("klipper").join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let host = Klipper {
            printer: Printer::start(),
            camera: Camera::start(&root().join("demo/frames")),
            folder,
        };
        let webcam = format!(
            r#"{{"name": "off", "enabled": false, "snapshot_url": "http://127.0.0.1:9/"}}, {{"name": "talk", "service": "webrtc-camerastreamer", "stream_url": "/webrtc"}}, {{"name": "bed", "enabled": true, "service": "mjpegstreamer", "snapshot_url": "{}", "stream_url": "/webcam/?action=stream"}}"#,
            host.camera.url()
        );
        host.printer.set(|job| job.webcams = webcam);
        host
    }

    fn state(&self) -> PathBuf {
        self.folder.join("ender.state")
    }

    /// Writes its configuration, of which `more` is the sections behind `[moonraker]`.
    fn configure(&self, more: &str) -> PathBuf {
        let file = self.folder.join("oe_process.cfg");
        let url = self.printer.url();
        let text = format!("[moonraker]\nname: ender\nurl: {url}\npoll_ms: 200\n{more}");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn agent(&self, more: &str) -> Program {
        let file = self.configure(more);
        Program::start(&mut self.command(&[&file]))
    }

    fn command(&self, files: &[&Path]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--state")
            .arg(&self.folder)
            .args(files)
            // What is at home is asked directly.
            .env("http_proxy", "http://127.0.0.1:9");
        command
    }

    fn check(&self, more: &str) -> Output {
        let file = self.configure(more);
        let mut command = Command::new(program());
        run(command.arg("check").arg(file), Duration::from_secs(60))
    }
}

impl Drop for Klipper {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn service(script: &str) -> Running {
    Running::start(Config::scripted(script).unwrap()).unwrap()
}

/// The sections of a configuration that has this service look.
fn with(service: &Running, more: &str) -> String {
    let url = service.base_url();
    format!("[engine]\nservice: {url}\ninterval: 5\n{more}")
}

fn uploads(service: &Running) -> usize {
    service.stats().calls().len()
}

fn nap(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn decoded(script: &str) -> String {
    let mut text = Vec::new();
    let mut rest = script.bytes();
    while let Some(byte) = rest.next() {
        let hex: Vec<u8> = match byte {
            b'%' => rest.by_ref().take(2).collect(),
            _ => vec![],
        };
        let hex = std::str::from_utf8(&hex).unwrap();
        text.push(u8::from_str_radix(hex, 16).unwrap_or(byte));
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn a_failing_print_is_told_of_everywhere_and_paused_once() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("failing"), service(FAILING));
    let agent = host.agent(&with(&service, "[alerts]\nnotifier: bell\n"));
    nap(600);
    let idle = (service.stats().creates(), host.camera.served());
    assert_eq!(idle, (0, 0), "no print");
    host.printer.print("benchy.gcode");
    agent.wait_for("ender: paused", 1);
    agent.wait_for("camera bed", 1);
    assert_eq!((host.printer.job().pauses, uploads(&service)), (1, 2));
    let begun = Instant::now();
    while host.printer.job().scripts.len() < 6 && begun.elapsed() < Duration::from_secs(10) {
        nap(50);
    }
    let scripts: Vec<_> = host
        .printer
        .job()
        .scripts
        .iter()
        .map(|script| decoded(script))
        .collect();
    let text = "The print may be failing (quality 1 of 10)";
    assert_eq!(scripts[0], format!("M117 {text}"));
    assert_eq!(scripts[1], format!("RESPOND TYPE=error MSG=\"{text}\""));
    assert_eq!(
        scripts[2],
        format!("_OE_NOTIFY NAME=\"bell\" MSG=\"{text}\"")
    );
    assert_eq!(scripts[3], "M117 The print is failing and was paused");
    assert_eq!(scripts.len(), 6);
    let served = host.camera.served();
    nap(7_000);
    let then = (uploads(&service), host.camera.served());
    assert_eq!(then, (2, served), "nothing while it is paused");
    // The user looks at it and goes on: the same episode is not told again.
    host.printer.resume();
    agent.wait_for("quality", 4);
    assert_eq!(host.printer.job().pauses, 1);
    host.printer.end("complete");
    agent.wait_for("benchy.gcode: complete", 1);
    let sent = uploads(&service);
    nap(6_000);
    assert_eq!(uploads(&service), sent, "the print has ended");
    assert!(!host.state().exists());
    host.printer.print("benchy.gcode");
    agent.wait_for("ender: paused", 2);
    assert_eq!(
        (service.stats().creates(), host.printer.job().pauses),
        (2, 2)
    );
    let _ = agent.end();
}

#[test]
fn li_11_killed_it_goes_on_with_the_print_and_with_a_pause_that_was_not_carried_out() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("killed"), service(FAILED));
    host.printer.set(|job| job.refused_pauses = u32::MAX);
    host.printer.print("gear.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("pausing failed: HTTP 400", 1);
    agent.kill();
    host.printer.set(|job| {
        job.refused_pauses = 0;
        job.pauses = 0;
    });
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("ender: paused", 1);
    agent.wait_for("going on with gear.gcode", 1);
    assert_eq!((uploads(&service), host.printer.job().pauses), (1, 1));
    host.printer.resume();
    agent.wait_for("quality", 2);
    assert_eq!(host.printer.job().pauses, 1, "that was all of it");
    agent.kill();
    let mode = host.state().metadata().unwrap().permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
    assert_eq!(mode & 0o077, 0, "a secret");
    // The same file once more, whose start nobody saw, is another print.
    host.printer.print("gear.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("watching gear.gcode", 1);
    let _ = agent.end();
}

#[test]
fn pu_06_a_pause_is_tried_again_until_the_alarm_is_over() {
    if !can_build() {
        return;
    }
    let script = format!("{FAILED}{FAILED}{{}}\n");
    let (host, service) = (Klipper::new("over"), service(&script));
    host.printer.set(|job| job.refused_pauses = u32::MAX);
    host.printer.print("gear.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("the alarm is over: not pausing", 1);
    let tried = host.printer.job().pauses;
    assert!(tried > 10, "{tried} in ten seconds");
    host.printer.set(|job| job.refused_pauses = 0);
    agent.wait_for("quality", 4);
    assert_eq!(host.printer.job().pauses, tried);
    assert_eq!(host.printer.job().state, "printing");
    let _ = agent.end();
}

/// Klipper carries out a pause behind what it is at, and each that arrives.
#[test]
fn a_pause_that_takes_long_is_asked_for_once() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("long"), service(FAILED));
    host.printer
        .set(|job| job.pausing = Duration::from_secs(126));
    host.printer.print("gear.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("pausing it", 1);
    nap(55_000);
    agent.wait_for("ender: paused", 1);
    assert_eq!(host.printer.job().pauses, 1);
    assert!(!agent.end().contains("failed"));
}

#[test]
fn notify_only_tells_and_never_pauses() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("notify"), service(FAILED));
    host.printer.print("cube.gcode");
    let more = "[alerts]\nnotify_only: True\ndisplay: no\n";
    let agent = host.agent(&with(&service, more));
    agent.wait_for("not paused: notify_only", 1);
    agent.wait_for("quality", 2);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.state.as_str()), (0, "printing"));
    assert!(!job.scripts.is_empty());
    assert!(
        job.scripts
            .iter()
            .all(|script| script.starts_with("RESPOND"))
    );
    let _ = agent.end();
}

#[test]
fn a_printer_without_pause_resume_is_told_of_at_the_start() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("no-pause"), service(FAILED));
    host.printer.set(|job| job.missing = vec!["pause_resume"]);
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("[pause_resume] is missing in printer.cfg: a failing", 1);
    agent.wait_for("not paused: [pause_resume] is missing", 1);
    agent.wait_for("quality", 2);
    let text = agent.end();
    let start = text.find("a failing print cannot be paused").unwrap();
    assert!(start < text.find("quality").unwrap(), "{text}");
    assert_eq!(text.matches("not paused").count(), 1);
    assert_eq!(host.printer.job().pauses, 0);
}

#[test]
fn moonrakers_key_and_what_is_said_without_it() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("key"), service("{}"));
    host.printer.set(|job| job.key = Some("MOONSECRET".into()));
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("Moonraker asks for a login: set api_key", 1);
    nap(1_000);
    assert_eq!(agent.count("login"), 1);
    assert_eq!((uploads(&service), host.camera.served()), (0, 0));
    let _ = agent.end();
    let agent = host.agent(&format!("api_key: MOONSECRET\n{}", with(&service, "")));
    agent.wait_for("quality", 1);
    assert!(!agent.end().contains("MOONSECRET"));
}

#[test]
fn nothing_is_sent_while_klipper_is_gone() {
    if !can_build() {
        return;
    }
    std::thread::scope(|scope| {
        for (n, klipper) in ["", "shutdown"].into_iter().enumerate() {
            scope.spawn(move || {
                let (host, service) = (Klipper::new(&format!("gone-{n}")), service("{}"));
                host.printer.print("cube.gcode");
                let agent = host.agent(&with(&service, ""));
                agent.wait_for("quality", 1);
                host.printer.set(|job| {
                    job.klipper = klipper;
                    job.restarting = klipper.is_empty();
                });
                agent.wait_for("Klipper is gone: ", 1);
                nap(500);
                let before = (uploads(&service), host.camera.served());
                nap(8_000);
                assert_eq!((uploads(&service), host.camera.served()), before);
                host.printer.set(|job| {
                    job.klipper = "";
                    job.restarting = false;
                });
                agent.wait_for("looking again", 1);
                agent.wait_for("quality", 2);
                assert_eq!(agent.count("watching cube.gcode"), 1);
                let _ = agent.end();
            });
        }
    });
}

#[test]
fn a_moonraker_that_restarts_does_not_end_the_watch_and_one_that_stays_away_does() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("away"), service("{}"));
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("quality", 1);
    host.printer.vanish();
    agent.wait_for("Moonraker does not answer", 1);
    agent.wait_for("quality", 2);
    agent.wait_for("not looking any more", 1);
    nap(500);
    let sent = uploads(&service);
    nap(7_000);
    assert_eq!(uploads(&service), sent);
    host.printer.come_back();
    agent.wait_for("the printer is back", 1);
    agent.wait_for("looking again", 1);
    agent.wait_for("quality", sent + 1);
    let _ = agent.end();
}

#[test]
fn a_muted_print_is_not_told_of_and_the_next_one_is() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("muted"), service(FAILED));
    host.printer.print("cube.gcode");
    host.printer.set(|job| job.muted = true);
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("muted for this print", 1);
    agent.wait_for("quality", 2);
    // A resume does not end it.
    host.printer.pause();
    agent.wait_for("ender: paused", 1);
    host.printer.resume();
    agent.wait_for("resumed", 1);
    agent.wait_for("quality", 3);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len(), job.muted), (0, 0, true));
    host.printer.print("other.gcode");
    agent.wait_for("watching other.gcode", 1);
    agent.wait_for("ender: paused", 2);
    assert!(!host.printer.job().muted, "the macro's variable is reset");
    let _ = agent.end();
}

#[test]
fn two_printers_in_one_process() {
    if !can_build() {
        return;
    }
    let (one, other) = (Klipper::new("one"), Klipper::new("other"));
    let service = service(FAILING);
    let first = one.configure(&with(&service, ""));
    let second = other.configure(&with(&service, ""));
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, text.replace("ender", "voron")).unwrap();
    let agent = Program::start(&mut one.command(&[&first, &second]));
    one.printer.print("a.gcode");
    agent.wait_for("ender: watching a.gcode", 1);
    agent.wait_for("ender: paused", 1);
    assert_eq!(other.printer.job().pauses, 0);
    other.printer.print("b.gcode");
    agent.wait_for("voron: paused", 1);
    assert_eq!(
        (one.printer.job().pauses, other.printer.job().pauses),
        (1, 1)
    );
    assert!(one.folder.join("voron.state").exists());
    let _ = agent.end();
}

#[test]
fn cameras_by_name_by_address_and_none() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("cameras");
    let relative = r#"{"name": "door", "service": "mjpegstreamer", "snapshot_url": "/webcam/?action=snapshot"}"#;
    host.printer.set(|job| {
        job.webcams = format!("{relative}, {}", job.webcams);
    });
    let text = |more: &str| String::from_utf8(host.check(more).stdout).unwrap();
    let first = text("");
    // On the web server of the printer's host, which is not Moonraker's port.
    assert!(
        first.contains("the camera door") && first.contains(" http://127.0.0.1/webcam/"),
        "{first}"
    );
    let named = text("[camera]\nname: bed\n");
    assert!(named.contains("the camera bed at"), "{named}");
    let off = text("[camera]\nname: off\n");
    assert!(off.contains("MISSING no camera: it is disabled"), "{off}");
    let talk = text("[camera]\nname: talk\n");
    assert!(
        talk.contains("neither a snapshot address nor a stream"),
        "{talk}"
    );
    let url = text(&format!(
        "[camera]\nurl: {}\nname: talk\n",
        host.camera.url()
    ));
    assert!(url.contains("the camera talk at"), "{url}");
    host.printer.set(|job| job.webcams = String::new());
    let none = text("");
    assert!(none.contains("Moonraker knows no camera"), "{none}");

    // During a print it is told once, and used when there is one.
    let service = service("{}");
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    agent.wait_for("no camera: Moonraker knows no camera", 1);
    nap(12_000);
    assert_eq!(agent.count("no camera"), 1);
    let _ = agent.end();
}

#[test]
fn im_09_what_is_sent_is_the_first_whole_picture_to_the_byte() {
    if !can_build() {
        return;
    }
    // The picture that is sent, and how much of its end is not.
    let cases = [
        (Mode::Snapshot, 0, 0),
        (Mode::Stream, 0, 0),
        (Mode::OddStream, 0, 0),
        (Mode::CutStream, 1, 0),
        (Mode::EndlessStream, 1, 2),
        (Mode::Moved, 0, 0),
        (Mode::Digest, 0, 0),
    ];
    std::thread::scope(|scope| {
        for (mode, nth, less) in cases {
            scope.spawn(move || first_picture(mode, nth, less));
        }
    });
}

fn first_picture(mode: Mode, nth: usize, less: usize) {
    let (host, service) = (Klipper::new(&format!("first-{mode:?}")), Peer::recorder());
    host.camera.set(mode);
    host.printer.print("cube.gcode");
    let login = "[camera]\nuser: eye\npassword: secret\n";
    let agent = host.agent(&format!(
        "[engine]\nservice: {}\n{login}",
        service.base_url()
    ));
    agent.wait_for("quality", 1);
    let sent = service.seen().last().unwrap().body.clone();
    let mut picture = host.camera.picture(nth);
    picture.truncate(picture.len() - less);
    let at = sent.windows(picture.len()).position(|part| part == picture);
    let at = at.unwrap_or_else(|| panic!("{mode:?}: another picture was sent"));
    let behind = &sent[at + picture.len()..];
    assert!(behind.starts_with(b"\r\n--"), "{mode:?}: nothing after it");
    let pictures = sent.windows(3).filter(|part| part == b"\xFF\xD8\xFF");
    assert_eq!(pictures.count(), 1, "{mode:?}");
    let text = agent.end();
    assert!(
        !text.contains("camera:") && !text.contains("error"),
        "{mode:?}: {text}"
    );
}

/// A real streamer, as Klipper hosts have it. It has no camera here, and shows a picture instead:
/// in snapshots it says so.
struct Streamer {
    child: Child,
    port: u16,
}

impl Streamer {
    fn start(picture: &Path) -> Streamer {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new("ustreamer");
        command
            .args(["--device", "/dev/none", "--host", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--blank"])
            .arg(picture)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it listens");
            nap(20);
        }
        Streamer { child, port }
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_real_ustreamer_with_and_without_a_picture_of_its_own() {
    if !can_build() || !has_tool("ustreamer", "apt-get install ustreamer") {
        return;
    }
    let picture = root().join("demo/frames/frame-03.jpg");
    let (host, streamer, service) = (
        Klipper::new("ustreamer"),
        Streamer::start(&picture),
        Peer::recorder(),
    );
    let picture = std::fs::read(picture).unwrap();
    host.printer.print("cube.gcode");
    let engine = format!("[engine]\nservice: {}\n", service.base_url());
    let camera = |path: &str| {
        let port = streamer.port;
        format!("{engine}[camera]\nurl: http://127.0.0.1:{port}/{path}\n")
    };

    let agent = host.agent(&camera("snapshot"));
    agent.wait_for("camera: it is not connected", 1);
    nap(1_000);
    let sent = service.seen();
    assert!(sent.iter().all(|seen| seen.path() != "/p"), "a placeholder");
    let _ = agent.end();

    let agent = host.agent(&camera("stream"));
    agent.wait_for("quality", 1);
    let sent = service.seen().last().unwrap().body.clone();
    let at = sent.windows(picture.len()).position(|part| part == picture);
    let at = at.expect("the streamer's picture");
    assert!(sent[at + picture.len()..].starts_with(b"\r\n--"));
    assert_eq!(agent.count("camera:"), 0);
    let _ = agent.end();
}

#[test]
fn it_ends_at_once_whatever_is_in_flight() {
    if !can_build() {
        return;
    }
    let service_that_hangs = service("{\"pause\":true}\n{\"delay_ms\":20000}\n");
    let host = Klipper::new("ends");
    host.printer
        .set(|job| job.pausing = Duration::from_secs(20));
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service_that_hangs, ""));
    agent.wait_for("ender: paused", 1);
    assert_eq!(agent.count("told to pause"), 0, "it is not answered yet");
    let _ = agent.end();

    let (host, service) = (Klipper::new("ends-slow"), service("{}"));
    host.camera.set(Mode::Slow);
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    while host.camera.served() == 0 {
        nap(20);
    }
    let _ = agent.end();
}

#[test]
fn an_account_that_is_stopped_is_told_of_and_tried_again_with_the_next_print() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("account");
    let keys = std::sync::Arc::new(oe_server::keys::Keys::parse("KEY disabled").unwrap());
    let config = Config {
        keys,
        ..Config::scripted("{}").unwrap()
    };
    let service = Running::start(config).unwrap();
    host.printer.print("one.gcode");
    let more = with(&service, "").replace("interval", "api_key: KEY\ninterval");
    let agent = host.agent(&more);
    agent.wait_for("nobody watches this print: ", 1);
    nap(2_000);
    assert_eq!(agent.count("nobody watches"), 1);
    assert_eq!((service.stats().creates(), host.camera.served()), (0, 0));
    host.printer.print("two.gcode");
    agent.wait_for("watching two.gcode", 1);
    agent.wait_for("nobody watches this print: ", 2);
    assert!(!agent.end().contains("KEY"));
}

#[test]
fn an_empty_first_picture_is_asked_for_again_at_once() {
    if !can_build() {
        return;
    }
    let (host, service) = (Klipper::new("empty"), service("{}"));
    host.camera.set(Mode::EmptyFirst);
    host.printer.print("cube.gcode");
    let agent = host.agent(&with(&service, ""));
    while host.camera.served() == 0 {
        nap(10);
    }
    let begun = Instant::now();
    while host.camera.served() == 1 {
        nap(10);
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    agent.wait_for("quality", 1);
    assert!(!agent.end().contains("camera:"));
}

#[test]
fn im_08_cameras_of_every_kind_of_trouble_and_back() {
    if !can_build() {
        return;
    }
    let trouble = [
        (Mode::NotFound, "HTTP 404"),
        (Mode::FalsePicture, "FF D8 FF"),
        (Mode::Empty, "no picture in the answer"),
        (Mode::Closed, "Server returned nothing"),
        (Mode::TooLarge, "too large"),
        (Mode::EmptyStream, "Timeout"),
        (Mode::Slow, "Timeout"),
        (Mode::MovedAway, "HTTP 302"),
        (Mode::MovedForEver, "HTTP 302"),
        (Mode::Digest, "it wants a user name and a password"),
    ];
    std::thread::scope(|scope| {
        for (mode, words) in trouble {
            scope.spawn(move || {
                let (host, service) = (Klipper::new(&format!("{mode:?}")), service("{}"));
                host.printer.print("cube.gcode");
                host.camera.set(mode);
                let agent = host.agent(&with(&service, "[camera]\ntimeout: 3\n"));
                agent.wait_for("camera: ", 1);
                let text = agent.text();
                assert!(text.contains(words), "{mode:?}: {text}");
                assert_eq!(uploads(&service), 0, "{mode:?}");
                host.camera.set(Mode::Snapshot);
                agent.wait_for("quality", 1);
                assert_eq!(agent.count("camera: pictures again"), 1, "{mode:?}");
                let _ = agent.end();
            });
        }
    });
}

#[test]
fn check_says_what_is_missing() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("check");
    let words = |more: &str| {
        let output = host.check(more);
        let code = output.status.code().unwrap();
        (code, String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = words("[alerts]\nnotifier: bell\n");
    assert!(code == 0 && text.ends_with("Ready.\n"), "{text}");
    assert!(text.contains("looks at a picture in"), "{text}");

    host.printer
        .set(|job| job.missing = vec!["pause_resume", "respond", "gcode_macro OE_PROCESS"]);
    let (code, text) = words("[alerts]\nnotifier: other\n");
    assert_eq!(code, 1);
    for line in [
        "MISSING [pause_resume] in printer.cfg",
        "note    [respond]",
        "note    oe_process_macros.cfg",
        "MISSING [notifier other] in moonraker.conf",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let (code, text) = words("[alerts]\nnotify_only: yes\n");
    assert!(
        code == 0 && text.contains("note    [pause_resume]"),
        "{text}"
    );

    host.printer.set(|job| job.klipper = "startup");
    let (_, text) = words("");
    assert!(
        text.contains("Klipper is not ready: its state is startup"),
        "{text}"
    );
    assert!(text.contains("ok      the camera bed"), "{text}");
    host.printer.set(|job| job.key = Some("KEY".into()));
    let (_, text) = words("");
    assert!(
        text.contains("MISSING Moonraker asks for a login"),
        "{text}"
    );
    host.printer.vanish();
    let (_, text) = words("");
    assert!(text.contains("MISSING Moonraker does not answer"), "{text}");
    host.printer.come_back();

    let keys = std::sync::Arc::new(oe_server::keys::Keys::parse("RIGHT").unwrap());
    let config = Config {
        keys,
        ..Config::scripted("{}").unwrap()
    };
    let service = Running::start(config).unwrap();
    let (_, text) = words(&with(&service, "").replace("interval", "api_key: WRONG\ninterval"));
    assert!(text.contains("The API key is not valid"), "{text}");
    let (_, text) = words(&with(&service, "").replace("interval", "api_key: RIGHT\ninterval"));
    assert!(text.contains("takes the key"), "{text}");
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    if !can_build() || !has_tool("faketime", "apt-get install faketime") {
        return;
    }
    let host = Klipper::new("clock");
    let file = host.configure("");
    let mut command = Command::new(program());
    command
        .arg("check")
        .arg(file)
        .env("LD_PRELOAD", faketime)
        .env("FAKETIME", "@1970-01-02 00:00:00")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let output = run(&mut command, Duration::from_secs(60));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("MISSING the clock of this machine is wrong: it says 1970"),
        "{text}"
    );
}

#[test]
fn mistakes_in_the_configuration_are_named_by_line() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("mistakes");
    let cases = [
        (
            "[engine]\nservice: ftp://x\n",
            ":6: service: an address begins",
        ),
        (
            "[engine]\nintervall: 5\n",
            ":6: intervall: there is no such option",
        ),
        ("[alert]\n", ":5: alert: there is no such section"),
        (
            "[alerts]\npause_confidence: 6\n",
            ":6: pause_confidence: out of range",
        ),
        (
            "[alerts]\nconsole: perhaps\n",
            ":6: console: neither True nor False",
        ),
        (
            "[camera]\ntimeout: 5 # s\ntimeout: 6\n",
            ":7: timeout: set twice",
        ),
        (
            "[camera]\nignore:\n  10 10 95 10\n",
            ":6: ignore: a region lies inside",
        ),
        (
            "[camera]\nignore:\n  10 10 10\n",
            ":6: ignore: a region is four",
        ),
        ("[engine]\napi_key: K\n", "takes no api_key"),
        (
            "nonsense\n",
            ":5: nonsense: neither a section nor an option",
        ),
    ];
    for (more, words) in cases {
        let output = host.check(more);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{more}");
        assert!(text.contains(words), "{more}: {text}");
    }
}

/// Every option of the sample is one, with the value that it shows.
#[test]
fn the_sample_configuration_is_read() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("sample");
    let sample = std::fs::read_to_string(root().join("moonraker/oe_process.cfg")).unwrap();
    let uncommented: Vec<_> = sample
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if !option.starts_with(' ') || option.starts_with("    ") => option,
            _ => line,
        })
        .collect();
    let options = uncommented.iter().filter(|line| line.contains(": "));
    assert!(options.count() > 12, "{uncommented:?}");
    let text = uncommented.join("\n");
    let text = text.replace(
        "url: http://127.0.0.1:7125",
        &format!("url: {}", host.printer.url()),
    );
    let file = host.folder.join("sample.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program());
    let output = run(command.arg("check").arg(file), Duration::from_secs(60));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
}

/// With the engine inside, nobody is spoken to but Moonraker and the camera.
#[test]
fn the_engine_inside_opens_no_socket_of_its_own() {
    if !can_build() || !has_tool("strace", "apt-get install strace") {
        return;
    }
    let host = Klipper::new("embedded");
    let trace = host.folder.join("trace");
    let file = host.configure("[engine]\ninterval: 5\n");
    host.printer.print("cube.gcode");
    let mut command = Command::new("strace");
    command
        .args([
            "-D",
            "-f",
            "-qq",
            "-e",
            "trace=socket,connect,sendto,sendmsg",
            "-o",
        ])
        .arg(&trace)
        .arg(program())
        .arg("--state")
        .arg(&host.folder)
        .arg(file);
    let agent = Program::start(&mut command);
    agent.wait_for("quality", 2);
    let _ = agent.end();
    nap(500);
    let text = std::fs::read_to_string(&trace).unwrap();
    let port = |url: &str| {
        let url = url.trim_start_matches("http://");
        let host = url.split('/').next().unwrap();
        host.rsplit(':').next().unwrap().to_owned()
    };
    let ours = [port(&host.printer.url()), port(&host.camera.url())];
    let mut connects = 0;
    for line in text
        .lines()
        .filter(|line| line.contains("connect(") && line.contains("AF_INET"))
    {
        connects += 1;
        assert!(
            ours.iter()
                .any(|port| line.contains(&format!("htons({port})"))),
            "{line}"
        );
        assert!(line.contains("\"127.0.0.1\""), "{line}");
    }
    assert!(connects >= 2, "{text}");
    // A datagram needs no connect; sends on what is connected name no address.
    let named = text
        .lines()
        .find(|line| line.contains("sin_port") && !line.contains("connect("));
    assert_eq!(named, None);
}

/// Kilobytes of its own, and ticks of a processor (of which there are 100 a second).
fn cost(pid: u32) -> (u64, u64) {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let own = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |n: usize| fields[n].parse::<u64>().unwrap();
    (own.sum(), ticks(11) + ticks(12))
}

#[test]
fn what_it_costs_beside_libcurl_and_the_engine() {
    if !can_build() {
        return;
    }
    let (host, second) = (Klipper::new("cost"), Klipper::new("cost-2"));
    let floor = compile(
        &root().join("tests/c/agent_floor.c"),
        Link::Shared,
        &["-Wl,--no-as-needed", "-lcurl"],
    );
    let floor = Program::start(
        Command::new(floor)
            .arg(host.printer.url())
            .arg(root().join("demo/frames/frame-01.jpg")),
    );
    floor.wait_for("idle", 1);

    // As it is installed: a poll every two seconds.
    let installed = |host: &Klipper, name: &str| {
        let file = host.configure("[engine]\ninterval: 30\n");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("poll_ms: 200\n", "").replace("ender", name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let files = [installed(&host, "ender"), installed(&second, "voron")];
    host.printer.print("cube.gcode");
    let one = Program::start(&mut host.command(&[&files[0]]));
    one.wait_for("quality", 1);
    nap(1_000);
    let (_, before) = cost(one.id());
    nap(15_000);
    let ((own, after), (floor, _)) = (cost(one.id()), cost(floor.id()));
    let _ = one.end();

    second.printer.print("cube.gcode");
    let two = Program::start(&mut host.command(&[&files[0], &files[1]]));
    two.wait_for("quality", 2);
    nap(1_000);
    let (both, _) = cost(two.id());
    let _ = two.end();
    println!(
        "libcurl and the engine {floor} KB; the agent {own} KB, with a second printer {both} KB; {} ms of a processor in 15 s",
        (after - before) * 10
    );
    assert!(own < floor + 4 * 1024, "{own} KB, over {floor} KB");
    assert!(both < own + 3 * 1024, "{both} KB, over {own} KB");
    assert!(after - before <= 15, "{} ticks in 15 s", after - before);
}

/// One scenario of the stand: what these tests play is how the real ones are.
#[test]
fn a_real_moonraker_and_klipper_warn_pause_resume_and_cancel() {
    if !can_build() || !has_tool("python3", "apt-get install python3 python3-venv") {
        return;
    }
    let service = service(
        "{\"quality\":9}\n{\"quality\":3,\"warning\":true}\n{\"quality\":1,\"warning\":true,\"pause\":true}\n",
    );
    let mut scenario = Command::new("python3");
    scenario
        .arg(root().join("moonraker/stand/scenarios.py"))
        .arg(scratch("stand"))
        .arg("print_and_pause")
        .env("AGENT", program())
        .env("SERVICE", service.base_url())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    // The first time it installs them.
    let output = run(&mut scenario, Duration::from_secs(600));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_picture_is_found_however_the_bytes_arrive() {
    let mjpeg = root().join("moonraker/mjpeg.c");
    let flags = [
        mjpeg.to_str().unwrap(),
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover",
    ];
    let program = compile(&root().join("tests/c/mjpeg.c"), Link::Shared, &flags);
    let output = run(&mut Command::new(program), Duration::from_secs(60));
    assert!(output.status.success(), "{output:?}");
}
