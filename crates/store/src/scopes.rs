// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scopes: rows whose keys lie beside the store, so that destroying a key erases what old segments still hold.
//!
//! What is written when, and what a crash behind each step leaves:
//!
//! ```text
//! 1 the slot of a new key    a key without rows: the scope takes it up when it is written again
//! 2 the commit of its rows   rows and their key
//! 3 the commit that destroys a redo row for each slot; the rows are gone, the key is not yet: 4 is done at opening
//! 4 zeros over the slot      a redo row for a slot that is free: it goes at opening
//! 5 the redo row goes        with the next commit, or at opening; nothing is left
//! ```
//!
//! A redo row names the nonce its slot was sealed with, so that a slot which was given to another key since is left
//! alone. A slot that does not open is nobody's and is never used again: it may be all that tells of a damaged disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use comptoir_crypto::at_rest::{
    RootStoreKey, SLOT_SEALED_BYTES, ScopeKey, ScopeKeySource, ScopeName, Sealer, SlotCipher,
    SlotNonce, scope_of,
};
use comptoir_engine::{Scope, Scopes};
use comptoir_kv::{Batch, FREE_SLOT, Kv, Slot};
use rand_core::CryptoRng;

use crate::StoreError;
use crate::core::{DESTROYING, unseal};

/// Rows looked at in one go where unreadable ones are dropped.
const PAGE_ROWS: usize = 256;

/// The keys of all scopes: some 200 bytes each, so 2 MiB for ten thousand threads.
pub(crate) struct ScopeKeys {
    cipher: SlotCipher,
    source: Mutex<ScopeKeySource>,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    keys: BTreeMap<Scope, Placed>,
    /// Taken from the end.
    free: Vec<u32>,
    /// One past the last slot.
    end: u32,
    /// Redo rows whose work is done; they go with the next commit.
    done: Vec<Vec<u8>>,
}

/// A key and where it lies.
struct Placed {
    slot: u32,
    nonce: SlotNonce,
    key: ScopeKey,
}

/// A key that is to be destroyed.
pub(crate) struct Doomed {
    scope: Scope,
    slot: u32,
    nonce: SlotNonce,
}

impl ScopeKeys {
    /// A table without keys yet. `rng` gives this session's new ones.
    pub(crate) fn new(root: &RootStoreKey, rng: &mut impl CryptoRng) -> Self {
        Self {
            cipher: SlotCipher::new(root),
            source: Mutex::new(ScopeKeySource::new(rng)),
            table: RwLock::default(),
        }
    }

    /// Reads every key, and finishes what was being destroyed. Costs some 2 µs a slot.
    pub(crate) fn load(&self, kv: &dyn Kv, sealer: &Sealer) -> Result<(), StoreError> {
        let mut table = Table::default();
        for (number, slot) in (0..).zip(kv.slots()?.unwrap_or_default()) {
            table.end = number + 1;
            if slot == FREE_SLOT {
                table.free.push(number);
            } else if let Some((nonce, name, key)) = self.open_slot(number, &slot) {
                let slot = number;
                table
                    .keys
                    .insert(from_name(&name), Placed { slot, nonce, key });
            }
        }
        // The lowest first, so that the file does not grow.
        table.free.reverse();
        *self.table_mut() = table;
        self.redo(kv, sealer)?;
        match kv.stats()?.commits_lost {
            0 => Ok(()),
            _ => self.drop_unreadable(kv),
        }
    }

    /// With the commits that the user accepted to lose, deletions were lost whose keys are gone: what came back with them
    /// is unreadable, was to go, and goes.
    fn drop_unreadable(&self, kv: &dyn Kv) -> Result<(), StoreError> {
        let mut from: Option<Vec<u8>> = None;
        loop {
            let page = kv.scan(&[], from.as_deref(), false, PAGE_ROWS)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            from = Some([&last[..], &[0]].concat());
            let table = self.table();
            let lacks_key = |sealed: &[u8]| {
                scope_of(sealed).is_some_and(|name| !table.keys.contains_key(&from_name(&name)))
            };
            let gone = page.into_iter().filter(|(_, sealed)| lacks_key(sealed));
            let batch: Batch = gone.map(|(key, _)| (key, None)).collect();
            if !batch.is_empty() {
                kv.commit(&batch)?;
            }
        }
    }

    /// Finishes what redo rows say was being destroyed.
    fn redo(&self, kv: &dyn Kv, sealer: &Sealer) -> Result<(), StoreError> {
        let rows = kv.scan(&[DESTROYING], None, false, usize::MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        let slots = kv.slots()?.unwrap_or_default();
        let (mut zeros, mut batch) = (BTreeMap::new(), Batch::new());
        for (row, sealed) in rows {
            let nonce = unseal(sealer, &row, &sealed)?;
            let number = slot_of(&row)?;
            let slot = slots.get(number as usize).unwrap_or(&FREE_SLOT);
            let another = self
                .open_slot(number, slot)
                .is_some_and(|(found, _, _)| found[..] != nonce);
            if *slot != FREE_SLOT && !another {
                zeros.insert(number, FREE_SLOT);
            }
            batch.insert(row, None);
        }
        if !zeros.is_empty() {
            kv.write_slots(&zeros)?;
        }
        kv.commit(&batch)?;
        let mut table = self.table_mut();
        table
            .keys
            .retain(|_, placed| !zeros.contains_key(&placed.slot));
        table.free.extend(zeros.keys().rev());
        Ok(())
    }

    /// Makes the keys that these scopes lack; durable on return. One `fdatasync` when any was made.
    pub(crate) fn make(&self, kv: &dyn Kv, scopes: &BTreeSet<Scope>) -> Result<(), StoreError> {
        let mut made = Vec::new();
        {
            let table = self.table();
            let missing = scopes
                .iter()
                .filter(|scope| !table.keys.contains_key(*scope));
            let free = table.free.iter().rev().copied().chain(table.end..);
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            for (scope, slot) in missing.zip(free) {
                let (key, nonce) = source.draw();
                made.push((*scope, Placed { slot, nonce, key }));
            }
        }
        if made.is_empty() {
            return Ok(());
        }
        let slot = |(scope, placed): &(Scope, Placed)| (placed.slot, self.seal_slot(scope, placed));
        kv.write_slots(&made.iter().map(slot).collect())?;
        let mut table = self.table_mut();
        let left = table.free.len().saturating_sub(made.len());
        table.free.truncate(left);
        for (scope, placed) in made {
            table.end = table.end.max(placed.slot + 1);
            table.keys.insert(scope, placed);
        }
        Ok(())
    }

    /// The keys that go with these scopes. Their redo rows, and those of what is done, are put into the batch.
    pub(crate) fn doom(
        &self,
        sealer: &Sealer,
        scopes: &[Scopes],
        batch: &mut Batch,
    ) -> Vec<Doomed> {
        let table = self.table();
        batch.extend(table.done.iter().map(|row| (row.clone(), None)));
        let mut doomed = Vec::new();
        for scopes in scopes {
            let (first, last) = match *scopes {
                Scopes::One(scope) => (scope, scope),
                Scopes::Before { thread, generation } => (scope(thread, 0, 0), {
                    let Some(last) = generation.checked_sub(1) else {
                        continue;
                    };
                    scope(thread, last, u32::MAX)
                }),
            };
            for (scope, placed) in table.keys.range(first..=last) {
                let row = redo_row(placed.slot);
                batch.insert(
                    row.clone(),
                    Some(sealer.seal(DESTROYING, &row, &placed.nonce)),
                );
                doomed.push(Doomed {
                    scope: *scope,
                    slot: placed.slot,
                    nonce: placed.nonce,
                });
            }
        }
        doomed
    }

    /// The batch that `doom` made is durable: its redo rows stand, those of what was done are gone.
    pub(crate) fn on_durable(&self) {
        self.table_mut().done.clear();
    }

    /// Destroys these keys; durable on return. One `fdatasync`.
    pub(crate) fn destroy(&self, kv: &dyn Kv, doomed: &[Doomed]) -> Result<(), StoreError> {
        if doomed.is_empty() {
            return Ok(());
        }
        kv.write_slots(
            &doomed
                .iter()
                .map(|doomed| (doomed.slot, FREE_SLOT))
                .collect(),
        )?;
        let mut table = self.table_mut();
        for Doomed { scope, slot, nonce } in doomed {
            if table
                .keys
                .get(scope)
                .is_some_and(|placed| placed.nonce == *nonce)
            {
                table.keys.remove(scope);
                table.free.push(*slot);
                table.done.push(redo_row(*slot));
            }
        }
        Ok(())
    }

    /// Seals a row under a scope's key, which [`ScopeKeys::make`] saw to.
    pub(crate) fn seal(
        &self,
        sealer: &Sealer,
        scope: &Scope,
        row: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let table = self.table();
        let placed = table.keys.get(scope).ok_or_else(|| missing(scope))?;
        Ok(sealer.seal_scoped(&placed.key, &name(scope), row[0], row, value))
    }

    /// Opens a row that names this scope.
    pub(crate) fn open(
        &self,
        sealer: &Sealer,
        scope: &ScopeName,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let of_row = from_name(scope);
        let table = self.table();
        let placed = table.keys.get(&of_row).ok_or_else(|| missing(&of_row))?;
        // A key made since the one that is missing opens it as little.
        sealer
            .open_scoped(&placed.key, scope, row[0], row, sealed)
            .map_err(|_| missing(&of_row))
    }

    fn open_slot(&self, number: u32, slot: &Slot) -> Option<(SlotNonce, ScopeName, ScopeKey)> {
        let (sealed, rest) = slot.split_first_chunk::<SLOT_SEALED_BYTES>()?;
        rest.iter().all(|byte| *byte == 0).then_some(())?;
        self.cipher.open(number, sealed)
    }

    fn seal_slot(&self, scope: &Scope, placed: &Placed) -> Slot {
        let mut slot = FREE_SLOT;
        let sealed = self
            .cipher
            .seal(placed.slot, &placed.nonce, &name(scope), &placed.key);
        slot[..SLOT_SEALED_BYTES].copy_from_slice(&sealed);
        slot
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn scope(thread: u32, generation: u32, period: u32) -> Scope {
    Scope {
        thread,
        generation,
        period,
    }
}

fn missing(scope: &Scope) -> StoreError {
    StoreError::ScopeKey {
        thread: scope.thread,
        file: comptoir_kv::SLOTS_FILE,
    }
}

fn redo_row(slot: u32) -> Vec<u8> {
    [&[DESTROYING][..], &slot.to_be_bytes()].concat()
}

fn slot_of(redo_row: &[u8]) -> Result<u32, StoreError> {
    let number = redo_row.get(1..).and_then(|number| number.try_into().ok());
    let number =
        number.ok_or_else(|| StoreError::Corrupt("a row names no slot of a key".into()))?;
    Ok(u32::from_be_bytes(number))
}

fn name(scope: &Scope) -> ScopeName {
    let mut name = ScopeName::default();
    name[..4].copy_from_slice(&scope.thread.to_be_bytes());
    name[4..8].copy_from_slice(&scope.generation.to_be_bytes());
    name[8..].copy_from_slice(&scope.period.to_be_bytes());
    name
}

fn from_name(name: &ScopeName) -> Scope {
    let number =
        |at: usize| u32::from_be_bytes([name[at], name[at + 1], name[at + 2], name[at + 3]]);
    scope(number(0), number(4), number(8))
}
