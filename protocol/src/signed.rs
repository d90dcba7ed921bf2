// SPDX-License-Identifier: MIT OR Apache-2.0
//! The signed statement: bytes as received, then proved, then used.
//!
//! A signature covers the CBOR array `["comptoir", label, version, payload]`, payload being the bytes as they arrived and
//! never a re-encoding. What MLS signs begins with a TLS length, so neither can be read as the other.
//!
//! A [`Verified<T>`] says that `signer` signed this payload as this kind. Whether that signer may is decided by the
//! typed functions of [`crate::identity`] and by the rules that name a key.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::codec::{DecodeError, Reader, Wire, Writer, expect_array};
use crate::error::VerifyError;
use crate::id::{PublicKey, StatementHash};

/// The first word of everything signed here.
const DOMAIN: &str = "comptoir";

/// A kind of statement that can be signed.
pub trait Signable: Wire {
    /// The kind's name under the signature: unique, never reused (listed in [`crate::tag`]).
    const LABEL: &'static str;
    /// The kind's version under the signature. Rises when a statement of the old version would mean something else.
    const VERSION: u16;
}

/// A statement somebody claims to have signed. Nothing in it may be used before [`Signed::verify`].
pub struct Signed<T> {
    version: u16,
    payload: Vec<u8>,
    signer: PublicKey,
    signature: [u8; 64],
    kind: PhantomData<fn() -> T>,
}

/// A statement whose signature was checked. Only this reaches a rule.
pub struct Verified<T> {
    value: T,
    signed: Signed<T>,
}

/// The bytes under a signature.
fn signing_input(label: &str, version: u16, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.open_array(4);
    writer.text(DOMAIN);
    writer.text(label);
    writer.unsigned(version.into());
    writer.bytes(payload);
    writer.into_bytes()
}

/// Checks an Ed25519 signature strictly: no small-order keys, no second form of a signature.
pub fn verify_strict(signer: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&signer.0)
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .is_ok()
}

/// The public half of a signing key.
#[must_use]
pub fn public_key(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

impl<T: Signable> Signed<T> {
    /// Signs a value.
    #[must_use]
    pub fn sign(value: &T, key: &SigningKey) -> Self {
        let payload = value.to_bytes();
        let signature = key
            .sign(&signing_input(T::LABEL, T::VERSION, &payload))
            .to_bytes();
        Self {
            version: T::VERSION,
            payload,
            signer: public_key(key),
            signature,
            kind: PhantomData,
        }
    }

    /// Checks version and signature, then reads the payload. The signature comes first: nothing of an unsigned payload
    /// is parsed.
    pub fn verify(self) -> Result<Verified<T>, VerifyError> {
        if self.version != T::VERSION {
            return Err(VerifyError::NeedsNewer {
                label: T::LABEL,
                version: self.version,
            });
        }
        let input = signing_input(T::LABEL, self.version, &self.payload);
        if !verify_strict(&self.signer, &input, &self.signature) {
            return Err(VerifyError::Signature { label: T::LABEL });
        }
        let value = T::from_bytes(&self.payload)?;
        Ok(Verified {
            value,
            signed: self,
        })
    }

    /// The key that claims to have signed, unproved.
    #[must_use]
    pub fn claimed_signer(&self) -> PublicKey {
        self.signer
    }

    /// The hash that names this statement: over label, version and payload, without signer and signature.
    #[must_use]
    pub fn hash(&self) -> StatementHash {
        StatementHash(Sha256::digest(signing_input(T::LABEL, self.version, &self.payload)).into())
    }

    /// The bytes that were signed as the statement's content.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

impl<T: Signable> Verified<T> {
    /// Who signed.
    #[must_use]
    pub fn signer(&self) -> PublicKey {
        self.signed.signer
    }

    /// The content's bytes as received.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.signed.payload
    }

    /// The hash that names this statement.
    #[must_use]
    pub fn hash(&self) -> StatementHash {
        self.signed.hash()
    }

    /// The statement to hand on, bytes as received.
    #[must_use]
    pub fn as_signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// The value alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Refuses any signer but `key`.
    pub fn signed_by(self, key: &PublicKey) -> Result<Self, VerifyError> {
        if self.signer() == *key {
            Ok(self)
        } else {
            Err(VerifyError::WrongSigner { label: T::LABEL })
        }
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            version: self.version,
            payload: self.payload.clone(),
            signer: self.signer,
            signature: self.signature,
            kind: PhantomData,
        }
    }
}

impl<T: Clone> Clone for Verified<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            signed: self.signed.clone(),
        }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.version, &self.payload, self.signer, self.signature)
            == (other.version, &other.payload, other.signer, other.signature)
    }
}

impl<T> Eq for Signed<T> {}

impl<T: PartialEq> PartialEq for Verified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.signed == other.signed && self.value == other.value
    }
}

impl<T: Eq> Eq for Verified<T> {}

/// The payload may hold secrets or somebody's words; its length is enough.
impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            payload,
            signer,
            signature: _,
            kind: _,
        } = self;
        write!(
            formatter,
            "Signed(v{version}, {} bytes, by {signer:?})",
            payload.len()
        )
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verified")
            .field("value", &self.value)
            .field("signer", &self.signed.signer)
            .finish()
    }
}

/// `[version, payload, signer, signature]`.
impl<T> Wire for Signed<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.open_array(4);
        self.version.encode(writer);
        self.payload.encode(writer);
        self.signer.encode(writer);
        self.signature.encode(writer);
    }
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        expect_array(reader, 4)?;
        let signed = Self {
            version: u16::decode(reader)?,
            payload: Vec::decode(reader)?,
            signer: PublicKey::decode(reader)?,
            signature: <[u8; 64]>::decode(reader)?,
            kind: PhantomData,
        };
        reader.close();
        Ok(signed)
    }
}

#[cfg(test)]
mod tests;
