// SPDX-License-Identifier: MIT OR Apache-2.0
//! A world of engines, relays and stores on virtual time, with every fault from one seed.
//!
//! The engine, the mailbox rules and the store are the real ones; only disks, wires and clocks are made up. A run is a
//! pure function of scenario and seed, so a failing seed is a bug report that replays.

mod checks;
mod confirmations;
mod driver;
mod ending;
mod faults;
mod flood;
mod intruder;
mod items;
mod links;
mod meeting;
#[cfg(feature = "mutants")]
pub mod mutants;
mod newer;
mod node;
mod promotions;
mod relay;
mod round;
mod run;
mod runner;
mod scenario;
mod tally;
mod trace;
mod transcript;
mod users;
mod wires;
mod wishes;
mod world;

pub use run::{Outcome, run};
pub use runner::{Seeds, Summary, run_seeds};
pub use scenario::Scenario;
pub use tally::Tally;
