// SPDX-License-Identifier: MIT OR Apache-2.0
//! What lasts longer than a process, a message or a sweep.

use comptoir_engine::rows::contact::{AskStage, Asking};
use comptoir_engine::rows::key;
use comptoir_engine::*;
use comptoir_protocol::body::{Body, Content};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::link::InviteLink;
use comptoir_protocol::puzzle::Puzzle;

use crate::world::World;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn use_relay(world: &mut World, at: usize, relay: usize) -> Result<Answer, Refusal> {
    let relay = world.relays[relay].descriptor.clone();
    world.ask(
        at,
        Command::AddRelay {
            relay,
            ticket: None,
        },
    )
}

/// An invite of the first node without its token: whoever follows it has to work.
fn without_token(world: &mut World) -> String {
    match world.invite(0).parse().unwrap() {
        InviteLink::Full(mut invitation) => {
            invitation.token = None;
            InviteLink::Full(invitation).to_string()
        }
        InviteLink::Ref(_) => panic!("a full link was asked for"),
    }
}

///
#[test]
fn what_nobody_takes_ends_though_the_process_ends_each_evening() {
    let mut world = World::of_friends_over_a_relay();
    world.go_offline(1);
    world.say(0, "are you there?");
    let gone = |world: &World| world.saw(0, |event| matches!(event, Event::NotDelivered { .. }));
    for day in 0..35 {
        assert!(day > 30 || !gone(&world), "day {day}");
        world.restart(0);
        world.pass(4 * HOUR_MS);
        // The laptop is closed.
        world.now_ms += 20 * HOUR_MS;
    }
    assert!(gone(&world));
}

///
#[test]
fn a_welcome_that_nobody_takes_up_is_told_as_well() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = world.invite(0);
    world.add(1, &link);
    world.pass(1_000);
    world.go_offline(1);
    world.accept_all(0);
    let failed = |world: &World| world.saw(0, |event| matches!(event, Event::HelloFailed { .. }));
    world.pass(29 * DAY_MS);
    assert!(!failed(&world));
    world.pass(3 * DAY_MS);
    assert!(failed(&world));
}

///
/// The other side may have decided by the first of them.
#[test]
fn a_hello_said_anew_has_a_smaller_hash() {
    let hash = |world: &World| {
        let rows = world.nodes[1].view.scan(Scan::all(vec![key::ASKING]));
        let (_, row) = rows.unwrap().remove(0);
        match Asking::from_bytes(&row[1..]).unwrap().stage {
            AskStage::Asking { hash, .. } => hash,
            other => panic!("{other:?}"),
        }
    };
    for name in ["Ada", "Bea", "Cleo", "Dora", "Eve", "Flo", "Gil", "Hal"] {
        let mut world = World::new(&["Alice", name]);
        world.add_relay();
        world.relays[0].up = false;
        let link = world.invite(0);
        use_relay(&mut world, 1, 0).unwrap();
        world.weather.no_direct = true;
        world.add(1, &link);
        // No box is ready in time, so the hello names none.
        world.pass(10_000);
        let first = hash(&world);
        world.relays[0].up = true;
        world.pass(HOUR_MS);
        assert!(hash(&world) < first, "{name}");
    }
}

///
#[test]
fn a_move_that_is_refused_changes_nothing() {
    let mut world = World::new(&["Alice"]);
    for relay in [0, 1] {
        world.add_relay();
        use_relay(&mut world, 0, relay).unwrap();
    }
    world.pass(1_000);
    let [from, to] = [0, 1].map(|relay: usize| world.relays[relay].descriptor.clone());
    let moved = world.ask(
        0,
        Command::MoveRelay {
            from: from.key,
            to,
            ticket: None,
        },
    );
    assert_eq!(moved, Err(Refusal::AlreadyRelay));
    assert_eq!(use_relay(&mut world, 0, 0), Err(Refusal::AlreadyRelay));
}

#[test]
fn answers_that_are_over_go_from_among_those_that_are_not() {
    let mut world = World::new(&["Alice"]);
    let kept = |world: &World| {
        let rows = world.nodes[0].view.scan(Scan::all(vec![key::IDEMPOTENCY]));
        rows.unwrap().len()
    };
    for number in 0..1_200_u32 {
        let over_soon = number >= 600;
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        let lives_ms = if over_soon { HOUR_MS } else { 30 * DAY_MS };
        let idempotency = Idempotency {
            key,
            body_hash: [0; 32],
            expires_ms: world.time().wall_ms + lives_ms,
        };
        let unknown = Command::Mute {
            contact: 9,
            muted: true,
        };
        let _ = world.ask_once(0, unknown, Some(idempotency));
    }
    assert_eq!(kept(&world), 1_200);
    world.pass(3 * HOUR_MS);
    assert_eq!(kept(&world), 600);
}

///
#[test]
fn a_door_that_asks_for_work_gets_it_piece_by_piece() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay();
    use_relay(&mut world, 0, 0).unwrap();
    world.pass(1_000);
    let link = without_token(&mut world);
    world.weather.no_direct = true;
    let puzzles = (0..).map(|seed: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        Puzzle {
            seed: bytes,
            bits: 16,
            not_after_ms: u64::MAX,
        }
    });
    let mut hard = puzzles.filter(|puzzle| puzzle.solve_step(0, 1 << 17).is_none());
    world.relays[0].puzzles = vec![hard.next().unwrap()];
    world.add(1, &link);
    world.settle();
    assert!(query::requests(&world.nodes[0].view, 1).unwrap().is_empty());
    assert_eq!(world.relays[0].puts, 0, "not all work in one step");
    world.pass(5_000);
    assert_eq!(query::requests(&world.nodes[0].view, 1).unwrap().len(), 1);
}

///
#[test]
fn a_puzzle_that_has_no_answer_in_time_is_changed_for_another() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay();
    use_relay(&mut world, 0, 0).unwrap();
    world.pass(1_000);
    let link = without_token(&mut world);
    world.weather.no_direct = true;
    let puzzle = |seed: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_be_bytes());
        Puzzle {
            seed: bytes,
            bits: 4,
            not_after_ms: u64::MAX,
        }
    };
    let mut unlucky = (0..).map(puzzle);
    let unlucky = unlucky.find(|puzzle| puzzle.solve_step(0, 8 << 4).is_none());
    let lucky = (0..)
        .map(puzzle)
        .find(|puzzle| puzzle.solve_step(0, 4).is_some());
    world.relays[0].puzzles = vec![unlucky.unwrap(), lucky.unwrap()];
    world.add(1, &link);
    world.pass(DAY_MS);
    assert!(!world.saw(1, |event| matches!(event, Event::HelloFailed { .. })));
    assert_eq!(query::requests(&world.nodes[0].view, 1).unwrap().len(), 1);
}

///
#[test]
fn what_is_over_the_terms_is_not_fetched_again_and_again() {
    let mut world = World::of_friends_over_a_relay();
    world.nodes[1].config.contact_envelopes_max = 3;
    world.restart(1);
    world.pass(60_000);
    let texts: Vec<String> = (0..8).map(|line| format!("line {line}")).collect();
    for text in &texts {
        world.say(0, text);
        world.pass(1_000);
    }
    world.pass(60_000);
    let shown = world.texts(1).len();
    assert!(shown < texts.len(), "{shown}");
    let before = world.relays[0].fetches;
    world.pass(12 * HOUR_MS);
    let fetches = world.relays[0].fetches - before;
    assert!(fetches < 200, "{fetches} fetches in half a day");
    world.pass(5 * DAY_MS);
    assert_eq!(world.texts(1), texts);
}

#[test]
fn a_link_that_lies_at_a_relay_is_good_no_longer_than_the_relay_keeps_it() {
    let mut world = World::new(&["Alice"]);
    world.add_relay();
    use_relay(&mut world, 0, 0).unwrap();
    world.pass(1_000);
    let invite = |world: &mut World, as_ref| {
        let command = Command::Invite {
            expires_s: 80 * 24 * 3_600,
            uses: 1,
            as_ref,
        };
        world.ask(0, command).unwrap();
    };
    let invites = |world: &World| {
        let rows = world.nodes[0].view.scan(Scan::all(vec![key::INVITE]));
        rows.unwrap().len()
    };
    invite(&mut world, true);
    invite(&mut world, false);
    world.pass(31 * DAY_MS);
    assert_eq!(invites(&world), 1, "the one that carries all it needs");
}

#[test]
fn what_comes_after_a_deletion_keeps_its_mark() {
    let mut world = World::of_friends();
    let unknown = |world: &World| {
        let rows = world.nodes[1].view.scan(Scan::all(vec![key::UNKNOWN]));
        rows.unwrap().len()
    };
    let thread = world.thread(1);
    world.ask(1, Command::DeleteThread { thread }).unwrap();
    let body = Body::new(Content::App {
        kind: 9999,
        bytes: vec![1],
    });
    let thread = world.thread(0);
    let messages = vec![NewMessage { body }];
    let lane = comptoir_protocol::id::Lane::Service;
    world
        .ask(
            0,
            Command::Send {
                thread,
                lane,
                messages,
            },
        )
        .unwrap();
    world.settle();
    assert_eq!(unknown(&world), 1);
    world.pass(60_000);
    assert_eq!(unknown(&world), 1);
}
