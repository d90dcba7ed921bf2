// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quotas: a full box, a full disk, and what is still taken then.

use comptoir_protocol::frame::{BoxKind, ErrorCode, RelayAnswer, RelayRequest};
use comptoir_protocol::id::Lane;

use super::first_contact::{knock_with_puzzle, knock_with_token, token};
use super::world::{World, generous, is_stored};
use crate::{BOX_BYTES_MAX, BOX_ITEMS_MAX, DiskLevel, Limits, MailboxError};

#[test]
fn a_box_is_full_at_its_items_and_has_room_again_after_an_acknowledgement() {
    let mut world = World::with(
        true,
        Limits {
            box_items_max: 3,
            ..Limits::default()
        },
    );
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    for name in 1..=3 {
        assert!(is_stored(&world.put(&cap, name, vec![1; 100])));
    }
    assert_eq!(world.put(&cap, 4, vec![1; 100]), RelayAnswer::Full);
    // What lies there stays, and a retry of it is still known.
    assert_eq!(world.put(&cap, 3, vec![1; 100]), RelayAnswer::Duplicate);
    assert_eq!(world.names(&own, &own.reader), [1, 2, 3]);
    world.ack(&own, &own.reader, 1, &[]);
    assert!(is_stored(&world.put(&cap, 4, vec![1; 100])));
}

#[test]
fn a_box_is_full_at_64_mib() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    let fit = u32::try_from(BOX_BYTES_MAX / (60 * 1_024)).unwrap();
    for name in 1..=fit {
        assert!(is_stored(&world.put(&cap, name, vec![1; 60 * 1_024])));
    }
    assert_eq!(
        world.put(&cap, fit + 1, vec![1; 60 * 1_024]),
        RelayAnswer::Full
    );
    world.ack(&own, &own.reader, 1, &[]);
    assert!(is_stored(&world.put(&cap, fit + 1, vec![1; 60 * 1_024])));
}

#[test]
fn a_box_is_full_at_10_000_items_and_one_acknowledgement_empties_it() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    for name in 1..=BOX_ITEMS_MAX {
        assert!(is_stored(&world.put(&cap, name, vec![1; 20])));
    }
    assert_eq!(world.put(&cap, 0, vec![1; 20]), RelayAnswer::Full);
    assert_eq!(
        world.ack(&own, &own.reader, u64::from(BOX_ITEMS_MAX), &[]),
        RelayAnswer::Ok
    );
    assert_eq!(world.names(&own, &own.reader), [0; 0]);
    // One step does a part, the sweeper the rest.
    world.sweep();
    assert!(is_stored(&world.put(&cap, 0, vec![1; 20])));
    assert_eq!(world.names(&own, &own.reader), [0]);
}

#[test]
fn the_disk_fills_and_boxes_are_refused_first_then_strangers_then_deposits() {
    assert_eq!(DiskLevel::at(79, 100), DiskLevel::Roomy);
    assert_eq!(DiskLevel::at(80, 100), DiskLevel::NoBoxes);
    assert_eq!(DiskLevel::at(90, 100), DiskLevel::NoStrangers);
    assert_eq!(DiskLevel::at(100, 100), DiskLevel::NoDeposits);
    assert_eq!(DiskLevel::at(1, 0), DiskLevel::NoDeposits);

    let mut world = World::open();
    let (own, door) = (
        world.thread_box(),
        world.own(BoxKind::FrontDoor, Lane::Service),
    );
    let cap = world.grant(&own, generous());
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    let mut name = 100;
    for (percent, boxes, strangers, deposits) in [
        (70, true, true, true),
        (85, false, true, true),
        (95, false, false, true),
        (100, false, false, false),
    ] {
        let used = world.kv.stats().unwrap().disk_bytes;
        world.limits.disk_bytes_max = used * 100 / percent;
        world.restart();
        let (owner, reader) = (world.key(), world.key());
        let answer = world.create(&owner, &[&reader], BoxKind::Thread, Lane::Service, None);
        assert_eq!(
            matches!(answer, RelayAnswer::Created { .. }),
            boxes,
            "{percent} %"
        );
        assert_eq!(
            matches!(
                answer,
                RelayAnswer::Error {
                    code: ErrorCode::NoSpace,
                    ..
                }
            ),
            !boxes,
            "{percent} %"
        );
        name += 1;
        let invited = token(&mut world, &door, 1);
        assert_eq!(
            is_stored(&knock_with_token(&mut world, &door, &invited, name, 100)),
            strangers,
            "{percent} %"
        );
        assert_eq!(
            is_stored(&knock_with_puzzle(&mut world, &door, name + 100, 100)),
            strangers,
            "{percent} %"
        );
        assert_eq!(
            is_stored(&world.put(&cap, name, vec![1; 100])),
            deposits,
            "{percent} %"
        );
        // What was stored is never touched.
        assert_eq!(world.names(&own, &own.reader)[0], 1);
    }
}

#[test]
fn a_disk_that_is_really_full_stores_nothing_says_so_and_loses_nothing() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    assert!(is_stored(&world.put(&cap, 1, vec![1; 100])));
    world.disk.set_full(true);
    let put = |world: &mut World, name| {
        let request = RelayRequest::Put {
            sid: cap.sid,
            capability: cap.id,
            mid: super::world::mid(name),
            expires_s: 60,
            blob: vec![1; 100],
        };
        let frame = world.signed(&cap.writer, &request);
        let relay = comptoir_protocol::id::RelayKey(
            comptoir_protocol::signed::public_key(&super::world::relay_key()).0,
        );
        let incoming = crate::Incoming::open(&frame, &relay, &world.challenge).unwrap();
        world
            .mailbox
            .handle_now(&incoming, world.now, &mut world.rng)
    };
    // The first one meets the store's refusal; from then on the rules know.
    assert!(matches!(
        put(&mut world, 2),
        Err(MailboxError::CommitFailed { .. })
    ));
    assert_eq!(
        put(&mut world, 2).unwrap().outcome,
        crate::Outcome::Answer(RelayAnswer::Full)
    );
    assert_eq!(world.names(&own, &own.reader), [1]);
    world.sweep();
    assert_eq!(world.put(&cap, 2, vec![1; 100]), RelayAnswer::Full);
    // The relay finds the room again by itself, at the latest with its own work.
    world.disk.set_full(false);
    world.sweep();
    assert!(is_stored(&world.put(&cap, 2, vec![1; 100])));
    assert_eq!(world.names(&own, &own.reader), [1, 2]);
}
