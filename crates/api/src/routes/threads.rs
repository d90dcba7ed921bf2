// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads, their messages, and the outbox.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use comptoir_protocol::limits::TEXT_BYTES_MAX;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::personas::InPersona;
use crate::app::Api;
use crate::dto::{
    EraseQuery, List, Message, MessageEdit, MessagePage, MessageQuery, MessagesFrom, NewMessage,
    Outbox, PageQuery, ReadMark, Thread, limit_of,
};
use crate::extract::{Asked, Given, Ids, Posted};
use crate::id::{MessageId, PersonaName, ThreadId};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, delete))
        .routes(routes!(messages, send))
        .routes(routes!(message, edit, erase))
        .routes(routes!(mark_read))
        .routes(routes!(outbox))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfThread {
    /// The persona's name.
    #[param(value_type = String)]
    persona: PersonaName,
    /// The thread's id.
    #[param(value_type = String)]
    thread: ThreadId,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMessage {
    /// The persona's name.
    #[param(value_type = String)]
    pub(super) persona: PersonaName,
    /// The thread's id.
    #[param(value_type = String)]
    pub(super) thread: ThreadId,
    /// The message's id.
    #[param(value_type = String)]
    pub(super) message: MessageId,
}

/// List threads, the one with the newest message first
#[utoipa::path(get, path = "/v1/personas/{persona}/threads", tag = "threads", operation_id = "list_threads",
    params(InPersona, PageQuery),
    responses((status = 200, description = "A page of threads", body = List<Thread>)),
    security(("token" = ["messages:read"])))]
async fn list(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<List<Thread>>, Problem> {
    Ok(Json(api.host.threads(of.persona, page).await?))
}

/// Read a thread
#[utoipa::path(get, path = "/v1/personas/{persona}/threads/{thread}", tag = "threads", operation_id = "get_thread",
    params(OfThread),
    responses((status = 200, description = "The thread", body = Thread)),
    security(("token" = ["messages:read"])))]
async fn get(State(api): State<Api>, Ids(of): Ids<OfThread>) -> Result<Json<Thread>, Problem> {
    Ok(Json(api.host.thread(of.persona, of.thread).await?))
}

/// Delete a thread and its history on this node
#[utoipa::path(delete, path = "/v1/personas/{persona}/threads/{thread}", tag = "threads",
    operation_id = "delete_thread", params(OfThread),
    responses((status = 204, description = "Deleted")),
    security(("token" = ["messages:write"])))]
async fn delete(State(api): State<Api>, Ids(of): Ids<OfThread>) -> Result<StatusCode, Problem> {
    api.host.delete_thread(of.persona, of.thread).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a page of a thread
///
/// Always oldest first. Without a cursor, the newest page.
#[utoipa::path(get, path = "/v1/personas/{persona}/threads/{thread}/messages", tag = "messages",
    operation_id = "list_messages", params(OfThread, MessageQuery),
    responses((status = 200, description = "A page of messages", body = MessagePage)),
    security(("token" = ["messages:read"])))]
async fn messages(
    State(api): State<Api>,
    Ids(of): Ids<OfThread>,
    Asked(query): Asked<MessageQuery>,
) -> Result<Json<MessagePage>, Problem> {
    let from = from(&query)?;
    Ok(Json(
        api.host
            .messages(of.persona, of.thread, from, limit_of(query.limit))
            .await?,
    ))
}

/// Send a message
///
/// Answers when it is durable in the outbox; how far it gets comes as events.
#[utoipa::path(post, path = "/v1/personas/{persona}/threads/{thread}/messages", tag = "messages",
    operation_id = "send_message", params(OfThread), request_body = NewMessage,
    responses((status = 202, description = "In the outbox", body = Message)),
    security(("token" = ["messages:write"])))]
async fn send(
    State(api): State<Api>,
    Ids(of): Ids<OfThread>,
    given: Given<NewMessage>,
) -> Result<Posted<Message>, Problem> {
    check_text(&given.body.text)?;
    let (new, once) = (given.body.clone(), given.once());
    Ok(Posted::accepted(
        api.host.send(of.persona, of.thread, new, once).await?,
    ))
}

/// Read one message
#[utoipa::path(get, path = "/v1/personas/{persona}/threads/{thread}/messages/{message}", tag = "messages",
    operation_id = "get_message", params(OfMessage),
    responses((status = 200, description = "The message", body = Message)),
    security(("token" = ["messages:read"])))]
async fn message(
    State(api): State<Api>,
    Ids(of): Ids<OfMessage>,
) -> Result<Json<Message>, Problem> {
    Ok(Json(
        api.host.message(of.persona, of.thread, of.message).await?,
    ))
}

/// Give an own message another text
#[utoipa::path(patch, path = "/v1/personas/{persona}/threads/{thread}/messages/{message}", tag = "messages",
    operation_id = "edit_message", params(OfMessage), request_body = MessageEdit,
    responses((status = 202, description = "The edit is in the outbox", body = Message)),
    security(("token" = ["messages:write"])))]
async fn edit(
    State(api): State<Api>,
    Ids(of): Ids<OfMessage>,
    given: Given<MessageEdit>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    check_text(&given.body.text)?;
    let message = api
        .host
        .edit(of.persona, of.thread, of.message, given.body)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(message)))
}

/// Erase a message: an own one on both sides unless `only_here`, another's here
#[utoipa::path(delete, path = "/v1/personas/{persona}/threads/{thread}/messages/{message}", tag = "messages",
    operation_id = "erase_message", params(OfMessage, EraseQuery),
    responses((status = 202, description = "Erased here; for the other side it is in the outbox", body = Message)),
    security(("token" = ["messages:write"])))]
async fn erase(
    State(api): State<Api>,
    Ids(of): Ids<OfMessage>,
    Asked(query): Asked<EraseQuery>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let erased = api
        .host
        .erase(of.persona, of.thread, of.message, query.only_here)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(erased)))
}

/// Say how far the user has read
#[utoipa::path(post, path = "/v1/personas/{persona}/threads/{thread}/read", tag = "threads",
    operation_id = "mark_read", params(OfThread), request_body = ReadMark,
    responses((status = 200, description = "The thread as it is now", body = Thread)),
    security(("token" = ["messages:write"])))]
async fn mark_read(
    State(api): State<Api>,
    Ids(of): Ids<OfThread>,
    given: Given<ReadMark>,
) -> Result<Posted<Thread>, Problem> {
    let (up_to, once) = (given.body.up_to.clone(), given.once());
    Ok(Posted::done(
        api.host
            .mark_read(of.persona, of.thread, up_to, once)
            .await?,
    ))
}

/// Sum up what waits to go out
#[utoipa::path(get, path = "/v1/personas/{persona}/outbox", tag = "messages", operation_id = "get_outbox",
    params(InPersona),
    responses((status = 200, description = "What waits", body = Outbox)),
    security(("token" = ["messages:read"])))]
async fn outbox(State(api): State<Api>, Ids(of): Ids<InPersona>) -> Result<Json<Outbox>, Problem> {
    Ok(Json(api.host.outbox(of.persona).await?))
}

fn from(query: &MessageQuery) -> Result<MessagesFrom, Problem> {
    let id = |field: &str, text: &str| {
        text.parse()
            .map_err(|error: crate::id::BadId| Problem::invalid(field, error.to_string()))
    };
    match (query.before.as_deref(), query.after.as_deref()) {
        (Some(_), Some(_)) => Err(Problem::invalid(
            "after",
            "before and after cannot be given together",
        )),
        (Some(before), None) => Ok(MessagesFrom::Before(id("before", before)?)),
        (None, Some("start")) => Ok(MessagesFrom::Start),
        (None, Some(after)) => Ok(MessagesFrom::After(id("after", after)?)),
        (None, None) => Ok(MessagesFrom::Newest),
    }
}

fn check_text(text: &str) -> Result<(), Problem> {
    if (1..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Ok(());
    }
    Err(Problem::invalid(
        "text",
        format!("1 to {TEXT_BYTES_MAX} bytes; this is {}", text.len()),
    ))
}
