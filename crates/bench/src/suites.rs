// SPDX-License-Identifier: MIT OR Apache-2.0
//! The suites: what is measured, and against which limits of the machine.

pub(crate) mod crypto;
pub(crate) mod delivery;
pub(crate) mod faults;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod mailbox;
mod rates;
pub(crate) mod scale;
pub(crate) mod sim;
pub(crate) mod store;

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
    /// Whether minutes of waiting are cut short; such figures have a name of their own.
    pub(crate) short: bool,
}

/// Bytes of a MiB.
pub(crate) const MIB: f64 = 1_048_576.0;

impl Terms {
    /// The whole time, or the short one.
    pub(crate) fn either<T>(&self, whole: T, short: T) -> T {
        if self.short { short } else { whole }
    }

    /// The name of a figure that takes minutes of waiting.
    pub(crate) fn named(&self, metric: &str) -> String {
        let tail = self.either("", "_short");
        format!("{metric}{tail}")
    }

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

/// Copies a folder of plain files and folders.
pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
