// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slots: small secrets beside a store, each written once and destroyed in place.
//!
//! ```text
//! scope.keys               slot 0 ‖ slot 1 ‖ …, 128 bytes each; all zero is free
//! ```
//!
//! An engine keeps what it deleted until it uses the place again, and nobody can say when that is. What must be gone on
//! a date lies here instead: one file, never moved, copied or renamed, so that writing zeros over a slot writes over the
//! only place it has. On a disk that moves what it rewrites an old copy may remain where no file leads.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::KvError;
use crate::guarded::sync_folder;

/// The name of the file in the store's folder.
pub const SLOTS_FILE: &str = "scope.keys";

/// A slot's size. It divides a disk's sector, so a torn write damages the slot it was meant for and no other.
pub const SLOT_BYTES: usize = 128;

/// What one slot holds.
pub type Slot = [u8; SLOT_BYTES];

/// A slot that holds nothing.
pub const FREE_SLOT: Slot = [0; SLOT_BYTES];

/// The file of slots in a store's folder.
pub(crate) struct SlotFile {
    folder: PathBuf,
    path: PathBuf,
}

impl SlotFile {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            path: folder.join(SLOTS_FILE),
        }
    }

    /// Every slot, the last one filled up with zeros when the file ends inside it; none when there is no such file.
    pub(crate) fn read(&self) -> Result<Option<Vec<Slot>>, KvError> {
        let mut bytes = Vec::new();
        match File::open(&self.path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io("reading the keys of scopes", error)),
        }
        let slot = |bytes: &[u8]| {
            let mut slot = FREE_SLOT;
            slot[..bytes.len()].copy_from_slice(bytes);
            slot
        };
        Ok(Some(bytes.chunks(SLOT_BYTES).map(slot).collect()))
    }

    /// Writes slots in place, and makes the file when it is missing; durable on return.
    pub(crate) fn write(&self, slots: &BTreeMap<u32, Slot>) -> Result<(), KvError> {
        let made = !self.path.exists();
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .and_then(|file| {
                for (number, slot) in slots {
                    file.write_all_at(slot, u64::from(*number) * SLOT_BYTES as u64)?;
                }
                file.sync_data()
            });
        written.map_err(|error| self.io("writing the keys of scopes", error))?;
        if made {
            sync_folder(&self.folder)?;
        }
        Ok(())
    }

    fn io(&self, doing: &'static str, error: std::io::Error) -> KvError {
        KvError::from_io(doing, &self.path, error)
    }
}

/// Whether a write of slots only destroys: that passes a floor which new ones do not.
pub(crate) fn destroys(slots: &BTreeMap<u32, Slot>) -> bool {
    slots.values().all(|slot| *slot == FREE_SLOT)
}
