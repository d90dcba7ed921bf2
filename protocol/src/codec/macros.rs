// SPDX-License-Identifier: MIT OR Apache-2.0
//! The three shapes of a type on the wire, each written once: a map of fields, a number, a choice.

/// Writes [`Wire`] for a structure: `wire_map!(Type { 0 => field, 1 => other })`, numbers ascending, optional fields left
/// out when `None`. With `check = path`, `path(&value)` may still refuse what was read.
#[macro_export]
macro_rules! wire_map {
    ($type:ty { $($number:literal => $field:ident),* $(,)? } $(, check = $check:path)?) => {
        impl $crate::codec::Wire for $type {
            fn encode(&self, writer: &mut $crate::codec::Writer) {
                writer.open_map(0 $(+ u64::from(!$crate::codec::Field::is_absent(&self.$field)))*);
                $( writer.field($number, &self.$field); )*
            }
            fn decode(reader: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                #[allow(unused_mut, reason = "an empty structure has no fields to read")]
                let mut map = reader.open_map()?;
                $( let $field = reader.field(&mut map, $number)?; )*
                reader.close_map(map)?;
                let value = Self { $($field),* };
                $( $check(&value)?; )?
                Ok(value)
            }
        }
    };
}

/// Writes [`Wire`] for an enum without content: `wire_number!(Type, "what it is" { 0 => A, 1 => B })`.
#[macro_export]
macro_rules! wire_number {
    ($type:ty, $what:literal { $($number:literal => $variant:ident),* $(,)? }) => {
        impl $type {
            /// The released number.
            #[must_use]
            pub fn number(self) -> u64 {
                match self { $( Self::$variant => $number, )* }
            }
        }
        impl $crate::codec::Wire for $type {
            fn encode(&self, writer: &mut $crate::codec::Writer) {
                writer.unsigned(self.number());
            }
            fn decode(reader: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                match reader.unsigned()? {
                    $( $number => Ok(Self::$variant), )*
                    number => Err($crate::error::DecodeError::UnknownNumber { what: $what, number }),
                }
            }
        }
    };
}

/// Writes [`Wire`] for an enum with content: `wire_choice!(Type, "what it is" { 0 => A, 1 => B(value), 2 => C { 0 => x } })`.
/// On the wire `[0]`, `[1, value]`, `[2, {0: x}]`. With `check = path`, `path(&value)` may still refuse what was read.
#[macro_export]
macro_rules! wire_choice {
    ($type:ty, $what:literal {
        $( $number:literal => $variant:ident $( ( $value:ident ) )? $( { $($key:literal => $field:ident),* $(,)? } )? ),* $(,)?
    } $(, check = $check:path)?) => {
        impl $type {
            /// The released number of this choice.
            #[must_use]
            pub fn number(&self) -> u64 {
                match self { $( Self::$variant { .. } => $number, )* }
            }
        }
        impl $crate::codec::Wire for $type {
            fn encode(&self, writer: &mut $crate::codec::Writer) {
                match self {
                    $( Self::$variant $( ( $value ) )? $( { $($field),* } )? => {
                        writer.open_array(1 $( + { let _ = $value; 1 } )? $( + { $( let _ = $field; )* 1 } )?);
                        writer.unsigned($number);
                        $( $crate::codec::Wire::encode($value, writer); )?
                        $(
                            writer.open_map(0 $(+ u64::from(!$crate::codec::Field::is_absent($field)))*);
                            $( writer.field($key, $field); )*
                        )?
                    } )*
                }
            }
            fn decode(reader: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::error::DecodeError> {
                let length = reader.open_array()?;
                if length == 0 {
                    return Err($crate::error::DecodeError::WrongType { expected: "a number in front" });
                }
                let number = reader.unsigned()?;
                let value = match number {
                    $( $number => {
                        if length != 1 $( + { stringify!($value); 1 } )? $( + { $( stringify!($field); )* 1 } )? {
                            return Err($crate::error::DecodeError::WrongType { expected: $what });
                        }
                        $( let $value = $crate::codec::Wire::decode(reader)?; )?
                        $(
                            #[allow(unused_mut, reason = "an empty structure has no fields to read")]
                            let mut map = reader.open_map()?;
                            $( let $field = reader.field(&mut map, $key)?; )*
                            reader.close_map(map)?;
                        )?
                        Self::$variant $( ( $value ) )? $( { $($field),* } )?
                    } )*
                    number => return Err($crate::error::DecodeError::UnknownNumber { what: $what, number }),
                };
                reader.close();
                $( $check(&value)?; )?
                Ok(value)
            }
        }
    };
}
