// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system's randomness: the one place where it enters the program.

/// The system gave no randomness; nothing of ours may go on without.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no randomness: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

/// Draws `N` bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
