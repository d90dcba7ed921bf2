// SPDX-License-Identifier: MIT OR Apache-2.0
//! The node of a world: a disk that stays, and an engine over it that comes and goes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use comptoir_crypto::at_rest::RootStoreKey;
use comptoir_engine::{CommandId, Config, Engine, Step};
use comptoir_kv::Disk;
use comptoir_protocol::id::PeerKey;
use comptoir_protocol::time::Time;
use comptoir_store::{Core, Seq};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::users::Ask;

/// 1 November 2026 in a world's wall time.
const EPOCH_MS: u64 = 1_793_491_200_000;

/// Somebody's node.
pub(crate) struct Node {
    pub(crate) disk: Disk,
    pub(crate) key: [u8; 32],
    pub(crate) peer: PeerKey,
    /// Rises with every death: what was on its way to an earlier life does not arrive in a later one.
    pub(crate) life: u64,
    pub(crate) running: Option<Running>,
    /// Others can dial it.
    pub(crate) reachable: bool,
    /// The lid is closed: nothing runs, nothing is lost from memory.
    pub(crate) asleep: bool,
    pub(crate) skew_ms: i64,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) user: crate::users::User,
    pub(crate) config: Config,
}

/// A life of a node.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) core: Arc<Core>,
    pub(crate) held: VecDeque<Held>,
    pub(crate) committing: bool,
    pub(crate) wake_at: Option<u64>,
    pub(crate) asks: BTreeMap<CommandId, Ask>,
    pub(crate) next_command: u64,
    /// The newest event that was shown in this life, or found at its start.
    pub(crate) newest_event: u64,
}

/// A step that waits for its commit.
pub(crate) struct Held {
    pub(crate) seq: Seq,
    pub(crate) step: Step,
    /// The node's wall clock when it was decided.
    pub(crate) wall_ms: u64,
}

impl Node {
    pub(crate) fn new(number: usize, rng: &mut ChaCha20Rng, config: Config) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        let own = ChaCha20Rng::from_seed(bytes);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let mut peer = [0; 32];
        rng.fill_bytes(&mut peer);
        let user = crate::users::User::new(number);
        Self {
            disk: Disk::new(),
            key,
            peer: PeerKey(peer),
            life: 0,
            running: None,
            reachable: true,
            asleep: false,
            skew_ms: 0,
            rng: own,
            user,
            config,
        }
    }

    /// The node's clocks: the wall may be wrong, the monotonic one never goes back.
    pub(crate) fn time(&self, now_ms: u64) -> Time {
        let wall_ms = (EPOCH_MS + now_ms).saturating_add_signed(self.skew_ms);
        Time {
            wall_ms,
            mono_ms: now_ms,
            boot: [0; 16],
        }
    }

    /// Opens store and engine over the disk.
    pub(crate) fn open(&mut self) -> Result<Running, String> {
        let kv = Arc::new(self.disk.open().map_err(|error| error.to_string())?);
        let key = RootStoreKey::from_bytes(self.key);
        let core = Core::open(kv, &key, &mut self.rng).map_err(|error| error.to_string())?;
        self.run_on(Arc::new(core))
    }

    /// Opens an engine over an open store.
    pub(crate) fn run_on(&self, core: Arc<Core>) -> Result<Running, String> {
        let engine =
            Engine::open(self.config.clone(), &core.view()).map_err(|error| error.to_string())?;
        let newest_event = comptoir_engine::query::newest_event(&core.committed())
            .map_err(|error| error.to_string())?;
        Ok(Running {
            engine,
            core,
            held: VecDeque::new(),
            committing: false,
            wake_at: None,
            asks: BTreeMap::new(),
            next_command: 1,
            newest_event,
        })
    }
}
