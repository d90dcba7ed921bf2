// SPDX-License-Identifier: MIT OR Apache-2.0
//! The overlay: committed rows as they look under changes that are not durable yet.

use comptoir_kv::Kv;

use crate::MailboxError;
use crate::rules::view::merge;
use crate::rules::{Changes, Row, View};

/// Pending changes over a store.
pub(crate) struct Overlay<'a> {
    pub(crate) pending: &'a Changes,
    pub(crate) kv: &'a dyn Kv,
}

/// A store alone.
pub(crate) struct Committed<'a>(pub(crate) &'a dyn Kv);

impl View for Committed<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MailboxError> {
        Ok(self.0.get(key)?)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Row>, MailboxError> {
        let from = (!from.is_empty()).then_some(from);
        Ok(self.0.scan(prefix, from, false, limit)?)
    }
}

impl View for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MailboxError> {
        match self.pending.get(key) {
            Some(change) => Ok(change.clone()),
            None => Committed(self.kv).get(key),
        }
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Row>, MailboxError> {
        merge(self.pending, &Committed(self.kv), prefix, from, limit)
    }
}
