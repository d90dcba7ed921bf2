// SPDX-License-Identifier: MIT OR Apache-2.0
//! The place: where a message stands in its thread, computed alike by everyone who reads it.

use crate::id::DeviceId;
use crate::wire_map;

/// A message's place. Places order a thread: by height, then author, then sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// One more than the largest height among the heads the message names.
    pub height: u64,
    /// The author's device.
    pub author: DeviceId,
    /// The author's sequence.
    pub sequence: u64,
}
wire_map!(Place { 0 => height, 1 => author, 2 => sequence });

impl Place {
    /// The place of the message after `heads`, the places of what its author had seen.
    #[must_use]
    pub fn after(heads: impl IntoIterator<Item = Self>, author: DeviceId, sequence: u64) -> Self {
        let highest = heads
            .into_iter()
            .map(|place| place.height)
            .max()
            .unwrap_or(0);
        Self {
            height: highest.saturating_add(1),
            author,
            sequence,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    ///
    #[test]
    fn an_answer_stands_after_what_its_author_had_seen() {
        let (alice, bob) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let question = Place::after([], bob, 1);
        let aside = Place::after([], alice, 1);
        let answer = Place::after([question, aside], alice, 2);
        assert!(aside < question, "equal height: the smaller device first");
        assert!(question < answer);
        assert_eq!(answer.height, 2);
    }
}
