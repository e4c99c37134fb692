//! A session to text and back.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::print_options::PrintOptions;
use super::renewal::MAX_RENEWALS;
use super::state::{CreatedAt, MAX_REJECTED, Standing, State};
use crate::account::Account;
use crate::backend::SavedPrint;
use crate::error::{Due, Error, Status};
use crate::platform::clock::Clock;
use crate::platform::digest::Digest;
use crate::rules::alerts::{AlertState, NewAlerts};
use crate::rules::confidence::Confidence;
use crate::rules::outcome_table::{FailoverState, Streak};
use crate::rules::pacing::check_interval;
use crate::rules::pacing::{DEFAULT_INTERVAL_SEC, FLOOR, Interval};
use crate::rules::pacing::{MAX_WAIT, Pacing};
use crate::session::saved::{Saved, SavedBelief, corners, regions};

fn to_ms(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Session {
    /// This context as text, to survive a restart of the host. A secret: it holds the URLs.
    #[must_use]
    pub fn save(&self) -> String {
        self.snapshot(NewAlerts::default()).encode()
    }

    /// What is saved. AlertState whose event is unread are saved as not raised, and those that are not
    /// even queued: should the host end here, it is told again rather than never.
    pub(crate) fn snapshot(&self, unread: NewAlerts) -> Saved {
        let clock = &*self.account.world.clock;
        let state = self.state.lock();
        let now = state.now(clock);
        let mut wait = state.pacing.remaining(now);
        if state.activity.is_processing() {
            // How the call in flight ends, this text will never know.
            wait = wait.max(state.pacing.floor());
        }
        let mut edges = state.alerts;
        edges.retract(unread, NewAlerts::default());
        edges.retract(state.to_tell, NewAlerts::default());
        let back = |then: Duration| to_ms(now.saturating_sub(then));
        let frame = |digest: &Digest| (digest.len, digest.sum);
        let (process_url, fallback_url, embedded) = match self.account.backend.save(&state.print) {
            SavedPrint::Service {
                process_url,
                fallback_url,
            } => (process_url, fallback_url, None),
            SavedPrint::Embedded { model, belief } => {
                let belief = SavedBelief { model, belief };
                (String::new(), String::new(), Some(belief))
            }
        };
        let options = &state.options;
        Saved {
            process_url,
            fallback_url,
            embedded,
            ignore: corners(&options.ignore),
            played_ms: options.replay.then(|| to_ms(state.played)),
            warning_level: options.warning.level().unwrap_or(0),
            pause_level: options.pause.level().unwrap_or(0),
            made_with: (state.made_with != state.levels()).then(|| {
                let (warning, pause) = state.made_with;
                (warning.level().unwrap_or(0), pause.level().unwrap_or(0))
            }),
            age_ms: to_ms(state.age(clock)),
            saved_wall_ms: clock.wall_ms(),
            boot_id: clock.boot_id(),
            saved_boot_ms: clock.since_boot().map(to_ms),
            wait_ms: to_ms(wait),
            asked_ms: to_ms(state.pacing.asked_until.saturating_sub(now)),
            minimum: state.pacing.interval.map(|last| last.minimum),
            recommended: state.pacing.interval.map(|last| last.recommended),
            faster: state.pacing.faster,
            defaulted: state.pacing.defaulted,
            host_sec: state.host_override,
            failures: state.pacing.failures,
            using_fallback: state.failover.using_fallback,
            throttled: state.failover.throttled,
            rejected: state.failover.rejected,
            unusable: (
                state.failover.unusable.count,
                back(state.failover.unusable.since),
            ),
            fallback_failing: (
                state.failover.fallback_failing.count,
                back(state.failover.fallback_failing.since),
            ),
            warned: edges.warned,
            paused: edges.paused,
            last_warning_age_ms: edges.last_warning.map(back),
            lost: state.standing == Standing::Lost,
            calls: state.calls,
            last_quality: state.last_quality,
            last_status: state.last_status.code(),
            last_frame: state.last_frame.as_ref().map(frame),
            rejected_frames: state.rejected_frames.iter().map(frame).collect(),
            renewal_ages_ms: state.renewals.iter().map(|then| back(*then)).collect(),
        }
    }

    /// A context from its saved text.
    pub(crate) fn restore(account: &Arc<Account>, text: &str) -> Result<Arc<Session>, Error> {
        Session::from_saved(account, &Saved::decode(text)?)
    }

    /// A context from what was saved of it.
    pub(crate) fn from_saved(account: &Arc<Account>, saved: &Saved) -> Result<Arc<Session>, Error> {
        let clock = &*account.world.clock;
        let print = account.backend.restore(saved.print())?;
        let options = saved.options()?;
        let level = |level: u8| Confidence::new(level.into()).map_err(|_| damaged());
        let made_with = match saved.made_with {
            Some((warning, pause)) => (level(warning)?, level(pause)?),
            None => (options.warning, options.pause),
        };
        let passed = Passed::between(saved, clock);
        let age = Duration::from_millis(saved.age_ms).saturating_add(passed.for_age);
        if age > MAX_WAIT {
            return Err(Error::local(Status::ContextLost).retry_after(Due::Never));
        }
        let mut state = State::new(print, options, clock, account.config.interval_sec);
        state.made_with = made_with;
        state.created_at = CreatedAt::with_age(age, clock);
        state.played = Duration::from_millis(saved.played_ms.unwrap_or_default());
        // A recording stands still between save and restore.
        let passed = match state.options.replay {
            true => Duration::ZERO,
            false => passed.for_wait,
        };
        let now = state.now(clock);
        saved.fill(&mut state, passed, now)?;
        Ok(Session::enlisted(account, state))
    }
}

fn damaged() -> Error {
    Error::with_text(
        Status::Argument,
        "the saved context is damaged or not complete",
    )
}

/// How much time went by between save and restore, as far as that can be known.
struct Passed {
    /// Only what is certain: none where the device was restarted.
    for_wait: Duration,
    /// The boot clock, else the wall clock if it moved forward, else nothing.
    for_age: Duration,
}

impl Passed {
    fn between(saved: &Saved, clock: &dyn Clock) -> Passed {
        let same_boot = saved.boot_id.is_some() && saved.boot_id == clock.boot_id();
        let boot = saved
            .saved_boot_ms
            .zip(clock.since_boot())
            .filter(|_| same_boot);
        let boot = boot.and_then(|(then, now)| now.checked_sub(Duration::from_millis(then)));
        let wall = clock.wall_ms().saturating_sub(saved.saved_wall_ms);
        let wall = Duration::from_millis(u64::try_from(wall).unwrap_or(0));
        Passed {
            for_wait: boot.unwrap_or_default(),
            for_age: boot.unwrap_or(wall),
        }
    }
}

impl Saved {
    fn print(&self) -> SavedPrint {
        match &self.embedded {
            Some(print) => SavedPrint::Embedded {
                model: print.model.clone(),
                belief: print.belief.clone(),
            },
            None => SavedPrint::Service {
                process_url: self.process_url.clone(),
                fallback_url: self.fallback_url.clone(),
            },
        }
    }

    fn options(&self) -> Result<PrintOptions, Error> {
        let level = |level: u8| Confidence::new(level.into()).map_err(|_| damaged());
        let options = PrintOptions {
            warning: level(self.warning_level)?,
            pause: level(self.pause_level)?,
            // Saved as `host_sec`.
            interval_sec: 0,
            ignore: regions(&self.ignore).map_err(|_| damaged())?,
            replay: self.played_ms.is_some(),
        };
        options.check().map_err(|_| damaged())?;
        // The service can do neither.
        if self.embedded.is_none() && options.is_for_engine() {
            return Err(damaged());
        }
        Ok(options)
    }

    fn fill(&self, state: &mut State, passed: Duration, now: Duration) -> Result<(), Error> {
        let ago = |ms: u64| now.saturating_sub(Duration::from_millis(ms).saturating_add(passed));
        state.failover = FailoverState {
            using_fallback: self.using_fallback && self.embedded.is_none(),
            throttled: self.throttled,
            rejected: self.rejected,
            unusable: Streak {
                count: self.unusable.0,
                since: ago(self.unusable.1),
            },
            fallback_failing: Streak {
                count: self.fallback_failing.0,
                since: ago(self.fallback_failing.1),
            },
        };
        state.alerts = AlertState {
            warned: self.warned,
            paused: self.paused,
            last_warning: self.last_warning_age_ms.map(ago),
            flagged: NewAlerts::default(),
        };
        let frame = |(len, sum): (usize, u64)| Digest { len, sum };
        state.last_frame = self.last_frame.map(frame);
        state.rejected_frames = self
            .rejected_frames
            .iter()
            .copied()
            .map(frame)
            .take(MAX_REJECTED)
            .collect();
        state.renewals = self
            .renewal_ages_ms
            .iter()
            .take(MAX_RENEWALS)
            .map(|age| ago(*age))
            .collect();
        if self.lost {
            state.standing = Standing::Lost;
        }
        state.calls = self.calls;
        state.last_quality = self.last_quality.min(10);
        state.last_status = Status::from_code(self.last_status).ok_or_else(damaged)?;
        self.fill_pacing(state, passed, now)
    }

    /// The rest of the wait, and at least the last minimum: what was called between save and
    /// restore, nobody knows.
    fn fill_pacing(&self, state: &mut State, passed: Duration, now: Duration) -> Result<(), Error> {
        state.host_override = self
            .host_sec
            .map(check_interval)
            .transpose()
            .map_err(|_| damaged())?;
        let host_sec = state.host_override.unwrap_or(state.pacing.host_sec);
        let valid = |sec: &u32| check_interval(*sec).is_ok() && *sec > 0;
        let interval = match (self.minimum, self.recommended) {
            (None, None) => None,
            (Some(minimum), Some(recommended)) if valid(&minimum) && valid(&recommended) => {
                Some(Interval {
                    minimum,
                    recommended,
                })
            }
            _ => return Err(damaged()),
        };
        let least = interval.map_or(DEFAULT_INTERVAL_SEC, |last| last.minimum);
        let rest = |ms: u64| {
            Duration::from_millis(ms)
                .saturating_sub(passed)
                .min(MAX_WAIT)
        };
        let least = Duration::from_secs(least.into()).max(FLOOR);
        let wait = rest(self.wait_ms).max(least);
        state.pacing = Pacing {
            interval,
            faster: self.faster,
            // Before the first verdict, texts of before 0.2 say false.
            defaulted: self.defaulted || self.last_quality == 0,
            failures: self.failures,
            due_at: now.saturating_add(wait),
            asked_until: now.saturating_add(rest(self.asked_ms)),
            ..Pacing::new(now, host_sec)
        };
        Ok(())
    }
}
