// SPDX-License-Identifier: MIT OR Apache-2.0
//! The copies: a store in which one talk, held by two real nodes, stands many times over under other names.
//!
//! Every row is as the engine wrote it, with its MLS state, index rows and events; only account, peer, thread and their
//! numbers differ. So a store of ten thousand threads is made in seconds, and opens as one that grew over years.

use std::path::Path;

use anyhow::{Context as _, ensure};
use comptoir::Home;
use comptoir_engine::rows::account::Meta;
use comptoir_engine::rows::contact::Contact;
use comptoir_engine::rows::key;
use comptoir_engine::rows::thread::Thread;
use comptoir_engine::{Event, EventRecord, Scan, Scope, View as _, Write};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::id::{AccountId, PeerKey, ThreadId};
use comptoir_store::Core;
use serde_json::json;

use crate::suites::open_store;

/// Rows of one commit: some megabytes.
const ROWS_PER_COMMIT: usize = 4_096;
/// The version of the engine's records, as it stands before each.
const RECORD_VERSION: u8 = 1;
/// Spaces whose keys begin with a thread's number.
const OF_A_THREAD: [u8; 4] = [key::MLS, key::RUN, key::PLACE, key::SEQUENCE];

/// Copies the only talk in `home` until there are `talks`, says how many there are, and waits to be ended.
pub(crate) fn run(home: &Path, talks: u32) -> anyhow::Result<()> {
    let store = open_store(&Home::new(home.to_path_buf()).store())?;
    let core = store.core();
    let original = Original::read(&core)?;
    let mut writes = Vec::new();
    let mut event = newest_event(&core)?;
    let mut meta: Meta = record(&original.meta)?;
    for _ in 1..talks {
        meta.contact += 1;
        meta.thread += 1;
        original.copy(meta.contact, meta.thread, &mut event, &mut writes)?;
        if writes.len() >= ROWS_PER_COMMIT {
            core.commit(std::mem::take(&mut writes))?;
        }
    }
    writes.push(put(vec![key::META], bytes(&meta)));
    core.commit(writes)?;
    super::say(&json!({ "talks": talks }));
    // Ended by force, the store is one whose node was killed.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// The talk that is copied.
struct Original {
    meta: Vec<u8>,
    contact_number: u32,
    contact: Contact,
    thread_number: u32,
    thread: Thread,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    registers: Vec<(Vec<u8>, Vec<u8>)>,
    events: Vec<EventRecord>,
}

impl Original {
    fn read(core: &Core) -> anyhow::Result<Self> {
        let view = core.committed();
        let all = |space: u8| view.scan(Scan::all(vec![space]));
        let contacts = all(key::CONTACT)?;
        ensure!(contacts.len() == 1, "one talk is copied, not several");
        let (contact_key, contact) = &contacts[0];
        let contact: Contact = record(contact)?;
        let thread_number = contact.thread.context("the talk has a thread")?;
        let under = |space: u8| [&[space][..], &thread_number.to_be_bytes()].concat();
        let thread = view
            .get(&under(key::THREAD))?
            .context("the thread has a row")?;
        let thread: Thread = record(&thread)?;
        ensure!(thread.outbox_count == 0, "the talk still owes something");
        let mut rows = Vec::new();
        for space in OF_A_THREAD {
            rows.extend(view.scan(Scan::all(under(space)))?);
        }
        let mut events = Vec::new();
        for (_, row) in all(key::EVENT)? {
            let event: EventRecord = record(&row)?;
            if of_thread(&event.event, thread_number, 0).is_some() {
                events.push(event);
            }
        }
        let mut registers = all(key::REGISTER)?;
        registers.retain(|(row_key, _)| row_key.ends_with(&contact_key[1..]));
        Ok(Self {
            meta: view.get(&[key::META])?.context("a node counts")?,
            contact_number: number_at(contact_key),
            contact,
            thread_number,
            thread,
            rows,
            registers,
            events,
        })
    }

    fn copy(
        &self,
        contact: u32,
        thread: u32,
        event: &mut u64,
        writes: &mut Vec<Write>,
    ) -> anyhow::Result<()> {
        ensure!(
            contact > self.contact_number && thread > self.thread_number,
            "numbers are given once"
        );
        let mut somebody = Contact {
            account: AccountId(named(self.contact.account.0, contact)),
            thread: Some(thread),
            ..self.contact.clone()
        };
        for endpoint in &mut somebody.endpoints {
            endpoint.key = PeerKey(named(endpoint.key.0, contact));
        }
        let talk = Thread {
            id: ThreadId(named(self.thread.id.0, thread)),
            contact: Some(contact),
            ..self.thread.clone()
        };
        let key_of = |space: u8, number: u32| [&[space][..], &number.to_be_bytes()].concat();
        writes.push(put(key_of(key::CONTACT, contact), bytes(&somebody)));
        writes.push(put(key_of(key::THREAD, thread), bytes(&talk)));
        for (row_key, row) in &self.rows {
            let mut row_key = row_key.clone();
            row_key[1..5].copy_from_slice(&thread.to_be_bytes());
            writes.push(put(row_key, row.clone()));
        }
        for (row_key, row) in &self.registers {
            let mut row_key = row_key.clone();
            let at = row_key.len() - 4;
            row_key[at..].copy_from_slice(&contact.to_be_bytes());
            writes.push(put(row_key, row.clone()));
        }
        for record in &self.events {
            let Some(told) = of_thread(&record.event, self.thread_number, thread) else {
                continue;
            };
            *event += 1;
            let record = EventRecord {
                wall_ms: record.wall_ms,
                event: told,
            };
            let row_key = [&[key::EVENT][..], &event.to_be_bytes()].concat();
            writes.push(put(row_key, bytes(&record)));
        }
        Ok(())
    }
}

/// The event as `to` would have told it; none when it is of another thread, or of none.
fn of_thread(event: &Event, from: u32, to: u32) -> Option<Event> {
    let mut copy = event.clone();
    match &mut copy {
        Event::MessagesReceived { thread, .. } | Event::MessagesMoved { thread, .. }
            if *thread == from =>
        {
            *thread = to;
            Some(copy)
        }
        _ => None,
    }
}

fn newest_event(core: &Core) -> anyhow::Result<u64> {
    Ok(comptoir_engine::query::newest_event(&core.committed())?)
}

/// A name unlike the others: the number stands in front.
fn named<const N: usize>(mut name: [u8; N], number: u32) -> [u8; N] {
    name[..4].copy_from_slice(&number.to_be_bytes());
    name
}

fn number_at(row_key: &[u8]) -> u32 {
    let tail = row_key.get(1..5).and_then(|tail| tail.try_into().ok());
    tail.map_or(0, u32::from_be_bytes)
}

/// What is said in a thread is sealed under the thread's own key, as the engine does.
fn scope_of(row_key: &[u8]) -> Option<Scope> {
    (row_key.first() == Some(&key::RUN)).then(|| Scope {
        thread: number_at(row_key),
        generation: 0,
        period: 0,
    })
}

fn put(key: Vec<u8>, value: Vec<u8>) -> Write {
    let scope = scope_of(&key);
    Write::Put { key, value, scope }
}

fn record<T: Wire>(row: &[u8]) -> anyhow::Result<T> {
    let (version, body) = row.split_first().context("a row is not empty")?;
    ensure!(*version == RECORD_VERSION, "a record of version {version}");
    Ok(T::from_bytes(body)?)
}

fn bytes<T: Wire>(record: &T) -> Vec<u8> {
    [vec![RECORD_VERSION], record.to_bytes()].concat()
}
