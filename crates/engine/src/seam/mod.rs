// SPDX-License-Identifier: MIT OR Apache-2.0
//! The seam: inputs, commands, steps, events, and the view. All that a driver has to do with.

pub mod answer;
pub mod command;
pub mod config;
pub mod error;
pub mod event;
pub mod input;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod step;
pub mod view;
