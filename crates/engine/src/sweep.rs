// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sweep: what is decided by dates, looked at now and then, whatever the clock did in between.

use comptoir_protocol::id::Lane;

use crate::grants::GRANT_RENEW_MS;
use crate::rows::account::Repeated;
use crate::rows::contact::{Contact, Declined, Standing};
use crate::rows::key::{self, Key, u32_at};
use crate::rows::reach::BoxStage;
use crate::seam::error::EngineError;
use crate::seam::event::EventRecord;
use crate::seam::view::{Row, Scan};
use crate::timers::Timer;
use crate::turn::{Turn, read_row};

/// How often dates are looked at.
const SWEEP_MS: u64 = 15 * 60 * 1000;
/// Contacts looked at in one step; ten thousand take forty steps, a second apart.
const CONTACTS_PER_STEP: usize = 256;
/// Kept answers and old events looked at in one step.
const ROWS_PER_STEP: usize = 512;

impl Turn<'_> {
    pub(crate) fn on_sweep_due(&mut self) -> Result<(), EngineError> {
        let from = self.memory.numbers.sweep_contact;
        let more_answers = self.sweep_answers()?;
        if from == 0 {
            self.sweep_events()?;
            self.sweep_invites()?;
            self.sweep_packages()?;
            self.sweep_declined()?;
            self.forget_relays()?;
            for (number, _) in self.personas()? {
                self.ensure_card(number)?;
            }
        }
        let range = Scan::all(Key::of(key::CONTACT))
            .starting_at(Key::of(key::CONTACT).u32(from))
            .limited(CONTACTS_PER_STEP);
        let rows = self.scan(range)?;
        let more = rows.len() == CONTACTS_PER_STEP;
        let mut last = from;
        for (row_key, row) in rows {
            let Some(number) = u32_at(&row_key, 1) else {
                continue;
            };
            last = number;
            let contact: Contact = read_row(&row_key, &row)?;
            self.sweep_contact(number, &contact)?;
        }
        self.memory.numbers.sweep_contact = if more { last + 1 } else { 0 };
        let pause = if more || more_answers {
            1_000
        } else {
            SWEEP_MS
        };
        self.memory
            .timers
            .set(Timer::Sweep, self.now.mono_ms + pause);
        Ok(())
    }

    fn sweep_contact(&mut self, number: u32, contact: &Contact) -> Result<(), EngineError> {
        if contact.standing != Standing::Talking || contact.blocked {
            return Ok(());
        }
        if contact.promotions_at(self.now.wall_ms).is_none() {
            self.close_promotions(contact)?;
        }
        for own_box in &contact.boxes {
            let Some(mut row) = self.box_row(*own_box)? else {
                continue;
            };
            if row.lane() == Lane::Promotion {
                continue;
            }
            let ends_soon = row
                .grant
                .as_ref()
                .is_some_and(|grant| grant.not_after_ms < self.now.wall_ms + GRANT_RENEW_MS);
            if row.stage == BoxStage::Ready && ends_soon {
                row.stage = BoxStage::Granting;
                self.put(Key::of(key::BOX).u32(*own_box), &row);
                self.advance_box(*own_box)?;
            } else {
                self.stock(*own_box, &row)?;
            }
        }
        self.tell(number)
    }

    /// The next rows of a space in which those that are over lie among those that are not.
    pub(crate) fn sweep_rows(&mut self, space: u8, limit: usize) -> Result<Vec<Row>, EngineError> {
        let mut range = Scan::all(Key::of(space)).limited(limit);
        if let Some(from) = self.memory.sweeps.get(&space) {
            range = range.starting_at(from.clone());
        }
        let rows = self.scan(range)?;
        match rows.last().filter(|_| rows.len() == limit) {
            Some((last, _)) => self.memory.sweeps.insert(space, last.clone()),
            None => self.memory.sweeps.remove(&space),
        };
        Ok(rows)
    }

    /// True when so many were over that more are expected.
    fn sweep_answers(&mut self) -> Result<bool, EngineError> {
        let mut over = 0;
        for (row_key, row) in self.sweep_rows(key::IDEMPOTENCY, ROWS_PER_STEP)? {
            let repeated: Repeated = read_row(&row_key, &row)?;
            if repeated.expires_ms <= self.now.wall_ms {
                self.delete(row_key);
                over += 1;
            }
        }
        Ok(over > ROWS_PER_STEP / 2)
    }

    fn sweep_declined(&mut self) -> Result<(), EngineError> {
        for (row_key, row) in self.sweep_rows(key::DECLINED, ROWS_PER_STEP)? {
            let declined: Declined = read_row(&row_key, &row)?;
            if declined.expires_ms <= self.now.wall_ms {
                self.delete(row_key);
            }
        }
        Ok(())
    }

    /// Old events go; the newest stays, for its number is where counting goes on.
    fn sweep_events(&mut self) -> Result<(), EngineError> {
        let limit = self.now.wall_ms.saturating_sub(self.config.events_kept_ms);
        let newest = self.memory.numbers.event.saturating_sub(1);
        for (row_key, row) in self.scan(Scan::all(Key::of(key::EVENT)).limited(ROWS_PER_STEP))? {
            let record: EventRecord = read_row(&row_key, &row)?;
            if record.wall_ms >= limit || key::u64_at(&row_key, 1) == Some(newest) {
                break;
            }
            self.delete(row_key);
        }
        Ok(())
    }
}
