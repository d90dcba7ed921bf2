// SPDX-License-Identifier: MIT OR Apache-2.0
//! The account: its inception, the rotations of its root, and the keys that follow from them.

use sha2::{Digest, Sha256};

use crate::codec::{DecodeError, at_most};
use crate::error::VerifyError;
use crate::id::{AccountId, DeviceId, PublicKey, StatementHash};
use crate::identity::{ContactCard, DeviceCertificate, DeviceList};
use crate::limits::ROTATIONS_MAX;
use crate::signed::{Signable, Signed, Verified};
use crate::tag::label;
use crate::wire_map;

/// The statement an account is the hash of. Signed by its own root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inception {
    /// The root key, from the recovery phrase. Not kept on disk.
    pub root: PublicKey,
    /// Hash of the next root key, so that a thief of the root cannot choose the next one.
    pub next_root_hash: [u8; 32],
    /// The key that signs the device list.
    pub list_key: PublicKey,
    /// Random: two accounts of one phrase are two.
    pub nonce: [u8; 16],
}
wire_map!(Inception { 0 => root, 1 => next_root_hash, 2 => list_key, 3 => nonce });

impl Signable for Inception {
    const LABEL: &'static str = label::INCEPTION;
    const VERSION: u16 = 1;
}

/// A change of root and list key, signed by the root it reveals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// 1 for the first.
    pub number: u64,
    /// The inception, or the rotation before. Binds this one to its account: two accounts may share a phrase.
    pub previous: StatementHash,
    /// The root key whose hash the previous statement committed to.
    pub root: PublicKey,
    /// Hash of the root key after this one.
    pub next_root_hash: [u8; 32],
    /// The list key from now on.
    pub list_key: PublicKey,
}
wire_map!(Rotation { 0 => number, 1 => previous, 2 => root, 3 => next_root_hash, 4 => list_key });

impl Signable for Rotation {
    const LABEL: &'static str = label::ROTATION;
    const VERSION: u16 = 1;
}

/// The commitment to a root key that is not yet shown.
#[must_use]
pub fn next_root_hash(root: &PublicKey) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"comptoir/next-root")
        .chain_update(root.0)
        .finalize()
        .into()
}

/// All that proves which keys an account has: needs nothing learnt elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// The statement the account is the hash of.
    pub inception: Signed<Inception>,
    /// Every rotation since, in order; at most [`ROTATIONS_MAX`].
    pub rotations: Vec<Signed<Rotation>>,
}
wire_map!(AccountProof { 0 => inception, 1 => rotations }, check = AccountProof::check);

/// An account's keys, proved. Every statement of an account is checked through this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKeys {
    account: AccountId,
    root: PublicKey,
    next_root_hash: [u8; 32],
    list_key: PublicKey,
    rotation_number: u64,
    /// Hash of the newest inception or rotation.
    last: StatementHash,
}

impl AccountProof {
    /// Follows the chain from inception to the newest rotation.
    pub fn verify(&self) -> Result<AccountKeys, VerifyError> {
        let inception = self.inception.clone().verify()?;
        let root = inception.root;
        let inception = inception.signed_by(&root)?;
        let mut keys = AccountKeys {
            account: account_id(inception.payload()),
            root,
            next_root_hash: inception.next_root_hash,
            list_key: inception.list_key,
            rotation_number: 0,
            last: inception.hash(),
        };
        for rotation in &self.rotations {
            keys = keys.rotated(rotation.clone().verify()?)?;
        }
        Ok(keys)
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most("rotations", self.rotations.len(), ROTATIONS_MAX)
    }
}

fn account_id(inception_payload: &[u8]) -> AccountId {
    AccountId(
        Sha256::new()
            .chain_update(b"comptoir/account")
            .chain_update(inception_payload)
            .finalize()
            .into(),
    )
}

impl AccountKeys {
    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its root key now.
    #[must_use]
    pub fn root(&self) -> PublicKey {
        self.root
    }

    /// The commitment to its next root key.
    #[must_use]
    pub fn next_root_hash(&self) -> [u8; 32] {
        self.next_root_hash
    }

    /// The key that signs its device list now.
    #[must_use]
    pub fn list_key(&self) -> PublicKey {
        self.list_key
    }

    /// How often it rotated.
    #[must_use]
    pub fn rotation_number(&self) -> u64 {
        self.rotation_number
    }

    /// The statement the next rotation must name as its previous one.
    #[must_use]
    pub fn last_statement(&self) -> StatementHash {
        self.last
    }

    /// The keys after one more rotation.
    fn rotated(self, rotation: Verified<Rotation>) -> Result<Self, VerifyError> {
        let root = rotation.root;
        // The revealed key must be the committed one: without this the thief of today's root would own tomorrow's.
        if next_root_hash(&root) != self.next_root_hash {
            return Err(VerifyError::WrongSigner {
                label: Rotation::LABEL,
            });
        }
        let rotation = rotation.signed_by(&root)?;
        if rotation.number != self.rotation_number + 1 || rotation.previous != self.last {
            return Err(VerifyError::Mismatch {
                what: "the rotation does not follow the statement before it",
            });
        }
        Ok(Self {
            account: self.account,
            root,
            next_root_hash: rotation.next_root_hash,
            list_key: rotation.list_key,
            rotation_number: rotation.number,
            last: rotation.hash(),
        })
    }

    /// Checks that `list` is this account's, signed by its list key.
    pub fn verify_list(
        &self,
        list: Signed<DeviceList>,
    ) -> Result<Verified<DeviceList>, VerifyError> {
        let list = list.verify()?.signed_by(&self.list_key)?;
        self.same_account(list.account)?;
        Ok(list)
    }

    /// Checks that `certificate` makes its device one of this account's.
    pub fn verify_certificate(
        &self,
        certificate: Signed<DeviceCertificate>,
    ) -> Result<Verified<DeviceCertificate>, VerifyError> {
        let certificate = certificate.verify()?.signed_by(&self.list_key)?;
        self.same_account(certificate.account)?;
        Ok(certificate)
    }

    /// Checks that `card` is this account's, signed by `device` (which a certificate or list must have named).
    pub fn verify_card(
        &self,
        card: Signed<ContactCard>,
        device: DeviceId,
    ) -> Result<Verified<ContactCard>, VerifyError> {
        let card = card.verify()?.signed_by(&device.into())?;
        self.same_account(card.account)?;
        Ok(card)
    }

    fn same_account(&self, account: AccountId) -> Result<(), VerifyError> {
        if account == self.account {
            Ok(())
        } else {
            Err(VerifyError::Mismatch {
                what: "the statement speaks of another account",
            })
        }
    }
}
