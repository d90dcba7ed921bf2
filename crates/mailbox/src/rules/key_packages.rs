// SPDX-License-Identifier: MIT OR Apache-2.0
//! The key package: each is handed out once, to somebody who may write into the box.

use comptoir_protocol::id::{CapabilityId, Sid};
use comptoir_protocol::limits::HELLO_KEY_PACKAGE_BYTES_MAX;

use super::boxes::{Found, kind};
use super::call::{Call, Refusal, Stop};
use super::keys::{self, Part};
use crate::config::PACKAGES_MAX;

/// Puts packages behind those that wait, all or none, and answers how many wait now.
pub(crate) fn put(
    call: &mut Call<'_>,
    found: &mut Found,
    packages: &[Vec<u8>],
) -> Result<u32, Stop> {
    if found.head.kind != kind::THREAD || found.head.moved {
        return Err(Refusal::Invalid("only a thread's box holds key packages").into());
    }
    let more = u32::try_from(packages.len()).unwrap_or(u32::MAX);
    if found.head.packages.saturating_add(more) > PACKAGES_MAX {
        return Err(Refusal::Full.into());
    }
    for package in packages {
        if package.is_empty() || package.len() > HELLO_KEY_PACKAGE_BYTES_MAX {
            return Err(Refusal::Invalid("a key package holds 1 byte to 2 KiB").into());
        }
        call.draft.put(
            keys::package(found.number, found.head.next_package),
            package.clone(),
        );
        found.head.next_package += 1;
    }
    found.head.packages += more;
    call.save_box(found);
    Ok(found.head.packages)
}

/// Takes the oldest package out of the pool, and says how many are left. It is gone with this commit, whether or not the answer arrives.
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
    let first = call
        .draft
        .scan(&keys::part(found.number, Part::Package, &[]), &[], 1)?
        .into_iter()
        .next();
    let Some((key, package)) = first else {
        return Ok((None, 0));
    };
    call.draft.delete(key);
    found.head.packages = found.head.packages.saturating_sub(1);
    call.save(keys::capability(found.number, id), &granted);
    call.save_box(&found);
    Ok((Some(package), found.head.packages))
}
