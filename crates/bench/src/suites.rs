// SPDX-License-Identifier: MIT OR Apache-2.0
//! The suites: what is measured, and against which limits of the machine.

pub(crate) mod absent;
pub(crate) mod delivery;
pub(crate) mod limits;
pub(crate) mod mailbox;
pub(crate) mod sim;

use std::path::PathBuf;

use serde_json::Value;

/// How a suite is to be run.
#[derive(Debug)]
pub(crate) struct Terms {
    /// Where homes are made, on a disk.
    pub(crate) folder: PathBuf,
    /// How often each figure is taken.
    pub(crate) runs: usize,
    /// Messages of one run.
    pub(crate) messages: u64,
}

impl Terms {
    /// A folder of this run's own; gone when it is dropped.
    pub(crate) fn fresh(&self) -> std::io::Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&self.folder)
    }
}

/// A number out of an answer; NaN where it is none.
pub(crate) fn number(answer: &Value, field: &str) -> f64 {
    answer[field].as_f64().unwrap_or(f64::NAN)
}

/// A store as `init` makes it, without a passphrase.
pub(crate) fn open_store(folder: &std::path::Path) -> anyhow::Result<comptoir_store::Store> {
    use rand_core::SeedableRng as _;
    use std::hash::{BuildHasher as _, RandomState};
    // Figures need nonces that differ, not secrets.
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(RandomState::new().hash_one(folder));
    let options = comptoir_store::OpenOptions::default();
    Ok(comptoir_store::Store::open(
        folder,
        &comptoir_store::Access::KeyFile,
        &options,
        &mut rng,
    )?)
}
