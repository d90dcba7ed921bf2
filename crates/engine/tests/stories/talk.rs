// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people meet and talk.

use comptoir_engine::*;

use crate::world::World;

#[test]
fn alice_and_bob_meet_directly_and_talk_both_ways() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.befriend();
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
    let mut world = World::new(&["Alice", "Bob"]);
    let relay = world.add_relay();
    for node in [0, 1] {
        world
            .ask(
                node,
                Command::AddRelay {
                    relay: relay.clone(),
                    ticket: None,
                },
            )
            .unwrap();
    }
    world.weather.no_direct = true;
    world.pass(1_000);
    world.befriend();
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
