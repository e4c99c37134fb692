//! Prints under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::judge::{Belief, Levels};
use crate::reply::Problem;

/// The most contexts at a time; the oldest go first.
const MAX_CONTEXTS: usize = 100_000;

/// One print.
#[derive(Debug)]
pub(crate) struct Context {
    /// A number for the log; the id is a secret.
    pub(crate) number: u64,
    key: String,
    created: Instant,
    state: Mutex<State>,
    belief: Belief,
}

#[derive(Debug)]
struct State {
    calls: usize,
    next_at: Instant,
    busy: bool,
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<String, Arc<Context>>,
    created: u64,
}

#[derive(Debug)]
pub(crate) struct Contexts {
    table: Mutex<Table>,
    life: Duration,
}

impl Contexts {
    pub(crate) fn new(life: Duration) -> Contexts {
        Contexts {
            table: Mutex::default(),
            life,
        }
    }

    /// A new context of this key; its id is 128 random bits.
    pub(crate) fn create(&self, key: &str, levels: Levels) -> Result<String, Problem> {
        let mut bytes = [0; 16];
        getrandom::getrandom(&mut bytes).map_err(|_| Problem::INTERNAL)?;
        let id = format!("{:032x}", u128::from_le_bytes(bytes));
        let mut table = self.table.lock();
        if table.by_id.len() >= MAX_CONTEXTS {
            table
                .by_id
                .retain(|_, context| context.created.elapsed() < self.life);
            let oldest = table
                .by_id
                .iter()
                .min_by_key(|(_, context)| context.created);
            let oldest = oldest
                .filter(|_| table.by_id.len() >= MAX_CONTEXTS)
                .map(|(id, _)| id.clone());
            if let Some(id) = oldest {
                table.by_id.remove(&id);
            }
        }
        table.created += 1;
        let now = Instant::now();
        let state = Mutex::new(State {
            calls: 0,
            next_at: now,
            busy: false,
        });
        let context = Context {
            number: table.created,
            key: key.to_owned(),
            created: now,
            state,
            belief: Belief::new(levels),
        };
        table.by_id.insert(id.clone(), Arc::new(context));
        Ok(id)
    }

    /// The context with this id, if it belongs to the key and is not over.
    pub(crate) fn find(&self, id: &str, key: &str) -> Result<Arc<Context>, Problem> {
        let context = self
            .table
            .lock()
            .by_id
            .get(id)
            .cloned()
            .ok_or(Problem::NO_CONTEXT)?;
        if context.created.elapsed() >= self.life {
            self.table.lock().by_id.remove(id);
            return Err(Problem::NO_CONTEXT);
        }
        if context.key == key {
            Ok(context)
        } else {
            Err(Problem::NO_CONTEXT)
        }
    }
}

impl Context {
    /// Takes the context for one call, if its time has come. The guard gives it back.
    pub(crate) fn take(self: &Arc<Self>) -> Result<CallPermit, Problem> {
        let mut state = self.state.lock();
        if state.busy || Instant::now() < state.next_at {
            return Err(Problem::RATE_LIMITED);
        }
        state.busy = true;
        Ok(CallPermit {
            context: Arc::clone(self),
            number: state.calls,
        })
    }
}

/// The permit for one call on a context; dropping it lets the next one in.
pub(crate) struct CallPermit {
    context: Arc<Context>,
    /// How many calls were answered before.
    pub(crate) number: usize,
}

impl CallPermit {
    /// What is believed of its print.
    pub(crate) fn belief(&self) -> &Belief {
        &self.context.belief
    }

    /// The call was answered; the next may come after `minimum`.
    pub(crate) fn answered(&self, minimum: u32) {
        let mut state = self.context.state.lock();
        state.calls += 1;
        state.next_at = Instant::now() + Duration::from_secs(minimum.into());
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.context.state.lock().busy = false;
    }
}
