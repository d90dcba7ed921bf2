// SPDX-License-Identifier: MIT OR Apache-2.0
//! The acknowledgement: what one member has of each author, signed by its leaf key and passed on by others.

use std::collections::BTreeSet;

use crate::codec::{DecodeError, at_most};
use crate::id::{DeviceId, Lane, ParentHash, ThreadId};
use crate::limits::{ACK_ENTRIES_MAX, ACK_RANGES_MAX};
use crate::runs::Runs;
use crate::signed::Signable;
use crate::tag::label;
use crate::wire_map;

/// All that a leaf has received and stored in a thread. Not itself acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckVector {
    /// The thread.
    pub thread: ThreadId,
    /// Which MLS group of the thread.
    pub incarnation: u32,
    /// The state the leaf is in: counts towards making a commit final.
    pub parent: ParentHash,
    /// One entry for each author and lane, ascending.
    pub entries: Vec<AckEntry>,
}
wire_map!(AckVector { 0 => thread, 1 => incarnation, 2 => parent, 3 => entries }, check = AckVector::check);

/// What the leaf has of one author in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckEntry {
    /// The author's device.
    pub author: DeviceId,
    /// The lane.
    pub lane: Lane,
    /// The sequences of messages.
    pub runs: Runs,
}
wire_map!(AckEntry { 0 => author, 1 => lane, 2 => runs });

impl Signable for AckVector {
    const LABEL: &'static str = label::ACK_VECTOR;
    const VERSION: u16 = 1;
}

impl AckVector {
    /// What is acknowledged of `author` in `lane`.
    #[must_use]
    pub fn runs(&self, author: DeviceId, lane: Lane) -> Option<&Runs> {
        self.entries
            .iter()
            .find(|entry| entry.author == author && entry.lane == lane)
            .map(|entry| &entry.runs)
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most(
            "entries of an acknowledgement",
            self.entries.len(),
            ACK_ENTRIES_MAX,
        )?;
        let ranges = self
            .entries
            .iter()
            .map(|entry| entry.runs.ranges().len())
            .sum();
        at_most("ranges of an acknowledgement", ranges, ACK_RANGES_MAX)?;
        let keys: Vec<_> = self
            .entries
            .iter()
            .map(|entry| (entry.author, entry.lane))
            .collect();
        let distinct: BTreeSet<_> = keys.iter().collect();
        if distinct.len() != keys.len() || !keys.is_sorted() {
            return Err(DecodeError::Invalid {
                what: "an acknowledgement names each author and lane once, ascending",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
