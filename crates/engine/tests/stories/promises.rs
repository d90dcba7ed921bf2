// SPDX-License-Identifier: MIT OR Apache-2.0
//! Promises of the protocol that have no story of their own.

use comptoir_engine::rows::account::Persona;
use comptoir_engine::rows::key;
use comptoir_engine::rows::thread::Thread;
use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::link::InviteLink;

use crate::world::World;

fn rows<T: Wire>(world: &World, at: usize, space: u8) -> Vec<(Vec<u8>, T)> {
    let rows = world.nodes[at].view.scan(Scan::all(vec![space])).unwrap();
    rows.into_iter()
        .map(|(key, row)| (key, T::from_bytes(&row[1..]).unwrap()))
        .collect()
}

fn with_relay() -> World {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay_for(&[0, 1]);
    world.pass(1_000);
    world
}

///
#[test]
fn a_leaf_key_seen_in_a_second_thread_is_refused() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = world.invite(0);
    world.add(1, &link);
    world.pass(1_000);
    let request = query::requests(&world.nodes[0].view, 1).unwrap()[0].request;
    // Alice's disk remembers the request that she accepts; the same hello is put before her once more.
    let before = world.nodes[0].view.clone();
    world.ask(0, Command::Accept { request }).unwrap();
    world.pass(5_000);
    let requests: Vec<_> = before.scan(Scan::all(vec![key::REQUEST])).unwrap();
    world.nodes[0].view.0.extend(requests);
    let again = world.ask(0, Command::Accept { request });
    assert!(matches!(again, Err(Refusal::BadLink { .. })), "{again:?}");
    assert_eq!(query::threads(&world.nodes[0].view, 1).unwrap().len(), 1);
}

///
#[test]
fn the_front_door_key_rotates_and_the_old_one_goes_with_its_cards() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let mut world = with_relay();
    let keys = |world: &World| {
        rows::<Persona>(world, 0, key::PERSONA)[0]
            .1
            .front_keys
            .iter()
            .map(|key| key.id)
            .collect::<Vec<_>>()
    };
    let card_key = |world: &World| {
        let card = rows::<Persona>(world, 0, key::PERSONA)[0]
            .1
            .card
            .clone()
            .unwrap();
        card.verify_ignoring_expiry()
            .unwrap()
            .card
            .front_door
            .clone()
            .unwrap()
            .key_id
    };
    world.invite(0);
    assert_eq!((keys(&world), card_key(&world)), (vec![1], 1));
    let invite = Command::Invite {
        expires_s: 60 * DAY_MS / 1000,
        uses: 1,
        as_ref: false,
    };
    let Ok(Answer::Invite { link: old_link, .. }) = world.ask(0, invite) else {
        panic!("no invite")
    };
    world.now_ms += 31 * DAY_MS;
    world.pass(1_800_000);
    assert_eq!(
        (keys(&world), card_key(&world)),
        (vec![1, 2], 2),
        "the old key still opens hellos to old cards"
    );
    world.add(1, &old_link);
    world.pass(10_000);
    assert_eq!(query::requests(&world.nodes[0].view, 1).unwrap().len(), 1);
    world.now_ms += 100 * DAY_MS;
    world.pass(1_800_000);
    assert!(
        !keys(&world).contains(&1),
        "no card names it any more: {:?}",
        keys(&world)
    );
}

///
#[test]
fn a_contact_over_its_terms_is_refused_on_the_sum_of_its_routes() {
    let mut world = with_relay();
    world.nodes[0].config.contact_envelopes_max = 8;
    world.restart(0);
    world.befriend();
    // Some on the stream, some through the relay: together they are too many.
    for line in 0..5 {
        world.say(1, &format!("direct {line}"));
    }
    world.pass(2_000);
    world.weather.no_direct = true;
    world.go_offline(1);
    world.go_online(1);
    for line in 0..5 {
        world.say(1, &format!("relay {line}"));
    }
    world.pass(60_000);
    let taken = world.texts(0).len();
    assert!(taken < 8, "{taken} of 10 were taken");
    assert!(world.nodes[0].engine.counters().over_terms > 0);
    assert!(world.outbox(1) > 0, "Bob keeps the rest");
    world.pass(25 * 3_600_000);
    assert_eq!(world.texts(0).len(), 10, "the next day has room again");
}

///
#[test]
fn personas_share_a_store_and_nothing_else() {
    let mut world = with_relay();
    let phrase = comptoir_crypto::Phrase::generate(&mut world.nodes[0].rng)
        .words()
        .join(" ");
    let create = Command::CreatePersona {
        phrase: Phrase(phrase),
        name: "Nobody".into(),
    };
    let Ok(Answer::Persona { persona, .. }) = world.ask(0, create.clone()) else {
        panic!("no persona")
    };
    assert_eq!(
        world.ask(0, create),
        Err(Refusal::AlreadyPersona { persona })
    );
    world.befriend();
    let as_other = |world: &mut World, command| world.ask_as(0, persona, command);
    // What is one persona's is not there for the other.
    let thread = world.thread(0);
    assert_eq!(
        as_other(&mut world, Command::DeleteThread { thread }),
        Err(Refusal::NoSuchThread)
    );
    assert_eq!(
        as_other(&mut world, Command::Block { contact: 1 }),
        Err(Refusal::NoSuchContact)
    );
    assert!(
        query::contacts(&world.nodes[0].view, persona)
            .unwrap()
            .is_empty()
    );
    // Nobody can be dialed by it: the node's socket would tell that the two are one.
    let invite = Command::Invite {
        expires_s: 60,
        uses: 1,
        as_ref: false,
    };
    assert_eq!(
        as_other(&mut world, invite.clone()),
        Err(Refusal::NotReachable)
    );
    let relay = world.relays[0].descriptor.clone();
    as_other(
        &mut world,
        Command::AddRelay {
            relay,
            ticket: None,
        },
    )
    .unwrap();
    world.pass(1_000);
    let Ok(Answer::Invite { link, .. }) = as_other(&mut world, invite) else {
        panic!("no invite")
    };
    let Ok(InviteLink::Full(invitation)) = link.parse() else {
        panic!("no full link")
    };
    let card = invitation.bundle.verify(world.time().wall_ms).unwrap();
    assert!(card.card.direct.is_empty());
    // No key stands in the rows of both.
    let personas = rows::<Persona>(&world, 0, key::PERSONA);
    assert_ne!(personas[0].1.device, personas[1].1.device);
    assert_ne!(
        personas[0].1.front_keys[0].public,
        personas[1].1.front_keys[0].public
    );
    let threads = rows::<Thread>(&world, 0, key::THREAD);
    let leaves: Vec<_> = threads
        .iter()
        .flat_map(|(_, thread)| thread.authors.iter().filter_map(|author| author.leaf))
        .collect();
    let distinct: std::collections::BTreeSet<_> = leaves.iter().collect();
    assert_eq!(distinct.len(), leaves.len());
}

#[test]
fn key_packages_lie_at_the_relay_and_are_renewed_and_destroyed() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let mut world = with_relay();
    world.befriend();
    world.pass(3 * DAY_MS);
    // Two for each of the two boxes, and no more the day after.
    assert_eq!(world.relays[0].packages.len(), 4);
    let kept = |world: &World| {
        world.nodes[0]
            .view
            .scan(Scan::all(vec![key::PACKAGE]))
            .unwrap()
            .len()
    };
    assert_eq!(kept(&world), 2);
    let now = world.time().wall_ms;
    for package in &world.relays[0].packages {
        assert!(
            comptoir_crypto::mls::verify_key_package(package, now).is_err(),
            "the relay reads none of them"
        );
    }
    world.now_ms += 31 * DAY_MS;
    world.pass(1_800_000);
    assert_eq!((world.relays[0].packages.len(), kept(&world)), (8, 4));
    world.now_ms += 62 * DAY_MS;
    world.pass(1_800_000);
    assert_eq!(kept(&world), 4, "the first two are gone, two new ones came");
}
