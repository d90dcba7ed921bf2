// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong: lost commits, lost processes, frames twice, backwards and back to their sender.

use comptoir_engine::*;
use comptoir_protocol::body::Body;
use comptoir_protocol::id::Lane;

use crate::world::{MapView, World};

fn lines(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|line| format!("line {line}")).collect()
}

#[test]
fn duplicates_and_reflections_change_nothing() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.weather.duplicate = true;
    world.weather.reflect = true;
    world.befriend();
    for line in lines(0, 20) {
        world.say(0, &line);
        world.say(1, &line);
    }
    world.pass(10_000);
    assert_eq!(world.texts(0).len(), 40);
    assert_eq!(world.texts(0), world.texts(1));
    let counters = world.nodes[1].engine.counters();
    assert!(
        counters.duplicates > 0 && counters.envelopes_refused > 0,
        "{counters:?}"
    );
    assert_eq!((world.outbox(0), world.outbox(1)), (0, 0));
}

///
#[test]
fn what_comes_backwards_is_put_in_order_without_a_gap() {
    let mut world = World::of_friends_with_a_relay();
    // Written while Bob is away, then sent in one flush, backwards.
    world.weather.no_direct = true;
    world.relays[0].up = false;
    world.go_offline(1);
    for line in lines(0, 30) {
        world.say(0, &line);
    }
    world.weather.reverse = true;
    world.weather.no_direct = false;
    world.go_online(1);
    world.pass(300_000);
    assert_eq!(world.texts(1), lines(0, 30));
    assert_eq!(world.nodes[1].engine.counters().gaps_seen, 0);
}

#[test]
fn a_lost_commit_takes_the_steps_behind_it_along_and_nothing_else() {
    let mut world = World::of_friends();
    world.say(0, "kept");
    world.pass(2_000);
    let thread = world.thread(0);
    let committed = world.nodes[0].view.clone();
    let wire = world.wire.len();
    // Three steps are decided over writes that never become durable.
    let mut pending = committed.clone();
    let now = world.time();
    for line in ["lost one", "lost two", "lost three"] {
        let messages = vec![NewMessage {
            body: Body::text(line),
        }];
        let command = Command::Send {
            thread,
            lane: Lane::Service,
            messages,
        };
        let node = &mut world.nodes[0];
        let input = Input::Command {
            id: CommandId(900),
            persona: 1,
            command,
            idempotency: None,
        };
        let step = node
            .engine
            .handle(input, now, &mut node.rng, &pending)
            .unwrap();
        assert!(!step.sends.is_empty(), "Bob is connected");
        pending.commit(&step);
    }
    // The driver drops the engine and every later step, and nothing of them was sent.
    assert_eq!(world.wire.len(), wire);
    world.nodes[0].view = committed;
    world.restart(0);
    world.say(0, "after");
    world.pass(10_000);
    assert_eq!(world.texts(0), ["kept", "after"]);
    assert_eq!(world.texts(1), ["kept", "after"]);
    assert_eq!(world.nodes[1].engine.counters().chains_broken, 0);
}

#[test]
fn an_error_leaves_the_engine_as_it_was() {
    struct Broken;
    impl View for Broken {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
            Err(ViewError("the disk is gone".into()))
        }
        fn scan(&self, _: Scan) -> Result<Vec<Row>, ViewError> {
            Err(ViewError("the disk is gone".into()))
        }
    }
    let mut world = World::of_friends();
    let (thread, now) = (world.thread(0), world.time());
    let key = world.nodes[1].key;
    let node = &mut world.nodes[0];
    let before = format!("{:?}", node.engine);
    let messages = vec![NewMessage {
        body: Body::text("never"),
    }];
    let command = Command::Send {
        thread,
        lane: Lane::Service,
        messages,
    };
    for input in [
        Input::Command {
            id: CommandId(1),
            persona: 1,
            command,
            idempotency: None,
        },
        Input::PeerConnected { peer: key },
    ] {
        let counters = node.engine.counters();
        assert!(
            node.engine
                .handle(input, now, &mut node.rng, &Broken)
                .is_err()
        );
        assert_eq!(node.engine.counters(), counters);
    }
    // Loaded threads may have been dropped; what is remembered beside them may not have changed.
    let memory = |text: &str| text.split("cache:").next().unwrap().to_owned();
    assert_eq!(memory(&format!("{:?}", node.engine)), memory(&before));
    world.say(0, "all is well");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["all is well"]);
}

/// The whole story, with the engine dropped and opened again after one input: after each of them in turn.
#[test]
fn reopened_after_any_input_the_story_ends_alike() {
    let inputs = told_with_reopening_after(u64::MAX);
    for at in (0..inputs).step_by(3) {
        told_with_reopening_after(at);
    }
}

fn told_with_reopening_after(input: u64) -> u64 {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay_for(&[0, 1]);
    world.weather.no_direct = true;
    world.pass(5_000);
    world.told = Some(input);
    let begun = world.inputs;
    world.weather.reopen_after = input.checked_add(begun);
    world.befriend();
    for line in 0..2 {
        world.say(0, &format!("from Alice {line}"));
        world.pass(30_000);
        world.say(1, &format!("from Bob {line}"));
        world.pass(30_000);
    }
    world.pass(3_600_000);
    let wanted = ["from Alice 0", "from Bob 0", "from Alice 1", "from Bob 1"];
    assert_eq!(world.texts(0), wanted, "reopened after input {input}");
    assert_eq!(world.texts(1), wanted, "reopened after input {input}");
    assert_eq!(
        (world.outbox(0), world.outbox(1)),
        (0, 0),
        "reopened after input {input}"
    );
    world.inputs - begun
}

///
#[test]
fn killed_between_any_two_inputs_nothing_is_lost_or_shown_twice() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    for line in 0..12 {
        world
            .try_say(0, thread, &[&format!("line {line}")])
            .unwrap();
        world.restart(line % 2);
        world.pass(500);
    }
    world.pass(3_600_000);
    assert_eq!(world.texts(1), lines(0, 12));
    assert_eq!(world.texts(0), lines(0, 12));
}

///
#[test]
fn a_copy_of_the_disk_is_found_out_and_writes_nothing() {
    let mut world = World::of_friends();
    world.say(0, "one");
    world.pass(2_000);
    let old: MapView = world.nodes[0].view.clone();
    world.say(0, "two");
    world.pass(2_000);
    // The disk goes back to where "two" was not written yet.
    world.nodes[0].view = old;
    world.restart(0);
    let thread = world.thread(0);
    world.try_say(0, thread, &["another two"]).unwrap();
    world.pass(60_000);
    assert!(world.saw(0, |event| matches!(event, Event::CloneSuspected { .. })));
    assert_eq!(
        world.texts(1),
        ["one", "two"],
        "no second message under an old number"
    );
}

///
#[test]
fn a_second_copy_is_found_out_at_the_relay() {
    let mut world = World::of_friends_with_a_relay();
    let copy = world.nodes[0].view.clone();
    world.restart(0);
    world.pass(1_000);
    assert!(!world.saw(0, |event| matches!(event, Event::CloneSuspected { .. })));
    // The copy starts after the original has started again.
    world.nodes[0].view = copy;
    world.restart(0);
    world.pass(1_000);
    assert!(world.saw(0, |event| matches!(event, Event::CloneSuspected { .. })));
    let puts = world.relays[0].puts;
    let thread = world.thread(0);
    world.try_say(0, thread, &["from the copy"]).unwrap();
    world.pass(60_000);
    assert_eq!(world.relays[0].puts, puts);
    assert!(world.texts(1).is_empty());
}

#[test]
fn a_relay_that_went_back_or_lost_an_answer_is_no_clone() {
    let mut world = World::new(&["Alice", "Bob"]);
    let relay = world.add_relay();
    world
        .ask(
            0,
            Command::AddRelay {
                relay,
                ticket: None,
            },
        )
        .unwrap();
    world.pass(1_000);
    // The relay goes back to a smaller number.
    for number in world.relays[0].boots.values_mut() {
        *number = 1;
    }
    world.restart(0);
    world.pass(1_000);
    // The answer to a raised number is lost: the engine is dropped with the call on its way.
    let before = world.nodes[0].view.clone();
    world.restart(0);
    let after = world.nodes[0].view.clone();
    assert_ne!(before.0, after.0);
    world.pass(1_000);
    world.restart(0);
    world.pass(1_000);
    assert!(!world.saw(0, |event| matches!(event, Event::CloneSuspected { .. })));
}

#[test]
fn frames_of_no_kind_are_counted_and_the_next_one_is_read() {
    let mut world = World::of_friends();
    let peer = world.nodes[1].key;
    let mut sample = world
        .wire
        .iter()
        .rev()
        .find(|(_, to, _)| *to == 0)
        .unwrap()
        .2
        .clone();
    for at in 0..sample.len() {
        sample[at] ^= 0x55;
        world.input(
            0,
            Input::Frame {
                peer,
                bytes: sample.clone(),
            },
        );
        world.input(
            0,
            Input::Frame {
                peer,
                bytes: sample[..at].to_vec(),
            },
        );
        sample[at] ^= 0x55;
    }
    world.settle();
    assert!(world.nodes[0].engine.counters().frames_malformed > 0);
    world.say(1, "still here");
    world.pass(5_000);
    assert_eq!(world.texts(0), ["still here"]);
}
