// SPDX-License-Identifier: MIT OR Apache-2.0
//! The encoding of OpenMLS's entities: CBOR, because they can only be read back from a format that names its
//! fields; with every array of small numbers turned into a byte string, because serde writes a key that way
//! and half of the bytes would be the numbers' headers; and with every time as zero. OpenMLS stamps the secrets of
//! an epoch with the wall clock, for a policy of deletion by age that we do not use; a row must not depend on it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An entity could not be written or read. Not retryable: the row is damaged, or of a version we do not know.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// OpenMLS gave us something that has no encoding.
    #[error("an entity of the group could not be encoded: {0}")]
    Encode(String),
    /// The bytes are not the entity that was asked for.
    #[error("an entity of the group could not be read: {0}")]
    Decode(String),
    /// The queue of proposals names one that is not there.
    #[error("an entity that another one names is missing")]
    MissingEntity,
}

/// Deepest nesting that is walked. OpenMLS's trees are arrays of nodes: 24 levels were seen at most.
const DEPTH_MAX: usize = 64;

pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>, CodecError> {
    let mut plain = zeroize::Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *plain).map_err(|e| CodecError::Encode(e.to_string()))?;
    let mut packed = Vec::with_capacity(plain.len());
    let mut input = plain.as_slice();
    pack(&mut input, &mut packed, DEPTH_MAX)
        .ok_or_else(|| CodecError::Encode("not what the encoder writes".to_owned()))?;
    packed.shrink_to_fit();
    Ok(packed)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).map_err(|e| CodecError::Decode(e.to_string()))?;
    if !rest.is_empty() {
        return Err(CodecError::Decode(format!("{} bytes too many", rest.len())));
    }
    Ok(value)
}

/// One CBOR head: major type, argument, and the bytes it took.
fn head(input: &[u8]) -> Option<(u8, u64, usize)> {
    let first = *input.first()?;
    let (major, low) = (first >> 5, first & 31);
    let wide = |n: usize| {
        let bytes = input.get(1..=n)?;
        Some(
            bytes
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let (argument, size) = match low {
        0..=23 => (u64::from(low), 1),
        24 => (wide(1)?, 2),
        25 => (wide(2)?, 3),
        26 => (wide(4)?, 5),
        27 => (wide(8)?, 9),
        _ => return None,
    };
    Some((major, argument, size))
}

/// The two fields of a `SystemTime` as serde names them, with the head of a CBOR text.
const CLOCK_FIELDS: [&[u8]; 2] = [b"\x70secs_since_epoch", b"\x71nanos_since_epoch"];

/// Copies one item, arrays of bytes as byte strings. None for what the encoder above never writes
/// (indefinite lengths) and for nesting beyond `depth`.
fn pack(input: &mut &[u8], output: &mut Vec<u8>, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let (major, argument, size) = head(input)?;
    let (start, rest) = input.split_at_checked(size)?;
    match major {
        2 | 3 => {
            let (body, rest) = rest.split_at_checked(usize::try_from(argument).ok()?)?;
            output.extend_from_slice(start);
            output.extend_from_slice(body);
            *input = rest;
        }
        4 => match small_numbers(rest, argument) {
            Some((bytes, rest)) => {
                put_byte_string_head(output, argument);
                output.extend_from_slice(&bytes);
                *input = rest;
            }
            None => {
                output.extend_from_slice(start);
                *input = rest;
                for _ in 0..argument {
                    pack(input, output, depth)?;
                }
            }
        },
        5 => {
            output.extend_from_slice(start);
            *input = rest;
            for _ in 0..argument {
                let key = *input;
                pack(input, output, depth)?;
                let start = output.len();
                pack(input, output, depth)?;
                if CLOCK_FIELDS.iter().any(|field| key.starts_with(field)) {
                    output.truncate(start);
                    output.push(0);
                }
            }
        }
        6 => {
            output.extend_from_slice(start);
            *input = rest;
            pack(input, output, depth)?;
        }
        _ => {
            output.extend_from_slice(start);
            *input = rest;
        }
    }
    Some(())
}

/// Shorter arrays stay arrays: an enum's content or a pair of indices is not a key.
const PACKED_LENGTH_MIN: u64 = 8;

/// The elements of an array, if all are numbers below 256 and there are enough of them to be worth it.
fn small_numbers(mut rest: &[u8], length: u64) -> Option<(zeroize::Zeroizing<Vec<u8>>, &[u8])> {
    if length < PACKED_LENGTH_MIN || length > rest.len() as u64 {
        return None;
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(usize::try_from(length).ok()?));
    for _ in 0..length {
        let (byte, size) = match (rest.first()?, rest.get(1)) {
            (small @ 0..=23, _) => (*small, 1),
            (24, Some(byte)) => (*byte, 2),
            _ => return None,
        };
        bytes.push(byte);
        rest = &rest[size..];
    }
    Some((bytes, rest))
}

fn put_byte_string_head(output: &mut Vec<u8>, length: u64) {
    const BYTES: u8 = 2 << 5;
    match length {
        0..=23 => output.push(BYTES | length as u8),
        24..=0xff => output.extend([BYTES | 24, length as u8]),
        0x100..=0xffff => {
            output.push(BYTES | 25);
            output.extend((length as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            output.push(BYTES | 26);
            output.extend((length as u32).to_be_bytes());
        }
        _ => {
            output.push(BYTES | 27);
            output.extend(length.to_be_bytes());
        }
    }
}
