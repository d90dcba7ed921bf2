// SPDX-License-Identifier: MIT OR Apache-2.0
//! Forgetting: which states need no longer be kept, and when to look again.

use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;

use super::choice::Finality;
use super::tree::{Branches, DEPTH_MAX};

impl Branches {
    /// Drops what can no longer matter and says which states: their rows go in the same commit. The first state on the
    /// way to the head that stays is the new root; what hung off the way above it goes with it.
    ///
    /// A root goes when the next state on the way is settled, so that no other child of the root can win:
    /// - every device of the root acknowledged the next one: nobody is left who could still write elsewhere; or
    /// - the next one is final by acknowledgements, and the way is R epochs longer or it is known for T hours; or
    /// - it is final by age alone, and the way is R epochs longer or it is known for T hours more.
    ///
    /// Longer than [`DEPTH_MAX`], the way loses its first states, settled or not. The head never changes by it.
    pub fn forget(&mut self, now: Time) -> Vec<ParentHash> {
        let path = self.path(now);
        let mut gone = Vec::new();
        for (depth, pair) in path.windows(2).enumerate() {
            let (root, next) = (pair[0], pair[1]);
            let states_below = path.len() - depth - 2;
            if states_below + 2 <= DEPTH_MAX && !self.is_settled(root, next, states_below, now) {
                break;
            }
            gone.extend(self.move_root(next));
        }
        gone
    }

    /// After how many milliseconds time alone may change the head or what can be forgotten; `None` if it will not.
    pub fn due_in_ms(&self, now: Time) -> Option<u64> {
        let patience = self.patience.age_ms;
        let children = self.states().filter(|state| *state != self.root());
        let ages = children.map(|child| self.age_ms(child, now));
        let steps = ages.flat_map(|age| {
            [patience, patience.saturating_mul(2)].map(|step| step.saturating_sub(age))
        });
        steps.filter(|wait| *wait > 0).min()
    }

    fn is_settled(&self, root: ParentHash, next: ParentHash, below: usize, now: Time) -> bool {
        let all = self
            .known(root)
            .members
            .is_subset(&self.known(next).acknowledged);
        if all {
            return true;
        }
        let patience = self.patience;
        let is_deep = below >= patience.epochs as usize;
        let age = self.age_ms(next, now);
        match self.finality(next, now) {
            Some(Finality::Acknowledged) => is_deep || age >= patience.age_ms,
            Some(Finality::Age) => is_deep || age >= patience.age_ms.saturating_mul(2),
            None => false,
        }
    }

    fn move_root(&mut self, next: ParentHash) -> Vec<ParentHash> {
        let old = self.root;
        self.root = next;
        self.known_mut(old).children.remove(&next);
        self.known_mut(next).made = None;
        self.remove_subtree(old)
    }
}
