// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named tokens: what a program may do, and for which persona.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Scope;
use crate::id::{PersonaName, TokenId};
use crate::time::Timestamp;

/// A named token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only persona it may act for; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops to work; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A named token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Its name, 1 to 64 bytes.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// The only persona it may act for. Scopes of the node cannot be bound so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
    /// Seconds until it stops to work. If left unset: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// A token just made; the secret is shown this once, only its hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// What was made.
    #[serde(flatten)]
    pub token: Token,
    /// What to send as `Authorization: Bearer …`.
    pub secret: String,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, secret: _ } = self;
        f.debug_struct("CreatedToken")
            .field("token", token)
            .finish_non_exhaustive()
    }
}
