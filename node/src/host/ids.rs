// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ids of the API and the local numbers behind them.

use std::str::FromStr;

use comptoir_api::host::HostError;
use comptoir_api::id::{ContactId, EventId, MessageId, RelayId, RequestId, ThreadId};
use comptoir_engine::MessageAt;
use comptoir_protocol::id::{DeviceId, Lane, RelayKey};

const SHAPE: &str = "a number or hex always makes an id";

pub(super) fn contact_id(number: u32) -> ContactId {
    ContactId::from_body(number).expect(SHAPE)
}

pub(super) fn thread_id(number: u32) -> ThreadId {
    ThreadId::from_body(number).expect(SHAPE)
}

pub(super) fn request_id(number: u32) -> RequestId {
    RequestId::from_body(number).expect(SHAPE)
}

pub(super) fn event_id(number: u64) -> EventId {
    EventId::from_body(number).expect(SHAPE)
}

pub(super) fn relay_id(persona: u16, key: &RelayKey) -> RelayId {
    RelayId::from_body(format!("{persona}-{key}")).expect(SHAPE)
}

pub(super) fn message_id(at: &MessageAt) -> MessageId {
    let MessageAt {
        thread,
        author,
        lane,
        sequence,
    } = at;
    let lane = match lane {
        Lane::Service => "s",
        Lane::Promotion => "p",
    };
    MessageId::from_body(format!("{thread}-{author}-{lane}-{sequence}")).expect(SHAPE)
}

pub(super) fn contact_number(id: &ContactId) -> Result<u32, HostError> {
    number(id.body()).ok_or_else(|| missing("contact", id))
}

pub(super) fn thread_number(id: &ThreadId) -> Result<u32, HostError> {
    number(id.body()).ok_or_else(|| missing("thread", id))
}

pub(super) fn request_number(id: &RequestId) -> Result<u32, HostError> {
    number(id.body()).ok_or_else(|| missing("request", id))
}

pub(super) fn relay_key(id: &RelayId) -> Result<(u16, RelayKey), HostError> {
    let parts = id
        .body()
        .split_once('-')
        .and_then(|(persona, key)| Some((persona.parse().ok()?, key.parse().ok()?)));
    parts.ok_or_else(|| missing("relay", id))
}

pub(super) fn message_at(id: &MessageId) -> Result<MessageAt, HostError> {
    parse_message(id.body()).ok_or_else(|| missing("message", id))
}

fn parse_message(body: &str) -> Option<MessageAt> {
    let mut parts = body.split('-');
    let (thread, author) = (
        number(parts.next()?)?,
        DeviceId::from_str(parts.next()?).ok()?,
    );
    let lane = match parts.next()? {
        "s" => Lane::Service,
        "p" => Lane::Promotion,
        _ => return None,
    };
    let sequence = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(MessageAt {
        thread,
        author,
        lane,
        sequence,
    })
}

/// One spelling a number: `07` names nothing.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

pub(super) fn missing(what: &'static str, id: &impl ToString) -> HostError {
    HostError::NotFound {
        what,
        id: id.to_string(),
    }
}
