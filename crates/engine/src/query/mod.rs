// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queries: what can be read of a node, from a view alone. They decide nothing and change nothing.

mod answers;
mod events;
mod held_back;
mod history;
mod people;
mod read;
mod threads;

use comptoir_protocol::body::BodyHeader;
use comptoir_protocol::id::{AccountId, DeviceId, Lane, PeerKey, ThreadId};
use comptoir_protocol::place::Place;
use comptoir_protocol::relay::RelayDescriptor;

use crate::rows::contact::{Decision, Standing};
use crate::seam::event::{MessageState, RelayCondition};

pub use answers::was_answered;
pub use events::{events, newest_event, oldest_event, relays};
pub use held_back::held_back;
pub use history::{From, history, message};
pub use people::{contact, contacts, personas, request_safety_code, requests, safety_code};
pub use threads::{counts, is_frozen, outbox, thread, threads};

/// A persona as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonaView {
    /// Its number; 1 is `main`.
    pub persona: u16,
    /// Who.
    pub account: AccountId,
    /// This device.
    pub device: DeviceId,
    /// The name shown to contacts.
    pub name: String,
    /// Whether contacts are told what was read.
    pub read_receipts: bool,
    /// The number of the newest card.
    pub card_number: u64,
    /// Wall time until which the card is good; 0 before the first.
    pub card_expires_ms: u64,
    /// Wall time at which it was made.
    pub created_ms: u64,
    /// Local number of the self thread.
    pub self_thread: u32,
    /// Wall time of the last statement in the self thread.
    pub state_ms: u64,
}

/// A contact as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactView {
    /// Its number.
    pub contact: u32,
    /// Whose.
    pub persona: u16,
    /// Who.
    pub account: AccountId,
    /// The name they give themselves.
    pub name: String,
    /// The name the user gives them.
    pub petname: Option<String>,
    /// Where we stand.
    pub standing: Standing,
    /// The thread, once there is one.
    pub thread: Option<u32>,
    /// Silent.
    pub muted: bool,
    /// Blocked.
    pub blocked: bool,
    /// Wall time at which the safety code was compared; 0 for never.
    pub verified_ms: u64,
    /// Wall time at which they became a contact.
    pub added_ms: u64,
    /// How many boxes they let us write into.
    pub boxes: usize,
    /// The sockets they said they own.
    pub peers: Vec<PeerKey>,
    /// Things of a newer version that came from them.
    pub needs_newer: u64,
}

/// A request as shown: text only, no picture, no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// Its number.
    pub request: u32,
    /// Whom they ask.
    pub persona: u16,
    /// Who asks.
    pub account: AccountId,
    /// The name they give themselves.
    pub name: String,
    /// Why, in their words.
    pub reason: String,
    /// Wall time of arrival.
    pub received_ms: u64,
    /// Where it stands.
    pub decision: Decision,
    /// The invite it came with.
    pub invite: Option<u32>,
}

/// An invite as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteView {
    /// Its number.
    pub invite: u32,
    /// Whose.
    pub persona: u16,
    /// The link.
    pub link: String,
    /// Wall time until which it is good.
    pub expires_ms: u64,
    /// How many may still use it.
    pub uses_left: u32,
}

/// A thread as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadView {
    /// Its number.
    pub thread: u32,
    /// Whose.
    pub persona: u16,
    /// Its name between nodes.
    pub id: ThreadId,
    /// With whom; `None` for the self thread.
    pub contact: Option<u32>,
    /// Messages the user has not read.
    pub unread: u64,
    /// Wall time of the last message.
    pub last_ms: u64,
    /// Envelopes that wait for the other side.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Messages held back.
    pub held_back: u64,
    /// This thread writes nothing: another copy of this device was seen.
    pub frozen: bool,
}

/// What stands at one place of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "gaps are rare among messages")]
pub enum HistoryItem {
    /// A message.
    Message(MessageView),
    /// Messages that are missing before the next message of this author.
    Gap {
        /// Whose.
        author: DeviceId,
        /// The lane.
        lane: Lane,
        /// The first missing.
        from: u64,
        /// The last missing.
        to: u64,
    },
}

/// A page of a history, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// What stands there.
    pub items: Vec<HistoryItem>,
    /// Whether there is more in the direction that was asked for.
    pub has_more: bool,
}

/// A message as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// The thread's number.
    pub thread: u32,
    /// Where it stands.
    pub place: Place,
    /// The lane.
    pub lane: Lane,
    /// Written by this device.
    pub own: bool,
    /// What it says.
    pub content: ContentView,
    /// The date to show.
    pub shown_ms: u64,
    /// Wall time of arrival, or of writing.
    pub arrived_ms: u64,
    /// How far an own message has come.
    pub state: Option<MessageState>,
    /// Read by the user.
    pub read: bool,
    /// Wall time of the last edit; 0 for none.
    pub edited_ms: u64,
    /// It came after later ones of the same author.
    pub late: bool,
    /// Held back, and so not shown unasked.
    pub held_back: bool,
    /// Who speaks, what it answers, and through which app.
    pub header: BodyHeader,
}

/// A message that is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBackView {
    /// The message.
    pub message: MessageView,
    /// Wall time at which it goes.
    pub ends_ms: u64,
}

/// A message's content as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentView {
    /// Text.
    Text(String),
    /// A known kind that is not text: its bytes.
    Other {
        /// The kind.
        kind: u32,
        /// The content.
        bytes: Vec<u8>,
    },
    /// A kind this build does not know; it is kept, and read again after an upgrade.
    NeedsNewer {
        /// The kind.
        kind: u32,
        /// What its author wants shown instead.
        fallback: Option<String>,
    },
    /// Erased.
    Erased,
}

/// A relay as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayView {
    /// Whose.
    pub persona: u16,
    /// Where it is.
    pub relay: RelayDescriptor,
    /// How it was last seen.
    pub condition: RelayCondition,
    /// About to be left.
    pub leaving: bool,
    /// Boxes in use there.
    pub boxes: usize,
}

/// What waits to be delivered to one contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxView {
    /// To whom.
    pub contact: u32,
    /// The name to show.
    pub name: String,
    /// Envelopes that wait.
    pub envelopes: u64,
    /// Messages in them.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Envelopes of them that a relay has.
    pub stored: u64,
    /// Wall time of the oldest.
    pub oldest_ms: u64,
}
