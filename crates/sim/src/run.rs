// SPDX-License-Identifier: MIT OR Apache-2.0
//! The run: one seed of a scenario, from the first meeting to the last check.

use comptoir_engine::Config;
use rand_core::Rng as _;

use crate::ending::{agree, forgets_what_was_erased, heal, keeps_what_is_held_back};
use crate::faults::Faults;
use crate::meeting::meet;
use crate::newer::refuses_what_it_cannot_read;
use crate::round::round;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::world::World;

const MINUTE_MS: u64 = 60_000;

/// A run goes on at least until its engines have had so many inputs.
const INPUTS_MIN: u64 = 300;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: Scenario,
    /// Which seed.
    pub seed: u64,
    /// How many inputs its engines had.
    pub inputs: u64,
    /// How often every fault and refusal fired.
    pub tally: Tally,
    /// The hash over everything that left a node.
    pub trace: [u8; 32],
    /// What was wrong, if anything.
    pub violation: Option<String>,
}

impl Outcome {
    /// A run that never came to its end.
    pub(crate) fn panicked(scenario: Scenario, seed: u64) -> Self {
        Self {
            scenario,
            seed,
            inputs: 0,
            tally: Tally::default(),
            trace: [0; 32],
            violation: Some("it panicked".to_owned()),
        }
    }
}

/// Runs one seed of a scenario.
pub fn run(scenario: Scenario, seed: u64) -> Outcome {
    run_with(scenario, seed, &Config::default())
}

/// Runs one seed with engines that are told what to do.
pub(crate) fn run_with(scenario: Scenario, seed: u64, config: &Config) -> Outcome {
    let mut world = World::new(seed, 2, scenario.relays(), config);
    for what in scenario.expected() {
        world.tally.add(what, 0);
    }
    if scenario == Scenario::OneEvilRelay {
        world.relays[0].evil = true;
    }
    if scenario == Scenario::Sleep3Days {
        world.relay_sweep_ms = MINUTE_MS;
    }
    for relay in &mut world.relays {
        relay.forgetful = scenario == Scenario::AmnesiacRelay;
    }
    let violation = play(&mut world, scenario)
        .err()
        .or_else(|| world.violation().map(str::to_owned));
    // What happened first explains what was missing in the end.
    let violation = world.violation().map(str::to_owned).or(violation);
    let tally = std::mem::take(&mut world.tally);
    Outcome {
        scenario,
        seed,
        inputs: world.inputs,
        tally,
        trace: world.trace(),
        violation,
    }
}

fn play(world: &mut World, scenario: Scenario) -> Result<(), String> {
    // Half of the worlds are bad from the first minute on, half wait until the two have met.
    let bad_from_the_start =
        world.rng.next_u32().is_multiple_of(2) && scenario != Scenario::Lossy30;
    if bad_from_the_start {
        world.faults = Faults {
            relay_forgets: 0,
            ..scenario.faults()
        };
    }
    meet(world, scenario)?;
    world.faults = scenario.faults();
    let mut rounds = 0;
    while world.inputs < INPUTS_MIN || rounds < scenario.rounds() {
        round(world, scenario);
        rounds += 1;
        if let Some(violation) = world.violation() {
            return Err(violation.to_owned());
        }
    }
    heal(world)?;
    agree(world)?;
    forgets_what_was_erased(world)?;
    if scenario == Scenario::Pair {
        keeps_what_is_held_back(world)?;
    }
    refuses_what_it_cannot_read(world)
}
