// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stories are told with: people, relays, and a world to put them in.
#![allow(clippy::unwrap_used, clippy::panic)]

pub mod build;
pub mod mount;
pub mod person;
pub mod powercut;
pub mod records;
pub mod relay;

pub use mount::SmallDisk;
pub use person::{Person, Process, binary, wait};
pub use relay::Relay;

/// Prints where a story is.
pub fn section(text: &str) {
    println!("== {text}");
}

/// Prints what a fault test counted, for whoever adds up several: `tally OF NAME=COUNT …`.
pub fn tally(of: &str, counts: &[(&str, u64)]) {
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name}={count}"))
        .collect();
    println!("tally {of} {}", counts.join(" "));
}
