// SPDX-License-Identifier: MIT OR Apache-2.0
//! The profile: what somebody tells a contact about being reached, inside the thread.

use crate::codec::{DecodeError, at_most};
use crate::identity::{CardBundle, Endpoint};
use crate::limits::{CARD_ENDPOINTS_MAX, NAME_BYTES_MAX};
use crate::wire_map;

/// Name, newest card and endpoints. A changed relay or an expiring card goes to every contact as this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What the account calls itself towards this contact.
    pub name: String,
    /// Where its nodes listen now.
    pub endpoints: Vec<Endpoint>,
    /// Number of its newest card.
    pub card_number: u64,
    /// The card with its device list, when it changed.
    pub card: Option<CardBundle>,
}
wire_map!(Profile { 0 => name, 1 => endpoints, 2 => card_number, 3 => card }, check = Profile::check);

impl Profile {
    fn check(&self) -> Result<(), DecodeError> {
        at_most("bytes of a name", self.name.len(), NAME_BYTES_MAX)?;
        at_most(
            "endpoints of a profile",
            self.endpoints.len(),
            CARD_ENDPOINTS_MAX,
        )
    }
}
