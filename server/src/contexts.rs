//! Prints under way.

mod context;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::Account;
use crate::clock::{Clock, unix_millis};
use crate::digest::Digest;
use crate::judge::{Belief, Levels};
use crate::limits::{Limits, throttled};
use crate::reply::{Problem, Refusal};
use crate::store::{SavedPrint, Store};
use context::State;

pub(crate) use context::Context;

/// Contexts that are passed over, because a call is on its way, before the search for an idle one ends.
const MAX_ACTIVE: usize = 1_024;
/// Contexts over their age that a create clears away.
const CLEARED: usize = 4;

/// The order in which contexts were used last.
type ByUse = BTreeMap<u64, Digest>;

/// Every step takes a time that grows with the logarithm of the contexts, at most.
#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<Digest, Place>,
    by_use: ByUse,
    of_account: HashMap<Account, ByUse>,
    created: u64,
    used: u64,
}

#[derive(Debug)]
struct Place {
    context: Arc<Context>,
    used: u64,
}

impl Table {
    fn insert(&mut self, id: Digest, context: Arc<Context>) {
        self.used += 1;
        self.by_use.insert(self.used, id);
        let own = self.of_account.entry(context.account.clone());
        own.or_default().insert(self.used, id);
        let used = self.used;
        self.by_id.insert(id, Place { context, used });
    }

    fn remove(&mut self, id: Digest) -> Option<Arc<Context>> {
        let Place { context, used } = self.by_id.remove(&id)?;
        self.by_use.remove(&used);
        if let Some(own) = self.of_account.get_mut(&context.account) {
            own.remove(&used);
            if own.is_empty() {
                self.of_account.remove(&context.account);
            }
        }
        Some(context)
    }

    /// The context was used just now.
    fn touch(&mut self, id: Digest) {
        if let Some(context) = self.remove(id) {
            self.insert(id, context);
        }
    }

    /// The one that was used longest ago and is not in use.
    fn oldest_idle(&self, among: &ByUse) -> Option<Digest> {
        let idle = |id: &&Digest| {
            let place = self.by_id.get(*id);
            place.is_some_and(|place| place.context.is_idle())
        };
        among.values().take(MAX_ACTIVE).find(idle).copied()
    }

    /// Makes room for one more among these.
    fn make_room(
        &mut self,
        among: Option<&Account>,
        most: usize,
    ) -> Result<Option<Arc<Context>>, Refusal> {
        let among = match among {
            Some(account) => self.of_account.get(account),
            None => Some(&self.by_use),
        };
        let Some(full) = among.filter(|among| among.len() >= most) else {
            return Ok(None);
        };
        let oldest = self.oldest_idle(full).ok_or_else(throttled)?;
        Ok(self.remove(oldest))
    }
}

#[derive(Debug)]
pub(crate) struct Contexts {
    table: Mutex<Table>,
    life: Duration,
    most: usize,
    most_per_account: usize,
    clock: Clock,
    store: Option<Arc<Store>>,
}

/// An id as it is written: 32 digits, in lower case.
fn parse(id: &str) -> Option<Digest> {
    let digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let whole = id.len() == 32 && id.bytes().all(digit);
    whole.then(|| Digest::of(id))
}

impl Contexts {
    pub(crate) fn new(life: Duration, limits: &Limits, clock: Clock) -> Contexts {
        Contexts {
            table: Mutex::default(),
            life,
            most: limits.contexts,
            most_per_account: limits.contexts_per_key,
            clock,
            store: None,
        }
    }

    /// Goes on with the prints that were under way, in the order in which they were used, and tells the
    /// store what becomes of them. Says how many go on: limits may be tighter than they were.
    pub(crate) fn restore(&mut self, store: Arc<Store>, prints: &[SavedPrint], last: u64) -> usize {
        self.store = Some(Arc::clone(&store));
        let mut table = self.table.lock();
        table.created = last;
        for print in prints {
            let context = Context::restored(print, self.life, self.clock.now());
            let Some(context) = context.map(Arc::new) else {
                store.over(print.number);
                continue;
            };
            let account = Some(&context.account);
            let room = table.make_room(account, self.most_per_account);
            self.over(&room.ok().flatten());
            self.over(&table.make_room(None, self.most).ok().flatten());
            table.insert(print.id, context);
        }
        table.by_id.len()
    }

    /// Notes for the store how the print is, unless it is over: what was forgotten does not come back.
    pub(crate) fn keep(&self, context: &Context) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let print = context.saved(self.clock.now());
        let table = self.table.lock();
        let is_there = table.by_id.contains_key(&context.id);
        if is_there {
            store.print(print);
        }
        is_there
    }

    /// The prints that are over, for the store.
    fn over<'a>(&self, contexts: impl IntoIterator<Item = &'a Arc<Context>>) {
        let Some(store) = &self.store else { return };
        for context in contexts {
            store.over(context.number);
        }
    }

    /// A new context of this key; its id is 128 random bits. An account that has all it may have
    /// loses the one that it used longest ago.
    pub(crate) fn create(
        &self,
        key: &str,
        account: &Account,
        levels: Levels,
    ) -> Result<String, Refusal> {
        let mut bytes = [0; 16];
        getrandom::getrandom(&mut bytes).map_err(|_| Problem::INTERNAL)?;
        let id = format!("{:032x}", u128::from_le_bytes(bytes));
        let now = self.clock.now();
        let mut table = self.table.lock();
        self.clear_old(&mut table, now);
        self.over(&table.make_room(Some(account), self.most_per_account)?);
        self.over(&table.make_room(None, self.most)?);
        table.created += 1;
        let context = Context {
            number: table.created,
            id: Digest::of(&id),
            key: Digest::of(key),
            account: account.clone(),
            levels,
            created: unix_millis(),
            ends: now + self.life,
            state: Mutex::new(State::new(now)),
            belief: Belief::new(levels),
        };
        if let Some(store) = &self.store {
            store.print(context.saved(now));
        }
        table.insert(context.id, Arc::new(context));
        Ok(id)
    }

    /// Removes a few of those that are over, from the one that was used longest ago.
    fn clear_old(&self, table: &mut Table, now: Instant) {
        for _ in 0..CLEARED {
            let oldest = table.by_use.values().next().copied();
            let over = oldest.filter(|id| {
                let place = table.by_id.get(id);
                place.is_some_and(|place| now >= place.context.ends)
            });
            let Some(id) = over else { return };
            self.over(&table.remove(id));
        }
    }

    /// The context with this id, if it belongs to the key and is not over.
    pub(crate) fn find(&self, id: &str, key: &str) -> Result<Arc<Context>, Problem> {
        let id = parse(id).ok_or(Problem::NO_CONTEXT)?;
        let now = self.clock.now();
        let mut table = self.table.lock();
        let place = table.by_id.get(&id).ok_or(Problem::NO_CONTEXT)?;
        let context = Arc::clone(&place.context);
        if now >= context.ends {
            self.over(&table.remove(id));
            return Err(Problem::NO_CONTEXT);
        }
        if context.key != Digest::of(key) {
            return Err(Problem::NO_CONTEXT);
        }
        table.touch(id);
        Ok(context)
    }
}

#[cfg(test)]
mod tests;
