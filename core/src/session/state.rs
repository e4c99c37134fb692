//! What a session remembers.

use std::collections::VecDeque;
use std::time::Duration;

use crate::backend::Print;
use crate::error::{Error, Status};
use crate::platform::cancel::CancelToken;
use crate::platform::clock::{Clock, World};
use crate::platform::digest::Digest;
use crate::platform::moment::Moment;
use crate::rules::alerts::{AlertState, NewAlerts};
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::FailoverState;
use crate::rules::pacing::{MAX_WAIT, Pacing};

use super::print_options::PrintOptions;
use super::renewal::{MAX_RENEWALS, RENEWAL_WINDOW};

/// How many rejected frames are known again.
pub(super) const MAX_REJECTED: usize = 8;

/// When a context was created, on a clock that counts time asleep where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct CreatedAt {
    /// Its age at the moment below.
    age: Duration,
    at: Moment,
}

impl CreatedAt {
    pub(super) fn with_age(age: Duration, clock: &dyn Clock) -> CreatedAt {
        CreatedAt {
            age,
            at: Moment::of(clock),
        }
    }

    fn age(&self, clock: &dyn Clock) -> Duration {
        self.age.saturating_add(Moment::of(clock).since(&self.at))
    }
}

/// What occupies a context. One thing at a time:
///
/// ```text
///        begin                  complete, also by a panic
///   Idle -----> Processing ----------------------------> Idle
///   Idle -----> Waiting    ----------------------------> Idle
///     wait_due, renew           due, renewed, cancelled
/// ```
#[derive(Clone, Default)]
pub(super) enum Activity {
    #[default]
    Idle,
    /// A wait for the next call, or a renewal.
    Waiting(CancelToken),
    /// A process call.
    Processing {
        token: CancelToken,
        /// The print was paused since: its frame is from before.
        paused: bool,
    },
}

impl Activity {
    pub(super) fn processing(token: &CancelToken) -> Activity {
        Activity::Processing {
            token: token.clone(),
            paused: false,
        }
    }

    /// Cancels it; none while idle.
    pub(super) fn token(&self) -> Option<&CancelToken> {
        match self {
            Activity::Idle => None,
            Activity::Waiting(token) | Activity::Processing { token, .. } => Some(token),
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.token().is_some()
    }

    pub(super) fn is_processing(&self) -> bool {
        matches!(self, Activity::Processing { .. })
    }

    /// The print is paused now.
    pub(super) fn pause(&mut self) {
        if let Activity::Processing { paused, .. } = self {
            *paused = true;
        }
    }

    /// Whether the print was paused since the call in flight began.
    pub(super) fn was_paused(&self) -> bool {
        matches!(self, Activity::Processing { paused: true, .. })
    }
}

/// What the service is known to hold of a context. It gets worse with outcomes, and good again with
/// a verdict or a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Good,
    /// A new context should be made; this one stays in use until there is one.
    WantsRenewal,
    /// The service no longer has it: nothing more is sent.
    Lost,
}

pub(super) struct State {
    pub(super) print: Print,
    pub(super) options: PrintOptions,
    /// The levels that the print was made with: before a warning, and before a pause.
    pub(super) made_with: (Confidence, Confidence),
    /// When the last picture of a recording was taken, since 1970; the clock of a replay.
    pub(super) played: Duration,
    pub(super) created_at: CreatedAt,
    pub(super) pacing: Pacing,
    pub(super) failover: FailoverState,
    pub(super) alerts: AlertState,
    /// The interval set on this context itself, if any.
    pub(super) host_override: Option<u32>,
    /// The call or wait that occupies this context.
    pub(super) activity: Activity,
    pub(super) standing: Standing,
    /// The handle is gone.
    pub(super) closed: bool,
    /// Renewed by whoever watches it: a failure keeps its own status.
    pub(super) automatic: bool,
    /// Alerts that rose, but that whoever watches has not queued yet.
    pub(super) to_tell: NewAlerts,
    /// The user wants no edges.
    pub(super) muted: bool,
    /// The print is paused.
    pub(super) held: bool,
    pub(super) last_frame: Option<Digest>,
    pub(super) rejected_frames: VecDeque<Digest>,
    pub(super) renewals: VecDeque<Duration>,
    pub(super) calls: u64,
    pub(super) last_quality: u8,
    pub(super) last_status: Status,
    pub(super) last_error: Option<Error>,
}

impl State {
    pub(super) fn new(print: Print, options: PrintOptions, clock: &dyn Clock, sec: u32) -> State {
        // Any time is after the beginning of a recording.
        let now = match options.replay {
            true => Duration::ZERO,
            false => clock.now(),
        };
        State {
            print,
            made_with: (options.warning, options.pause),
            options,
            played: Duration::ZERO,
            created_at: CreatedAt::with_age(Duration::ZERO, clock),
            pacing: Pacing::new(now, sec),
            failover: FailoverState::default(),
            alerts: AlertState::default(),
            host_override: None,
            activity: Activity::Idle,
            standing: Standing::Good,
            closed: false,
            automatic: false,
            to_tell: NewAlerts::default(),
            muted: false,
            held: false,
            last_frame: None,
            rejected_frames: VecDeque::new(),
            renewals: VecDeque::new(),
            calls: 0,
            last_quality: 0,
            last_status: Status::Ok,
            last_error: None,
        }
    }

    /// The levels that are wanted: before a warning, and before a pause.
    pub(super) fn levels(&self) -> (Confidence, Confidence) {
        (self.options.warning, self.options.pause)
    }

    /// The time on the clock that this print is paced by.
    pub(super) fn now(&self, clock: &dyn Clock) -> Duration {
        match self.options.replay {
            true => self.played,
            false => clock.now(),
        }
    }

    pub(super) fn age(&self, clock: &dyn Clock) -> Duration {
        self.created_at.age(clock)
    }

    /// Whether the service dropped this context, or did so by its age.
    pub(super) fn is_lost(&self, clock: &dyn Clock) -> bool {
        self.standing == Standing::Lost || self.age(clock) > MAX_WAIT
    }

    /// Whether the service could not decode exactly these bytes before. Reads them only when a
    /// rejected frame had their length.
    pub(super) fn was_rejected(&self, jpeg: &[u8], world: &World) -> bool {
        let maybe = self
            .rejected_frames
            .iter()
            .any(|digest| digest.len == jpeg.len());
        maybe && self.rejected_frames.contains(&world.digest(jpeg))
    }

    pub(super) fn reject(&mut self, digest: Digest) {
        if self.rejected_frames.contains(&digest) {
            return;
        }
        if self.rejected_frames.len() == MAX_REJECTED {
            self.rejected_frames.pop_front();
        }
        self.rejected_frames.push_back(digest);
    }

    /// How long until another renewal is allowed.
    pub(super) fn until_renewal(&self, now: Duration) -> Duration {
        match self.renewals.iter().rev().nth(MAX_RENEWALS - 1) {
            Some(third_last) => third_last
                .saturating_add(RENEWAL_WINDOW)
                .saturating_sub(now),
            None => Duration::ZERO,
        }
    }

    /// A new context, made with these levels, took this one's place.
    pub(super) fn renewed(
        &mut self,
        print: Print,
        levels: (Confidence, Confidence),
        clock: &dyn Clock,
    ) {
        self.print = print;
        self.made_with = levels;
        self.created_at = CreatedAt::with_age(Duration::ZERO, clock);
        self.failover = FailoverState {
            rejected: self.failover.rejected,
            ..FailoverState::default()
        };
        self.standing = Standing::Good;
        if self.automatic {
            // How long the old context failed says nothing of the new one, and the print has not
            // been watched for as long.
            self.pacing.start_over();
        }
        if self.renewals.len() == MAX_RENEWALS {
            self.renewals.pop_front();
        }
        self.renewals.push_back(clock.now());
    }
}
