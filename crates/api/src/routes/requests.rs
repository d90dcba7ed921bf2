// SPDX-License-Identifier: MIT OR Apache-2.0
//! The requests of strangers.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::personas::InPersona;
use crate::app::Api;
use crate::dto::{Contact, Decline, List, PageQuery, Request};
use crate::extract::{Asked, Given, Ids, Nothing, Posted};
use crate::id::{PersonaName, RequestId};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(accept))
        .routes(routes!(decline))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfRequest {
    /// The persona's name.
    #[param(value_type = String)]
    persona: PersonaName,
    /// The request's id.
    #[param(value_type = String)]
    request: RequestId,
}

/// List open requests
#[utoipa::path(get, path = "/v1/personas/{persona}/requests", tag = "requests", operation_id = "list_requests",
    params(InPersona, PageQuery),
    responses((status = 200, description = "A page of requests", body = List<Request>)),
    security(("token" = ["contacts:read"])))]
async fn list(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<List<Request>>, Problem> {
    Ok(Json(api.host.requests(of.persona, page).await?))
}

/// Accept a request
#[utoipa::path(post, path = "/v1/personas/{persona}/requests/{request}/accept", tag = "requests",
    operation_id = "accept_request", params(OfRequest),
    responses((status = 202, description = "The welcome is in the outbox", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn accept(
    State(api): State<Api>,
    Ids(of): Ids<OfRequest>,
    given: Given<Nothing>,
) -> Result<Posted<Contact>, Problem> {
    Ok(Posted::accepted(
        api.host
            .accept(of.persona, of.request, given.once())
            .await?,
    ))
}

/// Decline a request
#[utoipa::path(post, path = "/v1/personas/{persona}/requests/{request}/decline", tag = "requests",
    operation_id = "decline_request", params(OfRequest), request_body(content = Option<Decline>),
    responses((status = 200, description = "The request as it is now", body = Request)),
    security(("token" = ["contacts:write"])))]
async fn decline(
    State(api): State<Api>,
    Ids(of): Ids<OfRequest>,
    given: Given<Decline>,
) -> Result<Posted<Request>, Problem> {
    let (decline, once) = (given.body.clone(), given.once());
    Ok(Posted::done(
        api.host
            .decline(of.persona, of.request, decline, once)
            .await?,
    ))
}
