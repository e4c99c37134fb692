//! Whether what looks like a failure stays where it is. A tangle lies where it lay; a hand, the tool head
//! and a reflection are elsewhere in the next picture.

use serde::{Deserialize, Serialize};

use crate::Cells;

/// What was seen within so many seconds before the last suspicious picture is taken together with it: a
/// bed that goes to and fro carries a tangle along.
const TOGETHER: u32 = 15;
/// A suspicious picture says nothing of one that comes later than this (seconds), or than the next at a
/// slower pace.
const REMEMBERED: u32 = 120;
/// How far the last picture moves the mean of how well suspicious pictures agree: the last two count for
/// three quarters of it.
const LAST: f64 = 0.5;
/// What was suspicious lately is at the same place when pictures agree so much.
const STEADY: f64 = 0.5;
/// The most cells that a picture has: of a saved filter, no more are taken.
const MOST_CELLS: usize = 1_024;

/// Where a print's pictures were suspicious.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Places {
    /// When each cell was suspicious last, in seconds since the first picture and one more; 0: never.
    seen: Vec<u32>,
    /// When any was, in the same seconds; 0: never.
    last: u32,
    /// How well suspicious pictures agree, from 0 to 1; none while nobody says where.
    agreement: Option<f64>,
}

impl Places {
    /// Takes in where a suspicious picture is suspicious. How much of it is elsewhere than in the pictures
    /// before, from 0 to 1: 0 when there is none to compare it with.
    pub(super) fn take(&mut self, second: u32, since: u32, cells: &Cells) -> f64 {
        let now = suspicious(cells);
        if now.is_empty() || cells.odds.len() > MOST_CELLS {
            return 0.0;
        }
        let second = second.saturating_add(1);
        let fresh = self.last > 0 && second - self.last.min(second) <= REMEMBERED.max(since);
        let same_grid = self.seen.len() == cells.odds.len();
        let agrees = (fresh && same_grid).then(|| self.agrees(&now, cells.side));
        if !same_grid {
            self.seen = vec![0; cells.odds.len()];
        }
        self.last = second;
        for cell in now {
            if let Some(seen) = self.seen.get_mut(cell) {
                *seen = second;
            }
        }
        let before = self.agreement.filter(|_| agrees.is_some()).unwrap_or(0.0);
        self.agreement = Some(before + LAST * (agrees.unwrap_or(0.0) - before));
        1.0 - agrees.unwrap_or(1.0)
    }

    /// How much of what is suspicious now was so before, or of that is so now, whichever is more: a tangle
    /// grows, and the head hides a part of it. A cell more or less to each side is the same place.
    fn agrees(&self, now: &[usize], side: usize) -> f64 {
        let from = self.last.saturating_sub(TOGETHER).max(1);
        let before: Vec<usize> = (0..self.seen.len())
            .filter(|cell| self.seen.get(*cell).is_some_and(|seen| *seen >= from))
            .collect();
        let share = |of: &[usize], within: &[usize]| {
            let near = |cell: &&usize| within.iter().any(|other| beside(**cell, *other, side));
            of.iter().filter(near).count() as f64 / of.len().max(1) as f64
        };
        share(now, &before).max(share(&before, now))
    }

    /// Whether suspicious pictures agree on the place, or nobody says where.
    pub(super) fn steady(&self) -> bool {
        self.agreement.is_none_or(|agreement| agreement >= STEADY)
    }

    pub(super) fn is_one(&self) -> bool {
        let share = self.agreement.is_none_or(|a| (0.0..=1.0).contains(&a));
        share && self.seen.len() <= MOST_CELLS
    }
}

/// The cells that look more like a failure than not, or, when none does, the one that looks most like it.
fn suspicious(cells: &Cells) -> Vec<usize> {
    let known = || cells.odds.iter().enumerate();
    let known = || known().filter_map(|(cell, odds)| Some((cell, (*odds)?)));
    let most = known().map(|(_, odds)| odds).fold(f64::MIN, f64::max);
    let chosen = known().filter(|(_, odds)| *odds >= most.min(0.0));
    chosen.map(|(cell, _)| cell).collect()
}

/// Whether two cells are the same or neighbours, corners too.
fn beside(a: usize, b: usize, side: usize) -> bool {
    let side = side.max(1);
    (a % side).abs_diff(b % side) <= 1 && (a / side).abs_diff(b / side) <= 1
}
