// SPDX-License-Identifier: MIT OR Apache-2.0
//! The creation and the end of a box, and the change of its readers.

use comptoir_protocol::frame::BoxKind;
use comptoir_protocol::id::{Lane, PublicKey, Rid, Sid};
use comptoir_protocol::limits::READERS_MAX;
use comptoir_protocol::signed::Signed;
use comptoir_protocol::ticket::Ticket;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::boot::{close_counter, open_counter};
use super::boxes::{Found, Head, kind, lane_byte};
use super::call::{Call, Refusal, Stop};
use super::keys;
use super::readers::Reader;
use super::record::record;
use crate::config::{DiskLevel, ITEM_TTL_S_MAX, REQUEST_TTL_S_MAX};

record! {
    /// How many boxes there are, and the number of the next one.
    Boxes version 1 {
        next: u64,
        count: u64,
    }
}

const BOXES: &str = "boxes";

/// What a CREATE asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) owner: PublicKey,
    pub(crate) readers: &'a [PublicKey],
    pub(crate) kind: BoxKind,
    pub(crate) lane: Lane,
    pub(crate) ttl_s: u32,
    pub(crate) ticket: Option<&'a Signed<Ticket>>,
}

/// Makes a box, or finds the one this owner key has: a retry after a lost answer costs no second place on the ticket.
pub(crate) fn create(call: &mut Call<'_>, wanted: &Wanted<'_>) -> Result<Head, Stop> {
    if wanted.ticket.is_none() && call.signer()? != wanted.owner {
        return Err(Refusal::Denied.into());
    }
    if let Some(head) = existing(call, wanted)? {
        return Ok(head);
    }
    if wanted.readers.is_empty() || wanted.readers.len() > READERS_MAX {
        return Err(Refusal::Invalid("a box has 1 to 32 readers").into());
    }
    let mut boxes = call
        .load(&keys::meta(BOXES))?
        .unwrap_or(Boxes { next: 1, count: 0 });
    if call.disk >= DiskLevel::NoBoxes || boxes.count >= call.config.limits.boxes_max {
        return Err(Refusal::NoSpace.into());
    }
    let share = match wanted.ticket {
        Some(ticket) => Some(call.spend_ticket(ticket)?),
        None if call.config.open => None,
        None => return Err(Refusal::Ticket.into()),
    };
    let limit = call.config.limits.box_bytes_max;
    let head = Head {
        rid: Rid(name_of(call, "rid", wanted)),
        sid: Sid(name_of(call, "sid", wanted)),
        owner: wanted.owner,
        kind: kind::byte(wanted.kind),
        lane: lane_byte(wanted.lane),
        ttl_s: ttl_s(wanted),
        bytes_max: share.as_ref().map_or(limit, |share| share.bytes.min(limit)),
        ticket: share.map(|share| share.serial),
        moved: false,
        next_sequence: 1,
        items: 0,
        bytes: 0,
        traces: 0,
        blob_bytes: 0,
        by_puzzle: 0,
        capabilities: 0,
        tokens: 0,
        seeds: 0,
        packages: 0,
        next_package: 0,
        purges: 0,
        active_ms: call.now_ms,
        next_expiry_ms: u64::MAX,
        settled_ms: call.now_ms,
    };
    let found = Found {
        number: boxes.next,
        head,
    };
    boxes.next += 1;
    boxes.count += 1;
    call.save(keys::meta(BOXES), &boxes);
    enter(call, &found, wanted.readers)?;
    Ok(found.head)
}

/// The box this owner key made before. Another box under the same key would let two be confused.
fn existing(call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Option<Head>, Stop> {
    let Some(Found { head, .. }) = call.box_of_owner_key(&wanted.owner)? else {
        return Ok(None);
    };
    // Whoever neither owns it nor holds its ticket learns nothing of it.
    let signer = call.signer()?;
    let ours = match &head.ticket {
        _ if signer == head.owner => true,
        Some(serial) => call.holds_ticket(serial, &signer)?,
        None => false,
    };
    if !ours {
        return Err(Refusal::Denied.into());
    }
    if head.kind != kind::byte(wanted.kind) || head.lane != lane_byte(wanted.lane) {
        return Err(
            Refusal::Invalid("this owner key has another box: make a new key for each").into(),
        );
    }
    Ok(Some(head))
}

fn ttl_s(wanted: &Wanted<'_>) -> u64 {
    let max = if wanted.kind == BoxKind::FrontDoor {
        REQUEST_TTL_S_MAX
    } else {
        ITEM_TTL_S_MAX
    };
    match wanted.ttl_s {
        0 => max,
        ttl_s => u64::from(ttl_s).min(max),
    }
}

fn enter(call: &mut Call<'_>, found: &Found, readers: &[PublicKey]) -> Result<(), Stop> {
    call.point_at(keys::by_sender(&found.head.sid), found.number);
    call.point_at(keys::by_reader(&found.head.rid), found.number);
    call.point_at(keys::by_owner(&found.head.owner), found.number);
    call.save_box(found);
    for reader in readers {
        add_reader(call, found, reader)?;
    }
    Ok(())
}

/// A name of a box, which only this relay can compute: from its own key and the owner's.
///
/// Not drawn at random: a relay that lost its disk gives the box its old names when the owner makes it again, and
/// whoever was told of it writes there as before. Without that, two contacts who use the same relays would not find
/// each other again.
fn name_of(call: &Call<'_>, role: &str, wanted: &Wanted<'_>) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(call.config.key.as_bytes())
        .expect("HMAC takes a key of any length");
    for part in [
        b"comptoir/box-name".as_slice(),
        role.as_bytes(),
        &[kind::byte(wanted.kind), lane_byte(wanted.lane)],
        &wanted.owner.0,
    ] {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Adds a reader, who finds everything that still lies in the box.
pub(crate) fn add_reader(
    call: &mut Call<'_>,
    found: &Found,
    reader: &PublicKey,
) -> Result<(), Stop> {
    call.admit_reader(found.number, reader)?;
    open_counter(call, found, reader)
}

/// Removes a reader. What only it had yet to acknowledge goes with the next sweep.
pub(crate) fn remove_reader(
    call: &mut Call<'_>,
    found: &Found,
    reader: &PublicKey,
) -> Result<(), Stop> {
    let place = keys::reader(found.number, reader);
    if call.load::<Reader>(&place)?.is_none() {
        return Ok(());
    }
    if call.readers(found.number)?.len() == 1 {
        return Err(Refusal::Invalid(
            "the last reader stays: delete the box, or add another first",
        )
        .into());
    }
    call.draft.delete(place);
    close_counter(call, found, reader)?;
    call.leave_work(found.number);
    Ok(())
}

/// Stops deposits; readers may still empty the box.
pub(crate) fn close(call: &mut Call<'_>, found: &mut Found) {
    found.head.moved = true;
    call.save_box(found);
}

/// Ends a box at once for everybody outside. The sweeper wipes its rows.
pub(crate) fn delete(call: &mut Call<'_>, found: &Found) -> Result<(), Stop> {
    for (reader, _) in call.readers(found.number)? {
        close_counter(call, found, &reader)?;
    }
    call.draft.delete(keys::by_sender(&found.head.sid));
    call.draft.delete(keys::by_reader(&found.head.rid));
    call.draft.delete(keys::by_owner(&found.head.owner));
    call.draft.delete(keys::head(found.number));
    if let Some(serial) = &found.head.ticket {
        call.return_share(serial)?;
    }
    if let Some(mut boxes) = call.load::<Boxes>(&keys::meta(BOXES))? {
        boxes.count = boxes.count.saturating_sub(1);
        call.save(keys::meta(BOXES), &boxes);
    }
    call.leave_work(found.number);
    Ok(())
}
