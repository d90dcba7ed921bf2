// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ticket: what an operator lets in, and how much of it has been used.

use comptoir_protocol::id::{PublicKey, RelayKey};
use comptoir_protocol::signed::{Signed, public_key};
use comptoir_protocol::ticket::Ticket;
use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;

use super::call::{Call, Refusal, Stop};
use super::guests::GUESTS_PERIOD_MS;
use super::keys;
use super::record::record;

record! {
    /// A ticket that was used.
    TicketUse version 2 {
        boxes: u32,
        /// The key that used it first: nobody else makes boxes with it.
        holder: PublicKey,
        /// Tickets for guests in a period.
        guests_max: u32,
        /// Those given in the running one, and when it began.
        guests: u32,
        guests_since_ms: u64,
    }
}

/// What an operator writes on a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketTerms {
    /// Bytes that all its boxes may hold together.
    pub bytes: u64,
    /// Boxes that may be created with it.
    pub boxes: u32,
    /// Until when it may be used for the first time, in wall milliseconds.
    pub not_after_ms: u64,
    /// Tickets that its holder may ask for and give to guests, in 30 days.
    pub guests: u32,
}

/// Issues a ticket for the relay whose key this is. Nothing is stored: the relay knows its own signature.
pub fn issue_ticket(
    key: &SigningKey,
    terms: TicketTerms,
    rng: &mut impl CryptoRng,
) -> Signed<Ticket> {
    let mut serial = [0; 16];
    rng.fill_bytes(&mut serial);
    let TicketTerms {
        bytes,
        boxes,
        not_after_ms,
        guests,
    } = terms;
    Signed::sign(
        &Ticket {
            relay: RelayKey(public_key(key).0),
            serial,
            bytes,
            boxes,
            not_after_ms,
            guests,
        },
        key,
    )
}

/// A box's share of a ticket.
pub(crate) struct Share {
    pub(crate) serial: [u8; 16],
    pub(crate) bytes: u64,
}

impl Call<'_> {
    /// Takes one box off a ticket: the relay's own, with a box left; used in time the first time, and from then on by the
    /// key that signed then. Each box has an owner key of its own, so it is the signer that is held to.
    ///
    /// Each box gets an equal share of the bytes, so that a deposit counts against its own box alone and the sum still
    /// never exceeds what the operator wrote.
    pub(crate) fn spend_ticket(&mut self, ticket: &Signed<Ticket>) -> Result<Share, Stop> {
        let relay = public_key(&self.config.key);
        let ticket = ticket
            .clone()
            .verify()
            .and_then(|ticket| ticket.signed_by(&relay))
            .map_err(|_| Refusal::Ticket)?;
        if ticket.relay.0 != relay.0 || ticket.boxes == 0 {
            return Err(Refusal::Ticket.into());
        }
        let (place, signer) = (keys::ticket(&ticket.serial), self.signer()?);
        let mut used = match self.load::<TicketUse>(&place)? {
            // A copy of it, in the hands of somebody who read the link: too late.
            Some(used) if used.holder != signer => return Err(Refusal::Ticket.into()),
            Some(used) => used,
            None if ticket.not_after_ms <= self.now_ms => return Err(Refusal::Ticket.into()),
            None => TicketUse {
                boxes: 0,
                holder: signer,
                guests_max: ticket.guests,
                guests: 0,
                guests_since_ms: self.now_ms,
            },
        };
        if used.boxes >= ticket.boxes {
            return Err(Refusal::Ticket.into());
        }
        used.boxes += 1;
        self.save(place, &used);
        Ok(Share {
            serial: ticket.serial,
            bytes: ticket.bytes / u64::from(ticket.boxes),
        })
    }

    /// Counts one more guest of a ticket; refused when its period has no more.
    pub(crate) fn count_guest(&mut self, serial: &[u8; 16]) -> Result<(), Stop> {
        let place = keys::ticket(serial);
        let Some(mut used) = self.load::<TicketUse>(&place)? else {
            return Err(Refusal::Ticket.into());
        };
        if used.guests_since_ms.saturating_add(GUESTS_PERIOD_MS) <= self.now_ms {
            (used.guests, used.guests_since_ms) = (0, self.now_ms);
        }
        if used.guests >= used.guests_max {
            return Err(Refusal::Ticket.into());
        }
        used.guests += 1;
        self.save(place, &used);
        Ok(())
    }

    /// Whether a key is the one that used a ticket first.
    pub(crate) fn holds_ticket(&self, serial: &[u8], key: &PublicKey) -> Result<bool, Stop> {
        let used = self.load::<TicketUse>(&keys::ticket(serial))?;
        Ok(used.is_some_and(|used| used.holder == *key))
    }

    /// Gives back the place of a box that is gone.
    pub(crate) fn return_share(&mut self, serial: &[u8; 16]) -> Result<(), Stop> {
        let place = keys::ticket(serial);
        if let Some(mut used) = self.load::<TicketUse>(&place)? {
            used.boxes = used.boxes.saturating_sub(1);
            self.save(place, &used);
        }
        Ok(())
    }
}
