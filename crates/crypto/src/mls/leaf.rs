// SPDX-License-Identifier: MIT OR Apache-2.0
//! The leaf: one device's place in one thread, with a key nobody can link to its other threads.

use core::fmt;

use comptoir_protocol::id::{AccountId, DeviceId, PublicKey};
use comptoir_protocol::identity::{
    AccountProof, DeviceCertificate, LeafCertificate, LeafCredential, VerifiedLeaf,
};
use comptoir_protocol::{DecodeError, Signed, VerifyError, Wire as _};
use ed25519_dalek::Signer as _;
use openmls::prelude::{
    BasicCredential, Capabilities, Credential, CredentialType, CredentialWithKey, LeafNode,
    ProtocolVersion,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use sha2::{Digest as _, Sha256};

use super::context::{
    ExtensionError, LEAF_EXTENSION, LeafKinds, RULES, extension_types, read_extension, required,
};
use super::crypto::SUITE;
use crate::keys::{DeviceKey, LeafKey};
use crate::seed::StepSeed;

/// A leaf of ours, for one thread.
pub struct Leaf {
    pub(crate) key: LeafKey,
    pub(crate) credential: LeafCredential,
    pub(crate) kinds: LeafKinds,
}

impl Leaf {
    /// Makes a fresh leaf key and certifies it with the device's. `kinds` are the body kinds this build knows.
    pub fn issue(
        device: &DeviceKey,
        proof: &AccountProof,
        certificate: &Signed<DeviceCertificate>,
        kinds: &[u32],
        seed: &StepSeed,
    ) -> Self {
        let key = LeafKey::from_secret(&seed.derive("comptoir/leaf/key", &[]));
        let mut use_id = [0; 16];
        use_id.copy_from_slice(&seed.derive("comptoir/leaf/use", &[])[..16]);
        let leaf = device.sign(&LeafCertificate {
            leaf_key: key.public(),
            use_id,
        });
        let credential = LeafCredential {
            proof: proof.clone(),
            device: certificate.clone(),
            leaf,
        };
        let kinds = LeafKinds {
            rules: vec![RULES],
            kinds: kinds.to_vec(),
        };
        Self {
            key,
            credential,
            kinds,
        }
    }

    /// The leaf's public key.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    pub(crate) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.credential.to_bytes()).into(),
            signature_key: self.key.public().0.to_vec().into(),
        }
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            credential: _,
            kinds,
        } = self;
        f.debug_struct("Leaf")
            .field("key", &key.public())
            .field("kinds", kinds)
            .finish_non_exhaustive()
    }
}

/// What every leaf of ours supports, and every other must: the one suite, basic credentials, our extensions.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(extension_types())
        .proposals(Vec::new())
        .credentials(vec![CredentialType::Basic])
        .build()
}

impl Signer for LeafKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.as_signing_key().sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// A leaf that says something wrong about whose it is. Not retryable: intrinsically invalid.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Not a basic credential, or its key is no Ed25519 key.
    #[error("a leaf of another form than ours")]
    Form,
    /// The credential cannot be read.
    #[error("a leaf's credential cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// The credential does not prove the leaf's key.
    #[error("a leaf's credential does not prove its key: {0}")]
    Unproved(#[from] VerifyError),
    /// What the device understands is missing or cannot be read.
    #[error("a leaf's capabilities: {0}")]
    Kinds(#[from] ExtensionError),
}

/// Whose a leaf is, as far as every message needs it: the credential itself is proved once, when it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownLeaf {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) leaf_key: PublicKey,
    pub(crate) use_id: [u8; 16],
    /// The epoch whose commit replaced or removed it; its last messages may still be on the way.
    pub(crate) left_at: Option<u64>,
}
comptoir_protocol::wire_map!(KnownLeaf { 0 => account, 1 => device, 2 => leaf_key, 3 => use_id, 4 => left_at });

impl From<VerifiedLeaf> for KnownLeaf {
    fn from(leaf: VerifiedLeaf) -> Self {
        let VerifiedLeaf {
            account,
            device,
            leaf_key,
            use_id,
            ..
        } = leaf;
        Self {
            account,
            device,
            leaf_key,
            use_id,
            left_at: None,
        }
    }
}

impl KnownLeaf {
    /// Reads whose a leaf is out of a credential that was proved when it came in.
    pub(crate) fn of_proved(credential: &Credential) -> Result<Self, DecodeError> {
        let credential = LeafCredential::from_bytes(credential.serialized_content())?;
        let device = DeviceCertificate::from_bytes(credential.device.payload())?;
        let leaf = LeafCertificate::from_bytes(credential.leaf.payload())?;
        Ok(Self {
            account: device.account,
            device: device.device,
            leaf_key: leaf.leaf_key,
            use_id: leaf.use_id,
            left_at: None,
        })
    }
}

/// Proves whose `key` is by `credential`.
pub(crate) fn verify(credential: &Credential, key: &[u8]) -> Result<VerifiedLeaf, LeafError> {
    let key = PublicKey(key.try_into().map_err(|_| LeafError::Form)?);
    Ok(self::credential(credential)?.verify(&key)?)
}

/// Reads a credential, unproved.
pub(crate) fn credential(credential: &Credential) -> Result<LeafCredential, LeafError> {
    if credential.credential_type() != CredentialType::Basic {
        return Err(LeafError::Form);
    }
    Ok(LeafCredential::from_bytes(credential.serialized_content())?)
}

/// Proves a whole leaf node.
pub(crate) fn verify_node(node: &LeafNode) -> Result<VerifiedLeaf, LeafError> {
    let leaf = verify(node.credential(), node.signature_key().as_slice())?;
    kinds(node)?;
    Ok(leaf)
}

/// Whether a leaf names what every thread demands among its capabilities. OpenMLS asks at the Add only, too late for
/// whoever has to answer a package.
pub(crate) fn is_capable(node: &LeafNode) -> bool {
    let (has, demanded) = (node.capabilities(), required());
    has.versions().contains(&ProtocolVersion::Mls10)
        && has.ciphersuites().contains(&SUITE.into())
        && demanded
            .extension_types()
            .iter()
            .all(|extension| has.extensions().contains(extension))
        && demanded
            .credential_types()
            .iter()
            .all(|credential| has.credentials().contains(credential))
}

/// What the device behind a leaf understands.
pub(crate) fn kinds(node: &LeafNode) -> Result<LeafKinds, ExtensionError> {
    read_extension(node.extensions(), LEAF_EXTENSION)
}

/// Names a credential: OpenMLS tells the author of a message by credential alone.
pub(crate) fn credential_hash(credential: &Credential) -> [u8; 32] {
    Sha256::digest(credential.serialized_content()).into()
}
