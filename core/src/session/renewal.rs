//! A new context at the service in the place of the old one.

use std::time::Duration;

use super::Session;
use super::state::Activity;
use crate::account::Purpose;
use crate::backend::Print;
use crate::error::{Due, Error, Status};
use crate::platform::cancel::CancelToken;
use crate::rules::confidence::Confidence;

/// At most this many renewals within [`RENEWAL_WINDOW`].
pub(super) const MAX_RENEWALS: usize = 3;
pub(super) const RENEWAL_WINDOW: Duration = Duration::from_secs(3_600);

impl Session {
    /// One Create Context call; its URLs replace this context's. Pace, edges and counters stay;
    /// the row of failures of a context that a monitor keeps ends.
    ///
    /// # Errors
    /// `NotDue` before a create is due or after three renewals within an hour, `Busy`, the latch,
    /// and every status of a create.
    pub fn renew(&self) -> Result<(), Error> {
        self.remember(self.try_renew())
    }

    fn try_renew(&self) -> Result<(), Error> {
        self.account.refuse_without_account()?;
        let token = CancelToken::new();
        let occupied = self.occupy_for_renewal(&token)?;
        let levels = self.levels();
        let print = self
            .account
            .create(Purpose::Context, levels.0, levels.1, &token)?;
        occupied.renewed(print, levels);
        self.changed.notify_all();
        Ok(())
    }

    fn occupy_for_renewal(&self, token: &CancelToken) -> Result<BusyGuard<'_>, Error> {
        let mut state = self.state.lock();
        let now = self.account.world.clock.now();
        if state.closed {
            return Err(Error::local(Status::Cancelled));
        }
        self.account.refuse_if_latched()?;
        if state.activity.is_busy() {
            return Err(Error::local(Status::Busy).retry_after(self.due_of(&state, now)));
        }
        let wait = state.until_renewal(now);
        if !wait.is_zero() {
            let text = "three renewals within an hour are the most; wait, or make a new context";
            return Err(Error::with_text(Status::NotDue, text).retry_after(Due::In(wait)));
        }
        state.activity = Activity::Waiting(token.clone());
        Ok(BusyGuard { session: self })
    }
}

/// Frees the session for the next call when a renewal ends, however it ends.
struct BusyGuard<'a> {
    session: &'a Session,
}

impl BusyGuard<'_> {
    /// The new URLs are in before the next call can take off: what becomes of a call to the old
    /// ones must not count for the new context.
    fn renewed(self, print: Print, levels: (Confidence, Confidence)) {
        let session = self.session;
        {
            let mut state = session.state.lock();
            state.renewed(print, levels, &*session.account.world.clock);
            state.activity = Activity::Idle;
        }
        // Freed above. From here on the session may be another call's.
        std::mem::forget(self);
    }
}

impl Drop for BusyGuard<'_> {
    fn drop(&mut self) {
        self.session.state.lock().activity = Activity::Idle;
    }
}
