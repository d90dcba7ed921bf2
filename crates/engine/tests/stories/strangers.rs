// SPDX-License-Identifier: MIT OR Apache-2.0
//! Strangers: those who ask again, who ask in numbers, and who try which persona lives behind a socket.

use comptoir_engine::rows::contact::{Contact, Invite};
use comptoir_engine::rows::key;
use comptoir_engine::rows::thread::OutboxBody;
use comptoir_engine::*;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::Parcel;
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::id::PeerKey;
use comptoir_protocol::identity::Endpoint;
use comptoir_protocol::link::InviteLink;

use crate::world::{World, address_of};

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
    world.add_relay_for(&[0]);
    world.weather.no_direct = true;
    world.pass(1_000);
    let link = invite(&mut world, 1, 10);
    let bare = without_token(&link);
    for stranger in 2..157 {
        world.add_node(stranger, &format!("stranger {stranger}"), Config::default());
        world.add(stranger, &bare);
    }
    world.pass(60_000);
    let requests = |world: &World| query::requests(&world.nodes[0].view, 1).unwrap().len();
    assert_eq!(requests(&world), 150);
    world.add(1, &link);
    world.pass(60_000);
    assert_eq!(requests(&world), 151);
}

/// Alice (0) with a second persona at a relay, which Bob (1) uses, too.
fn with_another_persona() -> (World, u16) {
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
    (world, persona)
}

/// Bob and Alice's second persona have met.
fn friends_with_another_persona() -> (World, u16) {
    let (mut world, persona) = with_another_persona();
    let link = invite(&mut world, persona, 3);
    world.add(1, &link);
    world.pass(30_000);
    let requests = query::requests(&world.nodes[0].view, persona).unwrap();
    let request = requests[0].request;
    world
        .ask_as(0, persona, Command::Accept { request })
        .unwrap();
    world.pass(30_000);
    (world, persona)
}

///
#[test]
fn a_socket_answers_for_the_main_persona_only() {
    let (mut world, _) = friends_with_another_persona();
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

///
#[test]
fn a_socket_hears_no_acknowledgement_for_another_persona() {
    let (mut world, persona) = friends_with_another_persona();
    let thread = query::threads(&world.nodes[0].view, persona).unwrap()[0].thread;
    let body = comptoir_protocol::body::Body::text("hello Bob");
    let command = Command::Send {
        thread,
        lane: comptoir_protocol::id::Lane::Service,
        messages: vec![NewMessage { body }],
    };
    world.ask_as(0, persona, command.clone()).unwrap();
    assert_eq!(world.texts(1), ["hello Bob"]);
    // Bob guesses which socket is that persona's, and brings there what he would leave at the relay.
    world.relays[0].up = false;
    let contacts = world.nodes[1].view.scan(Scan::all(vec![key::CONTACT]));
    let (row_key, row) = contacts.unwrap().pop().unwrap();
    let mut contact = Contact::from_bytes(&row[1..]).unwrap();
    contact.endpoints = vec![Endpoint {
        key: world.nodes[0].key,
        addresses: vec![address_of(0)],
    }];
    let row = [&row[..1], &contact.to_bytes()].concat();
    world.nodes[1].view.0.insert(row_key, row);
    let refused = world.nodes[0].engine.counters().acks_refused;
    let begun = world.nodes[0].events.len();
    world.say(1, "are you the same");
    world.restart(1);
    world.say(1, "are you");
    world.pass(20_000);
    assert!(world.nodes[0].engine.counters().acks_refused > refused);
    let moved = |(_, event): &(u64, Event)| {
        matches!(
            event,
            Event::MessagesMoved {
                state: MessageState::Delivered,
                ..
            }
        )
    };
    assert!(!world.nodes[0].events[begun..].iter().any(moved));
    // Through the relay it comes as ever.
    world.weather.no_direct = true;
    world.relays[0].up = true;
    world.restart(1);
    world.ask_as(0, persona, command).unwrap();
    world.pass(3_600_000);
    assert!(world.nodes[0].events[begun..].iter().any(moved));
}

///
#[test]
fn a_hello_at_the_door_of_another_persona_is_nobodys() {
    let (mut world, persona) = with_another_persona();
    let relay = world.relays[0].descriptor.clone();
    let ticket = None;
    world.ask(0, Command::AddRelay { relay, ticket }).unwrap();
    world.pass(5_000);
    let link = invite(&mut world, persona, 3);
    world.go_offline(0);
    world.add(1, &link);
    world.pass(30_000);
    world.relays[0].mixes_up_its_doors();
    world.go_online(0);
    world.pass(30_000);
    let requests = |of| query::requests(&world.nodes[0].view, of).unwrap().len();
    assert_eq!((requests(1), requests(persona)), (0, 1));
    // It is the hello at the right door that was heard; at the other one nobody knows it.
    assert_eq!(world.nodes[0].engine.counters().hellos_refused, 1);
}

///
#[test]
fn whoever_connects_again_brings_no_more_hellos() {
    let mut world = World::new(&["Alice"]);
    let link = invite(&mut world, 1, 10);
    let bare = without_token(&link);
    let before = world.nodes[0].view.clone();
    for stranger in 1..=10 {
        world.add_node(stranger, &format!("stranger {stranger}"), Config::default());
        world.add(stranger, &bare);
    }
    let hellos: Vec<Vec<u8>> = world
        .wire
        .iter()
        .filter(|(_, to, bytes)| {
            *to == 0 && matches!(PeerFrame::from_bytes(bytes), Ok(PeerFrame::Hello { .. }))
        })
        .map(|(_, _, bytes)| bytes.clone())
        .collect();
    assert!(hellos.len() >= 10);
    for stranger in 1..=10 {
        world.nodes[stranger].online = false;
    }
    world.nodes[0].view = before;
    world.restart(0);
    let bring = |world: &mut World, socket: u8, hello: usize| {
        let (peer, bytes) = (PeerKey([socket; 32]), hellos[hello].clone());
        world.input(0, Input::PeerConnected { peer });
        world.input(0, Input::Frame { peer, bytes });
        world.input(0, Input::PeerDisconnected { peer });
    };
    let requests = |world: &World| query::requests(&world.nodes[0].view, 1).unwrap().len();
    for hello in 0..10 {
        bring(&mut world, 100, hello);
    }
    assert_eq!(requests(&world), 3, "three of one socket in a day");
    let over = world.nodes[0].engine.counters().hellos_over_bound;
    for socket in 101..141 {
        bring(&mut world, socket, usize::from(socket) % 3);
    }
    let over = world.nodes[0].engine.counters().hellos_over_bound - over;
    assert_eq!(over, 40 - 21, "24 of all sockets in a day");
    world.pass(24 * 3_600_000);
    bring(&mut world, 100, 5);
    assert_eq!(requests(&world), 4);
}
