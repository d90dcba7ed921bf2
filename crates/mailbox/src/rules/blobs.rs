// SPDX-License-Identifier: MIT OR Apache-2.0
//! The blob: sealed bytes too large for a deposit, fetched in ranges by whoever knows their hash.

use comptoir_protocol::id::{BlobId, CapabilityId};
use comptoir_protocol::limits::CHUNK_BYTES_MAX;
use sha2::{Digest, Sha256};

use super::boxes::Found;
use super::call::{Call, Refusal, Stop};
use super::capabilities::Granted;
use super::keys::{self, BoxNumber};
use super::record::{Record, record};
use crate::MailboxError;
use crate::config::{BLOB_BYTES_MAX, BLOB_TTL_S_MAX};

/// A row of a blob. Parts and ranges need not know it: only parts must begin at its multiples.
const PIECE_BYTES: usize = 4096;

/// How many pieces one step hashes at a time: 256 KiB in memory.
const HASHED_PIECES: usize = 64;

record! {
    /// What is known of a blob.
    Blob version 1 {
        /// The capability it came under; none for the owner's own.
        capability: Option<CapabilityId>,
        length: u64,
        /// Bytes that are there: all before this offset.
        stored: u64,
        expires_ms: u64,
        /// Whether its hash was found right; only then it is given out.
        whole: bool,
    }
}

/// By which right a blob is stored: it counts against the box either way.
pub(crate) enum By {
    /// The box's owner.
    Owner,
    /// A capability of the box, a blob being one deposit in its terms.
    Writer(CapabilityId, Granted),
}

impl By {
    fn id(&self) -> Option<CapabilityId> {
        match self {
            Self::Owner => None,
            Self::Writer(id, _) => Some(*id),
        }
    }
}

/// One part of an upload.
pub(crate) struct Part<'a> {
    pub(crate) blob: BlobId,
    pub(crate) length: u64,
    pub(crate) offset: u64,
    pub(crate) expires_s: u64,
    pub(crate) bytes: &'a [u8],
}

/// Stores one part. Parts come in order; one that is there already is taken again without effect, so an upload that
/// broke off starts over or goes on.
pub(crate) fn put(
    call: &mut Call<'_>,
    found: &mut Found,
    by: &mut By,
    part: &Part<'_>,
) -> Result<(), Stop> {
    check_part(part)?;
    let place = keys::blob(&part.blob, found.number);
    let mut blob = match call.load::<Blob>(&place)? {
        Some(blob) if blob.capability != by.id() || blob.length != part.length => {
            return Err(Refusal::Invalid("another upload of this blob is under way").into());
        }
        Some(blob) if blob.whole => return Ok(()),
        Some(blob) => blob,
        None => begin(call, found, by, part)?,
    };
    let end = part.offset + part.bytes.len() as u64;
    if part.offset > blob.stored {
        return Err(Refusal::Invalid("a part is missing before this one").into());
    }
    if end <= blob.stored {
        return Ok(());
    }
    for (piece, offset) in part
        .bytes
        .chunks(PIECE_BYTES)
        .zip((part.offset..).step_by(PIECE_BYTES))
    {
        call.draft.put(
            keys::blob_bytes(&part.blob, found.number, offset),
            piece.to_vec(),
        );
    }
    blob.stored = end;
    if blob.stored == blob.length {
        blob.whole = true;
        if hash_of(call, &part.blob, found.number)? != part.blob.0 {
            drop_blob(call, found, &part.blob)?;
            call.save_box(found);
            return Err(Stop::RefusedButKept(Refusal::Invalid(
                "the bytes do not have the hash that names them",
            )));
        }
    }
    call.save(place, &blob);
    call.save_box(found);
    Ok(())
}

fn check_part(part: &Part<'_>) -> Result<(), Refusal> {
    let end = part
        .offset
        .checked_add(part.bytes.len() as u64)
        .ok_or(Refusal::Invalid("the part ends beyond all bounds"))?;
    let last = end == part.length;
    let aligned = part.offset.is_multiple_of(PIECE_BYTES as u64)
        && (last || part.bytes.len().is_multiple_of(PIECE_BYTES));
    if part.expires_s == 0 || part.bytes.is_empty() || end > part.length || !aligned {
        return Err(Refusal::Invalid(
            "parts of a blob begin at multiples of 4 KiB and end there or with the blob",
        ));
    }
    if part.length > BLOB_BYTES_MAX {
        return Err(Refusal::Full);
    }
    Ok(())
}

/// What a blob counts against its box: its rows take room however short it is.
fn charged(length: u64) -> u64 {
    length.max(PIECE_BYTES as u64)
}

/// Reserves the whole length in the box's quota, so that an upload once begun finds room to its end.
fn begin(
    call: &mut Call<'_>,
    found: &mut Found,
    by: &mut By,
    part: &Part<'_>,
) -> Result<Blob, Stop> {
    if found.head.blob_bytes + charged(part.length) > found.head.bytes_max {
        return Err(Refusal::Full.into());
    }
    if let By::Writer(id, granted) = by {
        if part.length > u64::from(granted.terms.max_bytes) {
            return Err(Refusal::Invalid("the blob is larger than its capability allows").into());
        }
        granted.usage.admit(&granted.terms, call.now_ms)?;
        call.save(keys::capability(found.number, id), granted);
    }
    let ttl_ms = part.expires_s.min(BLOB_TTL_S_MAX).saturating_mul(1000);
    let expires_ms = call.now_ms.saturating_add(ttl_ms);
    found.head.blob_bytes += charged(part.length);
    found.head.expires_at(expires_ms);
    call.draft
        .put(keys::box_blob(found.number, &part.blob), Vec::new());
    Ok(Blob {
        capability: by.id(),
        length: part.length,
        stored: 0,
        expires_ms,
        whole: false,
    })
}

fn hash_of(call: &Call<'_>, blob: &BlobId, number: BoxNumber) -> Result<[u8; 32], MailboxError> {
    let (prefix, mut from, mut hash) = (
        keys::all_blob_bytes(blob, number),
        Vec::new(),
        Sha256::new(),
    );
    loop {
        let pieces = call.draft.scan(&prefix, &from, HASHED_PIECES)?;
        for (_, piece) in &pieces {
            hash.update(piece);
        }
        match pieces.into_iter().next_back() {
            Some((mut key, _)) => {
                key.push(0);
                from = key;
            }
            None => return Ok(hash.finalize().into()),
        }
    }
}

/// A range of a blob and the blob's length, to whoever knows its hash.
pub(crate) fn get(
    call: &Call<'_>,
    id: &BlobId,
    offset: u64,
    bytes_max: u32,
) -> Result<(u64, Vec<u8>), Stop> {
    let (number, blob) = find(call, id)?.ok_or(Refusal::Denied)?;
    let offset = offset.min(blob.length);
    let bytes = u64::from(bytes_max)
        .min(CHUNK_BYTES_MAX as u64)
        .min(blob.length - offset) as usize;
    let (piece, skipped) = (
        offset / PIECE_BYTES as u64,
        (offset % PIECE_BYTES as u64) as usize,
    );
    let first = keys::blob_bytes(id, number, piece * PIECE_BYTES as u64);
    let pieces = (skipped + bytes).div_ceil(PIECE_BYTES);
    let pieces = call
        .draft
        .scan(&keys::all_blob_bytes(id, number), &first, pieces)?;
    let range: Vec<u8> = pieces
        .into_iter()
        .flat_map(|(_, piece)| piece)
        .skip(skipped)
        .take(bytes)
        .collect();
    if range.len() == bytes {
        Ok((blob.length, range))
    } else {
        Err(MailboxError::Corrupt { record: "Blob" }.into())
    }
}

/// A copy of the blob that is whole and has not ended.
fn find(call: &Call<'_>, id: &BlobId) -> Result<Option<(BoxNumber, Blob)>, MailboxError> {
    let mut from = Vec::new();
    loop {
        let Some((mut key, row)) = call
            .draft
            .scan(&keys::blobs(id), &from, 1)?
            .into_iter()
            .next()
        else {
            return Ok(None);
        };
        let blob = Blob::from_row(&row)?;
        if blob.whole && blob.expires_ms > call.now_ms {
            let number =
                keys::number_of_blob(&key).ok_or(MailboxError::Corrupt { record: "Blob" })?;
            return Ok(Some((number, blob)));
        }
        key.push(0);
        from = key;
    }
}

/// Takes a blob out of a box, for whom it came from or for the box's owner.
pub(crate) fn remove(
    call: &mut Call<'_>,
    found: &mut Found,
    by: &By,
    id: &BlobId,
) -> Result<(), Stop> {
    let blob: Blob = call
        .load(&keys::blob(id, found.number))?
        .ok_or(Refusal::Denied)?;
    if matches!(by, By::Writer(..)) && blob.capability != by.id() {
        return Err(Refusal::Denied.into());
    }
    drop_blob(call, found, id)?;
    call.save_box(found);
    Ok(())
}

/// Deletes a blob of a box: its bytes, its rows and its share of the quota.
pub(crate) fn drop_blob(call: &mut Call<'_>, found: &mut Found, id: &BlobId) -> Result<(), Stop> {
    let counted = wipe_blob(call, found.number, id)?;
    found.head.blob_bytes = found.head.blob_bytes.saturating_sub(counted);
    Ok(())
}

/// Deletes a blob's bytes and rows if it is this box's, and says what it counted.
pub(crate) fn wipe_blob(call: &mut Call<'_>, number: BoxNumber, id: &BlobId) -> Result<u64, Stop> {
    call.draft.delete(keys::box_blob(number, id));
    let place = keys::blob(id, number);
    let Some(blob) = call.load::<Blob>(&place)? else {
        return Ok(0);
    };
    for piece in 0..blob.length.div_ceil(PIECE_BYTES as u64) {
        call.draft
            .delete(keys::blob_bytes(id, number, piece * PIECE_BYTES as u64));
    }
    call.draft.delete(place);
    Ok(charged(blob.length))
}
