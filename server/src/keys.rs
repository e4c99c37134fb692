//! API keys and what the service thinks of them.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::account::Account;
use crate::digest::Digest;
use crate::limits::throttled;
use crate::reply::{Edition, Problem, Refusal};

/// The longest name of a key, in characters.
const MAX_NAME: usize = 64;

/// What is the matter with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Disabled,
    PaymentFailed,
    IpRestricted,
    FreeLimit,
}

#[derive(Clone)]
struct Entry {
    account: Account,
    state: State,
    /// Process calls a key may make; `None` is without end.
    limit: Option<u64>,
    name: Option<Arc<str>>,
    edition: Option<Edition>,
    usage: Arc<Mutex<Usage>>,
}

/// The process calls of a key.
#[derive(Default)]
struct Usage {
    /// Those that were answered with a verdict.
    answered: u64,
    /// Those that may be.
    begun: u64,
}

type Entries = HashMap<String, Entry>;

/// The keys of a service. `Debug` shows how many there are.
#[derive(Default)]
pub struct Keys {
    /// `None` takes any key, and none.
    entries: RwLock<Option<Entries>>,
}

/// Who calls, as far as the service knows.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) account: Account,
    /// What the key is called in the log.
    pub(crate) name: Option<Arc<str>>,
    /// The edition that its key asks for.
    pub(crate) edition: Option<Edition>,
}

impl Keys {
    /// Reads a keys file: one key a line, then an optional state (`active`, `disabled`, `payment-failed`,
    /// `ip-restricted`, `free-limit`) and, each optional, `limit=N`, the process calls it may make,
    /// `name=NAME`, for the log, and `edition=a` or `edition=b`. Empty lines, lines that begin with
    /// `#` and a byte order mark are passed over.
    ///
    /// # Errors
    /// Says the line that cannot be read.
    pub fn parse(text: &str) -> Result<Keys, String> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut entries = HashMap::new();
        for (n, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(key) = words.next().filter(|word| !word.starts_with('#')) else {
                continue;
            };
            let mut entry = Entry::of(key);
            for word in words {
                let said = entry.say(word);
                said.ok_or_else(|| {
                    format!(
                        "line {}: {word:?} is neither a state nor limit=N, name=NAME or edition=a|b",
                        n + 1
                    )
                })?;
            }
            entries.insert(key.to_owned(), entry);
        }
        if entries.is_empty() {
            return Err("there is no key in it".into());
        }
        Ok(Keys {
            entries: RwLock::new(Some(entries)),
        })
    }

    /// Takes the place of these keys. What a key has used is remembered.
    pub fn replace(&self, with: Keys) {
        let mut new = with.entries.into_inner();
        let mut entries = self.entries.write();
        for (key, entry) in new.iter_mut().flatten() {
            if let Some(old) = entries.as_ref().and_then(|old| old.get(key)) {
                entry.usage = Arc::clone(&old.usage);
            }
        }
        *entries = new;
    }

    /// Whether any key is taken, and none.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.entries.read().is_none()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.read().as_ref().map_or(0, HashMap::len)
    }

    fn get(&self, key: &str) -> Option<Entry> {
        let entries = self.entries.read();
        entries.as_ref()?.get(key.trim()).cloned()
    }

    /// Whether a key may call, and whose call it is.
    pub(crate) fn check(
        &self,
        key: Option<&str>,
        peer: IpAddr,
        process: bool,
    ) -> Result<Caller, Problem> {
        if self.is_open() {
            return Ok(Caller {
                account: Account::of_address(peer),
                name: None,
                edition: None,
            });
        }
        let entry = key.and_then(|key| self.get(key));
        let entry = entry.ok_or(Problem::INVALID_KEY)?;
        match entry.state {
            State::Active => {}
            State::Disabled => return Err(Problem::KEY_DISABLED),
            State::PaymentFailed => return Err(Problem::PAYMENT_FAILED),
            State::IpRestricted => return Err(Problem::IP_RESTRICTED),
            State::FreeLimit if process => return Err(Problem::FREE_LIMIT),
            State::FreeLimit => {}
        }
        let used_up = |limit| entry.usage.lock().answered >= limit;
        if process && entry.limit.is_some_and(used_up) {
            return Err(Problem::FREE_LIMIT);
        }
        Ok(Caller {
            account: entry.account,
            name: entry.name,
            edition: entry.edition,
        })
    }

    /// One of the process calls that a key may make; without a verdict it is given back.
    pub(crate) fn charge(&self, key: &str) -> Result<Charge, Refusal> {
        let Some(entry) = self.get(key) else {
            return Ok(Charge(None));
        };
        {
            let mut usage = entry.usage.lock();
            let limit = entry.limit.unwrap_or(u64::MAX);
            if usage.answered >= limit {
                return Err(Problem::FREE_LIMIT.into());
            }
            if usage.answered + usage.begun >= limit {
                // Those that are under way may yet come to nothing.
                return Err(throttled());
            }
            usage.begun += 1;
        }
        Ok(Charge(Some(entry.usage)))
    }
}

impl Entry {
    fn of(key: &str) -> Entry {
        Entry {
            account: Account::Key(Digest::of(key)),
            state: State::Active,
            limit: None,
            name: None,
            edition: None,
            usage: Arc::default(),
        }
    }

    /// Takes in a word of its line; none if it is not known.
    fn say(&mut self, word: &str) -> Option<()> {
        match word.split_once('=').unwrap_or((word, "")) {
            ("limit", limit) => self.limit = Some(limit.parse().ok()?),
            ("name", name) => {
                let plain = name.chars().all(|c| !c.is_control());
                let short = (1..=MAX_NAME).contains(&name.chars().count());
                self.name = Some(name.into()).filter(|_| plain && short);
                self.name.as_ref()?;
            }
            ("edition", "a") => self.edition = Some(Edition::A),
            ("edition", "b") => self.edition = Some(Edition::B),
            ("active", "") => self.state = State::Active,
            ("disabled", "") => self.state = State::Disabled,
            ("payment-failed", "") => self.state = State::PaymentFailed,
            ("ip-restricted", "") => self.state = State::IpRestricted,
            ("free-limit", "") => self.state = State::FreeLimit,
            _ => return None,
        }
        Some(())
    }
}

/// A process call that a key may make. Dropped without a verdict it does not count.
pub(crate) struct Charge(Option<Arc<Mutex<Usage>>>);

impl Charge {
    /// It was answered with a verdict.
    pub(crate) fn answered(self) {
        if let Some(usage) = &self.0 {
            usage.lock().answered += 1;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(usage) = &self.0 {
            usage.lock().begun -= 1;
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.read();
        f.debug_tuple("Keys")
            .field(&entries.as_ref().map(HashMap::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn check(keys: &Keys, key: &str) -> Result<Caller, Problem> {
        keys.check(Some(key), HERE, true)
    }

    #[test]
    fn a_line_says_a_state_a_limit_a_name_and_an_edition() {
        let keys = Keys::parse("\u{FEFF}k name=left edition=b limit=2\r\n#k2\n\n p edition=a\n");
        let keys = keys.unwrap();
        assert_eq!(keys.count(), 2);
        let caller = check(&keys, " k ").unwrap();
        assert_eq!(caller.name.as_deref(), Some("left"));
        assert_eq!(caller.edition, Some(Edition::B));
        assert_eq!(check(&keys, "p").unwrap().edition, Some(Edition::A));
        assert_eq!(check(&keys, "\u{FEFF}k").err(), Some(Problem::INVALID_KEY));
        let long = format!("name={}", "n".repeat(65));
        for word in [
            "maybe",
            "limit=",
            "limit=-1",
            "edition=c",
            "name=",
            &long,
            "active=1",
        ] {
            let why = Keys::parse(&format!("k\nk2 {word}")).unwrap_err();
            assert!(why.starts_with("line 2:"), "{why}");
        }
    }

    #[test]
    fn a_limit_holds_for_calls_at_once() {
        let keys = Keys::parse("k limit=2").unwrap();
        let [first, second] = [(), ()].map(|()| keys.charge("k").unwrap());
        let busy = keys.charge("k").err().unwrap();
        assert_eq!(busy.problem, Problem::THROTTLED);
        drop(first);
        let third = keys.charge("k").unwrap();
        second.answered();
        third.answered();
        assert_eq!(keys.charge("k").err(), Some(Problem::FREE_LIMIT.into()));
        assert_eq!(check(&keys, "k").err(), Some(Problem::FREE_LIMIT));
    }

    #[test]
    fn other_keys_take_their_place_and_use_is_remembered() {
        let keys = Keys::parse("k limit=1\ngone").unwrap();
        let charge = keys.charge("k").unwrap();
        keys.replace(Keys::parse("k limit=1\nnew").unwrap());
        charge.answered();
        assert_eq!(check(&keys, "k").err(), Some(Problem::FREE_LIMIT));
        assert_eq!(check(&keys, "gone").err(), Some(Problem::INVALID_KEY));
        assert!(check(&keys, "new").is_ok());
    }
}
