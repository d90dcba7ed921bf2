// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record: what a row holds. Its bytes are `version ‖ deterministic CBOR`, with numbered fields.
//!
//! A field that an older build did not write is an `Option`, absent where it was not written. A change that this cannot
//! express gets a new version, and the old version keeps its reader.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::error::DecodeError;

/// The version this build writes, and the only one there is so far.
pub(crate) const RECORD_VERSION: u8 = 1;
/// The oldest version that still has a reader here.
const RECORD_OLDEST: u8 = 1;

/// Why a row could not be read. Never skipped, never reset: the step fails and names the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is empty.
    #[error("an empty row")]
    Empty,
    /// A newer build wrote the row.
    #[error(
        "a newer version of comptoir wrote it (record version {got}, this one reads up to {newest}): \
         open the folder with that version again"
    )]
    Newer {
        /// The version found.
        got: u8,
        /// The newest version this build reads.
        newest: u8,
    },
    /// A newer build wrote the row: a field or a choice in it has no meaning here.
    #[error("a newer version of comptoir wrote it ({0}): open the folder with that version again")]
    NewerField(DecodeError),
    /// A build wrote the row that is older than any this one reads.
    #[error(
        "a version of comptoir wrote it that is too old for this one (record version {got}, this one reads from \
         {oldest} on): open the folder once with a version between the two, which brings it up to date"
    )]
    Older {
        /// The version found.
        got: u8,
        /// The oldest version this build reads.
        oldest: u8,
    },
    /// A build wrote the row that did not have a field which this one cannot do without.
    #[error(
        "a version of comptoir wrote it that is too old for this one (field {field} is not there yet): \
         open the folder once with a version between the two, which brings it up to date"
    )]
    OlderField {
        /// The field's number.
        field: u64,
    },
    /// The row does not decode.
    #[error(
        "a damaged row: {0}; take the folder from a backup, or start anew with the recovery phrase"
    )]
    Damaged(DecodeError),
}

impl From<DecodeError> for RowError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Missing { field } => RowError::OlderField { field },
            error if error.needs_newer() => RowError::NewerField(error),
            error => RowError::Damaged(error),
        }
    }
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
    if got > RECORD_VERSION {
        return Err(RowError::Newer {
            got,
            newest: RECORD_VERSION,
        });
    }
    if got < RECORD_OLDEST {
        return Err(RowError::Older {
            got,
            oldest: RECORD_OLDEST,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

    use super::*;

    record! {
        struct Before { 0 name: String }
    }
    record! {
        struct After { 0 name: String, 1 size: Option<u64> }
    }
    record! {
        struct Strict { 0 name: String, 1 size: u64 }
    }

    fn before() -> Before {
        Before {
            name: "a".to_owned(),
        }
    }

    #[test]
    fn an_optional_field_is_absent_in_an_older_row_and_stops_an_older_build() {
        let old = to_row(&before());
        let read: After = from_row(&old).unwrap();
        assert_eq!(read.size, None);
        // What does not use the field writes what the older build reads.
        assert_eq!(to_row(&read), old);
        let size = Some(3);
        let new = to_row(&After { size, ..read });
        let error = from_row::<Before>(&new).unwrap_err();
        assert_eq!(
            error,
            RowError::NewerField(DecodeError::NeedsNewer { field: 1 })
        );
    }

    #[test]
    fn newer_and_older_are_told_apart_and_each_says_what_to_do() {
        let mut newer = to_row(&before());
        newer[0] = RECORD_VERSION + 1;
        let mut older = to_row(&before());
        older[0] = RECORD_OLDEST - 1;
        let cases = [
            (from_row::<Before>(&newer).unwrap_err(), "a newer version"),
            (
                from_row::<Before>(&older).unwrap_err(),
                "too old for this one",
            ),
            (
                from_row::<Strict>(&to_row(&before())).unwrap_err(),
                "too old for this one",
            ),
        ];
        assert!(matches!(cases[0].0, RowError::Newer { got: 2, newest: 1 }));
        assert!(matches!(cases[1].0, RowError::Older { got: 0, oldest: 1 }));
        assert_eq!(cases[2].0, RowError::OlderField { field: 1 });
        for (error, said) in cases {
            let sentence = error.to_string();
            assert!(
                sentence.contains(said) && sentence.contains("open the folder"),
                "{sentence}"
            );
        }
        let mut damaged = to_row(&before());
        damaged.push(0);
        assert!(matches!(
            from_row::<Before>(&damaged),
            Err(RowError::Damaged(_))
        ));
        assert_eq!(from_row::<Before>(&[]), Err(RowError::Empty));
    }
}
