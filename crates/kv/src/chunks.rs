// SPDX-License-Identifier: MIT OR Apache-2.0
//! Large values in sled, cut into pieces.
//!
//! A sled leaf holds up to 16 rows and becomes a file of its own, which sled never syncs, above 128 KiB; so no row may
//! come near 8 KiB. A value above [`PIECE_BYTES`] lies in pieces in the reserved space, and its row holds their number.
//!
//! ```text
//! row      key                          -> 0 | value                       the usual case
//!          key                          -> 1 | length (4, big-endian)      a value in pieces
//! piece    0 'c' | key | number (2)     -> bytes
//! ```

use sled::IVec;

use crate::{KEY_BYTES_MAX, KvError, RESERVED_SPACE, VALUE_BYTES_MAX};

/// At most this much of a value lies in one row.
const PIECE_BYTES: usize = 4096;

const WHOLE: u8 = 0;
const IN_PIECES: u8 = 1;

// A leaf is split when it holds more than 16 rows, and may take a few more from a neighbour before that; an index page
// when it holds more than 256 keys.
const _: () = assert!((16 + 4) * (PIECE_BYTES + KEY_BYTES_MAX + 16) < 128 * 1024);
const _: () = assert!((256 + 4) * (KEY_BYTES_MAX + 32) < 128 * 1024);
const _: () = assert!(VALUE_BYTES_MAX.div_ceil(PIECE_BYTES) <= u16::MAX as usize);

/// Adds a put of `value` to the batch. `old` is the row it replaces.
pub(crate) fn put(
    batch: &mut sled::Batch,
    key: &[u8],
    value: &[u8],
    old: Option<&IVec>,
) -> Result<(), KvError> {
    let old_pieces = pieces_of(old)?;
    let pieces = if value.len() > PIECE_BYTES {
        value.chunks(PIECE_BYTES).len()
    } else {
        0
    };
    if pieces == 0 {
        let mut row = Vec::with_capacity(1 + value.len());
        row.push(WHOLE);
        row.extend_from_slice(value);
        batch.insert(key, row);
    } else {
        let mut row = vec![IN_PIECES];
        row.extend_from_slice(
            &u32::try_from(value.len())
                .expect("a value is below 1 MiB")
                .to_be_bytes(),
        );
        batch.insert(key, row);
        for (number, piece) in value.chunks(PIECE_BYTES).enumerate() {
            batch.insert(piece_key(key, number), piece);
        }
    }
    (pieces..old_pieces).for_each(|number| batch.remove(piece_key(key, number)));
    Ok(())
}

/// Adds a deletion to the batch. `old` is the row that goes.
pub(crate) fn delete(
    batch: &mut sled::Batch,
    key: &[u8],
    old: Option<&IVec>,
) -> Result<(), KvError> {
    batch.remove(key);
    (0..pieces_of(old)?).for_each(|number| batch.remove(piece_key(key, number)));
    Ok(())
}

/// Whether the value of this row lies elsewhere.
pub(crate) fn in_pieces(row: &[u8]) -> bool {
    row.first() == Some(&IN_PIECES)
}

/// Puts the value of a row together; `piece` reads one row by its key.
pub(crate) fn read(
    key: &[u8],
    row: &[u8],
    mut piece: impl FnMut(&[u8]) -> Result<Option<IVec>, KvError>,
) -> Result<Vec<u8>, KvError> {
    match row.split_first() {
        Some((&WHOLE, value)) => Ok(value.to_vec()),
        Some((&IN_PIECES, length)) => {
            let length = value_length(length)?;
            let mut value = Vec::with_capacity(length);
            for number in 0..length.div_ceil(PIECE_BYTES) {
                let bytes = piece(&piece_key(key, number))?
                    .ok_or_else(|| damaged("a piece of a value is missing"))?;
                value.extend_from_slice(&bytes);
            }
            if value.len() == length {
                Ok(value)
            } else {
                Err(damaged("a piece of a value has the wrong length"))
            }
        }
        _ => Err(damaged("a row has an unknown form")),
    }
}

fn pieces_of(row: Option<&IVec>) -> Result<usize, KvError> {
    match row.and_then(|row| row.split_first()) {
        Some((&IN_PIECES, length)) => Ok(value_length(length)?.div_ceil(PIECE_BYTES)),
        _ => Ok(0),
    }
}

fn value_length(bytes: &[u8]) -> Result<usize, KvError> {
    let length = <[u8; 4]>::try_from(bytes).map_err(|_| damaged("a row has an unknown form"))?;
    let length = u32::from_be_bytes(length) as usize;
    if length > VALUE_BYTES_MAX {
        Err(damaged("a row claims more than a value may hold"))
    } else {
        Ok(length)
    }
}

fn piece_key(key: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 4);
    bytes.extend_from_slice(&[RESERVED_SPACE, b'c']);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(
        &u16::try_from(number)
            .expect("a value has at most 256 pieces")
            .to_be_bytes(),
    );
    bytes
}

fn damaged(what: &str) -> KvError {
    KvError::Corrupt(what.to_owned())
}
