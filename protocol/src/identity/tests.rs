// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who an account is, through theft, rotation, dismissal and mix-ups.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;
use crate::error::{DecodeError, VerifyError};
use crate::id::{DeviceId, StatementHash};
use crate::limits::{DEVICES_MAX, REMOVED_MAX, ROTATIONS_MAX};
use crate::samples::{NOW_MS, Person, key, person, public, rotation};
use crate::signed::{Signed, public_key};

const ALICE: u8 = 1;
const MALLORY: u8 = 100;

fn wrong_signer(label: &'static str) -> VerifyError {
    VerifyError::WrongSigner { label }
}

///
#[test]
fn an_account_is_the_hash_of_its_inception() {
    let alice = person(ALICE, 0);
    let vector = "fbf8";
    assert_eq!(
        alice.keys.account(),
        person(ALICE, 2).keys.account(),
        "rotations do not change who it is"
    );
    assert_ne!(alice.keys.account(), person(MALLORY, 0).keys.account());
    assert_eq!(&alice.keys.account().to_string()[..4], vector);
}

///
#[test]
fn an_inception_is_signed_by_its_own_root() {
    let alice = person(ALICE, 0);
    let inception = alice.proof.inception.clone().verify().unwrap().into_inner();
    let proof = AccountProof {
        inception: Signed::sign(&inception, &key(MALLORY)),
        rotations: vec![],
    };
    assert_eq!(proof.verify(), Err(wrong_signer("account-inception")));
}

///
#[test]
fn a_rotation_reveals_the_committed_root() {
    let alice = person(ALICE, 0);
    let mut proof = alice.proof.clone();
    proof
        .rotations
        .push(rotation(&alice.keys, &alice.roots[1], &key(90)));
    let keys = proof.verify().unwrap();
    assert_eq!(
        (keys.rotation_number(), keys.root()),
        (1, public_key(&alice.roots[1]))
    );

    // A thief has today's root. It is not the committed one, nor is a fresh key of the thief's.
    for thief in [&alice.roots[0], &key(MALLORY)] {
        let mut proof = alice.proof.clone();
        proof.rotations.push(rotation(&alice.keys, thief, &key(91)));
        assert_eq!(proof.verify(), Err(wrong_signer("account-rotation")));
    }
}

///
#[test]
fn a_rotation_follows_the_statement_before_it_in_its_own_account() {
    let alice = person(ALICE, 2);
    let mismatch =
        |proof: &AccountProof| matches!(proof.verify(), Err(VerifyError::Mismatch { .. }));
    let mut skipped = alice.proof.clone();
    skipped.rotations.remove(0);
    assert!(skipped.verify().is_err());

    // The same next root in another account of the same phrase: its rotation says nothing here.
    let mut sibling = person(ALICE, 0);
    let mut inception = sibling
        .proof
        .inception
        .clone()
        .verify()
        .unwrap()
        .into_inner();
    inception.nonce = [9; 16];
    sibling.proof.inception = Signed::sign(&inception, &sibling.roots[0]);
    let foreign = rotation(
        &sibling.proof.verify().unwrap(),
        &sibling.roots[1],
        &key(90),
    );
    let mut proof = person(ALICE, 0).proof;
    proof.rotations.push(foreign);
    assert!(mismatch(&proof));
}

///
#[test]
fn more_rotations_than_a_leaf_has_room_for_are_refused() {
    let mut proof = person(ALICE, 1).proof;
    proof.rotations = vec![proof.rotations[0].clone(); ROTATIONS_MAX + 1];
    let error = AccountProof::from_bytes(&proof.to_bytes()).unwrap_err();
    assert_eq!(
        error,
        DecodeError::TooLong {
            what: "rotations",
            got: 5,
            max: 4
        }
    );
}

///
#[test]
fn a_device_list_is_signed_by_the_list_key_in_force() {
    let alice = person(ALICE, 0);
    let list = alice.list(2);
    assert!(
        alice
            .keys
            .verify_list(Signed::sign(&list, &alice.list_key))
            .is_ok()
    );
    let dismissed = Signed::sign(&list, &alice.device_key);
    assert_eq!(
        alice.keys.verify_list(dismissed),
        Err(wrong_signer("device-list"))
    );
    // Mallory's own list key over a list that claims Alice's account.
    let mallory = person(MALLORY, 0);
    let claimed = Signed::sign(&list, &mallory.list_key);
    assert!(matches!(
        mallory.keys.verify_list(claimed),
        Err(VerifyError::Mismatch { .. })
    ));

    // The list key was stolen; a rotation replaced it; the old one signs nothing any more.
    let mut proof = alice.proof.clone();
    let mut change = rotation(&alice.keys, &alice.roots[1], &key(90))
        .verify()
        .unwrap()
        .into_inner();
    change.list_key = public(91);
    proof.rotations.push(Signed::sign(&change, &alice.roots[1]));
    let keys = proof.verify().unwrap();
    assert_eq!(
        keys.verify_list(Signed::sign(&list, &alice.list_key)),
        Err(wrong_signer("device-list"))
    );
    assert!(keys.verify_list(Signed::sign(&list, &key(91))).is_ok());
    assert_eq!(
        keys.verify_certificate(alice.certificate()),
        Err(wrong_signer("device-certificate"))
    );
}

///
#[test]
fn a_device_list_names_each_device_once_and_is_bounded() {
    let alice = person(ALICE, 0);
    let reread = |list: &DeviceList| DeviceList::from_bytes(&list.to_bytes());
    let removed = |seed: u8| Removed {
        id: DeviceId([seed; 32]),
        last_statement: None,
    };
    assert!(reread(&alice.list(DEVICES_MAX as u8 - 1)).is_ok());
    assert!(reread(&alice.list(DEVICES_MAX as u8)).is_err());
    let mut list = alice.list(2);
    list.devices.swap(0, 1);
    assert!(reread(&list).is_err(), "not ascending");
    let mut list = alice.list(2);
    list.devices[1] = list.devices[0].clone();
    assert!(reread(&list).is_err(), "twice");
    let mut list = alice.list(2);
    list.removed = vec![removed(1)];
    assert!(reread(&list).is_err(), "named and dropped");
    list.removed = vec![removed(50), removed(50)];
    assert!(reread(&list).is_err(), "dropped twice");
    list.removed = (0..=REMOVED_MAX as u8)
        .map(|seed| removed(50 + seed))
        .collect();
    assert!(reread(&list).is_err(), "too many dropped");
    let mut list = alice.list(0);
    list.number = 2;
    assert!(reread(&list).is_err(), "a second list names the first");
    list.previous = Some(StatementHash([1; 32]));
    assert!(reread(&list).is_ok());
}

///
#[test]
fn a_leaf_is_somebodys_only_with_its_own_key() {
    let alice = person(ALICE, 1);
    let leaf_key = public_key(&alice.leaf_key);
    let leaf = alice.credential().verify(&leaf_key).unwrap();
    assert_eq!(
        (leaf.account, leaf.device, leaf.leaf_key),
        (alice.keys.account(), alice.device(), leaf_key)
    );
    // Eve puts Alice's credential beside her own leaf key.
    assert!(matches!(
        alice.credential().verify(&public(MALLORY)),
        Err(VerifyError::Mismatch { .. })
    ));

    let mallory = person(MALLORY, 0);
    let mixed = LeafCredential {
        leaf: mallory.credential().leaf,
        ..alice.credential()
    };
    let error = mixed.verify(&public_key(&mallory.leaf_key));
    assert_eq!(
        error,
        Err(wrong_signer("leaf-certificate")),
        "another device's leaf"
    );
    let mixed = LeafCredential {
        proof: mallory.proof.clone(),
        ..alice.credential()
    };
    assert_eq!(
        mixed.verify(&leaf_key),
        Err(wrong_signer("device-certificate")),
        "another account's device"
    );
}

fn bundle_with(alice: &Person, change: impl FnOnce(&mut ContactCard)) -> CardBundle {
    let mut card = alice.card();
    change(&mut card);
    CardBundle {
        card: Signed::sign(&card, &alice.device_key),
        ..alice.bundle()
    }
}

///
#[test]
fn a_card_stands_on_its_whole_chain() {
    let (alice, mallory) = (person(ALICE, 1), person(MALLORY, 0));
    let verified = alice.bundle().verify(NOW_MS).unwrap();
    assert_eq!(
        (verified.keys.account(), verified.device),
        (alice.keys.account(), alice.device())
    );
    let forged = CardBundle {
        card: Signed::sign(&alice.card(), &mallory.device_key),
        ..alice.bundle()
    };
    assert_eq!(forged.verify(NOW_MS), Err(wrong_signer("contact-card")));
    let other = CardBundle {
        proof: mallory.proof.clone(),
        ..alice.bundle()
    };
    assert!(other.verify(NOW_MS).is_err());
    let claimed = bundle_with(&mallory, |card| card.account = alice.keys.account());
    assert!(matches!(
        claimed.verify(NOW_MS),
        Err(VerifyError::Mismatch { .. })
    ));
}

///
#[test]
fn an_expired_card_is_refused_by_strangers_and_readable_by_contacts() {
    let alice = person(ALICE, 0);
    let expires_ms = alice.card().expires_ms;
    assert!(alice.bundle().verify(expires_ms - 1).is_ok());
    let expired = Err(VerifyError::Expired {
        expired_ms: expires_ms,
        now_ms: expires_ms,
    });
    assert_eq!(alice.bundle().verify(expires_ms), expired);
    assert!(alice.bundle().verify_ignoring_expiry().is_ok());
}

///
#[test]
fn a_dismissed_device_signs_no_card_beside_the_list_that_drops_it() {
    let alice = person(ALICE, 0);
    let mut list = alice.list(1);
    list.devices.retain(|device| device.id != alice.device());
    let list = Signed::sign(&list, &alice.list_key);
    let mut bundle = bundle_with(&alice, |card| card.list = Some(list.hash()));
    bundle.list = Some(list);
    assert!(matches!(
        bundle.verify(NOW_MS),
        Err(VerifyError::Mismatch { .. })
    ));
    bundle.list = None;
    assert!(
        bundle.verify(NOW_MS).is_ok(),
        "without the list nobody can know; the thread brings it"
    );
    bundle.list = Some(Signed::sign(&alice.list(1), &alice.list_key));
    assert!(
        matches!(bundle.verify(NOW_MS), Err(VerifyError::Mismatch { .. })),
        "the card names another list"
    );
}

///
#[test]
fn a_card_is_bounded() {
    let alice = person(ALICE, 0);
    let reread = |change: fn(&mut ContactCard)| bundle_with(&alice, change).card.verify();
    assert!(reread(|_| {}).is_ok());
    for change in [
        (|card| card.name = "x".repeat(65)) as fn(&mut ContactCard),
        |card| card.domain = Some("x".repeat(65)),
        |card| card.relays[0].addresses = vec![format!("/dns4/{}", "x".repeat(123))],
        |card| card.relays[0].addresses = vec!["/ip4/192.0.2.1".to_owned(); 5],
        |card| card.relays[0].addresses = vec!["/dns4/line\nbreak".to_owned()],
        |card| card.relays[0].addresses = vec!["no slash".to_owned()],
        |card| card.relays = vec![card.relays[0].clone(); 3],
        |card| card.direct = vec![card.direct[0].clone(); 3],
        |card| card.direct[0].addresses = vec![format!("/dns4/{}", "x".repeat(110)); 4],
        |card| card.relays.clear(),
        |card| card.expires_ms = card.issued_ms - 1,
    ] {
        assert!(matches!(reread(change), Err(VerifyError::Decode(_))));
    }
}

///
#[test]
fn the_safety_code_is_sixty_digits_and_the_same_on_both_sides() {
    let (alice, bob) = (person(ALICE, 0), person(40, 0));
    let code = safety_code(&alice.keys, &bob.keys);
    assert_eq!(code, safety_code(&bob.keys, &alice.keys));
    let text = code.to_string();
    assert_eq!(text.bytes().filter(u8::is_ascii_digit).count(), 60);
    assert_eq!(
        text,
        "13905 49030 09853 88000 41082 21662 68816 10943 71725 98014 51101 65101"
    );
    // Whoever stands between them is another account.
    assert_ne!(code, safety_code(&alice.keys, &person(MALLORY, 0).keys));
    assert_ne!(
        code,
        safety_code(&person(ALICE, 1).keys, &bob.keys),
        "a rotation shows"
    );
}
