// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cryptography OpenMLS asks for, suite 0x0003 only, with all randomness from one step seed.
//!
//! OpenMLS seals path secrets from several threads in any order. So an encapsulation never takes its
//! randomness from a shared stream: its key pair comes from HKDF(seed, H(recipient, info, aad, plaintext)).
//! Everything else it draws, it draws from one thread in program order, from a stream of the same seed.

use std::sync::Mutex;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac as _};
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext,
    HpkeConfig, HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use sha2::{Digest as _, Sha256};
use tls_codec::SecretVLBytes;
use zeroize::Zeroizing;

use crate::hpke::{self, Encapsulation};
use crate::seed::StepSeed;

/// The one suite: X25519, ChaCha20-Poly1305, SHA-256, Ed25519.
pub(crate) const SUITE: Ciphersuite =
    Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;

/// Crypto and randomness of one operation.
pub(crate) struct StepCrypto(Option<Seeded>);

struct Seeded {
    seed: StepSeed,
    draws: Mutex<ChaCha20Rng>,
}

/// An operation that needs no randomness asked for some. Not retryable: a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("this operation was given no randomness")]
pub(crate) struct Unseeded;

impl StepCrypto {
    /// For what makes something: groups, commits, messages, key packages.
    pub(crate) fn seeded(seed: StepSeed) -> Self {
        let draws = Mutex::new(seed.stream("comptoir/mls/draws"));
        Self(Some(Seeded { seed, draws }))
    }

    /// For what only reads: whoever opens a message has nothing to draw.
    pub(crate) fn reading() -> Self {
        Self(None)
    }

    fn encapsulation(
        &self,
        recipient: &[u8],
        parts: [&[u8]; 3],
    ) -> Result<Encapsulation, CryptoError> {
        let seeded = self.0.as_ref().ok_or(CryptoError::InsufficientRandomness)?;
        Ok(Encapsulation::derived(&seeded.seed, recipient, parts))
    }

    fn fill(&self, target: &mut [u8]) -> Result<(), Unseeded> {
        let seeded = self.0.as_ref().ok_or(Unseeded)?;
        seeded
            .draws
            .lock()
            .expect("no thread panics while it holds the stream of draws")
            .fill_bytes(target);
        Ok(())
    }
}

impl OpenMlsRand for StepCrypto {
    type Error = Unseeded;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Unseeded> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Unseeded> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

fn sha256(hash: HashType) -> Result<(), CryptoError> {
    match hash {
        HashType::Sha2_256 => Ok(()),
        _ => Err(CryptoError::UnsupportedHashAlgorithm),
    }
}

fn ed25519(scheme: SignatureScheme) -> Result<(), CryptoError> {
    match scheme {
        SignatureScheme::ED25519 => Ok(()),
        _ => Err(CryptoError::UnsupportedSignatureScheme),
    }
}

fn our_hpke(config: &HpkeConfig) -> Result<(), CryptoError> {
    match config {
        HpkeConfig(
            HpkeKemType::DhKem25519,
            HpkeKdfType::HkdfSha256,
            HpkeAeadType::ChaCha20Poly1305,
        ) => Ok(()),
        _ => Err(CryptoError::UnsupportedCiphersuite),
    }
}

fn cipher(alg: AeadType, key: &[u8]) -> Result<ChaCha20Poly1305, CryptoError> {
    match alg {
        AeadType::ChaCha20Poly1305 => {
            ChaCha20Poly1305::new_from_slice(key).map_err(|_| CryptoError::CryptoLibraryError)
        }
        _ => Err(CryptoError::UnsupportedAeadAlgorithm),
    }
}

impl OpenMlsCrypto for StepCrypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        if ciphersuite == SUITE {
            Ok(())
        } else {
            Err(CryptoError::UnsupportedCiphersuite)
        }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![SUITE]
    }

    fn hkdf_extract(
        &self,
        hash_type: HashType,
        salt: &[u8],
        ikm: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        self.hmac(hash_type, salt, ikm)
    }

    fn hmac(
        &self,
        hash_type: HashType,
        key: &[u8],
        message: &[u8],
    ) -> Result<SecretVLBytes, CryptoError> {
        sha256(hash_type)?;
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key).map_err(|_| CryptoError::CryptoLibraryError)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().as_slice().into())
    }

    fn hkdf_expand(
        &self,
        hash_type: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        sha256(hash_type)?;
        let mut okm = Zeroizing::new(vec![0; okm_len]);
        hkdf::Hkdf::<Sha256>::from_prk(prk)
            .map_err(|_| CryptoError::HkdfOutputLengthInvalid)?
            .expand(info, &mut okm)
            .map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
        Ok(okm.as_slice().into())
    }

    fn hash(&self, hash_type: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        sha256(hash_type)?;
        Ok(Sha256::digest(data).to_vec())
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let nonce = nonce.try_into().map_err(|_| CryptoError::InvalidLength)?;
        cipher(alg, key)?
            .encrypt(nonce, Payload { msg: data, aad })
            .map_err(|_| CryptoError::CryptoLibraryError)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let nonce = nonce.try_into().map_err(|_| CryptoError::InvalidLength)?;
        cipher(alg, key)?
            .decrypt(nonce, Payload { msg: ct_tag, aad })
            .map_err(|_| CryptoError::AeadDecryptionError)
    }

    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        ed25519(alg)?;
        let mut secret = Zeroizing::new([0; 32]);
        self.fill(secret.as_mut())
            .map_err(|_| CryptoError::InsufficientRandomness)?;
        let key = SigningKey::from_bytes(&secret);
        Ok((
            key.to_bytes().to_vec(),
            key.verifying_key().to_bytes().to_vec(),
        ))
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        ed25519(alg)?;
        let key = pk.try_into().map_err(|_| CryptoError::InvalidLength)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| CryptoError::InvalidPublicKey)?;
        let signature =
            Signature::from_slice(signature).map_err(|_| CryptoError::InvalidSignature)?;
        key.verify_strict(data, &signature)
            .map_err(|_| CryptoError::InvalidSignature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        ed25519(alg)?;
        let key = key.try_into().map_err(|_| CryptoError::InvalidLength)?;
        Ok(SigningKey::from_bytes(key).sign(data).to_bytes().to_vec())
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        our_hpke(&config)?;
        let encapsulation = self.encapsulation(pk_r, [info, aad, ptxt])?;
        let (enc, sealed) = hpke::seal(encapsulation, pk_r, info, aad, ptxt)
            .map_err(|_| CryptoError::HpkeEncryptionError)?;
        Ok(HpkeCiphertext {
            kem_output: enc.to_vec().into(),
            ciphertext: sealed.into(),
        })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        our_hpke(&config)?;
        hpke::open(
            sk_r,
            input.kem_output.as_slice(),
            info,
            aad,
            input.ciphertext.as_slice(),
        )
        .map_err(|_| CryptoError::HpkeDecryptionError)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        our_hpke(&config)?;
        let encapsulation = self.encapsulation(pk_r, [info, exporter_context, b"export"])?;
        let (enc, secret) =
            hpke::send_export(encapsulation, pk_r, info, exporter_context, exporter_length)
                .map_err(|_| CryptoError::SenderSetupError)?;
        Ok((enc.to_vec(), secret.into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        our_hpke(&config)?;
        hpke::receive_export(sk_r, enc, info, exporter_context, exporter_length)
            .map(Into::into)
            .map_err(|_| CryptoError::ReceiverSetupError)
    }

    fn derive_hpke_keypair(
        &self,
        config: HpkeConfig,
        ikm: &[u8],
    ) -> Result<HpkeKeyPair, CryptoError> {
        our_hpke(&config)?;
        let (secret, public) = hpke::key_pair(ikm);
        Ok(HpkeKeyPair {
            private: secret.to_vec().into(),
            public: public.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests;
