// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays: one that drops, one that forgets, one that is left, and two.

use comptoir_engine::*;

use crate::world::World;

fn through(count: usize) -> World {
    let mut world = World::new(&["Alice", "Bob"]);
    for _ in 0..count {
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
    }
    world.weather.no_direct = true;
    world.pass(1_000);
    world.befriend();
    world
}

///
#[test]
fn a_gap_is_shown_and_closed_when_the_missing_one_comes() {
    let mut world = through(1);
    world.say(0, "one");
    world.pass(5_000);
    world.relays[0].drops = true;
    world.say(0, "two");
    world.relays[0].drops = false;
    world.say(0, "three");
    world.pass(10_000);
    assert_eq!(world.texts(1), ["one", "three"]);
    assert!(
        world
            .history(1)
            .iter()
            .any(|item| matches!(item, query::HistoryItem::Gap { .. }))
    );
    assert!(world.saw(1, |event| matches!(event, Event::GapSeen { .. })));
    // The relay said it had it. Alice keeps it until Bob says so, and leaves it there again.
    world.pass(3 * 3_600_000);
    assert_eq!(world.texts(1), ["one", "two", "three"]);
    assert!(world.saw(1, |event| matches!(event, Event::GapFilled { .. })));
    assert!(
        !world
            .history(1)
            .iter()
            .any(|item| matches!(item, query::HistoryItem::Gap { .. }))
    );
    assert!(world.messages(1)[1].late);
    assert_eq!(world.outbox(0), 0);
    assert_eq!(world.nodes[1].engine.counters().chains_broken, 0);
}

#[test]
fn a_relay_that_forgets_everything_gets_new_boxes() {
    let mut world = through(1);
    world.go_offline(1);
    world.say(0, "waiting");
    world.pass(5_000);
    assert_eq!(world.messages(0)[0].state, Some(MessageState::Stored));
    world.relays[0].lose_everything();
    world.go_online(1);
    world.pass(6 * 3_600_000);
    world.weather.no_direct = false;
    world.pass(6 * 3_600_000);
    assert_eq!(world.texts(1), ["waiting"]);
    // And again through the relay alone.
    world.weather.no_direct = true;
    world.restart(0);
    world.restart(1);
    world.say(1, "through the new box");
    world.pass(2 * 3_600_000);
    assert_eq!(world.texts(0), ["waiting", "through the new box"]);
}

#[test]
fn with_two_relays_one_may_die() {
    let mut world = through(2);
    world.say(0, "both");
    world.pass(5_000);
    world.relays[0].up = false;
    world.say(0, "one");
    world.say(1, "me too");
    world.pass(60_000);
    assert_eq!(world.texts(1), world.texts(0));
    assert_eq!(world.texts(1).len(), 3);
    assert_eq!((world.outbox(0), world.outbox(1)), (0, 0));
    let counts = query::counts(&world.nodes[0].view).unwrap();
    assert_eq!(counts.relays.len(), 2);
    assert!(counts.sent_twice > 0, "left at both");
}

#[test]
fn a_dead_relay_holds_back_nothing_from_the_other() {
    let mut world = through(2);
    world.go_offline(1);
    world.relays[0].up = false;
    let lines: Vec<String> = (0..400).map(|number| format!("line {number}")).collect();
    for line in &lines {
        world.say(0, line);
        world.pass(10);
    }
    world.go_online(1);
    world.pass(20_000);
    assert_eq!(world.texts(1), lines);
}

///
#[test]
fn contacts_follow_to_another_relay() {
    let mut world = through(1);
    let old = world.relays[0].descriptor.key;
    let new = world.add_relay();
    world
        .ask(
            0,
            Command::MoveRelay {
                from: old,
                to: new,
                ticket: None,
            },
        )
        .unwrap();
    world.pass(60_000);
    world.relays[0].up = false;
    // Bob's own box is at the dead relay; he hears Alice no more, but reaches her at the new one.
    world.say(1, "followed you");
    world.pass(3_600_000);
    assert_eq!(world.texts(0), ["followed you"]);
    assert!(world.relays[1].puts > 0);
}

#[test]
fn a_restarted_node_fetches_what_came_and_acknowledges_what_it_owes() {
    let mut world = through(1);
    for round in 0..5 {
        world.say(0, &format!("line {round}"));
        world.restart(1);
        world.restart(0);
    }
    world.pass(3_600_000);
    assert_eq!(world.texts(1).len(), 5);
    assert_eq!(world.outbox(0), 0);
    assert_eq!(
        world.relays[0].items(),
        0,
        "nothing lies about at the relay"
    );
}

#[test]
fn the_same_relay_twice_and_a_third_one_are_refused() {
    let mut world = through(2);
    let relay = world.relays[0].descriptor.clone();
    let again = world.ask(
        0,
        Command::AddRelay {
            relay: relay.clone(),
            ticket: None,
        },
    );
    assert_eq!(again, Err(Refusal::AlreadyRelay));
    let third = world.add_relay();
    assert!(matches!(
        world.ask(
            0,
            Command::AddRelay {
                relay: third,
                ticket: None
            }
        ),
        Err(Refusal::Full { max: 2, .. })
    ));
    world
        .ask(0, Command::RemoveRelay { relay: relay.key })
        .unwrap();
    assert_eq!(
        world.ask(0, Command::RemoveRelay { relay: relay.key }),
        Err(Refusal::NoSuchRelay)
    );
}
