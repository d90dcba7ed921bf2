// SPDX-License-Identifier: MIT OR Apache-2.0
//! Queries about kept answers: whether a request was made before.

use super::read;
use crate::rows::account::Repeated;
use crate::rows::key::{self, Key};
use crate::seam::view::{View, ViewError};

/// Whether a command of this persona was answered under the caller's key, and its repetition gets that answer.
pub fn was_answered(
    view: &impl View,
    persona: u16,
    key: &[u8; 32],
    now_ms: u64,
) -> Result<bool, ViewError> {
    let row = Key::of(key::IDEMPOTENCY).u16(persona).bytes(key);
    let kept: Option<Repeated> = read::one(view, row)?;
    Ok(kept.is_some_and(|kept| kept.expires_ms > now_ms))
}
