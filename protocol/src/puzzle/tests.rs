// SPDX-License-Identifier: MIT OR Apache-2.0
//! Work that is counted.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::codec::Wire;

///
#[test]
fn a_solution_solves_its_own_puzzle_only() {
    let puzzle = Puzzle {
        seed: [7; 32],
        bits: 10,
        not_after_ms: 1,
    };
    let solution = (0..)
        .step_by(64)
        .find_map(|from| puzzle.solve_step(from, 64))
        .unwrap();
    assert!(puzzle.accepts(&solution));
    assert!(
        !Puzzle {
            seed: [8; 32],
            ..puzzle.clone()
        }
        .accepts(&solution)
    );
    let relabelled = PuzzleSolution {
        seed: [8; 32],
        ..solution.clone()
    };
    assert!(!puzzle.accepts(&relabelled));
    let harder = Puzzle {
        bits: 40,
        ..puzzle.clone()
    };
    assert!(!harder.accepts(&solution));
    let lazy = (0..)
        .find(|answer| zero_bits(&puzzle.seed, *answer) < 10)
        .unwrap();
    assert!(!puzzle.accepts(&PuzzleSolution {
        answer: lazy,
        ..solution
    }));
}

///
#[test]
fn a_puzzle_harder_than_minutes_is_refused() {
    let puzzle = Puzzle {
        seed: [7; 32],
        bits: u16::from(PUZZLE_BITS_MAX) + 1,
        not_after_ms: 1,
    };
    assert!(Puzzle::from_bytes(&puzzle.to_bytes()).is_err());
}

#[test]
fn the_last_numbers_are_tried_without_wrapping() {
    let puzzle = Puzzle {
        seed: [7; 32],
        bits: 28,
        not_after_ms: 1,
    };
    assert_eq!(puzzle.solve_step(u64::MAX - 5, 100), None);
}
