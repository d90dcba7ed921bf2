// SPDX-License-Identifier: MIT OR Apache-2.0
//! The check: numbered lines that must all be there, once each.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use comptoir_tests::{Person, tally};

use crate::asked;

/// How long lines may be under way once nobody is killed any more: a retry that waited its longest, on a busy machine.
/// `COMPTOIR_ARRIVAL_S` says otherwise, for the controls, whose lines never come.
const ARRIVAL_PATIENCE_S: u32 = 180;

/// What is wrong.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It does not open.
    Unopened(String),
    /// Lines are there more than once.
    Doubled {
        /// How many too many.
        lines: usize,
    },
    /// Lines are not there.
    Lost {
        /// How many.
        missing: usize,
        /// Of how many.
        of: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unopened(why) => write!(formatter, "unopened: {why}"),
            Self::Doubled { lines } => write!(formatter, "doubled: {lines} lines"),
            Self::Lost { missing, of } => write!(formatter, "lost: {missing} of {of}"),
        }
    }
}

/// Checks that the first `safe` lines are there, and no line twice.
pub(crate) fn check(found: &[String], safe: usize) -> Result<(), Fault> {
    let unique: BTreeSet<&String> = found.iter().collect();
    if unique.len() != found.len() {
        return Err(Fault::Doubled {
            lines: found.len() - unique.len(),
        });
    }
    let there = |number: &usize| unique.contains(&format!("line {number}"));
    match (0..safe).filter(|number| !there(number)).count() {
        0 => Ok(()),
        missing => Err(Fault::Lost { missing, of: safe }),
    }
}

/// What a conversation holds once it holds `count` texts, or when that takes too long.
pub(crate) fn arrived(person: &Person, with: &str, count: usize) -> Vec<String> {
    let patience = asked("COMPTOIR_ARRIVAL_S", ARRIVAL_PATIENCE_S);
    let begun = Instant::now();
    loop {
        let texts = person.texts_with(with);
        if texts.len() >= count || begun.elapsed() > Duration::from_secs(patience.into()) {
            println!(
                "{} of {count} lines after {:?}",
                texts.len(),
                begun.elapsed()
            );
            return texts;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Prints how many tries there were and what they found, each with its place, and fails when that was anything.
pub(crate) fn none(of: &str, tries: u32, found: &[(Fault, String)]) {
    let (mut lost, mut doubled, mut unopened) = (0, 0, 0);
    for (fault, place) in found {
        println!("{fault} ({place})");
        match fault {
            Fault::Unopened(_) => unopened += 1,
            Fault::Doubled { lines } => doubled += *lines as u64,
            Fault::Lost { missing, .. } => lost += *missing as u64,
        }
    }
    let counts = [
        ("tries", u64::from(tries)),
        ("lost", lost),
        ("duplicated", doubled),
        ("unopened", unopened),
    ];
    tally(of, &counts);
    let first = found
        .first()
        .map_or(String::new(), |(fault, place)| format!("{fault} ({place})"));
    assert!(
        found.is_empty(),
        "{} faults, the first: {first}",
        found.len()
    );
}
