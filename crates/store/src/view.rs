// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two views of a store: with and without what is not durable yet.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use comptoir_engine::{Scan, View, ViewError};
use comptoir_kv::Row;

use crate::core::Core;
use crate::pending::Value;

/// Committed rows under everything submitted: what a step sees of the steps before it.
#[derive(Clone, Copy)]
pub struct PendingView<'a>(pub(crate) &'a Core);

/// Committed rows only, without what waits: a commit under way shows from the moment the files below have it, which is
/// before it is durable ([`Core::committed`]).
#[derive(Clone, Copy)]
pub struct CommittedView<'a>(pub(crate) &'a Core);

impl View for PendingView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        // The overlay first: what leaves it meanwhile is on disk by then.
        if let Some(value) = self.0.pending().value(key) {
            return Ok(value.as_ref().map(|value| value.bytes.clone()));
        }
        self.0.committed().get(key)
    }

    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError> {
        let bounds = comptoir_kv::scan_bounds(&range.prefix, range.from.as_deref(), range.reverse);
        let Some((low, high)) = bounds else {
            return Ok(Vec::new());
        };
        let pending = self.0.pending().range((as_slice(&low), as_slice(&high)));
        if pending.is_empty() {
            return self.0.committed().scan(range);
        }
        let Scan {
            prefix,
            from,
            reverse,
            limit,
        } = range;
        // Each pending row hides at most one committed row, so this many are enough to fill the answer.
        let enough = limit.saturating_add(pending.len());
        let committed = self
            .0
            .kv()
            .scan(&prefix, from.as_deref(), reverse, enough)
            .map_err(refused)?;
        self.merge(committed, pending, reverse, limit)
    }
}

impl PendingView<'_> {
    fn merge(
        &self,
        committed: Vec<Row>,
        pending: BTreeMap<Vec<u8>, Value>,
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<Row>, ViewError> {
        let pending: Box<dyn Iterator<Item = (Vec<u8>, Value)>> = if reverse {
            Box::new(pending.into_iter().rev())
        } else {
            Box::new(pending.into_iter())
        };
        let mut rows = Merged {
            committed: committed.into_iter().peekable(),
            pending: pending.peekable(),
            reverse,
        };
        let mut merged = Vec::new();
        while merged.len() < limit {
            match rows.next() {
                None => break,
                Some(Either::Committed((key, sealed))) => {
                    let value = self.0.unseal(&key, sealed).map_err(refused)?;
                    merged.extend(value.map(|value| (key, value)));
                }
                Some(Either::Pending(key, Some(value))) => merged.push((key, value.bytes.clone())),
                Some(Either::Pending(_, None)) => {}
            }
        }
        Ok(merged)
    }
}

impl View for CommittedView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        match self.0.kv().get(key).map_err(refused)? {
            Some(sealed) => self.0.unseal(key, sealed).map_err(refused),
            None => Ok(None),
        }
    }

    fn scan(&self, range: Scan) -> Result<Vec<Row>, ViewError> {
        let Scan {
            prefix,
            from,
            reverse,
            limit,
        } = range;
        let rows = self
            .0
            .kv()
            .scan(&prefix, from.as_deref(), reverse, limit)
            .map_err(refused)?;
        let mut opened = Vec::with_capacity(rows.len());
        for (key, sealed) in rows {
            let value = self.0.unseal(&key, sealed).map_err(refused)?;
            opened.extend(value.map(|value| (key, value)));
        }
        Ok(opened)
    }
}

/// Two ordered sequences as one; of a key in both, the pending row.
struct Merged<C: Iterator<Item = Row>, P: Iterator<Item = (Vec<u8>, Value)>> {
    committed: Peekable<C>,
    pending: Peekable<P>,
    reverse: bool,
}

enum Either {
    Committed(Row),
    Pending(Vec<u8>, Value),
}

impl<C: Iterator<Item = Row>, P: Iterator<Item = (Vec<u8>, Value)>> Iterator for Merged<C, P> {
    type Item = Either;

    fn next(&mut self) -> Option<Either> {
        if let (Some((committed, _)), Some((pending, _))) =
            (self.committed.peek(), self.pending.peek())
        {
            let order = if self.reverse {
                pending.cmp(committed)
            } else {
                committed.cmp(pending)
            };
            if order.is_lt() {
                return self.committed.next().map(Either::Committed);
            }
            if order.is_eq() {
                self.committed.next();
            }
        } else if self.committed.peek().is_some() {
            return self.committed.next().map(Either::Committed);
        }
        self.pending
            .next()
            .map(|(key, value)| Either::Pending(key, value))
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

fn refused(error: impl std::fmt::Display) -> ViewError {
    ViewError(error.to_string())
}
