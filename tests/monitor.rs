//! The event-loop example, as a host author would try it: a print that fails, a program that is
//! killed, commands while it runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use oe_server::{Config, Running};
use oe_test_support::library::{Link, compile, root, scratch};

const FAILING: &str = "{}\n{\"quality\":3,\"warning\":true}\n\
    {\"quality\":1,\"warning\":true,\"pause\":true}\n";

fn service(script: &str) -> Running {
    Running::start(Config::scripted(script).unwrap()).unwrap()
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| compile(&root().join("examples-c/monitor.c"), Link::Shared, &[]))
}

/// A run of the program, its lines as they come.
struct Run {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Run {
    fn start(service: &Running, args: &[&str]) -> Run {
        let mut command = Command::new(program());
        command.args(["--endpoint", &service.base_url()]).args(args);
        command.env("OE_API_KEY", "SECRETKEY");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Run {
            child,
            lines,
            seen: vec![],
        }
    }

    /// Waits for a line that begins like this.
    fn wait_for(&mut self, what: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        while let Ok(line) = self.lines.recv_timeout(until - Instant::now()) {
            self.seen.push(line);
            if self.seen.last().unwrap().starts_with(what) {
                return;
            }
        }
        panic!("no {what:?} in {:#?}", self.seen);
    }

    fn say(&mut self, words: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(words.as_bytes()).unwrap();
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

    /// Kills it, a moment after the line that was waited for last: by then it has saved.
    fn kill(mut self) {
        std::thread::sleep(Duration::from_millis(1_000));
        self.signal("-KILL");
        self.child.wait().unwrap();
    }

    /// Waits for the end, which must be a good one, with nothing on stderr; gives all lines.
    fn end(mut self) -> Vec<String> {
        let begun = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.seen);
        assert!(begun.elapsed() < Duration::from_secs(20));
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut errors).unwrap();
        assert_eq!(errors, "");
        self.seen.extend(self.lines.iter());
        assert!(self.seen.iter().all(|line| !line.contains("SECRET")));
        self.seen
    }
}

fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(what)).count()
}

fn snapshot(name: &str) -> String {
    let file = scratch(name).join("snapshot.jpg");
    std::fs::copy(root().join("demo/frames/frame-01.jpg"), &file).unwrap();
    file.to_string_lossy().into_owned()
}

#[test]
fn a_failing_print_is_paused_once_by_a_command() {
    let service = service(FAILING);
    let frames = scratch("monitor-frames");
    for n in ["01", "02", "03", "04"] {
        let name = format!("frame-{n}.jpg");
        std::fs::copy(root().join("demo/frames").join(&name), frames.join(&name)).unwrap();
    }
    let frames = frames.to_string_lossy().into_owned();
    let args = [
        "--replay",
        "--on-pause",
        "echo PAUSED",
        "--on-warning",
        "exit 3",
        &frames,
    ];
    let lines = Run::start(&service, &args).end();
    assert_eq!(count(&lines, "quality"), 4);
    assert_eq!(
        (count(&lines, "warning"), count(&lines, "pause")),
        (1, 1),
        "{lines:#?}"
    );
    assert_eq!(count(&lines, "PAUSED"), 1);
    assert_eq!(
        count(&lines, "a command ended with"),
        1,
        "a command that fails is told of"
    );
    assert_eq!(service.stats().creates(), 1);
}

#[test]
fn li_11_killed_at_any_point_it_goes_on_with_the_same_print() {
    let service = service(FAILING);
    let camera = snapshot("monitor-killed");
    let state = scratch("monitor-killed").join("state");
    drop(std::fs::remove_file(&state));
    let state_file = state.to_string_lossy().into_owned();
    let args = ["--state", &state_file, "--on-pause", "echo PAUSED", &camera];
    let touch = || {
        // A camera that writes on: new bytes, a new time.
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&camera)
            .unwrap();
        file.write_all(b"x").unwrap();
    };
    let mut run = Run::start(&service, &args);
    run.wait_for("quality");
    run.kill();
    touch();
    let mut run = Run::start(&service, &args);
    run.wait_for("quality");
    assert_eq!(run.seen[0], "going on with the print that was saved");
    touch();
    run.wait_for("PAUSED");
    run.kill();
    touch();
    let mut run = Run::start(&service, &args);
    run.wait_for("quality");
    run.signal("-TERM");
    let lines = run.end();
    assert_eq!(
        count(&lines, "pause"),
        0,
        "it was paused before: {lines:#?}"
    );
    assert_eq!(
        service.stats().creates(),
        1,
        "one context through three lives"
    );
    let calls = service.stats().calls();
    assert!(calls.len() >= 4);
    for pair in calls.windows(2) {
        assert!(
            pair[1].0 - pair[0].1 >= Duration::from_secs(5),
            "never early"
        );
    }
    assert!(state.exists(), "the print goes on without the program");
    assert!(!std::fs::read_to_string(&state).unwrap().contains("SECRET"));
    let mut last = Run::start(&service, &args);
    last.wait_for("going on");
    last.say("stop\n");
    last.end();
    assert!(!state.exists(), "the print has ended");
}

#[test]
fn pause_resume_and_mute_from_outside() {
    let service = service(FAILING);
    let camera = snapshot("monitor-commands");
    let mut run = Run::start(&service, &[&camera]);
    run.wait_for("quality");
    run.say("pause\n");
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(
        service.stats().calls().len(),
        1,
        "nothing is sent while it is paused"
    );
    run.say("mute\nresume\n");
    std::thread::sleep(Duration::from_millis(1_000));
    // Only a picture from after the resume is of use.
    std::fs::write(
        &camera,
        std::fs::read(root().join("demo/frames/frame-02.jpg")).unwrap(),
    )
    .unwrap();
    run.wait_for("quality");
    let begun = Instant::now();
    run.signal("-INT");
    let lines = run.end();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(count(&lines, "warning"), 0, "{lines:#?}");
}
