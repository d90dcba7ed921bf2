// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies: what a message of another says to the node itself, and what is for the user.

use comptoir_protocol::body::{Body, Content, Edit, Erase, Profile, Reach, Receipt};
use comptoir_protocol::envelope::{Batch, Message};
use comptoir_protocol::id::Lane;

use crate::amendments::Amendment;
use crate::cards::take_card;
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

/// What a batch says.
pub(crate) struct Heard {
    /// Which of its messages are not for the user.
    pub(crate) silent: Vec<bool>,
    /// For how long each is there, s.
    pub(crate) lives_s: Vec<Option<u32>>,
    /// How many are for the user.
    pub(crate) shown: u64,
    /// What it says of earlier messages.
    pub(crate) amendments: Vec<Amendment>,
}

/// Whom one message is for.
pub(crate) enum Meant {
    /// The user.
    ForUser,
    /// The user, by its fallback: it needs a newer version.
    Unknown,
    /// The node, which has heard it, or refused it.
    ForNode,
    /// An earlier message.
    Amends(Amendment),
}

/// Where a message stands among those of its author.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    /// Index of the author.
    pub(crate) author: usize,
    /// The lane.
    pub(crate) lane: Lane,
    /// Its number there.
    pub(crate) sequence: u64,
}

impl Turn<'_> {
    /// Reads the bodies of a batch.
    pub(crate) fn read_bodies(
        &mut self,
        loaded: &mut Loaded,
        author: usize,
        batch: &Batch,
    ) -> Heard {
        let mut heard = Heard {
            silent: Vec::with_capacity(batch.messages.len()),
            lives_s: Vec::with_capacity(batch.messages.len()),
            shown: 0,
            amendments: Vec::new(),
        };
        let mut unknown = false;
        let lane = batch.lane;
        for (sequence, message) in (batch.first_sequence..).zip(&batch.messages) {
            let spoken = Spoken {
                author,
                lane,
                sequence,
            };
            let (meant, lives_s) = self.hear(loaded, spoken, message);
            heard.lives_s.push(lives_s);
            unknown |= matches!(meant, Meant::Unknown);
            let for_user = matches!(meant, Meant::ForUser | Meant::Unknown);
            heard.silent.push(!for_user);
            heard.shown += u64::from(for_user);
            if let Meant::Amends(amendment) = meant {
                heard.amendments.push(amendment);
            }
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
        heard
    }

    /// Reads one body, and for how long it is there. What it says to the node is done, or noted to be done once the
    /// thread is given back.
    pub(crate) fn hear(
        &mut self,
        loaded: &mut Loaded,
        spoken: Spoken,
        message: &Message,
    ) -> (Meant, Option<u32>) {
        match Body::from_message(message, &self.config.kinds) {
            Ok(Body { header, content }) => {
                let lives_s = header.expires_after_s;
                (self.understand(loaded, spoken, content, lives_s), lives_s)
            }
            Err(_) => {
                self.memory.counters.bodies_refused += 1;
                (Meant::ForNode, None)
            }
        }
    }

    fn understand(
        &mut self,
        loaded: &mut Loaded,
        spoken: Spoken,
        content: Content,
        lives_s: Option<u32>,
    ) -> Meant {
        let sequence = spoken.sequence;
        match content {
            Content::Text(_) | Content::App { .. } => return Meant::ForUser,
            Content::Unknown { .. } => return Meant::Unknown,
            Content::Edit(Edit { message, text }) => {
                return Meant::Amends(Amendment {
                    sequence,
                    message,
                    text: Some(text),
                    lives_s,
                });
            }
            Content::Erase(Erase { message }) => {
                return Meant::Amends(Amendment {
                    sequence,
                    message,
                    text: None,
                    lives_s: None,
                });
            }
            Content::Receipt(receipt) => self.on_receipt(loaded, &receipt),
            Content::Profile(profile) => {
                let track = loaded.thread.authors[spoken.author].track_mut(spoken.lane);
                if is_newer(&mut track.profile, sequence) {
                    self.told.push(Told::Profile(profile));
                }
                loaded.dirty = true;
            }
            Content::Reach(reach) => {
                let track = loaded.thread.authors[spoken.author].track_mut(spoken.lane);
                if is_newer(&mut track.reach, sequence) {
                    self.told.push(Told::Reach(reach));
                }
                loaded.dirty = true;
            }
            // Eve must not rule Alice's devices: account state is taken from the self thread only.
            Content::AccountState(_) => self.memory.counters.bodies_refused += 1,
        }
        Meant::ForNode
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
        let was_verified = contact.verified_ms > 0;
        if let Some(card) = card {
            // A contact away for a year still tells its new card: the proof counts, not the date.
            match card.verify_ignoring_expiry() {
                Ok(verified) if verified.keys.account() == contact.account => {
                    let newer = verified.card.number > contact.card_number;
                    if newer && !take_card(&mut contact, &verified, card) {
                        self.memory.counters.bodies_refused += 1;
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
        if was_verified && contact.verified_ms == 0 {
            self.state_contact(number, &contact)?;
        }
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

/// Whether a message says more than the last one that was taken of its kind; then it is the last one.
fn is_newer(taken: &mut Option<u64>, sequence: u64) -> bool {
    let newer = taken.is_none_or(|taken| taken < sequence);
    if newer {
        *taken = Some(sequence);
    }
    newer
}
