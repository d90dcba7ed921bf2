// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mutants: engines that make a mistake on purpose, and the first world that sees it.

pub use comptoir_engine::seam::mutant::{MARK, Mutant};

use comptoir_engine::Config;

use crate::run::{Outcome, run_with};
use crate::scenario::Scenario;

/// Seeds in which a mistake must show: each is run until one catches it.
const SEEDS: u64 = 40;

/// The first world of these that sees a mistake; none if all pass it.
pub fn catch(mutant: Mutant, scenarios: &[Scenario]) -> Option<Outcome> {
    let config = Config {
        mutant: Some(mutant),
        ..Config::default()
    };
    // Scenarios in turn: a mistake that one kind of world never meets shows soon in another.
    let tries =
        (1..=SEEDS).flat_map(|seed| scenarios.iter().map(move |scenario| (*scenario, seed)));
    tries
        .map(|(scenario, seed)| run_with(scenario, seed, &config))
        .find(|outcome| outcome.violation.is_some())
}
