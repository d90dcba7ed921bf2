// SPDX-License-Identifier: MIT OR Apache-2.0
//! Peers: streams that come and go, and the frames on them.

use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::{PeerFrame, RefusalReason, Versions};
use comptoir_protocol::id::PeerKey;

use crate::memory::Source;
use crate::personas::MAIN;
use crate::rows::thread::Thread;
use crate::seam::config::mutant;
use crate::seam::error::EngineError;
use crate::timers::Timer;
use crate::turn::Turn;

/// Deliveries of one peer that are not dealt with. Full: a further one is refused as busy, its sender keeps it.
const PENDING_PER_PEER_MAX: usize = 1_024;
/// Numbers of frames that never came, named one by one: 64 of the longest frames are all that waits on a connection.
const FRAMES_MISSING_MAX: u64 = 64;
/// After a connection ended, the first dial waits this long, jittered: both sides see the end at once.
const REDIAL_FIRST_MS: u64 = 1_000;
/// The longest pause between two dials while something waits: who comes back is reached within minutes.
const REDIAL_LONGEST_MS: u64 = 2 * 60 * 1000;

impl Turn<'_> {
    pub(crate) fn on_peer_connected(&mut self, peer: PeerKey) -> Result<(), EngineError> {
        let mut link = self.memory.peers.get(&peer).cloned().unwrap_or_default();
        link.connected = true;
        link.dialing = false;
        link.dial_failures = 0;
        link.dial_after_ms = 0;
        link.pending_in.clear();
        // A peer that started again may count from below.
        link.last_in = 0;
        self.memory.peers.insert(peer, link);
        self.send(
            peer,
            &PeerFrame::Greeting {
                versions: Versions::ours(),
            },
        );
        for contact in self.contacts_at(peer) {
            self.on_contact_connected(contact)?;
        }
        Ok(())
    }

    fn on_contact_connected(&mut self, number: u32) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        if self.memory.asking.contains(&number) {
            return self.say_hello(number);
        }
        let Some(thread) = contact.thread.filter(|_| Self::is_open_to(&contact)) else {
            return Ok(());
        };
        // Each side says what it has: what was lost shows, and a clone too.
        let pause_over = self
            .memory
            .acked_ms
            .get(&thread)
            .is_none_or(|last| last + 1_000 <= self.now.mono_ms);
        let mut loaded = self.take_thread(thread)?;
        if pause_over {
            self.acknowledge(&mut loaded)?;
        } else {
            self.owe_acknowledgement(&mut loaded);
        }
        self.put_thread(loaded);
        self.memory.timers.clear(Timer::Direct { contact: number });
        self.memory.deliveries.change(&number, |delivery| {
            delivery.by_relay = false;
            delivery.next_direct = 0;
        });
        self.push_outbox_if_any(number)
    }

    pub(crate) fn on_peer_disconnected(&mut self, peer: PeerKey) -> Result<(), EngineError> {
        let pause = self.jittered(REDIAL_FIRST_MS);
        let now = self.now.mono_ms;
        self.memory.peers.change(&peer, |link| {
            link.connected = false;
            link.pending_in.clear();
            link.dial_after_ms = now + pause;
        });
        let lost: Vec<_> = self
            .memory
            .flights
            .range((peer, 0)..=(peer, u64::MAX))
            .map(|((_, number), flight)| (*number, *flight))
            .collect();
        for (number, flight) in lost {
            self.land(peer, number, flight);
        }
        let contacts = self.contacts_at(peer);
        if contacts.is_empty() {
            self.memory.peers.remove(&peer);
        }
        for contact in contacts {
            self.memory
                .deliveries
                .change(&contact, |delivery| delivery.next_direct = 0);
            if self.memory.deliveries.contains(&contact) {
                self.memory.timers.set(Timer::Dial { contact }, now + pause);
                self.push_outbox(contact)?;
            }
        }
        Ok(())
    }

    pub(crate) fn on_dial_failed(&mut self, peer: PeerKey) -> Result<(), EngineError> {
        let failures = self
            .memory
            .peers
            .get(&peer)
            .map_or(0, |link| link.dial_failures);
        let pause = (self.config.retry_first_ms << failures.min(16)).min(REDIAL_LONGEST_MS);
        let pause = self.jittered(pause);
        let now = self.now.mono_ms;
        self.memory.peers.change(&peer, |link| {
            link.dialing = false;
            link.dial_failures = link.dial_failures.saturating_add(1);
            link.dial_after_ms = now + pause;
        });
        for contact in self.contacts_at(peer) {
            if self.memory.asking.contains(&contact) {
                self.say_hello_by_relay(contact)?;
            }
            self.memory
                .deliveries
                .change(&contact, |delivery| delivery.by_relay = true);
            if self.memory.deliveries.contains(&contact) {
                self.memory.timers.set(Timer::Dial { contact }, now + pause);
                self.push_outbox(contact)?;
            }
        }
        Ok(())
    }

    /// The contacts that were seen to own a socket.
    pub(crate) fn contacts_at(&self, peer: PeerKey) -> Vec<u32> {
        self.memory
            .peer_contacts
            .range((peer, 0)..=(peer, u32::MAX))
            .map(|((_, contact), ())| *contact)
            .collect()
    }

    pub(crate) fn on_frame(&mut self, peer: PeerKey, bytes: &[u8]) -> Result<(), EngineError> {
        let frame = match PeerFrame::from_bytes(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                if error.needs_newer() {
                    self.memory.counters.frames_newer += 1;
                } else {
                    self.memory.counters.frames_malformed += 1;
                }
                return Ok(());
            }
        };
        match frame {
            PeerFrame::Greeting { versions } => {
                if versions.common(&Versions::ours()).is_none() {
                    self.memory.counters.frames_newer += 1;
                }
                Ok(())
            }
            PeerFrame::Deliver { number, parcel } => match self.expect(peer, number) {
                Some(source) => self.on_parcel(parcel, source, bytes.len()),
                None => Ok(()),
            },
            PeerFrame::Hello { number, sealed } => match self.expect(peer, number) {
                Some(source) => self.on_sealed_hello(&sealed.0, MAIN, source),
                None => Ok(()),
            },
            PeerFrame::Committed { up_to } => self.on_committed(peer, up_to),
            PeerFrame::Refused { number, reason } => self.on_refused(peer, number, reason),
            PeerFrame::Acknowledge(vector) => {
                // Not numbered: nobody waits for its confirmation.
                self.on_ack_vector(vector, Source::Peer { peer, number: 0 })
            }
            PeerFrame::Ping { nonce } => {
                self.send(peer, &PeerFrame::Pong { nonce });
                Ok(())
            }
            PeerFrame::Pong { nonce: _ } => Ok(()),
        }
    }

    /// Notes a delivery that is to be answered. Numbers before it that did not come on this connection are refused, so
    /// that no `Committed` speaks for them.
    fn expect(&mut self, peer: PeerKey, number: u64) -> Option<Source> {
        let mut link = self.memory.peers.get(&peer).cloned().unwrap_or_default();
        if number <= link.last_in {
            // Repeated, or its process began anew and counts from below on a connection whose end was not seen. What was
            // said of the numbers above would confirm what has not come.
            link.last_in = number;
        }
        let full = link.pending_in.len() >= PENDING_PER_PEER_MAX;
        let next = match link.last_in {
            0 => number,
            last => last + 1,
        };
        let missing = next..number.max(next);
        // With more of them missing, the answers stay below: the signed acknowledgement says the rest.
        if missing.end - missing.start <= FRAMES_MISSING_MAX {
            link.last_in = link.last_in.max(number);
            for number in missing {
                let reason = RefusalReason::Busy;
                self.send(peer, &PeerFrame::Refused { number, reason });
            }
        }
        if !full {
            link.pending_in.insert(number);
        }
        self.memory.peers.insert(peer, link);
        let source = Source::Peer { peer, number };
        if full {
            self.memory.counters.order_full += 1;
            self.postpone(source);
            return None;
        }
        Some(source)
    }

    fn on_refused(
        &mut self,
        peer: PeerKey,
        number: u64,
        reason: RefusalReason,
    ) -> Result<(), EngineError> {
        self.memory.counters.refused_by_peer += 1;
        let Some(flight) = self.memory.flights.get(&(peer, number)).copied() else {
            return Ok(());
        };
        self.land(peer, number, flight);
        let loaded = self.take_thread(flight.thread)?;
        let contact = loaded.thread.contact;
        self.put_thread(loaded);
        // Kept whatever the reason: only the signed acknowledgement or its age ends it. Busy is worth an early try.
        if let Some(contact) = contact
            && matches!(
                reason,
                RefusalReason::Busy | RefusalReason::Waiting | RefusalReason::UnknownThread
            )
        {
            let tries = self
                .memory
                .deliveries
                .get(&contact)
                .map_or(0, |delivery| delivery.tries);
            let pause =
                (self.config.retry_first_ms << tries.min(16)).min(self.config.retry_longest_ms);
            let due = self.now.mono_ms + self.jittered(pause);
            self.memory
                .timers
                .set_earlier(Timer::Outbox { contact }, due);
        }
        Ok(())
    }

    /// Whether something may have come this way for a persona. Only the main one shows its socket: an answer there for
    /// another would say that both are one node.
    pub(crate) fn may_come_to(persona: u16, source: Source) -> bool {
        persona == MAIN || matches!(source, Source::Box { .. })
    }

    /// Whether something for a thread may have come this way: over the socket of its persona, or out of a box of its
    /// contact. Whoever knows two personas would see by what follows from anything else that they are one node.
    pub(crate) fn is_way_to(thread: &Thread, source: Source) -> bool {
        match source {
            Source::Peer { .. } => Self::may_come_to(thread.persona, source),
            Source::Box { contact, .. } => thread.contact == Some(contact),
        }
    }

    /// What came is stored with this step: whoever brought it is told so after the commit.
    pub(crate) fn confirm(&mut self, source: Source) {
        match source {
            Source::Peer { peer, number } => {
                self.memory
                    .peers
                    .change(&peer, |link| link.pending_in.remove(&number));
                self.confirmed.insert(peer);
            }
            Source::Box { rid, sequence, .. } => {
                self.fetched.entry(rid).or_default().push(sequence)
            }
        }
    }

    /// What came is refused for good: a peer is told, a relay may drop it.
    pub(crate) fn refuse(&mut self, source: Source, reason: RefusalReason) {
        if let Source::Peer { peer, number } = source {
            self.send(peer, &PeerFrame::Refused { number, reason });
        }
        self.confirm(source);
    }

    /// What came cannot be taken now: its sender keeps it, or the relay does.
    pub(crate) fn postpone(&mut self, source: Source) {
        match source {
            Source::Peer { .. } => self.refuse(source, RefusalReason::Busy),
            Source::Box { rid, sequence, .. } => self.fetch_again(rid, sequence),
        }
    }

    /// Answers that share one frame a peer and one call a box, at the end of the step.
    pub(crate) fn flush_answers(&mut self) -> Result<(), EngineError> {
        for peer in std::mem::take(&mut self.confirmed) {
            let Some(link) = self.memory.peers.get(&peer) else {
                continue;
            };
            let up_to = link
                .pending_in
                .first()
                .map_or(link.last_in, |first| link.last_in.min(first - 1));
            let up_to = up_to + u64::from(mutant!(self.config, ConfirmsAhead));
            self.send(peer, &PeerFrame::Committed { up_to });
        }
        for (rid, sequences) in std::mem::take(&mut self.fetched) {
            self.ack_items(rid, sequences)?;
        }
        Ok(())
    }
}
