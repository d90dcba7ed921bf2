// SPDX-License-Identifier: MIT OR Apache-2.0
//! The step seed: 32 bytes from the engine's rng, from which one step draws all it needs.
//!
//! Whoever replays a run gives the same seeds and gets the same bytes. Draws with different labels are
//! independent, so it never matters which of two operations of a step asks first.

use core::convert::Infallible;
use core::fmt;

use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng, TryCryptoRng, TryRng};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The randomness of one operation. It is used up by it: the same seed for two operations would give two
/// key packages one init key, or two messages one reuse guard.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct StepSeed([u8; 32]);

impl StepSeed {
    /// Takes 32 bytes from `rng`.
    pub fn draw(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A seed that is already at hand, as a replay has it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 32 bytes that depend on the seed, `label` and `input` only.
    pub(crate) fn derive(&self, label: &str, input: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut output = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[label.as_bytes(), &[0], input], output.as_mut())
            .expect("32 bytes are within what HKDF-SHA256 gives");
        output
    }

    /// A stream that depends on the seed and `label` only.
    pub(crate) fn stream(&self, label: &str) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(*self.derive(label, &[]))
    }
}

impl fmt::Debug for StepSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("StepSeed(..)")
    }
}

/// Hands out bytes that were derived beforehand, for an interface that insists on a generator.
pub(crate) struct Prepared {
    bytes: Zeroizing<[u8; 32]>,
    used: usize,
}

impl Prepared {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { bytes, used: 0 }
    }
}

impl TryRng for Prepared {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        let end = self.used + target.len();
        target.copy_from_slice(
            self.bytes
                .get(self.used..end)
                .expect("an X25519 encapsulation draws 32 bytes, once"),
        );
        self.used = end;
        Ok(())
    }
}

impl TryCryptoRng for Prepared {}
