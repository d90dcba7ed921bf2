// SPDX-License-Identifier: MIT OR Apache-2.0
//! Promotions: the second lane of a contact, open only under a leave that lasts.
//!
//! Both sides look: the sender sends nothing without a live capability, the relay takes nothing without one, and here
//! nothing of the lane is shown that came without leave, whichever way it came.

use comptoir_protocol::capability::CapabilityTerms;
use comptoir_protocol::id::Lane;

use crate::grants::GRANT_PERIOD_S;
use crate::memory::Source;
use crate::rows::contact::{Contact, Standing};
use crate::rows::key::{self, Key};
use crate::rows::reach::BoxStage;
use crate::rows::thread::{Cargo, OutboxState};
use crate::seam::answer::{Answer, Refusal};
use crate::seam::error::EngineError;
use crate::seam::event::Event;
use crate::turn::Turn;

impl Turn<'_> {
    /// `Command::AllowPromotions`.
    pub(crate) fn on_allow_promotions(
        &mut self,
        persona: u16,
        number: u32,
        terms: Option<&CapabilityTerms>,
    ) -> Result<Result<Answer, Refusal>, EngineError> {
        let Some(mut contact) = self.contact_of(persona, number)? else {
            return Ok(Err(Refusal::NoSuchContact));
        };
        if terms.is_some() && contact.blocked {
            return Ok(Err(Refusal::Blocked));
        }
        if terms.is_some() && contact.standing != Standing::Talking {
            return Ok(Err(Refusal::NoSuchThread));
        }
        let lasting = terms.filter(|terms| terms.not_after_ms > self.now.wall_ms);
        contact.promotions = lasting.cloned();
        self.put_contact(number, &contact);
        match lasting {
            Some(_) => self.open_promotions(persona, number, &contact)?,
            None => self.close_promotions(&contact)?,
        }
        // What was allowed anew is told when the relays know it; what ended, at once.
        self.tell(number)?;
        self.event(Event::ContactChanged {
            persona,
            contact: number,
        });
        Ok(Ok(Answer::Done))
    }

    fn open_promotions(
        &mut self,
        persona: u16,
        number: u32,
        contact: &Contact,
    ) -> Result<(), EngineError> {
        for own_box in &contact.boxes {
            let Some(mut row) = self.box_row(*own_box)? else {
                continue;
            };
            if row.lane() == Lane::Promotion && row.stage == BoxStage::Ready {
                row.stage = BoxStage::Granting;
                self.put(Key::of(key::BOX).u32(*own_box), &row);
                self.advance_box(*own_box)?;
            }
        }
        for (relay, _) in self.relays_of(persona)? {
            self.make_contact_boxes(number, relay)?;
        }
        Ok(())
    }

    /// Ends the promotion boxes of a contact: its capability first, then what it left, then the box.
    pub(crate) fn close_promotions(&mut self, contact: &Contact) -> Result<(), EngineError> {
        for own_box in &contact.boxes {
            let open = self.box_row(*own_box)?.is_some_and(|row| {
                row.lane() == Lane::Promotion
                    && !matches!(row.stage, BoxStage::Revoking | BoxStage::Deleting)
            });
            if open {
                self.revoke_boxes(&[*own_box])?;
            }
        }
        Ok(())
    }

    /// Counts one more envelope of a contact; false when it may not come now: its period is used up, or the hours of the
    /// leave are over and no relay has looked. Each relay enforces the terms alone; whoever has two relays and a stream
    /// is held to the sum here.
    pub(crate) fn within_terms(
        &mut self,
        number: u32,
        contact: &Contact,
        lane: Lane,
        source: Source,
    ) -> bool {
        let leave = contact
            .promotions_at(self.now.wall_ms)
            .filter(|_| lane == Lane::Promotion);
        let (period_s, max) = leave.map_or(
            (GRANT_PERIOD_S, self.config.contact_envelopes_max),
            |terms| (terms.period_s, terms.max),
        );
        let direct = matches!(source, Source::Peer { .. });
        if leave.is_some_and(|terms| direct && !terms.open_at(self.now.wall_ms)) {
            return false;
        }
        let now = self.now.mono_ms;
        let before = self.memory.taken.get(&(number, lane)).copied();
        let (begun, taken) = before
            .filter(|(begun, _)| begun.saturating_add(u64::from(period_s) * 1000) > now)
            .unwrap_or((now, 0));
        let within = taken < max;
        let taken = (begun, taken + u32::from(within));
        self.memory.taken.insert((number, lane), taken);
        within
    }

    /// When the running period of a contact and lane is over.
    pub(crate) fn period_ends_ms(&self, number: u32, contact: &Contact, lane: Lane) -> u64 {
        let leave = contact
            .promotions_at(self.now.wall_ms)
            .filter(|_| lane == Lane::Promotion);
        let period_s = leave.map_or(GRANT_PERIOD_S, |terms| terms.period_s);
        let begun = self.memory.taken.get(&(number, lane));
        let begun_ms = begun.map_or(self.now.mono_ms, |(begun, _)| *begun);
        begun_ms.saturating_add(u64::from(period_s) * 1000)
    }

    /// The duty to keep a promotion ends: its leave was withdrawn, or a relay denies it. Said, unless somebody has it.
    pub(crate) fn end_promotion(
        &mut self,
        persona: u16,
        thread: u32,
        envelope: u64,
        state: &OutboxState,
    ) -> Result<(), EngineError> {
        let has_it = !state.stored.is_empty() || self.is_delivered(thread, state)?;
        self.drop_row(thread, envelope, state)?;
        self.memory.counters.promotions_ended += 1;
        if state.cargo == Cargo::Messages && !has_it {
            let OutboxState { lane, from, to, .. } = *state;
            self.event(Event::NotDelivered {
                persona,
                thread,
                lane,
                from,
                to,
            });
        }
        Ok(())
    }
}
