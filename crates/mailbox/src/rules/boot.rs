// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot counter: a witness outside a device's disk, by which a clone or a rolled-back copy finds out.

use comptoir_protocol::id::PublicKey;

use super::boxes::{Found, kind};
use super::call::{Call, Refusal, Stop};
use super::keys::{self, BoxNumber};
use super::record::record;
use crate::config::HOUR_MS;

record! {
    /// The boot number of one device.
    Boot version 1 {
        number: BoxNumber,
        /// 0 before the first start.
        current: u64,
    }
}

/// Raises a device's boot number from `expected` to `next`, and answers what it is now and whether this call set it.
///
/// It is set for whoever comes first; a second copy of the same device, asking with the same number, sees that it is not.
pub(crate) fn boot(
    call: &mut Call<'_>,
    reader: &PublicKey,
    expected: u64,
    next: u64,
) -> Result<(u64, bool), Stop> {
    if call.signer()? != *reader {
        return Err(Refusal::Denied.into());
    }
    let place = keys::boot(reader);
    let mut boot: Boot = call.load(&place)?.ok_or(Refusal::Denied)?;
    if next <= expected {
        return Err(Refusal::Invalid("the next boot number must be above the expected one").into());
    }
    let set = boot.current == expected;
    if set {
        boot.current = next;
        call.save(place, &boot);
        note_activity(call, boot.number)?;
    }
    Ok((boot.current, set))
}

fn note_activity(call: &mut Call<'_>, number: BoxNumber) -> Result<(), Stop> {
    let place = keys::head(number);
    if let Some(mut head) = call.load::<super::boxes::Head>(&place)?
        && call.now_ms.saturating_sub(head.active_ms) >= HOUR_MS
    {
        head.active_ms = call.now_ms;
        call.save(place, &head);
    }
    Ok(())
}

/// Gives a device a counter, when its box is a boot box. A key has one counter on a relay, whichever box it came with.
pub(crate) fn open_counter(
    call: &mut Call<'_>,
    found: &Found,
    reader: &PublicKey,
) -> Result<(), Stop> {
    if found.head.kind != kind::BOOT {
        return Ok(());
    }
    let place = keys::boot(reader);
    match call.load::<Boot>(&place)? {
        // Somebody else's box names this key. Letting it in would let its owner end the other's counter.
        Some(boot) if boot.number != found.number => Err(Refusal::Denied.into()),
        Some(_) => Ok(()),
        None => {
            call.save(
                place,
                &Boot {
                    number: found.number,
                    current: 0,
                },
            );
            Ok(())
        }
    }
}

/// Ends a device's counter with its place in the boot box.
pub(crate) fn close_counter(
    call: &mut Call<'_>,
    found: &Found,
    reader: &PublicKey,
) -> Result<(), Stop> {
    let place = keys::boot(reader);
    if call
        .load::<Boot>(&place)?
        .is_some_and(|boot| boot.number == found.number)
    {
        call.draft.delete(place);
    }
    Ok(())
}
