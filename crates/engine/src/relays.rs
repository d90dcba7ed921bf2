// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays: calls on their way, what their answers mean, and which relays the personas use.

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::id::{RelayKey, Rid};
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::secret::Secret;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;

use crate::memory::{Call, Pending};
use crate::rows::key::{self, Key, u32_at};
use crate::rows::reach::{OwnBox, Relay};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::{Event, RelayCondition};
use crate::seam::input::{RelayNews, Unreachable};
use crate::seam::step::RelayCall;
use crate::seam::view::Scan;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// Relays of one persona: what a card names.
const RELAYS_MAX: usize = comptoir_protocol::limits::CARD_RELAYS_MAX;
/// The longest pause before a relay that does not answer is called again.
const RELAY_RETRY_LONGEST_MS: u64 = 5 * 60 * 1000;

impl Turn<'_> {
    /// Calls a relay.
    pub(crate) fn call(
        &mut self,
        relay: &RelayDescriptor,
        request: RelayRequest,
        signer: Option<Secret>,
        purpose: Call,
    ) {
        let call = self.memory.numbers.call;
        self.memory.numbers.call += 1;
        let mut link = self
            .memory
            .relays
            .get(&relay.key)
            .cloned()
            .unwrap_or_default();
        link.calls += 1;
        self.memory.relays.insert(relay.key, link);
        self.memory.calls.insert(
            call,
            Pending {
                relay: relay.key,
                call: purpose,
            },
        );
        self.step.calls.push(RelayCall {
            relay: relay.clone(),
            call,
            request,
            signer,
        });
    }

    /// Whether a further call may be made now.
    pub(crate) fn relay_has_room(&self, relay: RelayKey) -> bool {
        self.memory.relays.get(&relay).is_none_or(|link| {
            link.calls < self.config.relay_calls_max && link.quiet_until_ms <= self.now.mono_ms
        })
    }

    pub(crate) fn on_relay(&mut self, relay: RelayKey, news: RelayNews) -> Result<(), EngineError> {
        match news {
            RelayNews::Up => self.on_relay_up(relay),
            RelayNews::Down => self.on_relay_down(relay),
            RelayNews::Pushed(RelayAnswer::News { rid, sequence }) => {
                if self
                    .memory
                    .boxes
                    .get(&rid)
                    .is_some_and(|link| link.relay == relay && sequence > link.after)
                {
                    self.fetch_soon(relay, rid);
                    self.pump_fetches(relay)?;
                }
                Ok(())
            }
            RelayNews::Pushed(_) => Ok(()),
            RelayNews::Answer { call, answer } => {
                let Some(pending) = self.memory.calls.remove(&call) else {
                    return Ok(());
                };
                if pending.relay != relay {
                    return Ok(());
                }
                self.note_answer(relay, &answer)?;
                self.on_answer(pending, answer)?;
                self.pump_fetches(relay)
            }
        }
    }

    fn note_answer(
        &mut self,
        relay: RelayKey,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let now = self.now.mono_ms;
        let failures = self
            .memory
            .relays
            .get(&relay)
            .map_or(0, |link| link.failures);
        let pause = (self.config.retry_first_ms << failures.min(16)).min(RELAY_RETRY_LONGEST_MS);
        let pause = self.jittered(pause);
        self.memory.relays.change(&relay, |link| {
            link.calls = link.calls.saturating_sub(1);
            match answer {
                Ok(RelayAnswer::Rate { retry_after_ms }) => {
                    link.quiet_until_ms = now + (*retry_after_ms).min(RELAY_RETRY_LONGEST_MS)
                }
                Ok(_) => {
                    link.failures = 0;
                    link.quiet_until_ms = 0;
                }
                Err(Unreachable) => {
                    link.failures = link.failures.saturating_add(1);
                    link.quiet_until_ms = now + pause;
                }
            }
        });
        match answer {
            Ok(_) => self.tell_condition(relay, RelayCondition::Up),
            Err(Unreachable) => {
                self.tell_condition(relay, RelayCondition::Down)?;
                self.retry_own_relays(relay, now + pause)
            }
        }
    }

    fn on_answer(
        &mut self,
        pending: Pending,
        answer: Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let relay = pending.relay;
        match (pending.call, answer) {
            (
                Call::Put {
                    contact,
                    thread,
                    envelope,
                },
                answer,
            ) => self.on_put_answer(relay, contact, thread, envelope, &answer),
            (Call::PutAck { thread }, answer) => self.on_ack_put_answer(thread, &answer),
            (Call::Hello { contact }, answer) => self.on_hello_answer(relay, contact, &answer),
            (Call::Puzzle { contact }, answer) => self.on_puzzle_answer(relay, contact, &answer),
            (Call::Card { contact }, answer) => self.on_card_answer(contact, &answer),
            (Call::Blob { invite }, answer) => self.on_blob_answer(invite, &answer),
            (Call::Stock { own_box }, Ok(answer)) => self.on_stocked(own_box, &answer),
            (Call::Stock { .. }, Err(Unreachable)) => Ok(()),
            (Call::Create { own_box }, Ok(answer)) => self.on_created(own_box, &answer),
            (Call::Grant { own_box }, Ok(answer)) => self.on_granted(own_box, &answer),
            (Call::Revoke { own_box }, Ok(answer)) => self.on_revoked(own_box, &answer),
            (Call::Delete { own_box }, Ok(answer)) => self.on_deleted(own_box, &answer),
            (Call::Ack { rid, first }, answer) => {
                self.on_ack_answer(rid, first, &answer);
                Ok(())
            }
            (Call::Guest { relay }, answer) => self.on_guest_ticket(relay, &answer),
            (Call::Subscribe { rids }, answer) => {
                self.on_subscribed(&rids, &answer);
                Ok(())
            }
            (Call::Fetch { rid }, Ok(answer)) => self.on_fetched(relay, rid, answer),
            (Call::Fetch { rid }, Err(Unreachable)) => {
                self.memory.boxes.change(&rid, |link| link.fetching = false);
                self.fetch_soon(relay, rid);
                Ok(())
            }
            (
                Call::Boot {
                    relay,
                    expected,
                    next,
                },
                Ok(answer),
            ) => self.on_boot_answer(relay, expected, next, &answer),
            (Call::Boot { .. }, Err(Unreachable)) => Ok(()),
            (
                Call::Create { own_box }
                | Call::Grant { own_box }
                | Call::Revoke { own_box }
                | Call::Delete { own_box },
                Err(Unreachable),
            ) => self.retry_box(own_box),
        }
    }

    fn on_relay_up(&mut self, relay: RelayKey) -> Result<(), EngineError> {
        let mut link = self.memory.relays.get(&relay).cloned().unwrap_or_default();
        link.up = true;
        link.failures = 0;
        link.quiet_until_ms = 0;
        link.looked_until_ms = 0;
        self.memory.relays.insert(relay, link);
        self.tell_condition(relay, RelayCondition::Up)?;
        for (number, _) in self
            .own_relays()?
            .into_iter()
            .filter(|(_, row)| row.descriptor.key == relay)
        {
            self.serve_relay(number)?;
        }
        // What a contact lets us deposit there may go now.
        let waiting: Vec<u32> = self
            .memory
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.by_relay)
            .map(|(contact, _)| *contact)
            .collect();
        for contact in waiting {
            // Those it cannot help are left alone: a relay that comes and goes must not make work for all.
            let capabilities = self.contact(contact)?.capabilities;
            if capabilities.iter().any(|route| route.relay.key == relay) {
                self.memory.next_puts.remove(&(contact, relay));
                self.push_outbox(contact)?;
            }
        }
        Ok(())
    }

    fn on_relay_down(&mut self, relay: RelayKey) -> Result<(), EngineError> {
        self.memory.relays.change(&relay, |link| link.up = false);
        let rids: Vec<Rid> = self
            .memory
            .boxes
            .iter()
            .filter(|(_, link)| link.relay == relay)
            .map(|(rid, _)| *rid)
            .collect();
        for rid in rids {
            self.memory.boxes.change(&rid, |link| {
                (link.fetching, link.subscribed) = (false, false)
            });
            self.fetch_soon(relay, rid);
        }
        let lost: Vec<u64> = self
            .memory
            .calls
            .iter()
            .filter(|(_, pending)| pending.relay == relay)
            .map(|(call, _)| *call)
            .collect();
        self.tell_condition(relay, RelayCondition::Down)?;
        let pause = self.jittered(self.config.retry_first_ms);
        let due = self.now.mono_ms + pause;
        self.memory
            .relays
            .change(&relay, |link| link.quiet_until_ms = due);
        for call in lost {
            if let Some(pending) = self.memory.calls.remove(&call) {
                self.memory
                    .relays
                    .change(&relay, |link| link.calls = link.calls.saturating_sub(1));
                self.on_answer(pending, Err(Unreachable))?;
            }
        }
        self.retry_own_relays(relay, due)
    }

    fn retry_own_relays(&mut self, relay: RelayKey, due_ms: u64) -> Result<(), EngineError> {
        for (number, _) in self
            .own_relays()?
            .into_iter()
            .filter(|(_, row)| row.descriptor.key == relay)
        {
            self.memory
                .timers
                .set_earlier(Timer::Relay { relay: number }, due_ms);
        }
        Ok(())
    }

    /// Forgets relays of contacts that are not connected and that nothing is asked of: a contact that names ever new
    /// relays must not fill the memory with them. The longest pause after a failure is over before the next sweep.
    pub(crate) fn forget_relays(&mut self) -> Result<(), EngineError> {
        let own = self.own_relays()?;
        let now = self.now.mono_ms;
        let idle: Vec<RelayKey> = self
            .memory
            .relays
            .iter()
            .filter(|(_, link)| !link.up && link.calls == 0 && link.quiet_until_ms <= now)
            .map(|(relay, _)| *relay)
            .filter(|relay| own.iter().all(|(_, row)| row.descriptor.key != *relay))
            .collect();
        for relay in idle {
            self.memory.relays.remove(&relay);
        }
        Ok(())
    }

    /// The relays of all personas.
    pub(crate) fn own_relays(&self) -> Result<Vec<(u32, Relay)>, EngineError> {
        let rows = self.scan(Scan::all(Key::of(key::RELAY)))?;
        rows.iter()
            .filter_map(|(row_key, row)| Some((u32_at(row_key, 1)?, read_row(row_key, row))))
            .map(|(number, relay)| Ok((number, relay?)))
            .collect()
    }

    /// The relays of one persona that are not about to be left.
    pub(crate) fn relays_of(&self, persona: u16) -> Result<Vec<(u32, Relay)>, EngineError> {
        let mut relays = self.own_relays()?;
        relays.retain(|(_, relay)| relay.persona == persona && !relay.leaving);
        Ok(relays)
    }

    /// Whether a persona uses a relay that it is not about to leave.
    pub(crate) fn uses_relay(&self, persona: u16, relay: RelayKey) -> Result<bool, EngineError> {
        let relays = self.relays_of(persona)?;
        Ok(relays.iter().any(|(_, row)| row.descriptor.key == relay))
    }

    pub(crate) fn tell_condition(
        &mut self,
        key_of: RelayKey,
        condition: RelayCondition,
    ) -> Result<(), EngineError> {
        let told = self
            .memory
            .relays
            .change(&key_of, |link| link.told.replace(condition));
        if told == Some(Some(condition)) {
            return Ok(());
        }
        for (number, mut relay) in self
            .own_relays()?
            .into_iter()
            .filter(|(_, row)| row.descriptor.key == key_of)
        {
            if relay.condition != condition {
                relay.condition = condition;
                self.put(Key::of(key::RELAY).u32(number), &relay);
                self.event(Event::RelayChanged {
                    persona: relay.persona,
                    relay: key_of,
                    condition,
                });
            }
        }
        Ok(())
    }

    /// Does what one of our relays owes us or we owe it: boxes, subscription, boot number.
    pub(crate) fn serve_relay(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(mut relay) = self.load::<Relay>(Key::of(key::RELAY).u32(number))? else {
            return Ok(());
        };
        let key_of = relay.descriptor.key;
        if !self.relay_has_room(key_of) {
            let quiet = self
                .memory
                .relays
                .get(&key_of)
                .map_or(0, |link| link.quiet_until_ms);
            let due = quiet.max(self.now.mono_ms + self.config.retry_first_ms);
            self.memory.timers.set(Timer::Relay { relay: number }, due);
            return Ok(());
        }
        let unfinished: Vec<u32> = self.unfinished_boxes(number)?;
        for own_box in unfinished {
            self.advance_box(own_box)?;
        }
        if !relay.leaving && self.memory.boot_boxes.contains(&number) {
            self.raise_boot(number, &mut relay);
        }
        self.ask_guest_ticket(number, &relay)?;
        let fresh = self.subscribe(number, &relay);
        self.look(number, key_of, &fresh);
        self.pump_fetches(key_of)
    }

    /// `Command::AddRelay`.
    pub(crate) fn on_add_relay(
        &mut self,
        persona: u16,
        descriptor: &RelayDescriptor,
        ticket: Option<&Signed<Ticket>>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let relays = self.relays_of(persona)?;
        if relays
            .iter()
            .any(|(_, relay)| relay.descriptor.key == descriptor.key)
        {
            return Ok(Err(Refusal::AlreadyRelay));
        }
        if relays.len() >= RELAYS_MAX {
            return Ok(Err(Refusal::Full {
                what: "relays".into(),
                max: RELAYS_MAX as u64,
            }));
        }
        let number = self.next_number(|meta| &mut meta.relay)?;
        let relay = Relay {
            persona,
            descriptor: descriptor.clone(),
            ticket: ticket.cloned(),
            leaving: false,
            boot_confirmed: 0,
            boot_proposed: Vec::new(),
            reader: Secret::new(self.random()),
            // A relay that answers already, for a contact's sake or another persona's, is not told of again.
            condition: self
                .memory
                .relays
                .get(&descriptor.key)
                .and_then(|link| link.told)
                .unwrap_or(RelayCondition::Down),
            guest: None,
        };
        self.put(Key::of(key::RELAY).u32(number), &relay);
        self.state_relay(persona, descriptor, true)?;
        self.make_front_door(persona, number)?;
        self.make_boot_box(persona, number)?;
        for (contact, _) in self.contacts_of(persona)? {
            self.make_contact_boxes(contact, number)?;
        }
        self.serve_relay(number)?;
        Ok(Ok(Answer::Done))
    }

    /// `Command::RemoveRelay`: contacts are told inside the threads, then the boxes go.
    pub(crate) fn on_remove_relay(
        &mut self,
        persona: u16,
        relay_key: RelayKey,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let found = self
            .relays_of(persona)?
            .into_iter()
            .find(|(_, relay)| relay.descriptor.key == relay_key);
        let Some((number, mut relay)) = found else {
            return Ok(Err(Refusal::NoSuchRelay));
        };
        relay.leaving = true;
        self.put(Key::of(key::RELAY).u32(number), &relay);
        self.state_relay(persona, &relay.descriptor, false)?;
        self.leave_boxes(number)?;
        self.tell_all(persona)?;
        Ok(Ok(Answer::Done))
    }

    pub(crate) fn box_row(&self, number: u32) -> Result<Option<OwnBox>, EngineError> {
        self.load(Key::of(key::BOX).u32(number))
    }
}

#[cfg(test)]
mod tests;
