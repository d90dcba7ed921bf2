// SPDX-License-Identifier: MIT OR Apache-2.0
//! A node's records: one atomic commit per step, history, events, migrations, encryption at rest.
//!
//! [`Store`] is a folder, [`Core`] its rows, [`Writer`] the thread that commits them. The engine reads through
//! [`Core::view`], everybody else through [`Core::committed`]; what may be told to anyone is what [`Writer`] reported
//! durable. A failed commit takes everything submitted behind it along: then [`Store::reopen`], a new engine, and a new
//! writer.

mod codec;
mod consumers;
mod core;
mod error;
mod notes;
mod pending;
mod records;
mod schema;
mod scopes;
mod store;
mod unlock;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use codec::CodecError;
pub use comptoir_kv::{EngineKind, Floor, KvError, Rebuilt, Stats};
pub use consumers::{CONSUMER_NAME_BYTES_MAX, CONSUMERS_MAX, Consumer};
pub use core::Core;
pub use error::StoreError;
pub use notes::{NOTE_BYTES_MAX, NOTE_NAME_BYTES_MAX};
pub use pending::Seq;
pub use schema::SCHEMA;
pub use store::{DEFAULT_ENGINE, OpenOptions, Store, convert};
pub use unlock::{Access, Keyring, Method, method};
pub use view::{CommittedView, PendingView};
pub use writer::Writer;
