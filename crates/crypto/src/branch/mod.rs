// SPDX-License-Identifier: MIT OR Apache-2.0
//! Branches: which of the states that a thread's commits lead to is the one to be in.
//!
//! Nobody orders commits, so two may have one parent. Every member keeps the states it knows as a tree and walks it
//! from the oldest down to the head. At a fork, among the children of one parent:
//!
//! 1. Children that more than half of the parent's voters acknowledged are *final*; if there is one, the others are
//!    out. If there are several, equivocators go last and of the rest **the largest rank stays**.
//! 2. With none, and a child known here for the thread's patience (72 h; in a pair 24 h): the child that most voters
//!    acknowledged and no other of the fork; equal: the smallest rank.
//! 3. Else the smallest rank, equivocators last.
//!
//! Why the largest in (1): members go from a larger rank to a smaller one by themselves, and back only to what is
//! final. So who acknowledged both came from the larger without knowing how many were there already; whoever could
//! show each of them a smaller rank before the others' acknowledgements arrive would otherwise win against all.
//!
//! The choice follows from the commits, the acknowledgements and, in (2) alone, from how long they are known here: no
//! order of arrival decides. Nothing here holds a key or knows MLS; whoever calls has verified every commit against
//! its parent and every signature.

mod choice;
mod forget;
mod rank;
mod row;
mod tree;

pub use choice::Finality;
pub use rank::{Class, Rank, Standing};
pub use tree::{
    ACKNOWLEDGED_AHEAD_MAX, Acknowledged, Branches, COMMITS_OF_ONE_MAX, Commit, Committer,
    DEPTH_MAX, LearnError, Learnt, Patience, Unit, Who,
};

#[cfg(test)]
mod tests;
