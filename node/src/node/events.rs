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

impl Node {
    /// Events behind number `after`, at most `limit`, and only those no power cut takes back: a commit under way may be
    /// read before it is on disk, and the number of an event that was lost is given again.
    pub(crate) fn durable_events(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, EventRecord)>, ViewError> {
        let newest = self.newest_event();
        let mut events = query::events(&self.committed(), after, limit)?;
        events.retain(|(number, _)| *number <= newest);
        Ok(events)
    }
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
                .extend(self.node.durable_events(self.after, PAGE)?);
            if self.ready.is_empty() && self.newest.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests;
