// SPDX-License-Identifier: MIT OR Apache-2.0
//! The identity: from an account's inception to the leaf key of one device in one thread, each step signed.
//!
//! ```text
//! AccountId = hash of the inception ── root (recovery phrase) ── rotations ── list key (manager devices)
//!                                          list key ── device list, device certificates
//!                                               device key ── contact card, leaf certificates
//!                                                     leaf key ── one thread
//! ```

mod account;
mod card;
mod device;
mod leaf;
mod safety;

pub use account::{AccountKeys, AccountProof, Inception, Rotation, next_root_hash};
pub use card::{BoxRoute, CardBundle, ContactCard, Endpoint, FrontDoor, VerifiedCard};
pub use device::{Device, DeviceCertificate, DeviceList, Removed};
pub use leaf::{LeafCertificate, LeafCredential, VerifiedLeaf};
pub use safety::{SafetyCode, safety_code};

#[cfg(test)]
mod tests;
