// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host in memory: it remembers what was asked of it, and answers with one of each kind.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::auth::TokenRecord;
use crate::dto::*;
use crate::host::*;
use crate::id::*;
use crate::time::Timestamp;

pub(super) const NOW: u64 = 1_795_376_999_123;

/// A hash of what was asked, and the answer.
type Stored = ([u8; 32], Value);

pub(super) struct TestHost {
    pub(super) effects: Mutex<Vec<String>>,
    pub(super) log: Mutex<Vec<Event>>,
    pub(super) oldest: Mutex<u64>,
    pub(super) newest: watch::Sender<u64>,
    pub(super) records: Mutex<Vec<TokenRecord>>,
    /// Sends wait here for a permit when it is closed off.
    pub(super) gate: Semaphore,
    pub(super) gated: Mutex<bool>,
    pub(super) refusal: Mutex<Option<HostError>>,
    stored: Mutex<BTreeMap<[u8; 32], Stored>>,
    consumers: Mutex<BTreeMap<String, ConsumerRecord>>,
    drawn: Mutex<u8>,
}

impl TestHost {
    pub(super) fn new() -> Self {
        Self {
            effects: Mutex::default(),
            log: Mutex::default(),
            oldest: Mutex::new(1),
            newest: watch::channel(0).0,
            records: Mutex::default(),
            gate: Semaphore::new(0),
            gated: Mutex::new(false),
            refusal: Mutex::default(),
            stored: Mutex::default(),
            consumers: Mutex::default(),
            drawn: Mutex::default(),
        }
    }

    pub(super) fn effects(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    pub(super) fn emit(&self, kind: &str, persona: Option<&str>) -> u64 {
        let mut log = self.log.lock().unwrap();
        let seq = log
            .last()
            .map_or(*self.oldest.lock().unwrap(), |event| event.seq + 1);
        log.push(Event {
            seq,
            id: EventId::from_body(seq).unwrap(),
            kind: kind.to_owned(),
            time: Timestamp::from_ms(NOW + seq),
            persona: persona.map(|name| name.parse().unwrap()),
            data: json!({ "number": seq }),
        });
        drop(log);
        self.newest.send_replace(seq);
        seq
    }

    pub(super) fn forget_up_to(&self, seq: u64) {
        self.log.lock().unwrap().retain(|event| event.seq > seq);
        *self.oldest.lock().unwrap() = seq + 1;
    }

    fn write<T: Serialize + DeserializeOwned>(
        &self,
        what: String,
        once: Option<Idempotency>,
        value: T,
    ) -> Result<Written<T>, HostError> {
        if let Some(refusal) = self.refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        let Some(Idempotency { key, body_hash }) = once else {
            self.effects.lock().unwrap().push(what);
            return Ok(Written::now(value));
        };
        let mut stored = self.stored.lock().unwrap();
        match stored.get(&key) {
            Some((hash, _)) if *hash != body_hash => Err(HostError::IdempotencyMismatch),
            Some((_, kept)) => Ok(Written::again(
                serde_json::from_value(kept.clone()).unwrap(),
            )),
            None => {
                stored.insert(key, (body_hash, serde_json::to_value(&value).unwrap()));
                self.effects.lock().unwrap().push(what);
                Ok(Written::now(value))
            }
        }
    }

    fn plain<'a, T: Send + 'a>(&'a self, what: String, value: T) -> Answer<'a, T> {
        self.effects.lock().unwrap().push(what);
        Box::pin(ready(Ok(value)))
    }
}

fn good<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(ready(Ok(value)))
}

fn done<'a, T: Send + 'a>(result: Result<T, HostError>) -> Answer<'a, T> {
    Box::pin(ready(result))
}

fn now() -> Timestamp {
    Timestamp::from_ms(NOW)
}

fn sample_persona(name: &str) -> Persona {
    let name: PersonaName = name.parse().unwrap();
    Persona {
        display_name: name.to_string(),
        name,
        account: "ab".repeat(32),
        created: now(),
        unread: 2,
    }
}

fn sample_account(persona: PersonaName) -> Account {
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

fn sample_contact() -> Contact {
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

fn sample_request(state: RequestState) -> Request {
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

pub(super) fn sample_message(text: &str) -> Message {
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

fn sample_thread() -> Thread {
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

fn sample_relay() -> Relay {
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

fn sample_setting() -> Setting {
    Setting {
        name: "read_marks".to_owned(),
        value: json!(true),
        default: json!(true),
        about: "Tell.".to_owned(),
    }
}

impl PersonaHost for TestHost {
    fn personas(&self) -> Answer<'_, Vec<Persona>> {
        good(vec![sample_persona("main"), sample_persona("shop")])
    }
    fn create_persona(
        &self,
        new: NewPersona,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Persona>> {
        done(self.write(
            format!("persona {}", new.name),
            once,
            sample_persona(new.name.as_str()),
        ))
    }
    fn account(&self, persona: PersonaName) -> Answer<'_, Account> {
        good(sample_account(persona))
    }
    fn change_account(&self, persona: PersonaName, _: AccountChange) -> Answer<'_, Account> {
        self.plain("account".to_owned(), sample_account(persona))
    }
    fn invite(
        &self,
        _: PersonaName,
        new: NewInvite,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Invite>> {
        let (form, uses) = (new.form, new.uses.unwrap_or(1));
        let invite = Invite {
            link: "comptoir:x".to_owned(),
            form,
            expires: now(),
            uses,
            reach: Reach::Relays,
        };
        done(self.write("invite".to_owned(), once, invite))
    }
}

impl ContactHost for TestHost {
    fn contacts(&self, _: PersonaName, query: ContactQuery) -> Answer<'_, List<Contact>> {
        let mut contacts = vec![sample_contact()];
        contacts.retain(|contact| {
            query
                .name
                .as_ref()
                .is_none_or(|name| name.eq_ignore_ascii_case(&contact.name))
        });
        good(List::whole(contacts))
    }
    fn add_contact(
        &self,
        _: PersonaName,
        new: NewContact,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write(format!("add {}", new.link), once, sample_contact()))
    }
    fn contact(&self, _: PersonaName, contact: ContactId) -> Answer<'_, Contact> {
        if contact.body() == "1" {
            return good(sample_contact());
        }
        done(Err(HostError::NotFound {
            what: "contact",
            id: contact.to_string(),
        }))
    }
    fn change_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        _: ContactChange,
    ) -> Answer<'_, Contact> {
        self.plain("change contact".to_owned(), sample_contact())
    }
    fn verify_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        _: Verification,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write("verify".to_owned(), once, sample_contact()))
    }
    fn block_contact(
        &self,
        _: PersonaName,
        _: ContactId,
        blocked: bool,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write(
            format!("block {blocked}"),
            once,
            Contact {
                blocked,
                ..sample_contact()
            },
        ))
    }
    fn requests(&self, _: PersonaName, _: PageQuery) -> Answer<'_, List<Request>> {
        good(List::whole(vec![sample_request(RequestState::Open)]))
    }
    fn accept(
        &self,
        _: PersonaName,
        _: RequestId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>> {
        done(self.write("accept".to_owned(), once, sample_contact()))
    }
    fn decline(
        &self,
        _: PersonaName,
        _: RequestId,
        decline: Decline,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Request>> {
        done(self.write(
            format!("decline {}", decline.block),
            once,
            sample_request(RequestState::Declined),
        ))
    }
}

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

impl NodeHost for TestHost {
    fn status(&self) -> Answer<'_, NodeStatus> {
        good(NodeStatus {
            state: NodeState::Ready,
            warnings: Vec::new(),
            version: "0.1.0".to_owned(),
            engine: "sled".to_owned(),
            unlocked_by: UnlockedBy::KeyFile,
            home: "/home".to_owned(),
            pid: 1,
            started: now(),
            listen: Vec::new(),
            peers: 0,
            relays: vec![RelayBrief {
                id: "rly_1".parse().unwrap(),
                state: RelayState::Up,
            }],
            counts: MessageCounts::default(),
            state_as_of: None,
        })
    }
    fn ready(&self) -> Answer<'_, ()> {
        done(self.refusal.lock().unwrap().take().map_or(Ok(()), Err))
    }
    fn metrics(&self) -> Answer<'_, Vec<Metric>> {
        let metric = |label, value| Metric {
            name: "messages_total",
            kind: MetricKind::Counter,
            help: "Messages.",
            label,
            value,
        };
        good(vec![
            metric(Some(("way", "direct")), 3.0),
            metric(Some(("way", "relay")), 4.0),
        ])
    }
    fn settings(&self) -> Answer<'_, Vec<Setting>> {
        good(vec![sample_setting()])
    }
    fn change_settings(&self, changes: Vec<(String, Value)>) -> Answer<'_, Vec<Setting>> {
        self.plain(format!("settings {changes:?}"), vec![sample_setting()])
    }
    fn doctor(&self) -> Answer<'_, Doctor> {
        let (name, detail) = ("clock".to_owned(), "fine".to_owned());
        good(Doctor {
            checks: vec![Check {
                name,
                result: CheckResult::Good,
                detail,
                remedy: None,
            }],
        })
    }
    fn log(&self, _: Option<u64>, _: u32) -> Answer<'_, List<LogLine>> {
        let (level, message) = ("info".to_owned(), "started".to_owned());
        good(List::whole(vec![LogLine {
            number: 1,
            time: now(),
            level,
            message,
        }]))
    }
    fn stop(&self) -> Answer<'_, ()> {
        self.plain("stop".to_owned(), ())
    }
}

impl RelayHost for TestHost {
    fn relays(&self) -> Answer<'_, Vec<Relay>> {
        good(vec![sample_relay()])
    }
    fn add_relay(&self, _: NewRelay, once: Option<Idempotency>) -> Answer<'_, Written<Relay>> {
        done(self.write("add relay".to_owned(), once, sample_relay()))
    }
    fn remove_relay(&self, _: RelayId) -> Answer<'_, ()> {
        self.plain("remove relay".to_owned(), ())
    }
    fn move_relay(
        &self,
        _: RelayId,
        _: RelayMove,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Relay>> {
        done(self.write("move relay".to_owned(), once, sample_relay()))
    }
    fn own_relay(&self) -> Answer<'_, OwnRelay> {
        good(OwnRelay {
            running: false,
            open: false,
            link: None,
            boxes: 0,
            items: 0,
            bytes: 0,
        })
    }
    fn ticket(&self, _: NewTicket, once: Option<Idempotency>) -> Answer<'_, Written<Ticket>> {
        let ticket = Ticket {
            link: "comptoir-relay:x".to_owned(),
            bytes: 1,
            boxes: 1,
            expires: now(),
        };
        done(self.write("ticket".to_owned(), once, ticket))
    }
}

impl EventHost for TestHost {
    fn events(&self, after: u64, limit: u32) -> Answer<'_, EventPage> {
        let log = self.log.lock().unwrap();
        let events = log
            .iter()
            .filter(|event| event.seq > after)
            .take(limit as usize)
            .cloned()
            .collect();
        good(EventPage {
            events,
            oldest_kept: *self.oldest.lock().unwrap(),
        })
    }
    fn newest_event(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
    fn consumer(&self, name: String) -> Answer<'_, ConsumerRecord> {
        let found = self.consumers.lock().unwrap().get(&name).copied();
        done(found.ok_or(HostError::NotFound {
            what: "consumer",
            id: name,
        }))
    }
    fn set_consumer(&self, name: String, seq: u64) -> Answer<'_, ConsumerRecord> {
        let record = ConsumerRecord {
            seq,
            updated: now(),
        };
        self.consumers.lock().unwrap().insert(name.clone(), record);
        self.plain(format!("consumer {name} {seq}"), record)
    }
}

impl TokenHost for TestHost {
    fn tokens(&self) -> Answer<'_, Vec<TokenRecord>> {
        good(self.records.lock().unwrap().clone())
    }
    fn put_token(&self, record: TokenRecord) -> Answer<'_, ()> {
        self.records.lock().unwrap().push(record);
        self.plain("put token".to_owned(), ())
    }
    fn delete_token(&self, token: TokenId) -> Answer<'_, ()> {
        self.records
            .lock()
            .unwrap()
            .retain(|record| record.id != token);
        self.plain("delete token".to_owned(), ())
    }
    fn random(&self) -> [u8; 32] {
        let mut drawn = self.drawn.lock().unwrap();
        *drawn += 1;
        [*drawn; 32]
    }
    fn now(&self) -> Timestamp {
        now()
    }
}
