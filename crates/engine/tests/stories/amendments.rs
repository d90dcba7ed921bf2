// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an author says later of its messages, in whatever order it comes; and what is read again after an upgrade.

use comptoir_engine::rows::key;
use comptoir_engine::*;
use comptoir_protocol::body::{Body, BodyKinds, Content, Edit};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::{Lane, MessageId};
use comptoir_protocol::limits::TEXT_BYTES_MAX;
use comptoir_protocol::tag::body_kind;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::upkeep::at;
use crate::world::World;

const HOUR_MS: u64 = 3_600_000;

fn edit(world: &mut World, node: usize, message: MessageAt, text: &str) -> Result<Answer, Refusal> {
    let text = text.to_owned();
    world.ask(node, Command::Edit { message, text })
}

fn erase(world: &mut World, node: usize, message: MessageAt) -> Result<Answer, Refusal> {
    let only_here = false;
    world.ask(node, Command::Erase { message, only_here })
}

fn say_bodies(world: &mut World, node: usize, lane: Lane, bodies: Vec<Body>) {
    let thread = world.thread(node);
    let messages = bodies.into_iter().map(|body| NewMessage { body }).collect();
    let send = Command::Send {
        thread,
        lane,
        messages,
    };
    world.ask(node, send).unwrap();
}

fn named(world: &World, message: &query::MessageView) -> MessageId {
    let threads = query::threads(&world.nodes[0].view, 1).unwrap();
    MessageId {
        thread: threads[0].id,
        author: message.place.author,
        lane: message.lane,
        sequence: message.place.sequence,
    }
}

fn rows_of(world: &World, node: usize, space: u8) -> Vec<Row> {
    let view = &world.nodes[node].view;
    view.scan(Scan::all(vec![space])).unwrap()
}

fn rows_with(world: &World, node: usize, text: &str) -> usize {
    let holds = |row: &&Vec<u8>| {
        row.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    world.nodes[node].view.0.values().filter(holds).count()
}

fn places(world: &World, node: usize) -> Vec<comptoir_protocol::place::Place> {
    let messages = world.messages(node);
    messages.into_iter().map(|message| message.place).collect()
}

///
#[test]
fn an_edit_and_an_erasure_reach_the_other_side_and_the_message_keeps_its_place() {
    let mut world = World::of_friends();
    for text in ["first draft", "second draft", "third"] {
        world.say(0, text);
    }
    world.pass(2_000);
    let before = places(&world, 1);
    let own = world.messages(0);
    edit(&mut world, 0, at(&own[0]), "first, reworded").unwrap();
    erase(&mut world, 0, at(&own[1])).unwrap();
    world.pass(5_000);
    for node in [0, 1] {
        assert_eq!(world.texts(node), ["first, reworded", "Erased", "third"]);
        assert_eq!(places(&world, node), before);
        let edited: Vec<bool> = world
            .messages(node)
            .iter()
            .map(|m| m.edited_ms > 0)
            .collect();
        assert_eq!(edited, [true, true, false]);
        // The old words are in no row, the new ones in one.
        assert_eq!(rows_with(&world, node, "draft"), 0);
        assert_eq!(rows_with(&world, node, "first, reworded"), 1);
        let threads = query::threads(&world.nodes[node].view, 1).unwrap();
        assert_eq!(threads[0].unread, if node == 1 { 3 } else { 0 });
        for wanted in [false, true] {
            assert!(world.saw(node, |event| matches!(
                event,
                Event::MessageChanged { erased, .. } if *erased == wanted
            )));
        }
    }
    assert_eq!(world.outbox(0), 0);
}

///
#[test]
fn an_amendment_waits_at_the_relay_for_who_is_away() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    world.say(0, "at eight");
    world.say(0, "a secret");
    let own = world.messages(0);
    edit(&mut world, 0, at(&own[0]), "at seven").unwrap();
    erase(&mut world, 0, at(&own[1])).unwrap();
    world.pass(10_000);
    world.go_offline(0);
    world.go_online(1);
    world.pass(20_000);
    assert_eq!(world.texts(1), ["at seven", "Erased"]);
    assert_eq!(rows_with(&world, 1, "a secret"), 0);
}

///
#[test]
fn what_comes_before_its_message_waits_for_it() {
    let mut world = World::of_friends_over_a_relay();
    world.say(0, "one");
    world.pass(5_000);
    world.relays[0].drops = true;
    world.say(0, "two");
    world.say(0, "three");
    world.relays[0].drops = false;
    let own = world.messages(0);
    edit(&mut world, 0, at(&own[1]), "two, once more").unwrap();
    edit(&mut world, 0, at(&own[1]), "two, at last").unwrap();
    edit(&mut world, 0, at(&own[2]), "three again").unwrap();
    erase(&mut world, 0, at(&own[2])).unwrap();
    world.pass(10_000);
    assert_eq!(world.texts(1), ["one"]);
    assert_eq!(
        rows_of(&world, 1, key::AMEND).len(),
        2,
        "one for each message"
    );
    assert_eq!(
        rows_with(&world, 1, "three again"),
        0,
        "an erasure stands over it"
    );
    world.restart(1);
    world.pass(3 * HOUR_MS);
    assert_eq!(world.texts(1), ["one", "two, at last", "Erased"]);
    assert_eq!(world.texts(0), world.texts(1));
    assert_eq!(rows_of(&world, 1, key::AMEND).len(), 0);
}

///
#[test]
fn an_edit_that_comes_late_does_not_undo_a_later_one() {
    let mut world = World::of_friends_over_a_relay();
    world.say(0, "first");
    world.say(0, "first");
    world.pass(5_000);
    let own = world.messages(0);
    world.relays[0].drops = true;
    edit(&mut world, 0, at(&own[0]), "second").unwrap();
    edit(&mut world, 0, at(&own[1]), "second").unwrap();
    world.relays[0].drops = false;
    edit(&mut world, 0, at(&own[0]), "third").unwrap();
    erase(&mut world, 0, at(&own[1])).unwrap();
    world.pass(10_000);
    assert_eq!(world.texts(1), ["third", "Erased"]);
    world.pass(3 * HOUR_MS);
    assert!(world.saw(1, |event| matches!(event, Event::GapFilled { .. })));
    assert_eq!(world.texts(1), ["third", "Erased"]);
    assert_eq!(world.texts(0), world.texts(1));
}

///
#[test]
fn what_waits_for_its_message_outlives_the_deletion_of_what_is_there() {
    let mut world = World::of_friends_over_a_relay();
    world.say(0, "one");
    world.pass(5_000);
    world.relays[0].drops = true;
    world.say(0, "a secret");
    world.relays[0].drops = false;
    let own = world.messages(0);
    erase(&mut world, 0, at(&own[1])).unwrap();
    world.pass(10_000);
    let thread = world.thread(1);
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    world.pass(3 * HOUR_MS);
    assert_eq!(world.texts(1), ["Erased"]);
    assert_eq!(rows_with(&world, 1, "a secret"), 0);
}

/// Deposits are lost, come again out of order and twice; both ends see one history.
#[test]
fn whatever_is_lost_and_comes_late_both_sides_end_up_the_same() {
    for seed in 0..6 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut world = World::of_friends_over_a_relay();
        world.weather.duplicate = true;
        for turn in 0..30 {
            let node = (rng.next_u32() % 2) as usize;
            world.relays[0].drops = rng.next_u32().is_multiple_of(3);
            let own: Vec<_> = world.messages(node).into_iter().filter(|m| m.own).collect();
            let pick = own.get(rng.next_u32() as usize % own.len().max(1));
            match (rng.next_u32() % 6, pick) {
                (0..=2, Some(message)) => {
                    let _ = edit(&mut world, node, at(message), &format!("edit {turn}"));
                }
                (3, Some(message)) => {
                    let _ = erase(&mut world, node, at(message));
                }
                _ => world.say(node, &format!("line {turn}")),
            }
            world.pass(3_000);
            if rng.next_u32().is_multiple_of(8) {
                world.restart(node);
            }
        }
        world.relays[0].drops = false;
        world.pass(12 * HOUR_MS);
        assert_eq!(world.texts(0), world.texts(1), "seed {seed}");
        assert_eq!(places(&world, 0), places(&world, 1), "seed {seed}");
        assert!(
            world.texts(0).iter().any(|text| text.starts_with("edit")),
            "seed {seed}"
        );
        for node in [0, 1] {
            assert_eq!(rows_of(&world, node, key::AMEND).len(), 0, "seed {seed}");
        }
    }
}

///
#[test]
fn nobody_amends_a_message_of_another_account() {
    let mut world = World::of_friends();
    world.say(0, "Alice was here");
    world.say(1, "Bob too");
    world.pass(2_000);
    let (alices, bobs) = (world.messages(0)[0].clone(), world.messages(0)[1].clone());
    assert_eq!(
        edit(&mut world, 1, at(&alices), "not mine"),
        Err(Refusal::NotYours)
    );
    let alices = named(&world, &alices);
    let of_bob = |sequence: u64| MessageId {
        sequence,
        ..named(&world, &bobs)
    };
    let (own, here) = (of_bob(bobs.place.sequence), alices.thread);
    let mut elsewhere = here;
    elsewhere.0[0] ^= 1;
    let long = Edit {
        message: own,
        text: "x".repeat(TEXT_BYTES_MAX + 1),
    };
    let hostile = vec![
        Body::edit(alices, "Alice was never here"),
        Body::erase(alices),
        Body::erase(MessageId {
            thread: elsewhere,
            ..own
        }),
        Body::erase(MessageId {
            lane: Lane::Promotion,
            ..own
        }),
        Body::erase(MessageId {
            author: comptoir_protocol::id::DeviceId([9; 32]),
            ..own
        }),
        // What told the node something, what was not said yet, and number 0.
        Body::erase(of_bob(1)),
        Body::erase(of_bob(1_000)),
        Body::erase(of_bob(0)),
        Body::new(Content::App {
            kind: body_kind::EDIT,
            bytes: long.to_bytes(),
        }),
    ];
    let count = hostile.len() as u64;
    let refused = |world: &World| world.nodes[0].engine.counters().bodies_refused;
    let before = refused(&world);
    say_bodies(&mut world, 1, Lane::Service, hostile);
    world.pass(5_000);
    assert_eq!(world.texts(0), ["Alice was here", "Bob too"]);
    assert_eq!(refused(&world) - before, count);
    assert_eq!(rows_of(&world, 0, key::AMEND).len(), 0);
    assert!(!world.saw(0, |event| matches!(event, Event::MessageChanged { .. })));
    // And what is his to say is done.
    say_bodies(
        &mut world,
        1,
        Lane::Service,
        vec![Body::edit(own, "Bob was here")],
    );
    world.pass(5_000);
    assert_eq!(world.texts(0), ["Alice was here", "Bob was here"]);
}

///
#[test]
fn what_has_no_edited_form_is_refused_where_it_is_asked_for() {
    let mut world = World::of_friends();
    world.say(0, "text");
    world.say(0, "gone");
    let picture = Content::App {
        kind: 9999,
        bytes: vec![1],
    };
    say_bodies(&mut world, 0, Lane::Service, vec![Body::new(picture)]);
    world.pass(2_000);
    let own = world.messages(0);
    let bad = |answer| matches!(answer, Err(Refusal::BadMessage { .. }));
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert!(bad(edit(&mut world, 0, at(&own[0]), &long)));
    assert!(bad(edit(&mut world, 0, at(&own[2]), "a picture")));
    erase(&mut world, 0, at(&own[1])).unwrap();
    assert_eq!(
        edit(&mut world, 0, at(&own[1]), "back"),
        Err(Refusal::Erased)
    );
    assert_eq!(erase(&mut world, 0, at(&own[1])), Err(Refusal::Erased));
    let missing = MessageAt {
        sequence: 1_000,
        ..at(&own[0])
    };
    assert_eq!(
        edit(&mut world, 0, missing, "nothing"),
        Err(Refusal::NoSuchMessage)
    );
    // The first of all messages told the other node something.
    let silent = MessageAt {
        sequence: 1,
        ..at(&own[0])
    };
    assert_eq!(erase(&mut world, 0, silent), Err(Refusal::NoSuchMessage));
    world.pass(2_000);
    // An edit after the erasure, from a build that sends it all the same.
    let id = named(&world, &own[1]);
    let picture = named(&world, &own[2]);
    let after = vec![Body::edit(id, "back"), Body::edit(picture, "a picture")];
    say_bodies(&mut world, 0, Lane::Service, after);
    world.pass(2_000);
    assert_eq!(world.texts(1)[..2], ["text", "Erased"]);
    assert!(world.texts(1)[2].contains("9999"));
    // What was erased at home alone can still be erased for everybody.
    let message = at(&own[0]);
    let only_here = true;
    world.ask(0, Command::Erase { message, only_here }).unwrap();
    world.pass(2_000);
    assert_eq!(world.texts(1)[0], "text");
    erase(&mut world, 0, message).unwrap();
    world.pass(2_000);
    assert_eq!(world.texts(1)[0], "Erased");
}

///
#[test]
fn amendments_that_wait_for_a_message_are_bounded() {
    let mut world = World::of_friends_over_a_relay();
    world.say(1, "begun");
    world.pass(5_000);
    let template = world.messages(0)[0].clone();
    world.relays[0].drops = true;
    let texts: Vec<String> = (0..64).map(|line| format!("line {line}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut first = 0;
    for _ in 0..5 {
        let thread = world.thread(1);
        if let Ok(Answer::Sent { from, .. }) = world.try_say(1, thread, &texts) {
            first = if first == 0 { from } else { first };
        }
    }
    world.relays[0].drops = false;
    for group in 0..5 {
        let address = named(&world, &template);
        let edits = (0..64).map(|at| {
            let sequence = first + group * 64 + at;
            Body::edit(
                MessageId {
                    sequence,
                    ..address
                },
                "edited",
            )
        });
        say_bodies(&mut world, 1, Lane::Service, edits.collect());
    }
    world.pass(20_000);
    assert_eq!(rows_of(&world, 0, key::AMEND).len(), 256);
    assert_eq!(world.nodes[0].engine.counters().bodies_refused, 64);
    // They come after all, and nothing waits any more.
    world.pass(6 * HOUR_MS);
    assert_eq!(rows_of(&world, 0, key::AMEND).len(), 0);
    let edited = world
        .texts(0)
        .iter()
        .filter(|text| *text == "edited")
        .count();
    assert_eq!(edited, 256);
}

/// Rows stay small however much longer the new texts are.
#[test]
fn a_row_that_outgrows_its_room_is_parted() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    let texts: Vec<String> = (0..20).map(|line| format!("line {line}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    world.try_say(0, thread, &texts).unwrap();
    world.pass(2_000);
    let own = world.messages(0);
    let long = |line: usize| format!("{line} {}", "x".repeat(1_000));
    for (line, message) in own.iter().enumerate() {
        edit(&mut world, 0, at(message), &long(line)).unwrap();
    }
    edit(&mut world, 0, at(&own[7]), "short again").unwrap();
    world.pass(10_000);
    let wanted: Vec<String> = (0..20)
        .map(|line| {
            if line == 7 {
                "short again".to_owned()
            } else {
                long(line)
            }
        })
        .collect();
    for node in [0, 1] {
        assert_eq!(world.texts(node), wanted);
        let longest = rows_of(&world, node, key::RUN)
            .iter()
            .map(|row| row.1.len())
            .max();
        assert!(longest.unwrap() <= 4_096, "{longest:?}");
    }
}

///
#[test]
fn what_an_older_build_kept_is_done_after_the_upgrade() {
    let mut world = World::of_friends();
    world.say(1, "Bob here");
    world.pass(2_000);
    let older = [
        body_kind::EDIT,
        body_kind::ERASE,
        body_kind::RECEIPT,
        body_kind::PROFILE,
    ];
    world.nodes[1].config.kinds = older
        .into_iter()
        .fold(BodyKinds::released(), BodyKinds::without);
    world.restart(1);
    for text in ["at eight", "a secret"] {
        world.say(0, text);
    }
    let own: Vec<_> = world.messages(0).into_iter().filter(|m| m.own).collect();
    edit(&mut world, 0, at(&own[0]), "at seven").unwrap();
    erase(&mut world, 0, at(&own[1])).unwrap();
    world
        .ask(0, Command::Set(Setting::Name("Alicia".into())))
        .unwrap();
    let thread = world.thread(0);
    let up_to = None;
    world.ask(0, Command::MarkRead { thread, up_to }).unwrap();
    world.pass(10_000);
    let shown = world.texts(1);
    assert_eq!(shown[1..3], ["at eight", "a secret"]);
    assert!(
        shown.len() > 3,
        "what is not known is shown by its fallback"
    );
    let facts = |world: &World| {
        let view = &world.nodes[1].view;
        let name = query::contacts(view, 1).unwrap()[0].name.clone();
        let state = world.messages(1)[0].state.unwrap();
        (name, state, query::threads(view, 1).unwrap()[0].unread)
    };
    let unread = facts(&world).2;
    assert_eq!(
        facts(&world),
        ("Alice".to_owned(), MessageState::Delivered, unread)
    );
    assert!(unread > 2 && !rows_of(&world, 1, key::UNKNOWN).is_empty());
    world.nodes[1].config.kinds = BodyKinds::released();
    world.restart(1);
    world.pass(2_000);
    assert_eq!(world.texts(1), ["Bob here", "at seven", "Erased"]);
    assert_eq!(world.texts(0), world.texts(1));
    assert_eq!(facts(&world), ("Alicia".to_owned(), MessageState::Read, 2));
    assert_eq!(rows_of(&world, 1, key::UNKNOWN), []);
    assert_eq!(rows_with(&world, 1, "a secret"), 0);
}

///
#[test]
fn much_that_was_kept_is_read_again_in_small_steps_and_across_a_restart() {
    let mut world = World::of_friends();
    for line in 0..100 {
        let content = Content::App {
            kind: 9999,
            bytes: vec![line],
        };
        say_bodies(&mut world, 0, Lane::Service, vec![Body::new(content)]);
    }
    world.pass(5_000);
    let left = |world: &World| rows_of(world, 1, key::UNKNOWN).len();
    assert_eq!(left(&world), 100);
    world.nodes[1].config.kinds = BodyKinds::released().with(9999, |_| Ok(()));
    world.restart(1);
    assert_eq!(left(&world), 68);
    world.restart(1);
    assert_eq!(left(&world), 36);
    world.pass(1_000);
    assert_eq!(left(&world), 0);
    assert_eq!(rows_of(&world, 1, key::REREADING), []);
}

///
#[test]
fn a_profile_that_comes_late_does_not_undo_a_later_one() {
    let mut world = World::of_friends_over_a_relay();
    let rename = |world: &mut World, name: &str| {
        world
            .ask(0, Command::Set(Setting::Name(name.into())))
            .unwrap();
    };
    world.relays[0].drops = true;
    rename(&mut world, "Alicia");
    world.relays[0].drops = false;
    rename(&mut world, "Alix");
    let name = |world: &World| {
        query::contacts(&world.nodes[1].view, 1).unwrap()[0]
            .name
            .clone()
    };
    world.pass(10_000);
    assert_eq!(name(&world), "Alix");
    world.pass(3 * HOUR_MS);
    assert!(world.saw(1, |event| matches!(event, Event::GapFilled { .. })));
    assert_eq!(name(&world), "Alix");
}
