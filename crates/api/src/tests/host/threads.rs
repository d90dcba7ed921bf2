// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads and messages of the host in memory.

use super::samples::{sample_message, sample_thread};
use super::{TestHost, done, good, now};
use crate::dto::*;
use crate::host::*;
use crate::id::*;

impl ThreadHost for TestHost {
    fn threads(&self, _: PersonaName, _: PageQuery) -> Answer<'_, List<Thread>> {
        good(List::whole(vec![sample_thread()]))
    }
    fn thread(&self, _: PersonaName, _: ThreadId) -> Answer<'_, Thread> {
        good(sample_thread())
    }
    fn delete_thread(&self, _: PersonaName, _: ThreadId) -> Answer<'_, ()> {
        self.plain("delete thread".to_owned(), ())
    }
    fn messages(
        &self,
        _: PersonaName,
        _: ThreadId,
        from: MessagesFrom,
        limit: u32,
    ) -> Answer<'_, MessagePage> {
        let data = vec![sample_message(&format!("{from:?} {limit}"))];
        let gap = Gap {
            device: "cd".repeat(32),
            from: 4,
            to: 6,
            after: None,
        };
        good(MessagePage {
            data,
            gaps: vec![gap],
            has_more: true,
            next: Some("msg_1".to_owned()),
        })
    }
    fn send(
        &self,
        _: PersonaName,
        _: ThreadId,
        new: NewMessage,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>> {
        Box::pin(async move {
            if *self.gated.lock().unwrap() {
                self.gate.acquire().await.unwrap().forget();
            }
            self.write(
                format!("send {}", new.text),
                once,
                sample_message(&new.text),
            )
        })
    }
    fn message(&self, _: PersonaName, _: ThreadId, _: MessageId) -> Answer<'_, Message> {
        good(sample_message("hi"))
    }
    fn edit(
        &self,
        _: PersonaName,
        _: ThreadId,
        _: MessageId,
        edit: MessageEdit,
    ) -> Answer<'_, Message> {
        self.plain(
            "edit".to_owned(),
            Message {
                edited: Some(now()),
                ..sample_message(&edit.text)
            },
        )
    }
    fn erase(
        &self,
        _: PersonaName,
        _: ThreadId,
        _: MessageId,
        only_here: bool,
    ) -> Answer<'_, Message> {
        self.plain(
            format!("erase only_here={only_here}"),
            Message {
                kind: MessageKind::Erased,
                text: None,
                ..sample_message("")
            },
        )
    }
    fn mark_read(
        &self,
        _: PersonaName,
        _: ThreadId,
        up_to: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Thread>> {
        done(self.write(format!("read {up_to}"), once, sample_thread()))
    }
    fn held_back(&self, _: PersonaName, query: HeldBackQuery) -> Answer<'_, List<HeldBack>> {
        let message = Message {
            state: MessageState::HeldBack,
            ..sample_message(&format!("{:?}", query.thread))
        };
        let ends = now();
        good(List::whole(vec![HeldBack { message, ends }]))
    }
    fn show_held_back(
        &self,
        _: PersonaName,
        _: ThreadId,
        message: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>> {
        done(self.write(format!("show {message}"), once, sample_message("hi")))
    }
    fn outbox(&self, _: PersonaName) -> Answer<'_, Outbox> {
        good(Outbox {
            messages: 3,
            ..Outbox::default()
        })
    }
}
