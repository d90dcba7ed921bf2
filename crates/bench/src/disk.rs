// SPDX-License-Identifier: MIT OR Apache-2.0
//! The disk: where homes are made, and what it can do by itself.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

/// What statfs says of a file system that is memory only.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// The folder for homes, checked: on memory every commit would be free, and every figure a lie.
pub(crate) fn folder(asked: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = match asked {
        Some(folder) => folder,
        None => std::env::current_exe()?
            .parent()
            .context("this program lies in a folder")?
            .join("bench"),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let told = rustix::fs::statfs(&folder)
        .with_context(|| format!("asking about {}", folder.display()))?;
    let kind = u64::try_from(told.f_type).unwrap_or(0);
    ensure!(
        kind != TMPFS && kind != RAMFS,
        "{} lies in memory, where commits cost nothing; name a folder on a disk with --folder",
        folder.display()
    );
    Ok(folder)
}

/// Appends of 200 bytes a second, each synced before the next.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn fdatasync_rate(folder: &Path) -> anyhow::Result<f64> {
    const APPENDS: u32 = 500;
    let path = folder.join("synced");
    let mut file = File::create(&path)?;
    let start = Instant::now();
    for _ in 0..APPENDS {
        file.write_all(&[7; 200])?;
        file.sync_data()?;
    }
    let rate = f64::from(APPENDS) / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}
