// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ticket: a relay operator's leave to create boxes there, for whoever uses it first.

use crate::id::RelayKey;
use crate::signed::Signable;
use crate::tag::label;
use crate::wire_map;

/// What a relay grants to whoever shows this. Signed by the relay's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The relay it is for: another refuses it.
    pub relay: RelayKey,
    /// Random. A relay counts the boxes made with each serial. Whoever uses the ticket first has it: later boxes are made
    /// by requests of the same key, and a copy opens nothing.
    pub serial: [u8; 16],
    /// Bytes that all its boxes may hold together.
    pub bytes: u64,
    /// Boxes that may be created with it.
    pub boxes: u32,
    /// Until when it may be used for the first time, in wall milliseconds.
    pub not_after_ms: u64,
    /// How many tickets for guests its holder may ask the relay for, in 30 days.
    pub guests: u32,
}
wire_map!(Ticket { 0 => relay, 1 => serial, 2 => bytes, 3 => boxes, 4 => not_after_ms, 5 => guests });

impl Signable for Ticket {
    const LABEL: &'static str = label::TICKET;
    const VERSION: u16 = 1;
}
