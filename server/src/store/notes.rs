//! What is not yet on the disk.

use std::collections::{HashMap, HashSet};

use super::{SavedPrint, SavedVerdict};

/// The most verdicts that wait for a disk that takes nothing; the oldest go first. 12 MB.
const MOST_VERDICTS: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) prints: HashMap<u64, SavedPrint>,
    pub(super) over: HashSet<u64>,
    pub(super) verdicts: Vec<SavedVerdict>,
    /// Verdicts that found no room.
    pub(super) lost: u64,
    pub(super) ends: bool,
}

impl Notes {
    pub(super) fn new() -> Notes {
        Notes::default()
    }

    /// The print's last word counts.
    pub(super) fn print(&mut self, print: SavedPrint) {
        self.prints.insert(print.number, print);
    }

    pub(super) fn over(&mut self, number: u64) {
        self.prints.remove(&number);
        self.over.insert(number);
    }

    pub(super) fn verdict(&mut self, verdict: SavedVerdict) {
        if self.verdicts.len() >= MOST_VERDICTS {
            // A tenth at a time: moving all the others for each would cost more than it is worth.
            self.verdicts.drain(..MOST_VERDICTS / 10);
            self.lost += (MOST_VERDICTS / 10) as u64;
        }
        self.verdicts.push(verdict);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.prints.is_empty() && self.over.is_empty() && self.verdicts.is_empty()
    }

    /// Takes out all there is to write.
    pub(super) fn take(&mut self) -> Notes {
        let ends = self.ends;
        let lost = self.lost;
        std::mem::replace(
            self,
            Notes {
                ends,
                lost,
                ..Notes::default()
            },
        )
    }

    /// What could not be written is a note again, unless there is a newer one.
    pub(super) fn put_back(&mut self, older: Notes) {
        for (number, print) in older.prints {
            if !self.over.contains(&number) {
                self.prints.entry(number).or_insert(print);
            }
        }
        self.over.extend(older.over);
        let newer = std::mem::replace(&mut self.verdicts, older.verdicts);
        newer.into_iter().for_each(|verdict| self.verdict(verdict));
    }
}
