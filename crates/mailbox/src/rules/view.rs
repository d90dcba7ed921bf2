// SPDX-License-Identifier: MIT OR Apache-2.0
//! The view: what a request may read, and the draft in which it writes.

use std::collections::BTreeMap;

use crate::MailboxError;

/// Rows by key: bytes to put, or `None` to delete. Applied whole or not at all.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// One row as a scan returns it: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What the rules read: committed rows under the changes of steps that are not yet durable.
pub trait View {
    /// Reads one row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MailboxError>;

    /// Reads at most `limit` rows whose keys start with `prefix` and are not below `from`, in ascending order.
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Row>, MailboxError>;
}

/// The changes of one step over the view it reads. Dropped on refusal, so a refused request leaves no trace.
pub(crate) struct Draft<'a> {
    view: &'a dyn View,
    changes: Changes,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(view: &'a dyn View) -> Self {
        Self {
            view,
            changes: Changes::new(),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, MailboxError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.view.get(key),
        }
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, MailboxError> {
        merge(&self.changes, self.view, prefix, from, limit)
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}

/// Scans `under` as it looks with `changes` applied.
///
/// Every pending deletion in range may hide one committed row, so that many more are asked for: the first `limit`
/// rows of the result are then exact.
pub(crate) fn merge(
    changes: &Changes,
    under: &dyn View,
    prefix: &[u8],
    from: &[u8],
    limit: usize,
) -> Result<Vec<Row>, MailboxError> {
    let start = if from > prefix { from } else { prefix };
    let pending: Vec<_> = changes
        .range::<[u8], _>((std::ops::Bound::Included(start), std::ops::Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(prefix))
        .collect();
    if pending.is_empty() {
        return under.scan(prefix, from, limit);
    }
    let deleted = pending
        .iter()
        .filter(|(_, change)| change.is_none())
        .count();
    let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = under
        .scan(prefix, from, limit + deleted)?
        .into_iter()
        .collect();
    for (key, change) in pending {
        match change {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
    Ok(rows.into_iter().take(limit).collect())
}
