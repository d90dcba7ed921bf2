// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of the store's own records.

use crate::codec::{Record, decode, encode};
use crate::records::{ConsumerV1, ConsumerV2, HeaderV1, UnlockV1};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Released bytes: what these say may never change.
#[test]
fn golden_bytes() {
    let header = HeaderV1 {
        schema: 2,
        migrating_to: 3,
        migrated_up_to: vec![0xe2, 0, 1],
    };
    // version, kind | schema | migrating to | length of the key, the key
    assert_eq!(
        hex(&encode(&header).unwrap()),
        "0101020000000300000003000000000000 00e20001".replace(' ', "")
    );
    let consumer = ConsumerV1 {
        name: "hook".into(),
        acknowledged: 258,
    };
    // version, kind | length of the name, the name | event
    assert_eq!(
        hex(&encode(&consumer).unwrap()),
        "01020400000000000000686f6f6b0201000000000000"
    );
    let consumer = ConsumerV2 {
        name: "hook".into(),
        acknowledged: 258,
        acknowledged_ms: 1,
    };
    assert_eq!(
        hex(&encode(&consumer).unwrap()),
        "02020400000000000000686f6f6b02010000000000000100000000000000"
    );
    let unlock = UnlockV1 {
        method: 1,
        detail: vec![9, 8],
    };
    assert_eq!(hex(&encode(&unlock).unwrap()), "01030102000000000000000908");
}

fn round_trip<R: Record + PartialEq + std::fmt::Debug>(record: R) {
    let bytes = encode(&record).unwrap();
    assert_eq!(decode::<R>(&bytes).unwrap(), record);
    for cut in 0..bytes.len() {
        assert!(decode::<R>(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(decode::<R>(&longer).is_err(), "a trailing byte");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            // Only that it neither panics nor allocates by what the bytes claim.
            let _ = decode::<R>(&flipped);
        }
    }
}

#[test]
fn records_round_trip_and_refuse_what_they_are_not() {
    round_trip(HeaderV1 {
        schema: 1,
        migrating_to: 1,
        migrated_up_to: vec![1; 20],
    });
    round_trip(ConsumerV1 {
        name: "é".repeat(20),
        acknowledged: u64::MAX,
    });
    round_trip(ConsumerV2 {
        name: String::new(),
        acknowledged: 0,
        acknowledged_ms: 7,
    });
    round_trip(UnlockV1 {
        method: 3,
        detail: vec![],
    });
}

#[test]
fn one_kind_or_version_is_never_read_as_another() {
    let one = encode(&ConsumerV1 {
        name: "a".into(),
        acknowledged: 1,
    })
    .unwrap();
    assert!(decode::<ConsumerV2>(&one).is_err());
    assert!(decode::<UnlockV1>(&one).is_err());
    assert!(decode::<HeaderV1>(&one).is_err());
}

///
#[test]
fn a_claimed_length_allocates_nothing() {
    for claimed in [u64::MAX, 1 << 40, 1 << 30, 5000] {
        let bytes = [&[1, 3, 1][..], &claimed.to_le_bytes()].concat();
        assert!(decode::<UnlockV1>(&bytes).is_err());
    }
}

#[test]
fn records_above_the_limit_are_neither_written_nor_read() {
    assert!(
        encode(&UnlockV1 {
            method: 1,
            detail: vec![0; 4096]
        })
        .is_none()
    );
    let long = [&[1, 3, 1][..], &5000_u64.to_le_bytes(), &[0; 5000]].concat();
    assert!(decode::<UnlockV1>(&long).is_err());
}
