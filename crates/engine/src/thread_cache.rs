// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread cache: threads in use, bounded in bytes. What falls out is loaded again from its rows.

use std::collections::BTreeMap;

use comptoir_crypto::mls::{MlsThread, Ratchet, RowChange, Rows, RowsError};

use crate::rows::key::{self, Key};
use crate::rows::thread::Thread;
use crate::seam::error::EngineError;
use crate::timers::Timer;
use crate::turn::Turn;

/// How many received envelopes the row of the receive ratchet may lag behind.
const RATCHET_LAG_MAX: u32 = 64;
/// And for how long.
const RATCHET_LAG_MS: u64 = 5_000;

/// A thread in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) number: u32,
    pub(crate) thread: Thread,
    /// The record is to be written at the end of the step.
    pub(crate) dirty: bool,
    /// The MLS group, once it was needed.
    pub(crate) mls: Option<MlsThread>,
    /// Envelopes received since the receive ratchet was written.
    pub(crate) lag: u32,
    last_used: u64,
}

impl Loaded {
    pub(crate) fn new(number: u32, thread: Thread, mls: MlsThread) -> Self {
        Loaded {
            number,
            thread,
            dirty: true,
            mls: Some(mls),
            lag: 0,
            last_used: 0,
        }
    }

    fn memory_bytes(&self) -> usize {
        // A record takes about its row; two authors with a few ranges each stay below this.
        const RECORD_BYTES: usize = 1_024;
        size_of::<Self>() + RECORD_BYTES + self.mls.as_ref().map_or(0, MlsThread::memory_bytes)
    }
}

/// The threads in use.
#[derive(Debug, Default)]
pub(crate) struct ThreadCache {
    threads: BTreeMap<u32, Loaded>,
    uses: u64,
    bytes: usize,
}

impl ThreadCache {
    fn take(&mut self, number: u32) -> Option<Loaded> {
        let loaded = self.threads.remove(&number)?;
        self.bytes -= loaded.memory_bytes();
        Some(loaded)
    }

    pub(crate) fn put(&mut self, mut loaded: Loaded) {
        self.uses += 1;
        loaded.last_used = self.uses;
        self.bytes += loaded.memory_bytes();
        self.threads.insert(loaded.number, loaded);
    }

    /// Drops the threads unused for the longest time until the rest fits. A receive ratchet that was not written yet is
    /// dropped with them: its row opens what comes all the same, and what was opened already is known by its run.
    pub(crate) fn shrink(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(oldest) = self
                .threads
                .values()
                .min_by_key(|loaded| loaded.last_used)
                .map(|loaded| loaded.number)
            else {
                return;
            };
            self.take(oldest);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

struct MlsRows<'t, 'v>(&'t Turn<'v>, u32);

impl Rows for MlsRows<'_, '_> {
    fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, RowsError> {
        let key: Vec<u8> = Key::of(key::MLS).u32(self.1).bytes(row).into();
        self.0.get(&key).map_err(|error| RowsError(Box::new(error)))
    }
}

impl Turn<'_> {
    /// Takes a thread out to work on it; [`Turn::put_thread`] gives it back. A thread not given back is loaded again.
    pub(crate) fn take_thread(&mut self, number: u32) -> Result<Loaded, EngineError> {
        if let Some(loaded) = self
            .used
            .remove(&number)
            .or_else(|| self.cache.take(number))
        {
            return Ok(loaded);
        }
        let thread = self.require(Key::of(key::THREAD).u32(number))?;
        Ok(Loaded {
            number,
            thread,
            dirty: false,
            mls: None,
            lag: 0,
            last_used: 0,
        })
    }

    /// Whether there is such a thread.
    pub(crate) fn has_thread(&self, number: u32) -> Result<bool, EngineError> {
        if self.used.contains_key(&number) || self.cache.threads.contains_key(&number) {
            return Ok(true);
        }
        let row: Vec<u8> = Key::of(key::THREAD).u32(number).into();
        Ok(self.get(&row)?.is_some())
    }

    pub(crate) fn put_thread(&mut self, loaded: Loaded) {
        self.used.insert(loaded.number, loaded);
    }

    /// The MLS group of a thread taken out.
    pub(crate) fn mls<'l>(&self, loaded: &'l mut Loaded) -> Result<&'l mut MlsThread, EngineError> {
        if loaded.mls.is_none() {
            let mls = MlsThread::load(&MlsRows(self, loaded.number))
                .map_err(|error| EngineError::Crypto(error.to_string()))?;
            loaded.mls = Some(mls);
        }
        Ok(loaded.mls.as_mut().expect("it was loaded just now"))
    }

    /// Writes what threads changed in this step.
    pub(crate) fn settle_threads(&mut self) -> Result<(), EngineError> {
        for (number, mut loaded) in std::mem::take(&mut self.used) {
            if loaded.dirty {
                self.put(Key::of(key::THREAD).u32(number), &loaded.thread);
                loaded.dirty = false;
            }
            self.settle_mls(&mut loaded);
            self.used.insert(number, loaded);
        }
        Ok(())
    }

    fn settle_mls(&mut self, loaded: &mut Loaded) {
        let Some(mls) = loaded.mls.as_mut() else {
            return;
        };
        let ratchet = if loaded.lag >= RATCHET_LAG_MAX {
            Ratchet::Write
        } else {
            Ratchet::Defer
        };
        let changes = mls.take_changes(ratchet);
        let pending = mls.is_ratchet_pending();
        self.write_mls(loaded.number, changes);
        if pending {
            self.memory.timers.set_if_unset(
                Timer::Ratchet {
                    thread: loaded.number,
                },
                self.now.mono_ms + RATCHET_LAG_MS,
            );
        } else {
            loaded.lag = 0;
        }
    }

    fn write_mls(&mut self, thread: u32, changes: BTreeMap<Vec<u8>, RowChange>) {
        for (row, change) in changes {
            let key = Key::of(key::MLS).u32(thread).bytes(&row);
            match change {
                RowChange::Put(value) => self.put_bytes(key, value),
                RowChange::Delete => self.delete(key),
            }
        }
    }

    /// The receive ratchet's row lagged long enough.
    pub(crate) fn on_ratchet_due(&mut self, thread: u32) -> Result<(), EngineError> {
        let mut loaded = self.take_thread(thread)?;
        if let Some(mls) = loaded.mls.as_mut() {
            let changes = mls.take_changes(Ratchet::Write);
            loaded.lag = 0;
            self.write_mls(thread, changes);
        }
        self.put_thread(loaded);
        Ok(())
    }
}
