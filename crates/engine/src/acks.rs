// SPDX-License-Identifier: MIT OR Apache-2.0
//! Acknowledgements: signed vectors of what we have, and what the other side's tell us. They are not acknowledged.

use comptoir_crypto::deposit;
use comptoir_protocol::acknowledgement::{AckEntry, AckVector};
use comptoir_protocol::capability::Capability;
use comptoir_protocol::deposit::{Parcel, ParcelContent};
use comptoir_protocol::frame::{PeerFrame, RelayAnswer, RelayRequest};
use comptoir_protocol::id::Lane;
use comptoir_protocol::runs::Inserted;
use comptoir_protocol::signed::Signed;

use crate::memory::{Call, Source};
use crate::outbox::DEPOSIT_EXPIRES_S;
use crate::seam::error::EngineError;
use crate::seam::event::{Event, MessageState};
use crate::seam::input::Unreachable;
use crate::thread_cache::Loaded;
use crate::timers::Timer;
use crate::turn::Turn;

/// Envelopes that come close together share one acknowledgement.
const ACK_DELAY_MS: u64 = 150;
/// PROTOCOL 7: at most one a second per peer.
const ACK_PAUSE_MS: u64 = 1_000;
/// An acknowledgement that found no way is tried again after this, or when a way opens.
const ACK_RETRY_MS: u64 = 30_000;

impl Turn<'_> {
    /// Something came in: the other side is owed a word. The thread is to be given back.
    pub(crate) fn owe_acknowledgement(&mut self, loaded: &mut Loaded) {
        if !loaded.thread.ack_owed {
            loaded.thread.ack_owed = true;
            loaded.dirty = true;
        }
        let after_last = self
            .memory
            .acked_ms
            .get(&loaded.number)
            .map_or(0, |last| last + ACK_PAUSE_MS);
        let due = (self.now.mono_ms + ACK_DELAY_MS).max(after_last);
        self.memory.timers.set_earlier(
            Timer::Acknowledge {
                thread: loaded.number,
            },
            due,
        );
    }

    /// Time to say what we have.
    pub(crate) fn on_ack_due(&mut self, number: u32) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(number)?;
        self.acknowledge(&mut loaded)?;
        self.put_thread(loaded);
        Ok(())
    }

    /// Sends the vector of a thread on the stream that is open, or through every relay: one that drops it silently would
    /// else make the other side say "not delivered" of what is here. The thread is to be given back.
    pub(crate) fn acknowledge(&mut self, loaded: &mut Loaded) -> Result<(), EngineError> {
        let Some(number) = loaded.thread.contact else {
            return Ok(());
        };
        let contact = self.contact(number)?;
        if contact.blocked {
            return Ok(());
        }
        let thread = loaded.number;
        let peer = self.connected_peer(number, &contact);
        let now_ms = self.now.wall_ms;
        let mut routes: Vec<Capability> = contact.routes(Lane::Service, now_ms).cloned().collect();
        routes.retain(|route| self.relay_has_room(route.relay.key));
        if peer.is_none() && routes.is_empty() {
            self.memory.timers.set(
                Timer::Acknowledge { thread },
                self.now.mono_ms + ACK_RETRY_MS,
            );
            return Ok(());
        }
        let vector = self.vector(loaded)?;
        let device = loaded.thread.authors[0].device;
        if let Some(peer) = peer {
            self.send(peer, &PeerFrame::Acknowledge(vector));
        } else {
            let content = ParcelContent::Acknowledgement(vector);
            let parcel = Parcel {
                lane: Lane::Service,
                author: device,
                sequence: 0,
                content,
            };
            let padded = parcel
                .to_padded()
                .map_err(|error| EngineError::Crypto(error.to_string()))?;
            for route in &routes {
                self.put_ack_at_relay(thread, route, &padded);
            }
        }
        self.memory.timers.clear(Timer::Acknowledge { thread });
        self.memory.acked_ms.insert(thread, self.now.mono_ms);
        if loaded.thread.ack_owed {
            loaded.thread.ack_owed = false;
            loaded.dirty = true;
        }
        Ok(())
    }

    fn put_ack_at_relay(&mut self, thread: u32, route: &Capability, padded: &[u8]) {
        let (mid, blob) = deposit::seal(route.k_box.expose(), &route.relay.key, padded);
        let request = RelayRequest::Put {
            sid: route.sid,
            capability: route.capability,
            mid,
            expires_s: DEPOSIT_EXPIRES_S,
            blob,
        };
        let (signer, call) = (Some(route.writer.clone()), Call::PutAck { thread });
        self.call(&route.relay, request, signer, call);
    }

    /// A relay answered the deposit of an acknowledgement. Denied, it is not tried again: the box is gone or closed to
    /// us, and who misses the word sends again what it is about, which is answered anew.
    pub(crate) fn on_ack_put_answer(
        &mut self,
        thread: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        if matches!(
            answer,
            Ok(RelayAnswer::Stored { .. } | RelayAnswer::Duplicate | RelayAnswer::Denied)
        ) {
            return Ok(());
        }
        let mut loaded = self.take_thread(thread)?;
        loaded.thread.ack_owed = true;
        loaded.dirty = true;
        self.put_thread(loaded);
        // A stream that opened meanwhile is to take it sooner.
        self.memory.timers.set_if_unset(
            Timer::Acknowledge { thread },
            self.now.mono_ms + ACK_RETRY_MS,
        );
        Ok(())
    }

    fn vector(&mut self, loaded: &mut Loaded) -> Result<Signed<AckVector>, EngineError> {
        let mut entries = Vec::new();
        for author in &loaded.thread.authors[1..] {
            for lane in [Lane::Service, Lane::Promotion] {
                let runs = &author.track(lane).have;
                if runs.last() > 0 {
                    entries.push(AckEntry {
                        author: author.device,
                        lane,
                        runs: runs.clone(),
                    });
                }
            }
        }
        entries.sort_by_key(|entry| (entry.author, entry.lane));
        let (thread, incarnation) = (loaded.thread.id, loaded.thread.incarnation);
        let mls = self.mls(loaded)?;
        Ok(mls.sign(&AckVector {
            thread,
            incarnation,
            parent: mls.parent(),
            entries,
        }))
    }

    /// The other side says what it has.
    pub(crate) fn on_ack_vector(
        &mut self,
        vector: Signed<AckVector>,
        source: Source,
    ) -> Result<(), EngineError> {
        let Ok(vector) = vector.verify() else {
            self.memory.counters.acks_refused += 1;
            return Ok(());
        };
        let Some(number) = self.memory.threads.get(&vector.thread).copied() else {
            self.memory.counters.acks_refused += 1;
            return Ok(());
        };
        let mut loaded = self.take_thread(number)?;
        let known_leaf = loaded.thread.authors[1..]
            .iter()
            .any(|author| author.leaf == Some(vector.signer()));
        let fits = known_leaf && vector.incarnation == loaded.thread.incarnation;
        if !fits || !Self::is_way_to(&loaded.thread, source) {
            self.memory.counters.acks_refused += 1;
            self.put_thread(loaded);
            return Ok(());
        }
        self.apply_vector(&mut loaded, &vector)?;
        let contact = loaded.thread.contact;
        self.put_thread(loaded);
        if let Some(contact) = contact {
            self.memory
                .deliveries
                .change(&contact, |delivery| delivery.tries = 0);
            self.push_outbox_if_any(contact)?;
        }
        Ok(())
    }

    fn apply_vector(&mut self, loaded: &mut Loaded, vector: &AckVector) -> Result<(), EngineError> {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let device = loaded.thread.authors[0].device;
        for lane in [Lane::Service, Lane::Promotion] {
            let Some(runs) = vector.runs(device, lane) else {
                continue;
            };
            let ours = loaded.thread.authors[0].track(lane).sealed;
            if runs.last() > ours {
                self.freeze(loaded, ours, runs.last());
                return Ok(());
            }
            let track = loaded.thread.authors[0].track_mut(lane);
            let mut before = track.delivered.clone();
            let acked = track.acked.merge(runs);
            let _ = track.delivered.merge(runs);
            if acked == Inserted::New {
                loaded.dirty = true;
            }
            let head = (runs.contiguous() > 0).then_some((1, runs.contiguous()));
            for (from, to) in head.into_iter().chain(runs.ranges().iter().copied()) {
                let from = from.max(before.contiguous() + 1);
                if from <= to && before.insert_run(from, to) == Inserted::New {
                    self.event(Event::MessagesMoved {
                        persona,
                        thread,
                        lane,
                        from,
                        to,
                        state: MessageState::Delivered,
                    });
                }
            }
        }
        self.prove_safe(loaded);
        self.drop_acknowledged(loaded)
    }
}
