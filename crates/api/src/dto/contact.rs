// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contact, and the stranger's request before it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::dto::Reach;
use crate::id::{ContactId, RequestId, ThreadId};
use crate::time::Timestamp;

// The schema below can only hold a literal.
const _: () = assert!(comptoir_protocol::limits::REASON_BYTES_MAX == 500);

/// Where a contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Our hello waits here to be carried, or for their answer.
    Asked,
    /// Both sides can write.
    Accepted,
    /// They declined.
    Declined,
    /// Our hello ran out of time unanswered.
    Expired,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// A contact of a persona.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// The name to show: the one the user gave, else the one on their card.
    pub name: String,
    /// The name on their card.
    pub card_name: String,
    /// Their account id in hex.
    pub account: String,
    /// Where it stands.
    pub state: ContactState,
    /// Whether the user has compared the safety code with them.
    pub verified: bool,
    /// Whether the thread raises no notice.
    pub muted: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// The thread of the two; absent until one side has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The 60 digits both sides see alike, in groups of five; absent until their card is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_code: Option<String>,
    /// How they can be reached.
    pub reach: Reach,
    /// Whether a direct connection is open now.
    pub connected: bool,
    /// When the contact was added.
    pub added: Timestamp,
}

/// Which contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ContactQuery {
    /// Entries at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only contacts whose shown name is exactly this, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A link to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewContact {
    /// A `comptoir:` link.
    pub link: String,
    /// What the other side reads before it answers, at most 500 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A change of a contact; what is unset stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactChange {
    /// The name to show; empty means the one on their card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the thread raises no notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
}

/// That the user compared the safety code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// The code that was compared, spaces ignored. It must be the present one: had the contact's keys changed
    /// between showing and confirming, the user would vouch for keys nobody compared.
    pub safety_code: String,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// It waits for the user.
    Open,
    /// It was accepted.
    Accepted,
    /// It was declined.
    Declined,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// How a stranger came through the front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestVia {
    /// With the token of an invite.
    Invite,
    /// With a solved puzzle.
    Puzzle,
    /// Over a direct connection.
    Direct,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// A stranger who asks to write. Silent: no notice, no picture, no link is made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The name on the stranger's card: claimed, not proved.
    pub card_name: String,
    /// The stranger's account id in hex.
    pub account: String,
    /// What the stranger wrote, at most 500 bytes.
    pub reason: String,
    /// How it came.
    pub via: RequestVia,
    /// Where it stands.
    pub state: RequestState,
    /// The 60 digits to compare, in groups of five.
    pub safety_code: String,
    /// When it came.
    pub received: Timestamp,
}

/// How to decline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decline {
    /// Whether the account may not ask again.
    #[serde(default)]
    pub block: bool,
}
