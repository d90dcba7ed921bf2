// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plain values: numbers, text, bytes, lists and pairs, each with its one encoding.

use super::{DecodeError, Reader, Wire, Writer, expect_array};

impl Wire for u64 {
    fn encode(&self, writer: &mut Writer) {
        writer.unsigned(*self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.unsigned()
    }
}

impl Wire for u32 {
    fn encode(&self, writer: &mut Writer) {
        writer.unsigned(u64::from(*self));
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let got = reader.unsigned()?;
        Self::try_from(got).map_err(|_| DecodeError::TooLong {
            what: "a 32-bit number",
            got,
            max: Self::MAX.into(),
        })
    }
}

impl Wire for u16 {
    fn encode(&self, writer: &mut Writer) {
        writer.unsigned(u64::from(*self));
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let got = reader.unsigned()?;
        Self::try_from(got).map_err(|_| DecodeError::TooLong {
            what: "a 16-bit number",
            got,
            max: Self::MAX.into(),
        })
    }
}

impl Wire for i64 {
    fn encode(&self, writer: &mut Writer) {
        writer.signed(*self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.signed()
    }
}

impl Wire for bool {
    fn encode(&self, writer: &mut Writer) {
        writer.boolean(*self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.boolean()
    }
}

impl Wire for String {
    fn encode(&self, writer: &mut Writer) {
        writer.text(self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.text().map(str::to_owned)
    }
}

/// Bytes, as one byte string (`u8` alone is never written, so this does not meet the list of values below).
impl Wire for Vec<u8> {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.bytes().map(<[u8]>::to_vec)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.open_array(self.len() as u64);
        for value in self {
            value.encode(writer);
        }
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Grown as values arrive: the claimed count allocates nothing.
        let mut values = Self::new();
        for _ in 0..reader.open_array()? {
            values.push(T::decode(reader)?);
        }
        reader.close();
        Ok(values)
    }
}

/// A boxed value is the value.
impl<T: Wire> Wire for Box<T> {
    fn encode(&self, writer: &mut Writer) {
        T::encode(self, writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self::new)
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::try_from(reader.bytes()?).map_err(|_| DecodeError::WrongType {
            expected: "bytes of a fixed length",
        })
    }
}

/// A pair is an array of two.
impl<A: Wire, B: Wire> Wire for (A, B) {
    fn encode(&self, writer: &mut Writer) {
        writer.open_array(2);
        self.0.encode(writer);
        self.1.encode(writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect_array(reader, 2)?;
        let pair = (A::decode(reader)?, B::decode(reader)?);
        reader.close();
        Ok(pair)
    }
}

/// A triple is an array of three.
impl<A: Wire, B: Wire, C: Wire> Wire for (A, B, C) {
    fn encode(&self, writer: &mut Writer) {
        writer.open_array(3);
        self.0.encode(writer);
        self.1.encode(writer);
        self.2.encode(writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect_array(reader, 3)?;
        let triple = (A::decode(reader)?, B::decode(reader)?, C::decode(reader)?);
        reader.close();
        Ok(triple)
    }
}
