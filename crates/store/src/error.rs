// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong with a store, each with what to do about it.

use std::path::PathBuf;

use comptoir_crypto::at_rest::{OpenError, UnlockError};
use comptoir_kv::KvError;

use crate::codec::CodecError;

/// Why a store did not open, or a call on it did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The files below. Where [`KvError::is_refusal`] holds nothing changed; otherwise the store must be opened again.
    #[error(transparent)]
    Kv(#[from] KvError),
    /// A newer program made these records. Nothing was touched.
    #[error(
        "the store has schema {found}, this program knows up to {known}: use the newer version again"
    )]
    Newer {
        /// The schema found.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// The key opens nothing here: it belongs to another store.
    #[error("this key does not open this store")]
    WrongKey,
    /// A passphrase is needed, or the one given is wrong.
    #[error("{0}")]
    Unlock(#[from] UnlockError),
    /// The store is kept under another kind of key than the one offered.
    #[error("this store is unlocked by {kept}, not by {offered}")]
    Method {
        /// How it is kept.
        kept: &'static str,
        /// What was offered.
        offered: &'static str,
    },
    /// The key file may be read by others.
    #[error("the key file {} may be read by others (mode {mode:o}): make it private with chmod 600", .path.display())]
    KeyFileOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not there or is not one.
    #[error("the key file {} is missing or damaged; without it the store cannot be read: restore it from a backup", .0.display())]
    KeyFile(PathBuf),
    /// The operating system's keyring said no.
    #[error("the keyring did not give the store's key: {0}")]
    Keyring(String),
    /// A value does not open. Nothing was skipped.
    #[error("a row in space {space:#04x} is damaged: {source}")]
    Row {
        /// The space of its key.
        space: u8,
        /// What the cipher said.
        source: OpenError,
    },
    /// A row is there, and no key of its scope that opens it. Nothing was skipped.
    #[error(
        "what was said in thread {thread} cannot be read: the key for it is not in the file {file}, or the row is damaged; restore the folder from a backup"
    )]
    ScopeKey {
        /// The thread's local number.
        thread: u32,
        /// The file that should have the key.
        file: &'static str,
    },
    /// A record of the store's own is damaged.
    #[error("a record of the store is damaged: {0}")]
    Record(#[from] CodecError),
    /// The store's files do not fit together.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// A key outside the engine's spaces, or a record too long to be stored. Nothing of the batch was taken.
    #[error("the batch cannot be stored: {0}")]
    Refused(String),
    /// An earlier group failed; everything submitted behind it failed too. Open the store again, and the engine on it.
    #[error(
        "nothing more is stored since an earlier commit failed ({0}); the store must be opened again"
    )]
    Stopped(String),
    /// The operating system refused something else.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
