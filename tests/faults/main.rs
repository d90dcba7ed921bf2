// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults: processes killed and disks cut off, and what was acknowledged still there.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod controls;
mod kills;
mod power;
mod store;

/// A number from the environment, for runs longer than CI has time for.
fn asked(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(otherwise)
}
