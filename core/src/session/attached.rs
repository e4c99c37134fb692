//! What a monitor needs of the context it keeps.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::state::Standing;
use crate::platform::digest::Digest;
use crate::rules::alerts::NewAlerts;
use crate::rules::confidence::Confidence;

/// What a context waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Until the next frame may be sent.
    pub(crate) process_in: Duration,
    /// Until the next renewal may be made, when there should be one.
    pub(crate) renew_in: Option<Duration>,
    /// Nothing is sent before that renewal.
    pub(crate) lost: bool,
}

impl Session {
    /// The create that made this print was told these levels; others may be wanted since.
    pub(crate) fn made_with(self: Arc<Self>, levels: (Confidence, Confidence)) -> Arc<Self> {
        self.state.lock().made_with = levels;
        self
    }

    /// Hands this context over to a monitor, which renews it by itself.
    pub(crate) fn attach_monitor(self: Arc<Self>, muted: bool, held: bool) -> Arc<Self> {
        {
            let mut state = self.state.lock();
            state.automatic = true;
            state.muted = muted;
            state.held = held;
        }
        self
    }

    pub(crate) fn schedule(&self, now: Duration) -> Schedule {
        let clock = &*self.account.world.clock;
        let state = self.state.lock();
        let lost = state.is_lost(clock);
        Schedule {
            process_in: state.pacing.remaining(now),
            renew_in: (self.account.backend.has_account()
                && (lost
                    || state.standing >= Standing::WantsRenewal
                    || state.made_with != state.levels()))
            .then(|| state.until_renewal(now)),
            lost,
        }
    }

    /// The user does, or again does not, want edges of this print.
    pub(crate) fn mute(&self, muted: bool) {
        self.state.lock().muted = muted;
    }

    /// The print is paused, or goes on. What is in flight when it is paused raises no edge even
    /// when it lands after the print went on.
    pub(crate) fn set_held(&self, held: bool) {
        let mut state = self.state.lock();
        state.held = held;
        if held {
            state.activity.pause();
        }
    }

    /// Alerts that rose, but whose event nobody read, may rise again; of `flagged` the host has read
    /// the flag in a result.
    pub(crate) fn retract(&self, undelivered: NewAlerts, flagged: NewAlerts) {
        self.state.lock().alerts.retract(undelivered, flagged);
    }

    /// The edges of the last verdict, which whoever watches tells of from here on.
    pub(crate) fn hand_over(&self) -> NewAlerts {
        std::mem::take(&mut self.state.lock().to_tell)
    }

    /// Whether the service could not decode a frame of these bytes.
    pub(crate) fn rejected(&self, digest: Digest) -> bool {
        self.state.lock().rejected_frames.contains(&digest)
    }
}
