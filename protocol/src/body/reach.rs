// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reach: which boxes of the author this contact may write into.

use crate::capability::{Capability, check_count};
use crate::codec::{DecodeError, at_most};
use crate::id::CapabilityId;
use crate::limits::CAPABILITIES_MAX;
use crate::wire_map;

/// Capabilities given and withdrawn. A lost `Reach` costs nothing but a DENIED: the relay is what enforces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// From now on; one with a known id replaces it.
    pub capabilities: Vec<Capability>,
    /// No longer.
    pub withdrawn: Vec<CapabilityId>,
}
wire_map!(Reach { 0 => capabilities, 1 => withdrawn }, check = Reach::check);

impl Reach {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(&self.capabilities)?;
        at_most(
            "withdrawn capabilities",
            self.withdrawn.len(),
            CAPABILITIES_MAX,
        )
    }
}
