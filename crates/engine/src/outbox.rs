// SPDX-License-Identifier: MIT OR Apache-2.0
//! The outbox: envelopes we owe to a contact, on which ways they go, and when to try again.
//!
//! A row goes when the other side's signed acknowledgement covers it, or after 30 days, which is told. Until then every
//! try sends the stored bytes. What a peer or a relay says in between only spares tries.

use comptoir_crypto::deposit;
use comptoir_protocol::capability::Capability;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, pad};
use comptoir_protocol::frame::{PeerFrame, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, PeerKey, RelayKey};
use comptoir_protocol::limits::PARCEL_ROOM_BYTES;

use crate::memory::{Call, Flight};
use crate::rows::contact::{Contact, Standing};
use crate::rows::key::{self, Key, u64_at};
use crate::rows::thread::{Cargo, OutboxBody, OutboxState};
use crate::seam::error::EngineError;
use crate::seam::event::{Event, MessageState};
use crate::seam::input::Unreachable;
use crate::seam::view::Scan;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// How long a relay is asked to keep a deposit: its own longest.
pub(crate) const DEPOSIT_EXPIRES_S: u32 = 30 * 24 * 60 * 60;
/// The first pause when every relay has everything and only the other side's word is missing.
const STORED_RETRY_FIRST_MS: u64 = 5 * 60 * 1000;
/// Rows looked at in one step. More wait for the next answer or confirmation.
const ROWS_PER_STEP: usize = 256;
/// Tries before age alone may end a message: a clock that jumps ahead by years must not end them all at once.
const TRIES_MIN: u32 = 8;

impl Turn<'_> {
    /// Adds a row. The thread is to be given back, then [`Turn::push_outbox`] called.
    pub(crate) fn put_outbox(&mut self, loaded: &mut Loaded, envelope: u64, body: &OutboxBody, mut state: OutboxState) {
        let row = Key::of(key::OUTBOX_BODY).u32(loaded.number).u64(envelope);
        let bytes = match body {
            OutboxBody::Plain { batch } => batch.len() as u64,
            OutboxBody::Sealed { parcel } => parcel.len() as u64,
        };
        self.put(row, body);
        state.bytes = bytes;
        self.put(state_key(loaded.number, envelope), &state);
        loaded.thread.outbox_bytes += bytes;
        loaded.thread.outbox_count += 1;
        loaded.dirty = true;
    }

    /// Sends what can be sent now, on the way that is open.
    pub(crate) fn push_outbox(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let Some(thread) = contact.thread else { return Ok(()) };
        if contact.blocked || contact.standing != Standing::Talking || self.memory.cloned.contains(&contact.persona) {
            return Ok(());
        }
        if self.memory.deliveries.get(&number).is_none() {
            self.memory.deliveries.insert(number, Default::default());
        }
        match self.connected_peer(number, &contact) {
            Some(peer) => {
                self.push_direct(number, thread, peer)?;
                if self.memory.deliveries.get(&number).is_some_and(|delivery| delivery.by_relay) {
                    self.push_relays(number, thread, &contact)?;
                }
            }
            None => {
                let dialing = self.start_dial(number, &contact);
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
            self.memory.timers.set(Timer::Outbox { contact: number }, due);
        }
        Ok(())
    }

    fn retry_due(&mut self, number: u32, thread: u32) -> Result<u64, EngineError> {
        let tries = self.memory.deliveries.get(&number).map_or(0, |delivery| delivery.tries);
        // Where the first row is stored or with the peer, only the acknowledgement is missing.
        let first = self.scan(Scan::all(Key::of(key::OUTBOX_STATE).u32(thread)).limited(1))?;
        let settled = match first.first() {
            Some((row_key, row)) => {
                let state: OutboxState = read_row(row_key, row)?;
                !state.stored.is_empty() || self.is_delivered(thread, &state)?
            }
            None => false,
        };
        let first_ms = if settled { STORED_RETRY_FIRST_MS } else { self.config.retry_first_ms };
        let pause = first_ms.saturating_mul(1 << tries.min(20)).min(self.config.retry_longest_ms);
        Ok(self.now.mono_ms + self.jittered(pause))
    }

    fn is_delivered(&mut self, thread: u32, state: &OutboxState) -> Result<bool, EngineError> {
        let loaded = self.take_thread(thread)?;
        let delivered = loaded.thread.authors[0].track(state.lane).delivered.covers(state.from, state.to);
        self.put_thread(loaded);
        Ok(delivered)
    }

    /// The sockets on which a contact may be met. Only the main persona shows its own socket to anybody.
    pub(crate) fn connected_peer(&self, number: u32, contact: &Contact) -> Option<PeerKey> {
        if contact.persona != crate::personas::MAIN {
            return None;
        }
        let known = contact.peers().find(|peer| self.memory.peers.get(peer).is_some_and(|link| link.connected));
        known.or_else(|| {
            let mut connected = self.memory.peers.iter().filter(|(_, link)| link.connected).map(|(peer, _)| *peer);
            connected.find(|peer| self.memory.peer_contacts.contains(&(*peer, number)))
        })
    }

    /// Asks for a connection; false when there is nowhere to dial, or it failed lately.
    pub(crate) fn start_dial(&mut self, number: u32, contact: &Contact) -> bool {
        if contact.persona != crate::personas::MAIN {
            return false;
        }
        let now = self.now.mono_ms;
        for endpoint in contact.endpoints.iter().filter(|endpoint| !endpoint.addresses.is_empty()) {
            let mut link = self.memory.peers.get(&endpoint.key).cloned().unwrap_or_default();
            if link.dial_after_ms > now && !link.dialing {
                continue;
            }
            if !link.dialing {
                link.dialing = true;
                self.memory.peers.insert(endpoint.key, link);
                self.dial(endpoint.key, endpoint.addresses.clone());
            }
            self.memory.timers.set_if_unset(Timer::Direct { contact: number }, now + self.config.direct_wait_ms);
            return true;
        }
        false
    }

    fn push_direct(&mut self, number: u32, thread: u32, peer: PeerKey) -> Result<(), EngineError> {
        let from = self.memory.deliveries.get(&number).map_or(0, |delivery| delivery.next_direct);
        let rows = self.outbox_states(thread, from, ROWS_PER_STEP)?;
        for (envelope, state) in rows {
            let flying = self.memory.flying.contains(&(thread, envelope));
            let room = self.memory.peers.get(&peer).map_or(0, |link| link.flight_bytes) < self.config.flight_bytes_max;
            if !room {
                break;
            }
            if !flying && !self.send_direct(thread, envelope, &state, peer)? {
                break;
            }
            self.memory.deliveries.change(&number, |delivery| delivery.next_direct = envelope + 1);
        }
        if self.memory.peers.get(&peer).is_some_and(|link| link.flight_bytes > 0) {
            let due = self.now.mono_ms + self.config.direct_wait_ms;
            self.memory.timers.set_if_unset(Timer::Direct { contact: number }, due);
        }
        Ok(())
    }

    /// Sends one row to a peer; false when it cannot be encrypted yet.
    fn send_direct(&mut self, thread: u32, envelope: u64, state: &OutboxState, peer: PeerKey) -> Result<bool, EngineError> {
        let Some(parcel) = self.sealed_parcel(thread, envelope, state)? else { return Ok(false) };
        let bytes = parcel.len() + PARCEL_ROOM_BYTES;
        if state.cargo == Cargo::Messages && (!state.stored.is_empty() || self.has_tried(thread, envelope)) {
            self.counted.sent_twice += state.to + 1 - state.from;
        }
        self.memory.tried.insert((thread, envelope), ());
        let base = self.memory.numbers.frame_base;
        let number = self.memory.peers.change(&peer, |link| {
            link.next_out = link.next_out.max(base) + 1;
            link.flight_bytes += bytes;
            link.next_out
        });
        let Some(number) = number else { return Ok(false) };
        self.memory.flights.insert((peer, number), Flight { thread, envelope, bytes });
        self.memory.flying.insert((thread, envelope), (peer, number));
        let parcel = Parcel::from_bytes(&parcel).map_err(|error| EngineError::Crypto(error.to_string()))?;
        self.send(peer, &PeerFrame::Deliver { number, parcel });
        self.memory.counters.sent_direct += 1;
        Ok(true)
    }

    /// The parcel of a row, encrypted now if it was waiting for that; `None` while it must wait on.
    fn sealed_parcel(&mut self, thread: u32, envelope: u64, state: &OutboxState) -> Result<Option<Vec<u8>>, EngineError> {
        let row = Key::of(key::OUTBOX_BODY).u32(thread).u64(envelope);
        match self.require(row.clone())? {
            OutboxBody::Sealed { parcel } => Ok(Some(parcel)),
            OutboxBody::Plain { batch } => {
                let mut loaded = self.take_thread(thread)?;
                let mut sealed = None;
                if self.may_encrypt(&loaded) {
                    let parcel = self.seal_batch(&mut loaded, envelope, state.lane, state.to, &batch)?;
                    self.put(row, &OutboxBody::Sealed { parcel: parcel.clone() });
                    sealed = Some(parcel);
                }
                self.put_thread(loaded);
                Ok(sealed)
            }
        }
    }

    fn push_relays(&mut self, number: u32, thread: u32, contact: &Contact) -> Result<(), EngineError> {
        let (from, again) =
            self.memory.deliveries.get(&number).map_or((0, false), |delivery| (delivery.next_put, delivery.again));
        for (envelope, state) in self.outbox_states(thread, from, ROWS_PER_STEP)? {
            if self.is_delivered(thread, &state)? && !again {
                self.memory.deliveries.change(&number, |delivery| delivery.next_put = envelope + 1);
                continue;
            }
            let routes: Vec<Capability> = contact.routes(state.lane, self.now.wall_ms).cloned().collect();
            for route in &routes {
                let done = state.stored.contains(&route.relay.key) && !again;
                let under_way = self.memory.putting.contains(&(thread, envelope, route.relay.key));
                if done || under_way {
                    continue;
                }
                if !self.relay_has_room(route.relay.key) {
                    return Ok(());
                }
                let Some(parcel) = self.sealed_parcel(thread, envelope, &state)? else { return Ok(()) };
                if state.cargo == Cargo::Messages && (!state.stored.is_empty() || self.has_tried(thread, envelope)) {
                    self.counted.sent_twice += state.to + 1 - state.from;
                }
                self.memory.tried.insert((thread, envelope), ());
                self.put_at_relay(number, thread, envelope, route, parcel)?;
            }
            self.memory.deliveries.change(&number, |delivery| delivery.next_put = envelope + 1);
        }
        Ok(())
    }

    fn put_at_relay(
        &mut self,
        contact: u32,
        thread: u32,
        envelope: u64,
        route: &Capability,
        parcel: Vec<u8>,
    ) -> Result<(), EngineError> {
        let padded = pad(parcel).map_err(|error| EngineError::Crypto(error.to_string()))?;
        let (mid, blob) = deposit::seal(route.k_box.expose(), &route.relay.key, &padded);
        let request = RelayRequest::Put {
            sid: route.sid,
            capability: route.capability,
            mid,
            expires_s: DEPOSIT_EXPIRES_S,
            blob,
        };
        self.memory.putting.insert((thread, envelope, route.relay.key), ());
        self.call(&route.relay, request, Some(route.writer.clone()), Call::Put { contact, thread, envelope });
        self.memory.counters.sent_relay += 1;
        Ok(())
    }

    /// A relay answered a deposit.
    pub(crate) fn on_put_answer(
        &mut self,
        relay: RelayKey,
        contact: u32,
        thread: u32,
        envelope: u64,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        self.memory.putting.remove(&(thread, envelope, relay));
        let row = state_key(thread, envelope);
        let Some(mut state) = self.load::<OutboxState>(row.clone())? else { return self.push_outbox_if_any(contact) };
        match answer {
            Ok(RelayAnswer::Stored { .. } | RelayAnswer::Duplicate) => {
                if !state.stored.contains(&relay) {
                    state.stored.push(relay);
                    self.put(row, &state);
                    if state.cargo == Cargo::Messages {
                        self.counted.through(relay, state.to + 1 - state.from, 0);
                    }
                    if state.stored.len() == 1 && state.cargo == Cargo::Messages {
                        let persona = self.contact(contact)?.persona;
                        let OutboxState { lane, from, to, .. } = state;
                        self.event(Event::MessagesMoved { persona, thread, lane, from, to, state: MessageState::Stored });
                    }
                }
            }
            Ok(RelayAnswer::Denied) => {
                self.memory.counters.relay_denied += 1;
                // PROTOCOL 5: a refused promotion is not kept.
                if state.lane == Lane::Promotion {
                    self.drop_row(thread, envelope, &state)?;
                }
            }
            Ok(_) => self.memory.counters.relay_busy += 1,
            Err(Unreachable) => {}
        }
        self.push_outbox_if_any(contact)
    }

    /// Goes on with a contact's outbox if there is something in it.
    pub(crate) fn push_outbox_if_any(&mut self, contact: u32) -> Result<(), EngineError> {
        if self.memory.deliveries.contains(&contact) { self.push_outbox(contact) } else { Ok(()) }
    }

    /// A peer has our frames up to `up_to` on disk.
    pub(crate) fn on_committed(&mut self, peer: PeerKey, up_to: u64) -> Result<(), EngineError> {
        let landed: Vec<(u64, Flight)> =
            self.memory.flights.range((peer, 0)..=(peer, up_to)).map(|((_, number), flight)| (*number, *flight)).collect();
        let mut threads = std::collections::BTreeMap::<u32, Vec<u64>>::new();
        for (number, flight) in landed {
            self.land(peer, number, flight);
            threads.entry(flight.thread).or_default().push(flight.envelope);
        }
        for (thread, envelopes) in threads {
            self.confirm_envelopes(thread, &envelopes)?;
        }
        Ok(())
    }

    /// Takes a frame out of flight.
    pub(crate) fn land(&mut self, peer: PeerKey, number: u64, flight: Flight) {
        self.memory.flights.remove(&(peer, number));
        self.memory.flying.remove(&(flight.thread, flight.envelope));
        self.memory.peers.change(&peer, |link| link.flight_bytes = link.flight_bytes.saturating_sub(flight.bytes));
    }

    fn confirm_envelopes(&mut self, thread: u32, envelopes: &[u64]) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        let mut moved: Option<(Lane, u64, u64)> = None;
        let mut runs = Vec::new();
        for envelope in envelopes {
            let Some(state) = self.load::<OutboxState>(state_key(thread, *envelope))? else { continue };
            if state.cargo != Cargo::Messages {
                continue;
            }
            let inserted = loaded.thread.authors[0].track_mut(state.lane).delivered.insert_run(state.from, state.to);
            if inserted != comptoir_protocol::runs::Inserted::New {
                continue;
            }
            loaded.dirty = true;
            moved = match moved {
                Some((lane, from, to)) if lane == state.lane && to + 1 == state.from => Some((lane, from, state.to)),
                other => {
                    runs.extend(other);
                    Some((state.lane, state.from, state.to))
                }
            };
        }
        runs.extend(moved);
        let (persona, contact) = (loaded.thread.persona, loaded.thread.contact);
        self.put_thread(loaded);
        for (lane, from, to) in runs {
            self.counted.sent_direct += to + 1 - from;
            self.event(Event::MessagesMoved { persona, thread, lane, from, to, state: MessageState::Delivered });
        }
        if let Some(contact) = contact {
            self.memory.deliveries.change(&contact, |delivery| delivery.tries = 0);
            self.memory.timers.clear(Timer::Direct { contact });
            self.memory.timers.clear(Timer::Outbox { contact });
            self.push_outbox_if_any(contact)?;
        }
        Ok(())
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
                state.cargo == Cargo::Welcome || loaded.thread.authors[0].track(state.lane).acked(state.from, state.to)
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
            self.memory.timers.clear(Timer::Outbox { contact });
            self.memory.timers.clear(Timer::Direct { contact });
        }
        Ok(())
    }

    fn has_tried(&self, thread: u32, envelope: u64) -> bool {
        self.memory.tried.contains(&(thread, envelope))
    }

    fn remove_row(&mut self, loaded: &mut Loaded, envelope: u64, state: &OutboxState) {
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

    fn drop_row(&mut self, thread: u32, envelope: u64, state: &OutboxState) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        self.remove_row(&mut loaded, envelope, state);
        self.put_thread(loaded);
        Ok(())
    }

    /// The direct way took too long.
    pub(crate) fn on_direct_overdue(&mut self, contact: u32) -> Result<(), EngineError> {
        self.memory.deliveries.change(&contact, |delivery| delivery.by_relay = true);
        self.push_outbox_if_any(contact)
    }

    /// Time to try everything again that is not acknowledged.
    pub(crate) fn on_outbox_retry(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let Some(thread) = contact.thread else { return Ok(()) };
        self.give_up_old(number, thread, contact.persona)?;
        let loaded = self.take_thread(thread)?;
        let waiting = loaded.thread.outbox_count;
        self.put_thread(loaded);
        if waiting == 0 {
            self.memory.deliveries.remove(&number);
            return Ok(());
        }
        self.memory.counters.sent_again += waiting;
        self.forget_flights(thread);
        self.memory.deliveries.change(&number, |delivery| {
            delivery.tries = delivery.tries.saturating_add(1);
            delivery.next_direct = 0;
            delivery.next_put = 0;
            // A relay may have lost what it stored: from the second try on everything is deposited anew.
            delivery.again = delivery.tries > 1;
        });
        self.push_outbox(number)
    }

    /// Frames of a thread that nobody confirmed: they are sent again.
    pub(crate) fn forget_flights(&mut self, thread: u32) {
        let flying: Vec<(PeerKey, u64)> =
            self.memory.flying.range((thread, 0)..=(thread, u64::MAX)).map(|(_, flight)| *flight).collect();
        for (peer, number) in flying {
            if let Some(flight) = self.memory.flights.get(&(peer, number)).copied() {
                self.land(peer, number, flight);
            }
        }
    }

    fn give_up_old(&mut self, number: u32, thread: u32, persona: u16) -> Result<(), EngineError> {
        let tries = self.memory.deliveries.get(&number).map_or(0, |delivery| delivery.tries);
        if tries < TRIES_MIN {
            return Ok(());
        }
        let limit = self.now.wall_ms.saturating_sub(self.config.give_up_ms);
        for (envelope, state) in self.outbox_states(thread, 0, ROWS_PER_STEP)? {
            if state.made_ms >= limit {
                break;
            }
            self.drop_row(thread, envelope, &state)?;
            if state.cargo == Cargo::Messages {
                let OutboxState { lane, from, to, .. } = state;
                self.event(Event::NotDelivered { persona, thread, lane, from, to });
            }
        }
        Ok(())
    }

    /// Outbox rows of a thread, from an envelope number on.
    pub(crate) fn outbox_states(&self, thread: u32, from: u64, limit: usize) -> Result<Vec<(u64, OutboxState)>, EngineError> {
        let range = Scan::all(Key::of(key::OUTBOX_STATE).u32(thread)).starting_at(state_key(thread, from)).limited(limit);
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
