// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back, and the one tap that shows it.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::personas::InPersona;
use super::threads::OfMessage;
use crate::app::Api;
use crate::dto::{HeldBack, HeldBackQuery, List, Message};
use crate::extract::{Asked, Given, Ids, Nothing, Posted};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
}

/// List what is held back, the newest first
///
/// Messages that were refused on arrival, such as promotions without leave. They raise no notice, count as nothing
/// unread, and go after 30 days.
#[utoipa::path(get, path = "/v1/personas/{persona}/held-back", tag = "messages", operation_id = "list_held_back",
    params(InPersona, HeldBackQuery),
    responses((status = 200, description = "A page of them", body = List<HeldBack>)),
    security(("token" = ["messages:read"])))]
async fn list(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    Asked(query): Asked<HeldBackQuery>,
) -> Result<Json<List<HeldBack>>, Problem> {
    Ok(Json(api.host.held_back(of.persona, query).await?))
}

/// Show a message that is held back
///
/// It becomes a part of the thread like any other, and with it those that came in one envelope.
#[utoipa::path(post, path = "/v1/personas/{persona}/threads/{thread}/messages/{message}/show", tag = "messages",
    operation_id = "show_held_back", params(OfMessage),
    responses((status = 200, description = "The message as it is now", body = Message)),
    security(("token" = ["messages:write"])))]
async fn show(
    State(api): State<Api>,
    Ids(of): Ids<OfMessage>,
    given: Given<Nothing>,
) -> Result<Posted<Message>, Problem> {
    let once = given.once();
    Ok(Posted::done(
        api.host
            .show_held_back(of.persona, of.thread, of.message, once)
            .await?,
    ))
}
