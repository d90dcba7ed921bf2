// SPDX-License-Identifier: MIT OR Apache-2.0
//! The branched thread: every state of a thread that may still matter, and the one it is in.
//!
//! [`Branches`] decides which state that is; here are the states themselves. The head's rows are `g` and `r`, as of
//! any thread; another state's are `s‖hash‖g` and `s‖hash‖r`; the tree is `b`. The rows of a state and the commit that
//! leads away from it go out in the same changes.
//!
//! Three things keep every key from sealing twice:
//! - only the head sends and commits, and a head has no child: what has one is a [`KeptState`], which cannot;
//! - a state that is left keeps its ratchets as far as they went, so when it is the head again it goes on from there;
//! - an operation that fails changes nothing but what loading again brings back.
//!
//! Messages of a state that is not the head are read in that state's own rows, so each is read once whatever branch
//! the head is on. When the rows are gone, the head still opens what its past epochs hold.

mod commits;
mod kept;
mod states;

use std::collections::{BTreeMap, BTreeSet};

use comptoir_protocol::Signed;
use comptoir_protocol::acknowledgement::AckVector;
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;

pub use commits::Received;
use kept::KeptState;

use super::error::{AcknowledgeError, LoadError, OpenError, ReadError, ReceiveError, ReplaceError};
use super::record::{GROUP_ROW, RATCHET_ROW};
use super::thread::{Member, MlsThread, Opened, Ratchet, RowChange, Rows};
use super::{DecryptError, EncryptError};
use crate::branch::{Acknowledged, Branches, Commit, Committer, Learnt, Patience, Who};
use crate::seed::StepSeed;
use states::{BRANCHES_ROW, read_tree, state_key, write_tree};

/// A thread with all its states.
pub struct BranchedThread {
    branches: Branches,
    /// The state that `live` is: its own name, or the one that stands for a state we were removed in.
    head: ParentHash,
    live: MlsThread,
    /// Rows that were moved or made and not yet taken out: they lie over those that are given in.
    changes: BTreeMap<Vec<u8>, RowChange>,
    tree_changed: bool,
}

/// The thread went over to another branch: what was said and done on the way that is left, and that others did not
/// take over, is to be said and done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The state that was the head.
    pub from: ParentHash,
    /// The head.
    pub to: ParentHash,
}

impl BranchedThread {
    /// Takes a thread just made, joined or entered as the first known state.
    pub fn new(thread: MlsThread, now: Time) -> Self {
        let head = thread.parent();
        let branches = Branches::new(
            head,
            who_is_in(&thread.members()),
            Patience::of(thread.context().kind),
            now,
        );
        Self {
            branches,
            head,
            live: thread,
            changes: BTreeMap::new(),
            tree_changed: true,
        }
    }

    /// Opens the thread whose rows are `rows`. One that was kept without branches begins them in its present state.
    pub fn load(rows: &impl Rows, now: Time) -> Result<Self, OpenError> {
        let live = MlsThread::load(rows)?;
        let Some(row) = rows.get(BRANCHES_ROW).map_err(LoadError::from)? else {
            return Ok(Self::new(live, now));
        };
        let (head, branches) = read_tree(&row).map_err(LoadError::from)?;
        if !branches.contains(head) || live.is_active() && live.parent() != head {
            return Err(OpenError::OtherHead { head });
        }
        Ok(Self {
            branches,
            head,
            live,
            changes: BTreeMap::new(),
            tree_changed: false,
        })
    }

    /// The state it is in, which envelopes made here name as their parent.
    pub fn head(&self) -> ParentHash {
        self.head
    }

    /// The head, to look at.
    pub fn live(&self) -> &MlsThread {
        &self.live
    }

    /// The known states.
    pub fn branches(&self) -> &Branches {
        &self.branches
    }

    /// About how many bytes of memory it takes. Other states than the head are loaded only while they are read.
    pub fn memory_bytes(&self) -> usize {
        // A state of the tree costs some 300 bytes, and 64 for each of its members, twice where it is acknowledged.
        let tree: usize = self
            .branches
            .states()
            .map(|state| 300 + 128 * self.branches.members(state).map_or(0, BTreeSet::len))
            .sum();
        let waiting: usize = self
            .changes
            .values()
            .map(|change| match change {
                RowChange::Put(row) => row.capacity(),
                RowChange::Delete => 0,
            })
            .sum();
        self.live.memory_bytes() + tree + waiting
    }

    /// Seals `plaintext` in the head, bound to `aad`. As with [`MlsThread::encrypt`] the changes are committed first.
    pub fn encrypt(
        &mut self,
        plaintext: &[u8],
        aad: &[u8],
        seed: StepSeed,
    ) -> Result<Vec<u8>, EncryptError> {
        self.live.encrypt(plaintext, aad, seed)
    }

    /// Opens a message whose envelope names `parent`, in whatever known state that is. On error nothing changed.
    ///
    /// In another state than the head it costs loading that state: 0.3 ms at 2 members, 3 ms at 100.
    pub fn decrypt(
        &mut self,
        rows: &impl Rows,
        parent: ParentHash,
        bytes: &[u8],
        aad: &[u8],
    ) -> Result<Opened, ReadError> {
        if parent == self.head {
            return Ok(self.live.decrypt(bytes, aad)?);
        }
        if self.branches.contains(parent) {
            let mut kept = self.kept(rows, parent)?;
            let opened = kept.decrypt(bytes, aad)?;
            self.keep(parent, &mut kept);
            return Ok(opened);
        }
        match self.live.decrypt(bytes, aad) {
            Err(
                DecryptError::Refused(_)
                | DecryptError::EpochAhead
                | DecryptError::EpochGone
                | DecryptError::Removed,
            ) => Err(ReadError::UnknownState { parent }),
            other => Ok(other?),
        }
    }

    /// Signs what we have of the thread, and counts it: from here on we have acknowledged the head.
    pub fn sign(&mut self, vector: &AckVector) -> Signed<AckVector> {
        if vector.parent == self.head {
            self.count_own();
        }
        self.live.sign(vector)
    }

    /// Takes in an acknowledgement that anybody handed on. It may move the head.
    pub fn acknowledge(
        &mut self,
        rows: &impl Rows,
        vector: &Signed<AckVector>,
        now: Time,
    ) -> Result<Option<Moved>, AcknowledgeError> {
        let vector = vector.clone().verify()?;
        let context = self.live.context();
        if (vector.thread, vector.incarnation) != (context.thread, context.incarnation) {
            return Err(AcknowledgeError::OtherThread);
        }
        let members = if vector.parent != self.head && self.branches.contains(vector.parent) {
            self.kept(rows, vector.parent)?.members()
        } else {
            self.live.members()
        };
        let who = members
            .iter()
            .find(|member| member.leaf_key == vector.signer())
            .map(who)
            .ok_or(AcknowledgeError::NotAMember)?;
        match self.branches.acknowledge(who, vector.parent) {
            Acknowledged::New | Acknowledged::Ahead => self.tree_changed = true,
            Acknowledged::Known => {}
            Acknowledged::NotAMember => return Err(AcknowledgeError::NotAMember),
        }
        Ok(self.settle(rows, now)?)
    }

    /// Looks again after time has passed (see [`Branches::due_in_ms`]): it may move the head, and forgets states.
    pub fn tick(&mut self, rows: &impl Rows, now: Time) -> Result<Option<Moved>, LoadError> {
        self.settle(rows, now)
    }

    /// Takes out what changed since the last time, as rows to commit with the step.
    pub fn take_changes(&mut self, ratchet: Ratchet) -> BTreeMap<Vec<u8>, RowChange> {
        self.changes.extend(self.live.take_changes(ratchet));
        if self.tree_changed {
            let row = write_tree(self.head, &self.branches);
            self.changes
                .insert(BRANCHES_ROW.to_vec(), RowChange::Put(row));
            self.tree_changed = false;
        }
        std::mem::take(&mut self.changes)
    }

    /// The changes that delete the thread with all its states.
    pub fn deletion(&self) -> BTreeMap<Vec<u8>, RowChange> {
        let mut changes = MlsThread::deletion();
        changes.insert(BRANCHES_ROW.to_vec(), RowChange::Delete);
        for state in self.branches.states() {
            for row in [GROUP_ROW, RATCHET_ROW] {
                changes.insert(state_key(state, row), RowChange::Delete);
            }
        }
        changes
    }

    /// Puts `thread`, joined by a Welcome to the branch that won or come back into, in the place of all that is known.
    ///
    /// A Welcome that is played again leads into a state with ratchets that were used. One to a known state is refused
    /// here; whoever calls remembers the Welcomes that were taken, for those to states that were forgotten.
    pub fn replace(&mut self, thread: MlsThread, now: Time) -> Result<(), ReplaceError> {
        let state = thread.parent();
        if self.branches.contains(state) {
            return Err(ReplaceError::Known { state });
        }
        let mut changes = self.deletion();
        // The rows of the new head are put over these deletions.
        changes.remove(GROUP_ROW);
        changes.remove(RATCHET_ROW);
        *self = Self {
            changes,
            ..Self::new(thread, now)
        };
        Ok(())
    }

    fn count_own(&mut self) {
        let own = self.live.own_leaf_index();
        let members = self.live.members();
        if self.live.is_active()
            && let Some(own) = members.iter().find(|member| member.leaf_index == own)
            && self.branches.acknowledge(who(own), self.head) == Acknowledged::New
        {
            self.tree_changed = true;
        }
    }
}

impl std::fmt::Debug for BranchedThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BranchedThread")
            .field("head", &self.head)
            .field("live", &self.live)
            .field("states", &self.branches.states().count())
            .finish_non_exhaustive()
    }
}

fn who(member: &Member) -> Who {
    Who {
        account: member.account,
        device: member.device,
    }
}

fn who_is_in(members: &[Member]) -> BTreeSet<Who> {
    members.iter().map(who).collect()
}
