// SPDX-License-Identifier: MIT OR Apache-2.0
//! Worlds that must hold, and seeds that must replay.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::process::Command;

use comptoir_sim::{Outcome, Scenario, Tally, run};

/// Seeds a run of the tests takes; a thousand of each are run in pieces by `comptoir-sim --from N --count M`.
const SEEDS: u64 = 40;
/// Engines have so many inputs in each seed, at least.
const INPUTS_MIN: u64 = 300;

fn holds(scenario: Scenario, seeds: u64) {
    let mut tally = Tally::default();
    for seed in 1..=seeds {
        let Outcome {
            violation,
            inputs,
            tally: of_seed,
            ..
        } = run(scenario, seed);
        let replay = format!(
            "comptoir-sim --scenario {} --from {seed} --count 1",
            scenario.name()
        );
        assert_eq!(violation, None, "{replay}");
        assert!(inputs >= INPUTS_MIN, "{replay}: {inputs} inputs");
        tally.merge(&of_seed);
    }
    println!("{}: {tally}", scenario.name());
}

#[test]
fn pair() {
    holds(Scenario::Pair, SEEDS);
}

#[test]
fn pair_offline() {
    holds(Scenario::PairOffline, SEEDS);
}

#[test]
fn one_evil_relay() {
    holds(Scenario::OneEvilRelay, SEEDS);
}

#[test]
fn amnesiac_relay() {
    holds(Scenario::AmnesiacRelay, SEEDS);
}

#[test]
fn lossy30() {
    holds(Scenario::Lossy30, SEEDS / 2);
}

#[test]
fn sleep_3_days() {
    holds(Scenario::Sleep3Days, SEEDS / 2);
}

#[test]
fn twenty_seeds_replay_to_the_same_envelopes() {
    for seed in 1..=20 {
        let (one, other) = (
            run(Scenario::OneEvilRelay, seed),
            run(Scenario::OneEvilRelay, seed),
        );
        assert_eq!(
            (one.trace, one.inputs),
            (other.trace, other.inputs),
            "seed {seed}"
        );
    }
}

#[test]
fn two_processes_agree_on_a_seed() {
    let trace = || {
        let arguments = ["--scenario", "pair_offline", "--from", "7", "--count", "1"];
        let output = Command::new(env!("CARGO_BIN_EXE_comptoir-sim"))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .find(|line| line.starts_with("trace "))
            .unwrap()
            .to_owned()
    };
    assert_eq!(trace(), trace());
}
