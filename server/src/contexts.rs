//! Prints under way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::Account;
use crate::clock::{Clock, millis, unix_millis};
use crate::config::MAX_INTERVAL;
use crate::digest::Digest;
use crate::judge::{Belief, Levels};
use crate::limits::{Limits, Stop, UploadPermit, throttled};
use crate::reply::{Problem, Refusal};
use crate::slots::Slot;
use crate::store::{SavedPrint, Store};

/// Contexts that are passed over, because a call is on its way, before the search for an idle one ends.
const MAX_ACTIVE: usize = 1_024;
/// Contexts over their age that a create clears away.
const CLEARED: usize = 4;

/// One print.
#[derive(Debug)]
pub(crate) struct Context {
    /// A number for the log; the id is a secret.
    pub(crate) number: u64,
    id: Digest,
    key: Digest,
    account: Account,
    levels: Levels,
    /// Unix time in milliseconds, for the state.
    created: i64,
    ends: Instant,
    state: Mutex<State>,
    belief: Belief,
}

#[derive(Debug)]
struct State {
    calls: usize,
    next_at: Instant,
    /// The place of the next picture among those of all prints.
    slot: Option<Slot>,
    judging: bool,
    /// The picture on its way, if there is one.
    upload: Weak<Stop>,
}

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

    /// Goes on with the prints that were under way, and tells the store what becomes of them.
    pub(crate) fn restore(&mut self, store: Arc<Store>, prints: &[SavedPrint], last: u64) {
        let table = self.table.get_mut();
        table.created = last;
        for print in prints {
            if let Some(context) = Context::restored(print, self.life, self.clock.now()) {
                table.insert(print.id, Arc::new(context));
            }
        }
        self.store = Some(store);
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
        let state = Mutex::new(State {
            calls: 0,
            next_at: now,
            slot: None,
            judging: false,
            upload: Weak::new(),
        });
        let context = Context {
            number: table.created,
            id: Digest::of(&id),
            key: Digest::of(key),
            account: account.clone(),
            levels,
            created: unix_millis(),
            ends: now + self.life,
            state,
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

impl Context {
    /// A print that was under way when the service ended; none if its time is over. A clock that was set
    /// in between can neither prolong its life nor hold it up for longer than its own pace.
    fn restored(print: &SavedPrint, life: Duration, now: Instant) -> Option<Context> {
        let unix = unix_millis();
        let since = |then: i64| Duration::from_millis(u64::try_from(unix - then).unwrap_or(0));
        let left = life.checked_sub(since(print.created))?;
        let levels = Levels {
            warning: print.warning,
            pause: print.pause,
        };
        let ago = since(print.last_at);
        let pace = Duration::from_millis(u64::try_from(print.pace).unwrap_or(0));
        let state = State {
            calls: usize::try_from(print.calls).unwrap_or(usize::MAX),
            next_at: now + pace.saturating_sub(ago),
            slot: None,
            judging: false,
            upload: Weak::new(),
        };
        Some(Context {
            number: print.number,
            id: print.id,
            key: print.key,
            account: Account::restored(print.key, &print.account),
            levels,
            created: print.created,
            ends: now + left,
            state: Mutex::new(state),
            belief: Belief::restored(levels, &print.belief, ago),
        })
    }

    /// The print as it is now.
    pub(crate) fn saved(&self, now: Instant) -> SavedPrint {
        let (calls, wait) = {
            let state = self.state.lock();
            (state.calls, state.next_at.saturating_duration_since(now))
        };
        SavedPrint {
            number: self.number,
            id: self.id,
            key: self.key,
            account: self.account.address(),
            created: self.created,
            warning: self.levels.warning,
            pause: self.levels.pause,
            calls: calls as u64,
            last_at: unix_millis(),
            pace: millis(wait),
            belief: if calls == 0 {
                String::new()
            } else {
                self.belief.text()
            },
        }
    }

    fn is_idle(&self) -> bool {
        let state = self.state.lock();
        !state.judging && state.upload.strong_count() == 0
    }

    /// A picture comes, if its time has come. One that is not complete yet gives way to it.
    pub(crate) fn receive(&self, permit: &UploadPermit, now: Instant) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        state.check_due(now)?;
        let before = std::mem::replace(&mut state.upload, Arc::downgrade(permit.stop()));
        if let Some(before) = before.upgrade() {
            before.stop(Problem::DISPLACED.into());
        }
        Ok(())
    }

    /// The picture that is on its way, if there is one.
    pub(crate) fn upload(&self) -> Option<Arc<Stop>> {
        self.state.lock().upload.upgrade()
    }

    /// Whether the time of the next call has come.
    pub(crate) fn check_due(&self, now: Instant) -> Result<(), Problem> {
        self.state.lock().check_due(now)
    }

    /// Takes the context's turn, if its time has come; the picture has to be there. Whoever gives the
    /// permit up without a word, a client that hung up, has had its turn: `pace` rules.
    pub(crate) fn take(self: &Arc<Self>, clock: &Clock, pace: u32) -> Result<CallPermit, Problem> {
        let now = clock.now();
        let mut state = self.state.lock();
        state.check_due(now)?;
        state.judging = true;
        Ok(CallPermit {
            context: Arc::clone(self),
            number: state.calls,
            clock: clock.clone(),
            pace: Some(seconds(pace)),
        })
    }
}

impl State {
    fn check_due(&self, now: Instant) -> Result<(), Problem> {
        match self.judging || now < self.next_at {
            true => Err(Problem::RATE_LIMITED),
            false => Ok(()),
        }
    }
}

fn seconds(interval: u32) -> Duration {
    Duration::from_secs(interval.min(MAX_INTERVAL).into())
}

/// The permit for one call on a context; dropping it lets the next one in, after the pace.
pub(crate) struct CallPermit {
    context: Arc<Context>,
    /// How many calls were answered before.
    pub(crate) number: usize,
    clock: Clock,
    /// After what time the next call may come; `None` changes nothing.
    pace: Option<Duration>,
}

impl CallPermit {
    /// What is believed of its print.
    pub(crate) fn belief(&self) -> &Belief {
        &self.context.belief
    }

    /// The place that its picture has.
    pub(crate) fn slot(&self) -> Option<Slot> {
        self.context.state.lock().slot.take()
    }

    /// The place of the next picture.
    pub(crate) fn expect(&self, slot: Slot) {
        self.context.state.lock().slot = Some(slot);
    }

    /// The call was answered; the next may come after `minimum`.
    pub(crate) fn answered(&mut self, minimum: u32) {
        self.context.state.lock().calls += 1;
        self.pace = Some(seconds(minimum));
    }

    /// The call came to nothing, by no fault of the client.
    pub(crate) fn failed(&mut self) {
        self.pace = None;
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut state = self.context.state.lock();
        state.judging = false;
        if let Some(pace) = self.pace {
            state.next_at = self.clock.now() + pace;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Uploads;

    const LEVELS: Levels = Levels {
        warning: 3,
        pause: 3,
    };

    fn contexts(most: usize, most_per_account: usize, clock: &Clock) -> Contexts {
        let limits = Limits {
            contexts: most,
            contexts_per_key: most_per_account,
            ..Limits::default()
        };
        Contexts::new(Duration::from_secs(1_000), &limits, clock.clone())
    }

    fn create(contexts: &Contexts, key: &str) -> Result<String, Refusal> {
        contexts.create(key, &Account::Key(Digest::of(key)), LEVELS)
    }

    fn permit() -> UploadPermit {
        let uploads = Uploads::new(&Limits::default());
        uploads.begin(&Account::Key(Digest::of("k")), None).unwrap()
    }

    #[test]
    fn an_account_loses_its_own_oldest_idle_one() {
        let clock = Clock::manual();
        let contexts = contexts(100, 3, &clock);
        let other = create(&contexts, "b").unwrap();
        let own: Vec<_> = (0..3).map(|_| create(&contexts, "a").unwrap()).collect();
        // The first was used since, and the second is in use.
        let _held = contexts.find(&own[1], "a").unwrap();
        let judged = contexts.find(&own[1], "a").unwrap();
        let _call = judged.take(&clock, 5).unwrap();
        contexts.find(&own[2], "a").unwrap();
        contexts.find(&own[0], "a").unwrap();
        create(&contexts, "a").unwrap();
        let there: Vec<_> = own
            .iter()
            .map(|id| contexts.find(id, "a").is_ok())
            .collect();
        assert_eq!(there, [true, true, false]);
        assert!(contexts.find(&other, "b").is_ok());
    }

    #[test]
    fn when_all_are_in_use_a_create_waits() {
        let clock = Clock::manual();
        let contexts = contexts(100, 1, &clock);
        let context = contexts
            .find(&create(&contexts, "a").unwrap(), "a")
            .unwrap();
        let upload = permit();
        context.receive(&upload, clock.now()).unwrap();
        let refusal = create(&contexts, "a").unwrap_err();
        assert_eq!(refusal.problem, Problem::THROTTLED);
        assert!(refusal.retry_after.is_some());
        drop(upload);
        create(&contexts, "a").unwrap();
    }

    #[test]
    fn together_they_have_a_limit_too() {
        let clock = Clock::manual();
        let contexts = contexts(10, 10, &clock);
        let watched = create(&contexts, "a").unwrap();
        for n in 0..100 {
            create(&contexts, &n.to_string()).unwrap();
            contexts.find(&watched, "a").unwrap();
        }
        let table = contexts.table.lock();
        assert_eq!((table.by_id.len(), table.by_use.len()), (10, 10));
        assert_eq!(table.of_account.len(), 10);
    }

    #[test]
    fn old_ones_are_cleared_away() {
        let clock = Clock::manual();
        let contexts = contexts(100, 100, &clock);
        let old: Vec<_> = (0..6).map(|_| create(&contexts, "a").unwrap()).collect();
        clock.advance(Duration::from_secs(1_000));
        assert_eq!(contexts.find(&old[5], "a").err(), Some(Problem::NO_CONTEXT));
        for _ in 0..2 {
            create(&contexts, "a").unwrap();
        }
        assert_eq!(contexts.table.lock().by_id.len(), 2);
    }

    #[test]
    fn a_newer_picture_displaces_one_that_is_not_complete() {
        let clock = Clock::manual();
        let contexts = contexts(10, 10, &clock);
        let context = contexts
            .find(&create(&contexts, "a").unwrap(), "a")
            .unwrap();
        let [older, newer] = [permit(), permit()];
        context.receive(&older, clock.now()).unwrap();
        context.receive(&newer, clock.now()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let refusal = runtime.block_on(older.stop().stopped());
        assert_eq!(refusal.problem, Problem::DISPLACED);
        let mut call = context.take(&clock, 5).unwrap();
        assert_eq!(context.check_due(clock.now()), Err(Problem::RATE_LIMITED));
        call.answered(20);
        drop(call);
        clock.advance(Duration::from_millis(19_999));
        assert!(context.receive(&permit(), clock.now()).is_err());
        clock.advance(Duration::from_millis(1));
        assert!(context.receive(&permit(), clock.now()).is_ok());
    }

    #[test]
    fn a_client_that_hangs_up_has_had_its_turn_and_a_failure_has_not() {
        let clock = Clock::manual();
        let contexts = contexts(10, 10, &clock);
        let context = contexts
            .find(&create(&contexts, "a").unwrap(), "a")
            .unwrap();
        let mut call = context.take(&clock, 5).unwrap();
        call.failed();
        drop(call);
        drop(context.take(&clock, 5).unwrap());
        assert!(context.take(&clock, 5).is_err());
        clock.advance(Duration::from_secs(5));
        assert!(context.take(&clock, u32::MAX).is_ok());
        clock.advance(seconds(MAX_INTERVAL));
        assert!(context.take(&clock, 0).is_ok());
    }

    #[test]
    fn an_id_has_one_form() {
        let clock = Clock::manual();
        let contexts = contexts(10, 10, &clock);
        let id = create(&contexts, "a").unwrap();
        let short = id.trim_start_matches('0');
        for wrong in [
            &id.to_uppercase()[..],
            &format!("0{id}"),
            &id[1..],
            "",
            short,
        ] {
            if *wrong != id {
                assert!(contexts.find(wrong, "a").is_err(), "{wrong}");
            }
        }
        assert!(contexts.find(&id, "b").is_err());
    }
}
