use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::VecDeque;
use std::time::Duration;

use super::{Slot, Slots};

const CORES: usize = 2;
/// What clients do without a word of the service: policy of the library.
const PACE: u32 = 20;

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A service of two processors and the prints that call it, in microseconds.
struct World {
    slots: Slots,
    dice: Dice,
    /// (when, what happens)
    events: BinaryHeap<Reverse<(u64, Event)>>,
    queue: VecDeque<(usize, u64)>,
    busy: usize,
    prints: Vec<Print>,
    look_ms: f64,
    counted_from: u64,
    waits: Vec<u64>,
    refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Call(usize),
    Looked {
        print: usize,
        arrived: u64,
        took: u64,
    },
    /// Looks take so many times as long, in hundredths.
    Slower(u64),
}

#[derive(Clone, Default)]
struct Print {
    slot: Option<Slot>,
    last: Option<u64>,
    verdicts: u64,
    worst: u64,
    gaps: u64,
    /// Comes as soon as it is allowed to.
    eager: bool,
    /// Never comes after this.
    ends: Option<u64>,
}

/// What came of it.
struct Fairness {
    verdicts: u64,
    /// The longest time between two verdicts of a print, and the mean, in seconds.
    worst: f64,
    mean: f64,
    refused: f64,
    p99: f64,
    starved: usize,
}

const SECOND: u64 = 1_000_000;

impl World {
    fn new(prints: usize, look_ms: f64) -> World {
        World {
            slots: Slots::new(CORES),
            dice: Dice(1),
            events: BinaryHeap::new(),
            queue: VecDeque::new(),
            busy: 0,
            prints: vec![Print::default(); prints],
            look_ms,
            counted_from: 0,
            waits: Vec::new(),
            refused: 0,
        }
    }

    /// All prints begin within so many seconds.
    fn begin(&mut self, within: f64) {
        for print in 0..self.prints.len() {
            let when = (self.dice.share() * within * SECOND as f64) as u64;
            self.events.push(Reverse((when, Event::Call(print))));
        }
    }

    fn run(&mut self, from: u64, until: u64) -> Fairness {
        self.counted_from = from * SECOND;
        while let Some(Reverse((now, event))) = self.events.pop() {
            if now > until * SECOND {
                break;
            }
            match event {
                Event::Call(print) => self.call(print, now),
                Event::Looked {
                    print,
                    arrived,
                    took,
                } => self.looked(print, arrived, took, now),
                Event::Slower(percent) => self.look_ms *= percent as f64 / 100.0,
            }
        }
        self.fairness(until * SECOND)
    }

    fn call(&mut self, print: usize, now: u64) {
        if self.prints[print].ends.is_some_and(|end| now > end) {
            return;
        }
        let moment = Duration::from_micros(now);
        let slot = self.prints[print].slot.take();
        if self
            .slots
            .arrive(moment, slot, self.busy + self.queue.len())
        {
            self.queue.push_back((print, now));
            self.start(now);
            return;
        }
        let slot = self.slots.book(moment, PACE);
        self.prints[print].slot = Some(slot);
        self.refused += u64::from(now >= self.counted_from);
        // The library: at least its back-off, and up to a quarter more than it was told.
        let told = f64::from(slot.seconds_from(moment).max(PACE)) * (1.0 + self.dice.share() / 4.0);
        self.events.push(Reverse((
            now + (told * SECOND as f64) as u64,
            Event::Call(print),
        )));
    }

    fn start(&mut self, now: u64) {
        while self.busy < CORES {
            let Some((print, arrived)) = self.queue.pop_front() else {
                return;
            };
            self.busy += 1;
            let took = (self.look_ms * 1_000.0 * (0.7 + 0.6 * self.dice.share())) as u64;
            self.events.push(Reverse((
                now + took,
                Event::Looked {
                    print,
                    arrived,
                    took,
                },
            )));
        }
    }

    fn looked(&mut self, print: usize, arrived: u64, took: u64, now: u64) {
        self.busy -= 1;
        self.slots.looked(Duration::from_micros(took));
        let moment = Duration::from_micros(now);
        let eager = self.prints[print].eager;
        let slot = self.slots.book(moment, PACE);
        let least = self.slots.minimum(moment, 5, slot);
        let state = &mut self.prints[print];
        state.slot = Some(slot);
        if now >= self.counted_from {
            self.waits.push(now - arrived);
            state.verdicts += 1;
            let gap = now - state.last.unwrap_or(now).max(self.counted_from);
            state.worst = state.worst.max(gap);
            state.gaps += gap;
        }
        state.last = Some(now);
        let told = if eager {
            least
        } else {
            slot.seconds_from(moment)
        };
        let way = (self.dice.share() * 0.05 * SECOND as f64) as u64;
        let next = now + u64::from(told) * SECOND + way;
        self.events.push(Reverse((next, Event::Call(print))));
        self.start(now);
    }

    fn fairness(&mut self, until: u64) -> Fairness {
        let staying = self.prints.iter().filter(|print| print.ends.is_none());
        let longest = staying.clone().map(|print| {
            let silent = until - print.last.unwrap_or(0).max(self.counted_from);
            print.worst.max(silent)
        });
        let verdicts: u64 = staying.clone().map(|print| print.verdicts).sum();
        let gaps: u64 = staying.clone().map(|print| print.gaps).sum();
        self.waits.sort_unstable();
        let p99 = self.waits[self.waits.len() * 99 / 100];
        Fairness {
            verdicts,
            worst: longest.max().unwrap_or(0) as f64 / SECOND as f64,
            mean: gaps as f64 / verdicts as f64 / SECOND as f64,
            refused: self.refused as f64 / (self.refused + self.waits.len() as u64) as f64,
            p99: p99 as f64 / SECOND as f64,
            starved: staying.filter(|print| print.verdicts == 0).count(),
        }
    }
}

/// `p99` of an answer in seconds: below a second, or five looks where one takes long.
fn is_fair(name: &str, fair: &Fairness, p99: f64) {
    let said = format!(
        "{name}: {} verdicts, worst {:.1} s, mean {:.1} s, refused {:.2} %, p99 {:.3} s, starved {}",
        fair.verdicts,
        fair.worst,
        fair.mean,
        fair.refused * 100.0,
        fair.p99,
        fair.starved
    );
    println!("{said}");
    assert_eq!(fair.starved, 0, "{said}");
    assert!(fair.worst <= 1.5 * fair.mean, "{said}");
    assert!(fair.refused < 0.01, "{said}");
    assert!(fair.p99 < p99, "{said}");
}

#[test]
fn every_print_gets_its_turn() {
    // Prints, a look in ms, the mean that the processors allow or the pace asks for.
    for (prints, look_ms, mean) in [
        (1, 15.0, 20.0),
        (100, 15.0, 20.0),
        (1_000, 15.0, 20.0),
        (5_000, 15.0, 44.0),
        (1_000, 60.0, 35.0),
        (100, 1_500.0, 88.0),
        (3, 12_000.0, 34.0),
    ] {
        let name = format!("{prints} prints, looks of {look_ms} ms");
        // Two hours, of which all but the first half hour counts.
        let mut world = World::new(prints, look_ms);
        world.begin(60.0);
        let fair = world.run(1_800, 7_200);
        is_fair(&name, &fair, 1.0_f64.max(look_ms / 200.0));
        assert!(
            (mean * 0.94..mean * 1.06).contains(&fair.mean),
            "{name}: mean {}",
            fair.mean
        );
    }
}

#[test]
fn all_at_once_is_three_bad_minutes_and_no_more() {
    for (prints, look_ms) in [(1_000, 15.0), (5_000, 15.0)] {
        let mut world = World::new(prints, look_ms);
        world.begin(0.5);
        let first = world.run(0, 180);
        assert_eq!(
            first.starved, 0,
            "somebody was not looked at in three minutes"
        );
        let mut world = World::new(prints, look_ms);
        world.begin(0.5);
        is_fair(&format!("{prints} at once"), &world.run(300, 7_200), 1.0);
    }
}

#[test]
fn looks_that_get_slower_are_caught_up_with() {
    let mut world = World::new(5_000, 15.0);
    world.begin(60.0);
    world
        .events
        .push(Reverse((1_000 * SECOND, Event::Slower(200))));
    let fair = world.run(1_200, 7_200);
    is_fair("twice as slow from 1,000 s on", &fair, 1.0);
    assert!(fair.mean > 80.0, "{}", fair.mean);
}

#[test]
fn who_leaves_makes_room() {
    let mut world = World::new(5_000, 15.0);
    for print in &mut world.prints[1_000..] {
        print.ends = Some(600 * SECOND);
    }
    world.begin(60.0);
    let fair = world.run(900, 3_600);
    is_fair("4,000 of 5,000 left", &fair, 1.0);
    assert!(fair.mean < 21.5, "{}", fair.mean);
}

#[test]
fn the_eager_take_nothing_from_the_others() {
    let mut world = World::new(2_000, 15.0);
    for print in world.prints.iter_mut().step_by(2) {
        print.eager = true;
    }
    world.begin(60.0);
    let fair = world.run(900, 3_600);
    println!(
        "eager: worst {} mean {} refused {} p99 {}",
        fair.worst, fair.mean, fair.refused, fair.p99
    );
    let patient = world.prints.iter().skip(1).step_by(2);
    let worst = patient.map(|print| print.worst).max().unwrap() as f64 / SECOND as f64;
    assert!(worst <= 30.0, "a patient print waited {worst} s");
    assert!(fair.refused < 0.01, "{}", fair.refused);
    assert!(fair.p99 < 1.0, "{}", fair.p99);
}

#[test]
fn a_place_is_used_given_back_or_lost() {
    let mut slots = Slots::new(1);
    for _ in 0..64 {
        slots.looked(Duration::from_millis(850));
    }
    // One place a second.
    let first = slots.book(at(0.5), 20);
    assert_eq!(first.seconds_from(at(0.5)), 20);
    assert_eq!(slots.book(at(0.6), 20).seconds_from(at(0.6)), 21);
    slots.give_back(Some(first));
    assert_eq!(slots.book(at(0.7), 20).seconds_from(at(0.7)), 20);
    // What is over is of no use to anybody, and does no harm.
    slots.give_back(Some(first));
    assert!(
        slots.arrive(at(500.0), Some(first), 0),
        "late, but it was promised"
    );
    assert_eq!(slots.book(at(500.0), 0).seconds_from(at(500.0)), 1);
}

#[test]
fn nobody_is_let_in_where_the_wait_is_too_long() {
    let mut slots = Slots::new(2);
    for _ in 0..64 {
        slots.looked(Duration::from_millis(100));
    }
    let slot = slots.book(at(0.0), 20);
    assert!(slots.arrive(at(20.1), Some(slot), 15));
    assert!(!slots.arrive(at(20.1), Some(slot), 16));
    assert!(!slots.arrive(at(20.1), None, 16));
}

#[test]
fn what_comes_without_a_place_takes_a_free_one_or_an_idle_processor() {
    let mut slots = Slots::new(1);
    for _ in 0..64 {
        slots.looked(Duration::from_millis(170));
    }
    // Five places a second.
    let let_in = (0..8).filter(|_| slots.arrive(at(3.0), None, 1)).count();
    assert_eq!(let_in, 5);
    assert!(slots.arrive(at(3.0), None, 0), "nobody is looked at");
    // An early one gives its place back.
    let slot = slots.book(at(4.0), 20);
    assert!(slots.arrive(at(10.0), Some(slot), 0));
    assert_eq!(slots.count(24), 0);
}

#[test]
fn a_service_that_is_full_for_an_hour_says_an_hour() {
    let mut slots = Slots::new(1);
    for _ in 0..64 {
        slots.looked(Duration::from_secs(170));
    }
    for _ in 0..100 {
        let told = slots.book(at(0.0), 20).seconds_from(at(0.0));
        assert!((20..=3_600).contains(&told), "{told}");
    }
    assert_eq!(slots.book(at(0.0), 20).seconds_from(at(0.0)), 3_600);
    assert!(slots.taken.len() <= 3_601);
}
