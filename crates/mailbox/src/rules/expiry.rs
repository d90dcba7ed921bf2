// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sweep: what has ended goes, a bounded number of rows at a time.
//!
//! Two kinds of step. A *look* visits the heads of some boxes and puts those that are due on the work list. A *walk*
//! takes the first box off that list and goes over its rows, page by page, its place kept in the list's own row. While
//! a walk is under way the head's next expiry is gathered anew: by the walk for what it keeps, by deposits for
//! what they bring, so a deposit behind the walk's back is not forgotten.

use comptoir_protocol::id::{BlobId, CapabilityId};

use super::blobs::{Blob, drop_blob};
use super::boxes::{Found, Head, kind};
use super::call::{Call, Stop};
use super::capabilities::Granted;
use super::creation;
use super::fetch::is_gone;
use super::front_door::Spent;
use super::items::{Item, Trace};
use super::key_packages::Package;
use super::keys::{self, BoxNumber, Part};
use super::readers::{Reader, is_done};
use super::record::Record;
use super::view::Row;
use crate::MailboxError;
use crate::config::{BOOT_IDLE_MS, BOX_IDLE_MS, DAY_MS};
use comptoir_protocol::id::PublicKey;

/// Boxes that one look visits.
const LOOKED_BOXES: usize = 64;

/// Rows that one page of a walk reads: at most some 1.2 MB.
const WALKED_ROWS: usize = 1_024;

/// Visits the boxes numbered `from` and above, and says where to go on; `None` after the last one.
pub(crate) fn look(call: &mut Call<'_>, mut from: BoxNumber) -> Result<Option<BoxNumber>, Stop> {
    for _ in 0..LOOKED_BOXES {
        let rows = call
            .draft
            .scan(&keys::all_boxes(), &keys::rows_of(from), 1)?;
        let Some((key, row)) = rows.into_iter().next() else {
            return Ok(None);
        };
        let number = keys::number_in(&key).ok_or(MailboxError::Corrupt { record: "Head" })?;
        // Rows without a head belong to a deleted box, which is on the work list already.
        if keys::part_in(&key) == Some(Part::Head) {
            look_at(
                call,
                Found {
                    number,
                    head: Head::from_row(&row)?,
                },
            )?;
        }
        from = number + 1;
    }
    Ok(Some(from))
}

fn look_at(call: &mut Call<'_>, found: Found) -> Result<(), Stop> {
    let head = &found.head;
    let idle_ms = if head.kind == kind::BOOT {
        BOOT_IDLE_MS
    } else {
        BOX_IDLE_MS
    };
    if call.now_ms.saturating_sub(head.active_ms) >= idle_ms {
        return creation::delete(call, &found);
    }
    let unsettled = head.items > 0 && call.now_ms.saturating_sub(head.settled_ms) >= DAY_MS;
    if (head.next_expiry_ms <= call.now_ms || unsettled)
        && call.draft.get(&keys::work(found.number))?.is_none()
    {
        call.leave_work(found.number);
    }
    Ok(())
}

/// Does one page of the first piece of work; `false` when there is none.
pub(crate) fn walk(call: &mut Call<'_>) -> Result<bool, Stop> {
    let Some((work, place)) = call
        .draft
        .scan(&keys::all_work(), &[], 1)?
        .into_iter()
        .next()
    else {
        return Ok(false);
    };
    let number = keys::number_in(&work).ok_or(MailboxError::Corrupt { record: "work" })?;
    let from = if place.is_empty() {
        keys::rows_of(number)
    } else {
        place.clone()
    };
    let rows = call
        .draft
        .scan(&keys::rows_of(number), &from, WALKED_ROWS)?;
    let next = rows
        .get(WALKED_ROWS - 1)
        .map(|(key, _)| [key.as_slice(), &[0]].concat());
    match call.load::<Head>(&keys::head(number))? {
        Some(head) => walk_live(
            call,
            Found { number, head },
            rows,
            place.is_empty(),
            next.is_none(),
        )?,
        None => wipe(call, number, rows)?,
    }
    match next {
        Some(next) => call.draft.put(work, next),
        None => call.draft.delete(work),
    }
    Ok(true)
}

/// A page of a box that lives: what has ended goes, what stays says when it will end.
fn walk_live(
    call: &mut Call<'_>,
    mut found: Found,
    rows: Vec<Row>,
    first: bool,
    last: bool,
) -> Result<(), Stop> {
    if first {
        found.head.next_expiry_ms = u64::MAX;
    }
    let readers = call.readers(found.number)?;
    let purges = call.purges(&found)?;
    for row in rows {
        visit(call, &mut found, &readers, &purges, row)?;
    }
    if last {
        found.head.settled_ms = call.now_ms;
    }
    call.save_box(&found);
    Ok(())
}

fn visit(
    call: &mut Call<'_>,
    found: &mut Found,
    readers: &[(PublicKey, Reader)],
    purges: &[(CapabilityId, u64)],
    (key, row): Row,
) -> Result<(), Stop> {
    match keys::part_in(&key) {
        Some(Part::Item) => {
            let (sequence, item) = (sequence_in(&key)?, Item::from_row(&row)?);
            if is_gone(&item, sequence, purges, call.now_ms)
                || is_done(readers, sequence, call.now_ms)
            {
                call.remove_item(found.number, &mut found.head, sequence, &item);
            } else {
                found.head.expires_at(item.expires_ms);
            }
        }
        Some(Part::Mid) => keep_until(
            call,
            found,
            key,
            Trace::from_row(&row)?.expires_ms,
            |head| {
                head.traces = head.traces.saturating_sub(1);
            },
        ),
        Some(Part::Capability) => {
            let ends_ms = Granted::from_row(&row)?.terms.not_after_ms;
            keep_until(call, found, key, ends_ms, |head| {
                head.capabilities = head.capabilities.saturating_sub(1)
            });
        }
        Some(Part::Token) => {
            let Spent {
                expires_ms,
                is_seed,
                ..
            } = Spent::from_row(&row)?;
            keep_until(call, found, key, expires_ms, |head| {
                let count = if is_seed {
                    &mut head.seeds
                } else {
                    &mut head.tokens
                };
                *count = count.saturating_sub(1);
            });
        }
        // Items come before markers in a walk, and a new purge starts the walk anew: all of its items are gone.
        Some(Part::Purge) => {
            call.draft.delete(key);
            found.head.purges = found.head.purges.saturating_sub(1);
        }
        Some(Part::Blob) => {
            let blob = blob_in(&key)?;
            match call.load::<Blob>(&keys::blob(&blob, found.number))? {
                Some(row) if row.expires_ms > call.now_ms => found.head.expires_at(row.expires_ms),
                _ => drop_blob(call, found, &blob)?,
            }
        }
        Some(Part::Pooled) => {
            let ends_ms = Package::from_row(&row)?.expires_ms;
            keep_until(call, found, key, ends_ms, |head| {
                head.packages = head.packages.saturating_sub(1);
            });
        }
        // Of before packages had an end: nobody can tell whether it is over.
        Some(Part::Package) => {
            call.draft.delete(key);
            found.head.packages = found.head.packages.saturating_sub(1);
        }
        Some(Part::Head | Part::Reader | Part::Body) => {}
        None => return Err(MailboxError::Corrupt { record: "key" }.into()),
    }
    Ok(())
}

fn keep_until(
    call: &mut Call<'_>,
    found: &mut Found,
    key: Vec<u8>,
    expires_ms: u64,
    on_end: impl FnOnce(&mut Head),
) {
    if expires_ms <= call.now_ms {
        call.draft.delete(key);
        on_end(&mut found.head);
    } else {
        found.head.expires_at(expires_ms);
    }
}

/// A page of a box that was deleted: everything goes.
fn wipe(call: &mut Call<'_>, number: BoxNumber, rows: Vec<Row>) -> Result<(), Stop> {
    for (key, _) in rows {
        if keys::part_in(&key) == Some(Part::Blob) {
            let blob = blob_in(&key)?;
            super::blobs::wipe_blob(call, number, &blob)?;
        }
        call.draft.delete(key);
    }
    Ok(())
}

fn sequence_in(key: &[u8]) -> Result<u64, MailboxError> {
    let bytes = keys::rest(key)
        .try_into()
        .map_err(|_| MailboxError::Corrupt { record: "Item" })?;
    Ok(u64::from_be_bytes(bytes))
}

fn blob_in(key: &[u8]) -> Result<BlobId, MailboxError> {
    keys::rest(key)
        .try_into()
        .map(BlobId)
        .map_err(|_| MailboxError::Corrupt { record: "Blob" })
}
