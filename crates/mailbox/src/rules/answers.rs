// SPDX-License-Identifier: MIT OR Apache-2.0
//! The answers: each request to its rule, each rule's result to its frame.

use comptoir_protocol::capability::RelayCapability;
use comptoir_protocol::frame::{
    Admission, BlobRight, ErrorCode, RelayAnswer, RelayInfo, RelayRequest,
};
use comptoir_protocol::id::{Mid, RelayKey, Sid};
use comptoir_protocol::limits::DEPOSIT_BYTES_MAX;
use comptoir_protocol::relay::RelayDescriptor;
use comptoir_protocol::signed::public_key;
use comptoir_protocol::time::Time;
use rand_core::CryptoRng;

use super::blobs::{self, By};
use super::boxes::{Found, lane_of};
use super::call::{Call, Refusal, Stop};
use super::{
    Outcome, boot, capabilities, creation, deposits, fetch, front_door, guests, key_packages,
};
use crate::config::{BLOB_BYTES_MAX, DiskLevel, FETCH_WAIT_S_MAX, ITEM_TTL_S_MAX};

/// Decides one request.
pub(crate) fn dispatch(
    call: &mut Call<'_>,
    request: &RelayRequest,
    now: Time,
    rng: &mut impl CryptoRng,
) -> Result<Outcome, Stop> {
    if let RelayRequest::Fetch {
        rid,
        after_sequence,
        items_max,
        bytes_max,
        wait_s,
    } = request
    {
        let page = fetch::fetch(
            call,
            rid,
            fetch::Room::new(*after_sequence, *items_max, *bytes_max),
        )?;
        if page.items.is_empty() && *wait_s > 0 {
            let wait_ms = u64::from(*wait_s).min(FETCH_WAIT_S_MAX) * 1000;
            return Ok(Outcome::Waiting {
                rid: *rid,
                until_mono_ms: now.mono_ms + wait_ms,
            });
        }
        return Ok(Outcome::Answer(RelayAnswer::Items {
            items: page.items,
            more: page.more,
        }));
    }
    if let RelayRequest::Subscribe { rids } = request {
        let read = fetch::subscribe(call, rids)?;
        return Ok(Outcome::Subscribed(read, RelayAnswer::Ok));
    }
    answer(call, request, rng).map(Outcome::Answer)
}

fn answer(
    call: &mut Call<'_>,
    request: &RelayRequest,
    rng: &mut impl CryptoRng,
) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::Create {
            owner,
            readers,
            kind,
            lane,
            ttl_s,
            ticket,
        } => {
            let ticket = ticket.as_ref();
            let wanted = creation::Wanted {
                owner: *owner,
                readers,
                kind: *kind,
                lane: *lane,
                ttl_s: *ttl_s,
                ticket,
            };
            let head = creation::create(call, &wanted)?;
            let items_max = call.config.limits.box_items_max;
            let ttl_s = u32::try_from(head.ttl_s).unwrap_or(u32::MAX);
            Ok(RelayAnswer::Created {
                rid: head.rid,
                sid: head.sid,
                ttl_s,
                items_max,
                bytes_max: head.bytes_max,
            })
        }
        RelayRequest::GuestTicket { rid } => {
            Ok(RelayAnswer::Ticket(guests::guest_ticket(call, rid, rng)?))
        }
        RelayRequest::Put {
            sid,
            capability,
            mid,
            expires_s,
            blob,
        } => {
            let wanted = deposits::Wanted {
                sid,
                capability,
                mid: *mid,
                expires_s: *expires_s,
                body: blob,
            };
            Ok(RelayAnswer::Stored {
                receipt: deposits::put(call, &wanted)?,
            })
        }
        RelayRequest::PutOpen {
            sid,
            mid,
            blob,
            admission,
        } => put_open(call, sid, *mid, blob, admission),
        RelayRequest::Puzzle { sid } => Ok(RelayAnswer::PuzzleSet(front_door::make_puzzle(
            call, sid, rng,
        ))),
        RelayRequest::Ack {
            rid,
            up_to,
            sequences,
        } => {
            fetch::acknowledge(call, rid, *up_to, sequences)?;
            Ok(RelayAnswer::Ok)
        }
        RelayRequest::Boot {
            reader,
            expected,
            next,
        } => {
            let (current, set) = boot::boot(call, reader, *expected, *next)?;
            Ok(RelayAnswer::Boot { current, set })
        }
        RelayRequest::BlobPut { .. }
        | RelayRequest::BlobGet { .. }
        | RelayRequest::BlobDrop { .. } => answer_blob(call, request),
        RelayRequest::KeyPackageTake { sid, capability } => {
            let (package, left) = key_packages::take(call, sid, capability)?;
            Ok(RelayAnswer::KeyPackage { package, left })
        }
        RelayRequest::Info => Ok(RelayAnswer::Info(info(call))),
        RelayRequest::Fetch { .. } | RelayRequest::Subscribe { .. } => Err(Refusal::Denied.into()),
        RelayRequest::ReaderAdd { rid, .. }
        | RelayRequest::ReaderRemove { rid, .. }
        | RelayRequest::Grant { rid, .. }
        | RelayRequest::Revoke { rid, .. }
        | RelayRequest::List { rid }
        | RelayRequest::KeyPackagesPut { rid, .. }
        | RelayRequest::Move { rid }
        | RelayRequest::Delete { rid } => {
            let found = call.box_of_owner(rid)?;
            answer_owner(call, found, request)
        }
    }
}

/// What only the owner of the box may ask; it has been found to be the owner.
fn answer_owner(
    call: &mut Call<'_>,
    mut found: Found,
    request: &RelayRequest,
) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::ReaderAdd { reader, .. } => creation::add_reader(call, &found, reader)?,
        RelayRequest::ReaderRemove { reader, .. } => creation::remove_reader(call, &found, reader)?,
        RelayRequest::Grant { capability, .. } => {
            capabilities::grant(call, &mut found, capability)?
        }
        RelayRequest::Revoke {
            capability, purge, ..
        } => capabilities::revoke(call, &mut found, capability, *purge)?,
        RelayRequest::List { .. } => return list(call, &found),
        RelayRequest::KeyPackagesPut { packages, .. } => {
            let left = key_packages::put(call, &mut found, packages)?;
            return Ok(RelayAnswer::KeyPackage {
                package: None,
                left,
            });
        }
        RelayRequest::Move { .. } => creation::close(call, &mut found),
        RelayRequest::Delete { .. } => creation::delete(call, &found)?,
        _ => return Err(Refusal::Denied.into()),
    }
    Ok(RelayAnswer::Ok)
}

fn list(call: &Call<'_>, found: &Found) -> Result<RelayAnswer, Stop> {
    let lane = lane_of(found.head.lane)?;
    let capabilities = call
        .capabilities(found.number)?
        .into_iter()
        .map(|(capability, granted)| {
            let used = granted.usage.used(&granted.terms, call.now_ms);
            (
                RelayCapability {
                    capability,
                    writer: granted.writer,
                    terms: granted.terms,
                    lane,
                },
                used,
            )
        });
    Ok(RelayAnswer::Capabilities {
        capabilities: capabilities.collect(),
    })
}

fn put_open(
    call: &mut Call<'_>,
    sid: &Sid,
    mid: Mid,
    body: &[u8],
    admission: &Admission,
) -> Result<RelayAnswer, Stop> {
    if call.disk >= DiskLevel::NoStrangers {
        return Err(Refusal::Full.into());
    }
    Ok(RelayAnswer::Stored {
        receipt: front_door::put_open(call, sid, mid, body, admission)?,
    })
}

fn answer_blob(call: &mut Call<'_>, request: &RelayRequest) -> Result<RelayAnswer, Stop> {
    match request {
        RelayRequest::BlobPut {
            right,
            blob,
            total_bytes,
            offset,
            bytes,
            expires_s,
        } => {
            let (mut found, mut by) = holder(call, right)?;
            if found.head.moved {
                return Err(Refusal::Denied.into());
            }
            if call.disk >= DiskLevel::NoDeposits {
                return Err(Refusal::Full.into());
            }
            let expires_s = u64::from(*expires_s);
            let part = blobs::Part {
                blob: *blob,
                length: *total_bytes,
                offset: *offset,
                expires_s,
                bytes,
            };
            blobs::put(call, &mut found, &mut by, &part)?;
            Ok(RelayAnswer::Ok)
        }
        RelayRequest::BlobGet {
            blob,
            offset,
            bytes_max,
        } => {
            let (total_bytes, bytes) = blobs::get(call, blob, *offset, *bytes_max)?;
            Ok(RelayAnswer::Blob {
                total_bytes,
                offset: *offset,
                bytes,
            })
        }
        RelayRequest::BlobDrop { right, blob } => {
            let (mut found, by) = holder(call, right)?;
            blobs::remove(call, &mut found, &by, blob)?;
            Ok(RelayAnswer::Ok)
        }
        _ => Err(Refusal::Denied.into()),
    }
}

/// The box a blob counts against, once the signer has shown its right.
fn holder(call: &Call<'_>, right: &BlobRight) -> Result<(Found, By), Stop> {
    match right {
        BlobRight::Owner(rid) => Ok((call.box_of_owner(rid)?, By::Owner)),
        BlobRight::Writer { sid, capability } => {
            let found = call.box_of_sender(sid)?;
            let granted = call.granted(&found, capability)?;
            Ok((found, By::Writer(*capability, granted)))
        }
    }
}

fn info(call: &Call<'_>) -> RelayInfo {
    let key = RelayKey(public_key(&call.config.key).0);
    RelayInfo {
        relay: RelayDescriptor {
            key,
            addresses: call.config.addresses.clone(),
        },
        open: call.config.open,
        ttl_s_max: u32::try_from(ITEM_TTL_S_MAX).unwrap_or(u32::MAX),
        deposit_bytes_max: u32::try_from(DEPOSIT_BYTES_MAX).unwrap_or(u32::MAX),
        blob_bytes_max: BLOB_BYTES_MAX,
    }
}

impl Refusal {
    pub(crate) fn into_answer(self) -> RelayAnswer {
        let error = |code, text: &str| RelayAnswer::Error {
            code,
            text: text.to_owned(),
        };
        match self {
            Self::Denied => RelayAnswer::Denied,
            Self::Full => RelayAnswer::Full,
            Self::Rate { retry_after_ms } => RelayAnswer::Rate { retry_after_ms },
            Self::NoSpace => error(
                ErrorCode::NoSpace,
                "this relay makes no more boxes now: ask another one",
            ),
            Self::Ticket => error(
                ErrorCode::Ticket,
                "no valid ticket: ask the relay's operator for a new one",
            ),
            Self::Invalid(text) => error(ErrorCode::Malformed, text),
        }
    }
}
