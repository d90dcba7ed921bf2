// SPDX-License-Identifier: MIT OR Apache-2.0
//! The passphrase lock: the root key sealed under Argon2id of a passphrase, with its parameters beside it.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::RootStoreKey;

/// What one guess costs. Stored beside the locked key, so it can rise for new locks without a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory filled, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes; they may run in parallel.
    pub lanes: u32,
}

impl PassphraseCost {
    /// The second recommendation of RFC 9106: 64 MiB, 3 passes, 4 lanes; about 0.2 s on a desktop.
    pub const RECOMMENDED: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    // A damaged or planted header must not make us fill the machine's memory or run for an hour.
    const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    const PASSES_MAX: u32 = 64;
    const LANES_MAX: u32 = 16;

    fn argon2(self) -> Result<Argon2<'static>, UnlockError> {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        if memory_kib > Self::MEMORY_KIB_MAX || passes > Self::PASSES_MAX || lanes > Self::LANES_MAX
        {
            return Err(UnlockError::Cost(self));
        }
        let params = Params::new(memory_kib, passes, lanes, Some(32))
            .map_err(|_| UnlockError::Cost(self))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    pub(super) fn key(
        self,
        passphrase: &[u8],
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, UnlockError> {
        let mut key = Zeroizing::new([0; 32]);
        self.argon2()?
            .hash_password_into(passphrase, salt, key.as_mut())
            .map_err(|_| UnlockError::Cost(self))?;
        Ok(key)
    }
}

/// The locked key was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Not a lock of ours. Not retryable: restore the file from a backup.
    #[error("the key file is damaged: {bytes} bytes, or of an unknown version")]
    Damaged {
        /// How long it is.
        bytes: usize,
    },
    /// The cost is beyond what we are willing to spend, or Argon2 does not know it.
    #[error("the key file asks for a cost we do not accept: {0:?}")]
    Cost(PassphraseCost),
    /// The passphrase is another one. Retryable with the right one.
    #[error("wrong passphrase")]
    WrongPassphrase,
}

const VERSION: u8 = 1;
const SALT: core::ops::Range<usize> = 13..29;
const NONCE: core::ops::Range<usize> = 29..53;
const LOCKED_BYTES: usize = 53 + 32 + 16;

impl RootStoreKey {
    /// Locks the key with `passphrase`. Fills `cost.memory_kib` of memory and takes its time.
    ///
    /// ```text
    /// ┌─────────┬────────────┬────────┬───────┬──────┬───────┬─────────────────┐
    /// │ version │ memory KiB │ passes │ lanes │ salt │ nonce │ sealed key, tag │
    /// │    1    │      4     │    4   │   4   │  16  │   24  │      32 + 16    │
    /// └─────────┴────────────┴────────┴───────┴──────┴───────┴─────────────────┘
    /// ```
    pub fn lock(
        &self,
        passphrase: &[u8],
        cost: PassphraseCost,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, UnlockError> {
        let mut locked = vec![VERSION];
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            locked.extend(number.to_be_bytes());
        }
        let mut random = [0; 40];
        rng.fill_bytes(&mut random);
        locked.extend(random);
        let key = cost.key(passphrase, &locked[SALT])?;
        let nonce = (&locked[NONCE]).try_into().expect("a nonce's length");
        let sealed = XChaCha20Poly1305::new((&*key).into())
            .encrypt(
                nonce,
                Payload {
                    msg: &self.0,
                    aad: &locked,
                },
            )
            .expect("32 bytes are within what ChaCha20 seals");
        locked.extend(sealed);
        Ok(locked)
    }

    /// Opens what [`RootStoreKey::lock`] made.
    pub fn unlock(locked: &[u8], passphrase: &[u8]) -> Result<Self, UnlockError> {
        let damaged = UnlockError::Damaged {
            bytes: locked.len(),
        };
        if locked.len() != LOCKED_BYTES || locked[0] != VERSION {
            return Err(damaged);
        }
        let (head, sealed) = locked.split_at(NONCE.end);
        let number = |at: usize| {
            u32::from_be_bytes(
                head[at..at + 4]
                    .try_into()
                    .expect("four bytes of the header"),
            )
        };
        let cost = PassphraseCost {
            memory_kib: number(1),
            passes: number(5),
            lanes: number(9),
        };
        let key = cost.key(passphrase, &head[SALT])?;
        let nonce = (&head[NONCE]).try_into().expect("a nonce's length");
        let opened = XChaCha20Poly1305::new((&*key).into())
            .decrypt(
                nonce,
                Payload {
                    msg: sealed,
                    aad: head,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| UnlockError::WrongPassphrase)?;
        Ok(Self(opened.as_slice().try_into().map_err(|_| damaged)?))
    }
}
