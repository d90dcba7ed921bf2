// SPDX-License-Identifier: MIT OR Apache-2.0
//! The project's commands: `cargo xtask demo`, `test`, `ci`, `checks`, `layers`, `audit`, `vectors`, `fuzz`.
//!
//! Uses none of Comptoir's own crates, so it builds in seconds and judges them from outside.

use std::process::ExitCode;

mod checks;
mod ci;
mod demo;
mod guard;
mod layers;
mod needs;
mod steps;
mod suites;
mod tools;
mod workspace;

const USAGE: &str = "\
cargo xtask COMMAND

  demo [--stay] [--install]   the main job on real input: two nodes, two relays, kills, one relay lost
  test [SUITE…] [--install]   all tests, or the suites named (`cargo xtask test --list`)
  ci                          everything that decides whether a change may land, each once
  checks                      licences, pins, sources, bans, SPDX lines, SPEC rules, README facts
  layers                      which crate may use which
  audit                       known advisories (asks a database on the network; not part of ci)
  vectors                     check the wire vectors; --write makes them anew
  fuzz [SECONDS]              mutate the committed corpus, SECONDS a target (10)

--install  also install what is missing (Debian packages); without it, only say what";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "layers" => layers::command(rest),
        "checks" => checks::command(rest),
        "demo" => demo::command(rest),
        "test" => suites::command(rest),
        "ci" => ci::command(rest),
        "audit" => tools::audit(rest),
        "vectors" => tools::vectors(rest),
        "fuzz" => tools::fuzz(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => anyhow::bail!("no command `{other}`\n\n{USAGE}"),
    }
}

/// Fails on any argument but those `known`; returns which of them were given.
fn flags<'a>(arguments: &'a [String], known: &[&str]) -> anyhow::Result<Vec<&'a str>> {
    let mut given = Vec::new();
    for argument in arguments {
        anyhow::ensure!(
            known.contains(&argument.as_str()),
            "unknown argument `{argument}`; known: {}",
            known.join(" ")
        );
        given.push(argument.as_str());
    }
    Ok(given)
}
