// SPDX-License-Identifier: MIT OR Apache-2.0
//! The at-rest cipher: every stored value sealed, and bound to the row it was written to.
//!
//! A store has one random root key. It lies in the keyring, in a 0600 file, or beside the store locked with a
//! passphrase, so that a changed passphrase re-seals 32 bytes and not the store. Each space has a subkey.

mod passphrase;
mod scoped;

use core::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use passphrase::{PassphraseCost, UnlockError};
pub use scoped::{
    SCOPE_NAME_BYTES, SCOPED_BYTES, SLOT_SEALED_BYTES, ScopeKey, ScopeKeySource, ScopeName,
    SlotCipher, SlotNonce, scope_of,
};

/// What a sealed value is longer than the value: a 24-byte nonce before it and a 16-byte tag behind.
pub const SEAL_BYTES: usize = NONCE_BYTES + 16;

const NONCE_BYTES: usize = 24;

/// The key of a store.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootStoreKey([u8; 32]);

impl RootStoreKey {
    /// A new random key.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A key from where it was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, for the keyring or a key file. They open the whole store.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// The subkey for `purpose`. No two purposes share one, and none gives the root key away.
    pub fn subkey(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[b"comptoir/at-rest\0", purpose.as_bytes()], key.as_mut())
            .expect("32 bytes are within what HKDF-SHA256 gives");
        key
    }

    fn space_cipher(&self, space: u8) -> XChaCha20Poly1305 {
        let key = self.subkey(&format!("space {space}"));
        XChaCha20Poly1305::new((&*key).into())
    }
}

impl fmt::Debug for RootStoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("RootStoreKey(..)")
    }
}

/// A stored value does not open. Not retryable: the key is another one, the row was moved, or its bytes are
/// damaged; the cipher cannot tell which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than nonce and tag.
    #[error("a sealed value of {bytes} bytes is too short: it takes at least {SEAL_BYTES}")]
    TooShort {
        /// How long it is.
        bytes: usize,
    },
    /// The tag does not match.
    #[error("a sealed value does not open: wrong key, moved row or damaged bytes")]
    Refused,
}

/// Seals and opens the values of one open store. Shared by threads.
pub struct Sealer {
    /// Indexed by space.
    ciphers: Vec<XChaCha20Poly1305>,
    schema: u16,
    session: [u8; 16],
    /// Values sealed in this session; with `session` it makes the nonce.
    sealed: AtomicU64,
}

impl Sealer {
    /// Opens the cipher of a store whose rows lie in spaces `0..spaces`, under schema version `schema`.
    ///
    /// `rng` gives the session's half of every nonce: 16 random bytes, so that a store which is copied and
    /// opened twice does not use a nonce twice. With 2^40 sessions the odds of a collision are below 2^-48.
    pub fn open_session(
        root: &RootStoreKey,
        schema: u16,
        spaces: u8,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut session = [0; 16];
        rng.fill_bytes(&mut session);
        let ciphers = (0..spaces).map(|space| root.space_cipher(space)).collect();
        Self {
            ciphers,
            schema,
            session,
            sealed: AtomicU64::new(0),
        }
    }

    /// Seals `value` for the row `key` of `space`.
    ///
    /// # Panics
    /// If `space` is not below the number given to [`Sealer::open_session`]: the caller's table of spaces is wrong.
    pub fn seal(&self, space: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
        self.seal_with(self.cipher(space), &self.place(space, key), value)
    }

    fn seal_with(&self, cipher: &XChaCha20Poly1305, aad: &[u8], value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..16].copy_from_slice(&self.session);
        let count = self.sealed.fetch_add(1, Ordering::Relaxed);
        nonce[16..].copy_from_slice(&count.to_be_bytes());
        // One buffer from the start: the writer's thread seals every row of every commit.
        let mut sealed = Vec::with_capacity(SEAL_BYTES + value.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let tag = cipher
            .encrypt_inout_detached(&nonce.into(), aad, sealed[NONCE_BYTES..].as_mut().into())
            .expect("a row is shorter than ChaCha20's 256 GiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`Sealer::seal`] made for the same row.
    ///
    /// # Panics
    /// As [`Sealer::seal`].
    pub fn open(&self, space: u8, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        open_with(self.cipher(space), &self.place(space, key), sealed)
    }

    fn cipher(&self, space: u8) -> &XChaCha20Poly1305 {
        self.ciphers
            .get(usize::from(space))
            .expect("the space is one the session was opened with")
    }

    // Without the place in the tag, whoever can write to the disk could put a contact's row over another's.
    fn place(&self, space: u8, key: &[u8]) -> Vec<u8> {
        [&self.schema.to_be_bytes()[..], &[space], key].concat()
    }
}

fn open_with(cipher: &XChaCha20Poly1305, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    if sealed.len() < SEAL_BYTES {
        return Err(OpenError::TooShort {
            bytes: sealed.len(),
        });
    }
    let (nonce, msg) = sealed.split_at(NONCE_BYTES);
    let nonce = nonce.try_into().expect("split at a nonce's length");
    cipher
        .decrypt(nonce, Payload { msg, aad })
        .map_err(|_| OpenError::Refused)
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ciphers,
            schema,
            session: _,
            sealed,
        } = self;
        f.debug_struct("Sealer")
            .field("spaces", &ciphers.len())
            .field("schema", schema)
            .field("sealed", sealed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
