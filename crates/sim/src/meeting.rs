// SPDX-License-Identifier: MIT OR Apache-2.0
//! The meeting: two people become contacts by a link.

use comptoir_crypto::Phrase;
use comptoir_engine::{MAIN, query};
use comptoir_protocol::link::InviteLink;
use rand_core::Rng as _;

use crate::relay::Relay;
use crate::scenario::Scenario;
use crate::users::What;
use crate::world::World;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Invites, a minute apart: a relay that is down comes back within one.
const INVITES_MAX: usize = 30;

/// Lets two people become contacts.
///
/// In a quarter of the worlds with guests the second has none of its own and cannot be dialled: it begins as a guest at a
/// relay of the first, which lets nobody in without a ticket.
pub(crate) fn meet(world: &mut World, scenario: Scenario) -> Result<(), String> {
    let guest = scenario.has_guests() && world.rng.next_u32().is_multiple_of(4);
    if guest {
        world.nodes[1].reachable = false;
        world.relays.iter_mut().for_each(Relay::close);
    }
    for node in 0..2 {
        world.start(node);
    }
    for node in 0..2 {
        let words = Phrase::generate(&mut world.rng).words().join(" ");
        world.wants(node, What::Persona(words));
    }
    world.until(HOUR_MS, "two personas", |world| {
        world.nodes.iter().all(|node| node.user.is_content())
    })?;
    for node in 0..if guest { 1 } else { 2 } {
        for relay in 0..world.relays.len() {
            world.wants(node, What::Relay(relay));
        }
    }
    world.until(HOUR_MS, "relays", |world| {
        world.nodes.iter().all(|node| node.user.is_content())
    })?;
    world.pass(30_000);
    let link = invite(world, scenario, guest)?;
    world.wants(1, What::Add(link));
    world.until(DAY_MS, "a request", |world| world.request_at(0).is_some())?;
    let request = world.request_at(0).unwrap_or_default();
    world.wants(0, What::Accept(request));
    world.until(DAY_MS, "a thread on both sides", |world| {
        world.thread_of(0).is_some() && world.thread_of(1).is_some()
    })?;
    if guest {
        let began = world.nodes[1].running.as_ref().is_some_and(|running| {
            query::relays(&running.core.committed(), MAIN).is_ok_and(|relays| relays.len() == 1)
        });
        world.tally.add("guest_began", u64::from(began));
    }
    Ok(())
}

/// A link that leads to a front door, where there are relays, and for a guest one with a ticket. Both come when a relay
/// has answered; a link made before names the direct address alone, and hardly anybody gets through there. Beside an evil
/// relay the link names both doors: one relay alone may drop every hello, and nobody promises otherwise.
fn invite(world: &mut World, scenario: Scenario, guest: bool) -> Result<String, String> {
    let relays = world.relays.len();
    let doors_min = match scenario {
        Scenario::OneEvilRelay => relays,
        _ => relays.min(1),
    };
    let good = |link: InviteLink| match link {
        InviteLink::Full(invitation) => {
            let card = invitation.bundle.verify_ignoring_expiry();
            let doors = card.map_or(0, |card| card.card.front_door_routes().count());
            doors >= doors_min && (invitation.ticket.is_some() || !guest)
        }
        InviteLink::Ref(_) => false,
    };
    for _ in 0..INVITES_MAX {
        world.nodes[0].user.link = None;
        world.wants(0, What::Invite);
        world.until(HOUR_MS, "an invite", |world| {
            world.nodes[0].user.link.is_some()
        })?;
        let link = world.nodes[0].user.link.clone().unwrap_or_default();
        if link.parse().is_ok_and(good) {
            return Ok(link);
        }
        world.pass(MINUTE_MS);
    }
    Err(format!(
        "of {INVITES_MAX} invites none leads to a front door"
    ))
}
