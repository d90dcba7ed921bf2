// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fetch: pages of what a reader has not acknowledged yet, and the acknowledgement that ends an item.

use comptoir_protocol::frame;
use comptoir_protocol::id::{CapabilityId, Rid};
use comptoir_protocol::limits::CHUNK_BYTES_MAX;
use comptoir_protocol::runs::{Inserted, Runs};

use super::boxes::{Found, kind, lane_of};
use super::call::{Call, Refusal, Stop};
use super::items::Item;
use super::keys::{self, BoxNumber};
use super::readers::Reader;
use crate::config::FETCH_ITEMS_MAX;

/// What an item adds to an answer beside its body: sequence, mid, capability, lane, hour and CBOR heads, at most 72.
const ITEM_ROOM_BYTES: usize = 80;

const _: () =
    assert!(comptoir_protocol::limits::DEPOSIT_BYTES_MAX + ITEM_ROOM_BYTES <= CHUNK_BYTES_MAX);

/// Items that one page looks at in one scan.
const SCANNED_ITEMS: usize = 64;

/// One page of a box.
pub(crate) struct Page {
    pub(crate) items: Vec<frame::Item>,
    pub(crate) more: bool,
}

/// The room a page has.
pub(crate) struct Room {
    pub(crate) after: u64,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Room {
    pub(crate) fn new(after: u64, items_max: u16, bytes_max: u32) -> Self {
        Self {
            after,
            items: usize::from(items_max).clamp(1, FETCH_ITEMS_MAX as usize),
            bytes: (bytes_max as usize).min(CHUNK_BYTES_MAX),
        }
    }
}

/// Reads a page for the signer, and notes that it was here.
pub(crate) fn fetch(call: &mut Call<'_>, rid: &Rid, room: Room) -> Result<Page, Stop> {
    let mut found = call.box_of_readers(rid)?;
    let (key, mut reader) = call.reader_of(&found)?;
    call.touch(&mut found, &key, &mut reader);
    read_page(call, &found, &reader, room)
}

fn read_page(
    call: &Call<'_>,
    found: &Found,
    reader: &Reader,
    mut room: Room,
) -> Result<Page, Stop> {
    let purges = call.purges(found)?;
    let lane = lane_of(found.head.lane)?;
    let mut page = Page {
        items: Vec::new(),
        more: false,
    };
    // A reader that has seen more than there ever was knows a relay that was put back to an older state: its numbers are
    // about to be given out again, and only its acknowledgements still count.
    let after = if room.after < found.head.next_sequence {
        room.after
    } else {
        0
    };
    let mut from = after
        .max(reader.acknowledged.contiguous())
        .saturating_add(1);
    loop {
        let scanned = call.items_from(found.number, from, SCANNED_ITEMS)?;
        let Some(last) = scanned.last().map(|(sequence, _)| *sequence) else {
            return Ok(page);
        };
        for (sequence, item) in scanned {
            if reader.acknowledged.contains(sequence)
                || is_gone(&item, sequence, &purges, call.now_ms)
            {
                continue;
            }
            let bytes = item.length as usize + ITEM_ROOM_BYTES;
            // One item comes in any case, or a reader that asks for too little would never get past it.
            if page.items.len() == room.items || (!page.items.is_empty() && bytes > room.bytes) {
                page.more = true;
                return Ok(page);
            }
            room.bytes = room.bytes.saturating_sub(bytes);
            page.items.push(frame::Item {
                sequence,
                mid: item.mid,
                capability: (found.head.kind == kind::THREAD).then_some(item.capability),
                lane,
                hour: u64::from(item.hour),
                blob: call.body_of(found.number, sequence, item)?,
            });
        }
        from = last + 1;
    }
}

/// Whether an item has ended, though its row has not been swept yet.
pub(crate) fn is_gone(
    item: &Item,
    sequence: u64,
    purges: &[(CapabilityId, u64)],
    now_ms: u64,
) -> bool {
    item.expires_ms <= now_ms
        || purges
            .iter()
            .any(|(id, below)| *id == item.capability && sequence < *below)
}

/// Moves the signer's cursor, and removes what now has served.
pub(crate) fn acknowledge(
    call: &mut Call<'_>,
    rid: &Rid,
    up_to: u64,
    sequences: &[u64],
) -> Result<(), Stop> {
    let mut found = call.box_of_readers(rid)?;
    let (key, mut reader) = call.reader_of(&found)?;
    let first_new = reader.acknowledged.contiguous() + 1;
    // What has not come yet cannot be acknowledged: it would be gone the moment it came.
    let newest = found.head.next_sequence - 1;
    let runs = [(1, up_to.min(newest))];
    for (from, to) in runs.into_iter().chain(
        sequences
            .iter()
            .filter(|one| **one <= newest)
            .map(|one| (*one, *one)),
    ) {
        if reader.acknowledged.insert_run(from, to) != Inserted::Full {
            continue;
        }
        close_gaps(call, found.number, &mut reader.acknowledged)?;
        if reader.acknowledged.insert_run(from, to) == Inserted::Full {
            return Err(Refusal::Invalid(
                "too many gaps: acknowledge in order, or all up to a sequence",
            )
            .into());
        }
    }
    let last = reader.acknowledged.last();
    call.save(keys::reader(found.number, &key), &reader);
    call.touch(&mut found, &key, &mut reader);
    if let Some(_rest) = call.settle(&mut found, first_new, last)? {
        call.leave_work(found.number);
    }
    call.save_box(&found);
    Ok(())
}

/// Counts as acknowledged what no longer lies there: an item may end without a word of its reader, who cannot say that
/// word later, and its gap would stay for ever.
fn close_gaps(call: &Call<'_>, number: BoxNumber, known: &mut Runs) -> Result<(), Stop> {
    for (from, to) in known.gaps().collect::<Vec<_>>() {
        let next = call.items_from(number, from, 1)?;
        if next.first().is_none_or(|(sequence, _)| *sequence > to) {
            // Closing a gap never needs one more range.
            let _ = known.insert_run(from, to);
        }
    }
    Ok(())
}

/// Those of these boxes that the signer reads, each noted as seen. Refused when there is none: one box that is gone must
/// not keep the news of all others of its page from its reader, who finds out about it when it fetches.
pub(crate) fn subscribe(call: &mut Call<'_>, rids: &[Rid]) -> Result<Vec<Rid>, Stop> {
    let mut read = Vec::with_capacity(rids.len());
    for rid in rids {
        match look_in(call, rid) {
            Ok(()) => read.push(*rid),
            Err(Stop::Refused(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    if read.is_empty() {
        return Err(Refusal::Denied.into());
    }
    Ok(read)
}

fn look_in(call: &mut Call<'_>, rid: &Rid) -> Result<(), Stop> {
    let mut found = call.box_of_readers(rid)?;
    let (key, mut reader) = call.reader_of(&found)?;
    call.touch(&mut found, &key, &mut reader);
    Ok(())
}
