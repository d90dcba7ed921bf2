// SPDX-License-Identifier: MIT OR Apache-2.0
//! HPKE (RFC 9180), base mode, X25519 with HKDF-SHA256 and ChaCha20-Poly1305, over byte slices.

use ::hpke::aead::ChaCha20Poly1305;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::X25519HkdfSha256;
use ::hpke::{Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::seed::{Prepared, StepSeed};

/// The key material of one encapsulation: `ikmE` of RFC 9180, section 7.1.3.
pub(crate) struct Encapsulation(Zeroizing<[u8; 32]>);

impl Encapsulation {
    /// From the seed and everything that is sealed. Two encapsulations of one seed share a key pair only if
    /// they seal the same bytes to the same key, and then they are the same ciphertext.
    pub(crate) fn derived(seed: &StepSeed, recipient: &[u8], parts: [&[u8]; 3]) -> Self {
        let mut hash = Sha256::new();
        for part in [recipient].into_iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(seed.derive("comptoir/hpke/encapsulation", &hash.finalize()))
    }

    #[cfg(test)]
    pub(crate) fn from_ikm(ikm: [u8; 32]) -> Self {
        Self(Zeroizing::new(ikm))
    }
}

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type SecretKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Derives (secret, public) from `ikm`.
pub(crate) fn key_pair(ikm: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let (secret, public) = X25519HkdfSha256::derive_keypair(ikm);
    (
        Zeroizing::new(secret.to_bytes().into()),
        public.to_bytes().into(),
    )
}

/// Seals `plaintext`; gives the encapsulated key and the ciphertext.
pub(crate) fn seal(
    encapsulation: Encapsulation,
    recipient: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<([u8; 32], Vec<u8>), HpkeError> {
    let recipient = PublicKey::from_bytes(recipient)?;
    let (enc, sealed) =
        ::hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &recipient,
            info,
            plaintext,
            aad,
            &mut Prepared::new(encapsulation.0),
        )?;
    Ok((enc.to_bytes().into(), sealed))
}

/// Opens what [`seal`] made.
pub(crate) fn open(
    secret: &[u8],
    enc: &[u8],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, HpkeError> {
    let secret = SecretKey::from_bytes(secret)?;
    let enc = EncappedKey::from_bytes(enc)?;
    ::hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &enc,
        info,
        sealed,
        aad,
    )
}

/// Sets up as sender and exports a secret.
pub(crate) fn send_export(
    encapsulation: Encapsulation,
    recipient: &[u8],
    info: &[u8],
    context: &[u8],
    length: usize,
) -> Result<([u8; 32], Vec<u8>), HpkeError> {
    let recipient = PublicKey::from_bytes(recipient)?;
    let (enc, sender) =
        ::hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &recipient,
            info,
            &mut Prepared::new(encapsulation.0),
        )?;
    let mut secret = vec![0; length];
    sender.export(context, &mut secret)?;
    Ok((enc.to_bytes().into(), secret))
}

/// Sets up as receiver and exports the same secret.
pub(crate) fn receive_export(
    secret: &[u8],
    enc: &[u8],
    info: &[u8],
    context: &[u8],
    length: usize,
) -> Result<Vec<u8>, HpkeError> {
    let secret = SecretKey::from_bytes(secret)?;
    let enc = EncappedKey::from_bytes(enc)?;
    let receiver = ::hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &enc,
        info,
    )?;
    let mut exported = vec![0; length];
    receiver.export(context, &mut exported)?;
    Ok(exported)
}
