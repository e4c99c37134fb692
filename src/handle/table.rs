//! Which objects the handles of a process stand for.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use oe_core::error::Status;
use oe_core::platform::sync::RwLock;

const KIND_BITS: u32 = 3;
#[cfg(target_pointer_width = "64")]
const EPOCH_BITS: u32 = 5;
#[cfg(target_pointer_width = "64")]
const INDEX_BITS: u32 = 24;
#[cfg(not(target_pointer_width = "64"))]
const EPOCH_BITS: u32 = 3;
#[cfg(not(target_pointer_width = "64"))]
const INDEX_BITS: u32 = 15;
const USE_BITS: u32 = usize::BITS - KIND_BITS - EPOCH_BITS - INDEX_BITS;

/// This many freed slots rest before the oldest is used again, so that a number returns as late as
/// its bits allow.
const RESTING: usize = 256;

/// The parts of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    kind: usize,
    epoch: usize,
    index: usize,
    /// How often the slot had been used before.
    uses: usize,
}

fn low(value: usize, bits: u32) -> usize {
    value & ((1 << bits) - 1)
}

impl Parts {
    fn pack(self) -> usize {
        let above_index = low(self.uses, USE_BITS) << INDEX_BITS | self.index;
        (above_index << EPOCH_BITS | self.epoch) << KIND_BITS | self.kind
    }

    fn unpack(number: usize) -> Parts {
        let epoch = number >> KIND_BITS;
        let index = epoch >> EPOCH_BITS;
        Parts {
            kind: low(number, KIND_BITS),
            epoch: low(epoch, EPOCH_BITS),
            index: low(index, INDEX_BITS),
            uses: index >> INDEX_BITS,
        }
    }
}

type Object = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct Slot {
    uses: usize,
    kind: usize,
    object: Option<Object>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    /// Free slots, the longest freed first.
    free: VecDeque<usize>,
}

/// The handles of one process.
pub(super) struct Table {
    /// How many forks lie between this process and the one that loaded the library.
    epoch: usize,
    slots: RwLock<Slots>,
}

impl Table {
    /// That of a child knows by its parent's which handles that one made.
    pub(super) fn new(parents: Option<&Table>) -> Table {
        let epoch = parents.map_or(0, |table| table.epoch + 1);
        Table {
            epoch: low(epoch, EPOCH_BITS),
            slots: RwLock::default(),
        }
    }

    pub(super) fn insert(&self, kind: usize, object: Object) -> Option<usize> {
        let mut slots = self.slots.write();
        let reused = (slots.free.len() > RESTING || slots.all.len() >> INDEX_BITS != 0)
            .then(|| slots.free.pop_front())
            .flatten();
        let index = match reused {
            Some(index) => index,
            None if slots.all.len() >> INDEX_BITS != 0 => return None,
            None => {
                slots.all.push(Slot::default());
                slots.all.len() - 1
            }
        };
        let slot = &mut slots.all[index];
        slot.kind = kind;
        slot.object = Some(object);
        let parts = Parts {
            kind,
            epoch: self.epoch,
            index,
            uses: slot.uses,
        };
        Some(parts.pack())
    }

    /// The parts of a handle that this process may have made.
    fn parts(&self, kind: usize, number: usize) -> Result<Parts, Status> {
        let parts = Parts::unpack(number);
        match parts.kind == kind {
            true if parts.epoch == self.epoch => Ok(parts),
            true if parts.epoch < self.epoch => Err(Status::Forked),
            _ => Err(Status::Handle),
        }
    }

    pub(super) fn get(&self, kind: usize, number: usize) -> Result<Object, Status> {
        let parts = self.parts(kind, number)?;
        let slots = self.slots.read();
        let slot = slots.all.get(parts.index).ok_or(Status::Handle)?;
        if slot.uses != parts.uses || slot.kind != kind {
            return Err(Status::Handle);
        }
        slot.object.clone().ok_or(Status::Handle)
    }

    pub(super) fn remove(&self, kind: usize, number: usize) -> Option<Object> {
        let parts = self.parts(kind, number).ok()?;
        let mut slots = self.slots.write();
        let slot = slots.all.get_mut(parts.index)?;
        if slot.uses != parts.uses || slot.kind != kind {
            return None;
        }
        let object = slot.object.take()?;
        slot.uses = low(slot.uses + 1, USE_BITS);
        slots.free.push_back(parts.index);
        Some(object)
    }
}

#[cfg(all(test, not(oe_schedules)))]
mod tests {
    use std::ptr;

    use super::*;

    fn table() -> Table {
        Table::new(None)
    }

    fn status(table: &Table, kind: usize, number: usize) -> Option<Status> {
        table.get(kind, number).err()
    }

    #[test]
    fn parts_survive_packing() {
        let most = |bits| low(usize::MAX, bits);
        for parts in [
            Parts {
                kind: 1,
                epoch: 0,
                index: 0,
                uses: 0,
            },
            Parts {
                kind: 7,
                epoch: most(EPOCH_BITS),
                index: most(INDEX_BITS),
                uses: most(USE_BITS),
            },
            Parts {
                kind: 2,
                epoch: 1,
                index: 77,
                uses: 5,
            },
        ] {
            assert_eq!(Parts::unpack(parts.pack()), parts);
        }
    }

    #[test]
    fn a_handle_is_found_until_it_is_freed() {
        let table = table();
        let number = table.insert(2, Arc::new(5_u8)).unwrap();
        assert!(table.get(2, number).unwrap().downcast::<u8>().is_ok());
        assert!(table.remove(2, number).is_some());
        assert_eq!(status(&table, 2, number), Some(Status::Handle));
        assert!(table.remove(2, number).is_none(), "twice is nothing");
    }

    #[test]
    fn wrong_kinds_and_made_up_numbers_are_refused() {
        let table = table();
        let number = table.insert(2, Arc::new(5_u8)).unwrap();
        for kind in [1, 3] {
            assert_eq!(status(&table, kind, number), Some(Status::Handle));
            assert!(table.remove(kind, number).is_none());
        }
        // The right bits for another kind, and everything near.
        for wrong in [
            0,
            1,
            number ^ 1,
            number + 8,
            number + 256,
            usize::MAX,
            usize::MAX - 5,
        ] {
            assert_eq!(status(&table, 2, wrong), Some(Status::Handle), "{wrong:#x}");
        }
        let on_the_heap = Box::new(1_u64);
        assert_eq!(
            status(&table, 2, ptr::from_ref(&*on_the_heap).addr()),
            Some(Status::Handle)
        );
        assert!(table.get(2, number).is_ok());
    }

    #[test]
    fn slots_are_used_again_late_and_under_another_number() {
        let table = table();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10 * RESTING {
            let number = table.insert(1, Arc::new(())).unwrap();
            assert!(seen.insert(number), "a number came back");
            table.remove(1, number);
        }
        assert_eq!(table.slots.read().all.len(), RESTING + 1);
        let live: Vec<_> = seen
            .iter()
            .filter(|old| table.get(1, **old).is_ok())
            .collect();
        assert!(live.is_empty(), "{live:?}");
    }

    #[test]
    fn uses_wrap_within_their_bits() {
        let table = table();
        let first = table.insert(1, Arc::new(())).unwrap();
        table.slots.write().all[0].uses = low(usize::MAX, USE_BITS);
        let last = Parts {
            uses: low(usize::MAX, USE_BITS),
            ..Parts::unpack(first)
        }
        .pack();
        assert!(table.remove(1, last).is_some());
        assert_eq!(table.slots.read().all[0].uses, 0);
    }

    #[test]
    fn a_full_table_says_so_and_recovers() {
        let table = table();
        {
            let mut slots = table.slots.write();
            slots.all.resize_with(1 << INDEX_BITS, Slot::default);
        }
        assert!(table.insert(1, Arc::new(())).is_none());
        table.slots.write().free.push_back(9);
        let number = table.insert(1, Arc::new(())).unwrap();
        assert_eq!(Parts::unpack(number).index, 9);
    }

    #[test]
    fn a_child_knows_its_parents_handles() {
        let parent: &'static Table = Box::leak(Box::new(table()));
        let inherited = parent.insert(1, Arc::new(())).unwrap();
        let child = Table::new(Some(parent));
        assert_eq!(status(&child, 1, inherited), Some(Status::Forked));
        assert_eq!(status(&child, 2, inherited), Some(Status::Handle));
        assert!(child.remove(1, inherited).is_none());
        let own = child.insert(1, Arc::new(())).unwrap();
        assert_ne!(own, inherited);
        assert!(child.get(1, own).is_ok());
        assert_eq!(status(parent, 1, own), Some(Status::Handle));
        let grandchild = Table::new(Some(Box::leak(Box::new(child))));
        for inherited in [inherited, own] {
            assert_eq!(status(&grandchild, 1, inherited), Some(Status::Forked));
        }
    }
}

/// The same under every order of things that the scheduler tries: `cargo xtask schedules`.
#[cfg(all(test, oe_schedules))]
mod schedules {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use shuttle::thread;

    use super::*;
    use crate::per_process::schedules::try_orders;

    /// Counts how often it is dropped.
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_object_that_is_used_and_freed_twice_at_once_goes_once() {
        try_orders(|| {
            let table = Arc::new(Table::new(None));
            let drops = Arc::new(AtomicUsize::new(0));
            let number = table
                .insert(2, Arc::new(Counted(Arc::clone(&drops))))
                .unwrap();
            let user = Arc::clone(&table);
            let (seen, mine) = (Arc::clone(&drops), Arc::new(Counted(Arc::default())));
            let user = thread::spawn(move || {
                if let Ok(object) = user.get(2, number) {
                    // Alive while it is held, whoever frees it.
                    user.insert(2, mine);
                    assert_eq!(seen.load(Ordering::Relaxed), 0);
                    drop(object);
                }
            });
            let freers: Vec<_> = (0..2)
                .map(|_| {
                    let table = Arc::clone(&table);
                    thread::spawn(move || usize::from(table.remove(2, number).is_some()))
                })
                .collect();
            let freed: usize = freers.into_iter().map(|one| one.join().unwrap()).sum();
            user.join().unwrap();
            assert_eq!((freed, drops.load(Ordering::Relaxed)), (1, 1));
            assert_eq!(table.get(2, number).err(), Some(Status::Handle));
        });
    }

    #[test]
    fn two_threads_never_get_one_number() {
        try_orders(|| {
            let table = Arc::new(Table::new(None));
            // So many rest that slots are used again.
            for _ in 0..=RESTING {
                let number = table.insert(1, Arc::new(())).unwrap();
                table.remove(1, number);
            }
            let makers: Vec<_> = (0..3)
                .map(|maker: u32| {
                    let table = Arc::clone(&table);
                    thread::spawn(move || {
                        let number = table.insert(1, Arc::new(maker)).unwrap();
                        let found = table.get(1, number).unwrap().downcast::<u32>();
                        assert_eq!(*found.unwrap(), maker);
                        number
                    })
                })
                .collect();
            let mut numbers: Vec<_> = makers.into_iter().map(|one| one.join().unwrap()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 3);
        });
    }
}
