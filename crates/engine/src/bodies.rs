// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies: what a message of another says to the node itself, and what is for the user.

use comptoir_protocol::body::{Body, Content, Profile, Reach, Receipt};
use comptoir_protocol::envelope::Batch;
use comptoir_protocol::id::Lane;

use crate::rows::contact::Contact;
use crate::rows::key::{self, Key};
use crate::seam::error::EngineError;
use crate::seam::event::{Event, MessageState};
use crate::thread_cache::Loaded;
use crate::turn::Turn;

/// What a contact told the node; done once its thread is given back.
#[derive(Debug)]
pub(crate) enum Told {
    Profile(Box<Profile>),
    Reach(Reach),
}

impl Turn<'_> {
    /// Reads the bodies of a batch: which of them are silent, and how many are for the user.
    pub(crate) fn read_bodies(&mut self, loaded: &mut Loaded, batch: &Batch) -> (Vec<bool>, u64) {
        let mut silent = Vec::with_capacity(batch.messages.len());
        let mut unknown = false;
        for message in &batch.messages {
            let shown = match Body::from_message(message, &self.config.kinds) {
                Ok(body) => match body.content {
                    Content::Text(_) | Content::App { .. } => true,
                    Content::Unknown { .. } => {
                        unknown = true;
                        true
                    }
                    Content::Receipt(receipt) => {
                        self.on_receipt(loaded, &receipt);
                        false
                    }
                    Content::Profile(profile) => {
                        self.told.push(Told::Profile(profile));
                        false
                    }
                    Content::Reach(reach) => {
                        self.told.push(Told::Reach(reach));
                        false
                    }
                    // Eve must not rule Alice's devices: account state is taken from the self thread only.
                    Content::AccountState(_) => {
                        self.memory.counters.bodies_refused += 1;
                        false
                    }
                },
                Err(_) => {
                    self.memory.counters.bodies_refused += 1;
                    false
                }
            };
            silent.push(!shown);
        }
        if unknown {
            self.put_bytes(
                Key::of(key::UNKNOWN)
                    .u32(loaded.number)
                    .u64(loaded.thread.arrival_next),
                vec![1],
            );
            if let Some(number) = loaded.thread.contact {
                self.event(Event::NeedsNewer {
                    persona: loaded.thread.persona,
                    contact: number,
                });
            }
        }
        let shown = silent.iter().filter(|silent| !**silent).count() as u64;
        (silent, shown)
    }

    /// The other side has read some of ours.
    fn on_receipt(&mut self, loaded: &mut Loaded, receipt: &Receipt) {
        let (persona, thread) = (loaded.thread.persona, loaded.number);
        let own = &mut loaded.thread.authors[0];
        for (device, lane, up_to) in &receipt.up_to {
            if *device != own.device {
                continue;
            }
            let track = own.track_mut(*lane);
            // What it cannot have read it did not read.
            let up_to = (*up_to).min(track.sealed);
            if up_to > track.read {
                let from = track.read + 1;
                track.read = up_to;
                loaded.dirty = true;
                self.event(Event::MessagesMoved {
                    persona,
                    thread,
                    lane: *lane,
                    from,
                    to: up_to,
                    state: MessageState::Read,
                });
            }
        }
    }

    /// Does what a contact told the node.
    pub(crate) fn on_told(&mut self, thread: u32, told: Told) -> Result<(), EngineError> {
        let loaded = self.take_thread(thread)?;
        let number = loaded.thread.contact;
        self.put_thread(loaded);
        let Some(number) = number else { return Ok(()) };
        let contact = self.contact(number)?;
        match told {
            Told::Profile(profile) => self.on_profile(number, contact, *profile),
            Told::Reach(reach) => self.on_reach(number, thread, contact, reach),
        }
    }

    fn on_profile(
        &mut self,
        number: u32,
        mut contact: Contact,
        profile: Profile,
    ) -> Result<(), EngineError> {
        let Profile {
            name,
            endpoints,
            card_number: _,
            card,
        } = profile;
        contact.name = name;
        if let Some(card) = card {
            // A contact away for a year still tells its new card: the proof counts, not the date.
            match card.verify_ignoring_expiry() {
                Ok(verified) if verified.keys.account() == contact.account => {
                    if verified.card.number > contact.card_number {
                        contact.card_number = verified.card.number;
                        contact.card = Some(card);
                    }
                }
                _ => self.memory.counters.bodies_refused += 1,
            }
        }
        if contact.persona == crate::personas::MAIN {
            for peer in contact.peers() {
                self.memory.peer_contacts.remove(&(peer, number));
            }
            contact.endpoints = endpoints;
            for peer in contact.peers() {
                self.memory.peer_contacts.insert((peer, number), ());
            }
        }
        self.put_contact(number, &contact);
        self.event(Event::ContactChanged {
            persona: contact.persona,
            contact: number,
        });
        Ok(())
    }

    fn on_reach(
        &mut self,
        number: u32,
        thread: u32,
        mut contact: Contact,
        reach: Reach,
    ) -> Result<(), EngineError> {
        for capability in reach.capabilities {
            contact
                .capabilities
                .retain(|known| known.capability != capability.capability);
            contact.capabilities.push(capability);
        }
        contact
            .capabilities
            .retain(|known| !reach.withdrawn.contains(&known.capability));
        // The oldest go: a contact that tells ever more boxes fills its own row only so far.
        let excess = contact
            .capabilities
            .len()
            .saturating_sub(comptoir_protocol::limits::CAPABILITIES_MAX);
        contact.capabilities.drain(..excess);
        self.put_contact(number, &contact);
        self.deposit_anew(number);
        self.push_outbox_if_any(number)?;
        let mut loaded = self.take_thread(thread)?;
        if loaded.thread.ack_owed {
            self.owe_acknowledgement(&mut loaded);
        }
        self.put_thread(loaded);
        Ok(())
    }

    /// Tells the other side what was read, where the user lets it be known.
    pub(crate) fn receipt_for(
        &self,
        loaded: &Loaded,
    ) -> Vec<(comptoir_protocol::id::DeviceId, Lane, u64)> {
        let mut up_to = Vec::new();
        for author in &loaded.thread.authors[1..] {
            for lane in [Lane::Service, Lane::Promotion] {
                let read = author.track(lane).read;
                if read > 0 {
                    up_to.push((author.device, lane, read));
                }
            }
        }
        up_to.sort_unstable();
        up_to
    }
}
