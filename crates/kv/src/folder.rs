// SPDX-License-Identifier: MIT OR Apache-2.0
//! The folder of a store: which engine keeps it, and the change from one set of files to another.
//!
//! ```text
//! lock                     the process that owns the folder
//! current                  "comptoir-kv 1" and the name of the data folder that counts
//! data-<n>.<engine>/       the engine's files and its watermark
//! scope.keys               the slots, which a rebuild leaves as they are
//! ```
//!
//! `current` is replaced by one rename, so a rebuild either happened or did not. Data folders it does not name are
//! leftovers of a rebuild that a crash cut short, and go at the next opening.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::guarded::{Engine, Guarded, sync_folder, sync_path};
use crate::redb_engine::RedbEngine;
use crate::sled_engine::SledEngine;
use crate::{Batch, DirectoryLock, EngineKind, Kv, KvError, Options};

const CURRENT_FILE: &str = "current";
const CURRENT_NEW: &str = "current.new";
const FORMAT_NAME: &str = "comptoir-kv";
/// The format of the folder; raised when an older program could no longer read it.
const FORMAT: u32 = 1;

/// One batch of a rebuild: a MiB costs one sync, and fits the memory of the smallest machine.
const REBUILD_BATCH_BYTES: usize = 1 << 20;
const REBUILD_PAGE_ROWS: usize = 1024;

/// A data folder: its number rises with every rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Data {
    number: u64,
    engine: EngineKind,
}

/// What a rebuild did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The engine that keeps the folder now.
    pub engine: EngineKind,
    /// Rows copied, compared one by one with what was read.
    pub rows: u64,
    /// What the files weighed before.
    pub bytes_before: u64,
    /// What they weigh now.
    pub bytes_after: u64,
}

/// Opens the store in a folder, or makes one. Fails with [`KvError::Locked`] when another process has it, and with
/// [`KvError::Lost`] when it is older than what it acknowledged.
pub fn open(options: &Options) -> Result<Arc<dyn Kv>, KvError> {
    make_folder(&options.folder)?;
    let lock = DirectoryLock::take(&options.folder)?;
    let data = match read_current(&options.folder)? {
        Some(data) => data,
        None => make_store(options)?,
    };
    remove_leftovers(&options.folder, &data)?;
    open_data(options, &data, Some(lock))
}

/// The engine that keeps this folder; none when no store was made in it yet.
pub fn present(folder: &Path) -> Result<Option<EngineKind>, KvError> {
    Ok(read_current(folder)?.map(|data| data.engine))
}

/// Copies every row into new files, kept by `engine`, compares them, and lets them take the place of the old ones.
///
/// This is the converter between engines and, towards the same one, the compaction. The store must be closed. A crash at
/// any point leaves the old files or the new ones in place, never a mixture.
pub fn rebuild(options: &Options, engine: EngineKind) -> Result<Rebuilt, KvError> {
    let lock = DirectoryLock::take(&options.folder)?;
    let Some(old) = read_current(&options.folder)? else {
        return Err(KvError::Corrupt("there is no store in this folder".into()));
    };
    remove_leftovers(&options.folder, &old)?;
    let source = open_data(options, &old, None)?;
    let bytes_before = source.stats()?.disk_bytes;
    options.floor.check(&options.folder, bytes_before)?;

    let new = Data {
        number: old.number + 1,
        engine,
    };
    make_folder(&new.path(&options.folder))?;
    let target = open_data(options, &new, None)?;
    let rows = copy_rows(source.as_ref(), target.as_ref())?;
    if digest(source.as_ref())? != digest(target.as_ref())? {
        return Err(KvError::Corrupt(
            "the copy differs from its source; the old files stay".into(),
        ));
    }
    let bytes_after = target.stats()?.disk_bytes;
    drop((source, target));

    write_current(&options.folder, &new)?;
    remove_leftovers(&options.folder, &new)?;
    drop(lock);
    Ok(Rebuilt {
        engine,
        rows,
        bytes_before,
        bytes_after,
    })
}

impl Data {
    fn name(&self) -> String {
        format!("data-{}.{}", self.number, self.engine)
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name())
    }

    fn parse(name: &str) -> Option<Self> {
        let (number, engine) = name.strip_prefix("data-")?.split_once('.')?;
        Some(Self {
            number: number.parse().ok()?,
            engine: engine.parse().ok()?,
        })
    }
}

/// Makes the first data folder. Nothing is acknowledged before `current` names it, so what an earlier attempt left
/// behind holds nothing, unless `current` itself was taken away.
fn make_store(options: &Options) -> Result<Data, KvError> {
    for leftover in data_folders(&options.folder)? {
        let store = open_data(options, &leftover, None);
        if store.is_ok_and(|store| store.stats().is_ok_and(|stats| stats.commits > 0)) {
            return Err(KvError::Corrupt(format!(
                "{} is here but the file {CURRENT_FILE} is not",
                leftover.name()
            )));
        }
        remove_data(&options.folder, &leftover)?;
    }
    let data = Data {
        number: 1,
        engine: options.engine,
    };
    make_folder(&data.path(&options.folder))?;
    drop(open_data(options, &data, None)?);
    write_current(&options.folder, &data)?;
    Ok(data)
}

fn open_data(
    options: &Options,
    data: &Data,
    lock: Option<DirectoryLock>,
) -> Result<Arc<dyn Kv>, KvError> {
    let folder = data.path(&options.folder);
    match data.engine {
        EngineKind::Sled => guarded(
            || SledEngine::open(&folder, options.cache_bytes),
            &folder,
            options,
            lock,
        ),
        EngineKind::Redb => guarded(
            || RedbEngine::open(&folder, options.cache_bytes),
            &folder,
            options,
            lock,
        ),
        EngineKind::Memory => Err(KvError::Corrupt("a store in memory has no folder".into())),
    }
}

/// Opens an engine. Damaged files can make one panic; that is damage too, not a crash of the program.
fn guarded<E: Engine + 'static>(
    open: impl FnOnce() -> Result<E, KvError>,
    folder: &Path,
    options: &Options,
    lock: Option<DirectoryLock>,
) -> Result<Arc<dyn Kv>, KvError> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        open().and_then(|engine| Guarded::new(engine, folder, options, lock))
    }));
    match opened {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(_) => Err(KvError::Corrupt(
            "its engine panicked while opening it".into(),
        )),
    }
}

fn read_current(folder: &Path) -> Result<Option<Data>, KvError> {
    let path = folder.join(CURRENT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(damaged_current());
        }
        Err(error) => {
            return Err(KvError::from_io(
                "reading the name of the data folder",
                &path,
                error,
            ));
        }
    };
    let mut lines = text.lines();
    let format = lines
        .next()
        .and_then(|line| line.strip_prefix(FORMAT_NAME)?.trim().parse::<u32>().ok());
    match format {
        Some(FORMAT) => {}
        Some(found) if found > FORMAT => {
            return Err(KvError::Newer {
                found,
                known: FORMAT,
            });
        }
        _ => return Err(damaged_current()),
    }
    let data = lines
        .next()
        .and_then(Data::parse)
        .ok_or_else(damaged_current)?;
    if !data.path(folder).is_dir() {
        return Err(KvError::Corrupt(format!("{} is missing", data.name())));
    }
    Ok(Some(data))
}

fn damaged_current() -> KvError {
    KvError::Corrupt(format!("the file {CURRENT_FILE} is unreadable"))
}

fn write_current(folder: &Path, data: &Data) -> Result<(), KvError> {
    let temporary = folder.join(CURRENT_NEW);
    let io = |error| KvError::from_io("naming the data folder", folder, error);
    fs::write(
        &temporary,
        format!("{FORMAT_NAME} {FORMAT}\n{}\n", data.name()),
    )
    .map_err(io)?;
    sync_path(&temporary)?;
    fs::rename(&temporary, folder.join(CURRENT_FILE)).map_err(io)?;
    sync_folder(folder)
}

fn data_folders(folder: &Path) -> Result<Vec<Data>, KvError> {
    let io = |error| KvError::from_io("listing the folder", folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        found.extend(
            entry
                .map_err(io)?
                .file_name()
                .to_str()
                .and_then(Data::parse),
        );
    }
    Ok(found)
}

fn remove_leftovers(folder: &Path, current: &Data) -> Result<(), KvError> {
    for data in data_folders(folder)? {
        if data != *current {
            remove_data(folder, &data)?;
        }
    }
    Ok(())
}

fn remove_data(folder: &Path, data: &Data) -> Result<(), KvError> {
    fs::remove_dir_all(data.path(folder))
        .map_err(|error| KvError::from_io("removing old files", folder, error))
}

/// Makes a folder, and those above it that are missing, for their owner alone; their names are durable on return.
pub fn make_folder(folder: &Path) -> Result<(), KvError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_folder(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made.map_err(|error| KvError::from_io("making the folder", folder, error))?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

fn copy_rows(source: &dyn Kv, target: &dyn Kv) -> Result<u64, KvError> {
    let (mut batch, mut batch_bytes, mut rows) = (Batch::new(), 0, 0);
    each_row(source, |key, value| {
        rows += 1;
        batch_bytes += key.len() + value.len();
        batch.insert(key, Some(value));
        if batch_bytes >= REBUILD_BATCH_BYTES {
            target.commit(&batch)?;
            batch.clear();
            batch_bytes = 0;
        }
        Ok(())
    })?;
    target.commit(&batch)?;
    Ok(rows)
}

/// The digest of every row in order, lengths included.
fn digest(store: &dyn Kv) -> Result<[u8; 32], KvError> {
    let mut digest = Sha256::new();
    each_row(store, |key, value| {
        for bytes in [key, value] {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        Ok(())
    })?;
    Ok(digest.finalize().into())
}

fn each_row(
    store: &dyn Kv,
    mut row: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), KvError>,
) -> Result<(), KvError> {
    let mut from: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(&[], from.as_deref(), false, REBUILD_PAGE_ROWS)?;
        let full = page.len() == REBUILD_PAGE_ROWS;
        for (key, value) in page {
            if full {
                // The smallest key above this one.
                let mut next = key.clone();
                next.push(0);
                from = Some(next);
            }
            row(key, value)?;
        }
        if !full {
            return Ok(());
        }
    }
}
