// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: a newcomer without a relay begins at the inviter's.

use comptoir_engine::*;
use comptoir_protocol::link::{Invitation, InviteLink};

use crate::world::World;

/// Alice (0) has a ticket for a relay that is not open; Bob (1) and Carol (2) have nothing, and nobody can be dialed.
fn one_has_a_place() -> World {
    let mut world = World::new(&["Alice", "Bob", "Carol"]);
    for node in 0..3 {
        world.nodes[node].listens = false;
        world.restart(node);
    }
    world.weather.no_direct = true;
    let relay = world.add_relay();
    world.relays[0].closed = true;
    let not_after_ms = world.time().wall_ms + 86_400_000;
    let ticket = Some(world.relays[0].ticket([99; 16], not_after_ms));
    world.ask(0, Command::AddRelay { relay, ticket }).unwrap();
    world.pass(10_000);
    world
}

fn invitation(link: &str) -> Invitation {
    match link.parse() {
        Ok(InviteLink::Full(invitation)) => *invitation,
        other => panic!("{other:?}"),
    }
}

fn talk_of_alice_and_bob(world: &mut World) {
    world.pass(60_000);
    world.accept_all(0);
    world.pass(60_000);
    world.say(1, "thank you for the place");
    world.say(0, "welcome");
    world.pass(3_600_000);
    assert_eq!(world.texts(0), world.texts(1));
    assert_eq!(world.texts(0).len(), 2);
}

fn relays_of(world: &World, at: usize) -> Vec<query::RelayView> {
    query::relays(&world.nodes[at].view, 1).unwrap()
}

///
#[test]
fn a_newcomer_without_a_relay_gets_boxes_at_the_inviters() {
    let mut world = one_has_a_place();
    let link = world.invite(0);
    assert!(invitation(&link).ticket.is_some());
    world.add(1, &link);
    talk_of_alice_and_bob(&mut world);
    let bobs = &relays_of(&world, 1)[0];
    assert_eq!(bobs.relay.key, world.relays[0].descriptor.key);
    assert_eq!(bobs.condition, RelayCondition::Up);
    // The next invite has another ticket.
    let next = world.invite(0);
    assert_ne!(invitation(&next).ticket, invitation(&link).ticket);
}

#[test]
fn a_short_link_brings_the_ticket_with_what_it_names() {
    let mut world = one_has_a_place();
    let made = world.ask(
        0,
        Command::Invite {
            expires_s: 86_400,
            uses: 1,
            as_ref: true,
        },
    );
    let Ok(Answer::Invite { link, .. }) = made else {
        panic!("{made:?}")
    };
    world.pass(5_000);
    world.add(1, &link);
    talk_of_alice_and_bob(&mut world);
    assert_eq!(relays_of(&world, 1).len(), 1);
}

#[test]
fn of_two_who_follow_one_invite_only_the_first_has_its_place() {
    let mut world = one_has_a_place();
    let link = world.invite(0);
    world.add(1, &link);
    world.add(2, &link);
    talk_of_alice_and_bob(&mut world);
    assert_eq!(relays_of(&world, 2)[0].condition, RelayCondition::Refused);
    assert!(relays_of(&world, 2)[0].boxes == 0);
}

#[test]
fn a_relay_that_has_no_guests_left_leaves_invites_without_a_ticket() {
    let mut world = one_has_a_place();
    world.relays[0].guests = 0;
    let _with_the_last = world.invite(0);
    world.pass(10_000);
    let link = world.invite(0);
    assert!(invitation(&link).ticket.is_none());
    let reason = String::new();
    let refused = world.ask(1, Command::Add { link, reason });
    assert_eq!(
        refused,
        Err(Refusal::NotReachable),
        "nobody could answer Bob"
    );
}

#[test]
fn a_ticket_that_is_not_of_the_inviters_relay_is_not_followed() {
    let mut world = one_has_a_place();
    let elsewhere = world.add_relay();
    let mut invited = invitation(&world.invite(0));
    let not_after_ms = world.time().wall_ms + 86_400_000;
    // Eve's relay would like newcomers: it is not in the card, whoever signed the ticket.
    invited.ticket = Some(world.relays[1].ticket([5; 16], not_after_ms));
    let link = InviteLink::Full(Box::new(invited)).to_string();
    let reason = String::new();
    let refused = world.ask(1, Command::Add { link, reason });
    assert_eq!(refused, Err(Refusal::NotReachable));
    assert!(relays_of(&world, 1).is_empty());
    // Who has a relay keeps to it.
    let ticket = None;
    let relay = elsewhere.clone();
    world.ask(1, Command::AddRelay { relay, ticket }).unwrap();
    world.pass(5_000);
    let link = world.invite(0);
    world.add(1, &link);
    world.pass(5_000);
    assert_eq!(relays_of(&world, 1).len(), 1);
    assert_eq!(relays_of(&world, 1)[0].relay.key, elsewhere.key);
}
