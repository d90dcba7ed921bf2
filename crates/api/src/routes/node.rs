// SPDX-License-Identifier: MIT OR Apache-2.0
//! The node: status, settings, doctor, log, stop, and the document of this API.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Api;
use crate::dto::{Doctor, List, LogLine, LogQuery, NodeStatus, Setting, limit_of};
use crate::extract::{Asked, Given, Nothing};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(settings, change_settings))
        .routes(routes!(doctor))
        .routes(routes!(logs))
        .routes(routes!(shutdown))
        .routes(routes!(document))
}

/// Read the node's status
#[utoipa::path(get, path = "/v1/node", tag = "node", operation_id = "get_node",
    responses((status = 200, description = "The status", body = NodeStatus)),
    security(("token" = ["node:read"])))]
async fn status(State(api): State<Api>) -> Result<Json<NodeStatus>, Problem> {
    Ok(Json(api.host.status().await?))
}

/// List the settings
#[utoipa::path(get, path = "/v1/settings", tag = "node", operation_id = "list_settings",
    responses((status = 200, description = "The settings", body = List<Setting>)),
    security(("token" = ["node:read"])))]
async fn settings(State(api): State<Api>) -> Result<Json<List<Setting>>, Problem> {
    Ok(Json(List::whole(api.host.settings().await?)))
}

/// Change settings, all of those given or none
#[utoipa::path(patch, path = "/v1/settings", tag = "node", operation_id = "change_settings",
    request_body(content = BTreeMap<String, Value>, description = "Names and their new values"),
    responses((status = 200, description = "The settings as they are now", body = List<Setting>)),
    security(("token" = ["node:admin"])))]
async fn change_settings(
    State(api): State<Api>,
    given: Given<BTreeMap<String, Value>>,
) -> Result<Json<List<Setting>>, Problem> {
    let changes = given.body.into_iter().collect();
    Ok(Json(List::whole(api.host.change_settings(changes).await?)))
}

/// Run the checks
#[utoipa::path(get, path = "/v1/doctor", tag = "node", operation_id = "run_doctor",
    responses((status = 200, description = "What was found", body = Doctor)),
    security(("token" = ["node:read"])))]
async fn doctor(State(api): State<Api>) -> Result<Json<Doctor>, Problem> {
    Ok(Json(api.host.doctor().await?))
}

/// Read lines of the log
#[utoipa::path(get, path = "/v1/logs", tag = "node", operation_id = "list_logs", params(LogQuery),
    responses((status = 200, description = "Lines, oldest first", body = List<LogLine>)),
    security(("token" = ["node:read"])))]
async fn logs(
    State(api): State<Api>,
    Asked(query): Asked<LogQuery>,
) -> Result<Json<List<LogLine>>, Problem> {
    Ok(Json(
        api.host.log(query.after, limit_of(query.limit)).await?,
    ))
}

/// Stop the node
#[utoipa::path(post, path = "/v1/node/shutdown", tag = "node", operation_id = "stop_node",
    responses((status = 202, description = "The node is stopping")),
    security(("token" = ["node:admin"])))]
async fn shutdown(State(api): State<Api>, _given: Given<Nothing>) -> Result<StatusCode, Problem> {
    api.host.stop().await?;
    Ok(StatusCode::ACCEPTED)
}

/// Read this document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "node", operation_id = "get_openapi",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")),
    security(("token" = [])))]
async fn document(State(api): State<Api>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], api.document)
}
