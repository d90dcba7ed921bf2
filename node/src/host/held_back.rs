// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is held back, for the API.

use comptoir_api::dto::{HeldBack, HeldBackQuery, List, Message};
use comptoir_api::host::{HostError, Idempotency, Written};
use comptoir_api::id::{MessageId, PersonaName, ThreadId};
use comptoir_api::time::Timestamp;
use comptoir_engine::Command;
use comptoir_engine::query::{self, HeldBackView};

use super::contacts::after_number;
use super::ids::message_at;
use super::{Host, unreadable};

impl Host {
    /// The newest come first; a page goes on behind as many as were shown.
    pub(super) fn held_back_page(
        &self,
        persona: &PersonaName,
        query: &HeldBackQuery,
    ) -> Result<List<HeldBack>, HostError> {
        let of_thread = query.thread.as_ref();
        let thread = of_thread
            .map(|thread| self.thread_view(persona, thread))
            .transpose()?
            .map(|known| known.thread);
        let after = query.after.as_deref().map(after_number).transpose()?;
        let skip = usize::try_from(after.unwrap_or(0)).unwrap_or(usize::MAX);
        let limit = usize::try_from(query.limit()).unwrap_or(usize::MAX);
        let wanted = skip.saturating_add(limit).saturating_add(1);
        let found = query::held_back(&self.view(), self.persona(persona)?, thread, wanted)
            .map_err(unreadable)?;
        let has_more = found.len() >= wanted;
        let data = found
            .into_iter()
            .skip(skip)
            .take(limit)
            .map(|held| self.held_back_dto(held))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(List {
            data,
            has_more,
            next: has_more.then(|| (skip + limit).to_string()),
        })
    }

    fn held_back_dto(&self, held: HeldBackView) -> Result<HeldBack, HostError> {
        let known = query::thread(&self.view(), held.message.thread).map_err(unreadable)?;
        let contact = match &known {
            Some(known) => self.contact_of(known)?,
            None => None,
        };
        Ok(HeldBack {
            message: self.message_dto(held.message, contact.as_ref()),
            ends: Timestamp::from_ms(held.ends_ms),
        })
    }

    pub(super) async fn show_message(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        once: Option<Idempotency>,
    ) -> Result<Written<Message>, HostError> {
        let known = self.thread_view(&persona, &thread)?;
        let at = self.of_thread(&known, &message, message_at(&message)?)?;
        let command = Command::ShowHeldBack {
            thread: known.thread,
            message: Some(at),
        };
        self.ask(known.persona, command, once).await?;
        self.one_message(&persona, &thread, &message)
            .map(Written::now)
    }
}
