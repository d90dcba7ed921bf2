// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relays this node uses, and the relay it may run itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{PersonaName, RelayId};
use crate::time::Timestamp;

/// Whether a relay answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelayState {
    /// Connected.
    Up,
    /// Being dialled.
    Connecting,
    /// Not reachable; the node tries again by itself.
    Down,
    /// It refuses us: no room, or the ticket is used up.
    Refused,
    /// Its boxes are being moved elsewhere.
    Leaving,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// A relay that holds boxes of a persona.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relay {
    /// Its id.
    pub id: RelayId,
    /// The persona whose boxes it holds.
    pub persona: PersonaName,
    /// Its key in hex.
    pub key: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Whether it answers.
    pub state: RelayState,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Boxes it holds for the persona.
    pub boxes: u64,
    /// What went wrong last, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A relay to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewRelay {
    /// A `comptoir-relay:` link, with its ticket when the relay asks for one.
    pub link: String,
    /// The persona whose boxes it is to hold. If left unset: `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
}

/// Where to move the boxes of a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayMove {
    /// A `comptoir-relay:` link of the new one.
    pub link: String,
}

/// The relay this node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnRelay {
    /// Whether it runs.
    pub running: bool,
    /// Whether anybody may open boxes without a ticket.
    pub open: bool,
    /// Its `comptoir-relay:` link, without a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Boxes it holds.
    pub boxes: u64,
    /// Deposits that wait in them.
    pub items: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// A ticket to sign: room at this node's relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewTicket {
    /// Bytes it is good for. If left unset: the relay's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Boxes it is good for. If left unset: the relay's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<u32>,
    /// Seconds until it expires. If left unset: the relay's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// A signed ticket inside the link of its relay. It works once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// The `comptoir-relay:` link with the ticket.
    pub link: String,
    /// Bytes it is good for.
    pub bytes: u64,
    /// Boxes it is good for.
    pub boxes: u32,
    /// When it expires.
    pub expires: Timestamp,
}
