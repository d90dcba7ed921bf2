// SPDX-License-Identifier: MIT OR Apache-2.0
//! The overlay OpenMLS stores into: the entities of one group, in memory until the step is committed.
//!
//! One overlay belongs to one group, so no key repeats the group id. The message secrets are the one entity
//! OpenMLS writes for every message; their write is only noted here, and made when the thread asks for it.

mod provider;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;

use super::codec::{self, CodecError};

/// What kind of entity a slot holds. The number is on disk and is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    ProposalRefs = 3,
    Proposal = 4,
    Tree = 5,
    InterimTranscriptHash = 6,
    Context = 7,
    ConfirmationTag = 8,
    GroupState = 9,
    MessageSecrets = 10,
    ResumptionPskStore = 11,
    OwnLeafIndex = 12,
    EpochSecrets = 13,
    SignatureKeyPair = 14,
    EncryptionKeyPair = 15,
    EpochKeyPairs = 16,
    KeyPackage = 17,
    Psk = 18,
}

/// One entity: its kind byte, and for a kind that has many the encoded key.
pub(crate) type SlotKey = Vec<u8>;

/// The entities of one group. Holds private keys: its bytes are wiped when dropped.
#[derive(Default)]
pub(crate) struct Overlay {
    slots: RefCell<BTreeMap<SlotKey, Vec<u8>>>,
    /// An entity other than the message secrets changed.
    group_changed: Cell<bool>,
    /// The message secrets in the group differ from those last encoded.
    secrets_changed: Cell<bool>,
    /// Whether a write of the message secrets is made or only noted.
    encode_secrets: Cell<bool>,
}

impl Overlay {
    pub(crate) fn from_slots(slots: BTreeMap<SlotKey, Vec<u8>>) -> Self {
        let overlay = Self::default();
        overlay.slots.replace(slots);
        overlay
    }

    pub(crate) fn slot(kind: Kind) -> SlotKey {
        vec![kind as u8]
    }

    pub(crate) fn group_changed(&self) -> bool {
        self.group_changed.get()
    }

    pub(crate) fn secrets_changed(&self) -> bool {
        self.secrets_changed.get()
    }

    #[cfg(test)]
    pub(crate) fn restore_secrets_changed(&self, changed: bool) {
        self.secrets_changed.set(changed);
    }

    /// From now on every write of the message secrets is made (`true`) or only noted (`false`).
    pub(crate) fn set_encode_secrets(&self, encode: bool) {
        self.encode_secrets.set(encode);
    }

    /// Takes the message secrets out, if they were encoded.
    pub(crate) fn take_secrets(&self) -> Option<Vec<u8>> {
        self.secrets_changed.set(false);
        self.slots
            .borrow_mut()
            .remove(&Self::slot(Kind::MessageSecrets))
    }

    /// Calls `read` with every slot and takes all as unchanged from here on.
    pub(crate) fn with_slots<T>(&self, read: impl FnOnce(&BTreeMap<SlotKey, Vec<u8>>) -> T) -> T {
        self.group_changed.set(false);
        read(&self.slots.borrow())
    }

    /// Drops the key package a group was joined with: it is kept elsewhere, until the join is final.
    pub(crate) fn forget_packages(&self) {
        const PACKAGE: [u8; 2] = [Kind::KeyPackage as u8, Kind::EncryptionKeyPair as u8];
        self.retain(|kind| !PACKAGE.contains(&kind));
    }

    /// Whether every entity that a group is loaded from is here, the message secrets and the configuration aside.
    pub(crate) fn is_complete(&self) -> bool {
        const NEEDED: [Kind; 8] = [
            Kind::Tree,
            Kind::InterimTranscriptHash,
            Kind::Context,
            Kind::ConfirmationTag,
            Kind::GroupState,
            Kind::ResumptionPskStore,
            Kind::OwnLeafIndex,
            Kind::EpochSecrets,
        ];
        let slots = self.slots.borrow();
        NEEDED
            .iter()
            .all(|kind| slots.contains_key(&Self::slot(*kind)))
    }

    /// Drops what the loaded group holds itself and writes anew with every merged commit.
    pub(crate) fn shed(&self) {
        const KEPT: [u8; 3] = [
            Kind::JoinConfig as u8,
            Kind::OwnLeafIndex as u8,
            Kind::EpochKeyPairs as u8,
        ];
        self.retain(|kind| KEPT.contains(&kind));
    }

    fn retain(&self, keep: impl Fn(u8) -> bool) {
        self.slots.borrow_mut().retain(|key, value| {
            let kept = key.first().is_some_and(|kind| keep(*kind));
            if !kept {
                value.zeroize();
            }
            kept
        });
    }

    pub(crate) fn bytes(&self) -> usize {
        // A BTreeMap entry of two Vecs costs 48 bytes beside what they point to.
        self.slots
            .borrow()
            .iter()
            .map(|(key, value)| 48 + key.capacity() + value.capacity())
            .sum()
    }

    fn put(&self, slot: SlotKey, value: &impl Serialize) -> Result<(), CodecError> {
        let bytes = codec::encode(value)?;
        self.group_changed.set(true);
        if let Some(mut old) = self.slots.borrow_mut().insert(slot, bytes) {
            old.zeroize();
        }
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, slot: &SlotKey) -> Result<Option<T>, CodecError> {
        self.slots
            .borrow()
            .get(slot)
            .map(|bytes| codec::decode(bytes))
            .transpose()
    }

    fn remove(&self, slot: &SlotKey) -> Result<(), CodecError> {
        if let Some(mut old) = self.slots.borrow_mut().remove(slot) {
            self.group_changed.set(true);
            old.zeroize();
        }
        Ok(())
    }

    fn keyed(kind: Kind, key: &impl Serialize) -> Result<SlotKey, CodecError> {
        let mut slot = Self::slot(kind);
        slot.extend(codec::encode(key)?);
        Ok(slot)
    }

    fn epoch_slot(epoch: &impl Serialize, leaf_index: u32) -> Result<SlotKey, CodecError> {
        Self::keyed(Kind::EpochKeyPairs, &(epoch, leaf_index))
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        self.slots.get_mut().values_mut().for_each(Zeroize::zeroize);
    }
}
