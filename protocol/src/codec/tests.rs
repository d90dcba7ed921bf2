// SPDX-License-Identifier: MIT OR Apache-2.0
//! One encoding for every value, and nothing else taken.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;

#[derive(Debug, PartialEq)]
struct Pair {
    first: u64,
    second: Option<String>,
}
crate::wire_map!(Pair { 3 => first, 5 => second });

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(text.replace(' ', "").as_bytes())
        .unwrap()
}

///
#[test]
fn integers_are_those_of_rfc_8949_appendix_a() {
    for (value, bytes) in [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (100, "1864"),
        (1000, "1903e8"),
        (1_000_000, "1a000f4240"),
        (1_000_000_000_000, "1b000000e8d4a51000"),
        (u64::MAX, "1bffffffffffffffff"),
    ] {
        assert_eq!(value.to_bytes(), hex(bytes));
        assert_eq!(u64::from_bytes(&hex(bytes)), Ok(value));
    }
    for (value, bytes) in [
        (-1, "20"),
        (-10, "29"),
        (-100, "3863"),
        (-1000, "3903e7"),
        (i64::MIN, "3b7fffffffffffffff"),
    ] {
        assert_eq!(i64::to_bytes(&value), hex(bytes));
        assert_eq!(i64::from_bytes(&hex(bytes)), Ok(value));
    }
}

///
#[test]
fn longer_forms_are_refused() {
    for long in [
        "1800",
        "1817",
        "190017",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
    ] {
        assert!(
            matches!(
                u64::from_bytes(&hex(long)),
                Err(DecodeError::NotCanonical { .. })
            ),
            "{long}"
        );
    }
    for long in ["3800", "390000", "1800"] {
        assert!(
            matches!(
                i64::from_bytes(&hex(long)),
                Err(DecodeError::NotCanonical { .. })
            ),
            "{long}"
        );
    }
    assert!(matches!(
        <Vec<u8>>::from_bytes(&hex("5801aa")),
        Err(DecodeError::NotCanonical { .. })
    ));
    assert!(matches!(
        String::from_bytes(&hex("780161")),
        Err(DecodeError::NotCanonical { .. })
    ));
    assert!(matches!(
        <Vec<u64>>::from_bytes(&hex("980100")),
        Err(DecodeError::NotCanonical { .. })
    ));
    assert!(matches!(
        Pair::from_bytes(&hex("b8010301")),
        Err(DecodeError::NotCanonical { .. })
    ));
    assert!(
        matches!(
            Pair::from_bytes(&hex("a1180301")),
            Err(DecodeError::NotCanonical { .. })
        ),
        "a long field number"
    );
}

///
#[test]
fn indefinite_lengths_tags_floats_and_nulls_are_refused() {
    for bytes in ["9f00ff", "bf0301ff", "5f41aaff", "7f6161ff"] {
        let bytes = hex(bytes);
        assert!(<Vec<u64>>::from_bytes(&bytes).is_err());
        assert!(Pair::from_bytes(&bytes).is_err());
        assert!(<Vec<u8>>::from_bytes(&bytes).is_err());
        assert!(String::from_bytes(&bytes).is_err());
    }
    // As values of a field that would be skipped: 64 => …
    for value in [
        "c100",
        "f6",
        "f7",
        "f97e00",
        "fa47c35000",
        "fb3ff199999999999a",
        "e0",
        "9f00ff",
        "bf0301ff",
        "1817",
    ] {
        let bytes = hex(&format!("a203011840{value}"));
        assert!(
            matches!(
                Pair::from_bytes(&bytes),
                Err(DecodeError::NotCanonical { .. })
            ),
            "{value}"
        );
    }
}

///
#[test]
fn a_field_below_64_needs_a_newer_version_and_one_from_64_on_is_skipped() {
    let known = Pair {
        first: 1,
        second: None,
    };
    assert_eq!(known.to_bytes(), hex("a10301"));
    for (number, bytes) in [(0, "a200000301"), (4, "a203010400"), (63, "a20301183f00")] {
        let error = Pair::from_bytes(&hex(bytes)).unwrap_err();
        assert_eq!(error, DecodeError::NeedsNewer { field: number });
        assert!(error.needs_newer());
    }
    assert_eq!(
        Pair::from_bytes(&hex("a20301184082f4a10080")),
        Ok(Pair {
            first: 1,
            second: None
        })
    );
    assert_eq!(
        Pair::from_bytes(&hex("a20301191000 3903e7")),
        Ok(Pair {
            first: 1,
            second: None
        })
    );
}

#[test]
fn a_missing_field_is_named_and_an_optional_one_is_none() {
    assert_eq!(
        Pair::from_bytes(&hex("a0")),
        Err(DecodeError::Missing { field: 3 })
    );
    assert_eq!(
        Pair::from_bytes(&hex("a1056161")),
        Err(DecodeError::Missing { field: 3 })
    );
    let both = Pair {
        first: 1,
        second: Some("a".to_owned()),
    };
    assert_eq!(Pair::from_bytes(&hex("a20301056161")), Ok(both));
}

///
#[test]
fn fields_that_do_not_ascend_are_refused() {
    for bytes in [
        "a20561610301",
        "a203010301",
        "a303010561610561 61",
        "a403011841 00 1840 00 1842 00",
        "a20301 a000",
    ] {
        assert!(Pair::from_bytes(&hex(bytes)).is_err(), "{bytes}");
    }
}

#[test]
fn a_field_given_twice_is_refused() {
    for bytes in ["a203010301", "a3030118400018 4001"] {
        let twice = Pair::from_bytes(&hex(bytes));
        assert!(
            matches!(twice, Err(DecodeError::NotCanonical { .. })),
            "{bytes}"
        );
    }
}

///
#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| [hex("a203011840"), vec![0x81; depth], vec![0x00]].concat();
    let max = CBOR_DEPTH_MAX as usize;
    assert!(
        Pair::from_bytes(&nested(max - 1)).is_ok(),
        "the map itself is one level"
    );
    assert_eq!(
        Pair::from_bytes(&nested(max)),
        Err(DecodeError::TooDeep {
            max: CBOR_DEPTH_MAX
        })
    );
    assert_eq!(
        Pair::from_bytes(&nested(60_000)),
        Err(DecodeError::TooDeep {
            max: CBOR_DEPTH_MAX
        })
    );
    let maps = [hex("a203011840"), hex("a100").repeat(60_000), vec![0x00]].concat();
    assert_eq!(
        Pair::from_bytes(&maps),
        Err(DecodeError::TooDeep {
            max: CBOR_DEPTH_MAX
        })
    );
    // Siblings are not nesting: an array of many arrays leaves each before the next.
    let siblings = [hex("a203011840 9864"), vec![0x80; 100]].concat();
    assert!(Pair::from_bytes(&siblings).is_ok());
}

///
/// A claim of 2^62 values in ten bytes is refused before anything is made room for.
#[test]
fn a_claimed_length_allocates_nothing() {
    for head in [
        "9b4000000000000000",
        "bb4000000000000000",
        "5b4000000000000000",
        "7b4000000000000000",
    ] {
        let bytes = [hex(head), vec![0]].concat();
        assert!(<Vec<u64>>::from_bytes(&bytes).is_err());
        assert!(<Vec<u8>>::from_bytes(&bytes).is_err());
        assert!(String::from_bytes(&bytes).is_err());
        assert!(Pair::from_bytes(&bytes).is_err());
    }
    assert_eq!(
        <Vec<u64>>::from_bytes(&hex("830001")),
        Err(DecodeError::Truncated),
        "three claimed, two there"
    );
    // Refused at the head, before any value is looked for.
    assert_eq!(
        Reader::new(&hex("9a00010000 00")).open_array(),
        Err(DecodeError::Truncated)
    );
    assert!(Reader::new(&hex("a20300")).open_map().is_err());
    assert_eq!(
        <Vec<u64>>::from_bytes(&hex("9bffffffffffffffff00")),
        Err(DecodeError::Truncated)
    );
}

#[test]
fn other_types_and_bad_text_are_refused() {
    assert!(u64::from_bytes(&hex("20")).is_err());
    assert!(bool::from_bytes(&hex("00")).is_err());
    assert!(bool::from_bytes(&hex("f814")).is_err());
    assert!(String::from_bytes(&hex("61ff")).is_err());
    assert!(<[u8; 2]>::from_bytes(&hex("43010203")).is_err());
    assert!(u16::from_bytes(&hex("1a00010000")).is_err());
    assert!(u32::from_bytes(&hex("1b0000000100000000")).is_err());
    assert!(<(u64, u64)>::from_bytes(&hex("83000000")).is_err());
}
