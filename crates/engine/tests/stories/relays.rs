// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays: one that drops, one that forgets, one that is left, and two.

use comptoir_engine::*;

use crate::world::World;

///
#[test]
fn a_gap_is_shown_and_closed_when_the_missing_one_comes() {
    let mut world = World::of_friends_over_a_relay();
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
    let mut world = World::of_friends_over_a_relay();
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
    let mut world = World::of_friends_over_relays(2);
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
    let mut world = World::of_friends_over_relays(2);
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
    let mut world = World::of_friends_over_a_relay();
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
    let mut world = World::of_friends_over_a_relay();
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
    let mut world = World::of_friends_over_relays(2);
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

/// Two contacts of whom each has two relays of their own, or both the same two.
fn of_two_relays_each(same: bool, renames: bool) -> World {
    let mut world = World::new(&["Alice", "Bob"]);
    for number in 0..if same { 2 } else { 4 } {
        let relay = world.add_relay();
        world.relays[number].renames = renames;
        let users = if same { vec![0, 1] } else { vec![number / 2] };
        for node in users {
            let (relay, ticket) = (relay.clone(), None);
            world
                .ask(node, Command::AddRelay { relay, ticket })
                .unwrap();
        }
    }
    world.weather.no_direct = true;
    world.pass(1_000);
    world.befriend();
    world.say(0, "before");
    world.pass(60_000);
    assert_eq!(world.texts(1), ["before"]);
    world
}

/// Both of Alice's relays come back with nothing. She is told by losing her connections.
fn alice_loses_her_boxes(world: &mut World) {
    alice_loses_her_boxes_of(world, 2);
}

///
#[test]
fn who_loses_both_boxes_tells_the_new_ones_through_the_contacts_own() {
    let mut world = of_two_relays_each(false, true);
    alice_loses_her_boxes(&mut world);
    world.pass(60_000);
    world.say(1, "still there?");
    world.pass(3_600_000);
    assert_eq!(world.texts(0), ["before", "still there?"]);
    world.say(0, "still here");
    world.pass(3_600_000);
    assert_eq!(world.texts(1), world.texts(0));
    assert_eq!((world.outbox(0), world.outbox(1)), (0, 0));
}

///
#[test]
fn relays_that_both_use_and_that_forget_everything_are_found_again() {
    let mut world = of_two_relays_each(true, false);
    world.go_offline(1);
    world.say(0, "lost on the way");
    world.pass(60_000);
    alice_loses_her_boxes(&mut world);
    world.go_online(1);
    world.say(1, "and I?");
    world.pass(7 * 3_600_000);
    // No stream was ever open: the boxes have their old names, and their capabilities are granted anew.
    assert_eq!(world.texts(0), ["before", "lost on the way", "and I?"]);
    assert_eq!(world.texts(1), world.texts(0));
    assert_eq!((world.outbox(0), world.outbox(1)), (0, 0));
}

#[test]
fn an_invite_of_before_opens_the_door_of_a_relay_that_forgot_everything() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay_for(&[0, 1]);
    world.weather.no_direct = true;
    world.pass(1_000);
    let link = world.invite(0);
    alice_loses_her_boxes_of(&mut world, 1);
    world.pass(60_000);
    world.add(1, &link);
    world.pass(60_000);
    world.accept_all(0);
    world.pass(60_000);
    world.say(1, "hello");
    world.pass(60_000);
    assert_eq!(world.texts(0), ["hello"]);
}

fn alice_loses_her_boxes_of(world: &mut World, relays: usize) {
    for relay in 0..relays {
        world.relays[relay].lose_everything();
    }
    world.go_offline(0);
    world.go_online(0);
}

#[test]
fn a_relay_that_never_made_a_box_is_left_at_once() {
    let mut world = World::new(&["Alice"]);
    let relay = world.add_relay();
    world.relays[0].up = false;
    let (key, ticket) = (relay.key, None);
    world.ask(0, Command::AddRelay { relay, ticket }).unwrap();
    world.pass(5_000);
    assert_eq!(query::relays(&world.nodes[0].view, 1).unwrap().len(), 1);
    world.ask(0, Command::RemoveRelay { relay: key }).unwrap();
    assert!(query::relays(&world.nodes[0].view, 1).unwrap().is_empty());
}

#[test]
fn an_invite_before_the_relay_answers_says_what_it_waits_for() {
    let mut world = World::new(&["Alice"]);
    world.nodes[0].listens = false;
    world.restart(0);
    let invite = |as_ref| Command::Invite {
        expires_s: 86_400,
        uses: 1,
        as_ref,
    };
    assert_eq!(world.ask(0, invite(false)), Err(Refusal::NotReachable));
    let relay = world.add_relay();
    world.relays[0].up = false;
    let name = relay.addresses[0].clone();
    let ticket = None;
    world.ask(0, Command::AddRelay { relay, ticket }).unwrap();
    for as_ref in [false, true] {
        let refused = world.ask(0, invite(as_ref));
        let relay = name.clone();
        assert_eq!(refused, Err(Refusal::RelayNotConnected { relay }));
    }
    world.relays[0].up = true;
    world.pass(60_000);
    assert!(world.ask(0, invite(true)).is_ok());
}

#[test]
fn deposits_are_left_anew_ever_more_seldom_and_across_restarts() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    world.say(0, "waiting");
    world.pass(24 * 3_600_000);
    let first_day = world.relays[0].puts;
    world.pass(24 * 3_600_000);
    let second_day = world.relays[0].puts - first_day;
    assert!((2..=8).contains(&second_day), "{second_day} deposits a day");
    // A node that is started every hour does not begin again with minutes: it goes by the age of the message.
    let before = world.relays[0].puts;
    for _ in 0..24 {
        world.restart(0);
        world.pass(3_600_000);
    }
    assert!(world.relays[0].puts - before <= 8);
    world.go_online(1);
    world.pass(60_000);
    assert_eq!(world.texts(1), ["waiting"]);
}

#[test]
fn more_addresses_than_a_card_may_name_are_cut() {
    let mut world = World::new(&["Alice", "Bob"]);
    let endpoint = Some(comptoir_protocol::identity::Endpoint {
        key: world.nodes[0].key,
        addresses: (0..40)
            .map(|port| format!("/ip4/127.0.0.1/tcp/{port}"))
            .collect(),
    });
    world.input(0, Input::Opened { endpoint });
    world.befriend();
    world.say(1, "found you");
    world.pass(5_000);
    assert_eq!(world.texts(0), ["found you"]);
}

///
#[test]
fn the_largest_send_goes_in_deposits_of_the_largest_class() {
    let mut world = World::of_friends_over_a_relay();
    let texts: Vec<String> = (0..64)
        .map(|number| format!("{number:02}{}", "x".repeat(16 * 1024 - 2)))
        .collect();
    let thread = world.thread(0);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    world.try_say(0, thread, &texts).unwrap();
    world.pass(60_000);
    assert_eq!(world.texts(1), texts);
    let largest = world.relays[0].largest;
    assert!(
        (32 * 1024..=60 * 1024).contains(&largest),
        "{largest} bytes"
    );
    assert_eq!(world.outbox(0), 0);
}

#[test]
fn what_a_relay_was_too_busy_to_hand_out_or_to_drop_is_asked_for_again() {
    let mut world = World::of_friends_over_a_relay();
    for (fetches, acks) in [(1, 0), (0, 1), (3, 2)] {
        world.relays[0].rate_fetches = fetches;
        world.relays[0].rate_acks = acks;
        let before = world.texts(1).len();
        world.say(0, "is there anybody");
        world.pass(120_000);
        assert_eq!(world.texts(1).len(), before + 1, "{fetches} {acks}");
        assert_eq!(world.relays[0].items(), 0, "{fetches} {acks}");
    }
}

/// R1 of the threats: what a relay swallows comes through the other.
#[test]
fn of_two_relays_either_may_swallow_acknowledgements() {
    for swallows in [0, 1] {
        let mut world = World::of_friends_over_relays(2);
        world.relays[swallows].drops = true;
        world.say(0, "hello");
        world.pass(60_000);
        assert_eq!(world.texts(1), ["hello"]);
        assert_eq!(world.outbox(0), 0, "relay {swallows} swallows");
        let state = world.messages(0)[0].state;
        assert_eq!(state, Some(MessageState::Delivered));
    }
}

///
#[test]
fn a_relay_that_is_left_is_fetched_from_until_tomorrow_whoever_restarts() {
    let mut world = World::of_friends_over_relays(2);
    let relay = world.relays[0].descriptor.key;
    world.go_offline(1);
    world.ask(0, Command::RemoveRelay { relay }).unwrap();
    world.restart(0);
    world.pass(2 * 3_600_000);
    let capabilities = world.relays[0].capabilities();
    assert_eq!(capabilities, 2, "Alice's box for Bob, and Bob's for Alice");
    world.pass(24 * 3_600_000);
    assert_eq!(world.relays[0].capabilities(), 1);
}

#[test]
fn a_relay_that_says_more_and_gives_nothing_new_is_left_alone() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    world.say(0, "once");
    world.pass(1_000);
    world.relays[0].repeats = true;
    world.go_online(1);
    world.pass(1_000);
    assert_eq!(world.texts(1), ["once"]);
    assert!(world.relays[0].fetches < 100, "{}", world.relays[0].fetches);
}
