// SPDX-License-Identifier: MIT OR Apache-2.0
//! Fuzzing on stable: changed bytes against everything that reads bytes of others.
//!
//! The corpus is what `tests/vectors` holds, what is built from it at the start (links, requests, key packages), and
//! the regressions in `tests/fuzz/regressions`: `TARGET.NAME.hex`: shapes that broke readers elsewhere, and one for each fault found here.
//! `COMPTOIR_FUZZ_SECONDS` is the time of a target (1 unless set), `COMPTOIR_FUZZ_SEED` the seed to begin with.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod corpus;
mod mutate;
mod targets;
mod watch;

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use corpus::Corpus;
use mutate::Mutator;
use targets::Target;
use watch::Watch;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a whole number"))
}

/// A seed of its own for each run, so that a thousand runs look at more than one.
fn seed() -> u64 {
    number("COMPTOIR_FUZZ_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    })
}

#[test]
fn nothing_of_strangers_panics_hangs_allocates_or_has_two_forms() {
    let seconds = number("COMPTOIR_FUZZ_SECONDS").unwrap_or(1);
    let seed = seed();
    println!("COMPTOIR_FUZZ_SEED={seed} COMPTOIR_FUZZ_SECONDS={seconds}");
    // One worker a core, each with its own share of the targets: 46 of them, one after the other, would take CI eight
    // minutes. What a target does follows from the seed and its name, not from who runs it.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                let corpus = Corpus::read();
                let own = targets::all(&corpus);
                for target in own.iter().skip(worker).step_by(workers) {
                    fuzz(target, &corpus, seed, Duration::from_secs(seconds));
                }
            });
        }
    });
    // Last, and in the same test: the highest mark of a process stays where it was once.
    controls::a_large_allocation_is_caught();
}

fn fuzz(target: &Target, corpus: &Corpus, seed: u64, time: Duration) {
    let mut watch = Watch::new(target);
    for bytes in &target.seeds {
        assert!(
            watch.tries(bytes),
            "{}: what the corpus holds is read: {}",
            target.name,
            data_encoding::HEXLOWER.encode(bytes)
        );
    }
    for bytes in corpus.regressions(target.name) {
        watch.tries(&bytes);
    }
    for bytes in target
        .seeds
        .iter()
        .flat_map(|bytes| mutate::blown_up(bytes))
    {
        watch.tries(&bytes);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Each target walks a way of its own, whatever the others before it took.
    rng.set_stream(target.name.bytes().fold(0_u64, |stream, byte| {
        stream.wrapping_mul(31) ^ u64::from(byte)
    }));
    let mutator = Mutator::new(&target.seeds, &corpus.everything);
    let end = Instant::now() + time;
    while Instant::now() < end {
        for _ in 0..16 {
            watch.tries(&mutator.next(&mut rng));
        }
    }
    println!("{}: {}", target.name, watch.ends());
}

/// The watch itself: each fault it is there for, made on purpose.
mod controls {
    use super::*;

    fn caught(attempt: fn(&[u8]) -> bool, bytes: &[u8]) -> bool {
        let target = Target {
            name: "control",
            seeds: vec![],
            attempt,
        };
        let result = std::panic::catch_unwind(|| {
            let mut watch = Watch::new(&target);
            watch.tries(bytes);
            watch.ends()
        });
        result.is_err()
    }

    #[test]
    fn a_panic_and_a_long_way_are_caught() {
        assert!(!caught(|_| true, b"fine"));
        assert!(caught(|_| panic!("on purpose"), b"panic"));
        assert!(caught(
            |_| {
                std::thread::sleep(watch::INPUT_TIME_MAX + Duration::from_millis(1));
                true
            },
            b"slow"
        ));
    }

    pub(super) fn a_large_allocation_is_caught() {
        assert!(caught(
            |_| std::hint::black_box(Vec::<u8>::with_capacity(1 << 30)).is_empty(),
            b"large"
        ));
    }

    #[test]
    fn a_second_form_is_caught() {
        use comptoir_protocol::Wire as _;
        let one = comptoir_protocol::place::Place {
            height: 1,
            author: comptoir_protocol::id::DeviceId([2; 32]),
            sequence: 3,
        };
        let mut bytes = one.to_bytes();
        assert!(!caught(|bytes| targets::again_as(bytes, bytes), &bytes));
        bytes.push(0);
        assert!(caught(
            |bytes| targets::again_as(&bytes[..bytes.len() - 1], bytes),
            &bytes
        ));
    }

    #[test]
    fn two_mutators_with_one_seed_make_the_same() {
        let seeds = vec![vec![0x82, 0x01, 0x58, 0x20, 7, 7, 7], vec![1; 40]];
        let make = || {
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let mutator = Mutator::new(&seeds, &seeds);
            (0..200).map(|_| mutator.next(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(make(), make());
        assert!(make().iter().any(|made| !seeds.contains(made)));
        assert_ne!(
            make()[0],
            make()[1],
            "the rng goes on: {}",
            ChaCha8Rng::seed_from_u64(5).next_u64()
        );
    }
}
