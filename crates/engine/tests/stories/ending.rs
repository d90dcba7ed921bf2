// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages that end by themselves, and the keys that go with them and with deleted threads.

use comptoir_engine::rows::key;
use comptoir_engine::*;
use comptoir_protocol::body::Body;
use comptoir_protocol::id::Lane;

use crate::upkeep::at;
use crate::world::World;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const WEEK_MS: u64 = 7 * DAY_MS;

fn fleeting(text: &str, expires_after_s: u32) -> NewMessage {
    let mut body = Body::text(text);
    body.header.expires_after_s = Some(expires_after_s);
    NewMessage { body }
}

fn send(world: &mut World, node: usize, messages: Vec<NewMessage>) {
    let thread = world.thread(node);
    let lane = Lane::Service;
    world
        .ask(
            node,
            Command::Send {
                thread,
                lane,
                messages,
            },
        )
        .unwrap();
}

fn unread(world: &World, node: usize) -> u64 {
    query::threads(&world.nodes[node].view, 1).unwrap()[0].unread
}

/// Rows of a node in which the text stands.
fn rows_with(world: &World, node: usize, text: &str) -> usize {
    let rows = world.nodes[node].view.0.values();
    rows.filter(|row| {
        row.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    })
    .count()
}

/// The periods of the scopes under which rows of a thread with the other lie.
fn periods(world: &World, node: usize) -> Vec<u32> {
    let thread = world.thread(node);
    let lying = world.nodes[node].view.1.lying.values();
    let mut periods: Vec<u32> = lying
        .filter(|scope| scope.thread == thread)
        .map(|scope| scope.period)
        .collect();
    periods.sort_unstable();
    periods.dedup();
    periods
}

fn destroyed(world: &World, node: usize) -> Vec<Scopes> {
    world.nodes[node].view.1.destroyed.clone()
}

fn ended(world: &World, node: usize) -> Vec<(u64, u64)> {
    let events = world.nodes[node].events.iter();
    events
        .filter_map(|(_, event)| match event {
            Event::MessagesEnded { from, to, .. } => Some((*from, *to)),
            _ => None,
        })
        .collect()
}

///
#[test]
fn a_message_ends_on_both_sides_and_the_rest_stays() {
    let mut world = World::of_friends();
    world.say(0, "stays");
    send(&mut world, 0, vec![fleeting("goes", 3_600)]);
    world.say(1, "an answer");
    world.pass(50 * MINUTE_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["stays", "goes", "an answer"]);
    }
    assert_eq!(unread(&world, 1), 2);
    let gone = at(&world.messages(0)[1]);
    world.pass(11 * MINUTE_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["stays", "an answer"]);
        assert_eq!(rows_with(&world, node, "goes"), 0);
        assert_eq!(ended(&world, node).len(), 1, "told once");
    }
    assert_eq!(unread(&world, 1), 1);
    assert!(!world.saw(0, |event| matches!(event, Event::NotDelivered { .. })));
    // What follows stands at its place on both sides, across a restart.
    world.restart(1);
    world.say(1, "and on");
    world.say(0, "so it does");
    world.pass(5_000);
    for node in 0..2 {
        let was = ["stays", "an answer", "and on", "so it does"];
        assert_eq!(world.texts(node), was);
    }
    assert_eq!(query::message(&world.nodes[0].view, gone).unwrap(), None);
    let edited = world.ask(
        0,
        Command::Edit {
            message: gone,
            text: "back".into(),
        },
    );
    assert_eq!(edited, Err(Refusal::NoSuchMessage));
}

///
#[test]
fn of_one_send_each_message_ends_in_its_own_time() {
    let mut world = World::of_friends();
    let body = Body::text("stays");
    let messages = vec![
        fleeting("an hour", 3_600),
        NewMessage { body },
        fleeting("another hour", 3_600),
        fleeting("ten days", 10 * 86_400),
    ];
    send(&mut world, 0, messages);
    world.pass(2_000);
    for node in 0..2 {
        let was = ["an hour", "stays", "another hour", "ten days"];
        assert_eq!(world.texts(node), was);
        assert_eq!(periods(&world, node).len(), 3, "by the week of their end");
    }
    world.pass(2 * HOUR_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["stays", "ten days"]);
    }
    world.pass(10 * DAY_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["stays"]);
        assert_eq!(periods(&world, node), [0]);
    }
}

///
#[test]
fn the_time_of_who_was_away_begins_when_it_comes() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    send(&mut world, 0, vec![fleeting("for two hours", 7_200)]);
    world.pass(HOUR_MS);
    world.go_online(1);
    world.pass(70 * MINUTE_MS);
    assert_eq!(world.texts(0), [""; 0], "two hours after it was sent");
    assert_eq!(world.texts(1), ["for two hours"]);
    world.pass(HOUR_MS);
    assert_eq!(world.texts(1), [""; 0], "two hours after it came");
    assert_eq!(unread(&world, 1), 0);
}

///
#[test]
fn what_was_not_delivered_by_its_end_is_not_sent_any_more_and_told() {
    let mut world = World::of_friends();
    world.go_offline(1);
    send(&mut world, 0, vec![fleeting("too late", 3_600)]);
    world.say(0, "in time");
    world.pass(2 * HOUR_MS);
    assert_eq!(world.outbox(0), 1);
    let not_delivered =
        |event: &Event| matches!(event, Event::NotDelivered { from, to, .. } if from == to);
    assert!(world.saw(0, not_delivered));
    assert_eq!(rows_with(&world, 0, "too late"), 0);
    world.go_online(1);
    world.pass(HOUR_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["in time"], "node {node}");
    }
}

///
#[test]
fn an_edit_does_not_lengthen_a_life_and_ends_with_it() {
    let mut world = World::of_friends();
    send(&mut world, 0, vec![fleeting("first words", 3_600)]);
    world.pass(30 * MINUTE_MS);
    let message = at(&world.messages(0)[0]);
    let text = "second words".to_owned();
    world.ask(0, Command::Edit { message, text }).unwrap();
    world.pass(20 * MINUTE_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["second words"]);
        let of_week = periods(&world, node);
        assert!(!of_week.contains(&0) || rows_with(&world, node, "second words") == 1);
    }
    world.pass(20 * MINUTE_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), [""; 0]);
        assert_eq!(rows_with(&world, node, "words"), 0);
    }
}

///
#[test]
fn an_edit_that_waits_for_its_message_ends_as_well() {
    let mut world = World::of_friends_over_a_relay();
    world.say(0, "stays");
    world.pass(5_000);
    for (expires_after_s, left) in [(10 * 3_600, 1), (120, 0)] {
        world.relays[0].drops = true;
        send(
            &mut world,
            0,
            vec![fleeting("first words", expires_after_s)],
        );
        world.relays[0].drops = false;
        let message = at(world.messages(0).last().unwrap());
        let text = "second words".to_owned();
        world.ask(0, Command::Edit { message, text }).unwrap();
        world.pass(10_000);
        assert_eq!(world.texts(1), ["stays"]);
        assert_eq!(rows_with(&world, 1, "second words"), 1, "it waits");
        assert!(periods(&world, 1).len() > 1, "under the key of a week");
        // The first comes when it is tried again; the second had ended by then, and is not.
        world.pass(3 * HOUR_MS);
        assert_eq!(rows_with(&world, 1, "second words"), left);
        assert_eq!(world.texts(1).len(), 1 + left);
        world.pass(11 * HOUR_MS);
        for node in 0..2 {
            assert_eq!(rows_with(&world, node, "words"), 0);
            assert_eq!(world.texts(node), ["stays"]);
        }
    }
}

/// A clock that is set back keeps nothing longer, whether or not the process lives through it.
#[test]
fn a_clock_that_is_set_back_keeps_nothing_longer() {
    for restarts in [false, true] {
        let mut world = World::of_friends();
        send(&mut world, 0, vec![fleeting("an hour", 3_600)]);
        world.pass(30 * MINUTE_MS);
        world.wall_skew_ms = -(300 * DAY_MS as i64);
        if restarts {
            world.restart(0);
            world.restart(1);
        }
        world.pass(20 * MINUTE_MS);
        for node in 0..2 {
            assert_eq!(world.texts(node), ["an hour"], "restarts: {restarts}");
        }
        world.pass(30 * MINUTE_MS);
        for node in 0..2 {
            assert_eq!(world.texts(node), [""; 0], "restarts: {restarts}");
        }
        // What is said under the wrong clock lives as long as it should.
        send(&mut world, 1, vec![fleeting("another hour", 3_600)]);
        world.pass(50 * MINUTE_MS);
        assert_eq!(world.texts(0), ["another hour"]);
        world.wall_skew_ms = 0;
        world.pass(20 * MINUTE_MS);
        for node in 0..2 {
            assert_eq!(world.texts(node), [""; 0]);
        }
    }
}

///
#[test]
fn what_ended_while_the_node_was_off_is_gone_when_it_opens() {
    let mut world = World::of_friends();
    for line in 0..200 {
        send(
            &mut world,
            0,
            vec![fleeting(&format!("line {line}"), 3_600)],
        );
    }
    world.pass(10_000);
    assert_eq!(unread(&world, 1), 200);
    world.now_ms += 30 * DAY_MS;
    world.restart(1);
    world.restart(0);
    world.pass(5_000);
    for node in 0..2 {
        assert_eq!(world.texts(node), [""; 0]);
        assert_eq!(rows_with(&world, node, "line "), 0);
    }
    assert_eq!(unread(&world, 1), 0);
}

/// The key of a week is destroyed within seven days of what ended under it, on both sides.
#[test]
fn the_key_of_a_week_goes_when_the_week_is_over() {
    let mut world = World::of_friends();
    world.say(0, "stays");
    for day in 0..20 {
        send(
            &mut world,
            0,
            vec![fleeting(&format!("of day {day}"), 3_600)],
        );
        world.pass(DAY_MS);
    }
    world.pass(WEEK_MS + HOUR_MS);
    for node in 0..2 {
        assert_eq!(world.texts(node), ["stays"]);
        let gone = destroyed(&world, node);
        let weeks = gone.iter().filter(
            |scopes| matches!(scopes, Scopes::One(scope) if scope.period > 0 && scope.generation == 0),
        );
        assert!((3..=4).contains(&weeks.count()), "{gone:?}");
        let left = world.nodes[node].view.0.keys();
        let left = left.filter(|row| [key::ENDING, key::PERIOD].contains(&row[0]));
        assert_eq!(left.count(), 0);
    }
}

/// Deleting a thread's messages destroys their keys; what comes after lies under new ones, also while it runs.
#[test]
fn a_deleted_thread_goes_on_under_new_keys() {
    let mut world = World::of_friends();
    for line in 0..600 {
        world.say(0, &format!("line {line}"));
    }
    send(&mut world, 0, vec![fleeting("an hour", 3_600)]);
    world.pass(5_000);
    let thread = world.thread(1);
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    world.say(0, "while it runs");
    world.pass(20_000);
    world.say(1, "and after");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["while it runs", "and after"]);
    let gone = Scopes::Before {
        thread,
        generation: 1,
    };
    assert!(destroyed(&world, 1).contains(&gone));
    world.restart(1);
    world.pass(2 * HOUR_MS);
    assert_eq!(world.texts(1), ["while it runs", "and after"]);
    // And again.
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    world.pass(20_000);
    assert_eq!(world.texts(1), [""; 0]);
    let gone = Scopes::Before {
        thread,
        generation: 3,
    };
    assert!(destroyed(&world, 1).contains(&gone));
    let lying = world.nodes[1].view.1.lying.values();
    assert_eq!(lying.filter(|scope| scope.thread == thread).count(), 0);
}

/// What is owed when its thread is deleted is delivered all the same, and its key goes after that.
#[test]
fn what_is_owed_outlives_the_deletion_and_its_key_does_not_outlive_it_long() {
    let mut world = World::of_friends();
    world.go_offline(1);
    for line in 0..100 {
        world.say(0, &format!("line {line}"));
    }
    let thread = world.thread(0);
    world.ask(0, Command::DeleteThread { thread }).unwrap();
    world.restart(0);
    world.pass(20_000);
    assert_eq!(world.texts(0), [""; 0]);
    assert_eq!(world.outbox(0), 100);
    let periods_owed = periods(&world, 0);
    assert!(!periods_owed.contains(&0), "{periods_owed:?}");
    world.go_online(1);
    world.pass(2 * HOUR_MS);
    assert_eq!(world.texts(1).len(), 100);
    assert_eq!(world.outbox(0), 0);
    world.pass(40 * DAY_MS);
    let of_week = |scopes: &Scopes| matches!(scopes, Scopes::One(scope) if scope.period > 0);
    assert!(destroyed(&world, 0).iter().any(of_week));
}

/// Killed between any two inputs, a message is shown once, ends once and leaves no row.
#[test]
fn killed_between_any_two_inputs_it_ends_once() {
    for reopen_after in (0..60).step_by(3) {
        let mut world = World::of_friends();
        world.weather.reopen_after = Some(world.inputs + reopen_after);
        send(&mut world, 0, vec![fleeting("goes", 3_600)]);
        world.say(1, "stays");
        world.pass(2 * HOUR_MS);
        for node in 0..2 {
            assert_eq!(world.texts(node), ["stays"], "after {reopen_after}");
            assert_eq!(rows_with(&world, node, "goes"), 0);
            assert_eq!(ended(&world, node).len(), 1, "after {reopen_after}");
        }
    }
}
