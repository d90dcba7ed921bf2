// SPDX-License-Identifier: MIT OR Apache-2.0
//! The leaf: a device's key in one thread, and the credential that proves whose it is.

use crate::error::VerifyError;
use crate::id::{AccountId, DeviceId, PublicKey};
use crate::identity::{AccountKeys, AccountProof, DeviceCertificate};
use crate::signed::{Signable, Signed};
use crate::tag::label;
use crate::wire_map;

/// A device's word that this leaf key is its own, for one use. Signed by the device key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafCertificate {
    /// The key in the MLS leaf.
    pub leaf_key: PublicKey,
    /// Random. The thread it first appears in is its thread; a reader refuses it in a second one.
    pub use_id: [u8; 16],
}
wire_map!(LeafCertificate { 0 => leaf_key, 1 => use_id });

impl Signable for LeafCertificate {
    const LABEL: &'static str = label::LEAF_CERTIFICATE;
    const VERSION: u16 = 1;
}

/// The bytes of the MLS basic credential: everything that makes a leaf somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafCredential {
    /// The account's keys.
    pub proof: AccountProof,
    /// The device is the account's.
    pub device: Signed<DeviceCertificate>,
    /// The leaf key is the device's.
    pub leaf: Signed<LeafCertificate>,
}
wire_map!(LeafCredential { 0 => proof, 1 => device, 2 => leaf });

/// Whose a leaf is, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLeaf {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The leaf key.
    pub leaf_key: PublicKey,
    /// The one use it was certified for.
    pub use_id: [u8; 16],
    /// The list that first named the device.
    pub list_number: u64,
    /// The account's keys as this credential proves them.
    pub keys: AccountKeys,
}

impl LeafCredential {
    /// Proves whose `leaf_key` is. Needs nothing but the credential, so every member decides alike.
    pub fn verify(&self, leaf_key: &PublicKey) -> Result<VerifiedLeaf, VerifyError> {
        let keys = self.proof.verify()?;
        let certificate = keys.verify_certificate(self.device.clone())?;
        let leaf = self
            .leaf
            .clone()
            .verify()?
            .signed_by(&certificate.device.into())?;
        // Without this Eve could put Bob's credential into her own leaf and speak as Bob.
        if leaf.leaf_key != *leaf_key {
            return Err(VerifyError::Mismatch {
                what: "the credential certifies another leaf key",
            });
        }
        Ok(VerifiedLeaf {
            account: keys.account(),
            device: certificate.device,
            leaf_key: *leaf_key,
            use_id: leaf.use_id,
            list_number: certificate.list_number,
            keys,
        })
    }
}
