// SPDX-License-Identifier: MIT OR Apache-2.0
//! Admission: who may have boxes on a relay, and how much of it.

use comptoir_protocol::frame::{BoxKind, ErrorCode, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, RelayKey, Rid};
use comptoir_protocol::signed::{Signed, public_key};
use comptoir_protocol::ticket::Ticket;

use ed25519_dalek::SigningKey;

use super::world::{DAY, START_MS, World, generous, is_stored, relay_key};
use crate::{Limits, TicketTerms, issue_ticket};

fn ticket(world: &mut World, bytes: u64, boxes: u32) -> Signed<Ticket> {
    issue_ticket(
        &relay_key(),
        TicketTerms {
            bytes,
            boxes,
            not_after_ms: START_MS + DAY,
            guests: 2,
        },
        &mut world.rng,
    )
}

/// A CREATE with a new owner key, by one who has the key of this number.
fn create_as(world: &mut World, who: u8, ticket: Option<&Signed<Ticket>>) -> RelayAnswer {
    let (owner, reader) = (world.key(), SigningKey::from_bytes(&[who; 32]));
    let (kind, lane) = (BoxKind::Thread, Lane::Service);
    world.create(&owner, &[&reader], kind, lane, ticket.cloned())
}

/// A CREATE with a new owner key, always by the same one.
fn create(world: &mut World, ticket: Option<&Signed<Ticket>>) -> RelayAnswer {
    create_as(world, 200, ticket)
}

fn is_error(answer: &RelayAnswer, expected: ErrorCode) -> bool {
    matches!(answer, RelayAnswer::Error { code, .. } if *code == expected)
}

#[test]
fn a_closed_relay_asks_for_a_ticket_and_an_open_one_does_not() {
    let mut world = World::closed();
    assert!(is_error(&create(&mut world, None), ErrorCode::Ticket));
    let ticket = ticket(&mut world, 1 << 30, 2);
    assert!(matches!(
        create(&mut world, Some(&ticket)),
        RelayAnswer::Created { .. }
    ));
    assert!(matches!(
        create(&mut World::open(), None),
        RelayAnswer::Created { .. }
    ));
}

///
#[test]
fn each_place_on_a_ticket_is_taken_once() {
    let mut world = World::closed();
    world.restless = true;
    let ticket = ticket(&mut world, 1 << 30, 2);
    assert!(matches!(
        create(&mut world, Some(&ticket)),
        RelayAnswer::Created { .. }
    ));
    assert!(matches!(
        create(&mut world, Some(&ticket)),
        RelayAnswer::Created { .. }
    ));
    assert!(is_error(
        &create(&mut world, Some(&ticket)),
        ErrorCode::Ticket
    ));
}

#[test]
fn a_create_that_is_sent_again_finds_its_box_and_takes_no_second_place() {
    let mut world = World::closed();
    let ticket = ticket(&mut world, 1 << 30, 1);
    let (owner, reader) = (world.key(), world.key());
    let first = world.create(
        &owner,
        &[&reader],
        BoxKind::Thread,
        Lane::Service,
        Some(ticket.clone()),
    );
    assert!(matches!(first, RelayAnswer::Created { .. }));
    world.restart();
    let again = world.create(
        &owner,
        &[&reader],
        BoxKind::Thread,
        Lane::Service,
        Some(ticket.clone()),
    );
    assert_eq!(again, first);
    // Another kind of box under the same key would be confused with the first.
    let other = world.create(
        &owner,
        &[&reader],
        BoxKind::FrontDoor,
        Lane::Service,
        Some(ticket),
    );
    assert!(is_error(&other, ErrorCode::Malformed));
}

#[test]
fn a_place_comes_back_when_its_box_is_deleted() {
    let mut world = World::closed();
    let ticket = ticket(&mut world, 1 << 30, 1);
    let (owner, reader) = (world.key(), SigningKey::from_bytes(&[200; 32]));
    let answer = world.create(
        &owner,
        &[&reader],
        BoxKind::Thread,
        Lane::Service,
        Some(ticket.clone()),
    );
    let RelayAnswer::Created { rid, .. } = answer else {
        panic!("no box")
    };
    assert_eq!(
        world.ask(&owner, &RelayRequest::Delete { rid }),
        RelayAnswer::Ok
    );
    assert!(matches!(
        create(&mut world, Some(&ticket)),
        RelayAnswer::Created { .. }
    ));
    assert!(is_error(
        &create(&mut world, Some(&ticket)),
        ErrorCode::Ticket
    ));
}

///
#[test]
fn an_expired_foreign_or_forged_ticket_opens_nothing() {
    let mut world = World::closed();
    let expired = ticket(&mut world, 1 << 30, 5);
    let operator = world.key();
    let terms = TicketTerms {
        bytes: 1 << 30,
        boxes: 5,
        not_after_ms: START_MS + 90 * DAY,
        guests: 0,
    };
    // Another relay's, another relay's that names us, and one of ours that names another relay.
    let foreign = issue_ticket(&operator, terms, &mut world.rng);
    let named = |relay| Ticket {
        relay,
        serial: [1; 16],
        bytes: 1 << 30,
        boxes: 5,
        not_after_ms: START_MS + 90 * DAY,
        guests: 0,
    };
    let us = RelayKey(public_key(&relay_key()).0);
    let forged = Signed::sign(&named(us), &operator);
    let misnamed = Signed::sign(&named(RelayKey(public_key(&operator).0)), &relay_key());
    let empty = issue_ticket(
        &relay_key(),
        TicketTerms { boxes: 0, ..terms },
        &mut world.rng,
    );
    world.later(DAY);
    for ticket in [expired, foreign, forged, misnamed, empty] {
        assert!(is_error(
            &create(&mut world, Some(&ticket)),
            ErrorCode::Ticket
        ));
    }
}

///
#[test]
fn a_ticket_belongs_to_the_key_that_used_it_first() {
    let mut world = World::closed();
    world.restless = true;
    let ticket = ticket(&mut world, 1 << 30, 5);
    let is_made = |answer: &RelayAnswer| matches!(answer, RelayAnswer::Created { .. });
    assert!(is_made(&create_as(&mut world, 200, Some(&ticket))));
    // Somebody who read the same link comes second.
    let copied = create_as(&mut world, 201, Some(&ticket));
    assert!(is_error(&copied, ErrorCode::Ticket));
    assert!(is_made(&create_as(&mut world, 200, Some(&ticket))));
    // It was used in time: its holder goes on when the date is past, and a copy opens nothing then, too.
    world.later(400 * DAY);
    assert!(is_made(&create_as(&mut world, 200, Some(&ticket))));
    let late = create_as(&mut world, 201, Some(&ticket));
    assert!(is_error(&late, ErrorCode::Ticket));
}

#[test]
fn neither_a_copied_ticket_nor_none_tells_of_anothers_box() {
    let mut world = World::closed();
    let ticket = ticket(&mut world, 1 << 30, 5);
    let (owner, reader, thief) = (world.key(), world.key(), world.key());
    let (kind, lane) = (BoxKind::Thread, Lane::Service);
    let own = [&reader];
    assert!(matches!(
        world.create(&owner, &own, kind, lane, Some(ticket.clone())),
        RelayAnswer::Created { .. }
    ));
    for ticket in [Some(ticket), None] {
        let request = RelayRequest::Create {
            owner: public_key(&owner),
            readers: vec![public_key(&thief)],
            kind,
            lane,
            ttl_s: 0,
            ticket,
        };
        assert_eq!(world.ask(&thief, &request), RelayAnswer::Denied);
    }
}

fn front_door(world: &mut World, ticket: Option<&Signed<Ticket>>) -> (SigningKey, Rid) {
    let (owner, reader) = (world.key(), SigningKey::from_bytes(&[200; 32]));
    let (kind, lane) = (BoxKind::FrontDoor, Lane::Service);
    match world.create(&owner, &[&reader], kind, lane, ticket.cloned()) {
        RelayAnswer::Created { rid, .. } => (owner, rid),
        other => panic!("no door: {other:?}"),
    }
}

///
#[test]
fn a_tickets_holder_gets_as_many_for_guests_as_the_operator_wrote_on_it() {
    let mut world = World::closed();
    world.restless = true;
    let own = ticket(&mut world, 1 << 30, 5);
    let (owner, rid) = front_door(&mut world, Some(&own));
    let ask = RelayRequest::GuestTicket { rid };
    let guest = |answer: RelayAnswer| match answer {
        RelayAnswer::Ticket(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    };
    let (first, second) = (
        guest(world.ask(&owner, &ask)),
        guest(world.ask(&owner, &ask)),
    );
    assert_ne!(first, second);
    assert!(is_error(&world.ask(&owner, &ask), ErrorCode::Ticket));
    // A guest makes its boxes, and has no guests.
    let guest_reader = world.key();
    let (guest_owner, kind) = (world.key(), BoxKind::FrontDoor);
    let made = world.create(
        &guest_owner,
        &[&guest_reader],
        kind,
        Lane::Service,
        Some(first.clone()),
    );
    let RelayAnswer::Created {
        rid: theirs,
        bytes_max,
        ..
    } = made
    else {
        panic!("no box: {made:?}")
    };
    assert_eq!(bytes_max, 2 << 20);
    let more = RelayRequest::GuestTicket { rid: theirs };
    assert!(is_error(&world.ask(&guest_owner, &more), ErrorCode::Ticket));
    // Used by one guest, it is no other's.
    assert!(is_error(
        &create_as(&mut world, 201, Some(&first)),
        ErrorCode::Ticket
    ));
    // Not taken up in time, it opens nothing; and the owner has new ones.
    world.later(31 * DAY);
    assert!(is_error(
        &create_as(&mut world, 202, Some(&second)),
        ErrorCode::Ticket
    ));
    guest(world.ask(&owner, &ask));
}

#[test]
fn only_the_owner_of_a_front_door_asks_for_a_guest() {
    let mut world = World::closed();
    let own = ticket(&mut world, 1 << 30, 5);
    let (owner, rid) = front_door(&mut world, Some(&own));
    let (stranger, ask) = (world.key(), RelayRequest::GuestTicket { rid });
    assert_eq!(world.ask(&stranger, &ask), RelayAnswer::Denied);
    assert_eq!(world.ask_unsigned(&ask), RelayAnswer::Denied);
    let nowhere = RelayRequest::GuestTicket { rid: Rid([1; 32]) };
    assert_eq!(world.ask(&owner, &nowhere), RelayAnswer::Denied);
    let mut open = World::open();
    let thread = open.thread_box();
    let ask = RelayRequest::GuestTicket { rid: thread.rid };
    assert_eq!(open.ask(&thread.owner, &ask), RelayAnswer::Denied);
    // An open relay has room for everybody's guests.
    let (owner, rid) = front_door(&mut open, None);
    for _ in 0..3 {
        let answer = open.ask(&owner, &RelayRequest::GuestTicket { rid });
        assert!(matches!(answer, RelayAnswer::Ticket(_)));
    }
}

///
#[test]
fn a_box_made_again_after_the_relay_lost_everything_has_its_old_names() {
    let mut world = World::open();
    let own = world.thread_box();
    let (kind, lane) = (BoxKind::Thread, Lane::Service);
    let mut other = World::open();
    let again = other.create(&own.owner, &[&own.reader], kind, lane, None);
    let RelayAnswer::Created { rid, sid, .. } = again else {
        panic!("no box: {again:?}")
    };
    assert_eq!((rid, sid), (own.rid, own.sid));
    assert_ne!(rid.0, sid.0, "one says nothing of the other");
    // Keys are the same in both worlds: another owner's box comes third.
    let _same = (other.key(), other.key());
    assert_ne!(rid, other.thread_box().rid);
}

#[test]
fn boxes_share_the_bytes_of_their_ticket() {
    let mut world = World::closed();
    let ticket = ticket(&mut world, 20_000, 2);
    let (owner, reader) = (world.key(), world.key());
    let answer = world.create(
        &owner,
        &[&reader],
        BoxKind::Thread,
        Lane::Service,
        Some(ticket),
    );
    let RelayAnswer::Created {
        rid,
        sid,
        bytes_max,
        ..
    } = answer
    else {
        panic!("no box")
    };
    assert_eq!(bytes_max, 10_000);
    let own = super::world::Own {
        rid,
        sid,
        owner,
        reader,
    };
    let cap = world.grant(&own, generous());
    assert!(is_stored(&world.put(&cap, 1, vec![1; 6_000])));
    assert_eq!(world.put(&cap, 2, vec![1; 6_000]), RelayAnswer::Full);
    assert!(is_stored(&world.put(&cap, 3, vec![1; 4_000])));
}

#[test]
fn a_create_is_its_owners() {
    let mut world = World::open();
    let (owner, stranger) = (world.key(), world.key());
    let request = RelayRequest::Create {
        owner: public_key(&owner),
        readers: vec![public_key(&owner)],
        kind: BoxKind::Thread,
        lane: Lane::Service,
        ttl_s: 0,
        ticket: None,
    };
    assert_eq!(world.ask(&stranger, &request), RelayAnswer::Denied);
    assert_eq!(world.ask_unsigned(&request), RelayAnswer::Denied);
    assert!(is_error(
        &world.create(&owner, &[], BoxKind::Thread, Lane::Service, None),
        ErrorCode::Malformed
    ));
    assert!(matches!(
        world.ask(&owner, &request),
        RelayAnswer::Created { .. }
    ));
}

#[test]
fn a_relay_makes_no_more_boxes_than_its_operator_allows() {
    let mut world = World::with(
        true,
        Limits {
            boxes_max: 2,
            ..Limits::default()
        },
    );
    let own = world.thread_box();
    world.thread_box();
    assert!(is_error(&create(&mut world, None), ErrorCode::NoSpace));
    world.ask(&own.owner, &RelayRequest::Delete { rid: own.rid });
    assert!(matches!(
        create(&mut world, None),
        RelayAnswer::Created { .. }
    ));
}

#[test]
fn info_says_what_the_relay_is_to_anybody() {
    let mut world = World::closed();
    let RelayAnswer::Info(info) = world.ask_unsigned(&RelayRequest::Info) else {
        panic!("no info")
    };
    assert_eq!(info.relay.key.0, public_key(&relay_key()).0);
    assert_eq!(info.relay.addresses.len(), 1);
    assert!(!info.open);
    assert_eq!(
        (info.ttl_s_max, info.deposit_bytes_max),
        (30 * 86_400, 60 * 1_024)
    );
}
