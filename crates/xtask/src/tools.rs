// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tools outside CI: advisories, vectors, fuzzing.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::{steps::Steps, suites, workspace};

/// Known advisories against the lock file. Needs a database from the network, so it decides nothing in CI.
pub(crate) fn audit(arguments: &[String]) -> anyhow::Result<ExitCode> {
    crate::flags(arguments, &[])?;
    for tool in [["audit"].as_slice(), &["deny", "check", "advisories"]] {
        if !has_subcommand(tool[0]) {
            continue;
        }
        let output = Command::new(workspace::cargo())
            .args(tool)
            .current_dir(workspace::root())
            .output()
            .with_context(|| format!("could not start cargo {}", tool[0]))?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{said}");
        if output.status.success() {
            println!("audit: no advisory against a dependency");
            return Ok(ExitCode::SUCCESS);
        }
        if database_unreachable(&said) {
            println!("not run: audit (its database of advisories cannot be reached from here)");
        } else {
            println!("audit: see above");
        }
        return Ok(ExitCode::FAILURE);
    }
    println!("not run: audit (no tool for it; install one: cargo install --locked cargo-audit)");
    Ok(ExitCode::FAILURE)
}

/// A failed fetch, in the words of either tool.
fn database_unreachable(said: &str) -> bool {
    [
        "couldn't fetch advisory database",
        "failed to fetch advisory database",
        "failed to fetch",
    ]
    .iter()
    .any(|words| said.contains(words))
}

fn has_subcommand(name: &str) -> bool {
    Command::new(workspace::cargo())
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Checks the vectors under `tests/vectors` against the code; `--write` makes them anew.
pub(crate) fn vectors(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = crate::flags(arguments, &["--write"])?;
    let mut command = suites::cargo("test");
    command.args(["--package", "comptoir-protocol", "--lib", "--", "vector"]);
    if options.contains(&"--write") {
        command.env("UPDATE_VECTORS", "1");
    }
    let mut steps = Steps::new(None)?;
    steps.run("vectors", &mut command)?;
    Ok(steps.finish())
}

/// Mutates the committed corpus and feeds it to every decoder, for some seconds each.
pub(crate) fn fuzz(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let seconds = match arguments {
        [] => suites::FUZZ_SECONDS,
        [seconds] => seconds,
        _ => anyhow::bail!("cargo xtask fuzz [SECONDS]"),
    };
    let _number: u32 = seconds
        .parse()
        .with_context(|| format!("`{seconds}` is not a number of seconds"))?;
    let mut command = suites::cargo("test");
    command
        .args(["--workspace", "--test", "fuzz", "--", "--nocapture"])
        .env("COMPTOIR_FUZZ_SECONDS", seconds);
    let mut steps = Steps::new(None)?;
    steps.run("fuzz", &mut command)?;
    Ok(steps.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_out_of_reach_is_told_from_an_advisory() {
        assert!(database_unreachable(
            "error: couldn't fetch advisory database: git operation failed"
        ));
        assert!(!database_unreachable("error: 1 vulnerability found!"));
    }
}
