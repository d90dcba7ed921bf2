// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host in memory: it remembers what was asked of it, and answers with one of each kind.

mod people;
mod relays;
mod samples;
mod threads;

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

pub(super) use self::samples::sample_message;
use self::samples::sample_setting;
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
