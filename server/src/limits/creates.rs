//! How often an account creates contexts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::Account;
use crate::reply::{Problem, Refusal};

const MINUTE: Duration = Duration::from_secs(60);
/// Accounts that are remembered before those are dropped that have all their creates back.
const REMEMBERED: usize = 1_024;

/// A bucket for each account that holds a minute's creates, and fills in a minute.
#[derive(Debug)]
pub(crate) struct Creates {
    per_minute: u32,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    /// When the account has all its creates back.
    full_at: HashMap<Account, Instant>,
    /// At so many accounts the next ones are dropped.
    prune_at: usize,
}

impl Creates {
    pub(crate) fn new(per_minute: u32) -> Creates {
        Creates {
            per_minute: per_minute.max(1),
            table: Mutex::new(Table {
                full_at: HashMap::new(),
                prune_at: REMEMBERED,
            }),
        }
    }

    /// One create of this account, or when the next may come.
    pub(crate) fn admit(&self, account: &Account, now: Instant) -> Result<(), Refusal> {
        let each = MINUTE / self.per_minute;
        let mut table = self.table.lock();
        if table.full_at.len() >= table.prune_at {
            table.full_at.retain(|_, full_at| *full_at > now);
            table.prune_at = (2 * table.full_at.len()).max(REMEMBERED);
        }
        let full_at = table.full_at.get(account).map_or(now, |at| (*at).max(now));
        let after = full_at + each;
        // What is rounded off for each create must not cost the last one of the minute.
        let wait = (after - now).saturating_sub(each * self.per_minute);
        if !wait.is_zero() {
            let seconds = wait.as_secs_f64().ceil();
            // Between 1 and 60.
            return Err(Problem::THROTTLED.retry_after(seconds as u32));
        }
        table.full_at.insert(account.clone(), after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn account(name: &str) -> Account {
        Account::Key(Digest::of(name))
    }

    #[test]
    fn a_minutes_creates_at_once_and_then_as_they_come_back() {
        for per_minute in [1, 7, 60, 6_000] {
            let creates = Creates::new(per_minute);
            let start = Instant::now();
            for n in 0..per_minute {
                assert!(creates.admit(&account("a"), start).is_ok(), "{n}");
            }
            let refusal = creates.admit(&account("a"), start).unwrap_err();
            assert_eq!(refusal.problem, Problem::THROTTLED);
            let after = refusal.retry_after.unwrap();
            assert_eq!(after, 60_u32.div_ceil(per_minute), "{per_minute}");
            assert!(
                creates.admit(&account("b"), start).is_ok(),
                "that key alone"
            );
            let later = start + Duration::from_secs(after.into());
            assert!(creates.admit(&account("a"), later).is_ok());
        }
    }

    #[test]
    fn a_steady_rate_is_never_refused() {
        let creates = Creates::new(6_000);
        let start = Instant::now();
        for n in 0..20_000 {
            let now = start + Duration::from_millis(10) * n;
            assert!(creates.admit(&account("a"), now).is_ok(), "{n}");
        }
    }

    #[test]
    fn accounts_are_forgotten_when_they_have_all_back() {
        let creates = Creates::new(60);
        let start = Instant::now();
        for n in 0..100_000_u32 {
            let now = start + Duration::from_millis(10) * n;
            assert!(creates.admit(&account(&n.to_string()), now).is_ok());
        }
        assert!(creates.table.lock().full_at.len() <= REMEMBERED);
    }
}
