// SPDX-License-Identifier: MIT OR Apache-2.0
//! The key package: how a device is added while it is away.

use core::fmt;

use comptoir_protocol::id::{AccountId, DeviceId};
use comptoir_protocol::identity::{LeafCredential, VerifiedLeaf};
use comptoir_protocol::limits::HELLO_KEY_PACKAGE_BYTES_MAX;
use openmls::prelude::{
    Extensions, KeyPackage, KeyPackageBuilder, KeyPackageIn, Lifetime, ProtocolVersion,
};
use openmls::treesync::LeafNodeSource;
use tls_codec::{Deserialize as _, Serialize as _};
use zeroize::Zeroizing;

use super::context::{
    ExtensionError, LEAF_EXTENSION, LeafKinds, PACKAGE_EXTENSION, PackageTerms, extension,
    read_extension,
};
use super::crypto::{SUITE, StepCrypto};
use super::leaf::{self, Leaf, LeafError, capabilities};
use super::provider::Provider;
use super::record::{self, RecordError};
use super::storage::Overlay;
use crate::keys::LeafKey;
use crate::seed::StepSeed;

/// The lifetime of every leaf. OpenMLS holds a lifetime against the wall clock of whoever checks it, so any other
/// would make one member accept a commit that another refuses.
pub(crate) fn unlimited() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// The private half of a key package: joins with the Welcome that names it.
pub struct KeyPackageSecret {
    pub(crate) leaf_key: LeafKey,
    pub(crate) slots: record::Slots,
    reference: [u8; 32],
    expires_ms: u64,
}

impl KeyPackageSecret {
    /// Names the package in a Welcome.
    pub fn reference(&self) -> [u8; 32] {
        self.reference
    }

    /// When it is to be destroyed, in wall milliseconds.
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// Its bytes, to be kept sealed. They open every Welcome to the package.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        record::write_package(
            &self.leaf_key,
            &self.reference,
            self.expires_ms,
            &self.slots,
        )
    }

    /// Reads what [`KeyPackageSecret::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (leaf_key, reference, expires_ms, slots) = record::read_package(bytes)?;
        Ok(Self {
            leaf_key,
            slots,
            reference,
            expires_ms,
        })
    }
}

impl fmt::Debug for KeyPackageSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            leaf_key: _,
            slots: _,
            reference,
            expires_ms,
        } = self;
        f.debug_struct("KeyPackageSecret")
            .field("reference", &&reference[..4])
            .field("expires_ms", expires_ms)
            .finish_non_exhaustive()
    }
}

/// A key package could not be made. Not retryable: a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("no key package: {0}")]
pub struct NewPackageError(String);

/// Makes a key package for `leaf`, to be destroyed at `expires_ms`. Its bytes are public; the secret stays.
pub fn key_package(
    leaf: &Leaf,
    expires_ms: u64,
    seed: StepSeed,
) -> Result<(Vec<u8>, KeyPackageSecret), NewPackageError> {
    let failed = |e: &dyn fmt::Display| NewPackageError(e.to_string());
    let overlay = Overlay::default();
    let crypto = StepCrypto::seeded(seed);
    let leaf_extensions =
        Extensions::single(extension(LEAF_EXTENSION, &leaf.kinds)).map_err(|e| failed(&e))?;
    let terms = Extensions::single(extension(PACKAGE_EXTENSION, &PackageTerms { expires_ms }))
        .map_err(|e| failed(&e))?;
    let bundle = KeyPackageBuilder::new()
        .key_package_lifetime(unlimited())
        .key_package_extensions(terms)
        .leaf_node_capabilities(capabilities())
        .leaf_node_extensions(leaf_extensions)
        .build(
            SUITE,
            &Provider::new(&crypto, &overlay),
            &leaf.key,
            leaf.credential_with_key(),
        )
        .map_err(|e| failed(&e))?;
    let package = bundle.key_package();
    let bytes = package.tls_serialize_detached().map_err(|e| failed(&e))?;
    let reference = reference(package).map_err(|e| failed(&e))?;
    let secret = KeyPackageSecret {
        leaf_key: leaf.key.clone(),
        slots: overlay.with_slots(Clone::clone).into(),
        reference,
        expires_ms,
    };
    Ok((bytes, secret))
}

fn reference(package: &KeyPackage) -> Result<[u8; 32], KeyPackageError> {
    let reference = package
        .hash_ref(&StepCrypto::reading())
        .map_err(|e| KeyPackageError::Refused(e.to_string()))?;
    reference
        .as_slice()
        .try_into()
        .map_err(|_| KeyPackageError::Malformed)
}

/// A key package that was proved whole, and was not expired when it was taken.
#[derive(Clone)]
pub struct VerifiedKeyPackage {
    pub(crate) package: KeyPackage,
    leaf: VerifiedLeaf,
    credential: LeafCredential,
    reference: [u8; 32],
    expires_ms: u64,
    kinds: LeafKinds,
}

impl VerifiedKeyPackage {
    /// Whose device it adds.
    pub fn account(&self) -> AccountId {
        self.leaf.account
    }

    /// The device it adds.
    pub fn device(&self) -> DeviceId {
        self.leaf.device
    }

    /// Whose the leaf is, with the account's keys as the package proves them.
    pub fn leaf(&self) -> &VerifiedLeaf {
        &self.leaf
    }

    /// The leaf's credential, checked against its key. A hello's card is proved with it.
    pub fn credential(&self) -> &LeafCredential {
        &self.credential
    }

    /// Its name. A package is for one Add: remember the names of those used, a relay may serve one twice.
    pub fn reference(&self) -> [u8; 32] {
        self.reference
    }

    /// When its owner destroys the private half, in wall milliseconds.
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// What the device understands.
    pub fn kinds(&self) -> &LeafKinds {
        &self.kinds
    }

    /// Refuses a package of anybody but `account`.
    // Without this a relay that is asked for Bob's package could hand out Eve's, valid in itself.
    pub fn of_account(self, account: AccountId) -> Result<Self, KeyPackageError> {
        if self.leaf.account == account {
            Ok(self)
        } else {
            Err(KeyPackageError::OtherAccount)
        }
    }
}

impl fmt::Debug for VerifiedKeyPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            package: _,
            leaf,
            credential: _,
            reference,
            expires_ms,
            kinds: _,
        } = self;
        f.debug_struct("VerifiedKeyPackage")
            .field("device", &leaf.device)
            .field("reference", &&reference[..4])
            .field("expires_ms", expires_ms)
            .finish_non_exhaustive()
    }
}

/// A key package that is not to be used. Not retryable with the same one: take another.
#[derive(Debug, thiserror::Error)]
pub enum KeyPackageError {
    /// Longer than any of ours.
    #[error("a key package of {bytes} bytes: at most {HELLO_KEY_PACKAGE_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Not a key package.
    #[error("not a key package")]
    Malformed,
    /// Of another suite, with another lifetime, or its signatures do not hold.
    #[error("a key package is not valid: {0}")]
    Refused(String),
    /// Its leaf is not proved.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Its terms are missing or cannot be read.
    #[error(transparent)]
    Terms(#[from] ExtensionError),
    /// Its owner has destroyed the private half by now.
    #[error("a key package that expired at {expires_ms}, now is {now_ms}")]
    Expired {
        /// When it expired, in wall milliseconds.
        expires_ms: u64,
        /// When it was looked at.
        now_ms: u64,
    },
    /// It is somebody else's.
    #[error("a key package of another account than asked for")]
    OtherAccount,
}

/// Proves a key package: form, suite, signatures, whose device it is, and that it is not expired at `now_ms`.
pub fn verify_key_package(
    bytes: &[u8],
    now_ms: u64,
) -> Result<VerifiedKeyPackage, KeyPackageError> {
    if bytes.len() > HELLO_KEY_PACKAGE_BYTES_MAX {
        return Err(KeyPackageError::TooLong { bytes: bytes.len() });
    }
    let package = KeyPackageIn::tls_deserialize_exact(bytes)
        .map_err(|_| KeyPackageError::Malformed)?
        .validate(&StepCrypto::reading(), ProtocolVersion::Mls10)
        .map_err(|e| KeyPackageError::Refused(e.to_string()))?;
    let proved = verify_package(&package)?;
    if proved.expires_ms <= now_ms {
        return Err(KeyPackageError::Expired {
            expires_ms: proved.expires_ms,
            now_ms,
        });
    }
    Ok(proved)
}

/// What of [`verify_key_package`] needs no clock: what every member checks of an Add.
pub(crate) fn verify_package(package: &KeyPackage) -> Result<VerifiedKeyPackage, KeyPackageError> {
    if package.ciphersuite() != SUITE {
        return Err(KeyPackageError::Refused("another suite".to_owned()));
    }
    if *package.leaf_node().leaf_node_source() != LeafNodeSource::KeyPackage(unlimited()) {
        return Err(KeyPackageError::Refused(
            "a lifetime that a clock decides".to_owned(),
        ));
    }
    if !leaf::is_capable(package.leaf_node()) {
        return Err(KeyPackageError::Refused(
            "its leaf does not support what every thread uses".to_owned(),
        ));
    }
    let terms: PackageTerms = read_extension(package.extensions(), PACKAGE_EXTENSION)?;
    Ok(VerifiedKeyPackage {
        leaf: leaf::verify_node(package.leaf_node())?,
        credential: leaf::credential(package.leaf_node().credential())?,
        kinds: leaf::kinds(package.leaf_node())?,
        reference: reference(package)?,
        expires_ms: terms.expires_ms,
        package: package.clone(),
    })
}
