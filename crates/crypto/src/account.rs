// SPDX-License-Identifier: MIT OR Apache-2.0
//! The account: made from a recovery phrase, and rotated after a theft.

use comptoir_protocol::VerifyError;
use comptoir_protocol::id::StatementHash;
use comptoir_protocol::identity::{
    AccountKeys, AccountProof, Device, DeviceCertificate, DeviceList, Inception, Rotation,
    next_root_hash,
};
use comptoir_protocol::limits::ROTATIONS_MAX;
use comptoir_protocol::{Signed, Wire as _};
use rand_core::CryptoRng;

use crate::keys::{DeviceKey, ListKey};
use crate::phrase::Phrase;

/// A new account, with all that its first device keeps. The root key is not among it: it stays in the phrase.
#[derive(Debug)]
pub struct AccountSecrets {
    /// Inception, and no rotation yet.
    pub proof: AccountProof,
    /// The keys the proof shows.
    pub keys: AccountKeys,
    /// Signs device lists: the first device is a manager.
    pub list_key: ListKey,
    /// The first device's key.
    pub device_key: DeviceKey,
    /// List number 1, naming the first device alone.
    pub list: Signed<DeviceList>,
    /// The first device's certificate.
    pub certificate: Signed<DeviceCertificate>,
}

/// An account could not be rotated. Not retryable with the same phrase.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The account's own proof does not hold.
    #[error("the account's proof does not hold: {0}")]
    Proof(#[from] VerifyError),
    /// The phrase is another account's.
    #[error("this phrase does not belong to the account, or a newer rotation exists")]
    OtherPhrase,
    /// The statement has no room for another rotation.
    #[error(
        "an account rotates at most {ROTATIONS_MAX} times; begin a new account and tell your contacts"
    )]
    TooMany,
}

/// Makes an account of `phrase` with its first device.
///
/// The inception's nonce is random, so the same phrase makes another account each time.
pub fn create(phrase: &Phrase, now_ms: u64, rng: &mut impl CryptoRng) -> AccountSecrets {
    let root = phrase.root(0);
    let (list_key, device_key) = (ListKey::generate(rng), DeviceKey::generate(rng));
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    let inception = root.sign(&Inception {
        root: root.public(),
        next_root_hash: next_root_hash(&phrase.root(1).public()),
        list_key: list_key.public(),
        nonce,
    });
    let proof = AccountProof {
        inception,
        rotations: Vec::new(),
    };
    let keys = proof.verify().expect("what was signed just now verifies");
    let list = list_key.sign(&DeviceList {
        account: keys.account(),
        number: 1,
        previous: None,
        devices: vec![Device {
            id: device_key.id(),
            manager: true,
            added_ms: now_ms,
        }],
        removed: Vec::new(),
    });
    let certificate = certify(&list_key, &keys, &device_key, 1);
    AccountSecrets {
        proof,
        keys,
        list_key,
        device_key,
        list,
        certificate,
    }
}

/// Certifies a device that list number `list_number` named first.
pub fn certify(
    list_key: &ListKey,
    keys: &AccountKeys,
    device: &DeviceKey,
    list_number: u64,
) -> Signed<DeviceCertificate> {
    list_key.sign(&DeviceCertificate {
        account: keys.account(),
        device: device.id(),
        list_number,
    })
}

/// Rotates the account of `proof`: reveals the root key that the last statement committed to, commits to the one
/// after it, and puts `list_key` in the place of a stolen one.
pub fn rotate(
    proof: &AccountProof,
    phrase: &Phrase,
    list_key: &ListKey,
) -> Result<AccountProof, RotateError> {
    if proof.rotations.len() >= ROTATIONS_MAX {
        return Err(RotateError::TooMany);
    }
    let keys = proof.verify()?;
    let number = u32::try_from(keys.rotation_number() + 1).map_err(|_| RotateError::TooMany)?;
    let root = phrase.root(number);
    if next_root_hash(&root.public()) != keys.next_root_hash() {
        return Err(RotateError::OtherPhrase);
    }
    let previous: StatementHash = keys.last_statement();
    let rotation = root.sign(&Rotation {
        number: u64::from(number),
        previous,
        root: root.public(),
        next_root_hash: next_root_hash(&phrase.root(number + 1).public()),
        list_key: list_key.public(),
    });
    let mut rotated = proof.clone();
    rotated.rotations.push(rotation);
    debug_assert!(AccountProof::from_bytes(&rotated.to_bytes()).is_ok());
    Ok(rotated)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    #[test]
    fn a_new_account_proves_its_device() {
        let mut rng = rng(1);
        let phrase = Phrase::generate(&mut rng);
        let account = create(&phrase, 1_000, &mut rng);
        let list = account.keys.verify_list(account.list.clone()).unwrap();
        let certificate = account
            .keys
            .verify_certificate(account.certificate.clone())
            .unwrap();
        assert_eq!(certificate.device, account.device_key.id());
        assert!(list.device(account.device_key.id()).unwrap().manager);
        assert_eq!(account.keys.root(), phrase.root(0).public());
    }

    ///
    #[test]
    fn after_a_rotation_the_account_is_the_same_and_the_stolen_list_key_is_worth_nothing() {
        let mut rng = rng(2);
        let phrase = Phrase::generate(&mut rng);
        let account = create(&phrase, 1_000, &mut rng);
        let fresh = ListKey::generate(&mut rng);
        let rotated = rotate(&account.proof, &phrase, &fresh).unwrap();
        let again = rotate(&rotated, &phrase, &ListKey::generate(&mut rng)).unwrap();
        let keys = rotated.verify().unwrap();
        assert_eq!(keys.account(), account.keys.account());
        assert_eq!(again.verify().unwrap().rotation_number(), 2);
        assert!(keys.verify_list(account.list).is_err());
        assert!(keys.verify_certificate(account.certificate).is_err());
        assert!(
            keys.verify_certificate(certify(&fresh, &keys, &account.device_key, 2))
                .is_ok()
        );
    }

    ///
    #[test]
    fn a_phrase_rotates_its_own_account_only() {
        let mut rng = rng(3);
        let account = create(&Phrase::generate(&mut rng), 1_000, &mut rng);
        let other = Phrase::generate(&mut rng);
        let refused = rotate(&account.proof, &other, &account.list_key).unwrap_err();
        assert!(matches!(refused, RotateError::OtherPhrase));
    }

    ///
    #[test]
    fn rotations_end_with_a_sentence() {
        let mut rng = rng(4);
        let phrase = Phrase::generate(&mut rng);
        let account = create(&phrase, 1_000, &mut rng);
        let mut proof = account.proof;
        for _ in 0..ROTATIONS_MAX {
            proof = rotate(&proof, &phrase, &account.list_key).unwrap();
        }
        let refused = rotate(&proof, &phrase, &account.list_key).unwrap_err();
        assert!(matches!(refused, RotateError::TooMany));
    }

    #[test]
    fn debug_prints_no_secret() {
        let mut rng = rng(5);
        let account = create(&Phrase::generate(&mut rng), 1_000, &mut rng);
        let shown = format!("{:?} {:?}", account.device_key, account.list_key);
        assert_eq!(shown, "DeviceKey(..) ListKey(..)");
    }
}
