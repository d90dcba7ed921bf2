// SPDX-License-Identifier: MIT OR Apache-2.0
//! The key package: each is handed out once, to somebody who may write into the box.

use comptoir_protocol::id::{CapabilityId, Sid};
use comptoir_protocol::limits::POOLED_PACKAGE_BYTES_MAX;

use super::boxes::{Found, kind};
use super::call::{Call, Refusal, Stop};
use super::keys::{self, Part};
use super::record::{Record as _, record};
use crate::config::{PACKAGE_KEPT_MS, PACKAGES_MAX};

record! {
    /// A package of the pool.
    Package version 1 {
        /// From then on it is handed out no more.
        expires_ms: u64,
        bytes: Vec<u8>,
    }
}

/// Puts packages behind those that wait, all or none, and answers how many wait now.
pub(crate) fn put(
    call: &mut Call<'_>,
    found: &mut Found,
    packages: &[Vec<u8>],
) -> Result<u32, Stop> {
    if found.head.kind != kind::THREAD || found.head.moved {
        return Err(Refusal::Invalid("only a thread's box holds key packages").into());
    }
    drop_ended(call, found)?;
    let more = u32::try_from(packages.len()).unwrap_or(u32::MAX);
    if found.head.packages.saturating_add(more) > PACKAGES_MAX {
        return Err(Refusal::Full.into());
    }
    let expires_ms = call.now_ms.saturating_add(PACKAGE_KEPT_MS);
    for package in packages {
        if package.is_empty() || package.len() > POOLED_PACKAGE_BYTES_MAX {
            return Err(Refusal::Invalid("a key package holds 1 byte to 2,108").into());
        }
        let bytes = package.clone();
        let key = keys::package(found.number, found.head.next_package);
        call.save(key, &Package { expires_ms, bytes });
        found.head.next_package += 1;
    }
    found.head.packages += more;
    found.head.expires_at(expires_ms);
    call.save_box(found);
    Ok(found.head.packages)
}

/// Takes the oldest package that has not ended out of the pool, and says how many are left. It is gone with this commit,
/// whether or not the answer arrives.
pub(crate) fn take(
    call: &mut Call<'_>,
    sid: &Sid,
    id: &CapabilityId,
) -> Result<(Option<Vec<u8>>, u32), Stop> {
    let mut found = call.box_of_sender(sid)?;
    let mut granted = call.granted(&found, id)?;
    if found.head.moved {
        return Err(Refusal::Denied.into());
    }
    granted.usage.admit_taking(call.now_ms)?;
    let before = found.head.packages;
    drop_ended(call, &mut found)?;
    let taken = match first(call, &found)? {
        Some((key, package)) => {
            call.draft.delete(key);
            found.head.packages = found.head.packages.saturating_sub(1);
            call.save(keys::capability(found.number, id), &granted);
            Some(package.bytes)
        }
        None => None,
    };
    // Asked of an empty pool, it writes nothing: that is not counted either.
    if found.head.packages != before {
        call.save_box(&found);
    }
    Ok((taken, found.head.packages))
}

/// Drops what has ended, the oldest first, and what was left here when packages had no end. The box is to be saved.
fn drop_ended(call: &mut Call<'_>, found: &mut Found) -> Result<(), Stop> {
    let undated = keys::part(found.number, Part::Package, &[]);
    for (key, _) in call.draft.scan(&undated, &[], PACKAGES_MAX as usize)? {
        call.draft.delete(key);
        found.head.packages = found.head.packages.saturating_sub(1);
    }
    while let Some((key, package)) = first(call, found)? {
        if package.expires_ms > call.now_ms {
            break;
        }
        call.draft.delete(key);
        found.head.packages = found.head.packages.saturating_sub(1);
    }
    Ok(())
}

fn first(call: &Call<'_>, found: &Found) -> Result<Option<(Vec<u8>, Package)>, Stop> {
    let pool = keys::part(found.number, Part::Pooled, &[]);
    let row = call.draft.scan(&pool, &[], 1)?.into_iter().next();
    match row {
        Some((key, row)) => Ok(Some((key, Package::from_row(&row)?))),
        None => Ok(None),
    }
}
