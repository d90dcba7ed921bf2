// SPDX-License-Identifier: MIT OR Apache-2.0
//! redb: the second engine, and the only file that names it.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Database, ReadableDatabase, TableDefinition};

use crate::guarded::{Engine, sync_folder};
use crate::{Batch, EngineKind, KvError, RESERVED_SPACE, Row, scan_bounds};

const FILE_NAME: &str = "rows.redb";
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// Pages redb keeps in memory itself, whatever the caller allows: the kernel keeps the file's pages anyway, and a repair
/// after a crash, which reads the whole file, would otherwise leave the cache full of it.
const CACHE_BYTES_MAX: u64 = 16 << 20;

/// The row, in each batch, that holds the batch's own number.
const COMMIT_KEY: [u8; 2] = [RESERVED_SPACE, b'n'];

/// One open redb database; one table.
pub(crate) struct RedbEngine {
    /// Held for writing only by a compaction, which needs the database for itself.
    database: RwLock<Database>,
    path: PathBuf,
}

impl RedbEngine {
    /// Opens the database in `folder`, makes it when there is none, and makes its file durable.
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, KvError> {
        let path = folder.join(FILE_NAME);
        let cache_bytes = usize::try_from(cache_bytes.min(CACHE_BYTES_MAX)).unwrap_or(usize::MAX);
        let database = Database::builder()
            .set_cache_size(cache_bytes)
            .create(&path)
            .map_err(explain)?;
        let change = database.begin_write().map_err(explain)?;
        change.open_table(ROWS).map_err(explain)?;
        change.commit().map_err(explain)?;
        sync_folder(folder)?;
        Ok(Self {
            database: RwLock::new(database),
            path,
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(
            redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
        ) -> Result<T, redb::StorageError>,
    ) -> Result<T, KvError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let table = database
            .begin_read()
            .map_err(explain)?
            .open_table(ROWS)
            .map_err(explain)?;
        read(table).map_err(explain)
    }
}

impl Engine for RedbEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Redb
    }

    fn commit_number(&self) -> Result<u64, KvError> {
        let Some(bytes) = self.get(&COMMIT_KEY)? else {
            return Ok(0);
        };
        let bytes = <[u8; 8]>::try_from(bytes)
            .map_err(|_| KvError::Corrupt("the number of its last commit is unreadable".into()))?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.read(|table| Ok(table.get(key)?.map(|value| value.value().to_vec())))
    }

    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError> {
        let Some((low, high)) = scan_bounds(prefix, from, reverse) else {
            return Ok(Vec::new());
        };
        self.read(|table| {
            let range = table.range::<&[u8]>((
                low.as_ref().map(Vec::as_slice),
                high.as_ref().map(Vec::as_slice),
            ))?;
            let range = range.map(|item| {
                item.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
            });
            if reverse {
                range.rev().take(limit).collect()
            } else {
                range.take(limit).collect()
            }
        })
    }

    fn commit(&self, batch: &Batch, number: u64) -> Result<(), KvError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let change = database.begin_write().map_err(explain)?;
        {
            let mut table = change.open_table(ROWS).map_err(explain)?;
            for (key, value) in batch {
                match value {
                    Some(value) => table
                        .insert(key.as_slice(), value.as_slice())
                        .map_err(explain)?,
                    None => table.remove(key.as_slice()).map_err(explain)?,
                };
            }
            table
                .insert(COMMIT_KEY.as_slice(), number.to_be_bytes().as_slice())
                .map_err(explain)?;
        }
        change.commit().map_err(explain)
    }

    fn disk_bytes(&self) -> Result<u64, KvError> {
        let file = std::fs::metadata(&self.path);
        file.map(|file| file.len())
            .map_err(|error| KvError::from_io("measuring the store", &self.path, error))
    }

    fn compact(&self) -> Result<bool, KvError> {
        self.database
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .compact()
            .map_err(explain)
    }
}

fn explain(error: impl Into<redb::Error>) -> KvError {
    match error.into() {
        redb::Error::Io(error) => {
            KvError::from_io("writing or reading the store", Path::new(FILE_NAME), error)
        }
        redb::Error::Corrupted(what) => KvError::Corrupt(what),
        error @ (redb::Error::UpgradeRequired(_) | redb::Error::TableTypeMismatch { .. }) => {
            KvError::Corrupt(error.to_string())
        }
        error => KvError::Poisoned(error.to_string()),
    }
}
