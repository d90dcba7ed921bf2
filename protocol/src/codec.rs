// SPDX-License-Identifier: MIT OR Apache-2.0
//! The codec: deterministic CBOR (RFC 8949 §4.2.1), and the only place that turns values into bytes and back.
//!
//! A structure is a map with ascending unsigned field numbers, a choice is an array `[number]` or `[number, content]`,
//! lengths are definite, integers shortest; there are no floats, tags, nulls or duplicate fields. Every value has one
//! encoding and a reader takes no other, so bytes can be hashed and compared. A reader allocates for what has
//! arrived, never for what a length claims.
//!
//! Versions: a field below [`SKIPPABLE_FIELD_MIN`] that the reader does not know stops it with
//! [`DecodeError::NeedsNewer`]; from there on it is checked for form and skipped.

mod macros;
mod values;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

pub use crate::error::DecodeError;
use crate::limits::{CBOR_DEPTH_MAX, SKIPPABLE_FIELD_MIN};

/// A value with one encoding.
pub trait Wire: Sized {
    /// Writes the value.
    fn encode(&self, writer: &mut Writer);

    /// Reads the value. On error the reader stands anywhere; drop it.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The value's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.into_bytes()
    }

    /// The value of exactly these bytes: trailing ones are refused.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// What may stand in a structure's field: a value, or an optional value whose absence is the absence of the field.
pub trait Field: Sized {
    /// Whether the field is left out.
    fn is_absent(&self) -> bool;
    /// Writes the value; never called for an absent one.
    fn encode_present(&self, writer: &mut Writer);
    /// Reads a value that is there.
    fn decode_present(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// What a missing field means.
    fn absent(field: u64) -> Result<Self, DecodeError>;
}

impl<T: Wire> Field for T {
    fn is_absent(&self) -> bool {
        false
    }
    fn encode_present(&self, writer: &mut Writer) {
        self.encode(writer);
    }
    fn decode_present(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader)
    }
    fn absent(field: u64) -> Result<Self, DecodeError> {
        Err(DecodeError::Missing { field })
    }
}

impl<T: Wire> Field for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
    fn encode_present(&self, writer: &mut Writer) {
        if let Some(value) = self {
            value.encode(writer);
        }
    }
    fn decode_present(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Some)
    }
    fn absent(_field: u64) -> Result<Self, DecodeError> {
        Ok(None)
    }
}

/// Writes values in their one encoding.
#[derive(Debug)]
pub struct Writer {
    encoder: Encoder<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            encoder: Encoder::new(Vec::new()),
        }
    }

    /// The bytes written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.encoder.into_writer()
    }

    /// Writes an unsigned integer.
    pub fn unsigned(&mut self, value: u64) {
        self.encoder.u64(value).expect("a Vec takes every write");
    }

    /// Writes a signed integer.
    pub fn signed(&mut self, value: i64) {
        self.encoder.i64(value).expect("a Vec takes every write");
    }

    /// Writes a boolean.
    pub fn boolean(&mut self, value: bool) {
        self.encoder.bool(value).expect("a Vec takes every write");
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.encoder.bytes(value).expect("a Vec takes every write");
    }

    /// Writes a text string.
    pub fn text(&mut self, value: &str) {
        self.encoder.str(value).expect("a Vec takes every write");
    }

    /// Opens an array; exactly `length` values must follow.
    pub fn open_array(&mut self, length: u64) {
        self.encoder.array(length).expect("a Vec takes every write");
    }

    /// Opens a map; exactly `length` fields must follow.
    pub fn open_map(&mut self, length: u64) {
        self.encoder.map(length).expect("a Vec takes every write");
    }

    /// Writes one field of an open map, or nothing when it is absent. Numbers must ascend.
    pub fn field<T: Field>(&mut self, number: u64, value: &T) {
        if !value.is_absent() {
            self.unsigned(number);
            value.encode_present(self);
        }
    }
}

/// Reads values and takes no other than their one encoding.
#[derive(Debug)]
pub struct Reader<'b> {
    decoder: Decoder<'b>,
    depth: u32,
    skipped: u32,
}

/// A map being read: its fields must ascend.
#[derive(Debug)]
pub struct Map {
    remaining: u64,
    /// The number of the field whose value comes next, once it was read.
    next: Option<u64>,
    last: Option<u64>,
}

impl<'b> Reader<'b> {
    /// Reads from `bytes`.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            depth: 0,
            skipped: 0,
        }
    }

    /// Refuses bytes after the last value.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            bytes => Err(DecodeError::Trailing { bytes }),
        }
    }

    /// Bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.decoder.input().len() - self.decoder.position()
    }

    /// Unknown fields skipped so far. A value that had some would be written back without them, as other bytes.
    #[must_use]
    pub fn skipped_fields(&self) -> u32 {
        self.skipped
    }

    /// Reads an unsigned integer.
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let start = self.decoder.position();
        let value = self
            .decoder
            .u64()
            .map_err(|error| cause(&error, "an unsigned integer"))?;
        self.check_head(start, value, 0)?;
        Ok(value)
    }

    /// Reads a signed integer.
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let start = self.decoder.position();
        let value = self
            .decoder
            .i64()
            .map_err(|error| cause(&error, "an integer"))?;
        let argument = if value < 0 {
            (-1 - value).unsigned_abs()
        } else {
            value.unsigned_abs()
        };
        self.check_head(start, argument, 0)?;
        Ok(value)
    }

    /// Reads a boolean.
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        self.decoder
            .bool()
            .map_err(|error| cause(&error, "true or false"))
    }

    /// Reads a byte string, in place.
    pub fn bytes(&mut self) -> Result<&'b [u8], DecodeError> {
        let start = self.decoder.position();
        let value = self
            .decoder
            .bytes()
            .map_err(|error| cause(&error, "bytes"))?;
        self.check_head(start, value.len() as u64, value.len())?;
        Ok(value)
    }

    /// Reads a text string, in place.
    pub fn text(&mut self) -> Result<&'b str, DecodeError> {
        let start = self.decoder.position();
        let value = self.decoder.str().map_err(|error| cause(&error, "text"))?;
        self.check_head(start, value.len() as u64, value.len())?;
        Ok(value)
    }

    /// Opens an array and says how many values it holds. A count that the remaining bytes cannot hold is refused here,
    /// so a caller may trust it for a loop (not for an allocation). Close it with [`Reader::close`].
    pub fn open_array(&mut self) -> Result<u64, DecodeError> {
        let start = self.decoder.position();
        let length = self
            .decoder
            .array()
            .map_err(|error| cause(&error, "an array"))?;
        self.enter(start, length, 1)
    }

    /// Opens a map. Read its fields with [`Reader::field`], in ascending order, then [`Reader::close_map`].
    pub fn open_map(&mut self) -> Result<Map, DecodeError> {
        let start = self.decoder.position();
        let length = self.decoder.map().map_err(|error| cause(&error, "a map"))?;
        Ok(Map {
            remaining: self.enter(start, length, 2)?,
            next: None,
            last: None,
        })
    }

    /// Leaves an array whose values were all read.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Reads field `number` of an open map: unknown fields in front of it are skipped or stop the reader.
    pub fn field<T: Field>(&mut self, map: &mut Map, number: u64) -> Result<T, DecodeError> {
        while let Some(next) = self.peek_field(map)? {
            if next > number {
                break;
            }
            map.next = None;
            if next == number {
                return T::decode_present(self);
            }
            self.skip_field(next)?;
        }
        T::absent(number)
    }

    /// Leaves a map: what remains in it is unknown here.
    pub fn close_map(&mut self, mut map: Map) -> Result<(), DecodeError> {
        while let Some(next) = self.peek_field(&mut map)? {
            map.next = None;
            self.skip_field(next)?;
        }
        self.close();
        Ok(())
    }

    fn peek_field(&mut self, map: &mut Map) -> Result<Option<u64>, DecodeError> {
        if map.next.is_none() && map.remaining > 0 {
            let number = self.unsigned()?;
            if map.last.is_some_and(|last| number <= last) {
                return Err(DecodeError::NotCanonical {
                    what: "fields do not ascend",
                });
            }
            map.remaining -= 1;
            map.last = Some(number);
            map.next = Some(number);
        }
        Ok(map.next)
    }

    fn skip_field(&mut self, number: u64) -> Result<(), DecodeError> {
        if number < SKIPPABLE_FIELD_MIN {
            return Err(DecodeError::NeedsNewer { field: number });
        }
        self.skipped += 1;
        self.skip_value()
    }

    /// Reads one value of any type and forgets it. It must be in deterministic form all the same: a statement has one
    /// encoding for those who know the field and for those who do not.
    pub fn skip_value(&mut self) -> Result<(), DecodeError> {
        match self
            .decoder
            .datatype()
            .map_err(|error| cause(&error, "a value"))?
        {
            Type::Bool => self.boolean().map(drop),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => self.unsigned().map(drop),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => self.signed().map(drop),
            Type::Bytes => self.bytes().map(drop),
            Type::String => self.text().map(drop),
            Type::Array => {
                for _ in 0..self.open_array()? {
                    self.skip_value()?;
                }
                self.close();
                Ok(())
            }
            Type::Map => {
                let mut map = self.open_map()?;
                while self.peek_field(&mut map)?.is_some() {
                    map.next = None;
                    self.skip_value()?;
                }
                self.close();
                Ok(())
            }
            _ => Err(DecodeError::NotCanonical {
                what: "a type that is never used",
            }),
        }
    }

    /// Checks that the head before a value of `content` bytes was the shortest for `argument`.
    fn check_head(&self, start: usize, argument: u64, content: usize) -> Result<(), DecodeError> {
        let head = match argument {
            0..24 => 1,
            24..0x100 => 2,
            0x100..0x1_0000 => 3,
            0x1_0000..0x1_0000_0000 => 5,
            _ => 9,
        };
        if self.decoder.position() - start == head + content {
            Ok(())
        } else {
            Err(DecodeError::NotCanonical {
                what: "a longer form than needed, or an indefinite length",
            })
        }
    }

    fn enter(
        &mut self,
        start: usize,
        length: Option<u64>,
        least_bytes: u64,
    ) -> Result<u64, DecodeError> {
        let length = length.ok_or(DecodeError::NotCanonical {
            what: "an indefinite length",
        })?;
        self.check_head(start, length, 0)?;
        if length.saturating_mul(least_bytes) > self.remaining() as u64 {
            return Err(DecodeError::Truncated);
        }
        if self.depth >= CBOR_DEPTH_MAX {
            return Err(DecodeError::TooDeep {
                max: CBOR_DEPTH_MAX,
            });
        }
        self.depth += 1;
        Ok(length)
    }
}

fn cause(error: &minicbor::decode::Error, expected: &'static str) -> DecodeError {
    if error.is_end_of_input() {
        DecodeError::Truncated
    } else {
        DecodeError::WrongType { expected }
    }
}

/// Opens an array that must hold exactly `length` values.
pub fn expect_array(reader: &mut Reader<'_>, length: u64) -> Result<(), DecodeError> {
    if reader.open_array()? == length {
        Ok(())
    } else {
        Err(DecodeError::WrongType {
            expected: "an array of a fixed length",
        })
    }
}

/// Refuses more of `what` than `max`.
pub fn at_most(what: &'static str, got: usize, max: usize) -> Result<(), DecodeError> {
    if got <= max {
        Ok(())
    } else {
        Err(DecodeError::TooLong {
            what,
            got: got as u64,
            max: max as u64,
        })
    }
}

#[cfg(test)]
mod tests;
