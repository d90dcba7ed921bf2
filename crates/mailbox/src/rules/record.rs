// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records: the bytes of a row, which only this relay reads.
//!
//! A version byte, then the fields in order at fixed widths, big-endian; lists and byte strings with a `u32` count
//! before them. A released version never changes: a new field makes a new version and a reader for the old one.

use crate::MailboxError;

/// A value with a fixed place in a record.
pub(crate) trait Field: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// `None` if the bytes end too early or hold no such value.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

/// A row's content.
pub(crate) trait Record: Sized {
    const VERSION: u8;
    const NAME: &'static str;
    fn write_fields(&self, out: &mut Vec<u8>);
    fn read_fields(from: &mut &[u8]) -> Option<Self>;

    fn to_row(&self) -> Vec<u8> {
        let mut row = vec![Self::VERSION];
        self.write_fields(&mut row);
        row
    }

    fn from_row(row: &[u8]) -> Result<Self, MailboxError> {
        let corrupt = MailboxError::Corrupt { record: Self::NAME };
        let (&version, mut rest) = row.split_first().ok_or(corrupt)?;
        if version != Self::VERSION {
            return Err(MailboxError::NewerRecord {
                record: Self::NAME,
                version,
            });
        }
        match Self::read_fields(&mut rest) {
            Some(record) if rest.is_empty() => Ok(record),
            _ => Err(MailboxError::Corrupt { record: Self::NAME }),
        }
    }
}

/// Takes `n` bytes off the front.
pub(crate) fn take<'a>(from: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(n)?;
    *from = rest;
    Some(head)
}

macro_rules! number_fields {
    ($($number:ty),*) => {$(
        impl Field for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                let bytes = take(from, size_of::<$number>())?;
                Some(Self::from_be_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}
number_fields!(u8, u16, u32, u64, i64);

impl Field for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        match u8::read(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<const N: usize> Field for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        take(from, N)?.try_into().ok()
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(if bool::read(from)? {
            Some(T::read(from)?)
        } else {
            None
        })
    }
}

/// A byte string with its length before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Field for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.0.len(), out);
        out.extend_from_slice(&self.0);
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u32::read(from)?).ok()?;
        Some(Self(take(from, length)?.to_vec()))
    }
}

impl<T: Field> Field for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_count(self.len(), out);
        for value in self {
            value.write(out);
        }
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        let count = u32::read(from)?;
        // Nothing is reserved for a claimed count: a list grows by what is really there.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(T::read(from)?);
        }
        Some(list)
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count)
        .expect("every list and blob of a row is bounded far below 4 GiB")
        .write(out);
}

/// Lets one-field id types stand in records as their bytes.
macro_rules! id_fields {
    ($($id:ty),* $(,)?) => {$(
        impl $crate::rules::record::Field for $id {
            fn write(&self, out: &mut Vec<u8>) {
                $crate::rules::record::Field::write(&self.0, out);
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                Some(Self($crate::rules::record::Field::read(from)?))
            }
        }
    )*};
}

/// Declares the struct of a row and its bytes in one place, so that field order is written once.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident version $version:literal { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name { $($(#[$doc])* pub(crate) $field: $kind,)* }

        impl $crate::rules::record::Field for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $crate::rules::record::Record::write_fields(self, out);
            }
            fn read(from: &mut &[u8]) -> Option<Self> {
                $crate::rules::record::Record::read_fields(from)
            }
        }

        impl $crate::rules::record::Record for $name {
            const VERSION: u8 = $version;
            const NAME: &'static str = stringify!($name);
            fn write_fields(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::rules::record::Field::write($field, out);)*
            }
            fn read_fields(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::rules::record::Field::read(from)?,)* })
            }
        }
    };
}
pub(crate) use {id_fields, record};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    record! {
        /// One of each kind of field.
        Sample version 3 {
            small: u8,
            large: u64,
            place: Option<u32>,
            hash: [u8; 4],
            pairs: Vec<(u16, bool)>,
            blob: Bytes,
        }
    }

    fn sample() -> Sample {
        Sample {
            small: 7,
            large: 1 << 40,
            place: Some(9),
            hash: [1, 2, 3, 4],
            pairs: vec![(1, true), (2, false)],
            blob: Bytes(vec![5; 3]),
        }
    }

    #[test]
    fn a_record_reads_back_and_keeps_its_bytes() {
        let row = sample().to_row();
        assert_eq!(row[0], 3);
        assert_eq!(Sample::from_row(&row).unwrap(), sample());
    }

    #[test]
    fn cut_longer_or_newer_rows_are_refused_with_their_name() {
        let row = sample().to_row();
        for length in 0..row.len() {
            assert!(
                matches!(
                    Sample::from_row(&row[..length]),
                    Err(MailboxError::Corrupt { record: "Sample" })
                ),
                "cut at {length}"
            );
        }
        let mut longer = row.clone();
        longer.push(0);
        assert!(matches!(
            Sample::from_row(&longer),
            Err(MailboxError::Corrupt { .. })
        ));
        let mut newer = row;
        newer[0] = 4;
        assert!(matches!(
            Sample::from_row(&newer),
            Err(MailboxError::NewerRecord { version: 4, .. })
        ));
    }

    #[test]
    fn a_claimed_count_allocates_nothing() {
        let mut row = vec![3, 7];
        row.extend_from_slice(&[0; 8 + 1 + 4]);
        row.extend_from_slice(&u32::MAX.to_be_bytes());
        assert!(Sample::from_row(&row).is_err());
    }
}
