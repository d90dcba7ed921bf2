// SPDX-License-Identifier: MIT OR Apache-2.0
//! The simulator over its seeds: every scenario, and every mistake that it must see.

use comptoir_sim::{Scenario, Seeds, run_seeds};

use crate::figure::Report;

/// From so many seeds on, a fault that never fired counts as a failed seed.
const SEEDS_FOR_ALL: u64 = 1_000;

/// Runs seeds of every scenario and says what came of them; which ones failed goes to stderr.
pub(crate) fn measure(from: u64, count: u64, report: &mut Report) {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut run, mut failed) = (Vec::new(), 0);
    for scenario in Scenario::ALL {
        let seeds = Seeds {
            from,
            count,
            jobs,
            replay: false,
        };
        let summary = run_seeds(scenario, seeds);
        let name = scenario.name();
        for (seed, violation) in &summary.failed {
            eprintln!("{name} {seed}: {violation}");
        }
        let silent = summary.tally.silent();
        if count >= SEEDS_FOR_ALL && !silent.is_empty() {
            eprintln!("{name}: never fired: {}", silent.join(", "));
            failed += 1;
        }
        run.push(summary.seeds);
        failed += summary.failed.len();
    }
    #[allow(clippy::cast_precision_loss, reason = "no run has 2^52 seeds")]
    {
        let run: Vec<f64> = run.into_iter().map(|seeds| seeds as f64).collect();
        report.figure("sim.seeds", "seeds of each", &run);
        report.figure("sim.failed", "seeds", &[failed as f64]);
    }
    mutants(report);
}

#[cfg(feature = "mutants")]
fn mutants(report: &mut Report) {
    use comptoir_sim::mutants::{Mutant, catch};
    let mut all = true;
    for mutant in Mutant::ALL {
        if catch(mutant, &Scenario::ALL).is_none() {
            eprintln!("{mutant:?} was not seen");
            all = false;
        }
    }
    report.figure("sim.mutants_caught", "yes/no", &[f64::from(u8::from(all))]);
}

#[cfg(not(feature = "mutants"))]
fn mutants(report: &mut Report) {
    let reason = "engines that can make mistakes come with --features mutants";
    report.nothing("sim.mutants_caught", "yes/no", reason);
}
