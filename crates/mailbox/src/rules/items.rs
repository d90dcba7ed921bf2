// SPDX-License-Identifier: MIT OR Apache-2.0
//! The item: a deposit as it lies in a box, and the trace that outlives it.

use comptoir_protocol::id::{CapabilityId, Mid};
use comptoir_protocol::limits::{DEPOSIT_BYTES_MAX, DEPOSIT_CLASSES_BYTES};

use super::boxes::{Found, Head};
use super::call::{Call, News, Refusal, Stop};
use super::keys::{self, BoxNumber, Part};
use super::record::{Bytes, Record, record};
use crate::MailboxError;
use crate::config::HOUR_MS;

/// Bodies up to this size, the 1 KiB class, lie in the item's own row. Larger ones lie in a row of their own, so that
/// whoever walks over a box reads little.
const INLINE_BYTES_MAX: usize = 1024;

const _: () = assert!(
    DEPOSIT_BYTES_MAX <= comptoir_kv::VALUE_BYTES_MAX
        && INLINE_BYTES_MAX >= DEPOSIT_CLASSES_BYTES[0]
);

/// How a deposit came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Capability,
    Token,
    Puzzle,
}

impl Way {
    fn byte(self) -> u8 {
        match self {
            Self::Capability => 0,
            Self::Token => 1,
            Self::Puzzle => 2,
        }
    }
}

record! {
    /// A deposit that somebody has yet to acknowledge.
    Item version 1 {
        mid: Mid,
        capability: CapabilityId,
        way: u8,
        /// The hour it came in: finer would help whoever compares two boxes.
        hour: u32,
        expires_ms: u64,
        length: u32,
        /// The body, or nothing when it has its own row.
        inline: Bytes,
    }
}

record! {
    /// What stays of a deposit until its end: enough to know it again.
    Trace version 1 {
        hash: [u8; 32],
        sequence: u64,
        expires_ms: u64,
    }
}

/// A deposit about to be stored.
pub(crate) struct Deposit<'a> {
    pub(crate) mid: Mid,
    pub(crate) hash: [u8; 32],
    pub(crate) capability: CapabilityId,
    pub(crate) way: Way,
    pub(crate) expires_ms: u64,
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    /// Whether this very deposit was taken before, acknowledged since or not.
    pub(crate) fn seen_before(
        &self,
        found: &Found,
        mid: &Mid,
        hash: &[u8; 32],
    ) -> Result<bool, Stop> {
        match self.load::<Trace>(&keys::mid(found.number, mid))? {
            None => Ok(false),
            Some(trace) if trace.hash == *hash => Ok(true),
            // A mid is made from the content: two contents under one are nobody's retry.
            Some(_) => Err(Refusal::Invalid("this name stands for another deposit").into()),
        }
    }

    /// Puts a deposit at the end of a box that has room for it, and tells the box's readers.
    pub(crate) fn store_item(
        &mut self,
        found: &mut Found,
        deposit: &Deposit<'_>,
    ) -> Result<u64, Stop> {
        let Found { number, head } = found;
        let bytes = deposit.body.len() as u64;
        if head.items >= self.config.limits.box_items_max || head.bytes + bytes > head.bytes_max {
            return Err(Refusal::Full.into());
        }
        let sequence = head.next_sequence;
        let inline = if deposit.body.len() <= INLINE_BYTES_MAX {
            deposit.body
        } else {
            &[]
        };
        let item = Item {
            mid: deposit.mid,
            capability: deposit.capability,
            way: deposit.way.byte(),
            hour: u32::try_from(self.now_ms / HOUR_MS).unwrap_or(u32::MAX),
            expires_ms: deposit.expires_ms,
            length: u32::try_from(deposit.body.len()).map_err(|_| Refusal::Full)?,
            inline: Bytes(inline.to_vec()),
        };
        self.save(keys::item(*number, sequence), &item);
        if deposit.body.len() > INLINE_BYTES_MAX {
            self.draft
                .put(keys::body(*number, sequence), deposit.body.to_vec());
        }
        let trace = Trace {
            hash: deposit.hash,
            sequence,
            expires_ms: deposit.expires_ms,
        };
        self.save(keys::mid(*number, &deposit.mid), &trace);
        head.traces += 1;
        head.next_sequence += 1;
        head.items += 1;
        head.bytes += bytes;
        head.by_puzzle += u32::from(deposit.way == Way::Puzzle);
        head.expires_at(deposit.expires_ms);
        self.news.push(News {
            rid: head.rid,
            sequence,
        });
        Ok(sequence)
    }

    /// The bytes of a deposit, as they came.
    pub(crate) fn body_of(
        &self,
        number: BoxNumber,
        sequence: u64,
        item: Item,
    ) -> Result<Vec<u8>, MailboxError> {
        let length = item.length as usize;
        if item.inline.0.len() == length {
            return Ok(item.inline.0);
        }
        let body = self
            .draft
            .get(&keys::body(number, sequence))?
            .unwrap_or_default();
        if body.len() == length {
            Ok(body)
        } else {
            Err(MailboxError::Corrupt { record: "Item" })
        }
    }

    /// Takes an item out of its box. Its trace stays, so that a late retry is still known; a box that keeps very many
    /// keeps no more, and there a late retry only reaches the readers' own eyes for duplicates.
    pub(crate) fn remove_item(
        &mut self,
        number: BoxNumber,
        head: &mut Head,
        sequence: u64,
        item: &Item,
    ) {
        if item.length as usize > INLINE_BYTES_MAX {
            self.draft.delete(keys::body(number, sequence));
        }
        self.draft.delete(keys::item(number, sequence));
        if head.traces > self.config.limits.box_traces_max {
            self.draft.delete(keys::mid(number, &item.mid));
            head.traces -= 1;
        }
        head.items = head.items.saturating_sub(1);
        head.bytes = head.bytes.saturating_sub(u64::from(item.length));
        head.by_puzzle = head
            .by_puzzle
            .saturating_sub(u32::from(item.way == Way::Puzzle.byte()));
    }

    /// Reads up to `limit` items from `sequence` on.
    pub(crate) fn items_from(
        &self,
        number: BoxNumber,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Item)>, MailboxError> {
        let prefix = keys::part(number, Part::Item, &[]);
        let rows = self
            .draft
            .scan(&prefix, &keys::item(number, sequence), limit)?;
        rows.into_iter()
            .map(|(key, row)| {
                let sequence = keys::rest(&key).try_into().map(u64::from_be_bytes);
                Ok((
                    sequence.map_err(|_| MailboxError::Corrupt { record: "Item" })?,
                    Item::from_row(&row)?,
                ))
            })
            .collect()
    }
}
