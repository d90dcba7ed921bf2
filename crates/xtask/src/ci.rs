// SPDX-License-Identifier: MIT OR Apache-2.0
//! CI: everything that decides whether a change may land, each once, within its time.

use std::process::ExitCode;
use std::time::Duration;

use crate::{checks, layers, needs::Missing, steps::Steps, suites, workspace};

/// On two cores with nothing compiled before. A longer run is not looked at while one works.
const LIMIT: Duration = Duration::from_secs(35 * 60);

pub(crate) fn command(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = crate::flags(arguments, &["--install"])?;
    let metadata = workspace::metadata()?;
    let all = suites::all(&metadata);
    let mut names: Vec<String> = all.iter().map(|suite| suite.name().to_owned()).collect();
    names.extend(["checks", "fmt", "clippy"].map(String::from));
    let missing = Missing::look(&names, options.contains(&"--install"));

    let mut steps = Steps::new(Some(LIMIT))?;
    // The quick ones first: who broke one of them need not wait for the compiler.
    steps.call("layers", || holds(&layers::check()?, "layers"));
    match missing.stops("checks") {
        Some(why) => steps.not_run("checks", &why),
        None => drop(steps.call("checks", || holds(&checks::check()?, "checks"))),
    }
    match missing.stops("fmt") {
        Some(why) => steps.not_run("fmt", &why),
        None => drop(steps.run(
            "fmt",
            std::process::Command::new(workspace::cargo()).args(["fmt", "--all", "--check"]),
        )?),
    }
    match missing.stops("clippy") {
        Some(why) => steps.not_run("clippy", &why),
        None => {
            let mut clippy = suites::cargo("clippy");
            clippy.args(["--workspace", "--all-targets", "--", "-D", "warnings"]);
            steps.run("clippy", &mut clippy)?;
        }
    }
    suites::build_and_run(&all, &metadata, &missing, &mut steps)?;
    Ok(steps.finish())
}

fn holds(findings: &checks::Findings, title: &str) -> anyhow::Result<bool> {
    findings.report(title);
    Ok(findings.count() == 0)
}
