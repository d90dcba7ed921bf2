// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store in its folder: unlocked, opened, opened again after a failure, converted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use comptoir_crypto::at_rest::RootStoreKey;
use comptoir_kv::{EngineKind, Floor, Kv, KvError, Options, Rebuilt};
use rand_core::CryptoRng;

use crate::unlock::{self, Access, Method};
use crate::{Core, StoreError};

/// The engine of a new store when the user names none; see the figures `store.open_200k` of both.
pub const DEFAULT_ENGINE: EngineKind = EngineKind::Sled;

/// Which of the root key's subkeys signs the watermark.
const WATERMARK_PURPOSE: &str = "watermark";

/// How long a reader may hold files that stopped before opening them again gives up.
const REOPEN_WAIT: Duration = Duration::from_secs(5);

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// The engine of a store that is made now. An existing one keeps its own until it is converted.
    pub engine: EngineKind,
    /// Goes on although acknowledged commits were lost. Only ever by the user's word.
    pub accept_loss: bool,
    /// What must stay free on the disk.
    pub floor: Floor,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            engine: DEFAULT_ENGINE,
            accept_loss: false,
            floor: Floor::default(),
        }
    }
}

/// An unlocked, open store.
pub struct Store {
    core: Arc<Core>,
    key: RootStoreKey,
    options: Options,
    method: Method,
}

impl Store {
    /// Unlocks and opens the store in `folder`, or makes one that is locked by `access` from now on.
    pub fn open(
        folder: &Path,
        access: &Access<'_>,
        options: &OpenOptions,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, StoreError> {
        comptoir_kv::make_folder(folder)?;
        let key = match unlock::unlock(folder, access)? {
            Some(key) => key,
            // Rows without the file that unlocks them: a new key would only hide that they are lost.
            None if comptoir_kv::present(folder)?.is_some() => {
                return Err(StoreError::Corrupt("the file unlock is missing".into()));
            }
            None => unlock::create(folder, access, rng)?,
        };
        let options = kv_options(folder, &key, options);
        let core = Core::open(comptoir_kv::open(&options)?, &key, rng)?;
        Ok(Self {
            core: Arc::new(core),
            key,
            options,
            method: access.method(),
        })
    }

    /// The rows, to be shared by whoever reads and by the one that writes.
    pub fn core(&self) -> Arc<Core> {
        Arc::clone(&self.core)
    }

    /// How it was unlocked.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Opens the files again after a commit failed, and forgets what was not durable. The rows stay the same [`Core`];
    /// the caller opens a new engine on them. Nothing may be committing meanwhile.
    ///
    /// Fails with [`KvError::Full`] while there is still no room: then the rows can be read, and the caller asks again
    /// later, since a new engine would only fail at its first step.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let kv = match self.core.release_kv() {
            Some(healthy) => healthy,
            None => self.open_again()?,
        };
        self.core.reopen(kv)?;
        self.core.room()
    }

    /// A reader that is just done may hold the old files, and with them the folder's lock, for a moment longer.
    fn open_again(&self) -> Result<Arc<dyn Kv>, StoreError> {
        let started = Instant::now();
        loop {
            match comptoir_kv::open(&self.options) {
                Err(KvError::Locked { process, .. })
                    if process == Some(std::process::id()) && started.elapsed() < REOPEN_WAIT =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Closes the files: the folder's lock is free on return, whoever still shares the [`Core`]; all it is asked from now
    /// on fails with [`KvError::Closed`]. What was submitted and not committed is lost.
    pub fn close(self) {
        let kv = self.core.take_kv();
        let started = Instant::now();
        // A reader that is just done holds the files for a moment longer.
        while Arc::strong_count(&kv) > 1 && started.elapsed() < REOPEN_WAIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Locks the root key by another method, or under another passphrase; durable on return.
    pub fn change_access(
        &mut self,
        access: &Access<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), StoreError> {
        unlock::lock(&self.options.folder, &self.key, access, rng)?;
        self.method = access.method();
        Ok(())
    }
}

/// Rewrites a closed store for `engine`, row for row; towards the engine it has, this is the compaction.
pub fn convert(
    folder: &Path,
    access: &Access<'_>,
    engine: EngineKind,
    options: &OpenOptions,
) -> Result<Rebuilt, StoreError> {
    let key = unlock::unlock(folder, access)?;
    let key = key
        .ok_or_else(|| StoreError::Corrupt(format!("there is no store in {}", folder.display())))?;
    Ok(comptoir_kv::rebuild(
        &kv_options(folder, &key, options),
        engine,
    )?)
}

fn kv_options(folder: &Path, key: &RootStoreKey, options: &OpenOptions) -> Options {
    Options {
        watermark_key: *key.subkey(WATERMARK_PURPOSE),
        floor: options.floor,
        accept_loss: options.accept_loss,
        ..Options::new(PathBuf::from(folder), options.engine)
    }
}
