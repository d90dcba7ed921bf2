// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes: small named values the node keeps beside the engine's rows, such as tokens of the local API.

use comptoir_kv::Batch;

use crate::StoreError;
use crate::core::{Core, NOTE, unseal};

/// A note holds at most 256 KiB: a thousand tokens of 200 bytes, and room.
pub const NOTE_BYTES_MAX: usize = 256 << 10;

/// A name holds at most 32 bytes. It is stored in clear: a word of the program's, never of a user's.
pub const NOTE_NAME_BYTES_MAX: usize = 32;

impl Core {
    /// Reads a note; none when it was never written.
    pub fn note(&self, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = note_key(name)?;
        self.kv()
            .get(&key)?
            .map(|sealed| unseal(&self.sealer, &key, &sealed))
            .transpose()
    }

    /// Writes a note; durable on return. Blocks for a commit. On an error the old value stays.
    pub fn put_note(&self, name: &'static str, value: &[u8]) -> Result<(), StoreError> {
        if value.len() > NOTE_BYTES_MAX {
            return Err(StoreError::Refused(format!(
                "a note holds at most {NOTE_BYTES_MAX} bytes"
            )));
        }
        let key = note_key(name)?;
        let sealed = self.sealer.seal(NOTE, &key, value);
        Ok(self.kv().commit(&Batch::from([(key, Some(sealed))]))?)
    }
}

fn note_key(name: &str) -> Result<Vec<u8>, StoreError> {
    if name.is_empty() || name.len() > NOTE_NAME_BYTES_MAX {
        return Err(StoreError::Refused(format!(
            "a note's name has 1 to {NOTE_NAME_BYTES_MAX} bytes"
        )));
    }
    Ok([&[NOTE], name.as_bytes()].concat())
}
