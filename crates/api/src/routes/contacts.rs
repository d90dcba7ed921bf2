// SPDX-License-Identifier: MIT OR Apache-2.0
//! Contacts.

use axum::Json;
use axum::extract::State;
use comptoir_protocol::limits::{LINK_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::personas::InPersona;
use crate::app::Api;
use crate::dto::{Contact, ContactChange, ContactQuery, List, NewContact, Verification};
use crate::extract::{Asked, Given, Ids, Nothing, Posted};
use crate::id::{ContactId, PersonaName};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(get, change))
        .routes(routes!(verify))
        .routes(routes!(block))
        .routes(routes!(unblock))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfContact {
    /// The persona's name.
    #[param(value_type = String)]
    persona: PersonaName,
    /// The contact's id.
    #[param(value_type = String)]
    contact: ContactId,
}

/// List contacts
#[utoipa::path(get, path = "/v1/personas/{persona}/contacts", tag = "contacts", operation_id = "list_contacts",
    params(InPersona, ContactQuery),
    responses((status = 200, description = "A page of contacts", body = List<Contact>)),
    security(("token" = ["contacts:read"])))]
async fn list(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    Asked(query): Asked<ContactQuery>,
) -> Result<Json<List<Contact>>, Problem> {
    Ok(Json(api.host.contacts(of.persona, query).await?))
}

/// Add a contact by a link
///
/// Answers when the hello is durable in the outbox; that they accepted comes as an event.
#[utoipa::path(post, path = "/v1/personas/{persona}/contacts", tag = "contacts", operation_id = "add_contact",
    params(InPersona), request_body = NewContact,
    responses((status = 202, description = "The hello is in the outbox", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn add(
    State(api): State<Api>,
    Ids(of): Ids<InPersona>,
    given: Given<NewContact>,
) -> Result<Posted<Contact>, Problem> {
    if given
        .body
        .reason
        .as_ref()
        .is_some_and(|reason| reason.len() > REASON_BYTES_MAX)
    {
        return Err(Problem::invalid(
            "reason",
            format!("at most {REASON_BYTES_MAX} bytes"),
        ));
    }
    check_link(&given.body.link)?;
    Ok(Posted::accepted(
        api.host
            .add_contact(of.persona, given.body.clone(), given.once())
            .await?,
    ))
}

/// Read a contact
#[utoipa::path(get, path = "/v1/personas/{persona}/contacts/{contact}", tag = "contacts", operation_id = "get_contact",
    params(OfContact),
    responses((status = 200, description = "The contact", body = Contact)),
    security(("token" = ["contacts:read"])))]
async fn get(State(api): State<Api>, Ids(of): Ids<OfContact>) -> Result<Json<Contact>, Problem> {
    Ok(Json(api.host.contact(of.persona, of.contact).await?))
}

/// Rename or mute a contact
#[utoipa::path(patch, path = "/v1/personas/{persona}/contacts/{contact}", tag = "contacts",
    operation_id = "change_contact", params(OfContact), request_body = ContactChange,
    responses((status = 200, description = "The contact as it is now", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn change(
    State(api): State<Api>,
    Ids(of): Ids<OfContact>,
    given: Given<ContactChange>,
) -> Result<Json<Contact>, Problem> {
    if given
        .body
        .name
        .as_ref()
        .is_some_and(|name| name.len() > NAME_BYTES_MAX)
    {
        return Err(Problem::invalid(
            "name",
            format!("at most {NAME_BYTES_MAX} bytes"),
        ));
    }
    Ok(Json(
        api.host
            .change_contact(of.persona, of.contact, given.body)
            .await?,
    ))
}

/// Say that the safety code was compared
#[utoipa::path(post, path = "/v1/personas/{persona}/contacts/{contact}/verify", tag = "contacts",
    operation_id = "verify_contact", params(OfContact), request_body = Verification,
    responses((status = 200, description = "The contact as it is now", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn verify(
    State(api): State<Api>,
    Ids(of): Ids<OfContact>,
    given: Given<Verification>,
) -> Result<Posted<Contact>, Problem> {
    let (verification, once) = (given.body.clone(), given.once());
    Ok(Posted::done(
        api.host
            .verify_contact(of.persona, of.contact, verification, once)
            .await?,
    ))
}

/// Block a contact
#[utoipa::path(post, path = "/v1/personas/{persona}/contacts/{contact}/block", tag = "contacts",
    operation_id = "block_contact", params(OfContact),
    responses((status = 200, description = "The contact as it is now", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn block(
    State(api): State<Api>,
    Ids(of): Ids<OfContact>,
    given: Given<Nothing>,
) -> Result<Posted<Contact>, Problem> {
    Ok(Posted::done(
        api.host
            .block_contact(of.persona, of.contact, true, given.once())
            .await?,
    ))
}

/// End a block
#[utoipa::path(post, path = "/v1/personas/{persona}/contacts/{contact}/unblock", tag = "contacts",
    operation_id = "unblock_contact", params(OfContact),
    responses((status = 200, description = "The contact as it is now", body = Contact)),
    security(("token" = ["contacts:write"])))]
async fn unblock(
    State(api): State<Api>,
    Ids(of): Ids<OfContact>,
    given: Given<Nothing>,
) -> Result<Posted<Contact>, Problem> {
    Ok(Posted::done(
        api.host
            .block_contact(of.persona, of.contact, false, given.once())
            .await?,
    ))
}

/// Refuses what cannot be a link by its size alone; the host reads the rest.
pub(super) fn check_link(link: &str) -> Result<(), Problem> {
    if (1..=LINK_BYTES_MAX).contains(&link.len()) {
        return Ok(());
    }
    Err(Problem::invalid(
        "link",
        format!("1 to {LINK_BYTES_MAX} bytes"),
    ))
}
