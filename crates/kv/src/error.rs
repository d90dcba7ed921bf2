// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong with a store, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store did not do what it was asked. No variant is worth an automatic retry but [`KvError::Full`], once there is
/// room again.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// Another process owns the folder. Nothing was touched.
    #[error("the folder {} is in use by {}: stop it first, or name another folder", .folder.display(), owner(.process))]
    Locked {
        /// The folder both wanted.
        folder: PathBuf,
        /// The process that has it, where it could be read.
        process: Option<u32>,
    },
    /// Too little room is left to store more and still open again later. Nothing changed; deletions still pass.
    #[error(
        "the disk under the store is nearly full: {free_bytes} bytes are free and {needed_bytes} must stay so; free some space"
    )]
    Full {
        /// Bytes that are free now.
        free_bytes: u64,
        /// Bytes that must stay free.
        needed_bytes: u64,
    },
    /// The disk refused a write for want of room. The store is poisoned: free some space, then open it again.
    #[error(
        "the disk under the store is full ({doing}); free some space and start again: what was acknowledged is still there"
    )]
    NoSpace {
        /// What was being written.
        doing: &'static str,
    },
    /// The files are not what this program wrote. Nothing was repaired or skipped.
    #[error(
        "the store is damaged ({0}); restore it from a backup, or set the folder aside and start a new one"
    )]
    Corrupt(String),
    /// The files are sound but older than what was acknowledged: the disk lost commits, or somebody put an old copy back.
    #[error(
        "the store lost its last {commits} commits; restore it from a backup, or accept the loss to go on without them"
    )]
    Lost {
        /// How many commits are missing.
        commits: u64,
    },
    /// A newer program made this folder.
    #[error(
        "the store was made by a newer version (format {found}, this program knows up to {known}); use that version"
    )]
    Newer {
        /// The format found.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// An earlier commit failed or the engine panicked, so this handle answers nothing more. Open the store again.
    #[error("the store stopped after an earlier failure ({0}); it must be opened again")]
    Poisoned(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The folder cannot be written to.
    #[error("the folder {} cannot be written to: give this user write permission, or name another folder", .0.display())]
    ReadOnly(PathBuf),
    /// The key is empty or belongs to this crate.
    #[error("an empty key, or one that begins with byte 0, cannot be stored")]
    ReservedKey,
    /// The key is too long.
    #[error("a key of {bytes} bytes is too long: at most {max}")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
        /// The most there may be.
        max: usize,
    },
    /// The value is too large and must be cut by the caller.
    #[error("a value of {bytes} bytes is too large: at most {max}")]
    ValueTooLarge {
        /// Its length.
        bytes: usize,
        /// The most there may be.
        max: usize,
    },
    /// The operating system refused something else.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl KvError {
    /// Whether the call was refused before anything changed, so that the store goes on.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::ReservedKey
                | Self::KeyTooLong { .. }
                | Self::ValueTooLarge { .. }
        )
    }

    /// Sorts what the system said about `path` into the errors that have a sentence of their own.
    pub(crate) fn from_io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { doing },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly(path.to_path_buf())
            }
            _ => Self::Io {
                doing: format!("{doing} ({})", path.display()),
                source,
            },
        }
    }
}

fn owner(process: &Option<u32>) -> String {
    process.map_or_else(
        || "another process".to_owned(),
        |process| format!("process {process}"),
    )
}
