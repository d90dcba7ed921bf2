// SPDX-License-Identifier: MIT OR Apache-2.0
//! Strangers: those who ask again, who ask in numbers, and who try which persona lives behind a socket.

use comptoir_engine::rows::contact::Invite;
use comptoir_engine::rows::key;
use comptoir_engine::rows::thread::OutboxBody;
use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::link::InviteLink;

use crate::world::World;

fn invite(world: &mut World, persona: u16, uses: u32) -> String {
    let command = Command::Invite {
        expires_s: 60 * 86_400,
        uses,
        as_ref: false,
    };
    match world.ask_as(0, persona, command) {
        Ok(Answer::Invite { link, .. }) => link,
        other => panic!("{other:?}"),
    }
}

/// A link to the same card, with nobody's invitation.
fn without_token(link: &str) -> String {
    let Ok(InviteLink::Full(invitation)) = link.parse() else {
        panic!("no full link")
    };
    let bare = comptoir_protocol::link::Invitation {
        token: None,
        ..*invitation
    };
    InviteLink::full(bare).to_string()
}

///
#[test]
fn a_declined_hello_that_comes_again_is_not_shown_again() {
    let mut world = World::new(&["Alice", "Bob"]);
    world.add_relay_for(&[0, 1]);
    world.pass(5_000);
    let link = invite(&mut world, 1, 10);
    world.add(1, &link);
    world.pass(60_000);
    let request = query::requests(&world.nodes[0].view, 1).unwrap()[0].request;
    let block = false;
    world.ask(0, Command::Decline { request, block }).unwrap();
    for _ in 0..6 {
        world.pass(12 * 3_600_000);
        world.restart(1);
    }
    assert!(query::requests(&world.nodes[0].view, 1).unwrap().is_empty());
    let shown = world.nodes[0].events.iter();
    let shown = shown.filter(|(_, event)| matches!(event, Event::RequestReceived { .. }));
    assert_eq!(shown.count(), 1);
    let rows = world.nodes[0].view.scan(Scan::all(vec![key::INVITE]));
    let (_, row) = rows.unwrap().pop().unwrap();
    assert_eq!(Invite::from_bytes(&row[1..]).unwrap().uses_left, 9);
}

///
#[test]
fn those_without_an_invite_leave_fifty_places_to_those_with_one() {
    let mut world = World::new(&["Alice", "Bob"]);
    let link = invite(&mut world, 1, 10);
    let bare = without_token(&link);
    for stranger in 2..157 {
        world.add_node(stranger, &format!("stranger {stranger}"), Config::default());
        world.add(stranger, &bare);
    }
    world.pass(100);
    let requests = |world: &World| query::requests(&world.nodes[0].view, 1).unwrap().len();
    assert_eq!(requests(&world), 150);
    world.add(1, &link);
    world.pass(100);
    assert_eq!(requests(&world), 151);
}

///
#[test]
fn a_socket_answers_for_the_main_persona_only() {
    let mut world = World::new(&["Alice", "Bob"]);
    let relay = world.add_relay();
    let phrase = comptoir_crypto::Phrase::generate(&mut world.nodes[0].rng)
        .words()
        .join(" ");
    let create = Command::CreatePersona {
        phrase: Phrase(phrase),
        name: "Another".into(),
    };
    let Ok(Answer::Persona { persona, .. }) = world.ask(0, create) else {
        panic!("no persona")
    };
    for (node, of) in [(0, persona), (1, 1)] {
        let (relay, ticket) = (relay.clone(), None);
        let command = Command::AddRelay { relay, ticket };
        world.ask_as(node, of, command).unwrap();
    }
    world.pass(5_000);
    let link = invite(&mut world, persona, 3);
    world.add(1, &link);
    world.pass(30_000);
    let requests = query::requests(&world.nodes[0].view, persona).unwrap();
    let request = requests[0].request;
    world
        .ask_as(0, persona, Command::Accept { request })
        .unwrap();
    world.pass(30_000);
    // What Bob would leave at the relay, he brings to the socket of the main persona.
    world.relays[0].up = false;
    let thread = world.thread(1);
    world.try_say(1, thread, &["are you the same"]).unwrap();
    let rows = world.nodes[1].view.scan(Scan::all(vec![key::OUTBOX_BODY]));
    let (_, row) = rows.unwrap().pop().unwrap();
    let Ok(OutboxBody::Sealed { parcel }) = OutboxBody::from_bytes(&row[1..]) else {
        panic!("not sealed")
    };
    let (number, parcel) = (1, Parcel::from_bytes(&parcel).unwrap());
    let bytes = PeerFrame::Deliver { number, parcel }.to_bytes();
    let (peer, before) = (world.nodes[1].key, world.nodes[0].engine.counters());
    let events = world.nodes[0].events.len();
    world.input(0, Input::Frame { peer, bytes });
    let after = world.nodes[0].engine.counters();
    assert_eq!(after.threads_unknown, before.threads_unknown + 1);
    assert_eq!(world.nodes[0].events.len(), events);
    // Through the relay it comes as ever.
    world.relays[0].up = true;
    world.pass(3_600_000);
    let came = |event: &Event| matches!(event, Event::MessagesReceived { persona: 2, .. });
    assert!(world.saw(0, came));
}
