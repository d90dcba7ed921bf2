// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ticket: what an operator lets in, and how much of it has been used.

use comptoir_protocol::id::RelayKey;
use comptoir_protocol::signed::{Signed, public_key};
use comptoir_protocol::ticket::Ticket;
use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;

use super::call::{Call, Refusal, Stop};
use super::keys;
use super::record::record;

record! {
    /// A ticket that was shown.
    TicketUse version 1 {
        boxes: u32,
    }
}

/// What an operator writes on a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketTerms {
    /// Bytes that all its boxes may hold together.
    pub bytes: u64,
    /// Boxes that may be created with it.
    pub boxes: u32,
    /// When it stops opening anything new, in wall milliseconds.
    pub not_after_ms: u64,
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
    } = terms;
    Signed::sign(
        &Ticket {
            relay: RelayKey(public_key(key).0),
            serial,
            bytes,
            boxes,
            not_after_ms,
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
    /// Takes one box off a ticket: the relay's own, in time, with a box left. Whoever holds it may use it, since each box
    /// has an owner key of its own.
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
        if ticket.relay.0 != relay.0 || ticket.not_after_ms <= self.now_ms || ticket.boxes == 0 {
            return Err(Refusal::Ticket.into());
        }
        let place = keys::ticket(&ticket.serial);
        let mut used = self.load(&place)?.unwrap_or(TicketUse { boxes: 0 });
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
