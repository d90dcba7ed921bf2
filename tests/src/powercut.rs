// SPDX-License-Identifier: MIT OR Apache-2.0
//! The power cut, simulated: the system calls by which a process changed a folder, and the folder as a disk would hold
//! it when the power fails at any moment of them.
//!
//! The disk honours `fsync` and `fdatasync` and nothing else: `sync_file_range` may leave the bytes in a volatile cache.
//! What was written and not synced is lost, or kept in part, write by write. Names (files made, renamed, removed) are
//! journaled in their order, as ext4 and xfs do: an `fsync` of anything makes all earlier ones durable, and of the later
//! ones a cut keeps the first few, or none.

mod image;
mod strace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use image::Cut;
pub use strace::{Recording, record};

/// Microseconds of the wall clock, as strace prints them.
pub type Moment = u64;

/// The wall clock, as strace reads it.
///
/// # Panics
/// When it stands before 1970.
pub fn now() -> Moment {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .expect("the clock is after 1970");
    Moment::try_from(since.as_micros()).expect("this century")
}

/// What a process did to the files of one folder, in the order in which the calls began.
#[derive(Debug, Default)]
pub struct Trace {
    /// Files that were there before, with their bytes.
    before: BTreeMap<PathBuf, Vec<u8>>,
    /// Folders that were there before.
    folders_before: Vec<PathBuf>,
    calls: Vec<Call>,
}

/// A system call that changed something, or made a change durable.
#[derive(Debug)]
struct Call {
    began: Moment,
    ended: Moment,
    change: Change,
}

/// A file, whatever it is called meanwhile.
type FileNumber = usize;

#[derive(Debug)]
enum Change {
    Made {
        path: PathBuf,
        file: FileNumber,
    },
    FolderMade {
        path: PathBuf,
    },
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Removed {
        path: PathBuf,
    },
    Written {
        file: FileNumber,
        at: u64,
        bytes: Vec<u8>,
    },
    Resized {
        file: FileNumber,
        bytes: u64,
    },
    /// `fdatasync` of a file, or `fsync` of one.
    FileSynced {
        file: FileNumber,
        names_too: bool,
    },
    /// `fsync` of a folder.
    FolderSynced,
}

impl Change {
    fn is_name(&self) -> bool {
        matches!(
            self,
            Self::Made { .. }
                | Self::FolderMade { .. }
                | Self::Renamed { .. }
                | Self::Removed { .. }
        )
    }
}

impl Trace {
    /// The moments of the first and the last call.
    pub fn span(&self) -> (Moment, Moment) {
        let first = self.calls.first().map_or(0, |call| call.began);
        (first, self.calls.last().map_or(0, |call| call.ended))
    }

    /// A moment for the cut of this number: the first few numbers, and any few that follow each other, are spread over
    /// the whole trace.
    pub fn moment(&self, cut: u32) -> Moment {
        let (began, ended) = self.span();
        let part = u64::from(cut).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        began + (((ended - began) * part) >> 24)
    }

    /// How many bytes were written, and how many syncs there were: so that a test can see that it traced anything.
    pub fn weight(&self) -> (u64, u64) {
        let (mut bytes_written, mut syncs) = (0, 0);
        for call in &self.calls {
            match &call.change {
                Change::Written { bytes, .. } => bytes_written += bytes.len() as u64,
                Change::FileSynced { .. } | Change::FolderSynced => syncs += 1,
                _ => {}
            }
        }
        (bytes_written, syncs)
    }

    /// Notes what lies in `folder` now, under the path it will have in the calls.
    fn note_before(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.expect("the folder can be listed");
            let path = entry.path();
            let kind = entry.file_type().expect("a file has a type");
            if kind.is_dir() {
                self.note_before(&path);
                self.folders_before.push(path);
            } else if kind.is_file() {
                self.before.insert(
                    path.clone(),
                    std::fs::read(&path).expect("the file can be read"),
                );
            }
        }
    }
}
