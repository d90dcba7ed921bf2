// SPDX-License-Identifier: MIT OR Apache-2.0
//! The outbox: envelopes we owe to a contact, on which ways they go, and when to try again.
//!
//! A row goes when the other side's signed acknowledgement covers it, or after 30 days, which is told. Until then every
//! try sends the stored bytes. What a peer or a relay says in between only spares tries.

use comptoir_protocol::id::PeerKey;

use crate::rows::contact::Standing;
use crate::rows::key::{self, Key, u64_at};
use crate::rows::thread::{Cargo, OutboxBody, OutboxState};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// How long a relay is asked to keep a deposit: its own longest.
pub(crate) const DEPOSIT_EXPIRES_S: u32 = 30 * 24 * 60 * 60;
/// The first pause when every relay has everything and only the other side's word is missing; it doubles with the age
/// of the oldest row, so it goes on where it was after a restart.
const STORED_RETRY_FIRST_MS: u64 = 5 * 60 * 1000;
/// The longest of these pauses.
const STORED_RETRY_LONGEST_MS: u64 = 6 * 60 * 60 * 1000;
/// Rows looked at in one step. More wait for the next answer or confirmation.
pub(crate) const ROWS_PER_STEP: usize = 256;
/// Tries after a message's time is over, before it ends: a clock that jumps ahead by years must not end them all at once.
const LATE_TRIES: u32 = 8;
/// Such a try counts so long after the one before, so that eight take most of an hour at least.
const LATE_TRY_MS: u64 = 5 * 60 * 1000;

impl Turn<'_> {
    /// Adds a row. The thread is to be given back, then [`Turn::push_outbox`] called.
    pub(crate) fn put_outbox(
        &mut self,
        loaded: &mut Loaded,
        envelope: u64,
        body: &OutboxBody,
        mut state: OutboxState,
    ) -> Result<(), EngineError> {
        let row = Key::of(key::OUTBOX_BODY).u32(loaded.number).u64(envelope);
        let bytes = match body {
            OutboxBody::Plain { batch } => batch.len() as u64,
            OutboxBody::Sealed { parcel } => parcel.len() as u64,
        };
        self.put_said(row, body, loaded.scope_of_envelope(&state))?;
        state.bytes = bytes;
        self.put(state_key(loaded.number, envelope), &state);
        loaded.thread.outbox_bytes += bytes;
        loaded.thread.outbox_count += 1;
        loaded.dirty = true;
        Ok(())
    }

    /// Sends what can be sent now, on the way that is open.
    pub(crate) fn push_outbox(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let Some(thread) = contact.thread else {
            return Ok(());
        };
        if contact.blocked
            || contact.standing != Standing::Talking
            || self.memory.cloned.contains(&contact.persona)
        {
            return Ok(());
        }
        if self.memory.deliveries.get(&number).is_none() {
            self.memory.deliveries.insert(number, Default::default());
        }
        match self.connected_peer(number, &contact) {
            Some(peer) => {
                self.push_direct(number, thread, &contact, peer)?;
                if self
                    .memory
                    .deliveries
                    .get(&number)
                    .is_some_and(|delivery| delivery.by_relay)
                {
                    self.push_relays(number, thread, &contact)?;
                }
            }
            None => {
                let dialing = self.start_dial(number, &contact)?;
                let by_relay = self.memory.deliveries.change(&number, |delivery| {
                    delivery.by_relay |= !dialing;
                    delivery.by_relay
                });
                if by_relay == Some(true) {
                    self.push_relays(number, thread, &contact)?;
                }
            }
        }
        if !self.memory.timers.is_set(Timer::Outbox { contact: number }) {
            let due = self.retry_due(number, thread)?;
            self.memory
                .timers
                .set(Timer::Outbox { contact: number }, due);
        }
        Ok(())
    }

    fn retry_due(&mut self, number: u32, thread: u32) -> Result<u64, EngineError> {
        let tries = self
            .memory
            .deliveries
            .get(&number)
            .map_or(0, |delivery| delivery.tries);
        // Where the first row is stored or with the peer, only the acknowledgement is missing.
        let first = self.scan(Scan::all(Key::of(key::OUTBOX_STATE).u32(thread)).limited(1))?;
        let settled_ms = match first.first() {
            Some((row_key, row)) => {
                let state: OutboxState = read_row(row_key, row)?;
                let settled = !state.stored.is_empty() || self.is_delivered(thread, &state)?;
                settled.then(|| self.now.wall_ms.saturating_sub(state.made_ms))
            }
            None => None,
        };
        let doubled = self
            .config
            .retry_first_ms
            .saturating_mul(1 << tries.min(20));
        let pause = settled_ms.map_or(doubled.min(self.config.retry_longest_ms), |age_ms| {
            // What is about to be given up is tried again soon: its last tries must fit a process of a few hours a day.
            if age_ms >= self.config.give_up_ms {
                LATE_TRY_MS
            } else {
                age_ms.clamp(STORED_RETRY_FIRST_MS, STORED_RETRY_LONGEST_MS)
            }
        });
        Ok(self.now.mono_ms + self.jittered(pause))
    }

    pub(crate) fn is_delivered(
        &mut self,
        thread: u32,
        state: &OutboxState,
    ) -> Result<bool, EngineError> {
        let loaded = self.take_thread(thread)?;
        let delivered = loaded.thread.authors[0]
            .track(state.lane)
            .delivered
            .covers(state.from, state.to);
        self.put_thread(loaded);
        Ok(delivered)
    }

    /// Goes on with a contact's outbox if there is something in it.
    pub(crate) fn push_outbox_if_any(&mut self, contact: u32) -> Result<(), EngineError> {
        if self.memory.deliveries.contains(&contact) {
            self.push_outbox(contact)
        } else {
            Ok(())
        }
    }

    /// The other side's signed word covers these messages: its rows go.
    pub(crate) fn drop_acknowledged(&mut self, loaded: &mut Loaded) -> Result<(), EngineError> {
        let mut gone = Vec::new();
        let mut from = 0;
        loop {
            let rows = self.outbox_states(loaded.number, from, ROWS_PER_STEP)?;
            let Some((last, _)) = rows.last() else { break };
            from = last + 1;
            let more = rows.len() == ROWS_PER_STEP;
            let before = gone.len();
            gone.extend(rows.into_iter().filter(|(_, state)| {
                state.cargo == Cargo::Welcome
                    || loaded.thread.authors[0]
                        .track(state.lane)
                        .acked(state.from, state.to)
            }));
            if !more || gone.len() == before {
                break;
            }
        }
        for (envelope, state) in gone {
            self.remove_row(loaded, envelope, &state);
        }
        if loaded.thread.outbox_count == 0
            && let Some(contact) = loaded.thread.contact
        {
            self.memory.deliveries.remove(&contact);
            self.deposit_anew(contact);
            self.memory.timers.clear(Timer::Outbox { contact });
            self.memory.timers.clear(Timer::Direct { contact });
        }
        Ok(())
    }

    pub(crate) fn has_tried(&self, thread: u32, envelope: u64) -> bool {
        self.memory.tried.contains(&(thread, envelope))
    }

    pub(crate) fn remove_row(&mut self, loaded: &mut Loaded, envelope: u64, state: &OutboxState) {
        self.delete(Key::of(key::OUTBOX_BODY).u32(loaded.number).u64(envelope));
        self.delete(state_key(loaded.number, envelope));
        loaded.thread.outbox_bytes = loaded.thread.outbox_bytes.saturating_sub(state.bytes);
        loaded.thread.outbox_count = loaded.thread.outbox_count.saturating_sub(1);
        loaded.dirty = true;
        self.memory.tried.remove(&(loaded.number, envelope));
        if let Some((peer, number)) = self.memory.flying.get(&(loaded.number, envelope)).copied()
            && let Some(flight) = self.memory.flights.get(&(peer, number)).copied()
        {
            self.land(peer, number, flight);
        }
    }

    pub(crate) fn drop_row(
        &mut self,
        thread: u32,
        envelope: u64,
        state: &OutboxState,
    ) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        self.remove_row(&mut loaded, envelope, state);
        self.put_thread(loaded);
        Ok(())
    }

    /// The direct way took too long.
    pub(crate) fn on_direct_overdue(&mut self, contact: u32) -> Result<(), EngineError> {
        self.memory
            .deliveries
            .change(&contact, |delivery| delivery.by_relay = true);
        self.push_outbox_if_any(contact)
    }

    /// Time to try everything again that is not acknowledged.
    pub(crate) fn on_outbox_retry(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let Some(thread) = contact.thread else {
            return Ok(());
        };
        self.give_up_old(number, thread, contact.persona)?;
        let loaded = self.take_thread(thread)?;
        let waiting = loaded.thread.outbox_count;
        self.put_thread(loaded);
        if waiting == 0 {
            self.memory.deliveries.remove(&number);
            self.deposit_anew(number);
            return Ok(());
        }
        self.memory.counters.sent_again += waiting;
        self.forget_flights(thread);
        self.deposit_anew(number);
        self.memory.deliveries.change(&number, |delivery| {
            delivery.tries = delivery.tries.saturating_add(1);
            delivery.next_direct = 0;
            // A relay may have lost what it stored: from the second try on everything is deposited anew.
            delivery.again = delivery.tries > 1;
        });
        self.push_outbox(number)
    }

    /// Frames of a thread that nobody confirmed: they are sent again.
    pub(crate) fn forget_flights(&mut self, thread: u32) {
        let flying: Vec<(PeerKey, u64)> = self
            .memory
            .flying
            .range((thread, 0)..=(thread, u64::MAX))
            .map(|(_, flight)| *flight)
            .collect();
        for (peer, number) in flying {
            if let Some(flight) = self.memory.flights.get(&(peer, number)).copied() {
                self.land(peer, number, flight);
            }
        }
    }

    fn give_up_old(&mut self, number: u32, thread: u32, persona: u16) -> Result<(), EngineError> {
        let now = self.now.mono_ms;
        let counts = self.memory.deliveries.change(&number, |delivery| {
            let counts = delivery.late_try_ms <= now;
            if counts {
                delivery.late_try_ms = now + LATE_TRY_MS;
            }
            counts
        });
        if counts == Some(false) {
            return Ok(());
        }
        let limit = self.now.wall_ms.saturating_sub(self.config.give_up_ms);
        for (envelope, mut state) in self.outbox_states(thread, 0, ROWS_PER_STEP)? {
            if state.made_ms >= limit {
                break;
            }
            // On disk: neither a process that ends each evening nor a talk that goes on beside it begins the count anew.
            let tries = state.late_tries.unwrap_or(0);
            if tries < LATE_TRIES {
                state.late_tries = Some(tries + 1);
                self.put(state_key(thread, envelope), &state);
                continue;
            }
            self.drop_row(thread, envelope, &state)?;
            let OutboxState { lane, from, to, .. } = state;
            self.event(match state.cargo {
                Cargo::Messages => Event::NotDelivered {
                    persona,
                    thread,
                    lane,
                    from,
                    to,
                },
                Cargo::Welcome => Event::HelloFailed {
                    persona,
                    contact: number,
                    why: "the conversation was accepted and never taken up".into(),
                },
            });
        }
        Ok(())
    }

    /// Outbox rows of a thread, from an envelope number on.
    pub(crate) fn outbox_states(
        &self,
        thread: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, OutboxState)>, EngineError> {
        let range = Scan::all(Key::of(key::OUTBOX_STATE).u32(thread))
            .starting_at(state_key(thread, from))
            .limited(limit);
        let rows = self.scan(range)?;
        rows.into_iter()
            .filter_map(|(row_key, row)| Some((u64_at(&row_key, 5)?, read_row(&row_key, &row))))
            .map(|(envelope, state)| Ok((envelope, state?)))
            .collect()
    }
}

pub(crate) fn state_key(thread: u32, envelope: u64) -> Key {
    Key::of(key::OUTBOX_STATE).u32(thread).u64(envelope)
}
