// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads, what is sent in them, and what waits, for the API.

use comptoir_api::dto::{
    HeldBack, HeldBackQuery, List, Message, MessageEdit, MessagePage, MessagesFrom, NewMessage,
    Outbox, OutboxContact, PageQuery, Thread, ThreadKind,
};
use comptoir_api::host::{Answer, HostError, Idempotency, ThreadHost, Written};
use comptoir_api::id::{MessageId, PersonaName, ThreadId};
use comptoir_api::time::Timestamp;
use comptoir_engine::query::{self, ContactView, From, HistoryItem, ThreadView};
use comptoir_engine::{Answer as Done, Command, MessageAt, NewMessage as Outgoing};
use comptoir_protocol::body::Body;
use comptoir_protocol::id::Lane;

use super::contacts::{after_number, shown};
use super::ids::{contact_id, message_at, missing, thread_id, thread_number};
use super::{Host, at_once, unexpected, unreadable};

impl Host {
    pub(super) fn thread_view(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
    ) -> Result<ThreadView, HostError> {
        let number = self.persona(persona)?;
        let found = query::thread(&self.view(), thread_number(thread)?).map_err(unreadable)?;
        found
            .filter(|found| found.persona == number && found.contact.is_some())
            .ok_or_else(|| missing("thread", thread))
    }

    pub(super) fn contact_of(&self, thread: &ThreadView) -> Result<Option<ContactView>, HostError> {
        match thread.contact {
            Some(contact) => query::contact(&self.view(), contact).map_err(unreadable),
            None => Ok(None),
        }
    }

    fn thread_dto(&self, thread: ThreadView) -> Result<Thread, HostError> {
        let contact = self.contact_of(&thread)?;
        let newest = query::history(&self.view(), thread.thread, From::Newest, 1)
            .map_err(unreadable)?
            .unwrap_or_default();
        let last = newest.items.into_iter().rev().find_map(|item| match item {
            HistoryItem::Message(message) => Some(self.message_dto(message, contact.as_ref())),
            HistoryItem::Gap { .. } => None,
        });
        Ok(Thread {
            id: thread_id(thread.thread),
            kind: ThreadKind::Pair,
            title: contact
                .as_ref()
                .map(|contact| shown(contact).to_owned())
                .unwrap_or_default(),
            contact: thread.contact.map(contact_id),
            unread: thread.unread,
            held_back: thread.held_back,
            muted: contact.as_ref().is_some_and(|contact| contact.muted),
            last,
            updated: Timestamp::from_ms(thread.last_ms),
        })
    }

    /// Threads come newest first; a page goes on behind as many as were shown, since their order moves as people write.
    fn thread_page(
        &self,
        persona: &PersonaName,
        page: &PageQuery,
    ) -> Result<List<Thread>, HostError> {
        let shown_before = page
            .after
            .as_deref()
            .map(after_number)
            .transpose()?
            .unwrap_or(0);
        let all = query::threads(&self.view(), self.persona(persona)?).map_err(unreadable)?;
        let (skip, limit) = (
            usize::try_from(shown_before).unwrap_or(usize::MAX),
            usize::try_from(page.limit()).unwrap_or(usize::MAX),
        );
        let has_more = all.len() > skip.saturating_add(limit);
        let data = all
            .into_iter()
            .skip(skip)
            .take(limit)
            .map(|thread| self.thread_dto(thread))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(List {
            data,
            has_more,
            next: has_more.then(|| (skip + limit).to_string()),
        })
    }

    fn message_page(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        from: &MessagesFrom,
        limit: u32,
    ) -> Result<MessagePage, HostError> {
        let known = self.thread_view(persona, thread)?;
        let in_thread =
            |id: &MessageId| message_at(id).and_then(|at| self.of_thread(&known, id, at));
        let from = match from {
            MessagesFrom::Newest => From::Newest,
            MessagesFrom::Start => From::Start,
            MessagesFrom::Before(id) => From::Before(in_thread(id)?),
            MessagesFrom::After(id) => From::After(in_thread(id)?),
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = query::history(&self.view(), known.thread, from, limit).map_err(unreadable)?;
        let page = page.ok_or_else(|| missing("message", &"to go on from"))?;
        let contact = self.contact_of(&known)?;
        Ok(self.page_dto(page, from, contact.as_ref()))
    }

    /// An id of another thread names nothing in this one.
    pub(super) fn of_thread(
        &self,
        thread: &ThreadView,
        id: &MessageId,
        at: MessageAt,
    ) -> Result<MessageAt, HostError> {
        if at.thread == thread.thread {
            Ok(at)
        } else {
            Err(missing("message", id))
        }
    }

    pub(super) fn one_message(
        &self,
        persona: &PersonaName,
        thread: &ThreadId,
        message: &MessageId,
    ) -> Result<Message, HostError> {
        let known = self.thread_view(persona, thread)?;
        let at = self.of_thread(&known, message, message_at(message)?)?;
        self.message_of(&known, at, message)
    }

    fn message_of(
        &self,
        thread: &ThreadView,
        at: MessageAt,
        id: &impl ToString,
    ) -> Result<Message, HostError> {
        let contact = self.contact_of(thread)?;
        let found = query::message(&self.view(), at)
            .map_err(unreadable)?
            .ok_or_else(|| missing("message", id))?;
        Ok(self.message_dto(found, contact.as_ref()))
    }

    async fn send_text(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        new: NewMessage,
        once: Option<Idempotency>,
    ) -> Result<Written<Message>, HostError> {
        let known = self.thread_view(&persona, &thread)?;
        let mut body = Body::text(new.text);
        body.header.expires_after_s = new.expires_after_s;
        if let Some(reply_to) = &new.reply_to {
            let at = self.of_thread(&known, reply_to, message_at(reply_to)?)?;
            body.header.reply_to = Some(super::messages::wire_id(&known, at));
        }
        let command = Command::Send {
            thread: known.thread,
            lane: Lane::Service,
            messages: vec![Outgoing { body }],
        };
        let replayed = self.was_asked(known.persona, once.as_ref())?;
        match self.ask(known.persona, command, once).await? {
            Done::Sent {
                thread,
                author,
                lane,
                from,
                to: _,
            } => {
                let at = MessageAt {
                    thread,
                    author,
                    lane,
                    sequence: from,
                };
                let value = self.message_of(&known, at, &"just sent")?;
                Ok(Written { value, replayed })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn change_message(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        command: impl FnOnce(MessageAt) -> Command,
    ) -> Result<Message, HostError> {
        let known = self.thread_view(&persona, &thread)?;
        let at = self.of_thread(&known, &message, message_at(&message)?)?;
        self.ask(known.persona, command(at), None).await?;
        self.one_message(&persona, &thread, &message)
    }

    fn outbox_dto(&self, persona: &PersonaName) -> Result<Outbox, HostError> {
        let waiting = query::outbox(&self.view(), self.persona(persona)?).map_err(unreadable)?;
        let mut outbox = Outbox::default();
        for of_contact in waiting {
            outbox.messages += of_contact.messages;
            outbox.envelopes += of_contact.envelopes;
            outbox.bytes += of_contact.bytes;
            outbox.contacts.push(OutboxContact {
                contact: contact_id(of_contact.contact),
                name: of_contact.name,
                envelopes: of_contact.envelopes,
                oldest: Timestamp::from_ms(of_contact.oldest_ms),
                next_try: None,
            });
        }
        Ok(outbox)
    }
}

impl ThreadHost for Host {
    fn threads(&self, persona: PersonaName, page: PageQuery) -> Answer<'_, List<Thread>> {
        at_once(self.thread_page(&persona, &page))
    }

    fn thread(&self, persona: PersonaName, thread: ThreadId) -> Answer<'_, Thread> {
        at_once(
            self.thread_view(&persona, &thread)
                .and_then(|known| self.thread_dto(known)),
        )
    }

    fn delete_thread(&self, persona: PersonaName, thread: ThreadId) -> Answer<'_, ()> {
        Box::pin(async move {
            let known = self.thread_view(&persona, &thread)?;
            self.ask(
                known.persona,
                Command::DeleteThread {
                    thread: known.thread,
                },
                None,
            )
            .await
            .map(|_| ())
        })
    }

    fn messages(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        from: MessagesFrom,
        limit: u32,
    ) -> Answer<'_, MessagePage> {
        at_once(self.message_page(&persona, &thread, &from, limit))
    }

    fn send(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        new: NewMessage,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>> {
        Box::pin(self.send_text(persona, thread, new, once))
    }

    fn message(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
    ) -> Answer<'_, Message> {
        at_once(self.one_message(&persona, &thread, &message))
    }

    fn edit(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        edit: MessageEdit,
    ) -> Answer<'_, Message> {
        Box::pin(
            self.change_message(persona, thread, message, move |message| Command::Edit {
                message,
                text: edit.text,
            }),
        )
    }

    fn erase(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        only_here: bool,
    ) -> Answer<'_, Message> {
        Box::pin(
            self.change_message(persona, thread, message, move |message| Command::Erase {
                message,
                only_here,
            }),
        )
    }

    fn held_back(&self, persona: PersonaName, query: HeldBackQuery) -> Answer<'_, List<HeldBack>> {
        at_once(self.held_back_page(&persona, &query))
    }

    fn show_held_back(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>> {
        Box::pin(self.show_message(persona, thread, message, once))
    }

    fn mark_read(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        up_to: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Thread>> {
        Box::pin(async move {
            let known = self.thread_view(&persona, &thread)?;
            let at = self.of_thread(&known, &up_to, message_at(&up_to)?)?;
            let replayed = self.was_asked(known.persona, once.as_ref())?;
            self.ask(
                known.persona,
                Command::MarkRead {
                    thread: known.thread,
                    up_to: Some(at),
                },
                once,
            )
            .await?;
            let value = self.thread_dto(self.thread_view(&persona, &thread)?)?;
            Ok(Written { value, replayed })
        })
    }

    fn outbox(&self, persona: PersonaName) -> Answer<'_, Outbox> {
        at_once(self.outbox_dto(&persona))
    }
}
