// SPDX-License-Identifier: MIT OR Apache-2.0
//! The node: a messenger inside a program. Everything the local API can do goes through here.

mod builder;
mod events;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use comptoir_engine::query::{
    self, ContactView, HistoryItem, PersonaView, RequestView, ThreadView,
};
use comptoir_engine::{Answer, Command, Idempotency, NewMessage, Phrase, Refusal, ViewError};
use comptoir_net::NetHandle;
use comptoir_protocol::body::Body;
use comptoir_protocol::id::{AccountId, DeviceId, Lane, PeerKey};
use comptoir_protocol::link::RelayLink;
use comptoir_store::{CommittedView, Core, EngineKind, StoreError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::sync::watch;

pub use self::builder::{NodeBuilder, StartError};
pub use self::events::EventStream;
use crate::driver::{Carriers, CommandError, DriverHandle};
use crate::home::Home;
use crate::personas::Names;
use crate::random::{NoRandomness, random};
use crate::unlock::Unlock;

/// A running node. Clones are the same node; it runs until [`Node::shutdown`].
#[derive(Clone)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

/// What the parts of the node share.
pub(crate) struct Inner {
    pub(crate) core: Arc<Core>,
    pub(crate) driver: DriverHandle,
    pub(crate) carriers: Arc<Carriers>,
    pub(crate) net: Option<NetHandle>,
    pub(crate) peers: Arc<Mutex<BTreeSet<PeerKey>>>,
    pub(crate) names: RwLock<Names>,
    /// Held while a note of the store is read, changed and written.
    pub(crate) notes: tokio::sync::Mutex<()>,
    pub(crate) newest_event: watch::Receiver<u64>,
    pub(crate) home: Home,
    pub(crate) unlock: Unlock,
    pub(crate) engine: EngineKind,
    pub(crate) started_ms: u64,
}

/// How an invite shall be.
#[derive(Debug, Clone, Copy)]
pub struct InviteOptions {
    /// For how long it is good.
    pub expires_s: u64,
    /// How many people may use it.
    pub uses: u32,
    /// Short: the card waits at the relay.
    pub as_ref: bool,
}

impl Default for InviteOptions {
    /// Seven days, one person, the whole card in the link.
    fn default() -> Self {
        Self {
            expires_s: 7 * 24 * 60 * 60,
            uses: 1,
            as_ref: false,
        }
    }
}

/// An own message, as named inside its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentMessage {
    /// The thread's number on this node.
    pub thread: u32,
    /// This device.
    pub author: DeviceId,
    /// The lane.
    pub lane: Lane,
    /// Its number among the author's messages there.
    pub sequence: u64,
}

impl Node {
    /// Makes a recovery phrase of 24 words. Whoever has it has the account: show it to its owner and keep it nowhere.
    pub fn new_phrase() -> Result<String, NoRandomness> {
        let mut rng = ChaCha20Rng::from_seed(random()?);
        Ok(comptoir_crypto::Phrase::generate(&mut rng)
            .words()
            .join(" "))
    }

    /// Makes a persona from a recovery phrase of 24 words; the phrase is not kept. The first one is `main`.
    pub async fn create_persona(
        &self,
        persona: &str,
        display_name: &str,
        phrase: &str,
    ) -> Result<AccountId, CommandError> {
        let command = Command::CreatePersona {
            phrase: Phrase(phrase.to_owned()),
            name: display_name.to_owned(),
        };
        match self.ask_any(0, command, None).await? {
            Answer::Persona {
                persona: number,
                account,
            } => {
                self.name_persona(number, persona).await?;
                Ok(account)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Makes an invite link.
    pub async fn invite(
        &self,
        persona: &str,
        options: InviteOptions,
    ) -> Result<String, CommandError> {
        let InviteOptions {
            expires_s,
            uses,
            as_ref,
        } = options;
        match self
            .ask(
                persona,
                Command::Invite {
                    expires_s,
                    uses,
                    as_ref,
                },
                None,
            )
            .await?
        {
            Answer::Invite { invite: _, link } => Ok(link),
            other => Err(unexpected(&other)),
        }
    }

    /// Says hello to the owner of an invite link. Returns the contact's number once the hello is on disk.
    pub async fn add_contact(
        &self,
        persona: &str,
        link: &str,
        reason: &str,
    ) -> Result<u32, CommandError> {
        let command = Command::Add {
            link: link.to_owned(),
            reason: reason.to_owned(),
        };
        match self.ask(persona, command, None).await? {
            Answer::Added { contact } => Ok(contact),
            other => Err(unexpected(&other)),
        }
    }

    /// Accepts a request; returns the numbers of the contact and of the thread with it.
    pub async fn accept(&self, persona: &str, request: u32) -> Result<(u32, u32), CommandError> {
        match self.ask(persona, Command::Accept { request }, None).await? {
            Answer::Accepted { contact, thread } => Ok((contact, thread)),
            other => Err(unexpected(&other)),
        }
    }

    /// Uses a relay, given its `comptoir-relay:` link.
    pub async fn add_relay(&self, persona: &str, link: &str) -> Result<(), CommandError> {
        let link: RelayLink = link.parse().map_err(|error| bad_link(&error))?;
        self.ask(
            persona,
            Command::AddRelay {
                relay: link.relay,
                ticket: link.ticket,
            },
            None,
        )
        .await
        .map(|_| ())
    }

    /// Sends a text. Returns once it is on disk; how it fares comes as events. Dropping the future does not take the
    /// message back. Sends that wait at once share an envelope, so many may be under way.
    pub async fn send(
        &self,
        persona: &str,
        thread: u32,
        text: &str,
    ) -> Result<SentMessage, CommandError> {
        let messages = vec![NewMessage {
            body: Body::text(text),
        }];
        match self
            .ask(
                persona,
                Command::Send {
                    thread,
                    lane: Lane::Service,
                    messages,
                },
                None,
            )
            .await?
        {
            Answer::Sent {
                thread,
                author,
                lane,
                from,
                to: _,
            } => Ok(SentMessage {
                thread,
                author,
                lane,
                sequence: from,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Notes that everything received in a thread was read, and tells its author so where the persona allows that.
    pub async fn mark_read(&self, persona: &str, thread: u32) -> Result<(), CommandError> {
        self.ask(
            persona,
            Command::MarkRead {
                thread,
                up_to: None,
            },
            None,
        )
        .await
        .map(|_| ())
    }

    /// Where peers reach the node, as multiaddrs; empty when it listens nowhere.
    pub fn listen_addresses(&self) -> Vec<String> {
        let net = self.inner.net.as_ref();
        net.map(NetHandle::listen_addresses).unwrap_or_default()
    }

    /// The personas, by number.
    pub fn personas(&self) -> Result<Vec<PersonaView>, ViewError> {
        query::personas(&self.committed())
    }

    /// The contacts of a persona.
    pub fn contacts(&self, persona: &str) -> Result<Vec<ContactView>, CommandError> {
        query::contacts(&self.committed(), self.number(persona)?).map_err(|error| failed(&error))
    }

    /// Requests of strangers that wait for an answer.
    pub fn requests(&self, persona: &str) -> Result<Vec<RequestView>, CommandError> {
        query::requests(&self.committed(), self.number(persona)?).map_err(|error| failed(&error))
    }

    /// The threads of a persona.
    pub fn threads(&self, persona: &str) -> Result<Vec<ThreadView>, CommandError> {
        query::threads(&self.committed(), self.number(persona)?).map_err(|error| failed(&error))
    }

    /// The newest `limit` messages of a thread, oldest first; empty when there is no such thread.
    pub fn history(&self, thread: u32, limit: usize) -> Result<Vec<HistoryItem>, ViewError> {
        let page = query::history(&self.committed(), thread, query::From::Newest, limit)?;
        Ok(page.unwrap_or_default().items)
    }

    /// Events from behind number `after`, as they become durable. Dropping the stream loses nothing.
    pub fn events(&self, after: u64) -> EventStream {
        EventStream::new(self.clone(), after)
    }

    /// The number of the newest durable event; 0 before the first.
    pub fn newest_event(&self) -> u64 {
        *self.inner.newest_event.borrow()
    }

    /// Notes under `consumer` that every event up to `number` was dealt with; durable on return. [`Node::acknowledged`]
    /// says after a restart where to go on. Blocks for a commit.
    pub fn acknowledge(&self, consumer: &str, number: u64) -> Result<(), StoreError> {
        self.inner
            .core
            .acknowledge(consumer, number, crate::time::wall_ms())
            .map(|_| ())
    }

    /// The last event `consumer` has dealt with; 0 before the first.
    pub fn acknowledged(&self, consumer: &str) -> Result<u64, StoreError> {
        Ok(self
            .inner
            .core
            .consumer(consumer)?
            .map_or(0, |consumer| consumer.acknowledged))
    }

    /// Finishes what was accepted, closes the store, leaves the network. What is still owed goes out after the next start.
    pub async fn shutdown(&self) {
        self.inner.driver.stop().await;
        if let Some(net) = &self.inner.net {
            net.shutdown().await;
        }
    }

    pub(crate) fn committed(&self) -> CommittedView<'_> {
        self.inner.core.committed()
    }

    /// Asks on behalf of a persona named as in paths.
    pub(crate) async fn ask(
        &self,
        persona: &str,
        command: Command,
        once: Option<Idempotency>,
    ) -> Result<Answer, CommandError> {
        self.ask_any(self.number(persona)?, command, once).await
    }

    pub(crate) async fn ask_any(
        &self,
        persona: u16,
        command: Command,
        once: Option<Idempotency>,
    ) -> Result<Answer, CommandError> {
        self.inner.driver.ask(persona, command, once).await
    }

    /// The engine's number of a persona.
    pub(crate) fn number(&self, persona: &str) -> Result<u16, CommandError> {
        let names = self
            .inner
            .names
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        names
            .number(persona)
            .ok_or(CommandError::Refused(Refusal::NoSuchPersona))
    }

    /// Gives a persona its name in paths; durable on return.
    pub(crate) async fn name_persona(&self, number: u16, name: &str) -> Result<(), CommandError> {
        let known = self
            .inner
            .names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (core, name) = (Arc::clone(&self.inner.core), name.to_owned());
        let named = tokio::task::spawn_blocking(move || known.with(&core, number, &name)).await;
        let named = named.map_err(|error| CommandError::Failed(error.to_string()))?;
        let named = named.map_err(|error| CommandError::CommitFailed(error.to_string()))?;
        *self
            .inner
            .names
            .write()
            .unwrap_or_else(PoisonError::into_inner) = named;
        Ok(())
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("home", &self.inner.home)
            .finish_non_exhaustive()
    }
}

fn unexpected(answer: &Answer) -> CommandError {
    CommandError::Failed(format!("the engine answered something else: {answer:?}"))
}

fn failed(error: &ViewError) -> CommandError {
    CommandError::Failed(error.to_string())
}

pub(crate) fn bad_link(error: &impl ToString) -> CommandError {
    CommandError::Refused(Refusal::BadLink {
        why: error.to_string(),
    })
}
