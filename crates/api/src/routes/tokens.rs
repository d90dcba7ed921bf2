// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named tokens. Only the CLI's own token reaches them: whoever may make tokens may do everything.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Api;
use crate::auth::{TokenRecord, secret_hash, secret_text};
use crate::dto::{CreatedToken, List, NewToken, Token};
use crate::extract::{Given, Ids};
use crate::id::TokenId;
use crate::problem::{Code, Problem};
use crate::time::Timestamp;

/// A token's name is at most 64 bytes; it is only shown.
const NAME_BYTES_MAX: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfToken {
    /// The token's id.
    #[param(value_type = String)]
    token: TokenId,
}

/// List named tokens
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, description = "The tokens, without secrets", body = List<Token>)),
    security(("token" = ["full"])))]
async fn list(State(api): State<Api>) -> Result<Json<List<Token>>, Problem> {
    let records = api.tokens.list(api.host.as_ref()).await?;
    Ok(Json(List::whole(
        records.into_iter().map(Token::from).collect(),
    )))
}

/// Make a named token
///
/// The secret is answered this once. A repeated request is a conflict of names, not a second token: a secret is
/// not kept for replay, so an Idempotency-Key changes nothing here.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", operation_id = "create_token", request_body = NewToken,
    responses((status = 201, description = "Made", body = CreatedToken)),
    security(("token" = ["full"])))]
async fn create(
    State(api): State<Api>,
    given: Given<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    check(&given.body)?;
    if let Some(persona) = &given.body.persona {
        // Bound to a name nobody has, it would open whatever is given that name later.
        let personas = api.host.personas().await?;
        if !personas.iter().any(|known| known.name == *persona) {
            return Err(Problem::new(
                Code::NotFound,
                format!("there is no persona {persona}"),
            ));
        }
    }
    let secret = secret_text(&api.host.random());
    let record = record(given.body.clone(), &secret, api.host.now())?;
    api.tokens.add(record.clone(), api.host.as_ref()).await?;
    Ok((
        StatusCode::CREATED,
        Json(CreatedToken {
            token: record.into(),
            secret,
        }),
    ))
}

/// Delete a named token
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "tokens", operation_id = "delete_token", params(OfToken),
    responses((status = 204, description = "It no longer works")),
    security(("token" = ["full"])))]
async fn delete(State(api): State<Api>, Ids(of): Ids<OfToken>) -> Result<StatusCode, Problem> {
    api.tokens.remove(&of.token, api.host.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(new: &NewToken) -> Result<(), Problem> {
    if new.name.trim().is_empty() || new.name.len() > NAME_BYTES_MAX {
        return Err(Problem::invalid(
            "name",
            format!("1 to {NAME_BYTES_MAX} bytes"),
        ));
    }
    if new.scopes.is_empty() {
        return Err(Problem::invalid("scopes", "at least one"));
    }
    let unbindable = new.scopes.iter().find(|scope| !scope.is_bindable());
    match unbindable.filter(|_| new.persona.is_some()) {
        Some(scope) => Err(Problem::invalid(
            "scopes",
            format!("{scope} is not of one persona"),
        )),
        None => Ok(()),
    }
}

fn record(new: NewToken, secret: &str, now: Timestamp) -> Result<TokenRecord, Problem> {
    let hash = secret_hash(secret);
    // The id is not secret: it comes from the hash, of which 8 bytes do not help to guess 32 random ones.
    let id = TokenId::from_body(HEXLOWER.encode(&hash[..8]))
        .map_err(|error| Problem::invalid("id", error.to_string()))?;
    let scopes: BTreeSet<_> = new.scopes.into_iter().collect();
    let expires = new
        .expires_in_s
        .map(|seconds| Timestamp::from_ms(now.ms().saturating_add(seconds.saturating_mul(1000))));
    let (name, persona) = (new.name, new.persona);
    Ok(TokenRecord {
        id,
        name,
        hash,
        scopes: scopes.into_iter().collect(),
        persona,
        created: now,
        expires,
    })
}

impl From<TokenRecord> for Token {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord {
            id,
            name,
            hash: _,
            scopes,
            persona,
            created,
            expires,
        } = record;
        Self {
            id,
            name,
            scopes,
            persona,
            created,
            expires,
        }
    }
}
