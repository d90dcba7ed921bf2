// SPDX-License-Identifier: MIT OR Apache-2.0
//! The runner: many seeds of a scenario, on several cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::{Outcome, run};
use crate::scenario::Scenario;
use crate::tally::Tally;

/// Which seeds, and how.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Threads that run them.
    pub jobs: usize,
    /// Each is run twice, and both runs must agree.
    pub replay: bool,
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many were run.
    pub seeds: u64,
    /// Which failed, and of what, in order.
    pub failed: Vec<(u64, String)>,
    /// Inputs that engines had, over all seeds.
    pub inputs: u64,
    /// Inputs of the seed that had the fewest.
    pub fewest: Option<u64>,
    /// How often every fault and refusal fired.
    pub tally: Tally,
    /// The trace of the last seed.
    pub trace: [u8; 32],
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.inputs += outcome.inputs;
        self.fewest = Some(
            self.fewest
                .map_or(outcome.inputs, |least| least.min(outcome.inputs)),
        );
        self.tally.merge(&outcome.tally);
        self.trace = outcome.trace;
        if let Some(violation) = &outcome.violation {
            self.failed.push((outcome.seed, violation.clone()));
        }
    }
}

/// Runs seeds of a scenario.
pub fn run_seeds(scenario: Scenario, seeds: Seeds) -> Summary {
    let next = AtomicU64::new(seeds.from);
    let end = seeds.from.saturating_add(seeds.count);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return done;
            }
            done.push(one(scenario, seed, seeds.replay));
        }
    };
    let mut outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..seeds.jobs.max(1))
            .map(|_| scope.spawn(worker))
            .collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker catches the panic of a seed"));
        joined.flatten().collect()
    });
    outcomes.sort_by_key(|outcome| outcome.seed);
    let mut summary = Summary::default();
    outcomes.iter().for_each(|outcome| summary.add(outcome));
    summary
}

fn one(scenario: Scenario, seed: u64, replay: bool) -> Outcome {
    // An engine that panics is a failed seed like any other; the others run on.
    let run = || catch_unwind(AssertUnwindSafe(|| run(scenario, seed)));
    let Ok(mut outcome) = run() else {
        return Outcome::panicked(scenario, seed);
    };
    if replay && outcome.violation.is_none() {
        let same = run().is_ok_and(|again| again.trace == outcome.trace);
        outcome.violation = (!same).then(|| "two runs of the seed differ".to_owned());
    }
    outcome
}
