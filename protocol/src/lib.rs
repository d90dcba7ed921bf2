// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Comptoir nodes say to one another: its bytes and its rules.
//!
//! Nothing here does IO, reads a clock or makes randomness. [`codec`] is the one file that turns values into bytes;
//! [`signed`] is the one way from bytes somebody signed to a value a rule may use. The rules are numbered in
//! `SPEC.md` beside this crate, each with the test that holds it.

pub mod acknowledgement;
pub mod body;
pub mod capability;
pub mod codec;
pub mod deposit;
pub mod envelope;
pub mod error;
pub mod evidence;
pub mod frame;
pub mod header;
pub mod hello;
pub mod id;
pub mod identity;
pub mod invite;
pub mod limits;
pub mod link;
pub mod place;
pub mod puzzle;
pub mod relay;
pub mod runs;
pub mod secret;
pub mod signed;
pub mod tag;
pub mod ticket;
pub mod time;

#[cfg(test)]
mod samples;

pub use codec::{Reader, Wire, Writer};
pub use error::{DecodeError, VerifyError};
pub use signed::{Signable, Signed, Verified};
