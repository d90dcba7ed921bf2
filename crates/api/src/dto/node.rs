// SPDX-License-Identifier: MIT OR Apache-2.0
//! The node itself: status, settings, doctor, log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::dto::RelayState;
use crate::id::RelayId;
use crate::time::Timestamp;

/// What the node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It opens its store.
    Starting,
    /// It works.
    Ready,
    /// It works, but a relay is down, the disk nearly full, or the like: `warnings` says what.
    Degraded,
    /// It reads and does not write: the disk is full, or the store is damaged.
    ReadOnly,
    /// It suspects a clone of itself and sends nothing.
    Halted,
    /// It ends.
    Stopping,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// How the store's key was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnlockedBy {
    /// A passphrase, typed or piped in.
    Passphrase,
    /// A passphrase file.
    PassphraseFile,
    /// The system's keyring.
    Keyring,
    /// A key file without a passphrase: whoever copies the disk can read everything.
    KeyFile,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// The node's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeStatus {
    /// What it is doing.
    pub state: NodeState,
    /// What to know about that, one sentence each, each with what to do.
    pub warnings: Vec<String>,
    /// The version of the program.
    pub version: String,
    /// The store's engine: `sled` or `redb`.
    pub engine: String,
    /// How the store was unlocked.
    pub unlocked_by: UnlockedBy,
    /// Where the node lives.
    pub home: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// The addresses it listens on for peers.
    pub listen: Vec<String>,
    /// Peers connected now.
    pub peers: u64,
    /// The relays it uses.
    pub relays: Vec<RelayBrief>,
    /// How messages went.
    pub counts: MessageCounts,
    /// When the account state shared between devices last changed, as far as this device knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_as_of: Option<Timestamp>,
}

/// A relay in the status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayBrief {
    /// Its id.
    pub id: RelayId,
    /// Whether it answers.
    pub state: RelayState,
}

/// How messages went since the home was made. A message that took two ways counts on both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageCounts {
    /// Messages sent.
    pub sent: u64,
    /// Messages received, each once.
    pub received: u64,
    /// Sent over a direct stream and confirmed there.
    pub sent_direct: u64,
    /// Received over a direct stream.
    pub received_direct: u64,
    /// Sent through, and received from, each relay.
    pub relays: Vec<RelayCounts>,
    /// Sent more than once: over both ways, or again for want of an answer.
    pub sent_twice: u64,
    /// Received more than once; each was shown once.
    pub received_twice: u64,
}

/// How messages went through one relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayCounts {
    /// The relay's key in hex; it may be one that only the contact uses.
    pub relay: String,
    /// Messages it said that it stored for us.
    pub sent: u64,
    /// Messages fetched from it.
    pub received: u64,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// The value it has when nobody sets it.
    pub default: Value,
    /// What it does.
    pub about: String,
}

/// What `doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doctor {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its name: `clock`, `disk`, `relays`, …
    pub name: String,
    /// What came out.
    pub result: CheckResult,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What came out of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// Good.
    Good,
    /// Works, with a reserve.
    Warning,
    /// Does not work.
    Bad,
    /// Could not be looked at.
    NotChecked,
    /// A word of a newer version.
    #[serde(other)]
    Unknown,
}

/// Which lines of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Lines at most, 1 to 500. If left unset: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only lines after this number. If left unset: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// A line of the node's log. It never holds plaintext, tokens or whole ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Its number since the start of the process.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// What was said.
    pub message: String,
}
