// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done to a history, and what a year does to cards and capabilities.

use comptoir_engine::*;
use comptoir_protocol::body::{Body, BodyHeader, BodyKinds, Content, Via};
use comptoir_protocol::id::{Lane, PublicKey};

use crate::world::World;

pub fn at(message: &query::MessageView) -> MessageAt {
    MessageAt {
        thread: message.thread,
        author: message.place.author,
        lane: message.lane,
        sequence: message.place.sequence,
    }
}

///
#[test]
fn sixty_four_messages_are_one_envelope_and_each_stays_alone_erasable() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    let before = world.wire.len();
    let texts: Vec<String> = (0..64)
        .map(|line| format!("line {line} {}", "x".repeat(200)))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    world.try_say(0, thread, &texts).unwrap();
    let delivered = world.wire[before..]
        .iter()
        .filter(|(from, _, bytes)| *from == 0 && bytes.len() > 1_000)
        .count();
    assert_eq!(delivered, 1, "one frame for all");
    world.pass(2_000);
    assert_eq!(world.texts(1), texts);
    let (own, theirs) = (world.messages(0), world.messages(1));
    world
        .ask(
            0,
            Command::Erase {
                message: at(&own[30]),
                only_here: true,
            },
        )
        .unwrap();
    world
        .ask(
            1,
            Command::Erase {
                message: at(&theirs[31]),
                only_here: false,
            },
        )
        .unwrap();
    world
        .ask(
            0,
            Command::Edit {
                message: at(&own[32]),
                text: "edited".into(),
            },
        )
        .unwrap();
    assert_eq!(
        world.ask(
            1,
            Command::Edit {
                message: at(&theirs[33]),
                text: "not mine".into()
            }
        ),
        Err(Refusal::NotYours)
    );
    assert_eq!(world.messages(0)[30].content, query::ContentView::Erased);
    assert_eq!(world.messages(1)[31].content, query::ContentView::Erased);
    assert_eq!(world.texts(0)[32], "edited");
    assert!(world.texts(0)[33].starts_with("line 33"));
    world.pass(2_000);
    // Each erased a message only at home.
    assert!(world.texts(1)[30].starts_with("line 30"));
    assert!(world.texts(0)[31].starts_with("line 31"));
    assert_eq!(world.texts(1)[32], "edited");
    let gone = b"line 30 x";
    assert!(
        !world.nodes[0]
            .view
            .0
            .values()
            .any(|row| row.windows(gone.len()).any(|bytes| bytes == gone))
    );
}

#[test]
fn reading_is_counted_marked_and_told() {
    let mut world = World::of_friends();
    world.say(0, "one");
    world.say(0, "two");
    world.pass(2_000);
    let thread = world.thread(1);
    assert_eq!(
        query::threads(&world.nodes[1].view, 1).unwrap()[0].unread,
        2
    );
    let first = at(&world.messages(1)[0]);
    world
        .ask(
            1,
            Command::MarkRead {
                thread,
                up_to: Some(first),
            },
        )
        .unwrap();
    assert_eq!(
        query::threads(&world.nodes[1].view, 1).unwrap()[0].unread,
        1
    );
    world.pass(2_000);
    let states = |world: &World| {
        world
            .messages(0)
            .iter()
            .map(|message| message.state.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(&world),
        [MessageState::Read, MessageState::Delivered]
    );
    world
        .ask(1, Command::Set(Setting::ReadReceipts(false)))
        .unwrap();
    world
        .ask(
            1,
            Command::MarkRead {
                thread,
                up_to: None,
            },
        )
        .unwrap();
    world.pass(2_000);
    assert_eq!(
        states(&world),
        [MessageState::Read, MessageState::Delivered],
        "not told any more"
    );
    assert_eq!(
        query::threads(&world.nodes[1].view, 1).unwrap()[0].unread,
        0
    );
}

#[test]
fn a_deleted_thread_is_empty_and_goes_on() {
    let mut world = World::of_friends();
    for line in 0..5 {
        world.say(0, &format!("line {line}"));
    }
    world.pass(2_000);
    let thread = world.thread(1);
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    world.pass(10_000);
    assert!(world.texts(1).is_empty());
    let gone = b"line 3";
    assert!(
        !world.nodes[1]
            .view
            .0
            .values()
            .any(|row| row.windows(gone.len()).any(|bytes| bytes == gone))
    );
    world.say(0, "and now?");
    world.pass(5_000);
    assert_eq!(world.texts(1), ["and now?"]);
}

#[test]
fn a_command_given_twice_under_one_key_is_done_once() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    let once = |hash| {
        Some(Idempotency {
            key: [4; 32],
            body_hash: [hash; 32],
            expires_ms: u64::MAX,
        })
    };
    let send = |text: &str| Command::Send {
        thread,
        lane: Lane::Service,
        messages: vec![NewMessage {
            body: Body::text(text),
        }],
    };
    let first = world.ask_once(0, send("pay once"), once(1));
    world.restart(0);
    let second = world.ask_once(0, send("pay once"), once(1));
    assert_eq!(first, second);
    assert_eq!(
        world.ask_once(0, send("pay twice"), once(2)),
        Err(Refusal::OtherBody)
    );
    world.pass(5_000);
    assert_eq!(world.texts(1), ["pay once"]);
}

///
#[test]
fn kind_9999_shows_its_fallback_is_answered_and_read_after_the_upgrade() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    let via = Via {
        name: "Chess".into(),
        key: PublicKey([9; 32]),
    };
    let header = BodyHeader {
        via: Some(via.clone()),
        fallback: Some("Alice moved a knight".into()),
        ..BodyHeader::default()
    };
    let body = Body {
        header,
        content: Content::App {
            kind: 9999,
            bytes: vec![1, 2, 3],
        },
    };
    world
        .ask(
            0,
            Command::Send {
                thread,
                lane: Lane::Service,
                messages: vec![NewMessage { body }],
            },
        )
        .unwrap();
    world.pass(2_000);
    let shown = world.messages(1)[0].clone();
    let wanted = query::ContentView::NeedsNewer {
        kind: 9999,
        fallback: Some("Alice moved a knight".into()),
    };
    assert_eq!((shown.content, shown.header.via), (wanted, Some(via)));
    assert!(world.saw(1, |event| matches!(event, Event::NeedsNewer { .. })));
    world.say(1, "what was that?");
    world.pass(2_000);
    assert_eq!(world.texts(0)[1], "what was that?");
    let unknown = |world: &World| {
        world.nodes[1]
            .view
            .scan(Scan::all(vec![comptoir_engine::rows::key::UNKNOWN]))
            .unwrap()
            .len()
    };
    assert_eq!(unknown(&world), 1);
    world.nodes[1].config.kinds = BodyKinds::released().with(9999, |_| Ok(()));
    world.restart(1);
    assert_eq!(unknown(&world), 0, "read again after the upgrade");
}

///
#[test]
fn a_year_passes_and_capabilities_and_cards_are_renewed() {
    let mut world = World::of_friends_over_a_relay();
    let card = query::personas(&world.nodes[0].view).unwrap()[0].card_number;
    for _ in 0..8 {
        // A jump of 45 days: asleep in between.
        world.now_ms += 45 * 24 * 3_600_000;
        world.pass(1_800_000);
    }
    assert!(query::personas(&world.nodes[0].view).unwrap()[0].card_number > card);
    world.say(0, "happy new year");
    world.pass(3_600_000);
    assert_eq!(world.texts(1), ["happy new year"]);
}

///
#[test]
fn after_thirty_days_it_is_said_that_nothing_was_delivered() {
    let mut world = World::of_friends();
    world.go_offline(1);
    world.say(0, "are you there?");
    world.pass(20 * 24 * 3_600_000);
    assert!(!world.saw(0, |event| matches!(event, Event::NotDelivered { .. })));
    world.pass(11 * 24 * 3_600_000);
    assert!(world.saw(0, |event| matches!(event, Event::NotDelivered { .. })));
    // What was told anew since, a card of the next month, still waits.
    assert!(world.outbox(0) <= 1);
}

///
#[test]
fn places_are_the_same_on_both_sides_whatever_crosses() {
    let mut world = World::of_friends_over_a_relay();
    for round in 0..4 {
        world.go_offline(1);
        world.say(0, &format!("Alice alone {round}"));
        world.say(1, &format!("Bob alone {round}"));
        world.say(0, &format!("Alice again {round}"));
        world.go_online(1);
        world.pass(30_000);
    }
    world.pass(3_600_000);
    assert_eq!(world.texts(0), world.texts(1));
    assert_eq!(world.texts(0).len(), 12);
}
