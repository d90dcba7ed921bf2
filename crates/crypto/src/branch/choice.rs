// SPDX-License-Identifier: MIT OR Apache-2.0
//! The choice: which child of a fork to follow, and so which state is the head.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;

use super::rank::Rank;
use super::tree::{Branches, Voter};

/// Why a state is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// More than half of its parent's voters acknowledged it. Whoever has their signatures knows.
    Acknowledged,
    /// It was known here for the thread's patience. Nobody else can know that, so it never stands against
    /// acknowledgements.
    Age,
}

impl Branches {
    /// The state to be in. Costs a walk down the tree.
    pub fn head(&self, now: Time) -> ParentHash {
        *self
            .path(now)
            .last()
            .expect("a path holds at least the root")
    }

    /// The way from the root to the head, both included.
    pub fn path(&self, now: Time) -> Vec<ParentHash> {
        let mut path = vec![self.root];
        let mut at = self.root;
        while let Some(child) = self.choose(at, now) {
            path.push(child);
            at = child;
        }
        path
    }

    /// Whether and why a state is final; `None` also for the root and for states not known.
    pub fn finality(&self, state: ParentHash, now: Time) -> Option<Finality> {
        let parent = self.parent(state)?;
        let voters = self.voters(parent);
        if self.voices(state, &voters).len() * 2 > voters.len() {
            Some(Finality::Acknowledged)
        } else if self.age_ms(state, now) >= self.patience.age_ms {
            Some(Finality::Age)
        } else {
            None
        }
    }

    /// Which child of `parent` to follow: the rule of this module.
    fn choose(&self, parent: ParentHash, now: Time) -> Option<ParentHash> {
        let children = &self.known(parent).children;
        let final_by = |why| {
            children
                .iter()
                .copied()
                .filter(move |child| self.finality(*child, now) == Some(why))
        };
        let order = |child: &ParentHash| self.order(*child);
        let largest_first = |child: &ParentHash| {
            let (equivocated, rank) = self.order(*child);
            (equivocated, Reverse(rank))
        };
        if let Some(child) = final_by(Finality::Acknowledged).min_by_key(largest_first) {
            return Some(child);
        }
        if final_by(Finality::Age).next().is_some() {
            let sole = self.sole_voices(parent);
            let count = |child: &ParentHash| Reverse(sole.get(child).copied().unwrap_or(0));
            return children
                .iter()
                .copied()
                .min_by_key(|child| (count(child), order(child)));
        }
        children.iter().copied().min_by_key(order)
    }

    /// Smallest first: equivocators last, then by rank.
    fn order(&self, child: ParentHash) -> (bool, Rank) {
        let made = self
            .known(child)
            .made
            .expect("a child was made by a commit");
        let of_leaf = self.siblings_of_leaf(made.parent, &made.committer);
        (of_leaf.count() > 1, made.rank)
    }

    /// Which of `voters` acknowledged a state.
    fn voices(&self, state: ParentHash, voters: &BTreeSet<Voter>) -> BTreeSet<Voter> {
        let acknowledged = &self.known(state).acknowledged;
        let voices = acknowledged.iter().map(|who| self.voter(*who));
        voices.filter(|voter| voters.contains(voter)).collect()
    }

    /// How many voters acknowledged each child of a fork and no other of it.
    fn sole_voices(&self, parent: ParentHash) -> BTreeMap<ParentHash, usize> {
        let voters = self.voters(parent);
        let mut chosen: BTreeMap<Voter, Vec<ParentHash>> = BTreeMap::new();
        for child in &self.known(parent).children {
            for voter in self.voices(*child, &voters) {
                chosen.entry(voter).or_default().push(*child);
            }
        }
        let mut sole = BTreeMap::new();
        for of_one in chosen.into_values() {
            if let [child] = of_one[..] {
                *sole.entry(child).or_default() += 1;
            }
        }
        sole
    }

    /// How long a state is known here. Across a restart of the machine only the wall clock tells; where it jumps, a
    /// fork is counted by heads too early or too late, and nothing else.
    pub(super) fn age_ms(&self, state: ParentHash, now: Time) -> u64 {
        let since = self.known(state).since;
        if since.boot == now.boot {
            now.mono_ms.saturating_sub(since.mono_ms)
        } else {
            now.wall_ms.saturating_sub(since.wall_ms)
        }
    }
}
