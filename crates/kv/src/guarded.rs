// SPDX-License-Identifier: MIT OR Apache-2.0
//! The guards that every engine on disk stands behind: commit numbers and the watermark, the free-space floor, and a
//! store that stops for good after its first failure.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::slots::{SlotFile, destroys};
use crate::watermark::Watermark;
use crate::{
    Batch, DirectoryLock, EngineKind, Kv, KvError, Options, Row, Slot, Stats, check_batch,
    check_key, sled_engine,
};

/// An engine, seen from its guards.
pub(crate) trait Engine: Send + Sync {
    fn kind(&self) -> EngineKind;
    /// The number that lies in the newest batch; 0 when there is none.
    fn commit_number(&self) -> Result<u64, KvError>;
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError>;
    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError>;
    /// Applies the batch with its number in it; durable on return. Called by one thread at a time.
    fn commit(&self, batch: &Batch, number: u64) -> Result<(), KvError>;
    fn disk_bytes(&self) -> Result<u64, KvError>;
    fn compact(&self) -> Result<bool, KvError>;
}

/// An engine behind its guards.
pub(crate) struct Guarded<E> {
    engine: E,
    folder: PathBuf,
    slots: SlotFile,
    floor: crate::Floor,
    committing: Mutex<Committing>,
    /// Why nothing is answered any more; empty while all is well. Set once.
    stopped: OnceLock<Stop>,
    commits_lost: u64,
    _lock: Option<DirectoryLock>,
}

/// What only the committing thread touches.
struct Committing {
    number: u64,
    /// None when the guards are off.
    watermark: Option<Watermark>,
}

enum Stop {
    Failed(String),
    Closed,
}

impl<E: Engine> Guarded<E> {
    /// Compares the engine in `folder` with its watermark, and takes it under guard.
    pub(crate) fn new(
        engine: E,
        folder: &Path,
        options: &Options,
        lock: Option<DirectoryLock>,
    ) -> Result<Self, KvError> {
        let number = engine.commit_number()?;
        let (watermark, commits_lost) =
            if engine.kind() == EngineKind::Sled && sled_engine::unguarded() {
                (None, 0)
            } else {
                let (watermark, lost) = check_watermark(folder, number, options)?;
                sync_folder(folder)?;
                (Some(watermark), lost)
            };
        Ok(Self {
            engine,
            folder: folder.to_path_buf(),
            slots: SlotFile::in_folder(&options.folder),
            floor: options.floor,
            committing: Mutex::new(Committing { number, watermark }),
            stopped: OnceLock::new(),
            commits_lost,
            _lock: lock,
        })
    }

    fn check_running(&self) -> Result<(), KvError> {
        match self.stopped.get() {
            None => Ok(()),
            Some(Stop::Closed) => Err(KvError::Closed),
            Some(Stop::Failed(why)) => Err(KvError::Poisoned(why.clone())),
        }
    }

    /// Runs one call of the engine. A panic inside it stops the store: what it left in memory cannot be trusted.
    fn guard<T>(&self, call: impl FnOnce() -> Result<T, KvError>) -> Result<T, KvError> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(result) => result,
            Err(panic) => {
                let why = panic_message(panic.as_ref());
                self.stop(why.clone());
                Err(KvError::Poisoned(why))
            }
        }
    }

    fn stop(&self, why: String) {
        // Only the first reason is kept: the later ones are its consequences.
        let _ = self.stopped.set(Stop::Failed(why));
    }

    /// Deletions pass a floor that puts do not: they are how room is made.
    fn check_floor(&self, batch: &Batch) -> Result<(), KvError> {
        if batch.values().all(Option::is_none) {
            return Ok(());
        }
        self.floor.check(&self.folder, self.engine.disk_bytes()?)
    }
}

impl<E: Engine> Kv for Guarded<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.check_running()?;
        check_key(key)?;
        self.guard(|| self.engine.get(key))
    }

    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError> {
        self.check_running()?;
        self.guard(|| self.engine.scan(prefix, from, reverse, limit))
    }

    fn commit(&self, batch: &Batch) -> Result<(), KvError> {
        check_batch(batch)?;
        let mut committing = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.check_running()?;
        self.check_floor(batch)?;
        let number = committing.number + 1;
        let done = self.guard(|| {
            self.engine.commit(batch, number)?;
            committing
                .watermark
                .as_mut()
                .map_or(Ok(()), |watermark| watermark.advance(number))
        });
        match done {
            Ok(()) => committing.number = number,
            // An fsync that failed once may report success the second time with the data gone: never asked again.
            Err(ref error) => self.stop(error.to_string()),
        }
        done
    }

    fn slots(&self) -> Result<Option<Vec<Slot>>, KvError> {
        self.check_running()?;
        self.slots.read()
    }

    fn write_slots(&self, slots: &BTreeMap<u32, Slot>) -> Result<(), KvError> {
        let _committing = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.check_running()?;
        if !destroys(slots) {
            self.floor.check(&self.folder, self.engine.disk_bytes()?)?;
        }
        let done = self.slots.write(slots);
        if let Err(error) = &done {
            self.stop(error.to_string());
        }
        done
    }

    fn stats(&self) -> Result<Stats, KvError> {
        let commits = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .number;
        Ok(Stats {
            engine: self.engine.kind(),
            commits,
            disk_bytes: self.engine.disk_bytes()?,
            commits_lost: self.commits_lost,
        })
    }

    fn room(&self) -> Result<(), KvError> {
        self.check_running()?;
        self.floor.check(&self.folder, self.engine.disk_bytes()?)
    }

    fn compact(&self) -> Result<bool, KvError> {
        let _committing = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.check_running()?;
        self.guard(|| self.engine.compact())
    }

    fn close(&self) -> Result<(), KvError> {
        // Waits for a commit under way; what it acknowledged is durable, so nothing is left to flush.
        let _committing = self
            .committing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = self.stopped.set(Stop::Closed);
        Ok(())
    }
}

/// Opens or makes the watermark; says how many commits the caller agreed to go on without.
fn check_watermark(
    folder: &Path,
    number: u64,
    options: &Options,
) -> Result<(Watermark, u64), KvError> {
    let afresh = || Watermark::create(folder, options.watermark_key, number);
    let mut watermark = match Watermark::open(folder, options.watermark_key) {
        Ok(Some(watermark)) => watermark,
        Ok(None) if number == 0 || options.accept_loss => return Ok((afresh()?, 0)),
        Ok(None) => return Err(KvError::Corrupt("its watermark is missing".into())),
        Err(KvError::Corrupt(_)) if options.accept_loss => return Ok((afresh()?, 0)),
        Err(error) => return Err(error),
    };
    let acknowledged = watermark.commit();
    if number < acknowledged {
        let commits = acknowledged - number;
        if !options.accept_loss {
            return Err(KvError::Lost { commits });
        }
        return Ok((afresh()?, commits));
    }
    if number > acknowledged {
        watermark.advance(number)?;
    }
    Ok((watermark, 0))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "the engine panicked: {}",
        message.as_deref().unwrap_or("no message")
    )
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), KvError> {
    sync_path(folder)
}

/// Makes a file, or the names in a folder, durable.
pub(crate) fn sync_path(path: &Path) -> Result<(), KvError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| KvError::from_io("syncing", path, error))
}
