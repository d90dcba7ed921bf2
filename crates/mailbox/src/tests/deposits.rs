// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deposits: names, receipts, pages, and the end of a box.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::limits::DEPOSIT_CLASSES_BYTES;
use comptoir_protocol::signed::public_key;
use sha2::{Digest, Sha256};

use crate::Limits;

use super::world::{DAY, HOUR, START_MS, World, generous, is_stored, mid, relay_key};

#[test]
fn a_receipt_is_the_relays_word_for_these_bytes() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let blob = vec![7; 1_024];
    let RelayAnswer::Stored { receipt } = world.put_for(&cap, 1, blob.clone(), 3_600) else {
        panic!("not stored")
    };
    let receipt = receipt
        .verify()
        .unwrap()
        .signed_by(&public_key(&relay_key()))
        .unwrap();
    assert_eq!(receipt.mid, mid(1));
    assert_eq!(receipt.blob_hash, <[u8; 32]>::from(Sha256::digest(&blob)));
    assert_eq!(receipt.expires_ms, START_MS + HOUR);
}

#[test]
fn a_deposit_is_known_by_name_and_bytes_until_its_end_even_after_it_was_acknowledged() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    assert!(is_stored(&world.put_for(&cap, 1, vec![1; 100], 3_600)));
    assert_eq!(
        world.put_for(&cap, 1, vec![1; 100], 3_600),
        RelayAnswer::Duplicate
    );
    assert!(matches!(
        world.put_for(&cap, 1, vec![2; 100], 3_600),
        RelayAnswer::Error { .. }
    ));
    world.ack(&own, &own.reader, 1, &[]);
    world.sweep();
    assert_eq!(
        world.put_for(&cap, 1, vec![1; 100], 3_600),
        RelayAnswer::Duplicate
    );
    assert_eq!(world.names(&own, &own.reader), [0; 0]);
    world.later(HOUR);
    world.sweep();
    assert!(is_stored(&world.put_for(&cap, 1, vec![1; 100], 3_600)));
    // The count goes on: a reader's cursor never meets a number twice.
    assert_eq!(world.fetch(&own, &own.reader)[0].sequence, 2);
}

///
#[test]
fn every_class_of_deposit_comes_back_as_it_was() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let sizes: Vec<usize> = DEPOSIT_CLASSES_BYTES
        .into_iter()
        .flat_map(|class| [class - 1, class])
        .chain([1, 1_025])
        .collect();
    for (name, size) in (1..).zip(&sizes) {
        let blob: Vec<u8> = (0..*size).map(|byte| (byte % 251) as u8).collect();
        assert!(is_stored(&world.put(&cap, name, blob)), "{size} bytes");
    }
    let items = world.fetch(&own, &own.reader);
    assert_eq!(items.len(), sizes.len());
    for (item, size) in items.iter().zip(&sizes) {
        assert!(
            item.blob
                .iter()
                .copied()
                .eq((0..*size).map(|byte| (byte % 251) as u8)),
            "{size} bytes"
        );
        assert_eq!(item.hour, START_MS / HOUR);
    }
    assert!(matches!(
        world.put(&cap, 99, vec![0; 60 * 1_024 + 1]),
        RelayAnswer::Error { .. }
    ));
    assert!(matches!(
        world.put(&cap, 99, vec![]),
        RelayAnswer::Error { .. }
    ));
    assert!(matches!(
        world.put_for(&cap, 99, vec![1], 0),
        RelayAnswer::Error { .. }
    ));
}

///
#[test]
fn pages_are_bounded_in_items_and_bytes_and_end() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    for name in 1..=300 {
        assert!(is_stored(&world.put(&cap, name, vec![1; 500])));
    }
    let (items, more) = world.page(&own, &own.reader, 0);
    assert!(more && items.len() > 100, "{} items", items.len());
    let fetch = |after, items_max, bytes_max| RelayRequest::Fetch {
        rid: own.rid,
        after_sequence: after,
        items_max,
        bytes_max,
        wait_s: 0,
    };
    for (request, sequences, more) in [
        (fetch(0, 2, 60_000), vec![1, 2], true),
        (fetch(298, 2, 60_000), vec![299, 300], false),
        (fetch(297, 2, 60_000), vec![298, 299], true),
        // Room for one and a half; and no room at all.
        (fetch(10, 9, 800), vec![11], true),
        (fetch(10, 0, 0), vec![11], true),
        (fetch(300, 9, 9), vec![], false),
        // More than there ever was: the relay was put back, and starts from what was acknowledged.
        (fetch(301, 1, 9), vec![1], true),
        (fetch(u64::MAX, 1, 9), vec![1], true),
    ] {
        let RelayAnswer::Items {
            items,
            more: and_more,
        } = world.ask(&own.reader, &request)
        else {
            panic!("no items")
        };
        assert_eq!(
            (
                items.iter().map(|item| item.sequence).collect::<Vec<_>>(),
                and_more
            ),
            (sequences, more),
            "{request:?}"
        );
    }
    let expected: Vec<u32> = (1..=300).collect();
    assert_eq!(world.names(&own, &own.reader), expected);
}

///
#[test]
fn a_moved_box_can_be_emptied_but_not_filled() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    assert_eq!(
        world.ask(&own.owner, &RelayRequest::Move { rid: own.rid }),
        RelayAnswer::Ok
    );
    assert_eq!(world.put(&cap, 2, vec![1; 100]), RelayAnswer::Denied);
    assert_eq!(world.names(&own, &own.reader), [1]);
    assert_eq!(world.ack(&own, &own.reader, 1, &[]), RelayAnswer::Ok);
}

#[test]
fn a_deleted_box_is_unknown_at_once_and_leaves_no_row() {
    let mut world = World::open();
    world.thread_box();
    let before = world.rows();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    for name in 1..=600 {
        world.put(&cap, name, vec![1; 2_000]);
    }
    world.ask(
        &own.owner,
        &RelayRequest::KeyPackagesPut {
            rid: own.rid,
            packages: vec![vec![1; 300]; 3],
        },
    );
    assert_eq!(
        world.ask(&own.owner, &RelayRequest::Delete { rid: own.rid }),
        RelayAnswer::Ok
    );
    assert_eq!(world.put(&cap, 601, vec![1; 100]), RelayAnswer::Denied);
    assert_eq!(world.ack(&own, &own.reader, 1, &[]), RelayAnswer::Denied);
    assert_eq!(
        world.ask(&own.owner, &RelayRequest::Delete { rid: own.rid }),
        RelayAnswer::Denied
    );
    world.restless = true;
    world.sweep();
    assert_eq!(world.rows(), before);
}

#[test]
fn a_box_that_nobody_fills_or_reads_for_90_days_goes() {
    let mut world = World::open();
    let (busy, idle) = (world.thread_box(), world.thread_box());
    let empty = world.rows();
    world.later(89 * DAY);
    world.names(&busy, &busy.reader);
    world.later(DAY);
    world.sweep();
    assert_eq!(world.ack(&idle, &idle.reader, 0, &[]), RelayAnswer::Denied);
    assert_eq!(world.names(&busy, &busy.reader), [0; 0]);
    assert_eq!(world.rows(), empty - 5);
}

#[test]
fn a_relay_put_back_to_an_older_state_hides_nothing_from_a_reader_who_has_seen_more() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let snapshot = world.disk.snapshot();
    for name in 1..=5 {
        world.put(&cap, name, vec![1; 100]);
    }
    let seen = world.fetch(&own, &own.reader).len() as u64;
    world.disk.roll_back(&snapshot);
    world.restart();
    world.put(&cap, 6, vec![1; 100]);
    let (items, _) = world.page(&own, &own.reader, seen);
    assert_eq!(items.len(), 1);
}

#[test]
fn a_box_remembers_a_bounded_number_of_names() {
    const KEPT: u32 = 50;
    let mut world = World::with(
        true,
        Limits {
            box_traces_max: KEPT,
            ..Limits::default()
        },
    );
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let before = world.rows();
    for name in 0..KEPT + 20 {
        assert!(is_stored(&world.put(&cap, name, vec![1])));
    }
    assert_eq!(
        world.ack(&own, &own.reader, u64::from(KEPT) + 20, &[]),
        RelayAnswer::Ok
    );
    assert_eq!(world.rows(), before + KEPT as usize);
    assert_eq!(world.put(&cap, KEPT, vec![1]), RelayAnswer::Duplicate);
    assert!(is_stored(&world.put(&cap, 0, vec![1])));
    // All of it has its end.
    world.later(30 * DAY);
    world.sweep();
    assert_eq!(world.rows(), before);
}
