// SPDX-License-Identifier: MIT OR Apache-2.0
//! The box: one direction of one contact, one front door, or one device's boot counter.

use comptoir_protocol::id::{CapabilityId, Lane, PublicKey, Rid, Sid};

use super::call::{Call, Refusal, Stop};
use super::keys::{self, BoxNumber};
use super::record::{id_fields, record};
use crate::MailboxError;

id_fields!(
    Rid,
    Sid,
    PublicKey,
    CapabilityId,
    comptoir_protocol::id::Mid,
    comptoir_protocol::id::BlobId
);

record! {
    /// What the relay keeps of a box as a whole.
    Head version 1 {
        rid: Rid,
        sid: Sid,
        /// The key that grants, revokes, names readers and deletes. Made for this box alone.
        owner: PublicKey,
        kind: u8,
        lane: u8,
        ttl_s: u64,
        /// Bytes of items it may hold, and again as many of blobs.
        bytes_max: u64,
        /// The ticket that admitted it, to give its share back.
        ticket: Option<[u8; 16]>,
        /// Moved elsewhere: readers may empty it, nobody may fill it.
        moved: bool,
        /// What the next item gets; never goes back.
        next_sequence: u64,
        items: u32,
        bytes: u64,
        /// Names of deposits that are remembered: those of the items, and of acknowledged ones until their end.
        traces: u32,
        blob_bytes: u64,
        /// Items that strangers left by puzzle.
        by_puzzle: u32,
        capabilities: u32,
        /// Invite tokens that were used or revoked.
        tokens: u32,
        /// Puzzles that were solved.
        seeds: u32,
        packages: u32,
        next_package: u64,
        /// Purges in progress: while there are any, a fetch looks them up.
        purges: u32,
        /// Last deposit or fetch, to the hour.
        active_ms: u64,
        /// Nothing in the box expires before this.
        next_expiry_ms: u64,
        /// When the sweeper last compared all readers with all items.
        settled_ms: u64,
    }
}

record! {
    /// The number behind one of a box's ids.
    Pointer version 1 { number: BoxNumber, }
}

impl Head {
    /// Makes the sweeper come by at `expires_ms` at the latest.
    pub(crate) fn expires_at(&mut self, expires_ms: u64) {
        self.next_expiry_ms = self.next_expiry_ms.min(expires_ms);
    }
}

/// A box that was looked up: its number and its head. Written back with [`Call::save_box`].
pub(crate) struct Found {
    pub(crate) number: BoxNumber,
    pub(crate) head: Head,
}

impl Call<'_> {
    /// The box a sender names.
    pub(crate) fn box_of_sender(&self, sid: &Sid) -> Result<Found, Stop> {
        self.follow(&keys::by_sender(sid))
    }

    /// The box its owner names; nobody else gets past this.
    pub(crate) fn box_of_owner(&self, rid: &Rid) -> Result<Found, Stop> {
        let found = self.follow(&keys::by_reader(rid))?;
        if found.head.owner != self.signer()? {
            return Err(Refusal::Denied.into());
        }
        Ok(found)
    }

    /// The box behind the id of its readers, whoever asks.
    pub(crate) fn box_of_readers(&self, rid: &Rid) -> Result<Found, Stop> {
        self.follow(&keys::by_reader(rid))
    }

    /// The box an owner key has made, if there is one.
    pub(crate) fn box_of_owner_key(&self, owner: &PublicKey) -> Result<Option<Found>, Stop> {
        match self.follow(&keys::by_owner(owner)) {
            Ok(found) => Ok(Some(found)),
            Err(Stop::Refused(_)) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    fn follow(&self, key: &[u8]) -> Result<Found, Stop> {
        let pointer: Pointer = self.load(key)?.ok_or(Refusal::Denied)?;
        let head = self
            .load(&keys::head(pointer.number))?
            .ok_or(MailboxError::Corrupt { record: "Head" })?;
        Ok(Found {
            number: pointer.number,
            head,
        })
    }

    pub(crate) fn save_box(&mut self, found: &Found) {
        self.save(keys::head(found.number), &found.head);
    }

    pub(crate) fn point_at(&mut self, key: Vec<u8>, number: BoxNumber) {
        self.save(key, &Pointer { number });
    }
}

pub(crate) fn lane_byte(lane: Lane) -> u8 {
    match lane {
        Lane::Service => 0,
        Lane::Promotion => 1,
    }
}

pub(crate) fn lane_of(byte: u8) -> Result<Lane, MailboxError> {
    match byte {
        0 => Ok(Lane::Service),
        1 => Ok(Lane::Promotion),
        _ => Err(MailboxError::Corrupt { record: "lane" }),
    }
}

/// Kinds of boxes as rows keep them.
pub(crate) mod kind {
    use comptoir_protocol::frame::BoxKind;

    pub(crate) const THREAD: u8 = 0;
    pub(crate) const FRONT_DOOR: u8 = 1;
    pub(crate) const BOOT: u8 = 2;

    pub(crate) fn byte(kind: BoxKind) -> u8 {
        match kind {
            BoxKind::Thread => THREAD,
            BoxKind::FrontDoor => FRONT_DOOR,
            BoxKind::Boot => BOOT,
        }
    }
}
