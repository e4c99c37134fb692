//! Where the library says what it does: the host's log function, or nowhere.

mod queue;

use std::fmt;
use std::sync::Arc;

pub use queue::{MAX_WAITING, Output, Queue, SHARE};

/// How much a line matters; the numbers of the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something failed and somebody has to act.
    Error = 1,
    /// Something failed and will be tried again.
    Warn = 2,
    /// A context began, a verdict arrived.
    Info = 3,
    /// One line per request.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// The level with this number, 1 to 5.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Level> {
        [
            Level::Error,
            Level::Warn,
            Level::Info,
            Level::Debug,
            Level::Trace,
        ]
        .into_iter()
        .find(|level| *level as i32 == code)
    }
}

/// Takes finished lines. They hold no key, context id, URL path or text of the service.
pub trait LogSink: Send + Sync {
    /// One line, without a line end.
    fn line(&self, level: Level, text: &str);
}

/// A cheap handle to the sink, silent by default.
#[derive(Clone, Default)]
pub struct Log {
    sink: Option<(Level, Arc<dyn LogSink>)>,
}

impl Log {
    /// Lines up to `max_level` go to `sink`.
    #[must_use]
    pub fn new(max_level: Level, sink: Arc<dyn LogSink>) -> Log {
        Log {
            sink: Some((max_level, sink)),
        }
    }

    /// Whether lines of this level go anywhere: what only they need is not made otherwise.
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        let most = self.sink.as_ref().map(|(max_level, _)| *max_level);
        most.is_some_and(|max_level| level <= max_level)
    }

    /// Writes one line if the level is wanted; formats nothing otherwise.
    pub fn write(&self, level: Level, text: fmt::Arguments<'_>) {
        if let Some((_, sink)) = &self.sink
            && self.wants(level)
        {
            sink.line(level, &text.to_string());
        }
    }

    /// A line at [`Level::Error`].
    pub fn error(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Error, text);
    }

    /// A line at [`Level::Warn`].
    pub fn warn(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Warn, text);
    }

    /// A line at [`Level::Info`].
    pub fn info(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Info, text);
    }

    /// A line at [`Level::Debug`].
    pub fn debug(&self, text: fmt::Arguments<'_>) {
        self.write(Level::Debug, text);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log")
            .field(&self.sink.as_ref().map(|(level, _)| *level))
            .finish()
    }
}
