// SPDX-License-Identifier: MIT OR Apache-2.0
//! The safety code: 60 digits two people compare to know that nobody stands between them.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::identity::AccountKeys;

/// Rounds of hashing for each half: a code that matches half the digits costs 5,200 times as much to search for.
/// The number is that of Signal's numeric fingerprint, which this follows.
const ROUNDS: u32 = 5_200;

/// Groups of five digits for each account.
const GROUPS: usize = 6;

/// 60 decimal digits: the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyCode([u32; 2 * GROUPS]);

impl SafetyCode {
    /// The twelve groups of five digits.
    #[must_use]
    pub fn groups(&self) -> [u32; 2 * GROUPS] {
        self.0
    }
}

/// Twelve groups of five digits.
impl fmt::Display for SafetyCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            write!(formatter, "{group:05}")?;
        }
        Ok(())
    }
}

/// The code of two accounts. It changes when either rotates its root or replaces its list key, and not when a device
/// comes or goes: people compare accounts, and the list key answers for devices. Costs two times 5,200 hashes.
#[must_use]
pub fn safety_code(one: &AccountKeys, other: &AccountKeys) -> SafetyCode {
    let mut halves = [half(one), half(other)];
    halves.sort_unstable();
    let mut groups = [0; 2 * GROUPS];
    for (slot, group) in groups.iter_mut().zip(halves.iter().flatten()) {
        *slot = *group;
    }
    SafetyCode(groups)
}

fn half(keys: &AccountKeys) -> [u32; GROUPS] {
    let identity = Sha256::new()
        .chain_update(b"comptoir/safety-code")
        .chain_update(keys.account().0)
        .chain_update(keys.root().0)
        .chain_update(keys.list_key().0)
        .finalize();
    let mut hash: [u8; 32] = identity.into();
    for _ in 0..ROUNDS {
        hash = Sha256::new()
            .chain_update(hash)
            .chain_update(identity)
            .finalize()
            .into();
    }
    // Five bytes are 2^40: taking them modulo 10^5 favours no group by more than one part in ten million.
    std::array::from_fn(|group| {
        let bytes = &hash[group * 5..group * 5 + 5];
        let number = bytes
            .iter()
            .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        u32::try_from(number % 100_000).expect("five digits fit 32 bits")
    })
}
