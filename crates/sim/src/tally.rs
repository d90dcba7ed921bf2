// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tally: how often every fault and refusal fired. One that never did in a thousand seeds was never tested.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts several; naming something with 0 makes its silence seen.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    /// Keeps the larger of what is there and `value`.
    pub fn largest(&mut self, what: &'static str, value: u64) {
        let known = self.counts.entry(what).or_default();
        *known = value.max(*known);
    }

    /// How often something fired.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.counts {
            if what.ends_with("_max") {
                self.largest(what, *times);
            } else {
                self.add(what, *times);
            }
        }
    }

    /// What never fired.
    pub fn silent(&self) -> Vec<&'static str> {
        self.counts
            .iter()
            .filter(|(_, times)| **times == 0)
            .map(|(what, _)| *what)
            .collect()
    }

    /// Everything, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(what, times)| (*what, *times))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}
