// SPDX-License-Identifier: MIT OR Apache-2.0
//! sled 0.34.7, with what it leaves to its user: the only file that names it besides `chunks`.
//!
//! Found by tracing its system calls and cutting the power in simulation:
//! - `flush()` writes and calls `sync_file_range`, never `fsync`; acknowledged commits were gone in every cut. So each
//!   commit ends with an `fdatasync` on a descriptor of the log that is ours.
//! - the file `conf` is never synced, and without it nothing opens. So it is synced, with its directory, and kept twice.
//! - `flush_async` can deadlock, and transactions retry their closure; neither is used.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::guarded::{Engine, sync_folder, sync_path};
use crate::{Batch, EngineKind, KvError, RESERVED_SPACE, Row, chunks, scan_bounds};

const LOG_FILE: &str = "db";
const CONF_FILE: &str = "conf";
const CONF_COPY: &str = "conf.bak";
const SNAPSHOT_NAME: &str = "snap.";
const SNAPSHOT_UNFINISHED: &str = ".generating";

/// The row, in each batch, that holds the batch's own number.
const COMMIT_KEY: [u8; 2] = [RESERVED_SPACE, b'n'];

/// How long a handle of this same process, just dropped, may take to let go of sled's own lock.
const UNLOCK_WAIT: Duration = Duration::from_secs(5);

/// One open sled database; one tree.
pub(crate) struct SledEngine {
    database: sled::Db,
    log: File,
    log_path: PathBuf,
    /// Held for writing while a batch is applied (not while it is made durable), so that no scan sees half of one.
    applying: RwLock<()>,
}

/// What is left of the guards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guards {
    On,
    /// A bare `flush()`: lost by a power cut. The control of the power-cut tests.
    BareFlush,
    /// Not even that: lost by a kill, in the half second until sled's own thread flushes. The control of the kill loop.
    NoFlush,
}

/// On, but for the controls, which are built with the feature `unguarded`.
fn guards() -> Guards {
    if !cfg!(feature = "unguarded") {
        return Guards::On;
    }
    match std::env::var("COMPTOIR_CONTROL").as_deref() {
        Ok("unflushed") => Guards::NoFlush,
        Ok("unguarded") | Err(_) => Guards::BareFlush,
        Ok(_) => Guards::On,
    }
}

/// Whether the guards are off.
pub(crate) fn unguarded() -> bool {
    guards() != Guards::On
}

impl SledEngine {
    /// Opens the database in `folder`, makes it when there is none, and makes its files durable.
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, KvError> {
        remove_unfinished_snapshots(folder)?;
        let database = match open_database(folder, cache_bytes) {
            Err(error) if restore_conf(folder)? => {
                open_database(folder, cache_bytes).map_err(|_| error)?
            }
            other => other?,
        };
        let log_path = folder.join(LOG_FILE);
        let log = File::open(&log_path)
            .map_err(|error| KvError::from_io("opening the log", folder, error))?;
        if !unguarded() {
            keep_conf(folder)?;
            log.sync_all()
                .map_err(|error| KvError::from_io("syncing the log", folder, error))?;
            sync_folder(folder)?;
        }
        Ok(Self {
            database,
            log,
            log_path,
            applying: RwLock::new(()),
        })
    }
}

impl Engine for SledEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Sled
    }

    fn commit_number(&self) -> Result<u64, KvError> {
        let Some(bytes) = self.database.get(COMMIT_KEY).map_err(explain)? else {
            return Ok(0);
        };
        let bytes = <[u8; 8]>::try_from(bytes.as_ref())
            .map_err(|_| KvError::Corrupt("the number of its last commit is unreadable".into()))?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        let Some(row) = self.database.get(key).map_err(explain)? else {
            return Ok(None);
        };
        if !chunks::in_pieces(&row) {
            return chunks::read(key, &row, |_| Ok(None)).map(Some);
        }
        // The row and its pieces are several reads; a commit between them would mix two values.
        let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = self.database.get(key).map_err(explain)? else {
            return Ok(None);
        };
        chunks::read(key, &row, |key| self.database.get(key).map_err(explain)).map(Some)
    }

    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError> {
        let Some(bounds) = scan_bounds(prefix, from, reverse) else {
            return Ok(Vec::new());
        };
        let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        let range = self.database.range::<Vec<u8>, _>(bounds);
        let read = |item: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, row) = item.map_err(explain)?;
            let value = chunks::read(&key, &row, |key| self.database.get(key).map_err(explain))?;
            Ok((key.to_vec(), value))
        };
        if reverse {
            range.rev().take(limit).map(read).collect()
        } else {
            range.take(limit).map(read).collect()
        }
    }

    fn commit(&self, batch: &Batch, number: u64) -> Result<(), KvError> {
        let mut rows = sled::Batch::default();
        for (key, value) in batch {
            let old = self.database.get(key).map_err(explain)?;
            match value {
                Some(value) => chunks::put(&mut rows, key, value, old.as_ref())?,
                None => chunks::delete(&mut rows, key, old.as_ref())?,
            }
        }
        rows.insert(&COMMIT_KEY, &number.to_be_bytes());
        {
            let _alone = self
                .applying
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            self.database.apply_batch(rows).map_err(explain)?;
        }
        if guards() == Guards::NoFlush {
            return Ok(());
        }
        self.database.flush().map_err(explain)?;
        if unguarded() {
            return Ok(());
        }
        self.log
            .sync_data()
            .map_err(|error| KvError::from_io("syncing the log", &self.log_path, error))
    }

    fn disk_bytes(&self) -> Result<u64, KvError> {
        let log = self.log.metadata();
        log.map(|log| log.len())
            .map_err(|error| KvError::from_io("measuring the log", &self.log_path, error))
    }

    fn compact(&self) -> Result<bool, KvError> {
        Ok(false)
    }
}

fn open_database(folder: &Path, cache_bytes: u64) -> Result<sled::Db, KvError> {
    // The flusher thread stays on at its 500 ms: it is what collects dead segments.
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(cache_bytes)
        .mode(sled::Mode::LowSpace);
    let started = Instant::now();
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && started.elapsed() < UNLOCK_WAIT =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other.map_err(explain),
        }
    }
}

/// Puts the copy of `conf` in its place when the two differ; says whether it did.
fn restore_conf(folder: &Path) -> Result<bool, KvError> {
    let (Ok(conf), Ok(copy)) = (
        fs::read(folder.join(CONF_FILE)),
        fs::read(folder.join(CONF_COPY)),
    ) else {
        return Ok(false);
    };
    if conf == copy {
        return Ok(false);
    }
    write_conf(folder, CONF_FILE, &copy)?;
    Ok(true)
}

/// Removes what sled was writing when it last ended, and would now read as if it were whole.
///
/// While it opens, sled writes a snapshot of what it recovered to `snap.N.generating`, syncs it and renames it to
/// `snap.N`; only then it removes the one before. So an unfinished one never counts, and what it was made of is all
/// still there: the snapshot before it, and the log. A snapshot damaged under its final name is another matter: the disk
/// did not keep what it had synced, and the log alone could not show what else is gone. That one is left to sled, which
/// refuses it.
fn remove_unfinished_snapshots(folder: &Path) -> Result<(), KvError> {
    let failed = |error| KvError::from_io("removing an unfinished snapshot", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| {
            name.starts_with(SNAPSHOT_NAME) && name.ends_with(SNAPSHOT_UNFINISHED)
        }) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes `conf` durable and keeps a copy of it. It is written once, when the database is made, and never changes.
fn keep_conf(folder: &Path) -> Result<(), KvError> {
    let path = folder.join(CONF_FILE);
    sync_path(&path)?;
    let conf = fs::read(&path)
        .map_err(|error| KvError::from_io("reading sled's settings", folder, error))?;
    if fs::read(folder.join(CONF_COPY)).is_ok_and(|copy| copy == conf) {
        return Ok(());
    }
    write_conf(folder, CONF_COPY, &conf)
}

fn write_conf(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), KvError> {
    let temporary = folder.join(format!("{name}.new"));
    fs::write(&temporary, bytes)
        .map_err(|error| KvError::from_io("copying sled's settings", folder, error))?;
    sync_path(&temporary)?;
    fs::rename(&temporary, folder.join(name))
        .map_err(|error| KvError::from_io("copying sled's settings", folder, error))?;
    sync_folder(folder)
}

fn explain(error: sled::Error) -> KvError {
    match error {
        sled::Error::Io(error) => {
            KvError::from_io("writing or reading the log", Path::new(LOG_FILE), error)
        }
        sled::Error::Corruption { at, .. } => KvError::Corrupt(match at {
            Some(at) => format!("sled cannot read its log at {at}"),
            None => "sled cannot read its settings or its snapshot".to_owned(),
        }),
        sled::Error::Unsupported(what) => {
            KvError::Corrupt(format!("sled refuses its settings: {what}"))
        }
        sled::Error::ReportableBug(what) => {
            KvError::Poisoned(format!("a fault inside sled: {what}"))
        }
        sled::Error::CollectionNotFound(_) => {
            KvError::Corrupt("sled's only tree is missing".to_owned())
        }
    }
}
