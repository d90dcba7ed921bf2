// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durability: what was answered is there, what was not answered may be asked again.

use comptoir_kv::Failure;
use comptoir_protocol::frame::{BoxKind, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, RelayKey};
use comptoir_protocol::signed::public_key;

use super::world::{DAY, World, generous, is_stored, mid, relay_key};
use crate::{Incoming, MailboxError};

#[test]
fn a_relay_that_dies_between_every_two_requests_loses_and_repeats_nothing() {
    let mut world = World::open();
    world.restless = true;
    let own = world.thread_box();
    let (phone, laptop) = (own.reader.clone(), world.add_reader(&own));
    let cap = world.grant(&own, generous());
    for name in 1..=50 {
        assert!(is_stored(&world.put(&cap, name, vec![name as u8; 1_500])));
        assert_eq!(
            world.put(&cap, name, vec![name as u8; 1_500]),
            RelayAnswer::Duplicate
        );
        if name % 7 == 0 {
            world.ack(&own, &phone, u64::from(name) - 2, &[]);
        }
    }
    assert_eq!(world.names(&own, &phone), [48, 49, 50]);
    let expected: Vec<u32> = (1..=50).collect();
    assert_eq!(world.names(&own, &laptop), expected);
    world.ack(&own, &laptop, 50, &[]);
    world.ack(&own, &phone, 50, &[]);
    world.later(31 * DAY);
    world.sweep();
    // Head, pointers, two readers, capability, and the relay's count of boxes.
    assert_eq!(world.rows(), 8);
}

/// One PUT up to its commit.
fn put(world: &mut World, cap: &super::world::Cap, name: u32) -> Result<crate::Done, MailboxError> {
    let request = RelayRequest::Put {
        sid: cap.sid,
        capability: cap.id,
        mid: mid(name),
        expires_s: 60,
        blob: vec![1; 99],
    };
    let frame = world.signed(&cap.writer, &request);
    let relay = RelayKey(public_key(&relay_key()).0);
    let incoming = Incoming::open(&frame, &relay, &world.challenge).unwrap();
    world
        .mailbox
        .handle_now(&incoming, world.now, &mut world.rng)
}

#[test]
fn a_failed_commit_answers_nobody_and_stops_the_relay_until_it_is_opened_again() {
    for failure in [Failure::Nothing, Failure::Written] {
        let mut world = World::open();
        let own = world.thread_box();
        let cap = world.grant(&own, generous());
        assert!(is_stored(&world.put(&cap, 1, vec![1; 99])));
        world.disk.fail_commit(0, failure);
        assert!(matches!(
            put(&mut world, &cap, 2),
            Err(MailboxError::CommitFailed { .. })
        ));
        assert!(matches!(
            put(&mut world, &cap, 3),
            Err(MailboxError::Stopped)
        ));
        assert!(matches!(
            world.mailbox.sweep_now(world.now),
            Err(MailboxError::Stopped)
        ));
        world.restart();
        // Whether the disk has it or not, the sender sends again, and it is there once.
        let again = world.put_for(&cap, 2, vec![1; 99], 60);
        assert_eq!(again == RelayAnswer::Duplicate, failure == Failure::Written);
        assert_eq!(world.names(&own, &own.reader), [1, 2]);
    }
}

#[test]
fn a_relay_that_lost_everything_answers_everybody_alike_and_can_be_filled_again() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    world.put(&cap, 1, vec![1; 99]);
    world.disk = comptoir_kv::Disk::new();
    world.restart();
    assert_eq!(world.put(&cap, 2, vec![1; 99]), RelayAnswer::Denied);
    assert_eq!(world.ack(&own, &own.reader, 1, &[]), RelayAnswer::Denied);
    assert_eq!(
        world.ask(&own.owner, &RelayRequest::List { rid: own.rid }),
        RelayAnswer::Denied
    );
    let answer = world.create(
        &own.owner,
        &[&own.reader],
        BoxKind::Thread,
        Lane::Service,
        None,
    );
    let RelayAnswer::Created { rid, sid, .. } = answer else {
        panic!("no box")
    };
    // Under its old names, so that whoever was told of it need not be told anew; and closed until its owner grants.
    assert_eq!((rid, sid), (own.rid, own.sid));
    assert_eq!(world.put(&cap, 2, vec![1; 99]), RelayAnswer::Denied);
}

#[test]
fn a_damaged_or_newer_row_stops_its_request_and_no_other() {
    let mut world = World::open();
    let (own, other) = (world.thread_box(), world.thread_box());
    let (cap, others) = (
        world.grant(&own, generous()),
        world.grant(&other, generous()),
    );
    let rows = world.kv.scan(&[0x10], None, false, 1_000).unwrap();
    let (key, row) = rows.into_iter().find(|(key, _)| key[9] == 2).unwrap();
    for (damaged, newer) in [
        (row[..row.len() - 1].to_vec(), false),
        ([&[9], &row[1..]].concat(), true),
    ] {
        world
            .kv
            .commit(&[(key.clone(), Some(damaged))].into())
            .unwrap();
        match put(&mut world, &cap, 1) {
            Err(MailboxError::Corrupt { record: "Granted" }) => assert!(!newer),
            Err(MailboxError::NewerRecord {
                record: "Granted",
                version: 9,
            }) => assert!(newer),
            other => panic!("{other:?}"),
        }
        assert!(put(&mut world, &others, u32::from(newer)).is_ok());
    }
    world.kv.commit(&[(key, Some(row))].into()).unwrap();
    assert!(put(&mut world, &cap, 1).is_ok());
}
