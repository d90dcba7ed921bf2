// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bounds: floods of hellos and frames, and commands over their limits.

use comptoir_engine::*;
use comptoir_protocol::body::Body;
use comptoir_protocol::id::Lane;

use crate::world::World;

#[test]
fn what_is_asked_beyond_the_limits_is_refused_by_name() {
    let mut world = World::of_friends();
    let thread = world.thread(0);
    let text = |length: usize| NewMessage {
        body: Body::text("x".repeat(length)),
    };
    let send = |messages| Command::Send {
        thread,
        lane: Lane::Service,
        messages,
    };
    let refused = |world: &mut World, command| world.ask(0, command).unwrap_err();
    assert!(matches!(
        refused(&mut world, send(vec![])),
        Refusal::TooLong { got: 0, .. }
    ));
    let too_many = (0..65).map(|_| text(1)).collect();
    assert!(matches!(
        refused(&mut world, send(too_many)),
        Refusal::TooLong {
            got: 65,
            max: 64,
            ..
        }
    ));
    assert!(matches!(
        refused(&mut world, send(vec![text(16 * 1024 + 1)])),
        Refusal::BadMessage { .. }
    ));
    assert_eq!(
        refused(
            &mut world,
            Command::Rename {
                contact: 9,
                name: None
            }
        ),
        Refusal::NoSuchContact
    );
    assert_eq!(
        refused(&mut world, Command::Accept { request: 9 }),
        Refusal::NoSuchRequest
    );
    assert_eq!(
        refused(&mut world, Command::DeleteThread { thread: 99 }),
        Refusal::NoSuchThread
    );
    // 64 texts of 16 KiB do not fit one envelope and go in several, in order.
    let large = (0..64).map(|_| text(16 * 1024)).collect();
    assert!(world.ask(0, send(large)).is_ok());
    world.pass(5_000);
    assert_eq!(world.texts(1).len(), 64);
    assert_eq!(world.outbox(0), 0);
}

#[test]
fn an_outbox_that_is_full_says_so_and_keeps_what_it_took() {
    let mut world = World::of_friends();
    world.go_offline(1);
    world.nodes[0].config.outbox_bytes_max = 40_000;
    world.restart(0);
    let thread = world.thread(0);
    let line = "x".repeat(10_000);
    let mut taken = 0;
    while world.try_say(0, thread, &[&line]).is_ok() {
        taken += 1;
        assert!(taken < 10);
    }
    let full = world.try_say(0, thread, &[&line]);
    assert!(
        matches!(full, Err(Refusal::OutboxFull { max: 40_000, .. })),
        "{full:?}"
    );
    world.go_online(1);
    world.pass(3_600_000);
    assert_eq!(world.texts(1).len(), taken);
}

#[test]
fn a_flood_of_strangers_ends_at_two_hundred_requests() {
    let mut world = World::new(&["Alice", "Bob"]);
    let Ok(Answer::Invite { link, .. }) = world.ask(
        0,
        Command::Invite {
            expires_s: 600,
            uses: 10_000,
            as_ref: false,
        },
    ) else {
        panic!("no invite")
    };
    for at in 0..205 {
        let stranger = 2 + at;
        world.add_node(stranger, &format!("stranger {at}"), Config::default());
        world.add(stranger, &link);
    }
    world.pass(100);
    assert_eq!(query::requests(&world.nodes[0].view, 1).unwrap().len(), 200);
    assert!(world.nodes[0].engine.counters().hellos_over_bound >= 5);
    assert!(world.nodes[0].engine.memory_bytes() < 1 << 20);
}

#[test]
fn kept_answers_that_ended_go_though_many_that_have_not_lie_before_them() {
    let mut world = World::new(&["Alice"]);
    for number in 0..1_400u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        // The first 700 in the order of keys live on.
        let lives_s = if number < 700 { 86_400 } else { 60 };
        let repeated = Idempotency {
            key,
            body_hash: [1; 32],
            expires_ms: world.time().wall_ms + lives_s * 1_000,
        };
        let command = Command::Rename {
            contact: 9,
            name: None,
        };
        let _ = world.ask_once(0, command, Some(repeated));
    }
    let kept = |world: &World| {
        let space = Scan::all(vec![comptoir_engine::rows::key::IDEMPOTENCY]);
        world.nodes[0].view.scan(space).unwrap().len()
    };
    assert_eq!(kept(&world), 1_400);
    world.pass(3_600_000);
    assert_eq!(kept(&world), 700);
    world.pass(25 * 3_600_000);
    assert_eq!(kept(&world), 0);
}
