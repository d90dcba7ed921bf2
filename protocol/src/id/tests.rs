// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids as text, and only as one text.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;

#[test]
fn ids_are_lower_case_hex_and_nothing_else() {
    let id = ThreadId([0xab; 16]);
    assert_eq!(id.to_string(), "ab".repeat(16));
    assert_eq!(id.to_string().parse(), Ok(id));
    for wrong in [
        "",
        "ab",
        &"AB".repeat(16),
        &"ab".repeat(17),
        &"zz".repeat(16),
    ] {
        assert!(wrong.parse::<ThreadId>().is_err(), "{wrong}");
    }
}

#[test]
fn debug_shows_too_little_to_look_anybody_up() {
    assert_eq!(
        format!("{:?}", AccountId([0x12; 32])),
        "AccountId(12121212…)"
    );
}

#[test]
fn a_message_has_one_name() {
    let id = MessageId {
        thread: ThreadId([1; 16]),
        author: DeviceId([2; 32]),
        lane: Lane::Promotion,
        sequence: 70,
    };
    let text = id.to_string();
    assert_eq!(text.parse(), Ok(id));
    assert_eq!(MessageId::from_bytes(&id.to_bytes()), Ok(id));
    for wrong in [
        text.replace(".p.70", ".p.070"),
        text.replace(".p.70", ".p.+70"),
        text.replace(".p.", ".x."),
        format!("{text}.1"),
    ] {
        assert!(wrong.parse::<MessageId>().is_err(), "{wrong}");
    }
}
