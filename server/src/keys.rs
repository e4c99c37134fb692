//! API keys and what the service thinks of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::reply::Problem;

/// What is the matter with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Disabled,
    PaymentFailed,
    IpRestricted,
    FreeLimit,
}

struct Entry {
    state: State,
    /// Process calls a key may make; `None` is without end.
    limit: Option<u64>,
    used: AtomicU64,
}

/// The keys of a service. `Debug` shows how many there are.
#[derive(Default)]
pub struct Keys {
    /// `None` takes any key, and none.
    entries: Option<HashMap<String, Entry>>,
}

impl Keys {
    /// Reads a keys file: one key a line, then an optional state (`active`, `disabled`, `payment-failed`,
    /// `ip-restricted`, `free-limit`) and an optional `limit=N`, the process calls it may make.
    /// Empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// Says the line that cannot be read.
    pub fn parse(text: &str) -> Result<Keys, String> {
        let mut entries = HashMap::new();
        for (n, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(key) = words.next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let mut entry = Entry {
                state: State::Active,
                limit: None,
                used: AtomicU64::new(0),
            };
            for word in words {
                match (word, word.strip_prefix("limit=").map(str::parse)) {
                    (_, Some(Ok(limit))) => entry.limit = Some(limit),
                    ("active", _) => entry.state = State::Active,
                    ("disabled", _) => entry.state = State::Disabled,
                    ("payment-failed", _) => entry.state = State::PaymentFailed,
                    ("ip-restricted", _) => entry.state = State::IpRestricted,
                    ("free-limit", _) => entry.state = State::FreeLimit,
                    _ => {
                        return Err(format!(
                            "line {}: {word:?} is neither a state nor limit=N",
                            n + 1
                        ));
                    }
                }
            }
            entries.insert(key.to_owned(), entry);
        }
        if entries.is_empty() {
            return Err("there is no key in it".into());
        }
        Ok(Keys {
            entries: Some(entries),
        })
    }

    /// Whether any key is taken, and none.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.entries.is_none()
    }

    /// Whether a key may call; a process call counts against its limit.
    pub(crate) fn check(&self, key: Option<&str>, process: bool) -> Result<(), Problem> {
        let Some(entries) = &self.entries else {
            return Ok(());
        };
        let key = key
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .ok_or(Problem::INVALID_KEY)?;
        let entry = entries.get(key).ok_or(Problem::INVALID_KEY)?;
        match entry.state {
            State::Active => {}
            State::Disabled => return Err(Problem::KEY_DISABLED),
            State::PaymentFailed => return Err(Problem::PAYMENT_FAILED),
            State::IpRestricted => return Err(Problem::IP_RESTRICTED),
            State::FreeLimit if process => return Err(Problem::FREE_LIMIT),
            State::FreeLimit => {}
        }
        if process
            && entry
                .limit
                .is_some_and(|limit| entry.used.load(Ordering::SeqCst) >= limit)
        {
            return Err(Problem::FREE_LIMIT);
        }
        Ok(())
    }

    /// A process call of this key was answered with a verdict.
    pub(crate) fn count(&self, key: &str) {
        if let Some(entry) = self
            .entries
            .as_ref()
            .and_then(|entries| entries.get(key.trim()))
        {
            entry.used.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys")
            .field(&self.entries.as_ref().map(HashMap::len))
            .finish()
    }
}
