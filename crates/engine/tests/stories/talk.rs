// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people meet and talk.

use comptoir_engine::*;

use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::PeerFrame;

use crate::world::World;

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
