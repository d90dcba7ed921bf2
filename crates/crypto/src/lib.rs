// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, sealed boxes, the at-rest cipher and MLS threads.
//!
//! No primitive is ours, nothing here does IO or reads a clock, and all randomness comes from the caller: as an rng
//! where a key is made, as a [`StepSeed`] where an operation may run on several threads.

pub mod account;
pub mod at_rest;
pub mod blob;
pub mod branch;
pub mod deposit;
pub mod hello;
mod hpke;
pub mod keys;
pub mod mls;
mod phrase;
mod seed;

pub use phrase::{PHRASE_WORDS, Phrase, PhraseError};
pub use seed::StepSeed;
