// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls about threads: their messages, what is held back, what waits to go out.

use reqwest::Method;

use super::{Result, with_query};
use crate::client::Client;
use crate::dto::{
    HeldBack, HeldBackQuery, List, Message, MessageEdit, MessagePage, MessageQuery, NewMessage,
    Outbox, PageQuery, ReadMark, Thread,
};
use crate::id::{MessageId, PersonaName, ThreadId};

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
        crate::client::json(self.send::<()>(Method::DELETE, &path, None).await?).await
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
        crate::client::json(self.send::<()>(Method::POST, &path, None).await?).await
    }

    /// Sums up what waits to go out.
    pub async fn outbox(&self, persona: &PersonaName) -> Result<Outbox> {
        self.get(&format!("/v1/personas/{persona}/outbox")).await
    }
}

fn of_thread(persona: &PersonaName, thread: &ThreadId, rest: &str) -> String {
    format!("/v1/personas/{persona}/threads/{thread}{rest}")
}

fn of_message(persona: &PersonaName, thread: &ThreadId, message: &MessageId) -> String {
    format!("/v1/personas/{persona}/threads/{thread}/messages/{message}")
}
