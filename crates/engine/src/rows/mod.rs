// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows: where everything the engine knows is kept. Keys are `space ‖ big-endian numbers`.
//!
//! Keys are not encrypted at rest, so none carries an account, a device or a name: local numbers only.

pub mod account;
pub mod contact;
pub mod counts;
pub mod ending;
pub mod held_back;
pub mod key;
pub mod reach;
pub mod record;
pub mod thread;
