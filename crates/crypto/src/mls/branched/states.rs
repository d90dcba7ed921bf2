// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of the states, and the moves between them.

use std::collections::BTreeMap;

use comptoir_protocol::codec::DecodeError;
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;
use comptoir_protocol::{Reader, Wire as _, Writer};

use super::{BranchedThread, KeptState, Moved};
use crate::branch::Branches;
use crate::mls::error::{LoadError, RowsError};
use crate::mls::record::{GROUP_ROW, RATCHET_ROW, RecordError};
use crate::mls::thread::{MlsThread, Ratchet, RowChange, Rows};

/// The row of the tree.
pub(super) const BRANCHES_ROW: &[u8] = b"b";
/// Version of that row.
const VERSION: u8 = 1;
const STATE_PREFIX: u8 = b's';

/// The key of a row of another state than the head.
pub(super) fn state_key(state: ParentHash, row: &[u8]) -> Vec<u8> {
    [&[STATE_PREFIX], state.0.as_slice(), row].concat()
}

/// The two rows of one state, as [`MlsThread::load`] asks for them.
pub(super) struct StateRows(pub(super) [Option<Vec<u8>>; 2]);

impl Rows for StateRows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, RowsError> {
        let Self([group, ratchets]) = self;
        Ok(match key {
            GROUP_ROW => group.clone(),
            RATCHET_ROW => ratchets.clone(),
            _ => None,
        })
    }
}

pub(super) fn write_tree(head: ParentHash, branches: &Branches) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open_array(2);
    head.encode(&mut writer);
    branches.encode(&mut writer);
    [&[VERSION], writer.into_bytes().as_slice()].concat()
}

pub(super) fn read_tree(row: &[u8]) -> Result<(ParentHash, Branches), RecordError> {
    let body = match row.split_first() {
        Some((&VERSION, body)) => body,
        Some((&version, _)) => return Err(RecordError::Newer { version }),
        None => return Err(RecordError::Damaged(DecodeError::Truncated)),
    };
    let mut reader = Reader::new(body);
    if reader.open_array()? != 2 {
        return Err(RecordError::Damaged(DecodeError::Invalid {
            what: "a tree's row is a head and a tree",
        }));
    }
    let head = ParentHash::decode(&mut reader)?;
    let branches = Branches::decode(&mut reader)?;
    reader.close();
    reader.finish()?;
    Ok((head, branches))
}

impl BranchedThread {
    /// Loads a known state other than the head.
    pub(super) fn kept(&self, rows: &impl Rows, state: ParentHash) -> Result<KeptState, LoadError> {
        let keys = [GROUP_ROW, RATCHET_ROW].map(|row| state_key(state, row));
        Ok(KeptState::new(self.load_from(rows, &keys)?))
    }

    /// Loads a copy of the head.
    pub(super) fn head_copy(&mut self, rows: &impl Rows) -> Result<KeptState, LoadError> {
        self.flush();
        let keys = [GROUP_ROW, RATCHET_ROW].map(<[u8]>::to_vec);
        Ok(KeptState::new(self.load_from(rows, &keys)?))
    }

    /// Loads the head again after an operation on it failed half-way.
    pub(super) fn reload(&mut self, rows: &impl Rows) -> Result<(), LoadError> {
        let keys = [GROUP_ROW, RATCHET_ROW].map(<[u8]>::to_vec);
        self.live = self.load_from(rows, &keys)?;
        Ok(())
    }

    /// Puts the head's ratchets among the changes, as far as they went.
    pub(super) fn flush(&mut self) {
        self.changes.extend(self.live.take_changes(Ratchet::Write));
    }

    /// Puts a state's rows among the changes.
    pub(super) fn keep(&mut self, state: ParentHash, kept: &mut KeptState) {
        for (row, change) in kept.take_changes() {
            self.changes.insert(state_key(state, &row), change);
        }
    }

    pub(super) fn drop_rows(&mut self, states: &[ParentHash]) {
        for state in states {
            for row in [GROUP_ROW, RATCHET_ROW] {
                self.changes
                    .insert(state_key(*state, row), RowChange::Delete);
            }
        }
    }

    /// Takes the head's rows away from where the head's are: they become those of a kept state.
    pub(super) fn leave_head(&mut self, rows: &impl Rows) -> Result<(), LoadError> {
        self.flush();
        let mut moved = BTreeMap::new();
        for row in [GROUP_ROW, RATCHET_ROW] {
            let bytes = self.row(rows, row)?.ok_or(LoadError::Incomplete)?;
            moved.insert(state_key(self.head, row), RowChange::Put(bytes));
        }
        self.changes.extend(moved);
        Ok(())
    }

    /// Goes where the tree says, and forgets what the tree forgets.
    pub(super) fn settle(
        &mut self,
        rows: &impl Rows,
        now: Time,
    ) -> Result<Option<Moved>, LoadError> {
        let (from, to) = (self.head, self.branches.head(now));
        if from != to {
            let keys = [GROUP_ROW, RATCHET_ROW].map(|row| state_key(to, row));
            let next = self.load_from(rows, &keys)?;
            // A state that the tree dropped is left without a trace.
            if self.branches.contains(from) {
                self.leave_head(rows)?;
            }
            for (row, key) in [GROUP_ROW, RATCHET_ROW].into_iter().zip(keys) {
                let bytes = self.row(rows, &key)?.ok_or(LoadError::Incomplete)?;
                self.changes.insert(row.to_vec(), RowChange::Put(bytes));
                self.changes.insert(key, RowChange::Delete);
            }
            (self.live, self.head, self.tree_changed) = (next, to, true);
        }
        let gone = self.branches.forget(now);
        if !gone.is_empty() {
            self.tree_changed = true;
            self.drop_rows(&gone);
        }
        Ok((from != to).then_some(Moved { from, to }))
    }

    fn load_from(&self, rows: &impl Rows, keys: &[Vec<u8>; 2]) -> Result<MlsThread, LoadError> {
        let [group, ratchets] = keys;
        MlsThread::load(&StateRows([
            self.row(rows, group)?,
            self.row(rows, ratchets)?,
        ]))
    }

    /// A row as it will be once the changes are committed.
    pub(super) fn row(&self, rows: &impl Rows, key: &[u8]) -> Result<Option<Vec<u8>>, RowsError> {
        match self.changes.get(key) {
            Some(RowChange::Put(row)) => Ok(Some(row.clone())),
            Some(RowChange::Delete) => Ok(None),
            None => rows.get(key),
        }
    }
}
