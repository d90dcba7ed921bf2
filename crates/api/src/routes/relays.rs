// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relays in use, and the one this node may run.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::contacts::check_link;
use crate::app::Api;
use crate::dto::{List, NewRelay, NewTicket, OwnRelay, Relay, RelayMove, Ticket};
use crate::extract::{Given, Ids, Posted};
use crate::id::RelayId;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(move_to))
        .routes(routes!(own))
        .routes(routes!(ticket))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfRelay {
    /// The relay's id.
    #[param(value_type = String)]
    relay: RelayId,
}

/// List the relays in use
#[utoipa::path(get, path = "/v1/relays", tag = "relays", operation_id = "list_relays",
    responses((status = 200, description = "The relays", body = List<Relay>)),
    security(("token" = ["node:read"])))]
async fn list(State(api): State<Api>) -> Result<Json<List<Relay>>, Problem> {
    Ok(Json(List::whole(api.host.relays().await?)))
}

/// Take a relay into use
#[utoipa::path(post, path = "/v1/relays", tag = "relays", operation_id = "add_relay", request_body = NewRelay,
    responses((status = 202, description = "In use; its boxes follow", body = Relay)),
    security(("token" = ["node:admin"])))]
async fn add(State(api): State<Api>, given: Given<NewRelay>) -> Result<Posted<Relay>, Problem> {
    check_link(&given.body.link)?;
    Ok(Posted::accepted(
        api.host.add_relay(given.body.clone(), given.once()).await?,
    ))
}

/// Stop to use a relay
#[utoipa::path(delete, path = "/v1/relays/{relay}", tag = "relays", operation_id = "remove_relay", params(OfRelay),
    responses((status = 204, description = "No longer in use")),
    security(("token" = ["node:admin"])))]
async fn remove(State(api): State<Api>, Ids(of): Ids<OfRelay>) -> Result<StatusCode, Problem> {
    api.host.remove_relay(of.relay).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Move the boxes of a relay to another
#[utoipa::path(post, path = "/v1/relays/{relay}/move", tag = "relays", operation_id = "move_relay", params(OfRelay),
    request_body = RelayMove,
    responses((status = 202, description = "The new relay; the boxes follow", body = Relay)),
    security(("token" = ["node:admin"])))]
async fn move_to(
    State(api): State<Api>,
    Ids(of): Ids<OfRelay>,
    given: Given<RelayMove>,
) -> Result<Posted<Relay>, Problem> {
    check_link(&given.body.link)?;
    Ok(Posted::accepted(
        api.host
            .move_relay(of.relay, given.body.clone(), given.once())
            .await?,
    ))
}

/// Describe the relay this node runs
#[utoipa::path(get, path = "/v1/node/relay", tag = "relays", operation_id = "get_own_relay",
    responses((status = 200, description = "The relay", body = OwnRelay)),
    security(("token" = ["node:read"])))]
async fn own(State(api): State<Api>) -> Result<Json<OwnRelay>, Problem> {
    Ok(Json(api.host.own_relay().await?))
}

/// Sign a ticket for the relay this node runs
#[utoipa::path(post, path = "/v1/node/relay/tickets", tag = "relays", operation_id = "create_ticket",
    request_body = NewTicket,
    responses((status = 201, description = "Signed", body = Ticket)),
    security(("token" = ["node:admin"])))]
async fn ticket(
    State(api): State<Api>,
    given: Given<NewTicket>,
) -> Result<Posted<Ticket>, Problem> {
    Ok(Posted::created(
        api.host.ticket(given.body.clone(), given.once()).await?,
    ))
}
