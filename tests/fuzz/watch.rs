// SPDX-License-Identifier: MIT OR Apache-2.0
//! The watch: runs one input and sees whether it panics, takes long, or asks for memory nobody sent.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::targets::Target;

/// The time of one input: the dearest (a card of a five times rotated account: some twenty Ed25519 checks) takes under
/// 10 ms in this build. Taken as the best of three, since others use the machine, too.
pub(crate) const INPUT_TIME_MAX: Duration = Duration::from_millis(250);

/// What the address space may grow during one target. Blown-up lengths claim 1 GiB of something, and address space
/// counts even where the kernel never had to find the memory.
const GROWTH_MAX_KIB: u64 = 512 * 1024;

/// One target under watch.
#[derive(Debug)]
pub(crate) struct Watch<'t> {
    target: &'t Target,
    peak_kib: u64,
    inputs: u64,
    taken: u64,
    slowest: Duration,
}

impl<'t> Watch<'t> {
    pub(crate) fn new(target: &'t Target) -> Self {
        Self {
            target,
            peak_kib: peak_kib(),
            inputs: 0,
            taken: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Runs one input; says whether it was taken for what it claims to be.
    pub(crate) fn tries(&mut self, bytes: &[u8]) -> bool {
        self.inputs += 1;
        let (mut taken, mut time) = self.once(bytes);
        for _ in 0..2 {
            if time <= INPUT_TIME_MAX {
                break;
            }
            let (again, shorter) = self.once(bytes);
            (taken, time) = (again, time.min(shorter));
        }
        assert!(
            time <= INPUT_TIME_MAX,
            "{}: {time:?} for {}",
            self.target.name,
            HEXLOWER.encode(bytes)
        );
        // Looked at now and then, so that the input is known to be one of few.
        if self.inputs.is_multiple_of(4_096) {
            self.weigh(bytes);
        }
        self.taken += u64::from(taken);
        self.slowest = self.slowest.max(time);
        taken
    }

    fn once(&self, bytes: &[u8]) -> (bool, Duration) {
        let begun = Instant::now();
        let attempt = self.target.attempt;
        let taken = catch_unwind(AssertUnwindSafe(|| attempt(bytes)));
        let time = begun.elapsed();
        let Ok(taken) = taken else {
            panic!("{} failed on {}", self.target.name, HEXLOWER.encode(bytes));
        };
        (taken, time)
    }

    fn weigh(&self, last: &[u8]) {
        let growth = peak_kib().saturating_sub(self.peak_kib);
        assert!(
            growth < GROWTH_MAX_KIB,
            "{}: the address space grew by {growth} KiB within 4,096 inputs up to {}",
            self.target.name,
            HEXLOWER.encode(last)
        );
    }

    /// The last look, and what to print.
    pub(crate) fn ends(self) -> impl fmt::Display {
        self.weigh(&[]);
        format!(
            "{} inputs, {} taken, slowest {:?}",
            self.inputs, self.taken, self.slowest
        )
    }
}

/// The most address space this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
