// SPDX-License-Identifier: MIT OR Apache-2.0
//! A message as the API shows it.

use comptoir_api::dto::{
    Author, AuthorKind as ApiAuthorKind, Gap, Message, MessageKind, MessagePage,
    MessageState as ApiState, Via as ApiVia,
};
use comptoir_api::time::Timestamp;
use comptoir_engine::query::{
    ContactView, ContentView, From, HistoryItem, HistoryPage, MessageView, ThreadView,
};
use comptoir_engine::{MessageAt, MessageState};
use comptoir_protocol::body::AuthorKind;
use comptoir_protocol::id::MessageId;

use super::Host;
use super::contacts::shown;
use super::ids::{contact_id, message_id, thread_id};

impl Host {
    pub(super) fn message_dto(
        &self,
        message: MessageView,
        contact: Option<&ContactView>,
    ) -> Message {
        let at = MessageAt {
            thread: message.thread,
            author: message.place.author,
            lane: message.lane,
            sequence: message.place.sequence,
        };
        let (kind, text, fallback, kind_number) = match message.content {
            ContentView::Text(text) => (MessageKind::Text, Some(text), None, None),
            ContentView::Other { kind, bytes: _ } => (
                MessageKind::Unknown,
                None,
                message.header.fallback.clone(),
                Some(kind),
            ),
            ContentView::NeedsNewer { kind, fallback } => {
                (MessageKind::NeedsNewer, None, fallback, Some(kind))
            }
            ContentView::Erased => (MessageKind::Erased, None, None, None),
        };
        let reply_to = message.header.reply_to.as_ref().map(|id| {
            let MessageId {
                author,
                lane,
                sequence,
                ..
            } = *id;
            message_id(&MessageAt {
                thread: message.thread,
                author,
                lane,
                sequence,
            })
        });
        let expires = message
            .header
            .expires_after_s
            .map(|s| message.shown_ms.saturating_add(u64::from(s) * 1000));
        Message {
            id: message_id(&at),
            thread: thread_id(message.thread),
            author: Author {
                me: message.own,
                contact: contact
                    .filter(|_| !message.own)
                    .map(|contact| contact_id(contact.contact)),
                name: contact
                    .filter(|_| !message.own)
                    .map(|contact| shown(contact).to_owned())
                    .unwrap_or_default(),
                device: message.place.author.to_string(),
                kind: match message.header.author_kind {
                    AuthorKind::Human => ApiAuthorKind::Human,
                    AuthorKind::Bot => ApiAuthorKind::Bot,
                    AuthorKind::Campaign => ApiAuthorKind::Campaign,
                },
            },
            sequence: message.place.sequence,
            kind,
            text,
            fallback,
            kind_number,
            via: message.header.via.as_ref().map(|via| ApiVia {
                name: via.name.clone(),
                key: via.key.to_string(),
            }),
            reply_to,
            state: state(message.state, message.held_back),
            sent: Timestamp::from_ms(message.shown_ms),
            received: Timestamp::from_ms(message.arrived_ms),
            edited: (message.edited_ms > 0).then(|| Timestamp::from_ms(message.edited_ms)),
            expires: expires.map(Timestamp::from_ms),
            late: message.late,
        }
    }

    pub(super) fn page_dto(
        &self,
        page: HistoryPage,
        from: From,
        contact: Option<&ContactView>,
    ) -> MessagePage {
        let (mut data, mut gaps) = (Vec::new(), Vec::new());
        for item in page.items {
            match item {
                HistoryItem::Message(message) => data.push(self.message_dto(message, contact)),
                HistoryItem::Gap {
                    author,
                    lane: _,
                    from,
                    to,
                } => {
                    let after = data.last().map(|message: &Message| message.id.clone());
                    gaps.push(Gap {
                        device: author.to_string(),
                        from,
                        to,
                        after,
                    });
                }
            }
        }
        let backwards = matches!(from, From::Newest | From::Before(_));
        let edge = if backwards { data.first() } else { data.last() };
        let next = edge
            .filter(|_| page.has_more)
            .map(|message| message.id.to_string());
        MessagePage {
            data,
            gaps,
            has_more: page.has_more,
            next,
        }
    }
}

/// A message's id as it travels.
pub(super) fn wire_id(thread: &ThreadView, at: MessageAt) -> MessageId {
    MessageId {
        thread: thread.id,
        author: at.author,
        lane: at.lane,
        sequence: at.sequence,
    }
}

fn state(own: Option<MessageState>, held_back: bool) -> ApiState {
    match own {
        Some(MessageState::Queued) => ApiState::Queued,
        Some(MessageState::Stored) => ApiState::Stored,
        Some(MessageState::Delivered) => ApiState::Delivered,
        Some(MessageState::Read) => ApiState::Read,
        None if held_back => ApiState::HeldBack,
        None => ApiState::Received,
    }
}
