// SPDX-License-Identifier: MIT OR Apache-2.0
//! The home: the folder of one node, and the name of everything in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use comptoir_store::StoreError;

/// The folder of one node. Everything the node writes lies in it, readable by its user only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Names the folder; nothing is created. A relative one is meant from where the process stands now: what the daemon
    /// leaves in it is read from anywhere.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            dir: std::path::absolute(&dir).unwrap_or(dir),
        }
    }

    /// The folder a user gets who names none: `$COMPTOIR_HOME`, then `$XDG_DATA_HOME/comptoir`, then
    /// `~/.local/share/comptoir`; `None` without any of them.
    pub fn of_user() -> Option<Self> {
        let variable = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        variable("COMPTOIR_HOME")
            .or_else(|| variable("XDG_DATA_HOME").map(|data| data.join("comptoir")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/comptoir")))
            .map(Self::new)
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates the folder for this user only (0700), with its parents; their names are durable on return.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(&self) -> Result<(), StoreError> {
        Ok(comptoir_kv::make_folder(&self.dir)?)
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// The folder of a relay's keys and mailboxes.
    pub fn relay(&self) -> PathBuf {
        self.dir.join("relay")
    }

    /// The libp2p identity of this node's listening side.
    pub fn endpoint_key(&self) -> PathBuf {
        self.dir.join("endpoint.key")
    }

    /// The ports this node listened on last.
    pub(crate) fn ports(&self) -> PathBuf {
        self.dir.join("ports")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("comptoir.log")
    }
}

/// Reads a 32-byte secret from `path`, or writes `fresh` there (0600, synced with its folder) and returns it.
///
/// # Errors
/// Whatever the file system says, and `InvalidData` for a file of another length: it is never replaced,
/// since links and contacts name the key it held.
pub(crate) fn secret_file(path: &Path, fresh: impl FnOnce() -> [u8; 32]) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|bytes: Vec<u8>| {
            let found = format!(
                "{} holds {} bytes where a key has 32",
                path.display(),
                bytes.len()
            );
            io::Error::new(io::ErrorKind::InvalidData, found)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = fresh();
            write_private(path, &secret)?;
            Ok(secret)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file only this user can read: to a temporary name, synced, renamed, the folder synced.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        // A bare file name lies in the working folder.
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
