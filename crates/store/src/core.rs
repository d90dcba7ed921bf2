// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core of a store: sealed rows on a key-value engine, with what is not durable yet laid over them. Synchronous: the
//! simulator drives it step by step, [`crate::Writer`] from a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use comptoir_crypto::at_rest::{RootStoreKey, Sealer, scope_of};
use comptoir_engine::{Scope, Write};
use comptoir_kv::{Batch, Kv, KvError, Slot, Stats};
use rand_core::CryptoRng;

use crate::pending::{Group, Pending, Plain};
use crate::scopes::{Doomed, ScopeKeys};
use crate::view::{CommittedView, PendingView};
use crate::{Seq, StoreError, schema};

/// The first space of the store's own rows. The engine's lie in 1 to 0xdf.
pub(crate) const OWN_SPACES: u8 = 0xe0;
/// What the store is: one row, not sealed.
pub(crate) const HEADER: u8 = 0xe0;
/// A sealed constant, by which a wrong key is told before any record is read.
pub(crate) const CHECK: u8 = 0xe1;
/// `number u16` → a consumer of events.
pub(crate) const CONSUMER: u8 = 0xe2;
/// `name` → a note of the node.
pub(crate) const NOTE: u8 = 0xe3;
/// `slot u32` → the nonce under which a key lies there that is being destroyed.
pub(crate) const DESTROYING: u8 = 0xe4;
/// One past the last space in use.
const SPACES_END: u8 = 0xe5;

/// How values are sealed. Not the schema of the records inside: a migration need not seal everything again.
const SEALING: u16 = 1;

/// An open store. Shared by threads; one of them submits, one commits, any number read.
pub struct Core {
    /// Replaced as a whole when the store is opened again after a failure.
    kv: RwLock<Arc<dyn Kv>>,
    pub(crate) sealer: Sealer,
    scopes: ScopeKeys,
    pending: RwLock<Pending>,
    /// Held while a consumer is looked up and written, so that two new ones do not take one number.
    pub(crate) consumers: Mutex<()>,
}

impl Core {
    /// Opens the rows on `kv` with the store's key, makes them when there are none, and brings an older schema up to
    /// date. `rng` gives this session's half of every nonce.
    pub fn open(
        kv: Arc<dyn Kv>,
        key: &RootStoreKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, StoreError> {
        let sealer = Sealer::open_session(key, SEALING, SPACES_END, rng);
        schema::open(kv.as_ref(), &sealer)?;
        let scopes = ScopeKeys::new(key, rng);
        scopes.load(kv.as_ref(), &sealer)?;
        Ok(Self {
            kv: RwLock::new(kv),
            sealer,
            scopes,
            pending: RwLock::default(),
            consumers: Mutex::default(),
        })
    }

    /// Takes the writes of one step; they are in [`Core::view`] from now on and durable once [`Core::durable`] reaches
    /// the number returned. On an error none of them was taken.
    pub fn submit(&self, writes: Vec<Write>) -> Result<Seq, StoreError> {
        check_writes(&writes)?;
        let mut pending = self.pending_mut();
        match &pending.stopped {
            Some(why) => Err(StoreError::Stopped(why.clone())),
            None => Ok(pending.submit(writes)),
        }
    }

    /// Commits the oldest submissions, as many as make one group; says up to which all are durable now, or none when
    /// nothing waited. Blocks for a commit. Called by one thread at a time.
    ///
    /// On an error the group and everything behind it is lost, and nothing more is taken until [`Core::reopen`].
    pub fn commit_group(&self) -> Result<Option<Seq>, StoreError> {
        let group = {
            let mut pending = self.pending_mut();
            if let Some(why) = &pending.stopped {
                return Err(StoreError::Stopped(why.clone()));
            }
            pending.next_group()
        };
        let Some(group) = group else { return Ok(None) };
        // Steps that write nothing still wait for those before them, but not for a disk of their own.
        let committed = match group.rows.is_empty() && group.destroys.is_empty() {
            true => Ok(Vec::new()),
            false => self.commit_rows(&group),
        };
        let destroyed = committed.and_then(|doomed| {
            self.pending_mut().on_durable(&group);
            // Only behind the commit: before it, a crash would leave rows that nothing opens.
            self.scopes.destroy(self.kv().as_ref(), &doomed)
        });
        match destroyed {
            Ok(()) => Ok(Some(group.up_to)),
            Err(error) => {
                self.pending_mut().on_failure(error.to_string());
                Err(error)
            }
        }
    }

    /// Commits a group behind the keys it needs; which keys go now that it is durable.
    fn commit_rows(&self, group: &Group) -> Result<Vec<Doomed>, StoreError> {
        let kv = self.kv();
        let mut batch = self.seal(kv.as_ref(), group)?;
        let doomed = self.scopes.doom(&self.sealer, &group.destroys, &mut batch);
        kv.commit(&batch)?;
        self.scopes.on_durable();
        Ok(doomed)
    }

    /// Submits and commits, with everything that waited before: for callers without a driver.
    pub fn commit(&self, writes: Vec<Write>) -> Result<Seq, StoreError> {
        let seq = self.submit(writes)?;
        while self.commit_group()?.is_some_and(|durable| durable < seq) {}
        Ok(seq)
    }

    /// Forgets what is not durable and goes on upon a newly opened `kv`. The caller opens a new engine on the view.
    ///
    /// After a refusal, a full disk say, `kv` may be the one it had.
    pub fn reopen(&self, kv: Arc<dyn Kv>) -> Result<(), StoreError> {
        schema::open(kv.as_ref(), &self.sealer)?;
        self.scopes.load(kv.as_ref(), &self.sealer)?;
        *self.kv.write().unwrap_or_else(PoisonError::into_inner) = kv;
        self.pending_mut().reset();
        Ok(())
    }

    /// The files below, when they are still sound; none when they stopped, and are let go so that they can be opened
    /// again.
    pub(crate) fn release_kv(&self) -> Option<Arc<dyn Kv>> {
        let mut kv = self.kv.write().unwrap_or_else(PoisonError::into_inner);
        if kv.get(&[HEADER]).is_ok() {
            return Some(Arc::clone(&kv));
        }
        *kv = Arc::new(Stopped);
        None
    }

    /// The files below, for whoever closes them; nothing is answered from now on.
    pub(crate) fn take_kv(&self) -> Arc<dyn Kv> {
        let mut kv = self.kv.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kv, Arc::new(Stopped))
    }

    /// What the engine sees: committed rows under everything submitted.
    pub fn view(&self) -> PendingView<'_> {
        PendingView(self)
    }

    /// What readers outside the engine see: committed rows, and those of a commit under way as soon as the files below
    /// show them. A reader that must not see what a power cut takes back bounds what it reads by what was told as
    /// durable.
    pub fn committed(&self) -> CommittedView<'_> {
        CommittedView(self)
    }

    /// Everything up to this number is durable.
    pub fn durable(&self) -> Seq {
        self.pending().durable()
    }

    /// The last number given.
    pub fn submitted(&self) -> Seq {
        self.pending().submitted()
    }

    /// Bytes that wait to be committed.
    pub fn waiting_bytes(&self) -> usize {
        self.pending().queue_bytes()
    }

    /// Figures of the files below.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        Ok(self.kv().stats()?)
    }

    /// Says whether the disk has room for more, as the next commit would be told. A driver asks before it hands the
    /// engine anything that makes rows: a step already taken cannot be put off.
    pub fn room(&self) -> Result<(), StoreError> {
        Ok(self.kv().room()?)
    }

    /// The engine below, for as long as the caller holds it.
    pub(crate) fn kv(&self) -> Arc<dyn Kv> {
        Arc::clone(&self.kv.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn pending(&self) -> RwLockReadGuard<'_, Pending> {
        self.pending.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending_mut(&self) -> RwLockWriteGuard<'_, Pending> {
        self.pending.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals a group, behind the keys that its scopes need. Done here, by the committing thread, because only here is it
    /// known which of several values of a key is the one that goes to disk.
    fn seal(&self, kv: &dyn Kv, group: &Group) -> Result<Batch, StoreError> {
        let values = group.rows.values().flatten();
        let scopes: BTreeSet<Scope> = values.filter_map(|value| value.scope).collect();
        let is_destroyed = |scope: &&Scope| {
            let mut destroys = group.destroys.iter();
            destroys.any(|destroyed| destroyed.contain(scope))
        };
        // A row without its key, from the moment it is durable: whoever asks for that has a fault.
        if let Some(scope) = scopes.iter().find(is_destroyed) {
            return Err(StoreError::Refused(format!(
                "a row is written under {scope:?}, which is destroyed"
            )));
        }
        self.scopes.make(kv, &scopes)?;
        let mut batch = Batch::new();
        for (key, value) in &group.rows {
            let sealed = match value.as_deref() {
                None => None,
                Some(Plain { bytes, scope: None }) => Some(self.sealer.seal(key[0], key, bytes)),
                Some(Plain {
                    bytes,
                    scope: Some(scope),
                }) => Some(self.scopes.seal(&self.sealer, scope, key, bytes)?),
            };
            batch.insert(key.clone(), sealed);
        }
        Ok(batch)
    }

    /// Opens one value as it was read from disk; none when it was deleted since, and its key destroyed.
    pub(crate) fn unseal(
        &self,
        key: &[u8],
        mut sealed: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let opened = match scope_of(&sealed) {
                None => unseal(&self.sealer, key, &sealed),
                Some(scope) => self.scopes.open(&self.sealer, &scope, key, &sealed),
            };
            match opened {
                Err(error @ StoreError::ScopeKey { .. }) => match self.kv().get(key)? {
                    None => return Ok(None),
                    Some(again) if again == sealed => return Err(error),
                    Some(again) => sealed = again,
                },
                opened => return opened.map(Some),
            }
        }
    }
}

pub(crate) fn unseal(sealer: &Sealer, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let space = key.first().copied().filter(|space| *space < SPACES_END);
    let space =
        space.ok_or_else(|| StoreError::Corrupt("a row lies in a space nobody uses".into()))?;
    sealer
        .open(space, key, sealed)
        .map_err(|source| StoreError::Row { space, source })
}

// What the engine lets out as a row fits a value once it is sealed: no step of its own is refused here for its size.
const _: () = assert!(
    comptoir_engine::ROW_BYTES_MAX
        <= comptoir_kv::VALUE_BYTES_MAX - comptoir_crypto::at_rest::SCOPED_BYTES
);

/// The engine writes to its own spaces, and nothing longer than a row may be.
fn check_writes(writes: &[Write]) -> Result<(), StoreError> {
    for write in writes {
        let (key, bytes) = match write {
            Write::Put { key, value, .. } => (key, value.len()),
            Write::Delete { key } => (key, 0),
            Write::Destroy(_) => continue,
        };
        match key.first() {
            Some(1..OWN_SPACES) => {}
            _ => {
                return Err(StoreError::Refused(
                    "a key lies outside the engine's spaces".into(),
                ));
            }
        }
        if key.len() > comptoir_kv::KEY_BYTES_MAX {
            let (bytes, max) = (key.len(), comptoir_kv::KEY_BYTES_MAX);
            return Err(KvError::KeyTooLong { bytes, max }.into());
        }
        let max = comptoir_engine::ROW_BYTES_MAX;
        if bytes > max {
            return Err(KvError::ValueTooLarge { bytes, max }.into());
        }
    }
    Ok(())
}

/// What stands in while the files are opened again, and after they were closed: refuses everything.
struct Stopped;

impl Kv for Stopped {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        Err(KvError::Closed)
    }

    fn scan(
        &self,
        _: &[u8],
        _: Option<&[u8]>,
        _: bool,
        _: usize,
    ) -> Result<Vec<comptoir_kv::Row>, KvError> {
        Err(KvError::Closed)
    }

    fn commit(&self, _: &Batch) -> Result<(), KvError> {
        Err(KvError::Closed)
    }

    fn slots(&self) -> Result<Option<Vec<Slot>>, KvError> {
        Err(KvError::Closed)
    }

    fn write_slots(&self, _: &BTreeMap<u32, Slot>) -> Result<(), KvError> {
        Err(KvError::Closed)
    }

    fn stats(&self) -> Result<Stats, KvError> {
        Err(KvError::Closed)
    }

    fn room(&self) -> Result<(), KvError> {
        Err(KvError::Closed)
    }

    fn compact(&self) -> Result<bool, KvError> {
        Err(KvError::Closed)
    }

    fn close(&self) -> Result<(), KvError> {
        Ok(())
    }
}
