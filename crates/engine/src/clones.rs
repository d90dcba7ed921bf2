// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clones: a second copy of this device, or our own disk gone back, shown by a number ahead of ours.
//!
//! Two copies that write would seal two messages with one key. So nothing is encrypted after opening until a relay took
//! our raised boot number, or the thread's other side said what it has of us; what the user sends waits as plaintext.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use rand_core::Rng;

use crate::memory::Call;
use crate::rows::key::{self, Key};
use crate::rows::reach::Relay;
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::thread_cache::Loaded;
use crate::turn::Turn;

/// Proposals that are remembered while no answer comes; each is one opening. A number of ours that was forgotten looks
/// like a clone's, so there is room for a start a minute over four hours without one answer; 2 KiB.
const PROPOSALS_MAX: usize = 256;

impl Turn<'_> {
    /// Whether something may be encrypted in this thread.
    pub(crate) fn may_encrypt(&self, loaded: &Loaded) -> bool {
        let persona = loaded.thread.persona;
        !loaded.thread.frozen
            && !self.memory.cloned.contains(&persona)
            && (self.memory.safe_personas.contains(&persona)
                || self.memory.safe_threads.contains(&loaded.number))
    }

    /// The boot number that goes into batches; 0 where no relay keeps one.
    pub(crate) fn boot_number(&self, persona: u16) -> u64 {
        self.memory.boots.get(&persona).copied().unwrap_or(0)
    }

    /// The other side knows nothing of us that we do not know.
    pub(crate) fn prove_safe(&mut self, loaded: &Loaded) {
        if !self.memory.safe_threads.contains(&loaded.number) {
            self.memory.safe_threads.insert(loaded.number, ());
        }
    }

    /// The other side knows a message of ours that we do not know: nothing is written here any more.
    pub(crate) fn freeze(&mut self, loaded: &mut Loaded, ours: u64, seen: u64) {
        if !loaded.thread.frozen {
            loaded.thread.frozen = true;
            loaded.dirty = true;
            self.event(Event::CloneSuspected {
                persona: loaded.thread.persona,
                ours,
                seen,
            });
        }
    }

    /// Raises the boot number at a relay, once per process.
    pub(crate) fn raise_boot(&mut self, number: u32, relay: &mut Relay) {
        let under_way = self.memory.calls.iter().any(
            |(_, pending)| matches!(pending.call, Call::Boot { relay, .. } if relay == number),
        );
        if self.memory.booted.contains(&number)
            || under_way
            || self.memory.cloned.contains(&relay.persona)
        {
            return;
        }
        if let Some(next) = self.memory.boot_proposals.get(&number).copied() {
            return self.call_boot(number, relay, relay.boot_confirmed, next);
        }
        let largest = relay
            .boot_proposed
            .iter()
            .copied()
            .max()
            .unwrap_or(0)
            .max(relay.boot_confirmed);
        // The low half is random: a number of ours whose answer was lost is told from that of a clone.
        let next = (((largest >> 32) + 1) << 32) | u64::from(self.rng.next_u32());
        if relay.boot_proposed.len() >= PROPOSALS_MAX {
            relay.boot_proposed.remove(0);
        }
        // Written before it is sent, in the same step.
        relay.boot_proposed.push(next);
        self.put(Key::of(key::RELAY).u32(number), relay);
        self.memory.boot_proposals.insert(number, next);
        self.call_boot(number, relay, relay.boot_confirmed, next);
    }

    fn call_boot(&mut self, number: u32, relay: &Relay, expected: u64, next: u64) {
        let reader = crate::boxes::public_of(&relay.reader);
        let request = RelayRequest::Boot {
            reader,
            expected,
            next,
        };
        self.call(
            &relay.descriptor,
            request,
            Some(relay.reader.clone()),
            Call::Boot {
                relay: number,
                expected,
                next,
            },
        );
    }

    /// A relay answered to the raised boot number.
    pub(crate) fn on_boot_answer(
        &mut self,
        number: u32,
        expected: u64,
        next: u64,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        if *answer == RelayAnswer::Denied {
            return self.on_boot_lost(number);
        }
        let RelayAnswer::Boot { current, set } = *answer else {
            return Ok(());
        };
        let Some(mut relay) = self.load::<Relay>(Key::of(key::RELAY).u32(number))? else {
            return Ok(());
        };
        let persona = relay.persona;
        // Not set by this call and yet our number: an earlier call of this process set it, and its answer was lost. A copy
        // of the disk would have drawn another number.
        if set || current == next {
            relay.boot_confirmed = next;
            relay.boot_proposed.clear();
            self.put(Key::of(key::RELAY).u32(number), &relay);
            self.memory.booted.insert(number, ());
            self.memory.boots.insert(persona, next);
            return self.on_persona_safe(persona);
        }
        let ours = relay.boot_proposed.contains(&current);
        if ours || current < expected {
            // The answer to an earlier proposal was lost, or the relay itself went back. From here only a call that expects
            // this number can move the relay, and only this process makes one: all other proposals are over.
            relay.boot_confirmed = current;
            relay.boot_proposed = vec![next];
            self.put(Key::of(key::RELAY).u32(number), &relay);
            self.call_boot(number, &relay, current, next);
        } else if current != expected {
            self.memory.cloned.insert(persona, ());
            self.event(Event::CloneSuspected {
                persona,
                ours: expected,
                seen: current,
            });
        }
        Ok(())
    }

    /// The relay does not know our boot box any more: it lost it, and a number that a clone raised with it.
    fn on_boot_lost(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(own_box) = self.memory.boot_boxes.remove(&number) else {
            return Ok(());
        };
        match self.box_row(own_box)? {
            Some(row) => self.on_box_lost(own_box, row),
            None => Ok(()),
        }
    }

    /// No other copy of this persona's device is ahead: what waited is encrypted and sent.
    pub(crate) fn on_persona_safe(&mut self, persona: u16) -> Result<(), EngineError> {
        self.memory.safe_personas.insert(persona, ());
        let waiting: Vec<u32> = self
            .memory
            .deliveries
            .iter()
            .map(|(contact, _)| *contact)
            .collect();
        for contact in waiting {
            if self.contact(contact)?.persona == persona {
                self.push_outbox(contact)?;
            }
        }
        Ok(())
    }
}
