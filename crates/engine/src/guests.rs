// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: invites carry a ticket for the inviter's relay, and a newcomer without a relay begins there.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::link::Invitation;
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;

use crate::memory::Call;
use crate::rows::key::{self, Key};
use crate::rows::reach::Relay;
use crate::seam::error::EngineError;
use crate::seam::input::Unreachable;
use crate::timers::Timer;
use crate::turn::Turn;

/// A ticket in stock that ends sooner than this is replaced: an invite made with it must leave its guest some time.
const LASTS_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// The relay of an invitation that carries a ticket for it, with the ticket.
pub(crate) fn guest_place(invitation: &Invitation) -> Option<(RelayDescriptor, Signed<Ticket>)> {
    let ticket = invitation.ticket.clone()?;
    let key = ticket.claimed_signer();
    let genuine = ticket.clone().verify().ok()?;
    let card = invitation.bundle.verify_ignoring_expiry().ok()?;
    // Only a relay of the inviter's own card, and only a ticket that this relay has signed.
    let relay = card
        .card
        .relays
        .iter()
        .find(|relay| relay.key.0 == key.0 && genuine.relay == relay.key)
        .cloned()?;
    Some((relay, ticket))
}

impl Turn<'_> {
    /// Whether anybody could answer a persona.
    pub(crate) fn is_reachable(&self, persona: u16) -> Result<bool, EngineError> {
        Ok(!self.relays_of(persona)?.is_empty() || !self.own_endpoints(persona).is_empty())
    }

    /// A persona without a relay takes up the place an invitation offers.
    pub(crate) fn become_guest(
        &mut self,
        persona: u16,
        invitation: &Invitation,
    ) -> Result<(), EngineError> {
        if self.relays_of(persona)?.is_empty()
            && let Some((relay, ticket)) = guest_place(invitation)
        {
            // It has none, so it cannot be in use or one too many.
            let _ = self.on_add_relay(persona, &relay, Some(&ticket))?;
        }
        Ok(())
    }

    /// Sees to it that a ticket for a guest is in stock, once the front door is there.
    pub(crate) fn ask_guest_ticket(
        &mut self,
        number: u32,
        relay: &Relay,
    ) -> Result<(), EngineError> {
        let lasts = relay
            .guest
            .as_ref()
            .and_then(|ticket| ticket.clone().verify().ok())
            .is_some_and(|ticket| ticket.not_after_ms > self.now.wall_ms + LASTS_MS);
        let asked =
            self.memory.calls.iter().any(
                |(_, pending)| matches!(pending.call, Call::Guest { relay } if relay == number),
            );
        if lasts || asked || relay.leaving || !self.relay_has_room(relay.descriptor.key) {
            return Ok(());
        }
        let Some(door) = self.front_door_at(relay.persona, number)? else {
            return Ok(());
        };
        let signer = Some(self.persona(relay.persona)?.front_owner);
        self.call(
            &relay.descriptor,
            RelayRequest::GuestTicket { rid: door.rid },
            signer,
            Call::Guest { relay: number },
        );
        Ok(())
    }

    /// A relay gave a ticket, or has none left for us: then invites carry none, and it is asked again with the next look.
    pub(crate) fn on_guest_ticket(
        &mut self,
        number: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let row = Key::of(key::RELAY).u32(number);
        let Some(mut relay) = self.load::<Relay>(row.clone())? else {
            return Ok(());
        };
        if let Ok(RelayAnswer::Ticket(ticket)) = answer
            && let Ok(genuine) = ticket.clone().verify()
            && genuine.signer().0 == relay.descriptor.key.0
        {
            relay.guest = Some(ticket.clone());
            self.put(row, &relay);
        }
        Ok(())
    }

    /// The ticket for the guest of one invite; the next is asked for.
    pub(crate) fn take_guest_ticket(
        &mut self,
        persona: u16,
    ) -> Result<Option<Signed<Ticket>>, EngineError> {
        for (number, mut relay) in self.relays_of(persona)? {
            let Some(ticket) = relay.guest.take() else {
                continue;
            };
            self.put(Key::of(key::RELAY).u32(number), &relay);
            let due = self.now.mono_ms + self.config.retry_first_ms;
            self.memory
                .timers
                .set_earlier(Timer::Relay { relay: number }, due);
            let lasting = ticket.clone().verify();
            if lasting.is_ok_and(|lasting| lasting.not_after_ms > self.now.wall_ms) {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }
}
