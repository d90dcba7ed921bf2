// SPDX-License-Identifier: MIT OR Apache-2.0
//! The puzzle: work a stranger does before a relay stores its hello, when it has no token.

use sha2::{Digest, Sha256};

use crate::codec::DecodeError;
use crate::limits::PUZZLE_BITS_MAX;
use crate::wire_map;

/// Find a number whose hash with the seed begins with `bits` zero bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Puzzle {
    /// Random, by the relay, for one box and one connection.
    pub seed: [u8; 32],
    /// Zero bits asked for: doubles the work each.
    pub bits: u16,
    /// Until when the relay takes the solution, in its wall milliseconds.
    pub not_after_ms: u64,
}
wire_map!(Puzzle { 0 => seed, 1 => bits, 2 => not_after_ms }, check = Puzzle::check);

/// A solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PuzzleSolution {
    /// The puzzle's seed: the relay looks up what it asked for, and does not take the asker's word for `bits`.
    pub seed: [u8; 32],
    /// The number found.
    pub answer: u64,
}
wire_map!(PuzzleSolution { 0 => seed, 1 => answer });

impl Puzzle {
    /// Tries the numbers `from .. from + steps`. None: go on from `from + steps`; the caller decides how long to work.
    #[must_use]
    pub fn solve_step(&self, from: u64, steps: u64) -> Option<PuzzleSolution> {
        (from..from.saturating_add(steps))
            .find(|answer| zero_bits(&self.seed, *answer) >= u32::from(self.bits))
            .map(|answer| PuzzleSolution {
                seed: self.seed,
                answer,
            })
    }

    /// Whether the solution is this puzzle's. Time is the relay's to check. Costs one hash.
    #[must_use]
    pub fn accepts(&self, solution: &PuzzleSolution) -> bool {
        solution.seed == self.seed && zero_bits(&self.seed, solution.answer) >= u32::from(self.bits)
    }

    fn check(&self) -> Result<(), DecodeError> {
        crate::codec::at_most("bits of a puzzle", self.bits.into(), PUZZLE_BITS_MAX.into())
    }
}

fn zero_bits(seed: &[u8; 32], answer: u64) -> u32 {
    let hash = Sha256::new()
        .chain_update(b"comptoir/puzzle")
        .chain_update(seed)
        .chain_update(answer.to_be_bytes())
        .finalize();
    let whole = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(whole).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(whole * 8).expect("a hash has 256 bits") + rest
}

#[cfg(test)]
mod tests;
