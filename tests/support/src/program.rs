//! A program that runs for long: what it says, and how it ends.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program that is ended with the test.
pub struct Program {
    child: Child,
    text: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it; what it writes is gathered.
    #[must_use]
    pub fn start(command: &mut Command) -> Program {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let mut stdout = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got @ 1..) = stdout.read(&mut buffer) {
                let more = String::from_utf8_lossy(&buffer[..got]);
                shared.lock().expect("no panic").push_str(&more);
            }
        });
        Program { child, text }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.text.lock().expect("no panic").clone()
    }

    /// How many lines have these words.
    #[must_use]
    pub fn count(&self, words: &str) -> usize {
        let text = self.text();
        text.lines().filter(|line| line.contains(words)).count()
    }

    /// Waits until so many lines have these words.
    pub fn wait_for(&self, words: &str, times: usize) {
        let begun = Instant::now();
        while self.count(words) < times {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{times} times {words:?}:\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a warning.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started");
    }

    /// Ends it as a system does: within two seconds, and without complaints.
    #[must_use]
    pub fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.expect("kill runs").success());
        let begun = Instant::now();
        let status = self.child.wait().expect("it was started");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        let mut errors = String::new();
        let stderr = self.child.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut errors).expect("text");
        assert!(status.success() && errors.is_empty(), "{status} {errors}");
        self.text()
    }
}

/// A test that fails leaves none behind.
impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
