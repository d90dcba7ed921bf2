// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record: what a row holds. Its bytes are `version ‖ deterministic CBOR`, with numbered fields.
//!
//! A field that an older build did not write is an `Option`, absent where it was not written. A change that this cannot
//! express gets a new version, and the old version keeps its reader.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::error::DecodeError;

/// The version this build writes, and the only one there is so far.
pub(crate) const RECORD_VERSION: u8 = 1;

/// Why a row could not be read. Never skipped, never reset: the step fails and names the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is empty.
    #[error("an empty row")]
    Empty,
    /// The row was written by a newer build.
    #[error("record version {got}, this build reads {newest}")]
    Version {
        /// The version found.
        got: u8,
        /// The newest version this build reads.
        newest: u8,
    },
    /// The row does not decode.
    #[error("a damaged row: {0}")]
    Damaged(#[from] DecodeError),
}

/// Writes a record as a row.
pub(crate) fn to_row<T: Wire>(record: &T) -> Vec<u8> {
    let mut row = vec![RECORD_VERSION];
    row.extend(record.to_bytes());
    row
}

/// Reads a row back.
pub(crate) fn from_row<T: Wire>(row: &[u8]) -> Result<T, RowError> {
    let (&got, body) = row.split_first().ok_or(RowError::Empty)?;
    if got != RECORD_VERSION {
        return Err(RowError::Version {
            got,
            newest: RECORD_VERSION,
        });
    }
    Ok(T::from_bytes(body)?)
}

/// Declares a struct that is a record, or a part of one. The numbers never change meaning.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $number:literal $field_vis:vis $field:ident: $kind:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $kind),* }
        comptoir_protocol::wire_map!($name { $($number => $field),* });
    };
}

/// Declares an enum that is a record, or a part of one. The numbers never change meaning.
macro_rules! choice {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_meta:meta])* $tag:literal $variant:ident $({
            $($(#[$field_meta:meta])* $number:literal $field:ident: $kind:ty),* $(,)?
        })?),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[$variant_meta])* $variant $({ $($(#[$field_meta])* $field: $kind),* })?),* }
        comptoir_protocol::wire_choice!($name, "a recorded choice" { $($tag => $variant $({ $($number => $field),* })?),* });
    };
}

pub(crate) use {choice, record};
