// SPDX-License-Identifier: MIT OR Apache-2.0
//! The token: who asks, and what they may do.

mod caller;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::caller::Tokens;
pub use self::caller::{Caller, TOKENS_MAX, secret_hash, secret_text};
use crate::id::{PersonaName, TokenId};
use crate::time::Timestamp;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What a token may do. The CLI's own token is above all of them; no other is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Scope { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Scope] = &[$(Scope::$name,)*];

            /// The scope as it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Scope::$name => $text,)* }
            }
        }
    };
}

scopes! {
    /// Read personas, account and card.
    AccountRead = "account:read";
    /// Change an account's card.
    AccountWrite = "account:write";
    /// Read contacts and requests.
    ContactsRead = "contacts:read";
    /// Make invites; add, change, verify and block contacts; answer requests.
    ContactsWrite = "contacts:write";
    /// Read threads, messages and the outbox.
    MessagesRead = "messages:read";
    /// Send, edit and erase messages; set read marks; delete threads.
    MessagesWrite = "messages:write";
    /// Read events.
    EventsRead = "events:read";
    /// Set a named reader's place, which keeps events until it has passed them.
    EventsWrite = "events:write";
    /// Read the node's status, relays, settings, metrics, doctor and log.
    NodeRead = "node:read";
    /// Make personas; change relays and settings; sign tickets; stop the node.
    NodeAdmin = "node:admin";
}

impl Scope {
    /// Whether a token bound to one persona may have it: the node is not any persona's.
    #[must_use]
    pub fn is_bindable(self) -> bool {
        !matches!(self, Scope::NodeRead | Scope::NodeAdmin)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope; there are {names}", names = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))]
pub struct BadScope(pub String);

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Self, BadScope> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| BadScope(text.chars().take(40).collect()))
    }
}

/// A named token as the node keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// SHA-256 of the secret. The secret has 256 random bits, so a slow hash would protect nothing more.
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only persona it may act for.
    pub persona: Option<PersonaName>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops to work.
    pub expires: Option<Timestamp>,
}
