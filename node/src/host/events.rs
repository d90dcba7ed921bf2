// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events as the API tells them: a type, whose, and the ids of what it is about.

use comptoir_api::dto::Event as ApiEvent;
use comptoir_api::host::{Answer, ConsumerRecord, EventHost, EventPage, HostError};
use comptoir_api::time::Timestamp;
use comptoir_engine::{Event, EventRecord, MessageAt, MessageState, RelayCondition, query};
use comptoir_protocol::id::Lane;
use comptoir_store::Consumer;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ids::{contact_id, event_id, message_id, relay_id, request_id, thread_id};
use super::{Host, at_once, unreadable};
use crate::time::wall_ms;

impl Host {
    fn event(&self, number: u64, record: EventRecord) -> ApiEvent {
        let EventRecord { wall_ms, event } = record;
        let (persona, kind, data) = told(event);
        ApiEvent {
            seq: number,
            id: event_id(number),
            kind: kind.to_owned(),
            time: Timestamp::from_ms(wall_ms),
            persona: Some(self.persona_name(persona)),
            data,
        }
    }

    fn page(&self, after: u64, limit: u32) -> Result<EventPage, HostError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let view = self.view();
        let events = self.node.durable_events(after, limit).map_err(unreadable)?;
        let oldest_kept = query::oldest_event(&view).map_err(unreadable)?;
        Ok(EventPage {
            events: events
                .into_iter()
                .map(|(number, record)| self.event(number, record))
                .collect(),
            oldest_kept,
        })
    }
}

impl EventHost for Host {
    fn events(&self, after: u64, limit: u32) -> Answer<'_, EventPage> {
        at_once(self.page(after, limit))
    }

    fn newest_event(&self) -> watch::Receiver<u64> {
        self.node.inner.newest_event.clone()
    }

    fn consumer(&self, name: String) -> Answer<'_, ConsumerRecord> {
        let found = self
            .node
            .inner
            .core
            .consumer(&name)
            .map_err(|error| HostError::Internal(error.to_string()));
        at_once(found.and_then(|found| {
            found.map(record).ok_or(HostError::NotFound {
                what: "consumer",
                id: name,
            })
        }))
    }

    fn set_consumer(&self, name: String, seq: u64) -> Answer<'_, ConsumerRecord> {
        let core = std::sync::Arc::clone(&self.node.inner.core);
        Box::pin(async move {
            let set =
                tokio::task::spawn_blocking(move || core.acknowledge(&name, seq, wall_ms())).await;
            let set = set.map_err(|error| HostError::Internal(error.to_string()))?;
            set.map(record)
                .map_err(|error| HostError::ReadOnly(error.to_string()))
        })
    }
}

fn record(consumer: Consumer) -> ConsumerRecord {
    ConsumerRecord {
        seq: consumer.acknowledged,
        updated: Timestamp::from_ms(consumer.acknowledged_ms),
    }
}

/// Whose an event is, what it is called, and what it says.
fn told(event: Event) -> (u16, &'static str, Value) {
    let span = |thread: u32, author: Option<_>, lane, from, to| {
        let id = |sequence| {
            author.map(|author| {
                message_id(&MessageAt {
                    thread,
                    author,
                    lane,
                    sequence,
                })
            })
        };
        json!({ "thread": thread_id(thread), "first": id(from), "last": id(to), "from": from, "to": to })
    };
    match event {
        Event::PersonaCreated { persona } => (persona, "persona.created", json!({})),
        Event::RequestReceived { persona, request } => (
            persona,
            "request.received",
            json!({ "id": request_id(request) }),
        ),
        Event::ContactAdded {
            persona,
            contact,
            thread,
        } => (
            persona,
            "contact.added",
            json!({ "id": contact_id(contact), "thread": thread_id(thread) }),
        ),
        Event::ContactChanged { persona, contact } => (
            persona,
            "contact.changed",
            json!({ "id": contact_id(contact) }),
        ),
        Event::MessagesReceived {
            persona,
            thread,
            author,
            lane,
            from,
            to,
            late,
        } => {
            let mut data = span(thread, Some(author), lane, from, to);
            data["late"] = json!(late);
            (persona, "message.received", data)
        }
        Event::MessagesMoved {
            persona,
            thread,
            lane,
            from,
            to,
            state,
        } => (
            persona,
            state_word(state),
            span(thread, None, lane, from, to),
        ),
        Event::MessagesEnded {
            persona,
            thread,
            author,
            lane,
            from,
            to,
        } => (
            persona,
            "message.ended",
            span(thread, Some(author), lane, from, to),
        ),
        Event::GapSeen {
            persona,
            thread,
            author,
            lane,
            from,
            to,
        } => (
            persona,
            "gap.seen",
            span(thread, Some(author), lane, from, to),
        ),
        Event::GapFilled {
            persona,
            thread,
            author,
            lane,
            from,
            to,
        } => (
            persona,
            "gap.filled",
            span(thread, Some(author), lane, from, to),
        ),
        Event::MessageChanged {
            persona,
            thread,
            author,
            lane,
            sequence,
            erased,
        } => {
            let id = message_id(&MessageAt {
                thread,
                author,
                lane,
                sequence,
            });
            let kind = if erased {
                "message.erased"
            } else {
                "message.edited"
            };
            (
                persona,
                kind,
                json!({ "thread": thread_id(thread), "id": id }),
            )
        }
        Event::NotDelivered {
            persona,
            thread,
            lane,
            from,
            to,
        } => (
            persona,
            "message.not_delivered",
            span(thread, None, lane, from, to),
        ),
        Event::ThreadRead { persona, thread } => {
            (persona, "thread.read", json!({ "id": thread_id(thread) }))
        }
        Event::ThreadDeleted { persona, thread } => (
            persona,
            "thread.deleted",
            json!({ "id": thread_id(thread) }),
        ),
        Event::RelayChanged {
            persona,
            relay,
            condition,
        } => {
            let kind = match condition {
                RelayCondition::Up => "relay.up",
                RelayCondition::Down => "relay.down",
                RelayCondition::Refused => "relay.refused",
            };
            (persona, kind, json!({ "id": relay_id(persona, &relay) }))
        }
        other => told_of_trouble(other),
    }
}

fn told_of_trouble(event: Event) -> (u16, &'static str, Value) {
    match event {
        Event::HelloFailed {
            persona,
            contact,
            why,
        } => (
            persona,
            "contact.failed",
            json!({ "id": contact_id(contact), "reason": why }),
        ),
        Event::NeedsNewer { persona, contact } => (
            persona,
            "contact.needs_newer",
            json!({ "id": contact_id(contact) }),
        ),
        Event::HeldBack {
            persona,
            contact,
            count,
        } => (
            persona,
            "message.held_back",
            json!({ "contact": contact_id(contact), "count": count }),
        ),
        Event::HeldBackShown {
            persona,
            thread,
            author,
            lane,
            from,
            to,
        } => {
            let id = |sequence| {
                message_id(&MessageAt {
                    thread,
                    author,
                    lane,
                    sequence,
                })
            };
            (
                persona,
                "message.shown",
                json!({ "thread": thread_id(thread), "first": id(from), "last": id(to), "from": from, "to": to }),
            )
        }
        Event::CloneSuspected {
            persona,
            ours,
            seen,
        } => (
            persona,
            "node.clone_suspected",
            json!({ "ours": ours, "seen": seen }),
        ),
        Event::ChainBroken {
            persona,
            thread,
            author,
            sequence,
        } => {
            let id = message_id(&MessageAt {
                thread,
                author,
                lane: Lane::Service,
                sequence,
            });
            (
                persona,
                "thread.chain_broken",
                json!({ "thread": thread_id(thread), "id": id }),
            )
        }
        Event::SettingsChanged { persona } => (persona, "settings.changed", json!({})),
        other => (0, "node.event", json!({ "detail": format!("{other:?}") })),
    }
}

fn state_word(state: MessageState) -> &'static str {
    match state {
        MessageState::Queued => "message.queued",
        MessageState::Stored => "message.stored",
        MessageState::Delivered => "message.delivered",
        MessageState::Read => "message.read",
    }
}
