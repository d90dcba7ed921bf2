// SPDX-License-Identifier: MIT OR Apache-2.0
//! The persona: one account of this node, its card and its invites.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::PersonaName;
use crate::time::Timestamp;

/// A persona in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Persona {
    /// Its name in paths and for `--as`.
    pub name: PersonaName,
    /// Its account id in hex.
    pub account: String,
    /// The name its card shows to others.
    pub display_name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Messages nobody has read yet, over all its threads.
    pub unread: u64,
}

/// A persona to make.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewPersona {
    /// Its name in paths.
    pub name: PersonaName,
    /// The name its card shows. If left unset: the name in paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The 24 words its root key comes from. If left unset: the node derives the account by its own rule.
    /// Never stored, logged or answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub recovery_phrase: Option<String>,
}

impl fmt::Debug for NewPersona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            display_name,
            recovery_phrase: _,
        } = self;
        f.debug_struct("NewPersona")
            .field("name", name)
            .field("display_name", display_name)
            .finish_non_exhaustive()
    }
}

/// What this node knows of one of its accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The persona's name in paths.
    pub persona: PersonaName,
    /// The account id in hex.
    pub account: String,
    /// The name the card shows.
    pub display_name: String,
    /// This device's id in hex.
    pub device: String,
    /// Devices on the account's list.
    pub devices: u32,
    /// The number of the newest card.
    pub card_number: u64,
    /// When that card expires; the node makes the next one before.
    pub card_expires: Timestamp,
    /// How others reach it.
    pub reach: Reach,
    /// When the account's shared state last changed, as far as this device knows.
    pub state_as_of: Timestamp,
}

/// A change of an account's card; what is unset stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountChange {
    /// The new name on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// How someone can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Through a relay, whether online or not.
    Relays,
    /// Only while online: no relay holds a box.
    OnlineOnly,
    /// Neither relay nor address is known.
    Nowhere,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// What kind of link an invite is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteForm {
    /// The card is in the link: long, and needs no relay to read.
    #[default]
    Full,
    /// The link refers to a sealed card at a relay: at most 250 bytes, good as a QR code.
    Ref,
}

/// An invite to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewInvite {
    /// Seconds until it expires. If left unset: the node's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// How many people may use it. If left unset: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub uses: Option<u32>,
    /// What kind of link.
    #[serde(default)]
    pub form: InviteForm,
}

/// An invite: whoever holds the link may send one request that carries its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// The `comptoir:` link; a QR code holds the same bytes.
    pub link: String,
    /// What kind of link.
    pub form: InviteForm,
    /// When it expires.
    pub expires: Timestamp,
    /// How many people may use it.
    pub uses: u32,
    /// How its holder reaches the inviter: without a relay, only while both are online.
    pub reach: Reach,
}
