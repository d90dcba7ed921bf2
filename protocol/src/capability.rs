// SPDX-License-Identifier: MIT OR Apache-2.0
//! The capability: leave to write into one box, within terms that the relay enforces.

use crate::codec::{DecodeError, at_most};
use crate::id::{CapabilityId, Lane, PublicKey, Sid};
use crate::relay::RelayDescriptor;
use crate::secret::Secret;
use crate::wire_map;

/// How much and when. Each relay enforces it alone; the owner's engine enforces the sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityTerms {
    /// Deposits in one period.
    pub max: u32,
    /// The period, in seconds.
    pub period_s: u32,
    /// Bit n: deposits are taken in the hour n:00 to n:59 of the owner's day.
    pub hours: u32,
    /// The owner's offset from UTC, in minutes.
    pub utc_offset_min: i64,
    /// The largest deposit, in bytes.
    pub max_bytes: u32,
    /// When it ends, in wall milliseconds.
    pub not_after_ms: u64,
}
wire_map!(CapabilityTerms {
    0 => max, 1 => period_s, 2 => hours, 3 => utc_offset_min, 4 => max_bytes, 5 => not_after_ms,
}, check = CapabilityTerms::check);

/// Every hour of the day.
pub const ALL_HOURS: u32 = (1 << 24) - 1;

/// No place on Earth is further from UTC than 14 hours.
const UTC_OFFSET_MIN_MAX: u64 = 14 * 60;

impl CapabilityTerms {
    /// Whether deposits are taken at this moment.
    #[must_use]
    pub fn open_at(&self, wall_ms: u64) -> bool {
        let offset_ms = i128::from(self.utc_offset_min) * 60_000;
        let hour = (i128::from(wall_ms) + offset_ms)
            .div_euclid(3_600_000)
            .rem_euclid(24);
        wall_ms < self.not_after_ms && (self.hours >> hour) & 1 == 1
    }

    fn check(&self) -> Result<(), DecodeError> {
        if self.period_s == 0
            || self.hours > ALL_HOURS
            || self.utc_offset_min.unsigned_abs() > UTC_OFFSET_MIN_MAX
        {
            return Err(DecodeError::Invalid {
                what: "a capability's period, hours or offset cannot be",
            });
        }
        Ok(())
    }
}

/// What an owner hands to a contact, inside the encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// The relay.
    pub relay: RelayDescriptor,
    /// The box.
    pub sid: Sid,
    /// This permission in it.
    pub capability: CapabilityId,
    /// Seed of the Ed25519 key that signs deposits; whoever has it writes in the contact's place.
    pub writer: Secret,
    /// Seals what is deposited, so the relay sees bytes only.
    pub k_box: Secret,
    /// The box's lane.
    pub lane: Lane,
    /// How much and when.
    pub terms: CapabilityTerms,
}
wire_map!(Capability { 0 => relay, 1 => sid, 2 => capability, 3 => writer, 4 => k_box, 5 => lane, 6 => terms });

/// What the relay is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayCapability {
    /// The permission.
    pub capability: CapabilityId,
    /// The key that must sign deposits.
    pub writer: PublicKey,
    /// How much and when.
    pub terms: CapabilityTerms,
    /// The box's lane; another is refused.
    pub lane: Lane,
}
wire_map!(RelayCapability { 0 => capability, 1 => writer, 2 => terms, 3 => lane });

impl Capability {
    /// The key pair that signs deposits.
    #[must_use]
    pub fn writer_key(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(self.writer.expose())
    }

    /// The relay's view.
    #[must_use]
    pub fn for_relay(&self) -> RelayCapability {
        RelayCapability {
            capability: self.capability,
            writer: crate::signed::public_key(&self.writer_key()),
            terms: self.terms.clone(),
            lane: self.lane,
        }
    }
}

/// Checks the number of capabilities told at once.
pub(crate) fn check_count(capabilities: &[Capability]) -> Result<(), DecodeError> {
    at_most(
        "capabilities",
        capabilities.len(),
        crate::limits::CAPABILITIES_MAX,
    )
}

#[cfg(test)]
mod tests;
