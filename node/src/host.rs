// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host: what the local API asks of this node, mapped to the engine's commands and queries.

mod contacts;
mod doctor;
mod errors;
mod events;
mod held_back;
mod ids;
mod messages;
mod node;
mod personas;
mod relays;
mod settings;
mod threads;
mod tokens;

use comptoir_api::host::{Answer, HostError, Idempotency};
use comptoir_api::id::PersonaName;
use comptoir_engine::{Answer as Done, Command, Refusal, ViewError, query};
use comptoir_kv::Floor;
use comptoir_store::CommittedView;
use tokio::sync::watch;

use self::errors::host_error;
use crate::driver::{CommandError, no_room};
use crate::node::Node;
use crate::time::wall_ms;

/// Answers of commands are kept so long under their idempotency key.
const ONCE_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// The node as the API sees it.
pub(crate) struct Host {
    node: Node,
    stop: watch::Sender<bool>,
}

impl Host {
    /// Serves `node`; `stop` is set when the API is asked to end the daemon.
    pub(crate) fn new(node: Node, stop: watch::Sender<bool>) -> Self {
        Self { node, stop }
    }

    fn view(&self) -> CommittedView<'_> {
        self.node.committed()
    }

    fn persona(&self, persona: &PersonaName) -> Result<u16, HostError> {
        let unknown = |_| HostError::NotFound {
            what: "persona",
            id: persona.to_string(),
        };
        self.node.number(persona.as_str()).map_err(unknown)
    }

    fn persona_name(&self, number: u16) -> PersonaName {
        let names = self
            .node
            .inner
            .names
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        names
            .name(number)
            .parse()
            .unwrap_or_else(|_| PersonaName::main())
    }

    /// Whether a request was answered before under its key: what it asks for was done by itself then.
    fn was_asked(&self, persona: u16, once: Option<&Idempotency>) -> Result<bool, HostError> {
        let Some(Idempotency { key, body_hash: _ }) = once else {
            return Ok(false);
        };
        query::was_answered(&self.view(), persona, key, wall_ms()).map_err(unreadable)
    }

    async fn ask(
        &self,
        persona: u16,
        command: Command,
        once: Option<Idempotency>,
    ) -> Result<Done, HostError> {
        let once = once.map(
            |Idempotency { key, body_hash }| comptoir_engine::Idempotency {
                key,
                body_hash,
                expires_ms: wall_ms() + ONCE_KEPT_MS,
            },
        );
        self.node
            .ask_any(persona, command, once)
            .await
            .map_err(|error| self.why(error))
    }

    /// What the API says for a command that was not done. A store that takes no writes for want of room says so:
    /// freeing some mends it.
    fn why(&self, error: CommandError) -> HostError {
        match error {
            CommandError::ReadOnly => {
                let reason = self.node.inner.carriers.trouble().read_only;
                self.unwritable(reason.unwrap_or_else(|| error.to_string()))
            }
            CommandError::Refused(Refusal::AlreadyPersona { persona }) => {
                HostError::Conflict(format!(
                    "this phrase is persona {} already",
                    self.persona_name(persona)
                ))
            }
            error => host_error(error),
        }
    }

    fn unwritable(&self, detail: String) -> HostError {
        let room = self.node.inner.core.room();
        if let Some(room) = room.err().as_ref().and_then(no_room) {
            return HostError::StorageFull(room);
        }
        // A store that could not be opened again cannot be asked; its disk can.
        let below_floor = || {
            self.free_bytes()
                .is_ok_and(|free| free < Floor::default().least_bytes)
        };
        if below_floor() {
            HostError::StorageFull(detail)
        } else {
            HostError::ReadOnly(detail)
        }
    }
}

/// An answer that was computed without waiting for anything.
fn at_once<'a, T: Send + 'a>(answer: Result<T, HostError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

fn unreadable(error: ViewError) -> HostError {
    HostError::Internal(error.to_string())
}

fn unexpected(answer: &Done) -> HostError {
    HostError::Internal(format!("the engine answered something else: {answer:?}"))
}

#[cfg(test)]
mod tests;
