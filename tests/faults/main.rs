// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults: processes killed, disks cut off and disks full, and what was acknowledged still there.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod check;
mod controls;
mod full;
mod kills;
mod power;
mod store;

/// The numbers of so many tries; `COMPTOIR_FROM` begins elsewhere, so that a long run can be had in pieces.
fn numbers(variable: &str, otherwise: u32) -> std::ops::Range<u32> {
    let from = asked("COMPTOIR_FROM", 0);
    from..from + asked(variable, otherwise)
}

/// A number from the environment, for runs longer than CI has time for.
fn asked(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(otherwise)
}
