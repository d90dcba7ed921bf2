// SPDX-License-Identifier: MIT OR Apache-2.0
//! The invite token: what lets a stranger's hello through a front door without a puzzle.

use crate::signed::Signable;
use crate::tag::label;
use crate::wire_map;

/// Signed by the owner key of the front-door box, so a relay can check it without knowing the account. A relay counts
/// uses by id; with two relays the owner's engine counts the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteToken {
    /// Random.
    pub id: [u8; 16],
    /// When it stops working, in wall milliseconds.
    pub not_after_ms: u64,
    /// Hellos it lets through.
    pub uses: u32,
}
wire_map!(InviteToken { 0 => id, 1 => not_after_ms, 2 => uses });

impl Signable for InviteToken {
    const LABEL: &'static str = label::INVITE_TOKEN;
    const VERSION: u16 = 1;
}
