// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows in and out: where a thread is loaded from, and what it changed.

use std::collections::BTreeMap;

use openmls::group::{GroupId, MlsGroup, PastEpochDeletion};
use zeroize::Zeroizing;

use super::{MlsThread, RowBytes, join_config};
use crate::mls::codec;
use crate::mls::context::ComptoirContext;
use crate::mls::crypto::StepCrypto;
use crate::mls::error::{LoadError, RowsError};
use crate::mls::leaf::{KnownLeaf, credential_hash};
use crate::mls::provider::Provider;
use crate::mls::record::{self, GROUP_ROW, RATCHET_ROW, RecordError};
use crate::mls::rules::read_context;
use crate::mls::storage::{Kind, Overlay};

/// Where a thread's rows lie. Keys are relative to the thread: whoever implements this puts its own prefix before
/// them. A thread has two rows.
pub trait Rows {
    /// The row `key`, if there is one.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, RowsError>;
}

/// What becomes of one row.
#[derive(Clone, PartialEq, Eq)]
pub enum RowChange {
    /// It is this from now on.
    Put(Vec<u8>),
    /// It is gone.
    Delete,
}

/// A row holds keys: its length is enough.
impl core::fmt::Debug for RowChange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put(row) => write!(f, "Put({} bytes)", row.len()),
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// Whether the ratchets' row is taken out where only receiving moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ratchet {
    /// It is: the step closes a group of steps, or the thread is to be unloaded.
    Write,
    /// It stays pending in the loaded thread. Should the thread be lost, the row of before still opens every later
    /// message; those it opens once more are known by their run. Where a message was sent it is taken out all the
    /// same: a send generation that came back would seal two messages with one key.
    Defer,
}

impl MlsThread {
    /// Opens the thread whose rows are `rows`.
    pub fn load(rows: &impl Rows) -> Result<Self, LoadError> {
        let group_row = Zeroizing::new(rows.get(GROUP_ROW)?.ok_or(LoadError::NotFound)?);
        let ratchet_row = Zeroizing::new(rows.get(RATCHET_ROW)?.ok_or(LoadError::Incomplete)?);
        let (leaf_key, mut known, slots) = record::read_group(&group_row)?;
        let mut slots = slots.take();
        slots.insert(
            Overlay::slot(Kind::JoinConfig),
            codec::encode(&join_config())?,
        );
        slots.insert(
            Overlay::slot(Kind::MessageSecrets),
            record::read_ratchets(&ratchet_row)?,
        );
        let group_id: GroupId = {
            let context = slots
                .get(&Overlay::slot(Kind::Context))
                .ok_or(LoadError::Incomplete)?;
            codec::decode::<openmls::group::GroupContext>(context)?
                .group_id()
                .clone()
        };
        let overlay = Overlay::from_slots(slots);
        let group = MlsGroup::load(&overlay, &group_id)?.ok_or(LoadError::Incomplete)?;
        let context = read_context(group.extensions())?;
        for member in group.members() {
            let leaf = KnownLeaf::of_proved(&member.credential).map_err(RecordError::Damaged)?;
            known.insert(credential_hash(&member.credential), leaf);
        }
        overlay.shed();
        let row_bytes = RowBytes {
            group: group_row.len(),
            ratchets: ratchet_row.len(),
        };
        Ok(Self {
            group,
            overlay,
            leaf_key,
            context,
            known,
            sent: false,
            spoilt: false,
            row_bytes,
        })
    }

    /// Takes out what changed since the last time, as rows to commit with the step; nothing after an error.
    pub fn take_changes(&mut self, ratchet: Ratchet) -> BTreeMap<Vec<u8>, RowChange> {
        let mut changes = BTreeMap::new();
        let group_changed = self.overlay.group_changed();
        let secrets_due = match ratchet {
            Ratchet::Write => self.overlay.secrets_changed(),
            Ratchet::Defer => self.overlay.secrets_changed() && self.sent,
        };
        if self.spoilt || !group_changed && !secrets_due {
            return changes;
        }
        let ratchet_row = self.ratchet_row();
        self.row_bytes.ratchets = ratchet_row.len();
        changes.insert(RATCHET_ROW.to_vec(), RowChange::Put(ratchet_row));
        if group_changed {
            // A row that lacks an entity would end the thread at its next loading.
            assert!(
                self.overlay.is_complete(),
                "every merged commit writes all of its group"
            );
            let row = self
                .overlay
                .with_slots(|slots| record::write_group(&self.leaf_key, &self.known, slots));
            self.overlay.shed();
            self.row_bytes.group = row.len();
            changes.insert(GROUP_ROW.to_vec(), RowChange::Put(row));
        }
        changes
    }

    /// Whether the ratchets' row lags behind the loaded thread.
    pub fn is_ratchet_pending(&self) -> bool {
        self.overlay.secrets_changed()
    }

    /// The changes that delete a thread.
    pub fn deletion() -> BTreeMap<Vec<u8>, RowChange> {
        [GROUP_ROW, RATCHET_ROW]
            .map(|key| (key.to_vec(), RowChange::Delete))
            .into()
    }

    pub(super) fn ratchet_row(&mut self) -> Vec<u8> {
        // OpenMLS gives its message secrets out in one way only: it writes them after it deleted some. Nothing is
        // older than the epoch of Unix time, so nothing is deleted.
        let nothing = PastEpochDeletion::before_timestamp(std::time::SystemTime::UNIX_EPOCH);
        let crypto = StepCrypto::reading();
        self.overlay.set_encode_secrets(true);
        self.group
            .delete_past_epoch_secrets(&Provider::new(&crypto, &self.overlay), nothing)
            .expect("the message secrets have an encoding");
        self.overlay.set_encode_secrets(false);
        self.sent = false;
        let secrets = self
            .overlay
            .take_secrets()
            .expect("the write just made is in the overlay");
        record::write_ratchets(&Zeroizing::new(secrets))
    }

    pub(super) fn set_context(&mut self, context: ComptoirContext) {
        self.context = context;
    }
}
