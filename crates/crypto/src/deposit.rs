// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sealed deposit: all a relay holds of an envelope.
//!
//! ```text
//! h     = SHA-256(relay key ‖ padded parcel)
//! nonce = HMAC-SHA-256(k_box, "nonce" ‖ h), the first 24 bytes
//! mid   = HMAC-SHA-256(k_box, "mid" ‖ h), the first 16 bytes
//! blob  = nonce ‖ XChaCha20-Poly1305(k_box, nonce, padded parcel)
//! ```
//!
//! So a retry, and another member's deposit of the same envelope, is the same blob under the same mid, and the
//! relay keeps it once; another box or another relay holds unlike bytes, and two relays cannot compare notes.

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use comptoir_protocol::id::{Mid, RelayKey};
use comptoir_protocol::limits::{HELLO_KEY_PACKAGE_BYTES_MAX, POOLED_PACKAGE_BYTES_MAX};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a blob is longer than the padded parcel.
pub const DEPOSIT_SEAL_BYTES: usize = NONCE_BYTES + 16;

const NONCE_BYTES: usize = 24;

/// What a sealed key package opens to begins with this.
const POOLED: &[u8] = b"comptoir/key-package";

// The longest package fits a relay's pool once it is sealed.
const _: () = assert!(
    HELLO_KEY_PACKAGE_BYTES_MAX + POOLED.len() + DEPOSIT_SEAL_BYTES == POOLED_PACKAGE_BYTES_MAX
);

/// A deposit was not opened. Not retryable: whoever wrote it does not hold the box key, or the relay changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DepositError {
    /// Shorter than nonce and tag.
    #[error("a deposit of {bytes} bytes is too short")]
    TooShort {
        /// How long it is.
        bytes: usize,
    },
    /// The tag does not match.
    #[error("a deposit does not open with its box's key")]
    Refused,
    /// It opens, but it was sealed for another relay, or its mid is not its own.
    #[error("a deposit was sealed for another relay, or under another id")]
    Misplaced,
}

/// Seals a padded parcel for the box whose key is `k_box`, at `relay`.
pub fn seal(k_box: &[u8; 32], relay: &RelayKey, padded: &[u8]) -> (Mid, Vec<u8>) {
    let (nonce, mid) = derive(k_box, relay, padded);
    let sealed = XChaCha20Poly1305::new(k_box.into())
        .encrypt(&nonce.into(), padded)
        .expect("a deposit is shorter than ChaCha20's 256 GiB");
    (mid, [&nonce[..], &sealed].concat())
}

/// Opens a blob that `relay` gave for `mid`; the padded parcel.
pub fn open(
    k_box: &[u8; 32],
    relay: &RelayKey,
    mid: &Mid,
    blob: &[u8],
) -> Result<Vec<u8>, DepositError> {
    let (padded, own_mid) = decrypt(k_box, relay, blob)?;
    if bool::from(own_mid.0.ct_eq(&mid.0)) {
        Ok(padded)
    } else {
        Err(DepositError::Misplaced)
    }
}

/// Seals a key package for the pool beside a box: its credential names account and device, which the relay must not
/// read. Whoever holds the box's capability opens it with [`open_package`]; as a deposit it does not open, for want of
/// a mid that only the holders of `k_box` can compute.
pub fn seal_package(k_box: &[u8; 32], relay: &RelayKey, package: &[u8]) -> Vec<u8> {
    seal(k_box, relay, &[POOLED, package].concat()).1
}

/// Opens what [`seal_package`] made; a deposit is refused.
pub fn open_package(
    k_box: &[u8; 32],
    relay: &RelayKey,
    blob: &[u8],
) -> Result<Vec<u8>, DepositError> {
    let (opened, _) = decrypt(k_box, relay, blob)?;
    match opened.strip_prefix(POOLED) {
        Some(package) => Ok(package.to_vec()),
        None => Err(DepositError::Misplaced),
    }
}

fn decrypt(
    k_box: &[u8; 32],
    relay: &RelayKey,
    blob: &[u8],
) -> Result<(Vec<u8>, Mid), DepositError> {
    if blob.len() < DEPOSIT_SEAL_BYTES {
        return Err(DepositError::TooShort { bytes: blob.len() });
    }
    let (nonce, sealed) = blob.split_at(NONCE_BYTES);
    let given = nonce.try_into().expect("split at a nonce's length");
    let padded = XChaCha20Poly1305::new(k_box.into())
        .decrypt(given, sealed)
        .map_err(|_| DepositError::Refused)?;
    let (derived, mid) = derive(k_box, relay, &padded);
    // A writer who chose its own nonce could make two blobs of one parcel, and a relay could serve one twice.
    if bool::from(derived.ct_eq(nonce)) {
        Ok((padded, mid))
    } else {
        Err(DepositError::Misplaced)
    }
}

fn derive(k_box: &[u8; 32], relay: &RelayKey, padded: &[u8]) -> ([u8; NONCE_BYTES], Mid) {
    let hash = Sha256::new()
        .chain_update(relay.0)
        .chain_update(padded)
        .finalize();
    let mac = |label: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(k_box).expect("HMAC takes any key");
        mac.update(label);
        mac.update(&hash);
        mac.finalize().into_bytes()
    };
    let (mut nonce, mut mid) = ([0; NONCE_BYTES], [0; 16]);
    nonce.copy_from_slice(&mac(b"nonce")[..NONCE_BYTES]);
    mid.copy_from_slice(&mac(b"mid")[..16]);
    (nonce, Mid(mid))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]

    use super::*;

    const BOX: [u8; 32] = [1; 32];
    const OTHER_BOX: [u8; 32] = [2; 32];
    const RELAY: RelayKey = RelayKey([3; 32]);
    const OTHER_RELAY: RelayKey = RelayKey([4; 32]);

    /// R-4.2.
    #[test]
    fn the_same_parcel_twice_is_the_same_bytes() {
        assert_eq!(seal(&BOX, &RELAY, b"parcel"), seal(&BOX, &RELAY, b"parcel"));
    }

    /// R-6.6.
    #[test]
    fn a_package_of_the_pool_is_opened_by_who_holds_the_box_and_is_no_deposit() {
        let pooled = seal_package(&BOX, &RELAY, b"package");
        assert_eq!(open_package(&BOX, &RELAY, &pooled).unwrap(), b"package");
        assert!(open_package(&OTHER_BOX, &RELAY, &pooled).is_err());
        assert!(open_package(&BOX, &OTHER_RELAY, &pooled).is_err());
        let (mid, deposit) = seal(&BOX, &RELAY, b"package");
        assert!(open_package(&BOX, &RELAY, &deposit).is_err());
        assert!(open(&BOX, &RELAY, &mid, &pooled).is_err());
    }

    /// R-4.2.
    #[test]
    fn boxes_and_relays_hold_unlike_bytes() {
        let deposits = [
            (&BOX, &RELAY),
            (&OTHER_BOX, &RELAY),
            (&BOX, &OTHER_RELAY),
            (&OTHER_BOX, &OTHER_RELAY),
        ]
        .map(|(k_box, relay)| seal(k_box, relay, b"the same parcel for all of them"));
        for (at, (mid, blob)) in deposits.iter().enumerate() {
            for (other_mid, other_blob) in &deposits[..at] {
                assert_ne!(mid, other_mid);
                assert!(blob.iter().zip(other_blob).filter(|(a, b)| a == b).count() < 8);
            }
        }
    }

    /// R-4.2.
    #[test]
    fn a_deposit_opens_where_it_was_put_and_nowhere_else() {
        let (mid, blob) = seal(&BOX, &RELAY, b"parcel");
        assert_eq!(blob.len(), 6 + DEPOSIT_SEAL_BYTES);
        assert_eq!(open(&BOX, &RELAY, &mid, &blob).unwrap(), b"parcel");
        assert_eq!(
            open(&OTHER_BOX, &RELAY, &mid, &blob),
            Err(DepositError::Refused)
        );
        assert_eq!(
            open(&BOX, &OTHER_RELAY, &mid, &blob),
            Err(DepositError::Misplaced)
        );
        assert_eq!(
            open(&BOX, &RELAY, &Mid([0; 16]), &blob),
            Err(DepositError::Misplaced)
        );
    }

    /// R-4.2.
    #[test]
    fn a_nonce_of_the_writers_choice_is_refused() {
        let (mid, _) = seal(&BOX, &RELAY, b"parcel");
        let nonce = [9; NONCE_BYTES];
        let sealed = XChaCha20Poly1305::new(&BOX.into())
            .encrypt(&nonce.into(), &b"parcel"[..])
            .unwrap();
        let blob = [&nonce[..], &sealed].concat();
        assert_eq!(
            open(&BOX, &RELAY, &mid, &blob),
            Err(DepositError::Misplaced)
        );
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let (mid, blob) = seal(&BOX, &RELAY, b"parcel");
        for at in 0..blob.len() {
            let mut bent = blob.clone();
            bent[at] ^= 1;
            assert!(open(&BOX, &RELAY, &mid, &bent).is_err());
            assert!(open(&BOX, &RELAY, &mid, &blob[..at]).is_err());
        }
    }
}
