// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes: where others leave what is for us. One for each contact, lane and relay, and a front door for strangers.

use comptoir_crypto::keys::BoxOwnerKey;
use comptoir_protocol::frame::{BoxKind, ErrorCode, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{Lane, PublicKey};
use comptoir_protocol::secret::Secret;

use crate::memory::{BoxLink, Call};
use crate::rows::contact::Contact;
use crate::rows::key::{self, Key, u32_at};
use crate::rows::reach::{BoxIds, BoxStage, OwnBox, Purpose, Relay};
use crate::seam::error::EngineError;
use crate::seam::event::RelayCondition;
use crate::seam::view::Scan;
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a relay keeps what is for us: its own longest.
const BOX_TTL_S: u32 = 30 * 24 * 60 * 60;
/// After a relay refused to make a box, the next try waits for the operator.
const REFUSED_RETRY_MS: u64 = 60 * 60 * 1000;

/// The public half of an Ed25519 seed.
pub(crate) fn public_of(seed: &Secret) -> PublicKey {
    BoxOwnerKey::from_secret(seed.expose()).public()
}

impl Turn<'_> {
    /// Begins a front door.
    pub(crate) fn make_front_door(&mut self, persona: u16, relay: u32) -> Result<u32, EngineError> {
        let owner = self.persona(persona)?.front_owner;
        self.make_box(persona, relay, Purpose::FrontDoor, owner)
    }

    /// Begins the box that keeps our boot number.
    pub(crate) fn make_boot_box(&mut self, persona: u16, relay: u32) -> Result<u32, EngineError> {
        let owner = Secret::new(self.random());
        self.make_box(persona, relay, Purpose::Boot, owner)
    }

    /// Begins the boxes of a contact at a relay that are missing there: one for each lane it may write in.
    pub(crate) fn make_contact_boxes(
        &mut self,
        contact: u32,
        relay: u32,
    ) -> Result<(), EngineError> {
        let row = self.contact(contact)?;
        if row.blocked {
            return Ok(());
        }
        let promotions = row.promotions_at(self.now.wall_ms).is_some();
        for lane in [Lane::Service, Lane::Promotion] {
            let may_write = lane == Lane::Service || promotions;
            if may_write && !self.has_contact_box(&row, relay, lane)? {
                self.make_contact_box(contact, relay, lane)?;
            }
        }
        Ok(())
    }

    fn has_contact_box(
        &self,
        contact: &Contact,
        relay: u32,
        lane: Lane,
    ) -> Result<bool, EngineError> {
        for own_box in &contact.boxes {
            if let Some(row) = self.box_row(*own_box)?
                && row.relay == relay
                && row.lane() == lane
                && !matches!(row.stage, BoxStage::Revoking | BoxStage::Deleting)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn make_contact_box(
        &mut self,
        contact: u32,
        relay: u32,
        lane: Lane,
    ) -> Result<(), EngineError> {
        let mut row = self.contact(contact)?;
        let owner = Secret::new(self.random());
        let purpose = Purpose::Contact { contact, lane };
        let own_box = self.make_box(row.persona, relay, purpose, owner)?;
        row.boxes.push(own_box);
        self.put_contact(contact, &row);
        self.advance_box(own_box)
    }

    fn make_box(
        &mut self,
        persona: u16,
        relay: u32,
        purpose: Purpose,
        owner: Secret,
    ) -> Result<u32, EngineError> {
        let number = self.next_number(|meta| &mut meta.own_box)?;
        let own_box = OwnBox {
            persona,
            relay,
            purpose,
            stage: BoxStage::Creating,
            owner,
            ids: None,
            grant: None,
            stocked_ms: None,
            left_until_ms: None,
        };
        self.put(Key::of(key::BOX).u32(number), &own_box);
        Ok(number)
    }

    /// Boxes at a relay that a call is owed for now.
    pub(crate) fn unfinished_boxes(&self, relay: u32) -> Result<Vec<u32>, EngineError> {
        let now = self.now.wall_ms;
        let mut boxes = self.boxes_at(relay)?;
        boxes.retain(|(_, own_box)| {
            let is_left = own_box.left_until_ms.is_some_and(|until| until > now);
            own_box.stage != BoxStage::Ready && !is_left
        });
        Ok(boxes.into_iter().map(|(number, _)| number).collect())
    }

    pub(crate) fn boxes_at(&self, relay: u32) -> Result<Vec<(u32, OwnBox)>, EngineError> {
        let mut boxes = Vec::new();
        for (row_key, row) in self.scan(Scan::all(Key::of(key::BOX)))? {
            let own_box: OwnBox = read_row(&row_key, &row)?;
            if let Some(number) = u32_at(&row_key, 1).filter(|_| own_box.relay == relay) {
                boxes.push((number, own_box));
            }
        }
        Ok(boxes)
    }

    /// The front door of a persona at a relay, once it is there.
    pub(crate) fn front_door_at(
        &self,
        persona: u16,
        relay: u32,
    ) -> Result<Option<BoxIds>, EngineError> {
        let doors = self.memory.doors.get(&(persona, relay));
        let Some(own_box) = doors.copied() else {
            return Ok(None);
        };
        Ok(self.box_row(own_box)?.and_then(|own_box| own_box.ids))
    }

    /// Whether a call about a box has no answer yet.
    fn is_asked_for(&self, number: u32) -> bool {
        self.memory.calls.iter().any(|(_, pending)| {
            matches!(pending.call, Call::Create { own_box } | Call::Grant { own_box } | Call::Revoke { own_box } | Call::Delete { own_box } if own_box == number)
        })
    }

    /// Goes on with a box that is not in use yet, or not any more.
    pub(crate) fn advance_box(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(mut own_box) = self.box_row(number)? else {
            return Ok(());
        };
        let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
            return Ok(());
        };
        if self.is_asked_for(number) {
            return Ok(());
        }
        if !self.relay_has_room(relay.descriptor.key) {
            return self.retry_box(number);
        }
        let mut signer = Some(own_box.owner.clone());
        let (request, call) = match (own_box.stage, own_box.ids) {
            (BoxStage::Ready, _) => return Ok(()),
            (BoxStage::Creating, _) | (BoxStage::Granting, None) => {
                let kind = match own_box.purpose {
                    Purpose::FrontDoor => BoxKind::FrontDoor,
                    Purpose::Contact { .. } => BoxKind::Thread,
                    Purpose::Boot => BoxKind::Boot,
                };
                let lane = own_box.lane();
                let (owner, readers) = (public_of(&own_box.owner), vec![public_of(&relay.reader)]);
                let ticket = relay.ticket.clone();
                if ticket.is_some() {
                    // The ticket is held by one key: the reader's, which all our boxes there show anyway.
                    signer = Some(relay.reader.clone());
                }
                (
                    RelayRequest::Create {
                        owner,
                        readers,
                        kind,
                        lane,
                        ttl_s: BOX_TTL_S,
                        ticket,
                    },
                    Call::Create { own_box: number },
                )
            }
            (BoxStage::Granting, Some(ids)) => {
                let Some(terms) = self.terms_of(&own_box)? else {
                    // The leave ended while the box was being made.
                    return self.revoke_boxes(&[number]);
                };
                let capability = self.granted(&mut own_box, &relay, ids, terms).for_relay();
                self.put(Key::of(key::BOX).u32(number), &own_box);
                (
                    RelayRequest::Grant {
                        rid: ids.rid,
                        capability,
                    },
                    Call::Grant { own_box: number },
                )
            }
            (BoxStage::Revoking, Some(BoxIds { rid, .. })) => {
                let Some(grant) = &own_box.grant else {
                    own_box.stage = BoxStage::Deleting;
                    self.put(Key::of(key::BOX).u32(number), &own_box);
                    return self.advance_box(number);
                };
                (
                    RelayRequest::Revoke {
                        rid,
                        capability: grant.id,
                        purge: true,
                    },
                    Call::Revoke { own_box: number },
                )
            }
            (BoxStage::Deleting, Some(ids)) => (
                RelayRequest::Delete { rid: ids.rid },
                Call::Delete { own_box: number },
            ),
            (BoxStage::Revoking | BoxStage::Deleting, None) => return self.forget_box(number),
        };
        self.call(&relay.descriptor, request, signer, call);
        Ok(())
    }

    pub(crate) fn on_created(
        &mut self,
        number: u32,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        let Some(mut own_box) = self.box_row(number)? else {
            return Ok(());
        };
        match answer {
            RelayAnswer::Created { rid, sid, .. } => {
                own_box.ids = Some(BoxIds {
                    rid: *rid,
                    sid: *sid,
                });
                if own_box.stage == BoxStage::Creating {
                    own_box.stage = match own_box.purpose {
                        Purpose::Contact { .. } => BoxStage::Granting,
                        Purpose::FrontDoor | Purpose::Boot => BoxStage::Ready,
                    };
                }
                self.put(Key::of(key::BOX).u32(number), &own_box);
                if own_box.stage == BoxStage::Ready {
                    self.on_box_ready(number, &own_box)
                } else {
                    self.advance_box(number)
                }
            }
            RelayAnswer::Denied
            | RelayAnswer::Error {
                code: ErrorCode::Ticket | ErrorCode::NoSpace,
                ..
            } => {
                if let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? {
                    self.tell_condition(relay.descriptor.key, RelayCondition::Refused)?;
                }
                self.memory.timers.set(
                    Timer::OwnBox { own_box: number },
                    self.now.mono_ms + REFUSED_RETRY_MS,
                );
                Ok(())
            }
            _ => self.retry_box(number),
        }
    }

    /// The relay does not know the box any more: it is made again, and where it has other names, whoever wrote there is
    /// told.
    pub(crate) fn on_box_lost(
        &mut self,
        number: u32,
        mut own_box: OwnBox,
    ) -> Result<(), EngineError> {
        if let Some(ids) = own_box.ids.take() {
            self.memory.boxes.remove(&ids.rid);
        }
        // The capability stays what it was: where the relay gives the box its old names, its contact need not be told.
        own_box.stage = BoxStage::Creating;
        self.put(Key::of(key::BOX).u32(number), &own_box);
        self.retry_box(number)
    }

    pub(crate) fn on_box_ready(
        &mut self,
        number: u32,
        own_box: &OwnBox,
    ) -> Result<(), EngineError> {
        let Some(ids) = own_box.ids else {
            return Ok(());
        };
        let Some(mut relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
            return Ok(());
        };
        let relay_key = relay.descriptor.key;
        if own_box.purpose == Purpose::Boot {
            self.memory.boot_boxes.insert(own_box.relay, number);
            self.raise_boot(own_box.relay, &mut relay);
            return Ok(());
        }
        let link = BoxLink {
            quiet_until_ms: 0,
            own_box: number,
            relay: relay_key,
            after: 0,
            fetching: false,
            again: false,
            left: false,
            subscribed: false,
        };
        self.memory.boxes.insert(ids.rid, link);
        // Boxes made together share one subscription.
        self.memory.timers.set_earlier(
            Timer::Relay {
                relay: own_box.relay,
            },
            self.now.mono_ms + 50,
        );
        match own_box.purpose {
            Purpose::Boot => Ok(()),
            Purpose::FrontDoor => {
                self.memory
                    .doors
                    .insert((own_box.persona, own_box.relay), number);
                self.tell_all(own_box.persona)
            }
            Purpose::Contact { contact, .. } => {
                if self.memory.asking.contains(&contact) {
                    self.go_on_asking(contact)
                } else {
                    self.tell(contact)
                }
            }
        }
    }

    pub(crate) fn retry_box(&mut self, number: u32) -> Result<(), EngineError> {
        let pause = self.jittered(self.config.retry_first_ms * 2);
        self.memory
            .timers
            .set(Timer::OwnBox { own_box: number }, self.now.mono_ms + pause);
        Ok(())
    }

    /// Begins to leave a relay's boxes: they take nothing more, and go when the contacts were told.
    pub(crate) fn leave_boxes(&mut self, relay: u32) -> Result<(), EngineError> {
        for (number, mut own_box) in self.boxes_at(relay)? {
            own_box.stage = BoxStage::Deleting;
            own_box.left_until_ms = Some(self.now.wall_ms.saturating_add(DAY_MS));
            self.put(Key::of(key::BOX).u32(number), &own_box);
            if own_box.ids.is_none() && !self.is_asked_for(number) {
                // Nobody ever wrote there.
                self.forget_box(number)?;
                continue;
            }
            self.memory.doors.remove(&(own_box.persona, relay));
            self.memory.boot_boxes.remove(&relay);
            // Contacts away keep writing there until they hear of it: what comes until tomorrow is still fetched.
            self.memory
                .timers
                .set(Timer::OwnBox { own_box: number }, self.now.mono_ms + DAY_MS);
        }
        Ok(())
    }

    pub(crate) fn on_deleted(
        &mut self,
        number: u32,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        if matches!(answer, RelayAnswer::Ok | RelayAnswer::Denied) {
            self.forget_box(number)
        } else {
            self.retry_box(number)
        }
    }

    fn forget_box(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(own_box) = self.box_row(number)? else {
            return Ok(());
        };
        self.delete(Key::of(key::BOX).u32(number));
        if let Some(ids) = own_box.ids {
            self.memory.boxes.remove(&ids.rid);
        }
        if let Purpose::Contact { contact, .. } = own_box.purpose {
            let mut row = self.contact(contact)?;
            row.boxes.retain(|own_box| *own_box != number);
            self.put_contact(contact, &row);
        }
        if self.boxes_at(own_box.relay)?.is_empty()
            && let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))?
            && relay.leaving
        {
            self.delete(Key::of(key::RELAY).u32(own_box.relay));
        }
        Ok(())
    }
}
