// SPDX-License-Identifier: MIT OR Apache-2.0
//! A relay's store-and-forward: pure rules over a view, and their backend on kv.
//!
//! [`Rules`] decide: `handle(incoming, now, disk, rng, view) -> Step`, without disk, clock or randomness of their own.
//! A relay cannot read what it stores; it knows boxes, capabilities, sizes and times, and enforces what the owner of a
//! box granted.
//!
//! The order of work for a frame from a stranger, cheapest first: take one of the stream's tokens, ask
//! [`Preview::refuses`] whether the request can lead to anything, prove it with [`Incoming::open`], hand it to the
//! backend, and answer when its commit is durable.

mod backend;
mod config;
mod error;
mod rules;

#[cfg(test)]
mod tests;

pub use backend::{Callback, Done, KvMailbox, MailboxWriter, Preview, QUEUE_REQUESTS_MAX};
pub use config::{
    BLOB_BYTES_MAX, BLOB_TTL_S_MAX, BOOT_IDLE_MS, BOX_BYTES_MAX, BOX_IDLE_MS, BOX_ITEMS_MAX,
    Config, DiskLevel, FETCH_ITEMS_MAX, FETCH_WAIT_S_MAX, ITEM_TTL_S_MAX, LOOK_PAUSE_MS, Limits,
    PACKAGE_KEPT_MS, PACKAGES_MAX, PACKAGES_TAKEN_A_DAY_MAX, READER_STALE_MS, REQUEST_TTL_S_MAX,
    REQUESTS_BY_PUZZLE_MAX, REQUESTS_MAX, TOKENS_MAX, TRACES_KEPT_MAX,
};
pub use error::MailboxError;
pub use rules::{
    Changes, Incoming, Look, News, Outcome, Row, Rules, Step, TicketTerms, View, issue_ticket,
};
