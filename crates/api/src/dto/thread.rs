// SPDX-License-Identifier: MIT OR Apache-2.0
//! The thread, its messages, and what still waits to go out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::id::{ContactId, MessageId, ThreadId};
use crate::time::Timestamp;

// The schemas below can only hold a literal.
const _: () = assert!(comptoir_protocol::limits::TEXT_BYTES_MAX == 16_384);

/// What kind of thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThreadKind {
    /// Two accounts.
    Pair,
    /// The account's own devices.
    Own,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// A thread in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// What kind.
    pub kind: ThreadKind,
    /// The name to show.
    pub title: String,
    /// The other side of a pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Messages received and not read.
    pub unread: u64,
    /// Messages that are held back, and count as nothing unread.
    #[serde(default)]
    pub held_back: u64,
    /// Whether it raises no notice.
    pub muted: bool,
    /// The newest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Message>,
    /// When something last came or went.
    pub updated: Timestamp,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// Whether it was this account.
    pub me: bool,
    /// The contact, when it was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// The name to show.
    pub name: String,
    /// The device, in hex.
    pub device: String,
    /// Whether a person, a program or a campaign wrote it, as its author says.
    pub kind: AuthorKind,
}

/// What wrote a message, as its author says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// A person.
    Human,
    /// A program.
    Bot,
    /// A campaign.
    Campaign,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Ours: on this disk, not yet elsewhere.
    Queued,
    /// Ours: a relay says that it keeps it.
    Stored,
    /// Ours: a device of theirs has acknowledged it.
    Delivered,
    /// Ours: they say that they have read it.
    Read,
    /// Ours: nobody acknowledged it for 30 days, or they refuse it.
    NotDelivered,
    /// Theirs: received.
    Received,
    /// Theirs: received and kept back, without notice.
    HeldBack,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Text.
    Text,
    /// A kind this version does not know: `fallback` is what its author wrote for that case.
    NeedsNewer,
    /// Erased by its author, or by the user here.
    Erased,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// The app that made a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Via {
    /// Its name, as the message says.
    pub name: String,
    /// Its key in hex.
    pub key: String,
}

/// A message in a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The thread it is in.
    pub thread: ThreadId,
    /// Who wrote it.
    pub author: Author,
    /// The author's own count in this thread; order and gaps come from it.
    pub sequence: u64,
    /// What it is.
    pub kind: MessageKind,
    /// Its text, for a text message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What to show instead of a kind this version does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The number of the kind, when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind_number: Option<u32>,
    /// The app that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// How far it got.
    pub state: MessageState,
    /// When it was written, by its author's clock, at most two minutes after it was received.
    pub sent: Timestamp,
    /// When this node took it in.
    pub received: Timestamp,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Timestamp>,
    /// When it disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether it came after messages that stand behind it.
    #[serde(default)]
    pub late: bool,
}

/// Messages of one author that are known to exist and have not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// Whose.
    pub device: String,
    /// The first that is missing.
    pub from: u64,
    /// The last that is missing.
    pub to: u64,
    /// The message on this page after which the gap stands; absent when it stands before all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
}

/// A page of a thread, always oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessagePage {
    /// The messages.
    pub data: Vec<Message>,
    /// What is missing among them.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Whether there are more in the direction asked for.
    pub has_more: bool,
    /// What to pass in the same parameter (`before` or `after`) to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page of a thread. With neither `before` nor `after`: the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// Entries at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// The page that ends before this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The page that begins after this message; `start` for the very first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How far a message is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EraseQuery {
    /// Only on this node, an own message too. If left unset: `false`, an own one goes on both sides.
    #[serde(default)]
    #[param(required = false)]
    pub only_here: bool,
}

/// Where a page of a thread lies: a [`MessageQuery`] that was read and found to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessagesFrom {
    /// The newest.
    Newest,
    /// The very first.
    Start,
    /// Those before this one, the nearest.
    Before(MessageId),
    /// Those after this one, the nearest.
    After(MessageId),
}

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewMessage {
    /// The text, at most 16 KiB.
    #[schema(max_length = 16384)]
    pub text: String,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Seconds after which it disappears on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_s: Option<u32>,
}

/// The new text of an own message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageEdit {
    /// The text, at most 16 KiB.
    #[schema(max_length = 16384)]
    pub text: String,
}

/// How far the user has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadMark {
    /// The last message read.
    pub up_to: MessageId,
}

/// What waits to go out, over all contacts of a persona.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outbox {
    /// Messages not yet acknowledged by every device they are for.
    pub messages: u64,
    /// Envelopes they are in.
    pub envelopes: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Messages given up since the start of the log.
    pub not_delivered: u64,
    /// The same by contact, the oldest first.
    pub contacts: Vec<OutboxContact>,
}

/// What waits for one contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxContact {
    /// Whom for.
    pub contact: ContactId,
    /// The name to show.
    pub name: String,
    /// Envelopes that wait.
    pub envelopes: u64,
    /// When the oldest was written.
    pub oldest: Timestamp,
    /// When the next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
}
