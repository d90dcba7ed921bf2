// SPDX-License-Identifier: MIT OR Apache-2.0
//! Batches, their bounds, and the chain that shows what a relay drops.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::body::Body;
use crate::samples::{batch, envelope};

fn message(text: &str) -> Message {
    Body::text(text).to_message().unwrap()
}

///
#[test]
fn a_batch_holds_one_to_sixty_four_messages() {
    let reread = |batch: Batch| Batch::from_bytes(&batch.to_bytes());
    assert!(
        reread(Batch {
            messages: vec![message("a"); ENVELOPE_MESSAGES_MAX],
            ..batch()
        })
        .is_ok()
    );
    assert!(
        reread(Batch {
            messages: vec![message("a"); ENVELOPE_MESSAGES_MAX + 1],
            ..batch()
        })
        .is_err()
    );
    assert!(
        reread(Batch {
            messages: vec![],
            ..batch()
        })
        .is_err()
    );
    let oversized = Message {
        kind: 1,
        body: vec![0; MESSAGE_BYTES_MAX + 1],
    };
    assert!(
        reread(Batch {
            messages: vec![oversized],
            ..batch()
        })
        .is_err()
    );
}

///
#[test]
fn sequences_count_from_one_and_never_wrap() {
    let reread = |batch: Batch| Batch::from_bytes(&batch.to_bytes());
    assert_eq!(batch().last_sequence(), 5);
    assert!(
        reread(Batch {
            first_sequence: 0,
            ..batch()
        })
        .is_err()
    );
    let messages = batch().messages.len() as u64;
    for first_sequence in [u64::MAX, u64::MAX - messages, SEQUENCE_MAX - messages + 2] {
        let batch = Batch {
            first_sequence,
            ..batch()
        };
        assert!(reread(batch).is_err(), "{first_sequence}");
    }
    let last = Batch {
        first_sequence: SEQUENCE_MAX - messages + 1,
        ..batch()
    };
    assert!(reread(last.clone()).is_ok());
    let _ = last.chain_after(DeviceId([1; 32]));
    let mut heads = batch().heads;
    heads[0].2 = SEQUENCE_MAX + 1;
    assert!(reread(Batch { heads, ..batch() }).is_err());
    assert!(
        reread(Batch {
            first_sequence: 1,
            ..batch()
        })
        .is_err(),
        "the first message follows nothing"
    );
    assert!(
        reread(Batch {
            first_sequence: 1,
            previous: Chain::START,
            ..batch()
        })
        .is_ok()
    );
}

///
#[test]
fn heads_name_each_author_and_lane_once() {
    let head = batch().heads[0];
    for heads in [
        vec![head, head],
        vec![(head.0, Lane::Promotion, 1), head],
        vec![head; HEADS_MAX + 1],
    ] {
        assert!(Batch::from_bytes(&Batch { heads, ..batch() }.to_bytes()).is_err());
    }
}

///
/// Dropped, swapped or changed: the chain of what follows does not fit.
#[test]
fn the_chain_shows_what_was_dropped_or_swapped() {
    let author = DeviceId([1; 32]);
    let chain = |texts: &[&str]| {
        let messages = texts.iter().map(|text| message(text)).collect();
        let batch = Batch {
            first_sequence: 1,
            previous: Chain::START,
            messages,
            ..batch()
        };
        batch.chain_after(author)
    };
    let whole = chain(&["one", "two", "three"]);
    for other in [
        chain(&["one", "three"]),
        chain(&["two", "one", "three"]),
        chain(&["one", "two", "three!"]),
    ] {
        assert_ne!(whole, other);
    }
    let parts = Batch {
        first_sequence: 3,
        previous: chain(&["one", "two"]),
        messages: vec![message("three")],
        ..batch()
    };
    assert_eq!(
        parts.chain_after(author),
        whole,
        "however the messages were batched"
    );
    assert_ne!(
        parts.chain_after(DeviceId([2; 32])),
        whole,
        "and it is this author's"
    );
    assert_ne!(
        Batch {
            lane: Lane::Promotion,
            ..parts
        }
        .chain_after(author),
        whole,
        "and this lane's"
    );
}

///
#[test]
fn the_authenticated_data_covers_all_of_the_envelope_but_its_bytes() {
    let base = envelope().authenticated_data();
    let changed = [
        Envelope {
            thread: ThreadId([1; 16]),
            ..envelope()
        },
        Envelope {
            incarnation: 2,
            ..envelope()
        },
        Envelope {
            parent: ParentHash([1; 32]),
            ..envelope()
        },
        Envelope {
            lane: Lane::Promotion,
            ..envelope()
        },
        Envelope {
            kind: EnvelopeKind::Commit,
            ..envelope()
        },
    ];
    assert!(
        changed
            .iter()
            .all(|envelope| envelope.authenticated_data() != base)
    );
    assert_eq!(
        Envelope {
            bytes: vec![],
            ..envelope()
        }
        .authenticated_data(),
        base
    );
}
