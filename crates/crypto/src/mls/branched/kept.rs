// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kept state: one that the thread is not in, or a copy of the one it is in. It is read and left, never written.
//!
//! It may be older than what was sent from it: a commit of ours that led away from it took its key from a copy. So it
//! has no way to send or commit. It is left by merging a child, or becomes the head when it has none.

use std::collections::BTreeMap;

use crate::mls::error::{DecryptError, ProcessError};
use crate::mls::thread::{CommitSummary, Member, MlsThread, Opened, Ratchet, RowChange};

pub(super) struct KeptState(MlsThread);

impl KeptState {
    pub(super) fn new(thread: MlsThread) -> Self {
        Self(thread)
    }

    pub(super) fn members(&self) -> Vec<Member> {
        self.0.members()
    }

    pub(super) fn decrypt(&mut self, bytes: &[u8], aad: &[u8]) -> Result<Opened, DecryptError> {
        self.0.decrypt(bytes, aad)
    }

    /// Goes on to the child that `commit` makes. What it was is still in its rows.
    pub(super) fn merge(mut self, commit: &[u8]) -> Result<(CommitSummary, Self), ProcessError> {
        let summary = self.0.process_commit(commit)?;
        Ok((summary, self))
    }

    pub(super) fn take_changes(&mut self) -> BTreeMap<Vec<u8>, RowChange> {
        self.0.take_changes(Ratchet::Write)
    }
}
