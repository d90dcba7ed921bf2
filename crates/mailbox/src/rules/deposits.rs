// SPDX-License-Identifier: MIT OR Apache-2.0
//! The deposit: what a contact leaves under a capability, and the relay's receipt for it.

use comptoir_protocol::frame::StoreReceipt;
use comptoir_protocol::id::{CapabilityId, Mid, Sid};
use comptoir_protocol::limits::DEPOSIT_BYTES_MAX;
use comptoir_protocol::signed::Signed;
use sha2::{Digest, Sha256};

use super::call::{Call, Refusal, Stop};
use super::items::{Deposit, Way};
use super::keys;
use crate::config::{DiskLevel, HOUR_MS};

/// What a PUT asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) sid: &'a Sid,
    pub(crate) capability: &'a CapabilityId,
    pub(crate) mid: Mid,
    pub(crate) expires_s: u32,
    pub(crate) body: &'a [u8],
}

/// Stores a deposit within its capability's terms. Answered with a receipt once it is durable.
pub(crate) fn put(call: &mut Call<'_>, wanted: &Wanted<'_>) -> Result<Signed<StoreReceipt>, Stop> {
    let mut found = call.box_of_sender(wanted.sid)?;
    let mut granted = call.granted(&found, wanted.capability)?;
    if found.head.moved {
        return Err(Refusal::Denied.into());
    }
    let hash: [u8; 32] = Sha256::digest(wanted.body).into();
    if call.seen_before(&found, &wanted.mid, &hash)? {
        return Err(Stop::Duplicate);
    }
    check_size(wanted, granted.terms.max_bytes)?;
    if call.disk >= DiskLevel::NoDeposits {
        return Err(Refusal::Full.into());
    }
    granted.usage.admit(&granted.terms, call.now_ms)?;
    let ttl_s = u64::from(wanted.expires_s).min(found.head.ttl_s);
    let deposit = Deposit {
        mid: wanted.mid,
        hash,
        capability: *wanted.capability,
        way: Way::Capability,
        expires_ms: call.now_ms.saturating_add(ttl_s * 1000),
        body: wanted.body,
    };
    call.store_item(&mut found, &deposit)?;
    found.head.active_ms = call.now_ms - call.now_ms % HOUR_MS;
    call.save(keys::capability(found.number, wanted.capability), &granted);
    call.save_box(&found);
    let receipt = StoreReceipt {
        mid: deposit.mid,
        blob_hash: hash,
        expires_ms: deposit.expires_ms,
    };
    Ok(Signed::sign(&receipt, &call.config.key))
}

fn check_size(wanted: &Wanted<'_>, max_bytes: u32) -> Result<(), Refusal> {
    if wanted.body.is_empty() || wanted.expires_s == 0 {
        return Err(Refusal::Invalid(
            "a deposit has at least one byte and one second",
        ));
    }
    if wanted.body.len() > DEPOSIT_BYTES_MAX {
        return Err(Refusal::Invalid(
            "a deposit holds at most 60 KiB: store a blob and refer to it",
        ));
    }
    if wanted.body.len() > max_bytes as usize {
        return Err(Refusal::Invalid(
            "the deposit is larger than its capability allows",
        ));
    }
    Ok(())
}
