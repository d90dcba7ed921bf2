// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calls: one method a route.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::{Client, ClientError, EventStream};
use crate::dto::{
    Account, AccountChange, Consumer, ConsumerMark, Contact, ContactChange, ContactQuery,
    CreatedToken, Decline, Doctor, EventList, EventQuery, HeldBack, HeldBackQuery, Invite, List,
    LogLine, LogQuery, Message, MessageEdit, MessagePage, MessageQuery, NewContact, NewInvite,
    NewMessage, NewPersona, NewRelay, NewTicket, NewToken, NodeStatus, Outbox, OwnRelay, PageQuery,
    Persona, ReadMark, Relay, RelayMove, Request, Setting, Thread, Ticket, Token, Verification,
};
use crate::id::{
    ConsumerName, ContactId, MessageId, PersonaName, RelayId, RequestId, ThreadId, TokenId,
};

type Result<T> = std::result::Result<T, ClientError>;

/// Personas and invites.
impl Client {
    /// Lists the personas.
    pub async fn personas(&self) -> Result<List<Persona>> {
        self.get("/v1/personas").await
    }

    /// Makes a persona.
    pub async fn create_persona(&self, new: &NewPersona) -> Result<Persona> {
        self.give(Method::POST, "/v1/personas", new).await
    }

    /// Reads the account of a persona.
    pub async fn account(&self, persona: &PersonaName) -> Result<Account> {
        self.get(&format!("/v1/personas/{persona}/account")).await
    }

    /// Changes the card of a persona.
    pub async fn change_account(
        &self,
        persona: &PersonaName,
        change: &AccountChange,
    ) -> Result<Account> {
        self.give(
            Method::PATCH,
            &format!("/v1/personas/{persona}/account"),
            change,
        )
        .await
    }

    /// Makes an invite.
    pub async fn invite(&self, persona: &PersonaName, new: &NewInvite) -> Result<Invite> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/invites"),
            new,
        )
        .await
    }
}

/// Contacts and requests.
impl Client {
    /// Lists contacts, a page at a time.
    pub async fn contacts(
        &self,
        persona: &PersonaName,
        query: &ContactQuery,
    ) -> Result<List<Contact>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/contacts"),
            query,
        )?)
        .await
    }

    /// Adds a contact by a link.
    pub async fn add_contact(&self, persona: &PersonaName, new: &NewContact) -> Result<Contact> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/contacts"),
            new,
        )
        .await
    }

    /// Reads a contact.
    pub async fn contact(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.get(&of_contact(persona, contact, "")).await
    }

    /// Renames or mutes a contact.
    pub async fn change_contact(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
        change: &ContactChange,
    ) -> Result<Contact> {
        self.give(Method::PATCH, &of_contact(persona, contact, ""), change)
            .await
    }

    /// Says that the safety code was compared.
    pub async fn verify_contact(
        &self,
        persona: &PersonaName,
        contact: &ContactId,
        code: &Verification,
    ) -> Result<Contact> {
        self.give(Method::POST, &of_contact(persona, contact, "/verify"), code)
            .await
    }

    /// Blocks a contact.
    pub async fn block(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.post(&of_contact(persona, contact, "/block")).await
    }

    /// Ends a block.
    pub async fn unblock(&self, persona: &PersonaName, contact: &ContactId) -> Result<Contact> {
        self.post(&of_contact(persona, contact, "/unblock")).await
    }

    /// Lists open requests, a page at a time.
    pub async fn requests(&self, persona: &PersonaName, page: &PageQuery) -> Result<List<Request>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/requests"),
            page,
        )?)
        .await
    }

    /// Accepts a request.
    pub async fn accept(&self, persona: &PersonaName, request: &RequestId) -> Result<Contact> {
        self.post(&format!("/v1/personas/{persona}/requests/{request}/accept"))
            .await
    }

    /// Declines a request.
    pub async fn decline(
        &self,
        persona: &PersonaName,
        request: &RequestId,
        decline: &Decline,
    ) -> Result<Request> {
        self.give(
            Method::POST,
            &format!("/v1/personas/{persona}/requests/{request}/decline"),
            decline,
        )
        .await
    }
}

/// Threads, messages, outbox.
impl Client {
    /// Lists threads, a page at a time.
    pub async fn threads(&self, persona: &PersonaName, page: &PageQuery) -> Result<List<Thread>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/threads"),
            page,
        )?)
        .await
    }

    /// Reads a thread.
    pub async fn thread(&self, persona: &PersonaName, thread: &ThreadId) -> Result<Thread> {
        self.get(&of_thread(persona, thread, "")).await
    }

    /// Deletes a thread and its history on this node.
    pub async fn delete_thread(&self, persona: &PersonaName, thread: &ThreadId) -> Result<()> {
        self.send::<()>(Method::DELETE, &of_thread(persona, thread, ""), None)
            .await
            .map(drop)
    }

    /// Reads a page of a thread.
    pub async fn messages(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        query: &MessageQuery,
    ) -> Result<MessagePage> {
        self.get(&with_query(
            &of_thread(persona, thread, "/messages"),
            query,
        )?)
        .await
    }

    /// Sends a message: it is durable in the outbox.
    pub async fn send_message(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        new: &NewMessage,
    ) -> Result<Message> {
        self.give(Method::POST, &of_thread(persona, thread, "/messages"), new)
            .await
    }

    /// Reads one message.
    pub async fn message(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        message: &MessageId,
    ) -> Result<Message> {
        self.get(&of_message(persona, thread, message)).await
    }

    /// Gives an own message another text.
    pub async fn edit(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        message: &MessageId,
        edit: &MessageEdit,
    ) -> Result<Message> {
        self.give(Method::PATCH, &of_message(persona, thread, message), edit)
            .await
    }

    /// Erases a message: an own one on both sides unless `only_here`, another's here.
    pub async fn erase(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        message: &MessageId,
        only_here: bool,
    ) -> Result<Message> {
        let mut path = of_message(persona, thread, message);
        if only_here {
            path.push_str("?only_here=true");
        }
        super::json(self.send::<()>(Method::DELETE, &path, None).await?).await
    }

    /// Says how far the user has read.
    pub async fn mark_read(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        mark: &ReadMark,
    ) -> Result<Thread> {
        self.give(Method::POST, &of_thread(persona, thread, "/read"), mark)
            .await
    }

    /// Lists what is held back, the newest first.
    pub async fn held_back(
        &self,
        persona: &PersonaName,
        query: &HeldBackQuery,
    ) -> Result<List<HeldBack>> {
        self.get(&with_query(
            &format!("/v1/personas/{persona}/held-back"),
            query,
        )?)
        .await
    }

    /// Shows a message that is held back.
    pub async fn show_held_back(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        message: &MessageId,
    ) -> Result<Message> {
        let path = format!("{}/show", of_message(persona, thread, message));
        super::json(self.send::<()>(Method::POST, &path, None).await?).await
    }

    /// Sums up what waits to go out.
    pub async fn outbox(&self, persona: &PersonaName) -> Result<Outbox> {
        self.get(&format!("/v1/personas/{persona}/outbox")).await
    }
}

/// The node.
impl Client {
    /// Reads the node's status.
    pub async fn node(&self) -> Result<NodeStatus> {
        self.get("/v1/node").await
    }

    /// Stops the node.
    pub async fn shutdown(&self) -> Result<()> {
        self.send::<()>(Method::POST, "/v1/node/shutdown", None)
            .await
            .map(drop)
    }

    /// Whether the node can work.
    pub async fn ready(&self) -> Result<()> {
        self.send::<()>(Method::GET, "/readyz", None)
            .await
            .map(drop)
    }

    /// Lists the settings.
    pub async fn settings(&self) -> Result<List<Setting>> {
        self.get("/v1/settings").await
    }

    /// Changes settings, all of those given or none.
    pub async fn change_settings(
        &self,
        changes: &BTreeMap<String, Value>,
    ) -> Result<List<Setting>> {
        self.give(Method::PATCH, "/v1/settings", changes).await
    }

    /// Runs the checks.
    pub async fn doctor(&self) -> Result<Doctor> {
        self.get("/v1/doctor").await
    }

    /// Reads lines of the log.
    pub async fn logs(&self, query: &LogQuery) -> Result<List<LogLine>> {
        self.get(&with_query("/v1/logs", query)?).await
    }

    /// Reads the OpenAPI document.
    pub async fn openapi(&self) -> Result<Value> {
        self.get("/v1/openapi.json").await
    }

    /// Reads the figures for monitoring, as text.
    pub async fn metrics(&self) -> Result<String> {
        let response = self.send::<()>(Method::GET, "/metrics", None).await?;
        Ok(String::from_utf8_lossy(&super::read(response).await?).into_owned())
    }
}

/// Relays.
impl Client {
    /// Lists the relays in use.
    pub async fn relays(&self) -> Result<List<Relay>> {
        self.get("/v1/relays").await
    }

    /// Takes a relay into use.
    pub async fn add_relay(&self, new: &NewRelay) -> Result<Relay> {
        self.give(Method::POST, "/v1/relays", new).await
    }

    /// Stops to use a relay.
    pub async fn remove_relay(&self, relay: &RelayId) -> Result<()> {
        self.send::<()>(Method::DELETE, &format!("/v1/relays/{relay}"), None)
            .await
            .map(drop)
    }

    /// Moves the boxes of a relay to another.
    pub async fn move_relay(&self, relay: &RelayId, to: &RelayMove) -> Result<Relay> {
        self.give(Method::POST, &format!("/v1/relays/{relay}/move"), to)
            .await
    }

    /// Describes the relay the node runs.
    pub async fn own_relay(&self) -> Result<OwnRelay> {
        self.get("/v1/node/relay").await
    }

    /// Signs a ticket for the relay the node runs.
    pub async fn ticket(&self, new: &NewTicket) -> Result<Ticket> {
        self.give(Method::POST, "/v1/node/relay/tickets", new).await
    }
}

/// Tokens and events.
impl Client {
    /// Lists named tokens.
    pub async fn tokens(&self) -> Result<List<Token>> {
        self.get("/v1/tokens").await
    }

    /// Makes a named token.
    pub async fn create_token(&self, new: &NewToken) -> Result<CreatedToken> {
        self.give(Method::POST, "/v1/tokens", new).await
    }

    /// Deletes a named token.
    pub async fn delete_token(&self, token: &TokenId) -> Result<()> {
        self.send::<()>(Method::DELETE, &format!("/v1/tokens/{token}"), None)
            .await
            .map(drop)
    }

    /// Reads a page of events, waiting if the query says so.
    pub async fn events(&self, query: &EventQuery) -> Result<EventList> {
        self.get(&events_path(query)?).await
    }

    /// Opens a stream of events. It connects when first asked.
    #[must_use]
    pub fn watch(&self, query: EventQuery) -> EventStream {
        EventStream::new(self.clone(), query)
    }

    /// Reads the place of a named reader.
    pub async fn consumer(&self, name: &ConsumerName) -> Result<Consumer> {
        self.get(&format!("/v1/consumers/{name}")).await
    }

    /// Stores the place of a named reader.
    pub async fn set_consumer(&self, name: &ConsumerName, seq: u64) -> Result<Consumer> {
        self.give(
            Method::PUT,
            &format!("/v1/consumers/{name}"),
            &ConsumerMark { seq },
        )
        .await
    }
}

fn of_contact(persona: &PersonaName, contact: &ContactId, rest: &str) -> String {
    format!("/v1/personas/{persona}/contacts/{contact}{rest}")
}

fn of_thread(persona: &PersonaName, thread: &ThreadId, rest: &str) -> String {
    format!("/v1/personas/{persona}/threads/{thread}{rest}")
}

fn of_message(persona: &PersonaName, thread: &ThreadId, message: &MessageId) -> String {
    format!("/v1/personas/{persona}/threads/{thread}/messages/{message}")
}

pub(super) fn events_path(query: &EventQuery) -> Result<String> {
    with_query("/v1/events", query)
}

/// Writes the fields of a query, which are all numbers and text, behind a path.
fn with_query(path: &str, query: &impl Serialize) -> Result<String> {
    let fields =
        serde_json::to_value(query).map_err(|error| ClientError::Internal(error.to_string()))?;
    let mut text = path.to_owned();
    let mut mark = '?';
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(text, "{mark}{name}={}", escape(&value));
        mark = '&';
    }
    Ok(text)
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}
