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

fn seen_as(mutant: Mutant, scenario: Scenario, said: &str) {
    let seen = catch(mutant, &[scenario]);
    let violation = seen.and_then(|seen| seen.violation);
    assert!(
        violation
            .as_ref()
            .is_some_and(|violation| violation.contains(said)),
        "{mutant:?}: {violation:?}"
    );
}

/// An evil relay's forged copies may be let go with their twins; an honest item that waits may not.
#[test]
fn an_early_acknowledgement_is_seen_beside_an_evil_relay() {
    seen_as(
        Mutant::DropsFetched,
        Scenario::OneEvilRelay,
        "let a relay drop envelope",
    );
}

/// Among copies that are forged, one that is not is told from them.
#[test]
fn an_honest_item_that_is_refused_is_seen_beside_an_evil_relay() {
    seen_as(
        Mutant::RefusesHonest,
        Scenario::OneEvilRelay,
        "of them were forged",
    );
}

#[test]
fn a_confirmation_of_what_never_came_is_seen() {
    seen_as(
        Mutant::ConfirmsAhead,
        Scenario::Pair,
        "came on this connection",
    );
}

#[test]
fn a_promotion_without_leave_is_seen() {
    seen_as(Mutant::ShowsWithoutLeave, Scenario::Pair, "I11");
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
