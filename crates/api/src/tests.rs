// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the whole API: raw bytes on real sockets, in front of a host that lives in memory.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod auth;
mod bodies;
mod client;
mod events;
mod guard;
mod host;
mod idempotency;
mod server;
mod world;
