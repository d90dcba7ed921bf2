// SPDX-License-Identifier: MIT OR Apache-2.0
//! What stories are told with: people, relays, and a world to put them in.
#![allow(clippy::unwrap_used, clippy::panic)]

pub mod person;
pub mod powercut;
pub mod records;
pub mod relay;

pub use person::{Person, Process, binary, wait};
pub use relay::Relay;

/// Prints where a story is.
pub fn section(text: &str) {
    println!("== {text}");
}
