// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs seeds: `comptoir-sim [--scenario NAME] [--from SEED] [--count N] [--jobs N] [--replay] [--mutants]`.

use std::process::ExitCode;
use std::time::Instant;

use comptoir_sim::{Scenario, Seeds, Summary, run_seeds};

/// From so many seeds on, a fault that never fired fails the run.
const SEEDS_FOR_ALL: u64 = 1_000;

struct Arguments {
    scenarios: Vec<Scenario>,
    seeds: Seeds,
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
        mutants(&arguments.scenarios)
    } else {
        // Every scenario runs, whatever became of the one before.
        let mut good = true;
        for scenario in &arguments.scenarios {
            good &= seeds(*scenario, arguments.seeds);
        }
        good
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut scenarios = Scenario::ALL.to_vec();
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut seeds = Seeds {
        from: 1,
        count: 20,
        jobs,
        replay: false,
    };
    let mut mutants = false;
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--scenario" => {
                let name = value()?;
                let mut all = Scenario::ALL.into_iter();
                let found = all.find(|scenario| scenario.name() == name);
                scenarios = vec![found.ok_or(format!("no scenario is called {name}"))?];
            }
            "--from" => seeds.from = number(&argument, &value()?)?,
            "--count" => seeds.count = number(&argument, &value()?)?,
            "--jobs" => seeds.jobs = number(&argument, &value()?)?,
            "--replay" => seeds.replay = true,
            "--mutants" if cfg!(feature = "mutants") => mutants = true,
            "--mutants" => return Err("built without mistakes: add --features mutants".to_owned()),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(Arguments {
        scenarios,
        seeds,
        mutants,
    })
}

fn number<T: std::str::FromStr>(option: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{option} takes a number"))
}

/// Runs the seeds of a scenario; true when none failed and nothing stayed silent over a thousand.
fn seeds(scenario: Scenario, seeds: Seeds) -> bool {
    let begun = Instant::now();
    let Summary {
        seeds: count,
        failed,
        inputs,
        fewest,
        tally,
        trace,
    } = run_seeds(scenario, seeds);
    let name = scenario.name();
    for (seed, violation) in &failed {
        println!(
            "FAILED {seed} (comptoir-sim --scenario {name} --from {seed} --count 1): {violation}"
        );
    }
    if count == 1 {
        let trace: String = trace.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("trace {trace}");
    }
    println!(
        "{name}: {count} seeds, {} failed, {inputs} inputs (at least {}), {} s; {tally}",
        failed.len(),
        fewest.unwrap_or(0),
        begun.elapsed().as_secs()
    );
    let silent = tally.silent();
    if count >= SEEDS_FOR_ALL && !silent.is_empty() {
        println!("{name}: never fired: {}", silent.join(", "));
        return false;
    }
    failed.is_empty()
}

/// Every mistake must be caught by some seed of some scenario.
#[cfg(feature = "mutants")]
fn mutants(scenarios: &[Scenario]) -> bool {
    let mut caught_all = true;
    for mutant in comptoir_sim::mutants::Mutant::ALL {
        match comptoir_sim::mutants::catch(mutant, scenarios) {
            Some(outcome) => println!(
                "caught {mutant:?} in {} seed {}: {}",
                outcome.scenario.name(),
                outcome.seed,
                outcome.violation.unwrap_or_default()
            ),
            None => {
                caught_all = false;
                println!("NOT CAUGHT {mutant:?}");
            }
        }
    }
    caught_all
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: &[Scenario]) -> bool {
    false
}
