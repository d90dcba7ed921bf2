// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every decision of a node: one pure function from an input to a step.
//!
//! [`Engine::handle`] takes what happened and gives what follows. It does no IO, reads no clock and makes no
//! randomness; what it keeps in memory can be had again from a [`View`]. The driver's contract:
//!
//! > Commit a step's writes before doing anything else with it. If a commit fails, drop the engine and every later
//! > step, and open a new one.

pub mod query;
pub mod rows;
pub mod seam;

mod account_state;
mod acks;
mod amend;
mod amendments;
mod batches;
mod bodies;
mod boxes;
mod cards;
mod clones;
mod commands;
mod contacts;
mod doors;
mod ending;
mod fetching;
mod grants;
mod guests;
mod held_back;
mod hello;
mod incoming;
mod invites;
mod journaled;
mod memory;
mod open;
mod order;
mod outbox;
mod outgoing;
mod peers;
mod personas;
mod promotions;
mod relays;
mod requests;
mod reread;
mod scopes;
mod stock;
mod sweep;
mod thread_cache;
mod timers;
mod turn;
mod ways;
mod welcome;

pub use comptoir_protocol::secret::Secret;
pub use comptoir_protocol::time::Time;
pub use memory::Counters;
pub use personas::MAIN;
pub use seam::answer::{Answer, Refusal};
pub use seam::command::{Command, MessageAt, NewMessage, Phrase, Setting};
pub use seam::config::Config;
pub use seam::error::EngineError;
pub use seam::event::{Event, EventRecord, MessageState, RelayCondition};
pub use seam::input::{CommandId, Idempotency, Input, RelayNews, Unreachable};
pub use seam::step::{Dial, ROW_BYTES_MAX, RelayCall, Scope, Scopes, Send, Step, Write};
pub use seam::view::{Row, Scan, View, ViewError};

use rand_core::CryptoRng;

use memory::Memory;
use thread_cache::ThreadCache;
use turn::Turn;

/// The engine: all decisions of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    memory: Memory,
    cache: ThreadCache,
}

impl Engine {
    /// Opens the engine over what a store holds. Costs one read of every contact, thread and box.
    pub fn open(config: Config, view: &impl View) -> Result<Self, EngineError> {
        let memory = open::recall(view, &config)?;
        Ok(Engine {
            config,
            memory,
            cache: ThreadCache::default(),
        })
    }

    /// Decides what follows from `input`.
    ///
    /// `Err`: nothing changed. `Ok`: commit the step before doing anything else with it. What a peer or a relay says
    /// wrongly is never an error: it is refused and counted. Costs the cryptography of one envelope at most, or 64 of
    /// them where many came together.
    pub fn handle(
        &mut self,
        input: Input,
        now: Time,
        rng: &mut impl CryptoRng,
        view: &impl View,
    ) -> Result<Step, EngineError> {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let Engine {
            config,
            memory,
            cache,
        } = self;
        let result = step(Turn::new(config, memory, cache, view, now, seed), input);
        match result {
            Ok(step) => {
                memory.keep();
                Ok(step)
            }
            Err(error) => {
                memory.undo();
                Err(error)
            }
        }
    }

    /// How often something was refused or noticed since the engine was opened.
    pub fn counters(&self) -> Counters {
        self.memory.counters
    }

    /// About how many bytes the engine keeps in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.memory.memory_bytes() + self.cache.memory_bytes()
    }
}

fn step(mut turn: Turn<'_>, input: Input) -> Result<Step, EngineError> {
    match input {
        Input::Opened { endpoint } => turn.on_opened(endpoint)?,
        Input::Command {
            id,
            persona,
            command,
            idempotency,
        } => turn.on_command(id, persona, &command, idempotency.as_ref())?,
        Input::PeerConnected { peer } => turn.on_peer_connected(peer)?,
        Input::PeerDisconnected { peer } => turn.on_peer_disconnected(peer)?,
        Input::DialFailed { peer } => turn.on_dial_failed(peer)?,
        Input::Frame { peer, bytes } => turn.on_frame(peer, &bytes)?,
        Input::Relay { relay, news } => turn.on_relay(relay, news)?,
        Input::Tick => {}
    }
    turn.on_due()?;
    turn.finish()
}
