// SPDX-License-Identifier: MIT OR Apache-2.0
//! The builder: what a node needs to start, and what it takes when nothing is said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use comptoir_engine::{Config, Input};
use comptoir_net::{Net, NetConfig, NetError, NetEvent, NetHandle, RelayNet, RelayNetConfig, Seed};
use comptoir_protocol::id::PeerKey;
use comptoir_protocol::identity::Endpoint;
use comptoir_store::{EngineKind, OpenOptions, Store, StoreError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::{Inner, Node};
use crate::address::worth_telling;
use crate::driver::{Carriers, Driver, DriverHandle, OpenError};
use crate::home::{Home, secret_file};
use crate::personas::Names;
use crate::ports::Ports;
use crate::random::{NoRandomness, random};
use crate::relays::RelayCalls;
use crate::time::{Clock, wall_ms};
use crate::unlock::Unlock;

/// Starts a [`Node`].
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    home: Home,
    unlock: Unlock,
    listen: Option<Vec<String>>,
    options: OpenOptions,
    offline: bool,
    create: bool,
}

/// Why a node did not start. Nothing runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no node in the folder, and none was to be made.
    #[error("there is no node in {0}; make one with `comptoir init` or NodeBuilder::create")]
    NoHome(std::path::PathBuf),
    /// The folder or a key file in it cannot be used.
    #[error("{what}: {source}")]
    File {
        /// Which.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store did not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rows cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The network did not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The system gave no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// Called outside a tokio runtime.
    #[error("a node needs a tokio runtime around it")]
    NoRuntime,
}

impl NodeBuilder {
    /// A node in `home`, unlocked by a key file, listening on every interface: on the ports of its last run, at first on
    /// ports the system chooses.
    pub fn new(home: Home) -> Self {
        let (unlock, options) = (Unlock::KeyFile, OpenOptions::default());
        Self {
            home,
            unlock,
            listen: None,
            options,
            offline: false,
            create: false,
        }
    }

    /// How the store is unlocked, or locked when it is made now. If left unset: [`Unlock::KeyFile`].
    pub fn unlock(mut self, unlock: Unlock) -> Self {
        self.unlock = unlock;
        self
    }

    /// Where to listen, as multiaddrs; empty listens nowhere, so only relays and own dials reach anybody.
    pub fn listen(mut self, addresses: Vec<String>) -> Self {
        self.listen = Some(addresses);
        self
    }

    /// The engine of a store that is made now. If left unset: [`comptoir_store::DEFAULT_ENGINE`].
    pub fn engine(mut self, engine: EngineKind) -> Self {
        self.options.engine = engine;
        self
    }

    /// No network at all: what is owed waits for the next start.
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Makes the folder and the store if they are not there.
    pub fn create(mut self) -> Self {
        self.create = true;
        self
    }

    /// Opens the store, the engine and the network. Must be called inside a tokio runtime. The node ends
    /// with that runtime at the latest. Not cancel-safe: a dropped future may leave a node that runs until then.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then, and nothing on disk changed but an empty new folder.
    pub async fn start(self) -> Result<Node, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        self.check_home()?;
        let mut rng = ChaCha20Rng::from_seed(random()?);
        let store = {
            let (folder, unlock, options) =
                (self.home.store(), self.unlock.clone(), self.options.clone());
            let mut store_rng = ChaCha20Rng::from_rng(&mut rng);
            // Argon2 and opening sled take up to seconds; the runtime has other things to do.
            let opened = tokio::task::spawn_blocking(move || {
                Store::open(&folder, &unlock.access(), &options, &mut store_rng)
            });
            opened.await.map_err(|_| StartError::NoRuntime)??
        };
        let core = store.core();
        let names = Names::load(&core)?;
        let (driver, jobs) = DriverHandle::new();
        let (net, events) = self.start_net().await?.unzip();
        let relays = (!self.offline).then(|| {
            RelayCalls::new(
                RelayNet::start(RelayNetConfig::default()),
                driver.clone(),
                runtime.clone(),
            )
        });
        let peers = Arc::new(Mutex::new(BTreeSet::new()));
        let (newest, newest_event) =
            watch::channel(comptoir_engine::query::newest_event(&core.committed()).unwrap_or(0));
        let carriers = Arc::new(Carriers::new(
            net.clone(),
            relays,
            Arc::clone(&peers),
            driver.clone(),
            newest,
        ));
        let clock = Clock::new(random()?);
        let engine = core.stats()?.engine;
        let machine = Driver::open(
            Config::default(),
            store,
            Arc::clone(&carriers),
            clock,
            rng,
            jobs,
        )?;
        let endpoint = net
            .as_ref()
            .map(endpoint_of)
            .filter(|endpoint| !endpoint.addresses.is_empty());
        std::thread::Builder::new()
            .name("driver".into())
            .spawn(move || machine.run(endpoint))
            .map_err(|source| StartError::File {
                what: "the driver's thread".into(),
                source,
            })?;
        runtime.spawn(driver.clone().end_with_runtime());
        if let Some(events) = events {
            runtime.spawn(pump(events, driver.clone(), Arc::clone(&peers)));
        }
        let inner = Inner {
            core,
            driver,
            carriers,
            net,
            peers,
            names: RwLock::new(names),
            notes: tokio::sync::Mutex::new(()),
            newest_event,
            home: self.home,
            unlock: self.unlock,
            engine,
            started_ms: wall_ms(),
        };
        Ok(Node {
            inner: Arc::new(inner),
        })
    }

    fn check_home(&self) -> Result<(), StartError> {
        match (self.home.store().exists(), self.create) {
            (true, _) => Ok(()),
            (false, true) => Ok(self.home.create()?),
            (false, false) => Err(StartError::NoHome(self.home.dir().to_path_buf())),
        }
    }

    async fn start_net(&self) -> Result<Option<(NetHandle, mpsc::Receiver<NetEvent>)>, StartError> {
        if self.offline {
            return Ok(None);
        }
        let fresh = random()?;
        let path = self.home.endpoint_key();
        let seed = secret_file(&path, || fresh);
        let seed = seed.map_err(|source| StartError::File {
            what: path.display().to_string(),
            source,
        })?;
        let asked = match &self.listen {
            Some(addresses) => NetConfig::new(Seed::new(seed), addresses.clone()),
            None => NetConfig::everywhere(Seed::new(seed), 0),
        };
        let started = self.listen_as_before(asked).await?;
        let ports = Ports::of(&started.0.listen_addresses());
        if let Err(error) = ports.keep(&self.home) {
            tracing::warn!(%error, "the ports could not be noted; the next start takes others");
        }
        Ok(Some(started))
    }

    /// Contacts know the ports of the last run, so those are taken where any would do.
    async fn listen_as_before(
        &self,
        asked: NetConfig,
    ) -> Result<(NetHandle, mpsc::Receiver<NetEvent>), NetError> {
        let mut before = asked.clone();
        before.listen = Ports::remembered(&self.home).fill_in(&asked.listen);
        let same = before.listen == asked.listen;
        match Net::start(before).await {
            Err(error @ NetError::Listen { .. }) if !same => {
                tracing::warn!(%error, "the ports of the last run cannot be had; listening on others");
                Net::start(asked).await
            }
            started => started,
        }
    }
}

fn endpoint_of(net: &NetHandle) -> Endpoint {
    Endpoint {
        key: net.local_key(),
        addresses: worth_telling(&net.listen_addresses()),
    }
}

/// Carries what happens on the network to the driver. Waits while the driver's queue is full; then the network's own
/// queue fills and peers are read more slowly.
async fn pump(
    mut events: mpsc::Receiver<NetEvent>,
    driver: DriverHandle,
    peers: Arc<Mutex<BTreeSet<PeerKey>>>,
) {
    let with_peers = |change: &dyn Fn(&mut BTreeSet<PeerKey>)| {
        change(&mut peers.lock().unwrap_or_else(PoisonError::into_inner))
    };
    while let Some(event) = events.recv().await {
        let input = match event {
            NetEvent::PeerConnected { peer } => {
                with_peers(&|peers| {
                    peers.insert(peer);
                });
                Input::PeerConnected { peer }
            }
            NetEvent::PeerDisconnected { peer } => {
                with_peers(&|peers| {
                    peers.remove(&peer);
                });
                Input::PeerDisconnected { peer }
            }
            NetEvent::DialFailed { peer, reason } => {
                tracing::debug!(%reason, "a dial failed");
                Input::DialFailed { peer }
            }
            NetEvent::Frame { peer, bytes } => Input::Frame { peer, bytes },
            // Listening changed, or something of a newer network: addresses are told anew at the next start.
            _ => continue,
        };
        if !driver.input(input).await {
            return;
        }
    }
}
