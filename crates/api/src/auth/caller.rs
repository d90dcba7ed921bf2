// SPDX-License-Identifier: MIT OR Apache-2.0
//! The caller: whose token came with a request.

use std::fmt;

use axum::http::{HeaderMap, header};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tokio::sync::RwLock;

use super::{Scope, TokenRecord};
use crate::host::{Host, HostError};
use crate::id::{PersonaName, TokenId};
use crate::problem::{Code, Problem};

/// Named tokens at most: each request compares with every one, and nobody runs a hundred programs on a node.
pub const TOKENS_MAX: usize = 100;
/// What every secret begins with, so that a scanner of leaked secrets can tell it.
const SECRET_PREFIX: &str = "cptr_";

/// Writes 32 random bytes as the secret of a token.
#[must_use]
pub fn secret_text(bytes: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", HEXLOWER.encode(bytes))
}

/// Hashes a secret as it is kept and compared.
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody who showed a token.
    Nobody,
    /// The CLI, with the token of `api.token`: it may do everything.
    Full,
    /// A program with a named token.
    Named {
        /// The token.
        token: TokenId,
        /// What it may do.
        scopes: Vec<Scope>,
        /// The only persona it may act for.
        persona: Option<PersonaName>,
    },
}

impl Caller {
    /// Whether the caller may do what needs `scope`.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        match self {
            Self::Nobody => false,
            Self::Full => true,
            // Asked again here although such tokens are never made: a record changed on disk must not open the node.
            Self::Named {
                scopes, persona, ..
            } => scopes.contains(&scope) && (persona.is_none() || scope.is_bindable()),
        }
    }

    /// The only persona the caller may act for; `None` means all.
    #[must_use]
    pub fn persona(&self) -> Option<&PersonaName> {
        match self {
            Self::Named { persona, .. } => persona.as_ref(),
            Self::Nobody | Self::Full => None,
        }
    }

    /// A name no two callers share, stable over restarts.
    pub(crate) fn stable_name(&self) -> &str {
        match self {
            Self::Nobody => "",
            Self::Full => "cli",
            Self::Named { token, .. } => token.as_str(),
        }
    }
}

/// All tokens that open this API.
pub(crate) struct Tokens {
    full: [u8; 32],
    /// `None` until the host could be asked: it may still open its store.
    named: RwLock<Option<Vec<TokenRecord>>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { full: _, named: _ } = self;
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(full: [u8; 32]) -> Self {
        Self {
            full,
            named: RwLock::new(None),
        }
    }

    /// Finds whose token the headers carry. A token that is not known is an error, not nobody.
    pub(crate) async fn caller(
        &self,
        headers: &HeaderMap,
        host: &dyn Host,
    ) -> Result<Caller, Problem> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(Caller::Nobody);
        };
        let unauthorized = |detail| Problem::new(Code::Unauthorized, detail);
        let secret = value.to_str().ok().and_then(bearer);
        let (Some(secret), None) = (secret, values.next()) else {
            return Err(unauthorized(
                "the Authorization header must be: Bearer and one token",
            ));
        };
        let hash = secret_hash(secret);
        if bool::from(hash.ct_eq(&self.full)) {
            return Ok(Caller::Full);
        }
        self.load(host).await.map_err(Problem::from)?;
        let named = self.named.read().await;
        let record = named.as_deref().and_then(|records| find(records, &hash));
        let record = record.ok_or_else(|| {
            unauthorized("the token is not known here; it may be of an earlier start")
        })?;
        if record.expires.is_some_and(|expires| expires <= host.now()) {
            return Err(unauthorized("the token has expired"));
        }
        let TokenRecord {
            id,
            scopes,
            persona,
            ..
        } = record.clone();
        Ok(Caller::Named {
            token: id,
            scopes,
            persona,
        })
    }

    async fn load(&self, host: &dyn Host) -> Result<(), HostError> {
        if self.named.read().await.is_some() {
            return Ok(());
        }
        let mut named = self.named.write().await;
        if named.is_none() {
            *named = Some(host.tokens().await?);
        }
        Ok(())
    }

    pub(crate) async fn list(&self, host: &dyn Host) -> Result<Vec<TokenRecord>, HostError> {
        self.load(host).await?;
        Ok(self.named.read().await.clone().unwrap_or_default())
    }

    /// Stores a token, then lets it in. The lock is held over the host's answer, so that the count stays bounded.
    pub(crate) async fn add(&self, record: TokenRecord, host: &dyn Host) -> Result<(), HostError> {
        self.load(host).await?;
        let mut named = self.named.write().await;
        let records = named.get_or_insert_default();
        if records.len() >= TOKENS_MAX {
            return Err(HostError::Conflict(format!(
                "there are {TOKENS_MAX} tokens; delete one first"
            )));
        }
        if records.iter().any(|other| other.name == record.name) {
            return Err(HostError::Conflict(format!(
                "there is a token named {}",
                record.name
            )));
        }
        host.put_token(record.clone()).await?;
        records.push(record);
        Ok(())
    }

    /// Shuts a token out, then forgets it: should forgetting fail, it is out at least until the next start.
    pub(crate) async fn remove(&self, id: &TokenId, host: &dyn Host) -> Result<(), HostError> {
        self.load(host).await?;
        let mut named = self.named.write().await;
        let records = named.get_or_insert_default();
        let before = records.len();
        records.retain(|record| record.id != *id);
        if records.len() == before {
            return Err(HostError::NotFound {
                what: "token",
                id: id.to_string(),
            });
        }
        host.delete_token(id.clone()).await
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

/// Compares with every record, whichever fits, so that time tells nothing of how far a guess got.
fn find<'a>(records: &'a [TokenRecord], hash: &[u8; 32]) -> Option<&'a TokenRecord> {
    let mut found = u32::MAX;
    for (index, record) in (0_u32..).zip(records) {
        let same: Choice = record.hash.ct_eq(hash);
        found.conditional_assign(&index, same);
    }
    records.get(found as usize)
}
