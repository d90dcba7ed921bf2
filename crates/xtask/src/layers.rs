// SPDX-License-Identifier: MIT OR Apache-2.0
//! The layers: which crate may use which. Anything not listed is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use cargo_metadata::DependencyKind;

use crate::{checks::Findings, workspace};

/// Each crate and what stands directly left of it; what those may use, it may use too.
const LEFT_OF: &[(&str, &[&str])] = &[
    ("comptoir-protocol", &[]),
    ("comptoir-crypto", &["comptoir-protocol"]),
    ("comptoir-engine", &["comptoir-crypto"]),
    ("comptoir-kv", &[]),
    ("comptoir-store", &["comptoir-engine", "comptoir-kv"]),
    ("comptoir-mailbox", &["comptoir-protocol", "comptoir-kv"]),
    ("comptoir-net", &["comptoir-protocol"]),
    ("comptoir-api", &["comptoir-protocol"]),
    (
        "comptoir",
        &[
            "comptoir-store",
            "comptoir-mailbox",
            "comptoir-net",
            "comptoir-api",
        ],
    ),
    (
        "comptoir-sim",
        &[
            "comptoir-engine",
            "comptoir-store",
            "comptoir-kv",
            "comptoir-mailbox",
        ],
    ),
    ("comptoir-bench", &["comptoir-sim", "comptoir"]),
    ("comptoir-tests", &["comptoir-sim", "comptoir"]),
    ("comptoir-examples", &["comptoir"]),
    ("xtask", &[]),
];

/// Libraries that one crate wraps, so that they can be replaced there. A trailing `*` stands for any ending.
const WRAPPED: &[(&str, &str)] = &[
    ("sled", "comptoir-kv"),
    ("redb", "comptoir-kv"),
    ("libp2p*", "comptoir-net"),
    ("bincode", "comptoir-store"),
    ("openmls*", "comptoir-crypto"),
];

/// Crates that do no IO, read no clock and make no randomness.
pub(crate) const PURE: &[&str] = &["comptoir-protocol", "comptoir-crypto", "comptoir-engine"];

/// What would let a pure crate do so.
const IMPURE: &[&str] = &[
    "tokio*",
    "getrandom",
    "rand",
    "mio",
    "reqwest",
    "hyper*",
    "tempfile",
    "rustix",
    "libc",
    "tracing*",
];

/// Whose dev-dependencies on our crates are not looked at: they test the whole.
const TESTERS: &[&str] = &[
    "comptoir-tests",
    "comptoir-examples",
    "comptoir-bench",
    "comptoir-sim",
];

pub(crate) fn command(arguments: &[String]) -> anyhow::Result<ExitCode> {
    crate::flags(arguments, &[])?;
    Ok(check()?.report("layers"))
}

pub(crate) fn check() -> anyhow::Result<Findings> {
    let metadata = workspace::metadata()?;
    let mut findings = Findings::default();
    let allowed = closure(LEFT_OF);
    for package in metadata.workspace_packages() {
        let edges: Vec<Edge> = package
            .dependencies
            .iter()
            .map(|dependency| Edge {
                used: &dependency.name,
                for_tests: dependency.kind == DependencyKind::Development,
            })
            .collect();
        check_edges(&package.name, &edges, &allowed, &mut findings);
    }
    Ok(findings)
}

/// One line of a crate's dependency tables.
struct Edge<'a> {
    used: &'a str,
    for_tests: bool,
}

fn check_edges(
    name: &str,
    edges: &[Edge],
    allowed: &BTreeMap<&str, BTreeSet<&str>>,
    findings: &mut Findings,
) {
    let Some(may_use) = allowed.get(name) else {
        findings.add(
            name,
            "is not in the layer table of crates/xtask/src/layers.rs",
        );
        return;
    };
    for Edge { used, for_tests } in edges {
        if allowed.contains_key(used) {
            let excused = *for_tests && TESTERS.contains(&name);
            if !may_use.contains(used) && !excused {
                findings.add(
                    name,
                    &format!("may not use {used}: it does not stand left of it"),
                );
            }
            continue;
        }
        for (library, owner) in WRAPPED {
            if matches(library, used) && name != *owner {
                findings.add(name, &format!("may not use {used}: only {owner} does"));
            }
        }
        let impure = IMPURE.iter().any(|pattern| matches(pattern, used));
        if impure && PURE.contains(&name) && !for_tests {
            findings.add(
                name,
                &format!("may not use {used}: it does no IO, reads no clock, makes no randomness"),
            );
        }
    }
}

/// For each crate everything that stands left of it, near or far.
fn closure<'a>(direct: &[(&'a str, &[&'a str])]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, left) in direct {
        let mut reach: BTreeSet<&str> = left.iter().copied().collect();
        for further in *left {
            reach.extend(all.get(further).into_iter().flatten());
        }
        all.insert(name, reach);
    }
    all
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_so_that_one_pass_closes_it() {
        let mut seen = BTreeSet::new();
        for (name, left) in LEFT_OF {
            for used in *left {
                assert!(seen.contains(used), "{used} must be listed before {name}");
            }
            seen.insert(*name);
        }
    }

    ///
    #[test]
    fn far_left_is_allowed_and_right_is_not() {
        let allowed = closure(LEFT_OF);
        assert!(allowed["comptoir"].contains("comptoir-crypto"));
        assert!(allowed["comptoir-tests"].contains("comptoir-kv"));
        assert!(!allowed["comptoir-engine"].contains("comptoir-store"));
        assert!(!allowed["comptoir-net"].contains("comptoir-engine"));
        assert!(allowed["xtask"].is_empty());
    }

    fn found(name: &str, used: &str, for_tests: bool) -> usize {
        let mut findings = Findings::default();
        check_edges(
            name,
            &[Edge { used, for_tests }],
            &closure(LEFT_OF),
            &mut findings,
        );
        findings.count()
    }

    #[test]
    fn every_kind_of_wrong_edge_is_found() {
        assert_eq!(found("comptoir-engine", "comptoir-store", false), 1);
        assert_eq!(
            found("comptoir-engine", "comptoir-sim", true),
            1,
            "dev-dependencies count"
        );
        assert_eq!(found("comptoir-store", "sled", false), 1);
        assert_eq!(found("comptoir", "libp2p-swarm", false), 1);
        assert_eq!(found("comptoir-engine", "tokio", false), 1);
        assert_eq!(found("xtask", "comptoir", false), 1);
        assert_eq!(found("a-new-crate", "anyhow", false), 1);
        assert_eq!(found("comptoir-engine", "comptoir-crypto", false), 0);
        assert_eq!(found("comptoir-sim", "comptoir", true), 0);
    }

    #[test]
    fn a_star_stands_for_any_ending() {
        assert!(matches("libp2p*", "libp2p-stream"));
        assert!(!matches("sled", "sledge"));
    }
}
