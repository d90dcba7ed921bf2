// SPDX-License-Identifier: MIT OR Apache-2.0
//! The account's state on two devices that heard the same in another order.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::codec::Wire;
use crate::id::DeviceId;
use crate::samples::{changes, statement};

const BOB: AccountId = AccountId([7; 32]);

fn at(height: u64, device: u8) -> Place {
    Place {
        height,
        author: DeviceId([device; 32]),
        sequence: height,
    }
}

fn setting(value: &str) -> AccountChange {
    AccountChange::Setting {
        name: "receipts".to_owned(),
        value: Some(value.to_owned()),
    }
}

fn fold(statements: &[(Place, AccountChange)]) -> AccountState {
    let mut state = AccountState::new();
    for (place, change) in statements {
        let _ = state.merge(*place, change.clone());
    }
    state
}

///
#[test]
fn the_last_by_place_wins_in_whatever_order_it_came() {
    let statements = [
        (at(1, 1), setting("on")),
        (at(2, 1), setting("off")),
        (at(2, 2), setting("contacts")),
    ];
    let subject = setting("").subject();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let state = fold(&order.map(|index| statements[index].clone()));
        assert_eq!(
            state.last(&subject),
            Some(&setting("contacts")),
            "{order:?}: the larger device breaks the tie"
        );
    }
}

///
#[test]
fn an_unblock_undoes_only_the_blocks_it_had_seen() {
    let block = |height| (at(height, 1), AccountChange::Block { account: BOB });
    let unblock = |height, seen| {
        (
            at(height, 2),
            AccountChange::Unblock {
                account: BOB,
                seen: at(seen, 1),
            },
        )
    };
    assert!(fold(&[block(3)]).blocked(BOB));
    assert!(!fold(&[block(3), unblock(4, 3)]).blocked(BOB));
    assert!(
        !fold(&[unblock(4, 3), block(3)]).blocked(BOB),
        "in the other order too"
    );
    // The phone blocks again while the laptop, which has not heard of it, unblocks later.
    assert!(fold(&[block(3), block(5), unblock(6, 3)]).blocked(BOB));
    assert!(!fold(&[block(3), block(5), unblock(6, 3), unblock(7, 5)]).blocked(BOB));
    assert_eq!(
        fold(&[block(3), block(5)]).newest_block(BOB),
        Some(at(5, 1))
    );
    assert!(!AccountState::new().blocked(BOB));
}

///
#[test]
fn read_marks_never_go_back() {
    let mark = |height, read| {
        let change = AccountChange::ReadMark {
            thread: ThreadId([1; 16]),
            place: at(read, 9),
        };
        (at(height, 1), change)
    };
    let state = fold(&[mark(1, 50), mark(2, 20)]);
    assert_eq!(
        state.last(&Subject::ReadMark(ThreadId([1; 16]))),
        Some(&mark(1, 50).1)
    );
}

///
#[test]
fn order_and_repetition_do_not_matter() {
    for seed in 0..100 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut statements = Vec::new();
        for height in 0..12 {
            let place = at(height / 2, u8::from(rng.next_u32() % 2 == 0));
            let seen = at(u64::from(rng.next_u32() % 6), 0);
            let change = match rng.next_u32() % 4 {
                0 => AccountChange::Block { account: BOB },
                1 => AccountChange::Unblock { account: BOB, seen },
                2 => setting(&height.to_string()),
                _ => AccountChange::ReadMark {
                    thread: ThreadId([1; 16]),
                    place: seen,
                },
            };
            // Two statements of one device have two places.
            if statements.iter().all(|(known, _)| *known != place) {
                statements.push((place, change));
            }
        }
        let expected = fold(&statements);
        for _ in 0..5 {
            let mut order = statements.clone();
            order.extend_from_slice(&statements[..statements.len() / 2]);
            for index in (1..order.len()).rev() {
                order.swap(index, rng.next_u32() as usize % (index + 1));
            }
            let state = fold(&order);
            assert_eq!(state.blocked(BOB), expected.blocked(BOB), "seed {seed}");
            let subjects = [setting("").subject(), Subject::ReadMark(ThreadId([1; 16]))];
            for subject in &subjects {
                let read = |state: &AccountState| match state.last(subject) {
                    Some(AccountChange::ReadMark { place, .. }) => format!("{place:?}"),
                    other => format!("{other:?}"),
                };
                assert_eq!(read(&state), read(&expected), "seed {seed}");
            }
        }
    }
}

#[test]
fn each_change_is_about_one_subject() {
    let subjects: std::collections::BTreeSet<Subject> =
        changes().iter().map(AccountChange::subject).collect();
    assert_eq!(
        subjects.len(),
        changes().len() - 1,
        "block and unblock share one"
    );
}

#[test]
fn long_names_and_settings_are_refused() {
    let long = AccountChange::Setting {
        name: "a".to_owned(),
        value: Some("x".repeat(SETTING_BYTES_MAX + 1)),
    };
    assert!(AccountStatement::from_bytes(&statement(long).to_bytes()).is_err());
    let AccountChange::Contact {
        account,
        verified,
        muted,
        removed,
        card,
        ..
    } = changes().remove(0)
    else {
        panic!()
    };
    let petname = Some("x".repeat(NAME_BYTES_MAX + 1));
    let long = AccountChange::Contact {
        account,
        petname,
        verified,
        muted,
        removed,
        card,
    };
    assert!(AccountStatement::from_bytes(&statement(long).to_bytes()).is_err());
}

#[test]
fn a_box_record_prints_no_secret() {
    assert!(!format!("{:?}", crate::samples::box_record()).contains("90, 90"));
}
