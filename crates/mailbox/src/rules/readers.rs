// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reader: a device with its own cursor in a box, and when an item has met them all.

use comptoir_protocol::id::PublicKey;
use comptoir_protocol::limits::READERS_MAX;
use comptoir_protocol::runs::Runs;

use super::boxes::Found;
use super::call::{Call, Refusal, Stop};
use super::keys::{self, BoxNumber, Part};
use super::record::{Field, Record, record};
use crate::MailboxError;
use crate::config::{HOUR_MS, READER_STALE_MS};

/// Items that one step compares with the readers. What is left over is done by the sweeper.
pub(crate) const SETTLE_ITEMS_MAX: usize = 2_048;

impl Field for Runs {
    fn write(&self, out: &mut Vec<u8>) {
        Field::write(&self.contiguous(), out);
        Field::write(&self.ranges().to_vec(), out);
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        Self::from_parts(Field::read(from)?, Field::read(from)?).ok()
    }
}

record! {
    /// A reader of one box.
    Reader version 1 {
        /// What it has on its own disk.
        acknowledged: Runs,
        /// Its last sign of life, to the hour: a finer one would cost a write for every poll.
        fetched_ms: u64,
    }
}

impl Reader {
    fn is_stale(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.fetched_ms) >= READER_STALE_MS
    }
}

/// Whether an item has served: every reader has it, or at least one has and all others have been away for 14 days.
///
/// A box whose only reader is away keeps everything: there is no other device to catch up from.
pub(crate) fn is_done(readers: &[(PublicKey, Reader)], sequence: u64, now_ms: u64) -> bool {
    let has = |reader: &Reader| reader.acknowledged.contains(sequence);
    readers.iter().any(|(_, reader)| has(reader))
        && readers
            .iter()
            .all(|(_, reader)| has(reader) || reader.is_stale(now_ms))
}

impl Call<'_> {
    /// All readers of a box.
    pub(crate) fn readers(
        &self,
        number: BoxNumber,
    ) -> Result<Vec<(PublicKey, Reader)>, MailboxError> {
        let rows = self
            .draft
            .scan(&keys::part(number, Part::Reader, &[]), &[], READERS_MAX)?;
        rows.into_iter()
            .map(|(key, row)| {
                let bytes = keys::rest(&key)
                    .try_into()
                    .map_err(|_| MailboxError::Corrupt { record: "Reader" })?;
                Ok((PublicKey(bytes), Reader::from_row(&row)?))
            })
            .collect()
    }

    /// The signer as a reader of the box; nobody else gets past this.
    pub(crate) fn reader_of(&self, found: &Found) -> Result<(PublicKey, Reader), Stop> {
        let key = self.signer()?;
        let reader = self
            .load(&keys::reader(found.number, &key))?
            .ok_or(Refusal::Denied)?;
        Ok((key, reader))
    }

    /// Notes a reader's sign of life, once an hour.
    pub(crate) fn touch(&mut self, found: &mut Found, key: &PublicKey, reader: &mut Reader) {
        if self.now_ms.saturating_sub(reader.fetched_ms) >= HOUR_MS {
            reader.fetched_ms = self.now_ms;
            self.save(keys::reader(found.number, key), reader);
        }
        if self.now_ms.saturating_sub(found.head.active_ms) >= HOUR_MS {
            found.head.active_ms = self.now_ms;
            self.save_box(found);
        }
    }

    /// Gives the box a reader, who finds everything that still lies there. A second time changes nothing.
    pub(crate) fn admit_reader(&mut self, number: BoxNumber, key: &PublicKey) -> Result<(), Stop> {
        let place = keys::reader(number, key);
        if self.load::<Reader>(&place)?.is_some() {
            return Ok(());
        }
        if self.readers(number)?.len() >= READERS_MAX {
            return Err(Refusal::Full.into());
        }
        self.save(
            place,
            &Reader {
                acknowledged: Runs::new(),
                fetched_ms: self.now_ms,
            },
        );
        Ok(())
    }

    /// Leaves the rest of a long walk over a box to the sweeper.
    pub(crate) fn leave_work(&mut self, number: BoxNumber) {
        self.draft.put(keys::work(number), Vec::new());
    }

    /// Removes what has served among the items from `sequence` on, and says where it stopped if it did.
    pub(crate) fn settle(
        &mut self,
        found: &mut Found,
        sequence: u64,
        last: u64,
    ) -> Result<Option<u64>, Stop> {
        let readers = self.readers(found.number)?;
        let items = self.items_from(found.number, sequence, SETTLE_ITEMS_MAX)?;
        let next = items
            .get(SETTLE_ITEMS_MAX - 1)
            .map(|(sequence, _)| sequence + 1);
        for (sequence, item) in items {
            if sequence > last {
                return Ok(None);
            }
            if is_done(&readers, sequence, self.now_ms) {
                self.remove_item(found.number, &mut found.head, sequence, &item);
            }
        }
        Ok(next)
    }
}
