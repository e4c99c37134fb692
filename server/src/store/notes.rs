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
    /// The largest number of a print.
    pub(super) last: u64,
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
        self.last = self.last.max(print.number);
        self.prints.insert(print.number, print);
    }

    pub(super) fn over(&mut self, number: u64) {
        let note = self.prints.remove(&number);
        // One that waits since it was made is not on the disk: however many are made while that takes
        // nothing, nothing of them stays.
        if note.is_none_or(|print| print.calls > 0) {
            self.over.insert(number);
        }
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
        let (lost, last) = (self.lost, self.last);
        std::mem::replace(
            self,
            Notes {
                ends,
                lost,
                last,
                ..Notes::default()
            },
        )
    }

    /// Takes the notes apart, in the order in which they are to be written: prints that are over make room for
    /// others, and end what their last verdicts began.
    pub(super) fn parts(&mut self, verdicts: usize) -> Vec<Notes> {
        let last = self.last;
        let part = || Notes {
            last,
            ..Notes::default()
        };
        let over = || Notes {
            over: self.over.clone(),
            ..part()
        };
        let history = self.verdicts.chunks(verdicts).map(|verdicts| Notes {
            verdicts: verdicts.to_vec(),
            ..part()
        });
        let prints = Notes {
            prints: self.prints.clone(),
            ..part()
        };
        let mut parts = vec![over(), prints];
        parts.extend(history);
        parts.push(over());
        parts.retain(|part| !part.is_empty());
        self.take();
        parts
    }

    /// A part that comes after those that are here.
    pub(super) fn put_back_after(&mut self, part: Notes) {
        self.prints.extend(part.prints);
        self.verdicts.extend(part.verdicts);
        self.over.extend(part.over);
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
