// SPDX-License-Identifier: MIT OR Apache-2.0
//! A peer-to-peer, end-to-end encrypted messenger: the embeddable node and the one binary.
//!
//! [`NodeBuilder`] starts a [`Node`] in a folder, inside the caller's tokio runtime. A node installs no signal handler,
//! no logger and no runtime, and keeps no global state, so several live in one process.
//!
//! What a call returned as done is on disk. What happens later comes as an [`Event`], durable and numbered, shown again
//! until it is acknowledged by that number.

pub mod cli;

mod address;
mod daemon;
mod driver;
mod home;
mod host;
mod log;
mod node;
mod personas;
mod ports;
mod random;
mod relay;
mod relays;
mod time;
mod unlock;

pub use comptoir_engine::query::{
    ContactView, ContentView, HistoryItem, MessageView, PersonaView, RequestView, ThreadView,
};
pub use comptoir_engine::{Event, MessageState, Refusal};
pub use comptoir_protocol::id::{AccountId, DeviceId, Lane};
pub use comptoir_store::EngineKind;

pub use self::daemon::{Daemon, DaemonError, Ready};
pub use self::driver::{CommandError, OpenError};
pub use self::home::Home;
pub use self::node::{EventStream, InviteOptions, Node, NodeBuilder, SentMessage, StartError};
pub use self::random::NoRandomness;
pub(crate) use self::random::random;
pub use self::relay::{Relay, RelayError, RelayOptions};
pub use self::unlock::Unlock;
