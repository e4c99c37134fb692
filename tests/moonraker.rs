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

use oe_server::keys::Keys;
use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile, has_headers, has_tool, root, scratch};
use oe_test_support::moonraker::{Camera, Mode, Printer};
use oe_test_support::peer::{Peer, Step};

const KEY: &str = "SECRETKEY";
const FAILING: &str = "{}\n{\"quality\":1,\"warning\":true,\"pause\":true}\n";
const FAILED: &str = "{\"quality\":1,\"warning\":true,\"pause\":true}\n";

/// Whether the agent can be built here.
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
    state: PathBuf,
}

impl Klipper {
    fn new(name: &str, script: &str) -> Klipper {
        Klipper::with(name, Config::scripted(script).unwrap())
    }

    fn with(name: &str, config: Config) -> Klipper {
        let state = scratch("moonraker").join(format!("{name}-{}", std::process::id()));
        drop(std::fs::remove_file(&state));
        Klipper {
            printer: Printer::start(),
            camera: Camera::start(&root().join("demo/frames")),
            service: Running::start(config).unwrap(),
            state,
        }
    }

    fn agent(&self) -> Agent {
        self.agent_with(&[])
    }

    fn agent_with(&self, more: &[&str]) -> Agent {
        let (moonraker, endpoint) = (self.printer.url(), self.service.base_url());
        let state = self.state.to_string_lossy();
        let mut args = vec!["--moonraker", &moonraker, "--endpoint", &endpoint];
        args.extend(["--state", &state, "--poll-ms", "200"]);
        args.extend(more);
        Agent::start(&self.camera.url(), &args)
    }

    fn uploads(&self) -> usize {
        self.service.stats().calls().len()
    }

    fn creates(&self) -> u64 {
        self.service.stats().creates()
    }
}

impl Drop for Klipper {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.state));
    }
}

struct Agent {
    child: Child,
    text: Arc<Mutex<String>>,
}

impl Agent {
    fn start(camera: &str, args: &[&str]) -> Agent {
        let mut command = Command::new(program());
        command
            .args(["--camera", camera, "--interval", "5"])
            .args(args)
            .env("OE_API_KEY", KEY)
            .env("MOONRAKER_API_KEY", "MOONSECRET")
            // What is at home is asked directly.
            .env("http_proxy", "http://127.0.0.1:9")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let mut stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got @ 1..) = stdout.read(&mut buffer) {
                let more = String::from_utf8_lossy(&buffer[..got]);
                shared.lock().unwrap().push_str(&more);
            }
        });
        Agent { child, text }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        let text = self.text();
        text.lines().filter(|line| line.starts_with(what)).count()
    }

    /// Waits until there are this many lines that begin so.
    fn wait_for(&self, what: &str, times: usize) {
        let begun = Instant::now();
        while self.count(what) < times {
            assert!(
                begun.elapsed() < Duration::from_secs(40),
                "{times} times {what:?}:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a system does, and looks at what it left.
    fn end(self) -> String {
        self.signal("-TERM");
        self.ends()
    }

    /// Waits for an end that must be a quick and clean one.
    fn ends(mut self) -> String {
        let begun = Instant::now();
        let status = self.child.wait().unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        let mut errors = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        assert!(status.success() && errors.is_empty(), "{status} {errors}");
        let text = self.text();
        assert!(!text.contains("SECRET"), "{text}");
        text
    }
}

/// A test that fails leaves none behind.
impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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
    let host = Klipper::new("failing", FAILING);
    let agent = host.agent();
    nap(600);
    assert_eq!((host.creates(), host.camera.served()), (0, 0), "no print");
    host.printer.print("benchy.gcode");
    agent.wait_for("paused", 1);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len()), (1, 1), "{job:?}");
    assert!(job.scripts[0].starts_with("M117%20"));
    assert_eq!(host.uploads(), 2);
    let served = host.camera.served();
    nap(7_000);
    let then = (host.uploads(), host.camera.served());
    assert_eq!(then, (2, served), "nothing while it is paused");
    // The user looks at it and goes on: the same episode is not told again.
    host.printer.resume();
    agent.wait_for("quality", 4);
    assert_eq!(host.printer.job().pauses, 1);
    host.printer.end("complete");
    agent.wait_for("benchy.gcode: complete", 1);
    let uploads = host.uploads();
    nap(6_000);
    assert_eq!(host.uploads(), uploads, "the print has ended");
    assert!(!host.state.exists());
    // The next print of the same file is another one.
    host.printer.print("benchy.gcode");
    agent.wait_for("paused", 2);
    assert_eq!((host.creates(), host.printer.job().pauses), (2, 2));
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
    nap(1_000);
    agent.kill();
    let agent = host.agent();
    agent.wait_for("the printer was told to pause", 1);
    agent.wait_for("paused", 1);
    assert!(agent.text().starts_with("going on with vase.gcode"));
    nap(1_000);
    agent.kill();
    host.printer.resume();
    let agent = host.agent();
    agent.wait_for("quality", 2);
    assert_eq!(host.printer.job().pauses, 1);
    assert_eq!(host.creates(), 1, "one context through three lives");
    for pair in host.service.stats().calls().windows(2) {
        let gap = pair[1].0 - pair[0].1;
        assert!(gap >= Duration::from_secs(5), "never early: {gap:?}");
    }
    agent.end();
    let saved = std::fs::read_to_string(&host.state).unwrap();
    assert!(saved.starts_with("vase.gcode\n") && !saved.contains("SECRET"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&host.state.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "a secret");
}

#[test]
fn li_11_killed_before_the_pause_was_carried_out_it_does_that_when_it_is_back() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("pending", FAILED);
    host.printer.set(|job| job.refused_pauses = u32::MAX);
    host.printer.print("gear.gcode");
    let agent = host.agent();
    agent.wait_for("pausing failed", 1);
    agent.kill();
    host.printer.set(|job| {
        job.refused_pauses = 0;
        job.pauses = 0;
    });
    let agent = host.agent();
    agent.wait_for("paused", 1);
    assert!(agent.text().starts_with("going on with gear.gcode"));
    assert_eq!((host.uploads(), host.printer.job().pauses), (1, 1));
    host.printer.resume();
    agent.wait_for("quality", 2);
    nap(500);
    assert_eq!(host.printer.job().pauses, 1, "that was all of it");
    agent.end();
}

#[test]
fn the_state_of_a_print_that_ended_unseen_is_not_used_for_the_next() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("unseen", FAILED);
    host.printer.print("same.gcode");
    let agent = host.agent();
    agent.wait_for("paused", 1);
    nap(1_500);
    agent.kill();
    assert!(host.state.exists());
    // The same file once more: this one fails too, and is paused too.
    host.printer.print("same.gcode");
    let agent = host.agent();
    agent.wait_for("paused", 1);
    assert!(agent.text().starts_with("watching same.gcode"));
    assert_eq!((host.creates(), host.printer.job().pauses), (2, 2));
    nap(1_000);
    agent.kill();
    assert!(host.state.exists());
    host.printer.end("standby");
    let agent = host.agent();
    nap(1_000);
    assert!(!host.state.exists(), "nothing prints");
    // While it watches: another file, then that one again, without an end in between.
    host.printer.print("other.gcode");
    agent.wait_for("watching other.gcode", 1);
    nap(1_500);
    host.printer.print("other.gcode");
    agent.wait_for("watching other.gcode", 2);
    host.printer.print("third.gcode");
    agent.wait_for("watching third.gcode", 1);
    assert_eq!(agent.count("other.gcode: replaced"), 2);
    agent.end();
}

#[test]
fn pu_06_a_pause_that_fails_is_tried_again_by_the_agent() {
    if !can_build() {
        return;
    }
    std::thread::scope(|scope| {
        for refusal in ["400 Bad Request", "302 Found", "500 Internal Server Error"] {
            scope.spawn(move || {
                let host = Klipper::new(&format!("refused-{}", &refusal[..3]), FAILED);
                host.printer.set(|job| {
                    job.refused_pauses = 2;
                    job.refusal = Some(refusal);
                });
                host.printer.print("gear.gcode");
                let agent = host.agent();
                agent.wait_for("paused", 1);
                nap(1_000);
                assert_eq!(host.printer.job().pauses, 3, "{refusal}");
                assert_eq!(agent.count("pausing failed"), 2);
                assert_eq!(agent.count("pause: the print is failing"), 1);
                agent.end();
            });
        }
    });
}

#[test]
fn a_pause_that_takes_long_is_asked_for_once() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("parks", FAILED);
    host.printer
        .set(|job| job.pausing = Duration::from_secs(14));
    host.printer.print("gear.gcode");
    let agent = host.agent();
    agent.wait_for("paused", 1);
    agent.wait_for("the printer was told to pause", 1);
    assert_eq!(host.printer.job().pauses, 1);
    assert_eq!(agent.count("pausing failed"), 0);
    agent.end();
}

/// And what the agent says of it.
const TROUBLE: [(Mode, &str); 10] = [
    (Mode::NotFound, "HTTP response code"),
    (Mode::Page, "FF D8 FF"),
    (Mode::FalsePicture, "FF D8 FF"),
    (Mode::Empty, "no picture in the answer"),
    (Mode::Closed, "Server returned nothing"),
    (Mode::TooLarge, "too large"),
    (Mode::EmptyStream, "too large"),
    (Mode::Slow, "Timeout"),
    (Mode::MovedAway, "HTTP response code"),
    (Mode::MovedForEver, "HTTP response code"),
];

#[test]
fn im_08_cameras_of_every_kind_of_trouble_and_back() {
    if !can_build() {
        return;
    }
    std::thread::scope(|scope| {
        for (n, (mode, words)) in TROUBLE.into_iter().enumerate() {
            scope.spawn(move || {
                let host = Klipper::new(&format!("camera-{n}"), "{}");
                host.printer.print("cube.gcode");
                host.camera.set(mode);
                let agent = host.agent();
                agent.wait_for("camera: ", 1);
                let text = agent.text();
                assert!(text.contains(words), "{mode:?}: {text}");
                assert_eq!((host.uploads(), host.creates()), (0, 1), "{mode:?}");
                host.camera.set(Mode::Snapshot);
                agent.wait_for("quality", 1);
                assert_eq!(agent.count("camera: pictures again"), 1, "{mode:?}");
                assert_eq!((host.uploads(), host.creates()), (1, 1), "{mode:?}");
                agent.end();
            });
        }
    });
}

#[test]
fn a_frozen_camera_is_told_of() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("frozen", "{}");
    host.printer.print("cube.gcode");
    host.camera.set(Mode::Frozen);
    let agent = host.agent();
    agent.wait_for("the camera has stalled", 1);
    host.camera.set(Mode::Snapshot);
    agent.wait_for("the camera is back", 1);
    agent.end();
}

/// A service that keeps what it is sent.
fn recorder() -> Peer {
    let both = r#"{"ContextId":"C","ProcessRequestUrl":"BASE_URL/p","FallbackProcessRequestUrl":"BASE_URL/f","NextProcessIntervalSec":20,"PrintQuality":8,"WarningSuggested":false,"PauseSuggested":false}"#;
    Peer::plain(vec![vec![Step::ServeJson(both.into())]])
}

#[test]
fn im_09_what_is_sent_is_the_first_whole_picture_to_the_byte() {
    if !can_build() {
        return;
    }
    let cases = [
        (Mode::Snapshot, 0),
        (Mode::Stream, 0),
        (Mode::OddStream, 0),
        (Mode::CutStream, 1),
        (Mode::Moved, 0),
    ];
    std::thread::scope(|scope| {
        for (mode, nth) in cases {
            scope.spawn(move || first_picture(mode, nth));
        }
    });
}

fn first_picture(mode: Mode, nth: usize) {
    let (printer, service) = (Printer::start(), recorder());
    let camera = Camera::start(&root().join("demo/frames"));
    camera.set(mode);
    printer.print("cube.gcode");
    let urls = (printer.url(), service.base_url());
    let args = ["--moonraker", &urls.0, "--endpoint", &urls.1];
    let agent = Agent::start(&camera.url(), &args);
    agent.wait_for("quality", 1);
    let sent = &service.seen().last().unwrap().body.clone();
    assert_is_picture(sent, &camera.picture(nth), &format!("{mode:?}"));
    assert_eq!(camera.served(), 1, "{mode:?}");
    let text = agent.end();
    assert!(
        !text.contains("camera:") && !text.contains("error"),
        "{mode:?}: {text}"
    );
}

/// Whether a multipart body holds this picture and no other, to the byte.
fn assert_is_picture(body: &[u8], picture: &[u8], what: &str) {
    let at = body.windows(picture.len()).position(|part| part == picture);
    let at = at.unwrap_or_else(|| panic!("{what}: another picture was sent"));
    let pictures = body.windows(3).filter(|part| part == b"\xFF\xD8\xFF");
    assert_eq!(pictures.count(), 1, "{what}");
    let behind = &body[at + picture.len()..];
    assert!(behind.starts_with(b"\r\n--"), "{what}: nothing after it");
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
    let (printer, streamer, service) = (Printer::start(), Streamer::start(&picture), recorder());
    let picture = std::fs::read(picture).unwrap();
    printer.print("cube.gcode");
    let urls = (printer.url(), service.base_url());
    let args = ["--moonraker", &urls.0, "--endpoint", &urls.1];
    let base = format!("http://127.0.0.1:{}", streamer.port);

    let agent = Agent::start(&format!("{base}/snapshot"), &args);
    agent.wait_for("camera: it is not connected", 1);
    nap(1_000);
    let sent = service.seen();
    assert!(sent.iter().all(|seen| seen.path() != "/p"), "a placeholder");
    agent.end();

    let agent = Agent::start(&format!("{base}/stream"), &args);
    agent.wait_for("quality", 1);
    let sent = &service.seen().last().unwrap().body.clone();
    assert_is_picture(sent, &picture, "ustreamer");
    assert_eq!(agent.count("camera: "), 0);
    agent.end();
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
    host.printer.vanish();
    agent.wait_for("Moonraker does not answer", 1);
    agent.wait_for("quality", 2);
    host.printer.set(|job| job.gone = true);
    host.printer.come_back();
    nap(600);
    host.printer.set(|job| {
        job.gone = false;
        job.restarting = true;
    });
    nap(600);
    assert_eq!(agent.count("Moonraker is back"), 0);
    host.printer.set(|job| job.restarting = false);
    agent.wait_for("Moonraker is back", 1);
    agent.wait_for("quality", 3);
    assert_eq!((host.creates(), agent.count("watching")), (1, 1));
    assert_eq!(agent.count("Moonraker does not answer"), 1, "said once");
    agent.end();
}

#[test]
fn a_pause_waits_for_a_moonraker_that_is_away() {
    if !can_build() {
        return;
    }
    let slow = "{\"delay_ms\":2000,\"quality\":1,\"warning\":true,\"pause\":true}\n{}\n";
    let host = Klipper::new("pause-away", slow);
    host.printer.print("cube.gcode");
    let agent = host.agent();
    agent.wait_for("watching", 1);
    while host.camera.served() == 0 {
        nap(20);
    }
    host.printer.vanish();
    agent.wait_for("pausing failed", 1);
    nap(1_000);
    assert_eq!(
        agent.count("pausing failed"),
        1,
        "nobody there, nothing tried"
    );
    host.printer.come_back();
    agent.wait_for("paused", 1);
    assert_eq!(host.printer.job().pauses, 1);
    agent.end();
}

#[test]
fn it_ends_at_once_whatever_is_in_flight() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("ends", "{\"pause\":true}\n{\"delay_ms\":20000}\n");
    host.printer
        .set(|job| job.pausing = Duration::from_secs(20));
    host.printer.print("cube.gcode");
    let agent = host.agent();
    agent.wait_for("paused", 1);
    // The command is not answered yet, nor is the second verdict, which was under way before.
    assert_eq!(agent.count("the printer was told to pause"), 0);
    assert_eq!((host.uploads(), host.camera.served()), (1, 2));
    agent.end();

    let host = Klipper::new("ends-slow", "{}");
    host.camera.set(Mode::Slow);
    host.printer.print("cube.gcode");
    let agent = host.agent();
    while host.camera.served() == 0 {
        nap(20);
    }
    agent.signal("-INT");
    agent.ends();
}

#[test]
fn a_print_that_is_paused_already_is_watched_when_it_goes_on() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("paused", "{}");
    let name = "b\u{e4}r \"1\" \\ \u{1F43B}\n.gcode";
    host.printer.print(name);
    host.printer.pause();
    let agent = host.agent();
    agent.wait_for("paused", 1);
    nap(3_000);
    assert_eq!((host.uploads(), host.camera.served()), (0, 0));
    host.printer.resume();
    agent.wait_for("quality", 2);
    let text = agent.end();
    let shown = name.replace('\n', "?");
    assert!(
        text.starts_with(&format!("watching {shown}\npaused\nresumed\n")),
        "{text}"
    );
    let saved = std::fs::read_to_string(&host.state).unwrap();
    assert!(saved.starts_with(&format!("{shown}\n")));
}

#[test]
fn moonrakers_key_and_a_command_for_warnings() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("key", FAILED);
    host.printer.set(|job| job.key = Some("MOONSECRET".into()));
    let file = host.state.with_extension("warned");
    drop(std::fs::remove_file(&file));
    let command = format!(
        "echo \"[$OE_API_KEY$MOONRAKER_API_KEY]\" >> {}; exit 3",
        file.display()
    );
    host.printer.print("cube.gcode");
    let agent = host.agent_with(&["--on-warning", &command]);
    agent.wait_for("paused", 1);
    nap(500);
    let warned = std::fs::read_to_string(&file).unwrap();
    assert_eq!(warned, "[]\n", "once, and without the keys");
    assert_eq!(host.printer.job().scripts.len(), 0);
    assert_eq!(agent.count("Moonraker does not answer"), 0);
    agent.end();
    drop(std::fs::remove_file(&file));
}

#[test]
fn an_account_that_is_stopped_is_told_of_without_a_flood() {
    if !can_build() {
        return;
    }
    let keys = Arc::new(Keys::parse(&format!("{KEY} disabled")).unwrap());
    let host = Klipper::with(
        "account",
        Config {
            keys,
            ..Config::scripted("{}").unwrap()
        },
    );
    host.printer.print("one.gcode");
    let agent = host.agent();
    agent.wait_for("stopped: ", 1);
    host.printer.print("two.gcode");
    agent.wait_for("not watching two.gcode", 1);
    nap(2_000);
    assert_eq!(agent.count("not watching"), 1);
    assert_eq!(host.creates(), 0);
    agent.end();
}

#[test]
fn a_dry_run_touches_nothing() {
    if !can_build() {
        return;
    }
    let host = Klipper::new("dry", FAILED);
    host.printer.print("cube.gcode");
    let agent = host.agent_with(&["--dry-run"]);
    agent.wait_for("pause (not done: --dry-run)", 1);
    nap(500);
    let job = host.printer.job();
    assert_eq!((job.pauses, job.scripts.len()), (0, 0));
    agent.end();
}
