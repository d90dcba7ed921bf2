// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs seeds: `comptoir-sim [--scenario NAME] [--from SEED] [--count N] [--replay] [--mutants]`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use comptoir_sim::{Mutant, Outcome, Scenario, Tally, run};

/// Seeds in which a mistake must show: each is run until one catches it.
const MUTANT_SEEDS: u64 = 40;

struct Arguments {
    scenarios: Vec<Scenario>,
    from: u64,
    count: u64,
    replay: bool,
    mutants: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("comptoir-sim: {error}");
            return ExitCode::from(2);
        }
    };
    let good = if arguments.mutants {
        mutants(&arguments)
    } else {
        seeds(&arguments)
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        scenarios: Scenario::ALL.to_vec(),
        from: 1,
        count: 20,
        replay: false,
        mutants: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--scenario" => {
                let name = value()?;
                let found = Scenario::ALL
                    .into_iter()
                    .find(|scenario| scenario.name() == name);
                parsed.scenarios = vec![found.ok_or(format!("no scenario is called {name}"))?];
            }
            "--from" => {
                parsed.from = value()?
                    .parse()
                    .map_err(|_| "--from takes a number".to_owned())?
            }
            "--count" => {
                parsed.count = value()?
                    .parse()
                    .map_err(|_| "--count takes a number".to_owned())?
            }
            "--replay" => parsed.replay = true,
            "--mutants" => parsed.mutants = true,
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(parsed)
}

/// Runs the seeds on all cores; true when none failed and nothing stayed silent over a thousand.
fn seeds(arguments: &Arguments) -> bool {
    let mut good = true;
    for scenario in &arguments.scenarios {
        let begun = Instant::now();
        let outcomes = on_all_cores(arguments, |seed| {
            let outcome = run(*scenario, seed, None);
            let again = arguments.replay.then(|| run(*scenario, seed, None));
            (outcome, again)
        });
        let mut tally = Tally::default();
        let (mut failed, mut inputs, mut fewest) = (0, 0, u64::MAX);
        for (outcome, again) in outcomes {
            tally.merge(&outcome.tally);
            inputs += outcome.inputs;
            fewest = fewest.min(outcome.inputs);
            let differs = again.is_some_and(|again| again.trace != outcome.trace);
            if let Some(violation) = outcome
                .violation
                .clone()
                .or(differs.then(|| "two runs of the seed differ".to_owned()))
            {
                failed += 1;
                println!(
                    "FAILED {} (comptoir-sim --scenario {} --from {} --count 1): {violation}",
                    outcome.seed,
                    scenario.name(),
                    outcome.seed
                );
            }
            if arguments.count == 1 {
                println!("trace {}", hex(&outcome));
            }
        }
        let silent = if arguments.count >= 1_000 {
            tally.silent()
        } else {
            Vec::new()
        };
        good &= failed == 0 && silent.is_empty();
        let seconds = begun.elapsed().as_secs();
        println!(
            "{}: {} seeds, {failed} failed, {inputs} inputs (at least {fewest}), {seconds} s; {tally}",
            scenario.name(),
            arguments.count
        );
        if !silent.is_empty() {
            println!("{}: never fired: {}", scenario.name(), silent.join(", "));
        }
    }
    good
}

/// Every mistake must be caught by some seed of some scenario.
fn mutants(arguments: &Arguments) -> bool {
    let mut caught_all = true;
    for mutant in Mutant::ALL {
        let tries = arguments
            .scenarios
            .iter()
            .flat_map(|scenario| (1..=MUTANT_SEEDS).map(move |seed| (*scenario, seed)));
        // Scenarios in turn: a mistake that one kind of world never meets shows soon in another.
        let mut tries: Vec<(Scenario, u64)> = tries.collect();
        tries.sort_by_key(|(scenario, seed)| (*seed, *scenario));
        let caught = tries.into_iter().find_map(|(scenario, seed)| {
            let outcome = run(scenario, seed, Some(mutant));
            outcome
                .violation
                .map(|violation| (scenario, seed, violation))
        });
        match caught {
            Some((scenario, seed, violation)) => {
                println!(
                    "caught {mutant:?} in {} seed {seed}: {violation}",
                    scenario.name()
                );
            }
            None => {
                caught_all = false;
                println!("NOT CAUGHT {mutant:?}");
            }
        }
    }
    caught_all
}

fn on_all_cores<T: Send>(arguments: &Arguments, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.count;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(u64, T)> = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return done;
                }
                done.push((seed, work(seed)));
            }
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker
                    .join()
                    .expect("a run reports what is wrong, it does not panic")
            })
            .collect()
    });
    done.sort_by_key(|(seed, _)| *seed);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn hex(outcome: &Outcome) -> String {
    outcome
        .trace
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
