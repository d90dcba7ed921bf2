// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every decision of a node: one pure function from an input to a step.
//!
//! [`Engine::handle`] takes what happened and gives what follows. It does no IO, reads no clock and makes no
//! randomness; what it keeps in memory can be had again from a [`View`]. The driver's contract:
//!
//! > Commit a step's writes before doing anything else with it. If a commit fails, drop the engine and every later
//! > step, and open a new one.

#![allow(dead_code, unused_imports)]
pub mod query;
pub mod rows;
pub mod seam;

mod journaled;
mod memory;
mod timers;

pub use comptoir_protocol::secret::Secret;
pub use comptoir_protocol::time::Time;
pub use memory::Counters;
pub use seam::answer::{Answer, Refusal};
pub use seam::command::{Command, MessageAt, NewMessage, Phrase, Setting};
pub use seam::config::Config;
pub use seam::error::EngineError;
pub use seam::event::{Event, EventRecord, MessageState, RelayCondition};
pub use seam::input::{CommandId, Idempotency, Input, RelayNews, Unreachable};
pub use seam::step::{Dial, RelayCall, Send, Step, Write};
pub use seam::view::{Row, Scan, View, ViewError};

use rand_core::CryptoRng;

/// The engine: all decisions of one node.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    memory: memory::Memory,
}

impl Engine {
    /// Opens the engine over what a store holds. Costs one read of every contact and thread.
    pub fn open(config: Config, _view: &impl View) -> Result<Self, EngineError> {
        Ok(Engine { config, memory: memory::Memory::default() })
    }

    /// Decides what follows from `input`.
    ///
    /// `Err`: nothing changed. `Ok`: commit the step before doing anything else with it.
    pub fn handle(
        &mut self,
        _input: Input,
        _now: Time,
        _rng: &mut impl CryptoRng,
        _view: &impl View,
    ) -> Result<Step, EngineError> {
        Ok(Step::default())
    }

    /// About how many bytes the engine keeps in memory.
    pub fn memory_bytes(&self) -> usize {
        self.memory.memory_bytes()
    }
}
