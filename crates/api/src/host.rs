// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host: what the API asks of the node behind it. Implemented once by `node`.
//!
//! Every answer is given after the commit: what the API says is stored, is on disk. A dropped future has either
//! no effect or its whole effect.

mod error;

use std::future::Future;
use std::pin::Pin;

use tokio::sync::watch;

pub use self::error::{HostError, Refusal};
use crate::auth::TokenRecord;
use crate::dto::{
    Account, AccountChange, Contact, ContactChange, ContactQuery, Decline, Doctor, Event, HeldBack,
    HeldBackQuery, Invite, List, LogLine, Message, MessageEdit, MessagePage, MessagesFrom,
    NewContact, NewInvite, NewMessage, NewPersona, NewRelay, NewTicket, NodeStatus, Outbox,
    OwnRelay, PageQuery, Persona, Relay, RelayMove, Request, Setting, Thread, Ticket, Verification,
};
use crate::id::{ContactId, MessageId, PersonaName, RelayId, RequestId, ThreadId, TokenId};
use crate::time::Timestamp;

/// What a host's method returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, HostError>> + Send + 'a>>;

/// The caller's key for one POST, unique per caller, with a hash of what was asked.
///
/// The host stores key, hash and answer in the commit of the effect, and keeps them at least 24 hours. The same key
/// and hash again: the stored answer as [`Written::again`], without effect. The same key with another hash:
/// [`HostError::IdempotencyMismatch`]. (That the first is still running is seen before the host is asked.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Idempotency {
    /// SHA-256 over the caller's name and the key it chose, so that two programs cannot meet on one key.
    pub key: [u8; 32],
    /// SHA-256 over method, path and body.
    pub body_hash: [u8; 32],
}

/// What a POST made: now, or the first time its key was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// The resource. When replayed, as it was answered the first time.
    pub value: T,
    /// Whether the stored answer was given again, without effect.
    pub replayed: bool,
}

impl<T> Written<T> {
    /// What was made now.
    #[must_use]
    pub fn now(value: T) -> Self {
        Self {
            value,
            replayed: false,
        }
    }

    /// What was made the first time.
    #[must_use]
    pub fn again(value: T) -> Self {
        Self {
            value,
            replayed: true,
        }
    }
}

/// Personas, their accounts and invites.
pub trait PersonaHost: Send + Sync {
    /// Lists the personas, oldest first. There are few; they come whole.
    fn personas(&self) -> Answer<'_, Vec<Persona>>;
    /// Makes a persona. [`HostError::Conflict`] when the name is taken.
    fn create_persona(
        &self,
        new: NewPersona,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Persona>>;
    /// Reads an account.
    fn account(&self, persona: PersonaName) -> Answer<'_, Account>;
    /// Changes the card of an account.
    fn change_account(&self, persona: PersonaName, change: AccountChange) -> Answer<'_, Account>;
    /// Makes an invite.
    fn invite(
        &self,
        persona: PersonaName,
        new: NewInvite,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Invite>>;
}

/// Contacts and the requests of strangers.
pub trait ContactHost: Send + Sync {
    /// Lists contacts by their order of arrival.
    fn contacts(&self, persona: PersonaName, query: ContactQuery) -> Answer<'_, List<Contact>>;
    /// Follows a link: the hello is durable in the outbox.
    fn add_contact(
        &self,
        persona: PersonaName,
        new: NewContact,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>>;
    /// Reads a contact.
    fn contact(&self, persona: PersonaName, contact: ContactId) -> Answer<'_, Contact>;
    /// Renames or mutes a contact.
    fn change_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        change: ContactChange,
    ) -> Answer<'_, Contact>;
    /// Marks a contact as compared. [`Refusal::SafetyCodeDiffers`] when the code is not the present one.
    fn verify_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        verification: Verification,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>>;
    /// Blocks a contact, or ends that.
    fn block_contact(
        &self,
        persona: PersonaName,
        contact: ContactId,
        blocked: bool,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>>;
    /// Lists open requests, oldest first.
    fn requests(&self, persona: PersonaName, page: PageQuery) -> Answer<'_, List<Request>>;
    /// Accepts a request; the stranger becomes a contact.
    fn accept(
        &self,
        persona: PersonaName,
        request: RequestId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Contact>>;
    /// Declines a request.
    fn decline(
        &self,
        persona: PersonaName,
        request: RequestId,
        decline: Decline,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Request>>;
}

/// Threads, their messages, and the outbox.
pub trait ThreadHost: Send + Sync {
    /// Lists threads, the one with the newest message first.
    fn threads(&self, persona: PersonaName, page: PageQuery) -> Answer<'_, List<Thread>>;
    /// Reads a thread.
    fn thread(&self, persona: PersonaName, thread: ThreadId) -> Answer<'_, Thread>;
    /// Deletes a thread and its history here.
    fn delete_thread(&self, persona: PersonaName, thread: ThreadId) -> Answer<'_, ()>;
    /// Reads a page of a thread. `data` is oldest first whatever `from` is; `limit` is within 1 to 500.
    fn messages(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        from: MessagesFrom,
        limit: u32,
    ) -> Answer<'_, MessagePage>;
    /// Sends a message: it is durable in the outbox.
    fn send(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        new: NewMessage,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>>;
    /// Reads one message.
    fn message(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
    ) -> Answer<'_, Message>;
    /// Gives an own message another text.
    fn edit(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        edit: MessageEdit,
    ) -> Answer<'_, Message>;
    /// Erases a message: an own one on both sides unless `only_here`, another's here.
    fn erase(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        only_here: bool,
    ) -> Answer<'_, Message>;
    /// Says how far the user has read.
    fn mark_read(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        up_to: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Thread>>;
    /// Lists what is held back, the newest first.
    fn held_back(&self, persona: PersonaName, query: HeldBackQuery) -> Answer<'_, List<HeldBack>>;
    /// Shows a message that is held back. [`HostError::NotFound`] when it is not.
    fn show_held_back(
        &self,
        persona: PersonaName,
        thread: ThreadId,
        message: MessageId,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Message>>;
    /// Sums up what waits to go out.
    fn outbox(&self, persona: PersonaName) -> Answer<'_, Outbox>;
}

/// The node itself.
pub trait NodeHost: Send + Sync {
    /// Reads the status. Answers also while the node starts or stops.
    fn status(&self) -> Answer<'_, NodeStatus>;
    /// Whether the store is unlocked and writable and the loop is less than a second behind; `Err` says why not.
    fn ready(&self) -> Answer<'_, ()>;
    /// Reads figures for monitoring. No label may name a peer, contact or account.
    fn metrics(&self) -> Answer<'_, Vec<Metric>>;
    /// Lists the settings.
    fn settings(&self) -> Answer<'_, Vec<Setting>>;
    /// Changes settings, all or none; an unknown name is [`HostError::Invalid`].
    fn change_settings(
        &self,
        changes: Vec<(String, serde_json::Value)>,
    ) -> Answer<'_, Vec<Setting>>;
    /// Runs the checks.
    fn doctor(&self) -> Answer<'_, Doctor>;
    /// Reads lines of the log, oldest first; `has_more` and `next` as in any list.
    fn log(&self, after: Option<u64>, limit: u32) -> Answer<'_, List<LogLine>>;
    /// Begins to stop. Returns at once; the caller's answer still goes out.
    fn stop(&self) -> Answer<'_, ()>;
}

/// Relays used, and the one this node may run.
pub trait RelayHost: Send + Sync {
    /// Lists the relays in use. There are few; they come whole.
    fn relays(&self) -> Answer<'_, Vec<Relay>>;
    /// Takes a relay into use; boxes follow by themselves.
    fn add_relay(&self, new: NewRelay, once: Option<Idempotency>) -> Answer<'_, Written<Relay>>;
    /// Stops to use a relay.
    fn remove_relay(&self, relay: RelayId) -> Answer<'_, ()>;
    /// Moves the boxes of a relay to another; the answer is the new one.
    fn move_relay(
        &self,
        relay: RelayId,
        to: RelayMove,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Relay>>;
    /// Describes the relay this node runs; `running: false` when it runs none.
    fn own_relay(&self) -> Answer<'_, OwnRelay>;
    /// Signs a ticket for this node's relay. [`HostError::Conflict`] when it runs none.
    fn ticket(&self, new: NewTicket, once: Option<Idempotency>) -> Answer<'_, Written<Ticket>>;
}

/// The durable event log and the places of its named readers.
pub trait EventHost: Send + Sync {
    /// Reads events with `seq > after`, oldest first, at most `limit`.
    fn events(&self, after: u64, limit: u32) -> Answer<'_, EventPage>;
    /// Watches the number of the newest durable event. Changes at least once after every commit that wrote one.
    fn newest_event(&self) -> watch::Receiver<u64>;
    /// Reads a reader's place. Names are those of the API, or `persona/name` for a token bound to a persona.
    fn consumer(&self, name: String) -> Answer<'_, ConsumerRecord>;
    /// Stores a reader's place, forward or back.
    fn set_consumer(&self, name: String, seq: u64) -> Answer<'_, ConsumerRecord>;
}

/// Named tokens, and the node's randomness and clock for what the API makes itself.
pub trait TokenHost: Send + Sync {
    /// Reads all named tokens; called once at the start.
    fn tokens(&self) -> Answer<'_, Vec<TokenRecord>>;
    /// Stores a named token.
    fn put_token(&self, record: TokenRecord) -> Answer<'_, ()>;
    /// Forgets a named token.
    fn delete_token(&self, token: TokenId) -> Answer<'_, ()>;
    /// Draws 32 random bytes for a secret.
    fn random(&self) -> [u8; 32];
    /// Tells the time.
    fn now(&self) -> Timestamp;
}

/// Everything the API needs of a node.
pub trait Host:
    PersonaHost + ContactHost + ThreadHost + NodeHost + RelayHost + EventHost + TokenHost + 'static
{
}

impl<
    T: PersonaHost + ContactHost + ThreadHost + NodeHost + RelayHost + EventHost + TokenHost + 'static,
> Host for T
{
}

/// Events as the host reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// The number of the oldest event kept; one more than the newest when none is.
    pub oldest_kept: u64,
}

/// The place of a named reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// The last event it is done with.
    pub seq: u64,
    /// When it said so.
    pub updated: Timestamp,
}

/// What kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only rises.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A figure for monitoring.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name, of `a-z`, `0-9` and `_`, unit last.
    pub name: &'static str,
    /// What kind.
    pub kind: MetricKind,
    /// One line about it.
    pub help: &'static str,
    /// A fixed label and its value, such as `("way", "direct")`.
    pub label: Option<(&'static str, &'static str)>,
    /// The figure.
    pub value: f64,
}
