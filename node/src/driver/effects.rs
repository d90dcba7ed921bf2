// SPDX-License-Identifier: MIT OR Apache-2.0
//! Effects: what a step does to the world, let out when the step is durable and not before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use comptoir_engine::{Answer, Dial, EngineError, RelayCall, Send};
use comptoir_net::NetHandle;
use comptoir_protocol::id::PeerKey;
use comptoir_store::StoreError;
use tokio::sync::{oneshot, watch};

use super::queue::{CommandError, DriverHandle};
use crate::relays::RelayCalls;

/// An answer and who waits for it.
pub(crate) struct Claimed {
    pub(super) answer: Result<Answer, CommandError>,
    pub(super) waiting: oneshot::Sender<Result<Answer, CommandError>>,
}

/// What one step does once it is durable.
pub(crate) struct Effects {
    pub(super) sends: Vec<Send>,
    pub(super) dials: Vec<Dial>,
    pub(super) calls: Vec<RelayCall>,
    pub(super) newest_event: Option<u64>,
    pub(super) answers: Vec<Claimed>,
}

/// Those who carry effects out. Called from the store's writer thread, so nothing here waits: a full queue drops the
/// frame, and the engine's outbox sends it again.
pub(crate) struct Carriers {
    net: Option<NetHandle>,
    relays: Option<RelayCalls>,
    peers: Arc<Mutex<BTreeSet<PeerKey>>>,
    driver: DriverHandle,
    newest_event: watch::Sender<u64>,
    trouble: Mutex<Trouble>,
}

/// What keeps the node from writing, if anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble {
    /// The store takes no writes, for this reason.
    pub(crate) read_only: Option<String>,
    /// The last error of the engine, and how many there were.
    pub(crate) engine: Option<String>,
    refused: u64,
}

impl Carriers {
    /// Without `net` and `relays` the node works offline: what it owes stays in its rows.
    pub(crate) fn new(
        net: Option<NetHandle>,
        relays: Option<RelayCalls>,
        peers: Arc<Mutex<BTreeSet<PeerKey>>>,
        driver: DriverHandle,
        newest_event: watch::Sender<u64>,
    ) -> Self {
        Self {
            net,
            relays,
            peers,
            driver,
            newest_event,
            trouble: Mutex::default(),
        }
    }

    /// Carries out the effects of a durable step.
    pub(crate) fn release(&self, effects: Effects) {
        let Effects {
            sends,
            dials,
            calls,
            newest_event,
            answers,
        } = effects;
        for Claimed { answer, waiting } in answers {
            let _ = waiting.send(answer);
        }
        if let Some(net) = &self.net {
            for Send { peer, frame } in sends {
                if let Err(error) = net.send(&peer, &frame) {
                    tracing::debug!(%error, "a frame was not taken; it is owed and comes again");
                }
            }
            for Dial { peer, addresses } in dials {
                if let Err(error) = net.dial(peer, addresses) {
                    tracing::debug!(%error, "a dial was not taken");
                }
            }
        }
        if let Some(relays) = &self.relays {
            calls.into_iter().for_each(|call| relays.call(call));
        }
        if let Some(number) = newest_event {
            self.on_newest_event(number);
        }
    }

    /// Notes that every event up to this number is durable.
    pub(crate) fn on_newest_event(&self, number: u64) {
        self.newest_event
            .send_if_modified(|newest| std::mem::replace(newest, number.max(*newest)) < number);
    }

    /// Tells whoever waits on this step that it is not durable and never will be.
    pub(super) fn refuse(&self, failed: Effects, why: &CommandError) {
        for Claimed { answer: _, waiting } in failed.answers {
            let _ = waiting.send(Err(why.clone()));
        }
    }

    /// Tells the driver that its engine must go.
    pub(super) fn on_commit_failed(&self, generation: u64, error: &StoreError) {
        self.driver.commit_failed(generation, error.to_string());
    }

    /// Notes that the store takes no writes.
    pub(crate) fn on_read_only(&self, reason: &str) {
        self.with_trouble(|trouble| trouble.read_only = Some(reason.to_owned()));
    }

    /// Notes that it takes them again.
    pub(crate) fn on_recovered(&self) {
        self.with_trouble(|trouble| trouble.read_only = None);
    }

    /// Notes an error of the engine for `status` and `doctor`.
    pub(crate) fn on_engine_error(&self, error: &EngineError) {
        self.with_trouble(|trouble| {
            trouble.refused += 1;
            let count = trouble.refused;
            trouble.engine = Some(format!("{error} (inputs refused so far: {count})"));
        });
    }

    /// What keeps the node from working.
    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble
            .lock()
            .map(|trouble| trouble.clone())
            .unwrap_or_default()
    }

    /// After the engine was opened anew it knows of no connection: breaking them makes both sides start clean.
    pub(crate) fn break_connections(&self) {
        if let Some(net) = &self.net {
            let connected = self
                .peers
                .lock()
                .map(|peers| peers.clone())
                .unwrap_or_default();
            for peer in connected {
                let _ = net.disconnect(peer);
            }
        }
        if let Some(relays) = &self.relays {
            relays.reconnect_all();
        }
    }

    fn with_trouble(&self, change: impl FnOnce(&mut Trouble)) {
        if let Ok(mut trouble) = self.trouble.lock() {
            change(&mut trouble);
        }
    }
}
