// SPDX-License-Identifier: MIT OR Apache-2.0
//! Queries about threads, and what waits in their outboxes.

use super::read;
use super::{OutboxView, ThreadView};
use crate::rows::contact::Contact;
use crate::rows::counts::Counts;
use crate::rows::key::{self, Key, u32_at, u64_at};
use crate::rows::thread::{OutboxState, Thread};
use crate::seam::view::{View, ViewError};

/// The threads of a persona, its self thread left out, the one with the newest message first.
pub fn threads(view: &impl View, persona: u16) -> Result<Vec<ThreadView>, ViewError> {
    let rows = read::all::<Thread>(view, Key::of(key::THREAD))?;
    let rows = rows
        .into_iter()
        .filter(|(_, row)| row.persona == persona && row.contact.is_some());
    let mut threads: Vec<ThreadView> = rows
        .filter_map(|(key, row)| Some(shown(u32_at(&key, 1)?, &row)))
        .collect();
    threads.sort_by_key(|thread| (std::cmp::Reverse(thread.last_ms), thread.thread));
    Ok(threads)
}

/// One thread.
pub fn thread(view: &impl View, thread: u32) -> Result<Option<ThreadView>, ViewError> {
    let row: Option<Thread> = read::one(view, Key::of(key::THREAD).u32(thread))?;
    Ok(row.map(|row| shown(thread, &row)))
}

fn shown(number: u32, row: &Thread) -> ThreadView {
    ThreadView {
        thread: number,
        persona: row.persona,
        id: row.id,
        contact: row.contact,
        unread: row.unread,
        last_ms: row.last_ms.max(row.made_ms),
        waiting: row.outbox_count,
        waiting_bytes: row.outbox_bytes,
        held_back: row.held_back,
        frozen: row.frozen,
    }
}

/// What waits for each contact of a persona.
pub fn outbox(view: &impl View, persona: u16) -> Result<Vec<OutboxView>, ViewError> {
    let threads = read::all::<Thread>(view, Key::of(key::THREAD))?;
    let waiting = threads
        .into_iter()
        .filter(|(_, row)| row.persona == persona && row.outbox_count > 0);
    waiting
        .filter_map(|(key, row)| Some((u32_at(&key, 1)?, row)))
        .filter_map(|(number, row)| outbox_of(view, number, &row).transpose())
        .collect()
}

fn outbox_of(view: &impl View, number: u32, row: &Thread) -> Result<Option<OutboxView>, ViewError> {
    let Some(contact) = row.contact else {
        return Ok(None);
    };
    let known: Option<Contact> = read::one(view, Key::of(key::CONTACT).u32(contact))?;
    let states = outbox_states(view, number)?;
    Ok(Some(OutboxView {
        contact,
        name: known
            .map(|known| known.shown_name().to_owned())
            .unwrap_or_default(),
        envelopes: row.outbox_count,
        bytes: row.outbox_bytes,
        messages: states
            .iter()
            .map(|(_, state)| (state.to + 1).saturating_sub(state.from))
            .sum(),
        stored: states
            .iter()
            .filter(|(_, state)| !state.stored.is_empty())
            .count() as u64,
        oldest_ms: states
            .iter()
            .map(|(_, state)| state.made_ms)
            .min()
            .unwrap_or(0),
    }))
}

/// The states of everything a thread still owes, by envelope.
pub(super) fn outbox_states(
    view: &impl View,
    thread: u32,
) -> Result<Vec<(u64, OutboxState)>, ViewError> {
    let rows = read::all::<OutboxState>(view, Key::of(key::OUTBOX_STATE).u32(thread))?;
    Ok(rows
        .into_iter()
        .filter_map(|(key, state)| Some((u64_at(&key, 5)?, state)))
        .collect())
}

/// Whether a thread stands still because another copy of this device was seen.
pub fn is_frozen(view: &impl View) -> Result<bool, ViewError> {
    Ok(read::all::<Thread>(view, Key::of(key::THREAD))?
        .iter()
        .any(|(_, row)| row.frozen))
}

/// How messages went since the home was made.
pub fn counts(view: &impl View) -> Result<Counts, ViewError> {
    Ok(read::one(view, Key::of(key::COUNTS))?.unwrap_or_default())
}
