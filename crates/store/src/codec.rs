// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of the records that only a store reads: the one file that names bincode.
//!
//! ```text
//! ┌─────────┬──────┬──────────────────────────┐
//! │ version │ kind │ bincode, fixed-width     │
//! │    1    │  1   │ at most 4,094 bytes      │
//! └─────────┴──────┴──────────────────────────┘
//! ```
//!
//! bincode is not maintained any more and tells nothing about itself: an enum variant inserted in the middle silently
//! changes what old bytes mean. So a record is a struct of plain fields, a version once released is frozen, and a change
//! of shape is a new struct with a new version. What engines and peers write is CBOR and never comes here.

use bincode::Options;
use serde::{Serialize, de::DeserializeOwned};

/// A record holds at most 4 KiB: a name, a few numbers, a locked key. bincode allocates by claimed lengths up to its
/// limit, so the limit is the size of the largest record we write.
const RECORD_BYTES_MAX: usize = 4096;

const HEAD_BYTES: usize = 2;

/// A record of one version.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// Which kind of record; never reused.
    const KIND: u8;
    /// Which version of the kind; the fields of a released one never change.
    const VERSION: u8;
}

/// Bytes that are not the record that was expected there. Not retryable: the store is damaged, or newer.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Another kind of record, or none at all.
    #[error("expected a record of kind {expected}, found {found:?}")]
    Kind {
        /// The kind that belongs here.
        expected: u8,
        /// What the bytes say they are.
        found: Option<u8>,
    },
    /// A version this program does not know.
    #[error("a record of kind {kind} has version {found}, expected {expected}")]
    Version {
        /// Its kind.
        kind: u8,
        /// Its version.
        found: u8,
        /// The version that belongs here.
        expected: u8,
    },
    /// Longer than any record.
    #[error("a record of {bytes} bytes is longer than {RECORD_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The fields do not fit the bytes.
    #[error("a record of kind {kind} cannot be read: {source}")]
    Fields {
        /// Its kind.
        kind: u8,
        /// What did not fit.
        source: bincode::Error,
    },
}

/// Writes a record. `None` when it is longer than records may be.
pub(crate) fn encode<R: Record>(record: &R) -> Option<Vec<u8>> {
    let mut bytes = vec![R::VERSION, R::KIND];
    options().serialize_into(&mut bytes, record).ok()?;
    Some(bytes)
}

/// The version of the record in these bytes, if they hold one of this kind.
pub(crate) fn version<R: Record>(bytes: &[u8]) -> Result<u8, CodecError> {
    match bytes {
        [version, kind, ..] if *kind == R::KIND => Ok(*version),
        _ => Err(CodecError::Kind {
            expected: R::KIND,
            found: bytes.get(1).copied(),
        }),
    }
}

/// Reads a record of exactly this kind and version, with nothing behind it.
pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, CodecError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(CodecError::TooLong { bytes: bytes.len() });
    }
    let found = version::<R>(bytes)?;
    if found != R::VERSION {
        return Err(CodecError::Version {
            kind: R::KIND,
            found,
            expected: R::VERSION,
        });
    }
    options()
        .deserialize(&bytes[HEAD_BYTES..])
        .map_err(|source| CodecError::Fields {
            kind: R::KIND,
            source,
        })
}

fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_limit((RECORD_BYTES_MAX - HEAD_BYTES) as u64)
        .with_fixint_encoding()
        .reject_trailing_bytes()
}
