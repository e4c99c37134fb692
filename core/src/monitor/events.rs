//! What happened, until the host reads it: at most one unread event of each kind per monitor.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::error::{Error, Status};
use crate::platform::moment::Moment;
use crate::session::outcome::{Outcome, flags};

/// What an event tells. The numbers of the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Kind {
    /// Submit a frame now: one is due in 2 s, or overdue.
    FrameWanted = 1,
    /// A verdict.
    Result = 2,
    /// Tell the user. Once per episode.
    Warning = 3,
    /// Pause the print. Once per episode.
    Pause = 4,
    /// An attempt failed; it will be made again when its time comes.
    Error = 5,
    /// The first verdict after errors.
    Recovered = 6,
    /// 60 s without a frame of use, or the same bytes three times.
    CameraStalled = 7,
    /// Frames come again, change again or are of use again.
    CameraBack = 8,
    /// The service had lost the context, or it was given up; a new one took its place.
    ContextRenewed = 9,
    /// An account error stops every monitor of the client.
    Latched = 10,
    /// The library gave up on this monitor by itself.
    Stopped = 11,
}

/// One event, as it is read.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it tells.
    pub kind: Kind,
    /// The host's own number of the monitor.
    pub tag: u64,
    /// What went wrong, for `Error`, `Latched` and `Stopped`. For `CameraStalled` why: `NoEvent` when
    /// no frame came, `Ok` when it is the same bytes again and again, `Blind` when they show nothing,
    /// else the status with which the frames were refused. Otherwise `Ok`.
    pub status: Status,
    /// Since it was queued, time asleep included.
    pub age: Duration,
    /// The verdict, for `Result`, `Warning` and `Pause`.
    pub outcome: Option<Outcome>,
    /// The details, for `Error`, `Latched` and `Stopped`.
    pub error: Option<Error>,
}

/// What is queued of an event.
#[derive(Clone, Debug)]
pub(super) struct PendingEvent {
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) outcome: Option<Outcome>,
    pub(super) error: Option<Box<Error>>,
}

impl PendingEvent {
    pub(super) fn plain(kind: Kind) -> PendingEvent {
        PendingEvent {
            kind,
            status: Status::Ok,
            outcome: None,
            error: None,
        }
    }

    pub(super) fn stalled(status: Status) -> PendingEvent {
        PendingEvent {
            status,
            ..PendingEvent::plain(Kind::CameraStalled)
        }
    }

    pub(super) fn failed(kind: Kind, error: Error) -> PendingEvent {
        PendingEvent {
            status: error.status,
            error: Some(Box::new(error)),
            ..PendingEvent::plain(kind)
        }
    }

    fn verdict(kind: Kind, outcome: Outcome) -> PendingEvent {
        PendingEvent {
            outcome: Some(outcome),
            ..PendingEvent::plain(kind)
        }
    }
}

struct Unread {
    monitor: u64,
    tag: u64,
    queued: Moment,
    pending: PendingEvent,
}

/// The unread events of a client, in their order.
#[derive(Default)]
pub(super) struct Queue {
    places: BTreeMap<u64, Unread>,
    place_of: HashMap<(u64, Kind), u64>,
    next_place: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Queues an event; an unread one of its kind is replaced where it stands.
    pub(super) fn push(
        &mut self,
        (monitor, tag): (u64, u64),
        pending: PendingEvent,
        queued: Moment,
    ) {
        let place = self.take_place(monitor, pending.kind);
        self.put(place, (monitor, tag), pending, queued);
    }

    /// Queues a verdict: `Result`, then the alerts that rose with it. Places of unread ones
    /// are used again, but the three stand in this order.
    pub(super) fn push_verdict(
        &mut self,
        (monitor, tag): (u64, u64),
        outcome: Outcome,
        queued: Moment,
    ) {
        let kinds: Vec<Kind> = [
            (Kind::Result, true),
            (Kind::Warning, outcome.new.warning),
            (Kind::Pause, outcome.new.pause),
        ]
        .into_iter()
        .filter_map(|(kind, told)| told.then_some(kind))
        .collect();
        let mut places: Vec<u64> = kinds
            .iter()
            .map(|kind| self.take_place(monitor, *kind))
            .collect();
        places.sort_unstable();
        for (place, kind) in places.into_iter().zip(kinds) {
            self.put(
                place,
                (monitor, tag),
                PendingEvent::verdict(kind, outcome),
                queued,
            );
        }
    }

    fn take_place(&mut self, monitor: u64, kind: Kind) -> u64 {
        if let Some(place) = self.place_of.remove(&(monitor, kind)) {
            self.places.remove(&place);
            return place;
        }
        self.next_place += 1;
        self.next_place
    }

    fn put(
        &mut self,
        place: u64,
        (monitor, tag): (u64, u64),
        pending: PendingEvent,
        queued: Moment,
    ) {
        self.place_of.insert((monitor, pending.kind), place);
        let unread = Unread {
            monitor,
            tag,
            queued,
            pending,
        };
        self.places.insert(place, unread);
    }

    /// The oldest event, and whose it is.
    pub(super) fn pop(&mut self, now: Moment) -> Option<(u64, Event)> {
        let (_, unread) = self.places.pop_first()?;
        let Unread {
            monitor,
            tag,
            queued,
            pending,
        } = unread;
        self.place_of.remove(&(monitor, pending.kind));
        let event = Event {
            kind: pending.kind,
            tag,
            status: pending.status,
            age: now.since(&queued),
            outcome: pending.outcome,
            error: pending.error.map(|error| *error),
        };
        Some((monitor, event))
    }

    /// Removes a monitor's unread events of these kinds.
    pub(super) fn remove(&mut self, monitor: u64, kinds: &[Kind]) {
        for kind in kinds {
            if let Some(place) = self.place_of.remove(&(monitor, *kind)) {
                self.places.remove(&place);
            }
        }
    }

    /// Takes the alerts out of a monitor's unread result.
    pub(super) fn clear_edge_flags(&mut self, monitor: u64) {
        let place = self.place_of.get(&(monitor, Kind::Result));
        let unread = place.and_then(|place| self.places.get_mut(place));
        if let Some(outcome) = unread.and_then(|unread| unread.pending.outcome.as_mut()) {
            outcome.flags &= !(flags::WARNING_EDGE | flags::PAUSE_EDGE);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }
}

/// Every kind.
pub(super) const ALL: &[Kind] = &[
    Kind::FrameWanted,
    Kind::Result,
    Kind::Warning,
    Kind::Pause,
    Kind::Error,
    Kind::Recovered,
    Kind::CameraStalled,
    Kind::CameraBack,
    Kind::ContextRenewed,
    Kind::Latched,
    Kind::Stopped,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::alerts::NewAlerts;

    const NINE: Duration = Duration::from_secs(9);
    const NOW: Moment = Moment::awake(NINE);

    fn outcome(quality: i32, flags: u32) -> Outcome {
        Outcome {
            print_quality: quality,
            flags,
            new: NewAlerts {
                warning: flags & flags::WARNING_EDGE != 0,
                pause: flags & flags::PAUSE_EDGE != 0,
            },
            ..Outcome::default()
        }
    }

    fn drain(queue: &mut Queue) -> Vec<(u64, Kind, i32)> {
        let quality = |event: &Event| event.outcome.map_or(0, |outcome| outcome.print_quality);
        std::iter::from_fn(|| queue.pop(NOW))
            .map(|(monitor, event)| (monitor, event.kind, quality(&event)))
            .collect()
    }

    #[test]
    fn a_newer_event_takes_the_place_of_an_unread_one() {
        let mut queue = Queue::default();
        queue.push((1, 0), PendingEvent::plain(Kind::FrameWanted), NOW);
        queue.push((2, 0), PendingEvent::plain(Kind::FrameWanted), NOW);
        queue.push((1, 0), PendingEvent::plain(Kind::CameraBack), NOW);
        for _ in 0..1_000 {
            queue.push((1, 0), PendingEvent::plain(Kind::FrameWanted), NOW);
        }
        assert_eq!(queue.places.len(), 3);
        assert_eq!(
            drain(&mut queue),
            [
                (1, Kind::FrameWanted, 0),
                (2, Kind::FrameWanted, 0),
                (1, Kind::CameraBack, 0)
            ]
        );
        assert!(queue.is_empty() && queue.place_of.is_empty());
    }

    #[test]
    fn result_warning_pause_stand_in_this_order_whatever_was_unread() {
        let both = flags::WARNING_EDGE | flags::PAUSE_EDGE;
        for first in [0, flags::WARNING_EDGE, flags::PAUSE_EDGE, both] {
            for read in 0..3 {
                let mut queue = Queue::default();
                queue.push_verdict((1, 0), outcome(1, first), NOW);
                for _ in 0..read {
                    queue.pop(NOW);
                }
                queue.push((1, 0), PendingEvent::plain(Kind::FrameWanted), NOW);
                queue.push_verdict((1, 0), outcome(2, both), NOW);
                let mut order = drain(&mut queue);
                order.retain(|(_, kind, _)| *kind != Kind::FrameWanted);
                assert_eq!(
                    order,
                    [
                        (1, Kind::Result, 2),
                        (1, Kind::Warning, 2),
                        (1, Kind::Pause, 2)
                    ],
                    "{first} {read}"
                );
            }
        }
    }

    #[test]
    fn an_unread_pause_keeps_the_verdict_it_came_with() {
        let mut queue = Queue::default();
        queue.push_verdict((1, 0), outcome(1, flags::PAUSE_EDGE), NOW);
        queue.push_verdict((1, 0), outcome(8, 0), NOW);
        assert_eq!(
            drain(&mut queue),
            [(1, Kind::Result, 8), (1, Kind::Pause, 1)]
        );
    }

    #[test]
    fn removing_is_by_monitor_and_kind() {
        let mut queue = Queue::default();
        for monitor in [1, 2] {
            queue.push_verdict((monitor, 7), outcome(1, flags::PAUSE_EDGE), NOW);
        }
        queue.remove(1, &[Kind::Pause]);
        queue.clear_edge_flags(1);
        let has = |monitor| queue.place_of.contains_key(&(monitor, Kind::Pause));
        assert!(!has(1) && has(2));
        let (_, event) = queue.pop(NOW).unwrap();
        assert_eq!((event.tag, event.outcome.unwrap().flags), (7, 0));
        queue.remove(2, ALL);
        assert!(queue.is_empty());
    }

    #[test]
    fn age_and_status_are_told() {
        let mut queue = Queue::default();
        let error = Error::local(Status::Dns);
        queue.push((1, 5), PendingEvent::failed(Kind::Error, error), NOW);
        let later = Moment::awake(NINE * 2).after_sleep(NINE);
        let (_, event) = queue.pop(later).unwrap();
        assert_eq!((event.age, event.status), (NINE * 2, Status::Dns));
        assert_eq!(event.error.unwrap().status, Status::Dns);
    }
}
