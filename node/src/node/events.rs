// SPDX-License-Identifier: MIT OR Apache-2.0
//! The event stream: durable events in their order, from any number on.

use std::collections::VecDeque;

use comptoir_engine::{EventRecord, ViewError, query};
use tokio::sync::watch;

use super::Node;

/// Events read at once.
const PAGE: usize = 256;

/// Events as they become durable. Dropped and made again at the last number dealt with, it loses nothing.
#[derive(Debug)]
pub struct EventStream {
    node: Node,
    newest: watch::Receiver<u64>,
    after: u64,
    ready: VecDeque<(u64, EventRecord)>,
}

impl EventStream {
    pub(super) fn new(node: Node, after: u64) -> Self {
        let newest = node.inner.newest_event.clone();
        Self {
            node,
            newest,
            after,
            ready: VecDeque::new(),
        }
    }

    /// The next event and its number; `None` once the node is shut down. Cancel-safe.
    ///
    /// # Errors
    /// When the store cannot be read; the next call tries again.
    pub async fn next(&mut self) -> Result<Option<(u64, EventRecord)>, ViewError> {
        loop {
            if let Some((number, event)) = self.ready.pop_front() {
                self.after = number;
                return Ok(Some((number, event)));
            }
            // Marked as seen before reading: what is written while we read wakes us again.
            self.newest.borrow_and_update();
            self.ready
                .extend(query::events(&self.node.committed(), self.after, PAGE)?);
            if self.ready.is_empty() && self.newest.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
