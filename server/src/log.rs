//! One line per request, without keys or context ids. Who reads them slowly, or not at all, holds nobody
//! up: lines that find no room are counted and dropped.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait for whoever reads them.
const WAITING: usize = 4_096;
/// How long a last line waits.
const LAST: Duration = Duration::from_millis(500);

/// How lines are written to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// Not at all.
    #[default]
    Off,
    /// `key=value`.
    Text,
    /// One JSON object a line, with the same words.
    Json,
}

impl Log {
    fn format(self, words: &str) -> Option<String> {
        match self {
            Log::Off => None,
            Log::Text => Some(words.to_owned()),
            Log::Json => {
                let object: serde_json::Map<_, _> = pairs(words)
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                Some(serde_json::Value::Object(object).to_string())
            }
        }
    }
}

/// The `key=value` words of a line; a value with spaces is in quotes, as `{:?}` writes it.
fn pairs(mut rest: &str) -> impl Iterator<Item = (&str, String)> {
    std::iter::from_fn(move || {
        let (name, value) = rest.trim_start().split_once('=')?;
        let end = if value.starts_with('"') {
            let mut escaped = false;
            let closes = |(_, c): &(usize, char)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            };
            let last = value.char_indices().skip(1).find(closes);
            last.map_or(value.len(), |(at, _)| at + 1)
        } else {
            value.find(' ').unwrap_or(value.len())
        };
        let (value, after) = value.split_at(end);
        rest = after;
        let plain = serde_json::from_str(value)
            .ok()
            .filter(|_| value.starts_with('"'));
        Some((name, plain.unwrap_or_else(|| value.to_owned())))
    })
}

enum Entry {
    Line(String),
    /// All before it is written.
    Mark(SyncSender<()>),
}

/// Writes lines on a thread of its own.
pub(crate) struct Logger {
    form: Log,
    /// None where nothing is logged, or no thread was to be had.
    entries: Option<SyncSender<Entry>>,
    dropped: Arc<AtomicU64>,
}

impl Logger {
    /// Writes to stderr.
    pub(crate) fn new(form: Log) -> Logger {
        Logger::to(form, std::io::stderr())
    }

    fn to(form: Log, out: impl Write + Send + 'static) -> Logger {
        let dropped = Arc::new(AtomicU64::new(0));
        let (entries, waiting) = sync_channel(WAITING);
        let lost = Arc::clone(&dropped);
        let write = move || write(form, out, &waiting, &lost);
        let thread = (form != Log::Off).then(|| {
            let builder = std::thread::Builder::new().name("oe-log".into());
            builder.spawn(write)
        });
        Logger {
            form,
            entries: thread.and_then(Result::ok).map(|_| entries),
            dropped,
        }
    }

    /// Logs `key=value` words.
    pub(crate) fn line(&self, words: &str) {
        let (Some(entries), Some(line)) = (&self.entries, self.form.format(words)) else {
            return;
        };
        if let Err(TrySendError::Full(_)) = entries.try_send(Entry::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a little until all is written.
    pub(crate) fn flush(&self) {
        let Some(entries) = &self.entries else {
            return;
        };
        let end = Instant::now() + LAST;
        let (done, written) = sync_channel(1);
        let mut mark = Entry::Mark(done);
        while let Err(TrySendError::Full(back)) = entries.try_send(mark) {
            if Instant::now() >= end {
                return;
            }
            mark = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = end.saturating_duration_since(Instant::now());
        let _ = written.recv_timeout(left);
    }
}

fn write(form: Log, mut out: impl Write, waiting: &Receiver<Entry>, dropped: &AtomicU64) {
    for entry in waiting {
        match entry {
            // A closed stderr must not stop a service.
            Entry::Line(line) => drop(writeln!(out, "{line}")),
            Entry::Mark(done) => {
                // Who waited may have given up.
                let _ = done.try_send(());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if let Some(line) = form.format(&format!("event=log dropped={lost}"))
            && lost > 0
        {
            drop(writeln!(out, "{line}"));
        }
    }
}

/// Writes a line, and waits for whoever reads it only a little.
pub fn say(mut to: impl Write + Send + 'static, line: String) {
    let (done, written) = sync_channel(1);
    let write = move || {
        drop(writeln!(to, "{line}").and_then(|()| to.flush()));
        let _ = done.try_send(());
    };
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _ = written.recv_timeout(LAST);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::{Condvar, Mutex};

    use super::*;

    /// What was written; while it is shut, whoever writes waits.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Shared>);

    #[derive(Default)]
    struct Shared {
        is_shut: Mutex<bool>,
        opened: Condvar,
        written: Mutex<Vec<u8>>,
    }

    impl Pipe {
        fn text(&self) -> String {
            String::from_utf8(self.0.written.lock().clone()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut is_shut = self.0.is_shut.lock();
            self.0.opened.wait_while(&mut is_shut, |shut| *shut);
            self.0.written.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_full_pipe() {
        let pipe = Pipe::default();
        *pipe.0.is_shut.lock() = true;
        let logger = Logger::to(Log::Json, pipe.clone());
        let start = Instant::now();
        let lines = WAITING + 100;
        for n in 0..lines {
            logger.line(&format!("n={n}"));
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        logger.flush();
        assert!(start.elapsed() < Duration::from_secs(6));
        say(pipe.clone(), "last".into());
        *pipe.0.is_shut.lock() = false;
        pipe.0.opened.notify_all();
        logger.flush();
        let text = pipe.text();
        let dropped: usize = text
            .lines()
            .filter_map(|line| line.split_once("dropped\":\"")?.1.split('"').next())
            .map(|count| count.parse::<usize>().unwrap())
            .sum();
        let written = text.lines().filter(|line| line.contains("\"n\"")).count();
        assert_eq!(written + dropped, lines, "{dropped}");
        assert!(dropped > 0);
    }

    #[test]
    fn a_value_in_quotes_is_one_word() {
        let line = format!("event=state why={:?} n=1", "the \"disk\" is = full \\");
        let json = Log::Json.format(&line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected =
            serde_json::json!({"event": "state", "why": "the \"disk\" is = full \\", "n": "1"});
        assert_eq!(told, expected);
    }

    #[test]
    fn lines_come_in_order_and_whole() {
        let pipe = Pipe::default();
        let logger = Logger::to(Log::Text, pipe.clone());
        logger.line("a=1");
        logger.line("b=2");
        logger.flush();
        assert_eq!(pipe.text(), "a=1\nb=2\n");
    }
}
