// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ways: how an outbox row goes out, on a stream or to relays, and what peers and relays answer.

use std::collections::BTreeSet;

use comptoir_crypto::deposit;
use comptoir_protocol::capability::Capability;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::deposit::{Parcel, pad};
use comptoir_protocol::frame::{PeerFrame, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, PeerKey, RelayKey};
use comptoir_protocol::limits::{ADDRESSES_MAX, PARCEL_ROOM_BYTES};

use crate::memory::{Call, Flight};
use crate::outbox::{DEPOSIT_EXPIRES_S, ROWS_PER_STEP, state_key};
use crate::rows::contact::Contact;
use crate::rows::key::{self, Key};
use crate::rows::thread::{Cargo, OutboxBody, OutboxState};
use crate::seam::error::EngineError;
use crate::seam::event::{Event, MessageState};
use crate::seam::input::Unreachable;
use crate::timers::Timer;
use crate::turn::Turn;

/// Addresses of one dial: of eight contacts that name one socket, all of each.
const DIAL_ADDRESSES_MAX: usize = 8 * ADDRESSES_MAX;

impl Turn<'_> {
    /// The sockets on which a contact may be met. Only the main persona shows its own socket to anybody.
    pub(crate) fn connected_peer(&self, number: u32, contact: &Contact) -> Option<PeerKey> {
        if contact.persona != crate::personas::MAIN {
            return None;
        }
        let known = contact.peers().find(|peer| {
            self.memory
                .peers
                .get(peer)
                .is_some_and(|link| link.connected)
        });
        known.or_else(|| {
            let mut connected = self
                .memory
                .peers
                .iter()
                .filter(|(_, link)| link.connected)
                .map(|(peer, _)| *peer);
            connected.find(|peer| self.memory.peer_contacts.contains(&(*peer, number)))
        })
    }

    /// Where a socket can be dialed, after all contacts that name it. Who names another's socket with addresses of its
    /// own would else decide where that one is looked for.
    fn addresses_of(&self, peer: PeerKey) -> Result<Vec<String>, EngineError> {
        let mut addresses: Vec<String> = Vec::new();
        for contact in self.contacts_at(peer) {
            let endpoints = self.contact(contact)?.endpoints.into_iter();
            for address in endpoints
                .filter(|endpoint| endpoint.key == peer)
                .flat_map(|endpoint| endpoint.addresses)
            {
                if !addresses.contains(&address) && addresses.len() < DIAL_ADDRESSES_MAX {
                    addresses.push(address);
                }
            }
        }
        Ok(addresses)
    }

    /// Asks for a connection; false when there is nowhere to dial, or it failed lately.
    pub(crate) fn start_dial(
        &mut self,
        number: u32,
        contact: &Contact,
    ) -> Result<bool, EngineError> {
        if contact.persona != crate::personas::MAIN {
            return Ok(false);
        }
        let now = self.now.mono_ms;
        for endpoint in contact
            .endpoints
            .iter()
            .filter(|endpoint| !endpoint.addresses.is_empty())
        {
            let mut link = self
                .memory
                .peers
                .get(&endpoint.key)
                .cloned()
                .unwrap_or_default();
            if link.dial_after_ms > now && !link.dialing {
                continue;
            }
            if !link.dialing {
                link.dialing = true;
                self.memory.peers.insert(endpoint.key, link);
                let addresses = self.addresses_of(endpoint.key)?;
                self.dial(endpoint.key, addresses);
            }
            self.memory.timers.set_if_unset(
                Timer::Direct { contact: number },
                now + self.config.direct_wait_ms,
            );
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) fn push_direct(
        &mut self,
        number: u32,
        thread: u32,
        contact: &Contact,
        peer: PeerKey,
    ) -> Result<(), EngineError> {
        let from = self
            .memory
            .deliveries
            .get(&number)
            .map_or(0, |delivery| delivery.next_direct);
        let rows = self.outbox_states(thread, from, ROWS_PER_STEP)?;
        for (envelope, state) in rows {
            let flying = self.memory.flying.contains(&(thread, envelope));
            let room = self
                .memory
                .peers
                .get(&peer)
                .map_or(0, |link| link.flight_bytes)
                < self.config.flight_bytes_max;
            if !room {
                break;
            }
            if !contact.takes(state.lane, self.now.wall_ms) {
                self.end_promotion(contact.persona, thread, envelope, &state)?;
            } else if !flying && !self.send_direct(thread, envelope, &state, peer)? {
                break;
            }
            self.memory
                .deliveries
                .change(&number, |delivery| delivery.next_direct = envelope + 1);
        }
        if self
            .memory
            .peers
            .get(&peer)
            .is_some_and(|link| link.flight_bytes > 0)
        {
            let due = self.now.mono_ms + self.config.direct_wait_ms;
            self.memory
                .timers
                .set_if_unset(Timer::Direct { contact: number }, due);
        }
        Ok(())
    }

    /// Sends one row to a peer; false when it cannot be encrypted yet.
    pub(crate) fn send_direct(
        &mut self,
        thread: u32,
        envelope: u64,
        state: &OutboxState,
        peer: PeerKey,
    ) -> Result<bool, EngineError> {
        let Some(parcel) = self.sealed_parcel(thread, envelope, state)? else {
            return Ok(false);
        };
        let bytes = parcel.len() + PARCEL_ROOM_BYTES;
        if state.cargo == Cargo::Messages
            && (!state.stored.is_empty() || self.has_tried(thread, envelope))
        {
            self.counted.sent_twice += state.to + 1 - state.from;
        }
        self.memory.tried.insert((thread, envelope), ());
        let base = self.memory.numbers.frame_base;
        let number = self.memory.peers.change(&peer, |link| {
            link.next_out = link.next_out.max(base) + 1;
            link.flight_bytes += bytes;
            link.next_out
        });
        let Some(number) = number else {
            return Ok(false);
        };
        self.memory.flights.insert(
            (peer, number),
            Flight {
                thread,
                envelope,
                bytes,
            },
        );
        self.memory
            .flying
            .insert((thread, envelope), (peer, number));
        let parcel =
            Parcel::from_bytes(&parcel).map_err(|error| EngineError::Crypto(error.to_string()))?;
        self.send(peer, &PeerFrame::Deliver { number, parcel });
        self.memory.counters.sent_direct += 1;
        Ok(true)
    }

    /// The parcel of a row, encrypted now if it was waiting for that; `None` while it must wait on.
    pub(crate) fn sealed_parcel(
        &mut self,
        thread: u32,
        envelope: u64,
        state: &OutboxState,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let row = Key::of(key::OUTBOX_BODY).u32(thread).u64(envelope);
        match self.require(row.clone())? {
            OutboxBody::Sealed { parcel } => Ok(Some(parcel)),
            OutboxBody::Plain { batch } => {
                let mut loaded = self.take_thread(thread)?;
                let mut sealed = None;
                if self.may_encrypt(&loaded) {
                    let parcel =
                        self.seal_batch(&mut loaded, envelope, state.lane, state.to, &batch)?;
                    let body = OutboxBody::Sealed {
                        parcel: parcel.clone(),
                    };
                    self.put_said(row, &body, loaded.scope_of_envelope(state))?;
                    sealed = Some(parcel);
                }
                self.put_thread(loaded);
                Ok(sealed)
            }
        }
    }

    /// Deposits at every relay the contact names, each at its own pace.
    pub(crate) fn push_relays(
        &mut self,
        number: u32,
        thread: u32,
        contact: &Contact,
    ) -> Result<(), EngineError> {
        let relays: BTreeSet<RelayKey> = contact
            .capabilities
            .iter()
            .map(|route| route.relay.key)
            .collect();
        for relay in relays {
            self.push_relay(number, thread, contact, relay)?;
        }
        Ok(())
    }

    fn push_relay(
        &mut self,
        number: u32,
        thread: u32,
        contact: &Contact,
        relay: RelayKey,
    ) -> Result<(), EngineError> {
        let again = self
            .memory
            .deliveries
            .get(&number)
            .is_some_and(|delivery| delivery.again);
        let from = self
            .memory
            .next_puts
            .get(&(number, relay))
            .copied()
            .unwrap_or(0);
        for (envelope, state) in self.outbox_states(thread, from, ROWS_PER_STEP)? {
            let done =
                (state.stored.contains(&relay) || self.is_delivered(thread, &state)?) && !again;
            let under_way = self.memory.putting.contains(&(thread, envelope, relay));
            if !contact.takes(state.lane, self.now.wall_ms) {
                self.end_promotion(contact.persona, thread, envelope, &state)?;
            } else if !done && !under_way {
                let routes: Vec<Capability> = contact
                    .routes(state.lane, self.now.wall_ms)
                    .filter(|route| route.relay.key == relay)
                    .cloned()
                    .collect();
                for route in &routes {
                    if !self.relay_has_room(relay) {
                        return Ok(());
                    }
                    let Some(parcel) = self.sealed_parcel(thread, envelope, &state)? else {
                        return Ok(());
                    };
                    if state.cargo == Cargo::Messages
                        && (!state.stored.is_empty() || self.has_tried(thread, envelope))
                    {
                        self.counted.sent_twice += state.to + 1 - state.from;
                    }
                    self.memory.tried.insert((thread, envelope), ());
                    self.put_at_relay(number, thread, envelope, route, parcel)?;
                }
            }
            self.memory.next_puts.insert((number, relay), envelope + 1);
        }
        Ok(())
    }

    /// What was deposited for a contact is looked at again from the first row on.
    pub(crate) fn deposit_anew(&mut self, contact: u32) {
        let first = (contact, RelayKey([0; 32]));
        let last = (contact, RelayKey([u8::MAX; 32]));
        let relays: Vec<_> = self
            .memory
            .next_puts
            .range(first..=last)
            .map(|(place, _)| *place)
            .collect();
        for place in relays {
            self.memory.next_puts.remove(&place);
        }
    }

    pub(crate) fn put_at_relay(
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
        self.memory
            .putting
            .insert((thread, envelope, route.relay.key), ());
        self.call(
            &route.relay,
            request,
            Some(route.writer.clone()),
            Call::Put {
                contact,
                thread,
                envelope,
            },
        );
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
        let Some(mut state) = self.load::<OutboxState>(row.clone())? else {
            return self.push_outbox_if_any(contact);
        };
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
                        self.event(Event::MessagesMoved {
                            persona,
                            thread,
                            lane,
                            from,
                            to,
                            state: MessageState::Stored,
                        });
                    }
                }
            }
            Ok(RelayAnswer::Denied) => {
                self.memory.counters.relay_denied += 1;
                // PROTOCOL 5: a refused promotion is not kept.
                if state.lane == Lane::Promotion {
                    let persona = self.contact(contact)?.persona;
                    self.end_promotion(persona, thread, envelope, &state)?;
                }
            }
            Ok(_) => self.memory.counters.relay_busy += 1,
            Err(Unreachable) => {}
        }
        self.push_outbox_if_any(contact)
    }

    /// A peer has our frames up to `up_to` on disk.
    pub(crate) fn on_committed(&mut self, peer: PeerKey, up_to: u64) -> Result<(), EngineError> {
        let landed: Vec<(u64, Flight)> = self
            .memory
            .flights
            .range((peer, 0)..=(peer, up_to))
            .map(|((_, number), flight)| (*number, *flight))
            .collect();
        let mut threads = std::collections::BTreeMap::<u32, Vec<u64>>::new();
        for (number, flight) in landed {
            self.land(peer, number, flight);
            threads
                .entry(flight.thread)
                .or_default()
                .push(flight.envelope);
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
        self.memory.peers.change(&peer, |link| {
            link.flight_bytes = link.flight_bytes.saturating_sub(flight.bytes)
        });
    }

    pub(crate) fn confirm_envelopes(
        &mut self,
        thread: u32,
        envelopes: &[u64],
    ) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        let mut moved: Option<(Lane, u64, u64)> = None;
        let mut runs = Vec::new();
        for envelope in envelopes {
            let Some(state) = self.load::<OutboxState>(state_key(thread, *envelope))? else {
                continue;
            };
            if state.cargo != Cargo::Messages {
                continue;
            }
            let inserted = loaded.thread.authors[0]
                .track_mut(state.lane)
                .delivered
                .insert_run(state.from, state.to);
            if inserted != comptoir_protocol::runs::Inserted::New {
                continue;
            }
            loaded.dirty = true;
            moved = match moved {
                Some((lane, from, to)) if lane == state.lane && to + 1 == state.from => {
                    Some((lane, from, state.to))
                }
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
            self.event(Event::MessagesMoved {
                persona,
                thread,
                lane,
                from,
                to,
                state: MessageState::Delivered,
            });
        }
        if let Some(contact) = contact {
            self.memory
                .deliveries
                .change(&contact, |delivery| delivery.tries = 0);
            self.memory.timers.clear(Timer::Direct { contact });
            self.memory.timers.clear(Timer::Outbox { contact });
            self.push_outbox_if_any(contact)?;
        }
        Ok(())
    }
}
