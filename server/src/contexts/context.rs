//! One print.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::Account;
use crate::clock::{Clock, millis, unix_millis};
use crate::config::MAX_INTERVAL;
use crate::digest::Digest;
use crate::judge::{Belief, Levels};
use crate::limits::{Stop, UploadPermit};
use crate::reply::{Problem, Refusal};
use crate::slots::Slot;
use crate::store::SavedPrint;

/// One print.
#[derive(Debug)]
pub(crate) struct Context {
    /// A number for the log; the id is a secret.
    pub(crate) number: u64,
    pub(super) id: Digest,
    pub(super) key: Digest,
    pub(super) account: Account,
    pub(super) levels: Levels,
    /// Unix time in milliseconds, for the state.
    pub(super) created: i64,
    pub(super) ends: Instant,
    pub(super) state: Mutex<State>,
    pub(super) belief: Belief,
}

#[derive(Debug)]
pub(super) struct State {
    calls: usize,
    next_at: Instant,
    /// The place of the next picture among those of all prints.
    slot: Option<Slot>,
    judging: bool,
    /// The picture on its way, if there is one.
    upload: Weak<Stop>,
}

impl Context {
    /// A print that was under way when the service ended; none if its time is over. A clock that was set
    /// in between can neither prolong its life nor hold it up for longer than its own pace.
    pub(super) fn restored(print: &SavedPrint, life: Duration, now: Instant) -> Option<Context> {
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
    pub(super) fn saved(&self, now: Instant) -> SavedPrint {
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

    pub(super) fn is_idle(&self) -> bool {
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
    /// Of a print whose first picture may come at once.
    pub(super) fn new(now: Instant) -> State {
        State {
            calls: 0,
            next_at: now,
            slot: None,
            judging: false,
            upload: Weak::new(),
        }
    }

    fn check_due(&self, now: Instant) -> Result<(), Problem> {
        match self.judging || now < self.next_at {
            true => Err(Problem::RATE_LIMITED),
            false => Ok(()),
        }
    }
}

pub(super) fn seconds(interval: u32) -> Duration {
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
