// SPDX-License-Identifier: MIT OR Apache-2.0
//! The largest hello, counted, and what a hello refuses.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::limits::{
    ADDRESS_BYTES_MAX, CARD_BYTES_MAX, DEVICES_MAX, HELLO_BYTES_MAX, HELLO_SEAL_BYTES,
    ROTATIONS_MAX,
};
use crate::relay::RelayDescriptor;
use crate::samples::{NOW_MS, Person, hello, person, relay};
use crate::signed::Signed;

fn long_address() -> String {
    format!("/dns4/{}", "x".repeat(ADDRESS_BYTES_MAX - 6))
}

fn largest(devices: u8) -> (Hello, Person) {
    let alice = person(1, u8::try_from(ROTATIONS_MAX).unwrap());
    let mut reply = crate::samples::capability();
    reply.relay = RelayDescriptor {
        addresses: vec![long_address(), long_address()],
        ..relay()
    };
    let hello = Hello {
        card: Signed::sign(&alice.largest_card(), &alice.device_key),
        list: Some(Signed::sign(&alice.list(devices), &alice.list_key)),
        // The crypto crate counts the longest real one against this.
        key_package: vec![0; HELLO_KEY_PACKAGE_BYTES_MAX],
        reply: Some(reply),
        reason: "é".repeat(REASON_BYTES_MAX / 2),
        ..hello()
    };
    (hello, alice)
}

///
#[test]
fn the_largest_hello_fits_whatever_the_number_of_devices() {
    for devices in [0, u8::try_from(DEVICES_MAX).unwrap() - 1] {
        let (hello, alice) = largest(devices);
        assert_eq!(
            hello.card.payload().len(),
            CARD_BYTES_MAX,
            "the card is full"
        );
        let fitted = hello.fitted().unwrap();
        let bytes = fitted.to_bytes().len();
        println!(
            "largest hello with {} devices: {bytes} bytes plain",
            devices + 1
        );
        assert!(bytes + HELLO_SEAL_BYTES <= HELLO_BYTES_MAX);
        assert_eq!(Hello::from_bytes(&fitted.to_bytes()).as_ref(), Ok(&fitted));
        // Its card is whole without the list: the card names it.
        let card = fitted.verify(&alice.credential(), NOW_MS).unwrap();
        assert!(card.list.is_some() || card.card.list.is_some());
    }
}

///
#[test]
fn a_hello_proves_its_sender_by_the_credential_of_its_key_package() {
    let alice = person(1, 0);
    let card = hello().verify(&alice.credential(), NOW_MS).unwrap();
    assert_eq!(card.keys.account(), alice.keys.account());
    assert!(card.list.is_some());
    // A key package of somebody else in Alice's hello.
    assert!(
        hello()
            .verify(&person(100, 0).credential(), NOW_MS)
            .is_err()
    );
}

///
#[test]
fn a_hello_over_a_bound_is_refused() {
    let reread = |hello: Hello| Hello::from_bytes(&hello.to_bytes());
    let reply = |addresses: usize| {
        let mut reply = crate::samples::capability();
        reply.relay.addresses = vec!["/ip4/192.0.2.1".to_owned(); addresses];
        Some(reply)
    };
    assert!(reread(hello()).is_ok());
    assert!(
        reread(Hello {
            reply: None,
            ..hello()
        })
        .is_ok()
    );
    assert!(
        reread(Hello {
            reason: "x".repeat(REASON_BYTES_MAX + 1),
            ..hello()
        })
        .is_err()
    );
    assert!(
        reread(Hello {
            key_package: vec![0; HELLO_KEY_PACKAGE_BYTES_MAX + 1],
            ..hello()
        })
        .is_err()
    );
    assert!(
        reread(Hello {
            reply: reply(HELLO_REPLY_ADDRESSES_MAX + 1),
            ..hello()
        })
        .is_err()
    );
    assert!(
        Hello {
            reply: reply(4),
            ..hello()
        }
        .fitted()
        .is_ok(),
        "what the card has too is left out"
    );
    let (largest, _) = largest(31);
    assert!(reread(largest.clone()).is_err());
    assert!(largest.fitted().is_ok());
}

///
#[test]
fn two_hellos_that_cross_are_told_apart_alike_on_both_sides() {
    let other = Hello {
        nonce: [1; 16],
        ..hello()
    };
    assert_ne!(hello().hash(), other.hash());
    assert_eq!(hello().hash() < other.hash(), other.hash() > hello().hash());
    assert_eq!(
        Hello::from_bytes(&other.to_bytes()).unwrap().hash(),
        other.hash(),
        "the receiver computes the same"
    );
}
