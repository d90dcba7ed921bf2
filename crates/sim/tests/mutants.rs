// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mistakes that must be seen, and programs that must not be able to make them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use comptoir_sim::Scenario;
use comptoir_sim::mutants::{MARK, Mutant, catch};

#[test]
fn every_mistake_is_seen() {
    for mutant in Mutant::ALL {
        let Some(seen) = catch(mutant, &Scenario::ALL) else {
            panic!("{mutant:?} was not seen");
        };
        let (scenario, seed) = (seen.scenario.name(), seen.seed);
        println!("{mutant:?}: {scenario} {seed}: {}", seen.violation.unwrap());
    }
}

/// An evil relay's forged copies may be let go with their twins; an honest item that waits may not.
#[test]
fn an_early_acknowledgement_is_seen_beside_an_evil_relay() {
    let seen = catch(Mutant::DropsFetched, &[Scenario::OneEvilRelay]).unwrap();
    let violation = seen.violation.unwrap();
    assert!(
        violation.contains("let a relay drop envelope"),
        "{violation}"
    );
}

fn has_mark(program: &Path) -> bool {
    let bytes =
        std::fs::read(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    bytes
        .windows(MARK.len())
        .any(|window| window == MARK.as_bytes())
}

/// What users run, the demo and the kill loop take is built without the feature.
#[test]
fn the_users_program_cannot_make_mistakes() {
    let simulator = PathBuf::from(env!("CARGO_BIN_EXE_comptoir-sim"));
    assert!(has_mark(&simulator), "the mark is found where it must be");
    let users = std::env::var_os("COMPTOIR_BIN")
        .map_or_else(|| simulator.with_file_name("comptoir"), PathBuf::from);
    assert!(!has_mark(&users), "{} has mutants inside", users.display());
}
