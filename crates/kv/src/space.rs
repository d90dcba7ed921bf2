// SPDX-License-Identifier: MIT OR Apache-2.0
//! The floor: how much of the disk must stay free.

use std::path::Path;

use crate::KvError;

/// What must stay free: the larger of a number of bytes and a multiple of the store's own size.
///
/// sled cannot open on a full disk, and a rebuild needs the store a second time; so work is refused while there is still
/// room for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// At least this many bytes. Defaults to 64 MiB.
    pub least_bytes: u64,
    /// At least this many times the size of the store. Defaults to 2.
    pub times_store: u64,
}

impl Default for Floor {
    fn default() -> Self {
        Self {
            least_bytes: 64 << 20,
            times_store: 2,
        }
    }
}

impl Floor {
    /// No floor: for tests that fill a disk, and nothing else.
    pub const NONE: Self = Self {
        least_bytes: 0,
        times_store: 0,
    };

    /// Refuses when less is free under `path` than must be.
    pub(crate) fn check(self, path: &Path, store_bytes: u64) -> Result<(), KvError> {
        let needed_bytes = self
            .least_bytes
            .max(self.times_store.saturating_mul(store_bytes));
        if needed_bytes == 0 {
            return Ok(());
        }
        let free_bytes = free_bytes(path)?;
        if free_bytes < needed_bytes {
            return Err(KvError::Full {
                free_bytes,
                needed_bytes,
            });
        }
        Ok(())
    }
}

fn free_bytes(path: &Path) -> Result<u64, KvError> {
    let disk = rustix::fs::statvfs(path).map_err(|error| {
        KvError::from_io("asking how much of the disk is free", path, error.into())
    })?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
