// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people meet and talk.

use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key;
use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::identity::Endpoint;

use crate::world::{World, address_of};

///
#[test]
fn alice_and_bob_meet_directly_and_talk_both_ways() {
    let mut world = World::of_friends();
    assert!(world.saw(0, |event| matches!(event, Event::RequestReceived { .. })));
    assert!(world.saw(1, |event| matches!(event, Event::ContactAdded { .. })));
    world.say(1, "hello Alice");
    world.pass(2_000);
    world.say(0, "hello Bob");
    world.pass(2_000);
    assert_eq!(world.texts(0), ["hello Alice", "hello Bob"]);
    assert_eq!(world.texts(1), world.texts(0));
    assert_eq!(
        (world.outbox(0), world.outbox(1)),
        (0, 0),
        "everything is acknowledged"
    );
    assert_eq!(world.messages(0)[1].state, Some(MessageState::Delivered));
}

#[test]
fn bob_is_away_and_alice_writes_through_a_relay() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    for line in ["one", "two", "three"] {
        world.say(0, line);
    }
    world.pass(10_000);
    assert_eq!(world.messages(0)[0].state, Some(MessageState::Stored));
    world.go_offline(0);
    world.go_online(1);
    world.pass(10_000);
    assert_eq!(world.texts(1), ["one", "two", "three"]);
    world.say(1, "four");
    world.pass(10_000);
    world.go_online(0);
    world.pass(20_000);
    world.pass(10_000);
    assert_eq!(world.texts(0), ["one", "two", "three", "four"]);
    assert_eq!(
        (world.outbox(0), world.outbox(1)),
        (0, 0),
        "everything is acknowledged"
    );
    assert!(world.relays[0].acks > 0);
}

///
#[test]
fn acknowledgements_go_at_most_once_a_second() {
    let mut world = World::of_friends();
    let mut sent_at = Vec::new();
    let mut seen = world.wire.len();
    for line in 0..80 {
        world.say(0, &format!("line {line}"));
        world.pass(100);
        for (from, _, bytes) in &world.wire[seen..] {
            if *from == 1 && matches!(PeerFrame::from_bytes(bytes), Ok(PeerFrame::Acknowledge(_))) {
                sent_at.push(world.now_ms);
            }
        }
        seen = world.wire.len();
    }
    // Eight seconds of talk; a look every 100 ms blurs each date by as much.
    assert!(sent_at.len() >= 4, "Bob says what he has: {sent_at:?}");
    for pair in sent_at.windows(2) {
        assert!(pair[1] - pair[0] >= 900, "{sent_at:?}");
    }
}

#[test]
fn whoever_names_anothers_socket_does_not_decide_where_that_one_is_looked_for() {
    let mut world = World::new(&["Alice", "Mallory", "Bob"]);
    for other in [1, 2] {
        let link = world.invite(0);
        world.add(other, &link);
        world.pass(1_000);
        world.accept_all(0);
        world.pass(5_000);
    }
    // Mallory says that Bob's socket is hers, and listens nowhere.
    let row_key = [&[key::CONTACT][..], &1u32.to_be_bytes()].concat();
    let row = world.nodes[0].view.0[&row_key].clone();
    let mut mallory = Contact::from_bytes(&row[1..]).unwrap();
    mallory.endpoints = vec![Endpoint {
        key: world.nodes[2].key,
        addresses: vec![address_of(9)],
    }];
    let row = [&row[..1], &mallory.to_bytes()].concat();
    world.nodes[0].view.0.insert(row_key, row);
    world.go_offline(1);
    world.go_offline(2);
    world.restart(0);
    let threads = query::threads(&world.nodes[0].view, 1).unwrap();
    for view in threads {
        world.try_say(0, view.thread, &["hello"]).unwrap();
    }
    world.pass(60_000);
    world.nodes[2].online = true;
    world.pass(600_000);
    assert_eq!(world.texts(2), ["hello"]);
}
