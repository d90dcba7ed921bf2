// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bytes-only key-value trait and its engines, durable when they say so.
//!
//! [`open`] gives a store on disk (sled or redb behind the same guards), [`Memory`] one in memory with every fault on
//! demand. Only bytes cross [`Kv`]: codecs and ciphers lie above, engines below. One process at a time owns a folder.

mod chunks;
mod error;
mod folder;
mod guarded;
mod lock;
mod memory;
mod options;
mod redb_engine;
mod sled_engine;
mod slots;
mod space;
mod watermark;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

pub use error::KvError;
pub use folder::{Rebuilt, make_folder, open, present, rebuild};
pub use lock::DirectoryLock;
pub use memory::{Disk, Failure, Memory, Snapshot};
pub use options::{EngineKind, Options};
pub use slots::{FREE_SLOT, SLOT_BYTES, SLOTS_FILE, Slot};
pub use space::Floor;

/// What one commit changes: `Some(value)` puts, `None` deletes. Applied whole or not at all.
pub type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A row as it lies in the store.
pub type Row = (Vec<u8>, Vec<u8>);

/// Keys that begin with this byte belong to this crate; a batch that names one is refused, and no scan shows one.
pub const RESERVED_SPACE: u8 = 0;

/// A key holds 1 to 384 bytes: one space byte, a few numbers and, for ratchet rows, the name OpenMLS gives them.
/// A sled index page holds up to 256 keys and, above 128 KiB, moves to a file that sled never syncs.
pub const KEY_BYTES_MAX: usize = 384;

/// A value holds at most 1 MiB: room for the ratchet tree of a very large group, and a bound on what one read allocates.
/// Small values are cheaper: sled keeps those above 4 KiB in pieces.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// An ordered map of bytes with atomic, durable commits.
///
/// Reads may run beside a commit. A row becomes readable a moment before the commit that wrote it returns; only the
/// return of [`Kv::commit`] says that it is durable.
pub trait Kv: Send + Sync {
    /// Reads one value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError>;

    /// Lists up to `limit` rows whose key begins with `prefix`, ascending, or descending when `reverse`.
    ///
    /// `from` is the first key that may appear (inclusive, either direction); none means the end the scan starts at.
    /// Costs one seek and `limit` steps; a scan sees a batch whole or not at all.
    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError>;

    /// Applies the batch and returns once it would survive a power cut. Blocks for at least one `fdatasync`.
    ///
    /// On an error whose [`KvError::is_refusal`] is true nothing changed and the store goes on. On any other the store
    /// is poisoned: whether the batch reached the disk is unknown until it is opened again.
    fn commit(&self, batch: &Batch) -> Result<(), KvError>;

    /// Every slot beside the store, by number; none when none was ever written.
    fn slots(&self) -> Result<Option<Vec<Slot>>, KvError>;

    /// Writes slots in place and returns once they would survive a power cut; with none it makes sure of their file.
    /// Blocks for one `fdatasync`. Slots are no part of a commit: who needs both orders them.
    ///
    /// Errors as those of [`Kv::commit`]; after one that is no refusal each slot is the old one, the new one, or damaged.
    fn write_slots(&self, slots: &BTreeMap<u32, Slot>) -> Result<(), KvError>;

    /// What the store weighs, and how many commits it has seen.
    fn stats(&self) -> Result<Stats, KvError>;

    /// Says whether there is room for more, as the next commit would be told. Costs two system calls.
    fn room(&self) -> Result<(), KvError>;

    /// Gives space back where the engine can do so while open; says whether it did.
    fn compact(&self) -> Result<bool, KvError>;

    /// Refuses everything from now on. The files close when the last handle is dropped.
    fn close(&self) -> Result<(), KvError>;
}

/// Figures of an open store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Which engine keeps it.
    pub engine: EngineKind,
    /// Commits since the store was made; also the number of the last one.
    pub commits: u64,
    /// Bytes its files hold on disk.
    pub disk_bytes: u64,
    /// Commits that were lost before this opening and that the caller chose to go on without; 0 otherwise.
    pub commits_lost: u64,
}

/// Refuses keys and values no engine may hold, before any of the batch is applied.
fn check_batch(batch: &Batch) -> Result<(), KvError> {
    for (key, value) in batch {
        check_key(key)?;
        let bytes = value.as_ref().map_or(0, Vec::len);
        if bytes > VALUE_BYTES_MAX {
            return Err(KvError::ValueTooLarge {
                bytes,
                max: VALUE_BYTES_MAX,
            });
        }
    }
    Ok(())
}

fn check_key(key: &[u8]) -> Result<(), KvError> {
    match key.first() {
        None | Some(&RESERVED_SPACE) => Err(KvError::ReservedKey),
        Some(_) if key.len() > KEY_BYTES_MAX => Err(KvError::KeyTooLong {
            bytes: key.len(),
            max: KEY_BYTES_MAX,
        }),
        Some(_) => Ok(()),
    }
}

/// The keys a scan walks, for [`BTreeMap::range`].
pub type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The keys that [`Kv::scan`] walks for these arguments, the reserved space left out; none when there can be none. For
/// whoever lays rows of its own over those of a store.
pub fn scan_bounds(prefix: &[u8], from: Option<&[u8]>, reverse: bool) -> Option<Bounds> {
    let mut low = if prefix.is_empty() {
        vec![RESERVED_SPACE + 1]
    } else {
        prefix.to_vec()
    };
    if low[0] == RESERVED_SPACE {
        return None;
    }
    let mut high = after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
    if let Some(from) = from {
        if reverse {
            let beyond = matches!(&high, Bound::Excluded(high) if from >= high.as_slice());
            if !beyond {
                high = Bound::Included(from.to_vec());
            }
        } else if from > low.as_slice() {
            low = from.to_vec();
        }
    }
    let empty = match &high {
        Bound::Included(high) => low > *high,
        Bound::Excluded(high) => low >= *high,
        Bound::Unbounded => false,
    };
    (!empty).then_some((Bound::Included(low), high))
}

/// The smallest key above every key with this prefix; none when there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return Some(end);
        }
        end.pop();
    }
    None
}
