// SPDX-License-Identifier: MIT OR Apache-2.0
//! Grants: what a contact may write into our boxes, told to the relay first and to the contact then.

use comptoir_protocol::capability::{ALL_HOURS, Capability, CapabilityTerms};
use comptoir_protocol::frame::RelayAnswer;
use comptoir_protocol::id::{CapabilityId, Lane};
use comptoir_protocol::limits::DEPOSIT_BYTES_MAX;
use comptoir_protocol::secret::Secret;

use crate::rows::key::{self, Key};
use crate::rows::reach::{BoxIds, BoxStage, Granted, OwnBox, Purpose, Relay};
use crate::seam::error::EngineError;
use crate::turn::Turn;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How long a contact may write before the capability is renewed.
const GRANT_MS: u64 = 180 * DAY_MS;
/// A capability is renewed this long before it ends: a contact away for a season still hears of it.
pub(crate) const GRANT_RENEW_MS: u64 = 90 * DAY_MS;
/// The period of a contact's terms.
pub(crate) const GRANT_PERIOD_S: u32 = 24 * 60 * 60;

impl Turn<'_> {
    /// What the contact of a box may do there; `None` where that has ended. In the service lane the node renews it by
    /// itself, in the promotion lane it is what the user allowed.
    pub(crate) fn terms_of(
        &self,
        own_box: &OwnBox,
    ) -> Result<Option<CapabilityTerms>, EngineError> {
        if let Purpose::Contact {
            contact,
            lane: Lane::Promotion,
        } = own_box.purpose
        {
            let contact = self.contact(contact)?;
            return Ok(contact.promotions_at(self.now.wall_ms).cloned());
        }
        let ends_soon = |grant: &Granted| grant.not_after_ms < self.now.wall_ms + GRANT_RENEW_MS;
        let lasting = own_box.grant.as_ref().filter(|grant| !ends_soon(grant));
        Ok(Some(CapabilityTerms {
            max: self.config.contact_envelopes_max,
            period_s: GRANT_PERIOD_S,
            hours: ALL_HOURS,
            utc_offset_min: 0,
            max_bytes: u32::try_from(DEPOSIT_BYTES_MAX).unwrap_or(u32::MAX),
            not_after_ms: lasting.map_or(self.now.wall_ms + GRANT_MS, |grant| grant.not_after_ms),
        }))
    }

    /// The capability of a box's contact, made when there is none.
    pub(crate) fn granted(
        &mut self,
        own_box: &mut OwnBox,
        relay: &Relay,
        ids: BoxIds,
        terms: CapabilityTerms,
    ) -> Capability {
        let not_after_ms = terms.not_after_ms;
        if own_box
            .grant
            .as_ref()
            .is_none_or(|grant| grant.not_after_ms != not_after_ms)
        {
            let grant = match own_box.grant.take() {
                Some(grant) => Granted {
                    not_after_ms,
                    ..grant
                },
                None => Granted {
                    id: CapabilityId(self.random()),
                    writer: Secret::new(self.random()),
                    k_box: Secret::new(self.random()),
                    not_after_ms,
                },
            };
            own_box.grant = Some(grant);
        }
        let grant = own_box
            .grant
            .clone()
            .expect("it was set above where it was missing");
        capability(own_box, &grant, relay, ids, terms)
    }

    /// The capability a box's contact is told, once the relay knows it.
    pub(crate) fn capability_of(
        &self,
        own_box: &OwnBox,
    ) -> Result<Option<Capability>, EngineError> {
        let (BoxStage::Ready, Some(ids), Some(grant)) =
            (own_box.stage, own_box.ids, &own_box.grant)
        else {
            return Ok(None);
        };
        let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
            return Ok(None);
        };
        let Some(terms) = self.terms_of(own_box)?.filter(|_| !relay.leaving) else {
            return Ok(None);
        };
        // What the relay was told last, not what it will be told next.
        let terms = CapabilityTerms {
            not_after_ms: grant.not_after_ms,
            ..terms
        };
        Ok(Some(capability(own_box, grant, &relay, ids, terms)))
    }

    pub(crate) fn on_granted(
        &mut self,
        number: u32,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        let Some(mut own_box) = self.box_row(number)? else {
            return Ok(());
        };
        match answer {
            RelayAnswer::Ok if own_box.stage == BoxStage::Granting => {
                own_box.stage = BoxStage::Ready;
                self.put(Key::of(key::BOX).u32(number), &own_box);
                self.on_box_ready(number, &own_box)
            }
            RelayAnswer::Denied => self.on_box_lost(number, own_box),
            _ => self.retry_box(number),
        }
    }

    /// Ends a contact's capabilities, and with them everything it left.
    pub(crate) fn revoke_boxes(&mut self, boxes: &[u32]) -> Result<(), EngineError> {
        for number in boxes {
            let Some(mut own_box) = self.box_row(*number)? else {
                continue;
            };
            own_box.stage = BoxStage::Revoking;
            self.put(Key::of(key::BOX).u32(*number), &own_box);
            if let Some(ids) = own_box.ids {
                self.memory.boxes.remove(&ids.rid);
            }
            self.advance_box(*number)?;
        }
        Ok(())
    }

    pub(crate) fn on_revoked(
        &mut self,
        number: u32,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        let Some(mut own_box) = self.box_row(number)? else {
            return Ok(());
        };
        if !matches!(answer, RelayAnswer::Ok | RelayAnswer::Denied) {
            return self.retry_box(number);
        }
        own_box.stage = BoxStage::Deleting;
        self.put(Key::of(key::BOX).u32(number), &own_box);
        self.advance_box(number)
    }
}

fn capability(
    own_box: &OwnBox,
    grant: &Granted,
    relay: &Relay,
    ids: BoxIds,
    terms: CapabilityTerms,
) -> Capability {
    Capability {
        relay: relay.descriptor.clone(),
        sid: ids.sid,
        capability: grant.id,
        writer: grant.writer.clone(),
        k_box: grant.k_box.clone(),
        lane: own_box.lane(),
        terms,
    }
}
