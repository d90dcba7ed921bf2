// SPDX-License-Identifier: MIT OR Apache-2.0
//! The runs: which sequences of one author are known, as a contiguous part and ranges beyond it.

use crate::codec::{DecodeError, at_most};
use crate::limits::RANGES_MAX;
use crate::wire_map;

/// A set of sequences counted from 1: all up to `contiguous`, and at most [`RANGES_MAX`] ranges beyond.
///
/// Full: a sequence that would need one more range is refused ([`Inserted::Full`]), nothing known is dropped. Whoever
/// was refused keeps the message and sends it again, and the contiguous part swallows ranges as holes fill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// All sequences up to this one are known.
    contiguous: u64,
    /// Ascending, inclusive, never touching one another or the contiguous part.
    ranges: Vec<(u64, u64)>,
}
wire_map!(Runs { 0 => contiguous, 1 => ranges }, check = Runs::check);

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Inserted {
    /// At least one sequence was new.
    New,
    /// All were known.
    Known,
    /// One more range than fits. Nothing changed.
    Full,
}

impl Runs {
    /// Nothing known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything up to `contiguous` known.
    #[must_use]
    pub fn up_to(contiguous: u64) -> Self {
        Self {
            contiguous,
            ranges: Vec::new(),
        }
    }

    /// Parts from outside, checked: ascending, apart, bounded.
    pub fn from_parts(contiguous: u64, ranges: Vec<(u64, u64)>) -> Result<Self, DecodeError> {
        let runs = Self { contiguous, ranges };
        runs.check()?;
        Ok(runs)
    }

    /// All sequences up to this one are known.
    #[must_use]
    pub fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// What is known beyond: ascending, inclusive.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// The largest known sequence, 0 for none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.ranges.last().map_or(self.contiguous, |range| range.1)
    }

    /// Whether `sequence` is known. 0 never is.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        self.covers(sequence, sequence)
    }

    /// Whether all of `from..=to` are known.
    #[must_use]
    pub fn covers(&self, from: u64, to: u64) -> bool {
        if from == 0 || from > to {
            return false;
        }
        if to <= self.contiguous {
            return true;
        }
        let from = from.max(self.contiguous.saturating_add(1));
        let index = self.ranges.partition_point(|range| range.1 < from);
        self.ranges
            .get(index)
            .is_some_and(|range| range.0 <= from && to <= range.1)
    }

    /// Whether any of `from..=to` is known.
    #[must_use]
    pub fn touches(&self, from: u64, to: u64) -> bool {
        let from = from.max(1);
        if from > to {
            return false;
        }
        let index = self.ranges.partition_point(|range| range.1 < from);
        from <= self.contiguous || self.ranges.get(index).is_some_and(|range| range.0 <= to)
    }

    /// Adds one sequence.
    pub fn insert(&mut self, sequence: u64) -> Inserted {
        self.insert_run(sequence, sequence)
    }

    /// Adds `from..=to`; a run that starts at 0 or ends before it starts is `Known`, there is nothing in it to add.
    pub fn insert_run(&mut self, from: u64, to: u64) -> Inserted {
        if from == 0 || from > to || self.covers(from, to) {
            return Inserted::Known;
        }
        // The ranges that touch or overlap from..=to melt into one.
        let first = self
            .ranges
            .partition_point(|range| range.1.saturating_add(1) < from);
        let past = self
            .ranges
            .partition_point(|range| range.0 <= to.saturating_add(1));
        let joins = from <= self.contiguous.saturating_add(1);
        if !joins && first == past && self.ranges.len() >= RANGES_MAX {
            return Inserted::Full;
        }
        let mut merged = (from, to);
        if first < past {
            merged = (
                from.min(self.ranges[first].0),
                to.max(self.ranges[past - 1].1),
            );
        }
        if joins {
            self.contiguous = merged.1;
            self.ranges.drain(..past);
        } else {
            self.ranges.splice(first..past, [merged]);
        }
        Inserted::New
    }

    /// Adds all of `other`: `Full` as soon as one run does not fit (what fitted before it stays).
    pub fn merge(&mut self, other: &Self) -> Inserted {
        let mut result = Inserted::Known;
        let head = (other.contiguous > 0).then_some((1, other.contiguous));
        for (from, to) in head.into_iter().chain(other.ranges.iter().copied()) {
            match self.insert_run(from, to) {
                Inserted::New => result = Inserted::New,
                Inserted::Known => {}
                Inserted::Full => return Inserted::Full,
            }
        }
        result
    }

    /// The holes below the largest known sequence: inclusive, ascending.
    pub fn gaps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut start = self.contiguous.saturating_add(1);
        self.ranges.iter().map(move |&(from, to)| {
            let gap = (start, from - 1);
            start = to.saturating_add(1);
            gap
        })
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most("ranges", self.ranges.len(), RANGES_MAX)?;
        let mut end = self.contiguous;
        for &(from, to) in &self.ranges {
            if from > to || from <= end.saturating_add(1) {
                return Err(DecodeError::Invalid {
                    what: "ranges must ascend and stand apart",
                });
            }
            end = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
