// SPDX-License-Identifier: MIT OR Apache-2.0
//! The capability as the relay keeps it: granted, limited, revoked.

use comptoir_protocol::capability::{CapabilityTerms, RelayCapability};
use comptoir_protocol::id::{CapabilityId, PublicKey};
use comptoir_protocol::limits::LIST_CAPABILITIES_MAX;

use super::boxes::{Found, kind, lane_byte};
use super::call::{Call, Refusal, Stop};
use super::front_door::revoke_token;
use super::keys::{self, BoxNumber, Part};
use super::quotas::Usage;
use super::record::{Field, Record, record};
use crate::MailboxError;

impl Field for CapabilityTerms {
    fn write(&self, out: &mut Vec<u8>) {
        let Self {
            max,
            period_s,
            hours,
            utc_offset_min,
            max_bytes,
            not_after_ms,
        } = self;
        max.write(out);
        period_s.write(out);
        hours.write(out);
        utc_offset_min.write(out);
        max_bytes.write(out);
        not_after_ms.write(out);
    }
    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            max: Field::read(from)?,
            period_s: Field::read(from)?,
            hours: Field::read(from)?,
            utc_offset_min: Field::read(from)?,
            max_bytes: Field::read(from)?,
            not_after_ms: Field::read(from)?,
        })
    }
}

record! {
    /// A live capability. A revoked one has no row, and so is not told from one that never was.
    Granted version 1 {
        writer: PublicKey,
        terms: CapabilityTerms,
        usage: Usage,
    }
}

record! {
    /// A purge in progress: items of the capability below this sequence are no longer shown.
    Purge version 1 { below: u64, }
}

/// Grants a capability, or replaces the terms and the key of one: what it has used stays used.
pub(crate) fn grant(
    call: &mut Call<'_>,
    found: &mut Found,
    capability: &RelayCapability,
) -> Result<(), Stop> {
    if found.head.kind != kind::THREAD
        || found.head.moved
        || lane_byte(capability.lane) != found.head.lane
    {
        return Err(Refusal::Invalid(
            "the box is not a thread's, of the other lane, or moved away",
        )
        .into());
    }
    let place = keys::capability(found.number, &capability.capability);
    let usage = match call.load::<Granted>(&place)? {
        Some(granted) => granted.usage,
        None if found.head.capabilities as usize >= LIST_CAPABILITIES_MAX => {
            return Err(Refusal::Full.into());
        }
        None => {
            found.head.capabilities += 1;
            Usage::new()
        }
    };
    // The sweeper must come by then, or ended ones would fill the box's places.
    found.head.expires_at(capability.terms.not_after_ms);
    call.save(
        place,
        &Granted {
            writer: capability.writer,
            terms: capability.terms.clone(),
            usage,
        },
    );
    call.save_box(found);
    Ok(())
}

/// Ends a capability at once; in a front door, the invite token of that id. With `purge`, what it left and nobody has fetched is no longer shown either, and goes.
pub(crate) fn revoke(
    call: &mut Call<'_>,
    found: &mut Found,
    id: &CapabilityId,
    purge: bool,
) -> Result<(), Stop> {
    let place = keys::capability(found.number, id);
    if call.load::<Granted>(&place)?.is_some() {
        call.draft.delete(place);
        found.head.capabilities = found.head.capabilities.saturating_sub(1);
    }
    if found.head.kind == kind::FRONT_DOOR {
        revoke_token(call, found, id)?;
    }
    let marker = keys::purge(found.number, id);
    if purge && found.head.items > 0 {
        if call.load::<Purge>(&marker)?.is_none() {
            found.head.purges += 1;
        }
        call.save(
            marker,
            &Purge {
                below: found.head.next_sequence,
            },
        );
        call.leave_work(found.number);
    }
    call.save_box(found);
    Ok(())
}

impl Call<'_> {
    /// The capability under which a deposit comes, if it is live and the deposit is signed by its writer.
    pub(crate) fn granted(&self, found: &Found, id: &CapabilityId) -> Result<Granted, Stop> {
        let granted: Granted = self
            .load(&keys::capability(found.number, id))?
            .ok_or(Refusal::Denied)?;
        if granted.writer != self.signer()? || granted.terms.not_after_ms <= self.now_ms {
            return Err(Refusal::Denied.into());
        }
        Ok(granted)
    }

    /// All live capabilities of a box.
    pub(crate) fn capabilities(
        &self,
        number: BoxNumber,
    ) -> Result<Vec<(CapabilityId, Granted)>, MailboxError> {
        let rows = self.draft.scan(
            &keys::part(number, Part::Capability, &[]),
            &[],
            LIST_CAPABILITIES_MAX,
        )?;
        rows.into_iter()
            .map(|(key, row)| {
                let id = keys::rest(&key)
                    .try_into()
                    .map_err(|_| MailboxError::Corrupt { record: "Granted" })?;
                Ok((CapabilityId(id), Granted::from_row(&row)?))
            })
            .collect()
    }

    /// Purges in progress in a box: nearly always none, and then nothing is read.
    pub(crate) fn purges(&self, found: &Found) -> Result<Vec<(CapabilityId, u64)>, MailboxError> {
        if found.head.purges == 0 {
            return Ok(Vec::new());
        }
        let limit = found.head.purges as usize;
        let rows = self
            .draft
            .scan(&keys::part(found.number, Part::Purge, &[]), &[], limit)?;
        rows.into_iter()
            .map(|(key, row)| {
                let id = keys::rest(&key)
                    .try_into()
                    .map_err(|_| MailboxError::Corrupt { record: "Purge" })?;
                Ok((CapabilityId(id), Purge::from_row(&row)?.below))
            })
            .collect()
    }
}
