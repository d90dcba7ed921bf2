// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of a thread: two, whatever its size, so that ten thousand quiet threads are twenty thousand rows.
//!
//! `g` is the group: leaf key, who left lately, and every entity but the secrets and the configuration, which is
//! this build's. It changes with each commit. For two people it stays below the store's 4 KiB.
//! `r` is the ratchets: the message secrets. It changes with each message, and may lag where only receiving moved it.

use std::collections::BTreeMap;

use comptoir_protocol::codec::{DecodeError, Reader, Wire, Writer};
use zeroize::{Zeroize, Zeroizing};

use super::leaf::KnownLeaf;
use super::storage::{Kind, Overlay, SlotKey};
use crate::keys::LeafKey;

/// The row of the group.
pub(crate) const GROUP_ROW: &[u8] = b"g";
/// The row of the ratchets.
pub(crate) const RATCHET_ROW: &[u8] = b"r";

/// Version of both rows and of a kept key package.
const VERSION: u8 = 1;

/// A row cannot be read. Not retryable: stop and say so, never guess.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer version.
    #[error("a thread's row has version {version}, this build reads {VERSION}")]
    Newer {
        /// Its version.
        version: u8,
    },
    /// Damaged.
    #[error("a thread's row is damaged: {0}")]
    Damaged(#[from] DecodeError),
}

/// Entities by slot. Holds private keys: wiped when dropped.
#[derive(Default)]
pub(crate) struct Slots(pub(crate) BTreeMap<SlotKey, Vec<u8>>);

impl Slots {
    pub(crate) fn take(mut self) -> BTreeMap<SlotKey, Vec<u8>> {
        core::mem::take(&mut self.0)
    }
}

impl From<BTreeMap<SlotKey, Vec<u8>>> for Slots {
    fn from(slots: BTreeMap<SlotKey, Vec<u8>>) -> Self {
        Self(slots)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

/// Leaves by the hash of their credential.
pub(crate) type KnownLeaves = BTreeMap<[u8; 32], KnownLeaf>;

pub(crate) fn write_group(
    leaf_key: &LeafKey,
    known: &KnownLeaves,
    slots: &BTreeMap<SlotKey, Vec<u8>>,
) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open_array(3);
    leaf_key.to_secret().encode(&mut writer);
    // Who is in the group stands in its tree.
    let left = || known.iter().filter(|(_, leaf)| leaf.left_at.is_some());
    writer.open_array(left().count() as u64);
    for (hash, leaf) in left() {
        writer.open_array(2);
        hash.encode(&mut writer);
        leaf.encode(&mut writer);
    }
    write_slots(
        &mut writer,
        slots
            .iter()
            .filter(|(key, _)| **key != Overlay::slot(Kind::JoinConfig)),
    );
    versioned(writer)
}

pub(crate) fn read_group(row: &[u8]) -> Result<(LeafKey, KnownLeaves, Slots), RecordError> {
    let mut reader = unversioned(row)?;
    open_array_of(&mut reader, 3)?;
    let leaf_key = read_key(&mut reader)?;
    let mut known = KnownLeaves::new();
    for _ in 0..reader.open_array()? {
        open_array_of(&mut reader, 2)?;
        let hash = <[u8; 32]>::decode(&mut reader)?;
        known.insert(hash, KnownLeaf::decode(&mut reader)?);
        reader.close();
    }
    reader.close();
    let slots = read_slots(&mut reader)?;
    reader.close();
    reader.finish()?;
    Ok((leaf_key, known, slots))
}

pub(crate) fn write_ratchets(secrets: &[u8]) -> Vec<u8> {
    [&[VERSION], secrets].concat()
}

pub(crate) fn read_ratchets(row: &[u8]) -> Result<Vec<u8>, RecordError> {
    match row.split_first() {
        Some((&VERSION, secrets)) => Ok(secrets.to_vec()),
        Some((&version, _)) => Err(RecordError::Newer { version }),
        None => Err(RecordError::Damaged(DecodeError::Truncated)),
    }
}

pub(crate) fn write_package(
    leaf_key: &LeafKey,
    reference: &[u8; 32],
    expires_ms: u64,
    slots: &Slots,
) -> Zeroizing<Vec<u8>> {
    let mut writer = Writer::new();
    writer.open_array(4);
    leaf_key.to_secret().encode(&mut writer);
    reference.encode(&mut writer);
    expires_ms.encode(&mut writer);
    write_slots(&mut writer, slots.0.iter());
    Zeroizing::new(versioned(writer))
}

pub(crate) fn read_package(bytes: &[u8]) -> Result<(LeafKey, [u8; 32], u64, Slots), RecordError> {
    let mut reader = unversioned(bytes)?;
    open_array_of(&mut reader, 4)?;
    let leaf_key = read_key(&mut reader)?;
    let reference = <[u8; 32]>::decode(&mut reader)?;
    let expires_ms = u64::decode(&mut reader)?;
    let slots = read_slots(&mut reader)?;
    reader.close();
    reader.finish()?;
    Ok((leaf_key, reference, expires_ms, slots))
}

fn versioned(writer: Writer) -> Vec<u8> {
    let body = Zeroizing::new(writer.into_bytes());
    [&[VERSION], body.as_slice()].concat()
}

fn unversioned(row: &[u8]) -> Result<Reader<'_>, RecordError> {
    match row.split_first() {
        Some((&VERSION, body)) => Ok(Reader::new(body)),
        Some((&version, _)) => Err(RecordError::Newer { version }),
        None => Err(RecordError::Damaged(DecodeError::Truncated)),
    }
}

fn open_array_of(reader: &mut Reader<'_>, length: u64) -> Result<(), DecodeError> {
    if reader.open_array()? == length {
        Ok(())
    } else {
        Err(DecodeError::Invalid {
            what: "an array of another length",
        })
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<LeafKey, DecodeError> {
    let secret = Zeroizing::new(<[u8; 32]>::decode(reader)?);
    Ok(LeafKey::from_secret(&secret))
}

fn write_slots<'a>(
    writer: &mut Writer,
    slots: impl Iterator<Item = (&'a SlotKey, &'a Vec<u8>)> + Clone,
) {
    writer.open_array(slots.clone().count() as u64);
    for (key, value) in slots {
        writer.open_array(2);
        writer.bytes(key);
        writer.bytes(value);
    }
}

fn read_slots(reader: &mut Reader<'_>) -> Result<Slots, DecodeError> {
    let mut slots = Slots::default();
    for _ in 0..reader.open_array()? {
        open_array_of(reader, 2)?;
        let key = reader.bytes()?.to_vec();
        slots.0.insert(key, reader.bytes()?.to_vec());
        reader.close();
    }
    reader.close();
    Ok(slots)
}
