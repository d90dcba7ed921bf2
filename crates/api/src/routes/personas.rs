// SPDX-License-Identifier: MIT OR Apache-2.0
//! Personas, their accounts and invites.

use axum::extract::State;
use axum::{Extension, Json};
use comptoir_protocol::limits::NAME_BYTES_MAX;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Api;
use crate::auth::Caller;
use crate::dto::{Account, AccountChange, Invite, List, NewInvite, NewPersona, Persona};
use crate::extract::{Given, Ids, Posted};
use crate::id::PersonaName;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(account, change_account))
        .routes(routes!(invite))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct InPersona {
    /// The persona's name; the first is `main`.
    #[param(value_type = String)]
    pub(super) persona: PersonaName,
}

/// List the personas
///
/// A token bound to one persona sees that one.
#[utoipa::path(get, path = "/v1/personas", tag = "personas", operation_id = "list_personas",
    responses((status = 200, description = "The personas", body = List<Persona>)),
    security(("token" = ["account:read"])))]
async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<List<Persona>>, Problem> {
    let mut personas = api.host.personas().await?;
    if let Some(bound) = caller.persona() {
        personas.retain(|persona| persona.name == *bound);
    }
    Ok(Json(List::whole(personas)))
}

/// Make a persona
#[utoipa::path(post, path = "/v1/personas", tag = "personas", operation_id = "create_persona",
    request_body = NewPersona,
    responses((status = 201, description = "Made", body = Persona)),
    security(("token" = ["node:admin"])))]
async fn create(
    State(api): State<Api>,
    given: Given<NewPersona>,
) -> Result<Posted<Persona>, Problem> {
    check_display_name(given.body.display_name.as_deref())?;
    Ok(Posted::created(
        api.host
            .create_persona(given.body.clone(), given.once())
            .await?,
    ))
}

/// Read the account of a persona
#[utoipa::path(get, path = "/v1/personas/{persona}/account", tag = "personas", operation_id = "get_account",
    params(InPersona),
    responses((status = 200, description = "The account", body = Account)),
    security(("token" = ["account:read"])))]
async fn account(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(api.host.account(of.persona).await?))
}

/// Change the card of a persona
#[utoipa::path(patch, path = "/v1/personas/{persona}/account", tag = "personas", operation_id = "change_account",
    params(InPersona), request_body = AccountChange,
    responses((status = 200, description = "The account as it is now", body = Account)),
    security(("token" = ["account:write"])))]
async fn change_account(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    given: Given<AccountChange>,
) -> Result<Json<Account>, Problem> {
    check_display_name(given.body.display_name.as_deref())?;
    Ok(Json(api.host.change_account(of.persona, given.body).await?))
}

/// Make an invite
#[utoipa::path(post, path = "/v1/personas/{persona}/invites", tag = "contacts", operation_id = "create_invite",
    params(InPersona), request_body = NewInvite,
    responses((status = 201, description = "Made", body = Invite)),
    security(("token" = ["contacts:write"])))]
async fn invite(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    given: Given<NewInvite>,
) -> Result<Posted<Invite>, Problem> {
    if given.body.uses == Some(0) {
        return Err(Problem::invalid("uses", "at least 1"));
    }
    Ok(Posted::created(
        api.host
            .invite(of.persona, given.body.clone(), given.once())
            .await?,
    ))
}

fn check_display_name(name: Option<&str>) -> Result<(), Problem> {
    match name {
        Some(name) if name.trim().is_empty() || name.len() > NAME_BYTES_MAX => Err(
            Problem::invalid("display_name", format!("1 to {NAME_BYTES_MAX} bytes")),
        ),
        _ => Ok(()),
    }
}
