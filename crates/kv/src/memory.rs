// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store of simulations: in memory, deterministic, with every fault on demand.
//!
//! A [`Disk`] outlives the process that writes to it; a [`Memory`] is one opening of it. Opening it again, or crashing
//! it, cuts the earlier handles off, as the death of a process would.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::slots::destroys;
use crate::{
    Batch, EngineKind, FREE_SLOT, Kv, KvError, Row, Slot, Stats, check_batch, check_key,
    scan_bounds,
};

/// How many of the last commits [`Disk::lose_last`] can take back. Kept small: a world holds thousands of disks.
const UNDO_COMMITS_MAX: usize = 64;

type Rows = BTreeMap<Vec<u8>, Arc<[u8]>>;
type Slots = Option<Vec<Slot>>;
type Undo = BTreeMap<Vec<u8>, Option<Arc<[u8]>>>;

/// How the next commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing of the batch reaches the disk.
    Nothing,
    /// All of it does, and the caller is still told that it failed: an `fsync` whose answer was lost.
    Written,
}

/// A disk that survives crashes. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk {
    platter: Arc<Mutex<Platter>>,
}

/// A copy of a disk at one moment, its watermark included: what a restored virtual machine finds.
#[derive(Clone)]
pub struct Snapshot {
    rows: Rows,
    slots: Slots,
    number: u64,
    acknowledged: u64,
}

/// One opening of a [`Disk`].
pub struct Memory {
    platter: Arc<Mutex<Platter>>,
    opening: u64,
    commits_lost: u64,
}

#[derive(Default)]
struct Platter {
    rows: Rows,
    slots: Slots,
    number: u64,
    acknowledged: u64,
    /// What each of the last commits replaced, newest last.
    undo: VecDeque<Undo>,
    opening: u64,
    stopped: Option<&'static str>,
    failing: Option<(u64, Failure)>,
    failing_slots: Option<(u64, Failure)>,
    full: bool,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it, and cuts off whoever had it. Fails with [`KvError::Lost`] when acknowledged commits are missing.
    pub fn open(&self) -> Result<Memory, KvError> {
        self.open_with(false)
    }

    /// Opens it whatever is missing, and takes what is left as the truth from now on.
    pub fn open_accepting_loss(&self) -> Result<Memory, KvError> {
        self.open_with(true)
    }

    fn open_with(&self, accept_loss: bool) -> Result<Memory, KvError> {
        let mut platter = self.platter();
        let commits_lost = platter.acknowledged.saturating_sub(platter.number);
        if commits_lost > 0 && !accept_loss {
            return Err(KvError::Lost {
                commits: commits_lost,
            });
        }
        platter.acknowledged = platter.number;
        platter.opening += 1;
        platter.stopped = None;
        let opening = platter.opening;
        drop(platter);
        Ok(Memory {
            platter: Arc::clone(&self.platter),
            opening,
            commits_lost,
        })
    }

    /// Kills the process that has it: every open handle answers [`KvError::Poisoned`]. Keeps what was committed.
    pub fn crash(&self) {
        self.platter().opening += 1;
    }

    /// Lets `after` more commits pass and the next one fail.
    pub fn fail_commit(&self, after: u64, failure: Failure) {
        self.platter().failing = Some((after, failure));
    }

    /// Lets `after` more writes of slots pass and the next one fail.
    pub fn fail_slots(&self, after: u64, failure: Failure) {
        self.platter().failing_slots = Some((after, failure));
    }

    /// Puts these bytes into a slot, as a torn write or a bad disk would.
    pub fn damage_slot(&self, number: usize, slot: Slot) {
        if let Some(place) = self.platter().slots.iter_mut().flatten().nth(number) {
            *place = slot;
        }
    }

    /// Takes the slots away.
    pub fn remove_slots(&self) {
        self.platter().slots = None;
    }

    /// Takes back the last commits, up to 64, although they were acknowledged; says how many. Crash it first.
    pub fn lose_last(&self, commits: u64) -> u64 {
        let mut platter = self.platter();
        let mut lost = 0;
        while lost < commits {
            let Some(undo) = platter.undo.pop_back() else {
                break;
            };
            for (key, old) in undo {
                match old {
                    Some(value) => platter.rows.insert(key, value),
                    None => platter.rows.remove(&key),
                };
            }
            platter.number -= 1;
            lost += 1;
        }
        lost
    }

    /// Copies the disk. Values are shared, so this costs a pointer a row.
    pub fn snapshot(&self) -> Snapshot {
        let platter = self.platter();
        Snapshot {
            rows: platter.rows.clone(),
            slots: platter.slots.clone(),
            number: platter.number,
            acknowledged: platter.acknowledged,
        }
    }

    /// Puts an old copy back, watermark and all, and kills the process that had the disk. Opening it sees nothing wrong.
    pub fn roll_back(&self, snapshot: &Snapshot) {
        let mut platter = self.platter();
        platter.rows = snapshot.rows.clone();
        platter.slots.clone_from(&snapshot.slots);
        platter.number = snapshot.number;
        platter.acknowledged = snapshot.acknowledged;
        platter.undo.clear();
        platter.opening += 1;
    }

    /// Refuses, or again accepts, batches that put anything.
    pub fn set_full(&self, full: bool) {
        self.platter().full = full;
    }

    /// Bytes of the keys and values it holds.
    pub fn bytes(&self) -> u64 {
        self.platter().bytes()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn platter(&self) -> Result<MutexGuard<'_, Platter>, KvError> {
        let platter = self.platter.lock().unwrap_or_else(PoisonError::into_inner);
        if platter.opening != self.opening {
            return Err(KvError::Poisoned("the process crashed".into()));
        }
        match platter.stopped {
            Some("closed") => Err(KvError::Closed),
            Some(why) => Err(KvError::Poisoned(why.into())),
            None => Ok(platter),
        }
    }
}

impl Kv for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        let platter = self.platter()?;
        check_key(key)?;
        Ok(platter.rows.get(key).map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        prefix: &[u8],
        from: Option<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, KvError> {
        let platter = self.platter()?;
        let Some(bounds) = scan_bounds(prefix, from, reverse) else {
            return Ok(Vec::new());
        };
        let range = platter
            .rows
            .range(bounds)
            .map(|(key, value)| (key.clone(), value.to_vec()));
        Ok(if reverse {
            range.rev().take(limit).collect()
        } else {
            range.take(limit).collect()
        })
    }

    fn commit(&self, batch: &Batch) -> Result<(), KvError> {
        check_batch(batch)?;
        let mut platter = self.platter()?;
        if platter.full && batch.values().any(Option::is_some) {
            return Err(KvError::Full {
                free_bytes: 0,
                needed_bytes: 1,
            });
        }
        match next_failure(&mut platter.failing) {
            Some(Failure::Nothing) => return Err(platter.fail()),
            Some(Failure::Written) => {
                platter.apply(batch);
                return Err(platter.fail());
            }
            None => {}
        }
        platter.apply(batch);
        platter.acknowledged = platter.number;
        Ok(())
    }

    fn slots(&self) -> Result<Slots, KvError> {
        Ok(self.platter()?.slots.clone())
    }

    fn write_slots(&self, slots: &BTreeMap<u32, Slot>) -> Result<(), KvError> {
        let mut platter = self.platter()?;
        if platter.full && !destroys(slots) {
            return Err(KvError::Full {
                free_bytes: 0,
                needed_bytes: 1,
            });
        }
        let failure = next_failure(&mut platter.failing_slots);
        if failure != Some(Failure::Nothing) {
            platter.write_slots(slots);
        }
        match failure {
            Some(_) => Err(platter.fail()),
            None => Ok(()),
        }
    }

    fn stats(&self) -> Result<Stats, KvError> {
        let platter = self.platter()?;
        Ok(Stats {
            engine: EngineKind::Memory,
            commits: platter.number,
            disk_bytes: platter.bytes(),
            commits_lost: self.commits_lost,
        })
    }

    fn room(&self) -> Result<(), KvError> {
        match self.platter()?.full {
            true => Err(KvError::Full {
                free_bytes: 0,
                needed_bytes: 1,
            }),
            false => Ok(()),
        }
    }

    fn compact(&self) -> Result<bool, KvError> {
        self.platter().map(|_| false)
    }

    fn close(&self) -> Result<(), KvError> {
        self.platter()?.stopped = Some("closed");
        Ok(())
    }
}

fn next_failure(failing: &mut Option<(u64, Failure)>) -> Option<Failure> {
    let (after, failure) = (*failing)?;
    *failing = after.checked_sub(1).map(|after| (after, failure));
    (after == 0).then_some(failure)
}

impl Platter {
    fn apply(&mut self, batch: &Batch) {
        let mut undo = Undo::new();
        for (key, value) in batch {
            let old = match value {
                Some(value) => self.rows.insert(key.clone(), value.as_slice().into()),
                None => self.rows.remove(key),
            };
            undo.insert(key.clone(), old);
        }
        self.number += 1;
        self.undo.push_back(undo);
        if self.undo.len() > UNDO_COMMITS_MAX {
            self.undo.pop_front();
        }
    }

    fn write_slots(&mut self, slots: &BTreeMap<u32, Slot>) {
        let all = self.slots.get_or_insert_default();
        for (number, slot) in slots {
            let number = *number as usize;
            if all.len() <= number {
                all.resize(number + 1, FREE_SLOT);
            }
            all[number] = *slot;
        }
    }

    fn fail(&mut self) -> KvError {
        let why = "a commit was made to fail";
        self.stopped = Some(why);
        KvError::Poisoned(why.into())
    }

    fn bytes(&self) -> u64 {
        self.rows
            .iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }
}
