// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests: tickets that the owner of a box may hand to people who have no relay, so that they begin at this one.
//!
//! How many is written on the owner's own ticket, by the operator. A guest's ticket is small and names no guests: trees
//! of guests do not grow. Nothing is kept for a ticket until it is used.

use comptoir_protocol::frame::BoxKind;
use comptoir_protocol::id::Rid;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;
use rand_core::CryptoRng;

use super::boxes::kind;
use super::call::{Call, Refusal, Stop};
use super::tickets::{TicketTerms, issue_ticket};
use crate::config::DAY_MS;

/// A guest's place: a front door, a boot counter and thirty contacts, of 2 MiB each.
const GUEST_BOXES: u32 = 32;
const GUEST_BYTES: u64 = GUEST_BOXES as u64 * (2 << 20);
/// A guest takes the place up within this time, or leaves it.
const GUEST_MS: u64 = 30 * DAY_MS;
/// The guests of a ticket are counted anew after this.
pub(crate) const GUESTS_PERIOD_MS: u64 = 30 * DAY_MS;

/// A ticket for a guest of whoever owns the front door `rid`.
pub(crate) fn guest_ticket(
    call: &mut Call<'_>,
    rid: &Rid,
    rng: &mut impl CryptoRng,
) -> Result<Signed<Ticket>, Stop> {
    let found = call.box_of_owner(rid)?;
    if found.head.kind != kind::byte(BoxKind::FrontDoor) {
        return Err(Refusal::Denied.into());
    }
    match &found.head.ticket {
        Some(serial) => call.count_guest(serial)?,
        // Made without a ticket: what the owner needed none for, its guest needs none for.
        None if call.config.open => {}
        None => return Err(Refusal::Ticket.into()),
    }
    let terms = TicketTerms {
        bytes: GUEST_BYTES,
        boxes: GUEST_BOXES,
        not_after_ms: call.now_ms + GUEST_MS,
        guests: 0,
    };
    Ok(issue_ticket(&call.config.key, terms, rng))
}
