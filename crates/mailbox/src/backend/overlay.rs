// SPDX-License-Identifier: MIT OR Apache-2.0
//! The overlay: committed rows as they look under changes that are not durable yet.

use comptoir_kv::Kv;

use crate::MailboxError;
use crate::rules::view::merge;
use crate::rules::{Changes, Row, View};

/// Changes over whatever lies below: a store, or changes that are on their way into one.
pub(crate) struct Overlay<'a> {
    pub(crate) changes: &'a Changes,
    pub(crate) under: &'a dyn View,
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
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.under.get(key),
        }
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Row>, MailboxError> {
        merge(self.changes, self.under, prefix, from, limit)
    }
}
