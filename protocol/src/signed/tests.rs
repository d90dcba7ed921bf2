// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a signature covers, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::samples::{key, public};

/// A kind with one field, and the same kind as newer builds know it.
#[derive(Debug, Clone, PartialEq)]
struct Note {
    words: String,
}
crate::wire_map!(Note { 0 => words });
impl Signable for Note {
    const LABEL: &'static str = "note";
    const VERSION: u16 = 1;
}

macro_rules! newer_note {
    ($name:ident, $number:literal, $version:literal) => {
        struct $name {
            words: String,
            more: u64,
        }
        crate::wire_map!($name { 0 => words, $number => more });
        impl Signable for $name {
            const LABEL: &'static str = "note";
            const VERSION: u16 = $version;
        }
    };
}
newer_note!(CriticalNote, 1, 1);
newer_note!(SkippableNote, 64, 1);
newer_note!(SecondNote, 2, 2);

fn note() -> Signed<Note> {
    Signed::sign(
        &Note {
            words: "two pounds of apples".to_owned(),
        },
        &key(1),
    )
}

fn as_note<T: Signable>(signed: &Signed<T>) -> Signed<Note> {
    Signed::from_bytes(&signed.to_bytes()).unwrap()
}

#[test]
fn a_verified_statement_knows_its_signer_and_its_bytes() {
    let verified = note().verify().unwrap();
    assert_eq!(verified.signer(), public(1));
    assert_eq!(verified.words, "two pounds of apples");
    assert_eq!(
        verified.payload(),
        Note {
            words: verified.words.clone()
        }
        .to_bytes()
    );
    assert_eq!(verified.hash(), note().hash());
    assert!(verified.clone().signed_by(&public(1)).is_ok());
    assert_eq!(
        verified.signed_by(&public(2)),
        Err(VerifyError::WrongSigner { label: "note" })
    );
}

///
/// MLS signs a structure that begins with its label's length, and all its labels are shorter than 64 bytes; a CBOR
/// array head is 0x80 and above. So no bytes are both, and no signature here is worth anything there.
#[test]
fn the_signed_bytes_begin_as_no_mls_structure_does() {
    let input = signing_input("note", 1, b"payload");
    assert_eq!(input, b"\x84\x68comptoir\x64note\x01\x47payload");
    assert!(input[0] >= 0x80);
}

///
#[test]
fn any_change_is_refused() {
    let refused = Err(VerifyError::Signature { label: "note" });
    let mut other = note();
    other.payload[3] ^= 1;
    assert_eq!(other.verify(), refused);
    let mut other = note();
    other.signature[40] ^= 1;
    assert_eq!(other.verify(), refused);
    let mut other = note();
    other.signer = public(2);
    assert_eq!(other.verify(), refused);
}

#[test]
fn nothing_of_an_unsigned_payload_is_read() {
    let mut other = note();
    other.payload = b"not even CBOR".to_vec();
    assert_eq!(
        other.verify(),
        Err(VerifyError::Signature { label: "note" })
    );
}

///
#[test]
fn a_newer_version_is_named_as_one() {
    let newer = Signed::sign(
        &SecondNote {
            words: String::new(),
            more: 1,
        },
        &key(1),
    );
    assert_eq!(
        as_note(&newer).verify(),
        Err(VerifyError::NeedsNewer {
            label: "note",
            version: 2
        })
    );
}

///
#[test]
fn a_critical_unknown_field_stops_and_a_skippable_one_stays_under_the_signature() {
    let critical = Signed::sign(
        &CriticalNote {
            words: String::new(),
            more: 1,
        },
        &key(1),
    );
    assert_eq!(
        as_note(&critical).verify(),
        Err(VerifyError::Decode(DecodeError::NeedsNewer { field: 1 }))
    );
    let skippable = Signed::sign(
        &SkippableNote {
            words: "apples".to_owned(),
            more: 1,
        },
        &key(1),
    );
    let verified = as_note(&skippable).verify().unwrap();
    assert_eq!(verified.words, "apples");
    assert_eq!(
        verified.hash(),
        skippable.hash(),
        "the hash is of the bytes as received"
    );
    assert_ne!(
        verified.payload(),
        Note {
            words: "apples".to_owned()
        }
        .to_bytes()
    );
    assert_eq!(
        verified.as_signed().to_bytes(),
        skippable.to_bytes(),
        "and they are handed on whole"
    );
}

///
/// A key of small order has signatures that fit every message. A lax verifier takes them.
#[test]
fn keys_of_small_order_and_second_forms_of_a_signature_are_refused() {
    let mut forged = note();
    forged.signer = PublicKey(std::array::from_fn(|index| u8::from(index == 0)));
    forged.signature = std::array::from_fn(|index| u8::from(index == 0));
    assert!(forged.verify().is_err());

    // The group order, added to S, makes a second signature of the same statement unless S is checked.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut second = note();
    let mut carry = 0u16;
    for (byte, order) in second.signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(second.verify().is_err());
}

#[test]
fn debug_shows_no_payload() {
    assert!(!format!("{:?}", note()).contains("apples"));
}
