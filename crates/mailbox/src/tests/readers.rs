// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several readers on one box.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::id::Lane;
use comptoir_protocol::limits::{RANGES_MAX, RELAY_ACK_SEQUENCES_MAX};
use comptoir_protocol::signed::public_key;

use super::world::{DAY, World, generous, is_stored};

///
#[test]
fn two_readers_of_one_box_each_move_their_own_cursor() {
    let mut world = World::open();
    let own = world.thread_box();
    let (phone, laptop) = (own.reader.clone(), world.add_reader(&own));
    let cap = world.grant(&own, generous());
    for name in 1..=5 {
        assert!(is_stored(&world.put(&cap, name, vec![1; 100])));
    }
    assert_eq!(world.ack(&own, &phone, 3, &[5]), RelayAnswer::Ok);
    assert_eq!(world.names(&own, &phone), [4]);
    assert_eq!(world.names(&own, &laptop), [1, 2, 3, 4, 5]);
    assert_eq!(world.ack(&own, &laptop, 2, &[]), RelayAnswer::Ok);
    assert_eq!(world.names(&own, &laptop), [3, 4, 5]);
    assert_eq!(world.names(&own, &phone), [4]);
}

///
#[test]
fn an_item_goes_when_all_readers_have_acknowledged_it() {
    let mut world = World::open();
    let own = world.thread_box();
    let (phone, laptop) = (own.reader.clone(), world.add_reader(&own));
    let cap = world.grant(&own, generous());
    // One body in the item's own row, one in a row beside it.
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    assert!(is_stored(&world.put(&cap, 2, vec![2; 60 * 1024])));
    let (rows, bytes) = (world.rows(), world.disk.bytes());
    world.ack(&own, &phone, 2, &[]);
    assert_eq!(world.rows(), rows);
    world.ack(&own, &laptop, 2, &[]);
    // Two items and one body; their traces stay.
    assert_eq!(world.rows(), rows - 3);
    assert!(world.disk.bytes() < bytes - 61_000);
    assert_eq!(world.names(&own, &phone), [0; 0]);
}

///
#[test]
fn an_item_goes_at_its_end_whoever_has_not_read_it() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put_for(&cap, 1, vec![1; 100], 60);
    world.put(&cap, 2, vec![2; 5_000]);
    let full = world.rows();
    world.later(60_000);
    // Gone for readers at once, gone from the disk with the next sweep: item and trace.
    assert_eq!(world.names(&own, &own.reader), [2]);
    world.sweep();
    assert_eq!(world.rows(), full - 2);
    world.later(29 * DAY);
    assert_eq!(world.names(&own, &own.reader), [2]);
    world.later(DAY);
    world.sweep();
    assert_eq!(world.names(&own, &own.reader), [0; 0]);
    assert_eq!(world.rows(), full - 2 - 3);
}

///
#[test]
fn a_reader_away_for_14_days_no_longer_holds_back_what_another_has() {
    let mut world = World::open();
    let own = world.thread_box();
    let (phone, old_tablet) = (own.reader.clone(), world.add_reader(&own));
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    world.later(14 * DAY - 1);
    world.put(&cap, 2, vec![1; 100]);
    world.ack(&own, &phone, 1, &[]);
    world.sweep();
    assert_eq!(world.fetch(&own, &phone).len(), 1);
    let rows = world.rows();
    world.later(1);
    // From now on the tablet counts no more: item 2 goes with the phone's word alone, item 1 with the daily sweep.
    world.ack(&own, &phone, 2, &[]);
    assert_eq!(world.rows(), rows - 1);
    world.later(DAY);
    world.sweep();
    assert_eq!(world.rows(), rows - 2);
    assert_eq!(world.names(&own, &old_tablet), [0; 0]);
}

///
#[test]
fn a_lone_reader_who_is_away_for_weeks_finds_everything() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    world.later(29 * DAY);
    world.sweep();
    assert_eq!(world.names(&own, &own.reader), [1]);
}

///
#[test]
fn a_new_reader_finds_what_still_lies_there_and_a_removed_one_is_nobody() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    let laptop = world.add_reader(&own);
    assert_eq!(world.names(&own, &laptop), [1]);
    world.ack(&own, &laptop, 1, &[]);
    let rows = world.rows();
    let remove = RelayRequest::ReaderRemove {
        rid: own.rid,
        reader: public_key(&own.reader),
    };
    assert_eq!(world.ask(&own.owner, &remove), RelayAnswer::Ok);
    // Only the removed reader had yet to read it.
    world.sweep();
    assert_eq!(world.rows(), rows - 2);
    assert_eq!(world.ack(&own, &own.reader, 1, &[]), RelayAnswer::Denied);
    // The last one stays.
    let remove = RelayRequest::ReaderRemove {
        rid: own.rid,
        reader: public_key(&laptop),
    };
    assert!(matches!(
        world.ask(&own.owner, &remove),
        RelayAnswer::Error { .. }
    ));
}

///
#[test]
fn a_stranger_another_boxs_reader_and_the_owner_read_nothing() {
    let mut world = World::open();
    let (own, other) = (world.thread_box(), world.thread_box());
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 100]);
    let stranger = world.key();
    for key in [&stranger, &other.reader, &own.owner, &cap.writer] {
        let fetch = RelayRequest::Fetch {
            rid: own.rid,
            after_sequence: 0,
            items_max: 10,
            bytes_max: 10_000,
            wait_s: 0,
        };
        assert_eq!(world.ask(key, &fetch), RelayAnswer::Denied);
        assert_eq!(world.ack(&own, key, 1, &[]), RelayAnswer::Denied);
        assert_eq!(
            world.ask(
                key,
                &RelayRequest::Subscribe {
                    rids: vec![own.rid]
                }
            ),
            RelayAnswer::Denied
        );
    }
    assert_eq!(world.names(&own, &own.reader), [1]);
}

///
#[test]
fn only_the_owner_changes_a_box() {
    let mut world = World::open();
    let (own, other) = (world.thread_box(), world.thread_box());
    let cap = world.grant(&own, generous());
    let someone = public_key(&other.reader);
    let grant = comptoir_protocol::capability::RelayCapability {
        capability: cap.id,
        writer: someone,
        terms: generous(),
        lane: Lane::Service,
    };
    let requests = [
        RelayRequest::ReaderAdd {
            rid: own.rid,
            reader: someone,
        },
        RelayRequest::ReaderRemove {
            rid: own.rid,
            reader: public_key(&own.reader),
        },
        RelayRequest::Grant {
            rid: own.rid,
            capability: grant,
        },
        RelayRequest::Revoke {
            rid: own.rid,
            capability: cap.id,
            purge: true,
        },
        RelayRequest::List { rid: own.rid },
        RelayRequest::KeyPackagesPut {
            rid: own.rid,
            packages: vec![vec![1]],
        },
        RelayRequest::Move { rid: own.rid },
        RelayRequest::Delete { rid: own.rid },
    ];
    for request in &requests {
        for key in [&own.reader, &other.owner, &cap.writer] {
            assert_eq!(world.ask(key, request), RelayAnswer::Denied, "{request:?}");
        }
        assert_eq!(
            world.ask_unsigned(request),
            RelayAnswer::Denied,
            "{request:?}"
        );
    }
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    assert_eq!(world.names(&own, &own.reader), [1]);
}

///
#[test]
fn a_box_has_at_most_32_readers() {
    let mut world = World::open();
    let own = world.thread_box();
    for _ in 1..32 {
        world.add_reader(&own);
    }
    let one_more = public_key(&world.key());
    let add = RelayRequest::ReaderAdd {
        rid: own.rid,
        reader: one_more,
    };
    assert_eq!(world.ask(&own.owner, &add), RelayAnswer::Full);
    let again = RelayRequest::ReaderAdd {
        rid: own.rid,
        reader: public_key(&own.reader),
    };
    assert_eq!(world.ask(&own.owner, &again), RelayAnswer::Ok);
}

#[test]
fn what_has_not_come_yet_cannot_be_acknowledged() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    assert_eq!(
        world.ack(&own, &own.reader, u64::MAX, &[7, u64::MAX]),
        RelayAnswer::Ok
    );
    world.put(&cap, 1, vec![1; 100]);
    assert_eq!(world.names(&own, &own.reader), [1]);
}

///
#[test]
fn what_ended_unread_does_not_stop_the_cursor() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let pairs = u32::try_from(2 * RANGES_MAX).unwrap();
    for name in 0..pairs {
        assert!(is_stored(&world.put_for(&cap, 2 * name, vec![1; 10], 60)));
        assert!(is_stored(&world.put(&cap, 2 * name + 1, vec![1; 10])));
    }
    let second: Vec<u64> = (1..=u64::from(pairs)).map(|pair| 2 * pair).collect();
    let acknowledge = |world: &mut World, sequences: &[u64]| {
        let chunks = sequences.chunks(RELAY_ACK_SEQUENCES_MAX);
        chunks
            .map(|some| world.ack(&own, &own.reader, 0, some))
            .all(|answer| answer == RelayAnswer::Ok)
    };
    assert!(
        !acknowledge(&mut world, &second),
        "what still lies there is not counted as read"
    );
    world.later(60_000);
    world.sweep();
    assert!(acknowledge(&mut world, &second));
    assert_eq!(world.names(&own, &own.reader), [0; 0]);
    assert!(is_stored(&world.put(&cap, 5_000, vec![1; 10])));
    assert_eq!(world.names(&own, &own.reader), [5_000]);
}
