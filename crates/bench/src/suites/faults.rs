// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kills and power cuts: the fault tests, run for longer than CI does, and their tallies added up.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::Tries;
use crate::figure::Report;

/// Tries of a whole run, and of a short one.
const KILLS: [u32; 2] = [200, 20];
const CUTS: [u32; 2] = [60, 6];

/// What tests counted, by `OF.NAME`.
type Counts = BTreeMap<String, f64>;

/// The tests that find a broken store out; their tallies end in `.control`.
const CONTROLS: &str = "broken_stores_are_caught";

pub(crate) fn kill(tries: &Tries, short: bool, report: &mut Report) -> anyhow::Result<()> {
    let filters = [
        "nothing_acknowledged_is_lost_to_kill_9",
        "kills_of_sender",
        CONTROLS,
    ];
    let counts = run(&filters, "COMPTOIR_KILLS", KILLS[usize::from(short)], tries)?;
    show(
        "kill",
        &[
            ("tries", "kills"),
            ("lost", "messages"),
            ("duplicated", "messages"),
        ],
        &counts,
        report,
    );
    Ok(())
}

pub(crate) fn powercut(tries: &Tries, short: bool, report: &mut Report) -> anyhow::Result<()> {
    let counts = run(
        &["power_cut", CONTROLS],
        "COMPTOIR_CUTS",
        CUTS[usize::from(short)],
        tries,
    )?;
    show(
        "powercut",
        &[
            ("tries", "cuts"),
            ("lost", "messages"),
            ("unopened", "stores"),
        ],
        &counts,
        report,
    );
    Ok(())
}

/// Runs the fault tests whose names hold one of `filters`, and adds up the lines `tally OF NAME=COUNT …` they print.
fn run(filters: &[&str], variable: &str, otherwise: u32, tries: &Tries) -> anyhow::Result<Counts> {
    let mut command = Command::new("cargo");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command.args(["test", "--locked", "--profile", "ci", "--workspace"]);
    command.args(["--test", "faults", "--", "--nocapture"]);
    command.args(["--test-threads", "1"]).args(filters);
    command
        .env(variable, tries.count.unwrap_or(otherwise).to_string())
        .env("COMPTOIR_FROM", tries.from.to_string());
    // The released program, where it was built beside this one; the tests build their own otherwise.
    let own = std::env::current_exe()?.with_file_name("comptoir");
    if std::env::var_os("COMPTOIR_BIN").is_none() && is_released(&own) {
        command.env("COMPTOIR_BIN", own);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo")?;
    let stdout = child.stdout.take().context("stdout was piped")?;
    let mut counts = Counts::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        eprintln!("{line}");
        let Some((of, named)) = line
            .strip_prefix("tally ")
            .and_then(|line| line.split_once(' '))
        else {
            continue;
        };
        for (name, count) in named.split(' ').filter_map(|count| count.split_once('=')) {
            *counts.entry(format!("{of}.{name}")).or_default() += count.parse().unwrap_or(f64::NAN);
        }
    }
    let passed = child.wait()?.success();
    counts.insert("passed".to_owned(), f64::from(u8::from(passed)));
    Ok(counts)
}

fn is_released(program: &Path) -> bool {
    program.exists() && !cfg!(debug_assertions)
}

/// A count that no test gave is no zero: a suite that was stopped half-way has no figures, unless it found something.
fn show(of: &str, metrics: &[(&str, &str)], counts: &Counts, report: &mut Report) {
    let passed = counts.get("passed").is_some_and(|passed| *passed > 0.0);
    for (name, unit) in metrics {
        let metric = format!("{of}.{name}");
        match counts.get(&metric) {
            Some(count) if passed || *count > 0.0 => report.figure(&metric, unit, &[*count]),
            _ => report.nothing(&metric, unit, "a fault test failed: its output says why"),
        }
    }
    let metric = format!("{of}.control_caught");
    match counts.get(&format!("{of}.control.caught")) {
        Some(_) => report.figure(&metric, "yes/no", &[1.0]),
        None if passed => report.nothing(&metric, "yes/no", "no control was run"),
        None => report.figure(&metric, "yes/no", &[0.0]),
    }
}
