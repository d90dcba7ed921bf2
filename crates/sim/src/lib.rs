// SPDX-License-Identifier: MIT OR Apache-2.0
//! A world of engines, relays and stores on virtual time, with every fault from one seed.
//!
//! The engine, the mailbox rules and the store are the real ones; only disks, wires and clocks are made up. A run is a
//! pure function of scenario and seed, so a failing seed is a bug report that replays.

mod checks;
mod driver;
mod faults;
mod flood;
mod items;
#[cfg(feature = "mutants")]
pub mod mutants;
mod node;
mod relay;
mod runner;
mod scenario;
mod tally;
mod trace;
mod users;
mod world;

pub use faults::Faults;
pub use runner::{Seeds, Summary, run_seeds};
pub use scenario::{Outcome, Scenario, run};
pub use tally::Tally;
pub use world::World;
