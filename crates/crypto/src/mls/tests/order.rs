// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages out of order: what the window takes, and what it refuses without harm.

use super::*;

///
#[test]
fn when_the_newest_of_thirty_comes_first_none_is_lost() {
    let (mut alice, mut bob) = pair(20);
    let messages: Vec<_> = (0..30)
        .map(|number| alice.says(&format!("{number}")))
        .collect();
    for number in (0..30).rev() {
        assert_eq!(bob.hears(&messages[number]), format!("{number}"));
        bob.stores(Ratchet::Write);
        bob.restarts();
    }
}

///
#[test]
fn the_window_holds_256_late_ones_and_says_when_one_is_too_late() {
    let (mut alice, mut bob) = pair(21);
    let messages: Vec<_> = (0..=OUT_OF_ORDER_MAX + 1)
        .map(|_| alice.says("x"))
        .collect();
    bob.hears(messages.last().unwrap());
    assert_eq!(bob.tries(&messages[0]), Err(DecryptError::Used));
    for message in messages.iter().skip(2).take(OUT_OF_ORDER_MAX as usize - 1) {
        bob.hears(message);
    }
}

///
#[test]
fn a_message_within_4096_ahead_opens_and_beyond_it_does_not() {
    let (mut alice, mut bob) = pair(22);
    let parent = alice.thread.parent();
    let send = |thread: &mut Node| {
        let seed = thread.person.seed();
        thread.thread.encrypt(b"x", &parent.0, seed).unwrap()
    };
    let mut last = Vec::new();
    for _ in 0..FORWARD_MAX {
        last = send(&mut alice);
    }
    let beyond = send(&mut alice);
    let far_beyond = send(&mut alice);
    assert_eq!(bob.tries(&far_beyond), Err(DecryptError::TooFarAhead));
    bob.hears(&last);
    bob.hears(&far_beyond);
    bob.hears(&beyond);
}

#[test]
fn a_repeated_message_is_refused_and_changes_nothing() {
    let (mut alice, mut bob) = pair(23);
    let (first, second) = (alice.says("first"), alice.says("second"));
    bob.hears(&first);
    let before = bob.thread.ratchet_bytes();
    assert_eq!(bob.tries(&first), Err(DecryptError::Used));
    assert_eq!(bob.thread.ratchet_bytes(), before);
    assert_eq!(bob.hears(&second), "second");
}
