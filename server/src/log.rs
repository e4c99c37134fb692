//! One line per request, without keys or context ids.

use std::io::Write;

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
    pub(crate) fn line(self, words: &str) {
        let line = match self {
            Log::Off => return,
            Log::Text => words.to_owned(),
            Log::Json => {
                let pairs = words.split(' ').filter_map(|word| word.split_once('='));
                let object: serde_json::Map<_, _> = pairs
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                serde_json::Value::Object(object).to_string()
            }
        };
        // A closed stderr must not stop a service.
        drop(writeln!(std::io::stderr(), "{line}"));
    }
}
