// SPDX-License-Identifier: MIT OR Apache-2.0
//! One of each kind, as the host answers with it.

use serde_json::json;

use super::now;
use crate::dto::*;
use crate::id::*;

pub(in crate::tests) fn sample_persona(name: &str) -> Persona {
    let name: PersonaName = name.parse().unwrap();
    Persona {
        display_name: name.to_string(),
        name,
        account: "ab".repeat(32),
        created: now(),
        unread: 2,
    }
}

pub(in crate::tests) fn sample_account(persona: PersonaName) -> Account {
    Account {
        persona,
        account: "ab".repeat(32),
        display_name: "Ada".to_owned(),
        device: "cd".repeat(32),
        devices: 1,
        card_number: 3,
        card_expires: now(),
        reach: Reach::Relays,
        state_as_of: now(),
    }
}

pub(in crate::tests) fn sample_contact() -> Contact {
    Contact {
        id: "ctc_1".parse().unwrap(),
        name: "Bob".to_owned(),
        card_name: "Bob".to_owned(),
        account: "ef".repeat(32),
        state: ContactState::Accepted,
        verified: false,
        muted: false,
        blocked: false,
        thread: Some("thr_1".parse().unwrap()),
        safety_code: Some("12345 ".repeat(12).trim().to_owned()),
        reach: Reach::Relays,
        connected: true,
        added: now(),
    }
}

pub(in crate::tests) fn sample_request(state: RequestState) -> Request {
    Request {
        id: "req_1".parse().unwrap(),
        card_name: "Eve".to_owned(),
        account: "aa".repeat(32),
        reason: "hello".to_owned(),
        via: RequestVia::Invite,
        state,
        safety_code: "1".repeat(60),
        received: now(),
    }
}

pub(in crate::tests) fn sample_message(text: &str) -> Message {
    Message {
        id: "msg_1".parse().unwrap(),
        thread: "thr_1".parse().unwrap(),
        author: Author {
            me: true,
            contact: None,
            name: "Ada".to_owned(),
            device: "cd".repeat(32),
            kind: AuthorKind::Human,
        },
        sequence: 1,
        kind: MessageKind::Text,
        text: Some(text.to_owned()),
        fallback: None,
        kind_number: None,
        via: None,
        reply_to: None,
        state: MessageState::Queued,
        sent: now(),
        received: now(),
        edited: None,
        expires: None,
        late: false,
    }
}

pub(in crate::tests) fn sample_thread() -> Thread {
    Thread {
        id: "thr_1".parse().unwrap(),
        kind: ThreadKind::Pair,
        title: "Bob".to_owned(),
        contact: Some("ctc_1".parse().unwrap()),
        unread: 2,
        held_back: 0,
        muted: false,
        last: Some(sample_message("hi")),
        updated: now(),
    }
}

pub(in crate::tests) fn sample_relay() -> Relay {
    Relay {
        id: "rly_1".parse().unwrap(),
        persona: PersonaName::main(),
        key: "bb".repeat(32),
        addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
        state: RelayState::Up,
        since: None,
        boxes: 2,
        error: None,
    }
}

pub(in crate::tests) fn sample_setting() -> Setting {
    Setting {
        name: "read_marks".to_owned(),
        value: json!(true),
        default: json!(true),
        about: "Tell.".to_owned(),
    }
}
