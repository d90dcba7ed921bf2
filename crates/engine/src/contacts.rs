// SPDX-License-Identifier: MIT OR Apache-2.0
//! Contacts: what we know of them, what we tell them, and the commands about them.

use comptoir_protocol::body::{Body, Content, Profile, Reach};
use comptoir_protocol::codec::Wire;
use comptoir_protocol::envelope::Message;
use comptoir_protocol::id::AccountId;
use comptoir_protocol::limits::NAME_BYTES_MAX;

use crate::personas::too_long;
use crate::rows::contact::{Contact, Standing};
use crate::rows::key::{self, Key};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::timers::Timer;
use crate::turn::Turn;

/// Contacts told at once of a change; the sweep tells the others within minutes.
const TOLD_AT_ONCE_MAX: usize = 64;

impl Turn<'_> {
    pub(crate) fn contact(&self, number: u32) -> Result<Contact, EngineError> {
        self.require(Key::of(key::CONTACT).u32(number))
    }

    pub(crate) fn put_contact(&mut self, number: u32, contact: &Contact) {
        self.put(Key::of(key::CONTACT).u32(number), contact);
    }

    /// A contact of this persona, or the refusal.
    pub(crate) fn contact_of(
        &self,
        persona: u16,
        number: u32,
    ) -> Result<Option<Contact>, EngineError> {
        let contact: Option<Contact> = self.load(Key::of(key::CONTACT).u32(number))?;
        Ok(contact.filter(|contact| contact.persona == persona))
    }

    pub(crate) fn contacts_of(&self, persona: u16) -> Result<Vec<(u32, Contact)>, EngineError> {
        let range = (persona, AccountId([0; 32]))..=(persona, AccountId([255; 32]));
        let numbers: Vec<u32> = self
            .memory
            .contacts
            .range(range)
            .map(|(_, number)| *number)
            .collect();
        numbers
            .into_iter()
            .map(|number| Ok((number, self.contact(number)?)))
            .collect()
    }

    /// A new contact's record, not yet written.
    pub(crate) fn new_contact(
        &mut self,
        persona: u16,
        account: AccountId,
    ) -> Result<(u32, Contact), EngineError> {
        let number = self.next_number(|meta| &mut meta.contact)?;
        self.memory.contacts.insert((persona, account), number);
        let contact = Contact {
            persona,
            account,
            name: String::new(),
            petname: None,
            standing: Standing::Asked,
            thread: None,
            card: None,
            card_number: 0,
            endpoints: Vec::new(),
            capabilities: Vec::new(),
            muted: false,
            blocked: false,
            verified_ms: 0,
            added_ms: self.now.wall_ms,
            told: Vec::new(),
            needs_newer: 0,
            refused: 0,
            boxes: Vec::new(),
            told_ids: Vec::new(),
            told_card: 0,
            promotions: None,
            list: None,
        };
        Ok((number, contact))
    }

    /// Tells every contact of a persona what changed.
    pub(crate) fn tell_all(&mut self, persona: u16) -> Result<(), EngineError> {
        let range = (persona, AccountId([0; 32]))..=(persona, AccountId([255; 32]));
        let numbers: Vec<u32> = self
            .memory
            .contacts
            .range(range)
            .map(|(_, number)| *number)
            .collect();
        if numbers.len() > TOLD_AT_ONCE_MAX {
            self.memory.numbers.sweep_contact = 0;
            self.memory
                .timers
                .set(Timer::Sweep, self.now.mono_ms + 1_000);
        }
        for number in numbers.into_iter().take(TOLD_AT_ONCE_MAX) {
            self.tell(number)?;
        }
        Ok(())
    }

    /// Tells a contact who we are and how we are reached, inside the thread, if it is not what it was told last.
    pub(crate) fn tell(&mut self, number: u32) -> Result<(), EngineError> {
        let mut contact = self.contact(number)?;
        let Some(thread) = contact.thread.filter(|_| Self::is_open_to(&contact)) else {
            return Ok(());
        };
        let card = self.ensure_card(contact.persona)?;
        let persona = self.persona(contact.persona)?;
        let mut capabilities = Vec::new();
        for own_box in contact.boxes.clone() {
            if let Some(row) = self.box_row(own_box)? {
                capabilities.extend(self.capability_of(&row)?);
            }
        }
        let ids: Vec<_> = capabilities
            .iter()
            .map(|capability| capability.capability)
            .collect();
        let withdrawn = contact
            .told_ids
            .iter()
            .copied()
            .filter(|id| !ids.contains(id))
            .collect();
        let reach = Reach {
            capabilities,
            withdrawn,
        };
        let profile = Profile {
            name: persona.name,
            endpoints: self.own_endpoints(contact.persona),
            card_number: persona.card_number,
            card: None,
        };
        let said = [
            profile.to_bytes(),
            Reach {
                withdrawn: Vec::new(),
                ..reach.clone()
            }
            .to_bytes(),
        ]
        .concat();
        if said == contact.told {
            return Ok(());
        }
        let card = (contact.told_card < persona.card_number).then_some(card);
        contact.told = said;
        contact.told_ids = ids;
        contact.told_card = persona.card_number;
        self.put_contact(number, &contact);
        let profile = Profile { card, ..profile };
        let messages = vec![
            own_message(Content::Profile(Box::new(profile)))?,
            own_message(Content::Reach(reach))?,
        ];
        self.say(thread, messages)
    }

    pub(crate) fn on_rename(
        &mut self,
        persona: u16,
        number: u32,
        name: Option<&str>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        if let Some(name) = name.filter(|name| name.len() > NAME_BYTES_MAX) {
            return Ok(Err(too_long("a name", name.len(), NAME_BYTES_MAX)));
        }
        self.change_contact(persona, number, |contact, _| {
            contact.petname = name.map(str::to_owned)
        })
    }

    pub(crate) fn on_mute(
        &mut self,
        persona: u16,
        number: u32,
        muted: bool,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        self.change_contact(persona, number, |contact, _| contact.muted = muted)
    }

    pub(crate) fn on_verify(
        &mut self,
        persona: u16,
        number: u32,
        verified: bool,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        self.change_contact(persona, number, |contact, now| {
            contact.verified_ms = if verified { now.max(1) } else { 0 }
        })
    }

    fn change_contact(
        &mut self,
        persona: u16,
        number: u32,
        change: impl FnOnce(&mut Contact, u64),
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut contact) = self.contact_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchContact));
        };
        change(&mut contact, self.now.wall_ms);
        self.put_contact(number, &contact);
        self.state_contact(number, &contact)?;
        self.event(Event::ContactChanged {
            persona,
            contact: number,
        });
        Ok(Ok(Answer::Done))
    }

    /// `Command::Block`: its capabilities end at the relays, and nothing of it is taken any more.
    pub(crate) fn on_block(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut contact) = self.contact_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchContact));
        };
        if contact.blocked {
            return Ok(Ok(Answer::Done));
        }
        contact.blocked = true;
        contact.promotions = None;
        contact.told = Vec::new();
        self.put_contact(number, &contact);
        self.stop_asking(number);
        self.memory.deliveries.remove(&number);
        self.deposit_anew(number);
        self.memory.timers.clear(Timer::Outbox { contact: number });
        self.memory.timers.clear(Timer::Direct { contact: number });
        self.state_block(number, &contact)?;
        self.revoke_boxes(&contact.boxes)?;
        self.event(Event::ContactChanged {
            persona,
            contact: number,
        });
        Ok(Ok(Answer::Done))
    }

    /// `Command::Unblock`: new boxes and new capabilities.
    pub(crate) fn on_unblock(
        &mut self,
        persona: u16,
        number: u32,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut contact) = self.contact_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchContact));
        };
        if !contact.blocked {
            return Ok(Ok(Answer::Done));
        }
        contact.blocked = false;
        self.put_contact(number, &contact);
        self.state_block(number, &contact)?;
        if contact.standing == Standing::Talking {
            for (relay, _) in self.relays_of(persona)? {
                self.make_contact_boxes(number, relay)?;
            }
            self.tell(number)?;
            self.push_outbox(number)?;
        }
        self.event(Event::ContactChanged {
            persona,
            contact: number,
        });
        Ok(Ok(Answer::Done))
    }
}

/// A message the node writes itself.
pub(crate) fn own_message(content: Content) -> Result<Message, EngineError> {
    Body::new(content)
        .to_message()
        .map_err(|error| EngineError::Crypto(error.to_string()))
}
