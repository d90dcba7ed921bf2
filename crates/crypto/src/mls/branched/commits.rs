// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commits of a branched thread: ours, which lead on from the head, and those of others, which may lead on from any
//! known state.
//!
//! Leaving needs no commit of ours: it is a message, and whoever reads it removes us.

use comptoir_protocol::Signed;
use comptoir_protocol::evidence::ContextConsent;

use super::*;
use crate::branch::Rank;
use crate::mls::context::ComptoirContext;
use crate::mls::error::CommitError;
use crate::mls::leaf::Leaf;
use crate::mls::package::VerifiedKeyPackage;
use crate::mls::thread::{Added, CommitSummary, Committed};

/// What came of somebody's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it does in the state it leads to.
    pub summary: CommitSummary,
    /// Whether that state was known: then nothing changed.
    pub known: bool,
    /// The head, if it is another now.
    pub moved: Option<Moved>,
}

impl BranchedThread {
    /// Takes in a commit whose envelope names `parent`. On error nothing changed.
    ///
    /// It is merged on a copy of `parent`, whatever the head is. Costs loading that copy, judging and merging, and two
    /// rows: 1.4 ms at 2 members, 12 ms at 20, 44 ms at 100, on a loaded machine.
    pub fn receive_commit(
        &mut self,
        rows: &impl Rows,
        parent: ParentHash,
        bytes: &[u8],
        now: Time,
    ) -> Result<Received, ReceiveError> {
        if !self.branches.contains(parent) {
            return Err(ReceiveError::UnknownParent { parent });
        }
        let copy = if parent == self.head {
            self.head_copy(rows)?
        } else {
            self.kept(rows, parent)?
        };
        let (summary, mut next) = copy.merge(bytes)?;
        let members = who_is_in(&next.members());
        let Learnt::New { dropped } = self.branches.learn(edge(&summary, members), now)? else {
            return Ok(Received {
                summary,
                known: true,
                moved: None,
            });
        };
        self.tree_changed = true;
        self.keep(summary.child, &mut next);
        self.drop_rows(&dropped);
        let moved = self.settle(rows, now)?;
        Ok(Received {
            summary,
            known: false,
            moved,
        })
    }

    /// Adds devices by their packages.
    pub fn add(
        &mut self,
        rows: &impl Rows,
        packages: &[VerifiedKeyPackage],
        seed: StepSeed,
        now: Time,
    ) -> Result<Added, CommitError> {
        self.commit(
            rows,
            now,
            |live| live.add(packages, seed),
            |made| &made.summary,
        )
    }

    /// Removes leaves.
    pub fn remove(
        &mut self,
        rows: &impl Rows,
        leaf_indices: &[u32],
        seed: StepSeed,
        now: Time,
    ) -> Result<Committed, CommitError> {
        self.plain(rows, now, |live| live.remove(leaf_indices, seed))
    }

    /// Renews our own keys.
    pub fn self_update(
        &mut self,
        rows: &impl Rows,
        seed: StepSeed,
        now: Time,
    ) -> Result<Committed, CommitError> {
        self.plain(rows, now, |live| live.self_update(seed))
    }

    /// Changes what the members agreed on.
    pub fn change_context(
        &mut self,
        rows: &impl Rows,
        context: &ComptoirContext,
        seed: StepSeed,
        now: Time,
    ) -> Result<Committed, CommitError> {
        self.plain(rows, now, |live| live.change_context(context, seed))
    }

    /// Changes it as two thirds of the accounts consent, in this state, to it.
    pub fn change_context_agreed(
        &mut self,
        rows: &impl Rows,
        context: &ComptoirContext,
        consents: Vec<Signed<ContextConsent>>,
        seed: StepSeed,
        now: Time,
    ) -> Result<Committed, CommitError> {
        self.plain(rows, now, |live| {
            live.change_context_agreed(context, consents, seed)
        })
    }

    /// Puts another leaf of this device in the place of ours.
    pub fn replace_leaf(
        &mut self,
        rows: &impl Rows,
        leaf: &Leaf,
        seed: StepSeed,
        now: Time,
    ) -> Result<Committed, CommitError> {
        self.plain(rows, now, |live| live.replace_leaf(leaf, seed))
    }

    fn plain(
        &mut self,
        rows: &impl Rows,
        now: Time,
        make: impl FnOnce(&mut MlsThread) -> Result<Committed, CommitError>,
    ) -> Result<Committed, CommitError> {
        self.commit(rows, now, make, |made| &made.summary)
    }

    /// Makes a commit in the head. The head's rows are kept from before it was made: they lag by the one key that it
    /// took, and are read and left only. On error the head is loaded again, so nothing changed.
    fn commit<T>(
        &mut self,
        rows: &impl Rows,
        now: Time,
        make: impl FnOnce(&mut MlsThread) -> Result<T, CommitError>,
        summary: impl Fn(&T) -> &CommitSummary,
    ) -> Result<T, CommitError> {
        self.flush();
        let made = match make(&mut self.live) {
            Ok(made) => made,
            Err(error) => {
                self.reload(rows)?;
                return Err(error);
            }
        };
        let summary = summary(&made);
        let members = who_is_in(&self.live.members());
        if let Err(error) = self.branches.learn(edge(summary, members), now) {
            self.reload(rows)?;
            return Err(error.into());
        }
        self.move_on(rows, summary.child)?;
        self.settle(rows, now)?;
        Ok(made)
    }

    /// The live thread has become `child`: the rows of before become a kept state's, its own the head's.
    fn move_on(&mut self, rows: &impl Rows, child: ParentHash) -> Result<(), LoadError> {
        for row in [GROUP_ROW, RATCHET_ROW] {
            let bytes = self.row(rows, row)?.ok_or(LoadError::Incomplete)?;
            self.changes
                .insert(state_key(self.head, row), RowChange::Put(bytes));
        }
        self.head = child;
        self.tree_changed = true;
        self.flush();
        Ok(())
    }
}

/// A commit as the tree takes it.
fn edge(summary: &CommitSummary, members: BTreeSet<Who>) -> Commit {
    let CommitSummary {
        parent,
        child,
        class,
        standing,
        leaf_index,
        ref committer,
        ..
    } = *summary;
    Commit {
        parent,
        child,
        committer: Committer {
            who: who(committer),
            leaf_index,
        },
        rank: Rank::new(class, standing, parent, leaf_index, child),
        members,
    }
}
