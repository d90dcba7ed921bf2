// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs against a plain set, and at their bounds.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::codec::Wire;

///
#[test]
fn runs_hold_what_a_plain_set_holds() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut runs, mut set) = (Runs::new(), BTreeSet::new());
        for _ in 0..60 {
            let from = u64::from(rng.next_u32() % 80);
            let to = from + u64::from(rng.next_u32() % 4);
            let before = set.len();
            if from > 0 {
                set.extend(from..=to);
            }
            let expected = if set.len() > before {
                Inserted::New
            } else {
                Inserted::Known
            };
            assert_eq!(runs.insert_run(from, to), expected, "seed {seed}");
            assert_eq!(
                Runs::from_bytes(&runs.to_bytes()).as_ref(),
                Ok(&runs),
                "seed {seed}"
            );
        }
        for sequence in 0..90 {
            assert_eq!(
                runs.contains(sequence),
                set.contains(&sequence),
                "seed {seed}, {sequence}"
            );
            let covers = sequence > 0 && (sequence..sequence + 3).all(|one| set.contains(&one));
            assert_eq!(
                runs.covers(sequence, sequence + 2),
                covers,
                "seed {seed}, {sequence}"
            );
        }
        let holes: BTreeSet<u64> = runs.gaps().flat_map(|(from, to)| from..=to).collect();
        let expected = (1..=runs.last())
            .filter(|sequence| !set.contains(sequence))
            .collect();
        assert_eq!(holes, expected, "seed {seed}");
        let mut merged = Runs::up_to(3);
        let _ = merged.merge(&runs);
        assert!(
            (1..90).all(|one| merged.contains(one) == (one <= 3 || set.contains(&one))),
            "seed {seed}"
        );
    }
}

///
#[test]
fn a_full_set_refuses_what_needs_one_more_range_and_forgets_nothing() {
    let mut runs = Runs::new();
    for hole in 1..=RANGES_MAX as u64 {
        assert_eq!(runs.insert(hole * 2 + 1), Inserted::New);
    }
    let before = runs.clone();
    assert_eq!(runs.insert(10_000), Inserted::Full);
    assert_eq!(runs, before);
    assert_eq!(runs.insert(4), Inserted::New, "what joins two ranges fits");
    assert_eq!(
        runs.insert(1),
        Inserted::New,
        "what extends the contiguous part fits"
    );
    assert_eq!(runs.insert(2), Inserted::New);
    assert_eq!(runs.contiguous(), 5);
    assert_eq!(runs.insert(10_000), Inserted::New, "and makes room");
}

#[test]
fn the_largest_sequence_is_a_sequence() {
    let mut runs = Runs::new();
    assert_eq!(runs.insert(u64::MAX), Inserted::New);
    assert_eq!(runs.insert_run(1, u64::MAX - 1), Inserted::New);
    assert_eq!(runs.contiguous(), u64::MAX);
    assert!(runs.ranges().is_empty());
    assert_eq!(runs.insert(0), Inserted::Known);
    assert_eq!(runs.insert_run(7, 3), Inserted::Known);
}

#[test]
fn ranges_from_outside_must_ascend_and_stand_apart() {
    for (contiguous, ranges) in [
        (0, vec![(1, 1)]),
        (5, vec![(6, 7)]),
        (5, vec![(9, 8)]),
        (5, vec![(8, 9), (10, 11)]),
        (5, vec![(20, 21), (8, 9)]),
        (u64::MAX, vec![(7, 8)]),
        (
            0,
            (1..=RANGES_MAX as u64 + 1)
                .map(|hole| (hole * 2 + 1, hole * 2 + 1))
                .collect(),
        ),
    ] {
        assert!(
            Runs::from_parts(contiguous, ranges.clone()).is_err(),
            "{contiguous} {ranges:?}"
        );
    }
}

#[test]
fn a_run_that_shares_one_sequence_with_what_is_known_touches_it() {
    let mut runs = Runs::up_to(3);
    assert_eq!(runs.insert_run(10, 12), Inserted::New);
    for (from, to) in [(1, 1), (3, 4), (0, 1), (9, 10), (12, 20), (4, 30), (11, 11)] {
        assert!(runs.touches(from, to), "{from} {to}");
    }
    for (from, to) in [
        (4, 4),
        (4, 9),
        (13, 13),
        (0, 0),
        (12, 9),
        (u64::MAX, u64::MAX),
    ] {
        assert!(!runs.touches(from, to), "{from} {to}");
    }
    assert!(!Runs::new().touches(1, u64::MAX));
}
