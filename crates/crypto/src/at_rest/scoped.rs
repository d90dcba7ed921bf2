// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scoped rows: sealed under a random key of their own, so that destroying the key erases every copy of them at once.
//!
//! ```text
//! a row      ┌──────┬───────┬───────┬────────────┬─────┐     sealed under the scope's key, bound to the row's key
//!            │ mark │ scope │ nonce │ ciphertext │ tag │     and to the scope
//!            │   8  │   12  │   24  │            │  16 │
//!            └──────┴───────┴───────┴────────────┴─────┘
//! a slot     ┌───────┬─────────────────────────┬─────┐       sealed under the root key, bound to the slot's number
//!            │ nonce │ sealed scope 12, key 32 │ tag │
//!            │   24  │            44           │  16 │
//!            └───────┴─────────────────────────┴─────┘
//! ```
//!
//! The scope's key is random and derived from nothing: whoever has the root key and every old byte of the store still
//! lacks it once its slot is gone. The slot is sealed, so whoever has the disk alone lacks it before.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{NONCE_BYTES, OpenError, RootStoreKey, SEAL_BYTES, Sealer, open_with};

/// A scope's name, as the store writes it.
pub const SCOPE_NAME_BYTES: usize = 12;

/// A scope's name, as the store writes it.
pub type ScopeName = [u8; SCOPE_NAME_BYTES];

/// What a scoped row is longer than its value.
pub const SCOPED_BYTES: usize = MARK.len() + SCOPE_NAME_BYTES + SEAL_BYTES;

/// What a slot's seal takes.
pub const SLOT_SEALED_BYTES: usize = NONCE_BYTES + SCOPE_NAME_BYTES + KEY_BYTES + 16;

/// The nonce a slot was sealed with: of two keys that lay in one slot, which.
pub type SlotNonce = [u8; NONCE_BYTES];

/// Begins a scoped row. Rows of older stores begin with the random half of a nonce: one store in 2^64 has this one.
const MARK: [u8; 8] = *b"scoped 1";

const KEY_BYTES: usize = 32;

const SLOT_PURPOSE: &str = "scope keys";

/// The key of one scope.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ScopeKey([u8; KEY_BYTES]);

impl ScopeKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.0).into())
    }
}

impl core::fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("ScopeKey(..)")
    }
}

/// Where the keys of one session come from: random bytes of its opening, hashed on with each key, so that what is in
/// memory gives none of the earlier ones back.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ScopeKeySource([u8; KEY_BYTES]);

impl ScopeKeySource {
    /// Draws the session's secret.
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        let mut secret = [0; KEY_BYTES];
        rng.fill_bytes(&mut secret);
        Self(secret)
    }

    /// The next key, and the nonce for its slot.
    pub fn draw(&mut self) -> (ScopeKey, SlotNonce) {
        const DRAWN: usize = KEY_BYTES + NONCE_BYTES + KEY_BYTES;
        let mut drawn = Zeroizing::new([0; DRAWN]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(b"comptoir/at-rest\0scope", drawn.as_mut())
            .expect("88 bytes are within what HKDF-SHA256 gives");
        let (key, rest) = drawn.split_at(KEY_BYTES);
        let (nonce, next) = rest.split_at(NONCE_BYTES);
        self.0.copy_from_slice(next);
        (
            ScopeKey(key.try_into().expect("split at a key's length")),
            nonce.try_into().expect("split at a nonce's length"),
        )
    }
}

/// Seals the slots of a store.
pub struct SlotCipher(XChaCha20Poly1305);

impl SlotCipher {
    /// The cipher of a store's slots.
    pub fn new(root: &RootStoreKey) -> Self {
        Self(XChaCha20Poly1305::new((&*root.subkey(SLOT_PURPOSE)).into()))
    }

    /// Seals a key for the slot of this number.
    pub fn seal(
        &self,
        number: u32,
        nonce: &SlotNonce,
        scope: &ScopeName,
        key: &ScopeKey,
    ) -> [u8; SLOT_SEALED_BYTES] {
        let plain = Zeroizing::new([&scope[..], &key.0].concat());
        let sealed = self.0.encrypt(
            nonce.into(),
            Payload {
                msg: &plain,
                aad: &number.to_be_bytes(),
            },
        );
        let sealed = sealed.expect("44 bytes are within what ChaCha20 seals");
        let mut slot = [0; SLOT_SEALED_BYTES];
        slot[..NONCE_BYTES].copy_from_slice(nonce);
        slot[NONCE_BYTES..].copy_from_slice(&sealed);
        slot
    }

    /// Opens what [`SlotCipher::seal`] made for the slot of this number; none when it is anything else.
    pub fn open(
        &self,
        number: u32,
        slot: &[u8; SLOT_SEALED_BYTES],
    ) -> Option<(SlotNonce, ScopeName, ScopeKey)> {
        let plain = Zeroizing::new(open_with(&self.0, &number.to_be_bytes(), slot).ok()?);
        let (scope, key) = plain.split_at_checked(SCOPE_NAME_BYTES)?;
        Some((
            slot[..NONCE_BYTES].try_into().ok()?,
            scope.try_into().ok()?,
            ScopeKey(key.try_into().ok()?),
        ))
    }
}

/// The scope a row names; none for a row that is not scoped.
pub fn scope_of(sealed: &[u8]) -> Option<ScopeName> {
    sealed
        .strip_prefix(&MARK)?
        .first_chunk::<SCOPE_NAME_BYTES>()
        .copied()
}

impl Sealer {
    /// Seals `value` for the row `row` of `space` under the key of a scope.
    pub fn seal_scoped(
        &self,
        key: &ScopeKey,
        scope: &ScopeName,
        space: u8,
        row: &[u8],
        value: &[u8],
    ) -> Vec<u8> {
        let aad = self.scoped_place(scope, space, row);
        let sealed = self.seal_with(&key.cipher(), &aad, value);
        [&MARK[..], scope, &sealed].concat()
    }

    /// Opens what [`Sealer::seal_scoped`] made for the same row and scope; [`scope_of`] says which.
    pub fn open_scoped(
        &self,
        key: &ScopeKey,
        scope: &ScopeName,
        space: u8,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let head = MARK.len() + SCOPE_NAME_BYTES;
        let bytes = sealed.len();
        let sealed = sealed.get(head..).ok_or(OpenError::TooShort { bytes })?;
        open_with(&key.cipher(), &self.scoped_place(scope, space, row), sealed)
    }

    fn scoped_place(&self, scope: &ScopeName, space: u8, row: &[u8]) -> Vec<u8> {
        [&self.place(space, row), &scope[..]].concat()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const SCOPE: ScopeName = [3; SCOPE_NAME_BYTES];

    fn sealer(root: &RootStoreKey) -> Sealer {
        Sealer::open_session(root, 1, 9, &mut ChaCha20Rng::from_seed([1; 32]))
    }

    /// R-7.5.
    #[test]
    fn a_scoped_row_opens_under_its_own_key_row_and_scope_alone() {
        let root = RootStoreKey::from_bytes([7; 32]);
        let sealer = sealer(&root);
        let mut source = ScopeKeySource::new(&mut ChaCha20Rng::from_seed([2; 32]));
        let ((key, _), (other, _)) = (source.draw(), source.draw());
        let sealed = sealer.seal_scoped(&key, &SCOPE, 7, b"row", b"text");
        assert_eq!(sealed.len(), b"text".len() + SCOPED_BYTES);
        assert_eq!(scope_of(&sealed), Some(SCOPE));
        let open = |key, scope: &ScopeName, space, row: &[u8]| {
            sealer.open_scoped(key, scope, space, row, &sealed)
        };
        assert_eq!(open(&key, &SCOPE, 7, b"row").unwrap(), b"text");
        assert_eq!(open(&other, &SCOPE, 7, b"row"), Err(OpenError::Refused));
        assert_eq!(open(&key, &[4; 12], 7, b"row"), Err(OpenError::Refused));
        assert_eq!(open(&key, &SCOPE, 8, b"row"), Err(OpenError::Refused));
        assert_eq!(open(&key, &SCOPE, 7, b"another"), Err(OpenError::Refused));
        // The root key alone opens nothing of it.
        assert!(sealer.open(7, b"row", &sealed[MARK.len() + 12..]).is_err());
        assert_eq!(scope_of(&sealer.seal(7, b"row", b"text")), None);
        for length in 0..sealed.len() {
            let cut = &sealed[..length];
            assert!(sealer.open_scoped(&key, &SCOPE, 7, b"row", cut).is_err());
        }
    }

    /// R-7.5.
    #[test]
    fn a_slot_opens_under_its_root_key_and_number_alone() {
        let root = RootStoreKey::from_bytes([7; 32]);
        let cipher = SlotCipher::new(&root);
        let (key, nonce) = ScopeKeySource::new(&mut ChaCha20Rng::from_seed([2; 32])).draw();
        let slot = cipher.seal(5, &nonce, &SCOPE, &key);
        let (found, scope, opened) = cipher.open(5, &slot).unwrap();
        assert_eq!((found, scope, opened.0), (nonce, SCOPE, key.0));
        assert!(cipher.open(6, &slot).is_none());
        let other = SlotCipher::new(&RootStoreKey::from_bytes([8; 32]));
        assert!(other.open(5, &slot).is_none());
        for at in 0..slot.len() {
            let mut flipped = slot;
            flipped[at] ^= 1;
            assert!(cipher.open(5, &flipped).is_none());
        }
        assert!(cipher.open(5, &[0; SLOT_SEALED_BYTES]).is_none());
    }

    #[test]
    fn no_two_keys_and_nonces_of_a_session_are_one() {
        let mut source = ScopeKeySource::new(&mut ChaCha20Rng::from_seed([2; 32]));
        let drawn: Vec<_> = (0..50).map(|_| source.draw()).collect();
        for (at, (key, nonce)) in drawn.iter().enumerate() {
            for (other_key, other_nonce) in &drawn[at + 1..] {
                assert!(key.0 != other_key.0 && nonce != other_nonce);
            }
        }
    }
}
